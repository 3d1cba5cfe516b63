//! From a record to the text of its line.
//!
//! L1. A record is written whole or not at all: what does not decode leaves the buffer as it was.
//! L2. The first physical line of a record never starts with the mark of a detail's lines, and no
//!     text in a record can end its line.
//!
//! The router calls a layout once for each record and destination format. Layouts know no file and no
//! terminal: they append to the caller's buffer.

mod colour;
mod line;
mod pattern;
mod percent;
mod presets;
mod stamp;
mod time_format;

use crate::codec::Corrupt;
use crate::record::Record;

pub use colour::ColourChoice;
pub(crate) use colour::enabled;
pub(crate) use line::PatternLayout;
pub use pattern::{Pattern, PatternError};
pub(crate) use stamp::moment;

/// Writes records as text.
pub(crate) trait Layout: Send {
    /// Appends the record's line with its line end, and its detail where it has one.
    ///
    /// # Errors
    ///
    /// `Corrupt` where the record's arguments are not what its call site promises; `out` is then as
    /// it was.
    fn write(&mut self, record: &Record<'_>, out: &mut Vec<u8>) -> Result<(), Corrupt>;
}
