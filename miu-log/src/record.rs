//! A decoded record, borrowed from the ring: what layouts and sinks are given.
//!
//! Nothing here owns text: names come from the listener's tables, arguments from the ring's bytes. Texts are as they were given, and
//! may hold anything: whoever writes them escapes them. Only those that say so are escaped already. [`LogRecord`] is
//! what a user's code sees of a record.

mod extra;
mod id;
mod view;

use crate::codec::Args;
use crate::level::Level;
use crate::template::Template;

pub(crate) use extra::{Extra, pair};
pub(crate) use id::Origin;
pub use id::RecordId;
pub use view::{FieldValue, LogRecord};
pub(crate) use view::{exception, known};

/// A point in time as nanoseconds since 1970-01-01 00:00 UTC.
pub(crate) type UnixNanos = i64;

/// A call site as the listener knows it: read from the dictionary, prepared once for rendering.
#[derive(Debug)]
pub(crate) struct Site {
    /// Number of the call site in its listener; 0 where it has none.
    pub(crate) id: u32,
    /// Source file as the compiler names it.
    pub(crate) file: String,
    pub(crate) line: u32,
    /// Module path; empty where only file and line are known (the logging methods).
    pub(crate) module: String,
    /// Function name without its module path; empty where it is not known.
    pub(crate) function: String,
    /// `module:function:line`, or `file:line`: escaped, ready to be copied into a line.
    pub(crate) location: String,
    /// The message, parsed. Its placeholders take the record's arguments in order.
    pub(crate) template: Template,
    /// Names of the fields whose values follow the message's arguments, escaped.
    pub(crate) fields: Vec<String>,
    /// The same names as they were given.
    pub(crate) names: Vec<String>,
}

/// One record on its way from a ring to the sinks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    pub(crate) time: UnixNanos,
    pub(crate) level: Level,
    /// Name of the domain, e.g. `db`.
    pub(crate) domain: &'a str,
    /// `main` for the listener's process, else the worker's name.
    pub(crate) process: &'a str,
    /// Name of the thread.
    pub(crate) thread: &'a str,
    pub(crate) process_id: u32,
    pub(crate) thread_id: u32,
    /// The same whenever and by whomever the record is read.
    pub(crate) id: RecordId,
    /// Number of the thread's ring in its listener: the same number means the same process and thread, by name and number.
    pub(crate) ring: u64,
    pub(crate) site: &'a Site,
    /// The message's arguments, then the fields' values. One argument left after these is the
    /// detail: the text of an error chain with its backtrace, of several lines.
    pub(crate) args: Args<'a>,
    /// The fields that it has from elsewhere: from its context, its logger.
    pub(crate) extra: Extra<'a>,
}
