//! When a log file is rotated, what it is called then, how long it is kept and how it is compressed: policy only.
//!
//! Nothing in here touches a file or a clock: times come in as numbers, decisions go out.

mod compression;
pub(crate) mod naming;
mod rotation;
pub(crate) mod words;

pub use compression::Compression;
pub(crate) use rotation::Schedule;
pub use rotation::{Interval, Rotation, Size};
