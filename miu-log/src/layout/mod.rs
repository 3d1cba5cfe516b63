//! From a record to the text of its line.
//!
//! L1. A record is written whole or not at all: what does not decode leaves the buffer as it was.
//! L2. The first physical line of a record never starts with the mark of a detail's lines, and no
//!     text in a record can end its line.
//!
//! The router calls a layout once for each record and destination format. Layouts know no file and no
//! terminal: they append to the caller's buffer.

mod any;
mod colour;
mod custom;
mod json;
mod json_text;
mod keys;
mod line;
mod logfmt;
#[cfg(test)]
mod machine_looks;
#[cfg(test)]
mod machine_tests;
mod origin;
mod otel;
mod pattern;
mod percent;
mod presets;
mod rfc3339;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod row;
mod stamp;
mod time_format;

use crate::codec::Corrupt;
use crate::record::Record;

pub use any::AnyLayout;
pub(crate) use any::Layouts;
pub use colour::ColourChoice;
pub(crate) use colour::enabled;
pub use custom::Layout;
pub use json::{Json, JsonKey};
#[cfg(feature = "webhook")]
pub(crate) use json_text::push_string as push_json_string;
pub use logfmt::Logfmt;
pub use otel::OtelJson;
pub(crate) use pattern::nearest;
pub use pattern::{Pattern, PatternError};
#[cfg(feature = "sqlite")]
pub(crate) use rfc3339::Rfc3339;
pub use rfc3339::TimePrecision;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub(crate) use row::Row;
pub(crate) use stamp::moment;

/// Writes records as text, straight into a sink's buffer. Programs bring layouts along by [`Layout`].
pub(crate) trait LineLayout: Send {
    /// Appends the record's line with its line end, and its detail where it has one.
    ///
    /// # Errors
    ///
    /// [`Unwritten`]; `out` is then as it was.
    fn write(&mut self, record: &Record<'_>, out: &mut Vec<u8>) -> Result<(), Unwritten>;
}

/// Why there is no line of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unwritten {
    /// The record's arguments are not what its call site promises: no layout can write it.
    Corrupt,
    /// This layout cannot write it, for the reason that it gives.
    Failed(String),
}

/// Has something appended; where that fails `out` is as it was.
#[inline]
fn whole_or_nothing(
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), Corrupt>,
) -> Result<(), Corrupt> {
    let start = out.len();
    let written = write(out);
    if written.is_err() {
        out.truncate(start);
    }
    written
}

impl From<Corrupt> for Unwritten {
    fn from(_: Corrupt) -> Unwritten {
        Unwritten::Corrupt
    }
}
