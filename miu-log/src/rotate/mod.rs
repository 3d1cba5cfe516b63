//! When a log file is rotated, what it is called then, how long it is kept and how it is compressed: policy only.
//!
//! Nothing in here touches a file or a clock: times come in as numbers, decisions go out.

mod amount;
mod compression;
pub(crate) mod naming;
pub(crate) mod retention;
mod rotation;
pub(crate) mod words;

pub use amount::{Period, Size};
pub use compression::{Compression, CompressionChoice};
pub use retention::{Retention, Room};
pub use rotation::Rotation;
pub(crate) use rotation::Schedule;
