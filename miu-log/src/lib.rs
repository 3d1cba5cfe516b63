//! Typed log domains: each area of a service has its own logger and its own file, one listener writes them all, and
//! nothing that was accepted is lost.
//!
//! ```no_run
//! use miu_log::{LogConfig, log_domains};
//!
//! /// The areas of this service.
//! #[log_domains(app, db, redis, task)]
//! pub mod logs {}
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let repo = logs::Repository::open(LogConfig::new("logs"))?;
//!     repo.app.info("service starting");
//!     miu_log::warning!(repo.db, rows = 12, "query took {:.1} ms", 81.25);
//!
//!     let queue = repo.queue();
//!     std::thread::spawn(move || {
//!         let repo = logs::Repository::worker(queue);
//!         repo.task.info("worker started");
//!     });
//!     Ok(())
//! }
//! ```
//!
//! A record lands in its domain's file (`logs/db.log`) and in its level's file (`logs/warning.log`), in order of time. The calling
//! thread encodes its arguments into a ring of its own and goes on; formatting, files and console are the listener's
//! work.
//!
//! # What is where
//!
//! - [`log_domains`] makes a `Repository` with one [`Logger`] per domain (`generated` shows it); [`LogConfig`] says how to open
//!   it.
//! - [`info!`] and its siblings take fields and arguments that the listener formats.
//! - [`OverflowPolicy`] says what happens when a thread logs faster than the files can take; [`Stats`] counts
//!   everything, what was dropped above all.
//! - [`QueueHandle::share_with`] and [`Endpoint`] let other processes join; [`WorkerEvent`] tells of them.
//! - [`Recovery`] says what an opening has brought into the files after a crash; [`recover()`] does it alone.
//! - [`inspect()`] looks at a log folder from outside; the program `miu-log` shows what it finds.
//! - [`Pattern`], [`Json`], [`Logfmt`] and [`OtelJson`] say what a line looks like; [`Layout`] is for layouts of your own.
//! - [`Sink`] is for destinations of your own; [`Remote`] and [`Deliver`] are for those that are far away; [`testing`] for tests without a thread and without waiting.

extern crate self as miu_log;

#[cfg(not(loom))]
mod bridge;
#[cfg(not(loom))]
mod bytes;
#[cfg(not(loom))]
mod callsite;
#[cfg(not(loom))]
mod chain;
#[cfg(not(loom))]
mod clock;
#[cfg(not(loom))]
mod codec;
#[cfg(not(loom))]
mod config;
#[cfg(not(loom))]
pub mod context;
#[cfg(not(loom))]
mod domain;
#[cfg(not(loom))]
mod encode;
#[cfg(not(loom))]
mod error;
#[cfg(not(loom))]
mod escape;
#[cfg(not(feature = "failpoints"))]
#[allow(dead_code, unreachable_pub, reason = "without the feature its steps are nothing")]
mod failpoint;
#[cfg(feature = "failpoints")]
#[doc(hidden)]
pub mod failpoint;
#[cfg(not(loom))]
mod filter;
#[cfg(not(loom))]
mod folder;
#[cfg(not(loom))]
mod hash;
#[cfg(not(loom))]
mod inspect;
#[cfg(not(loom))]
mod layout;
mod level;
#[cfg(not(loom))]
mod lifecycle;
#[cfg(not(loom))]
mod listener;
#[cfg(not(loom))]
mod logger;
#[cfg(not(loom))]
mod maintenance;
#[cfg(not(loom))]
mod message;
#[cfg(all(feature = "metrics", not(loom)))]
mod metrics;
#[cfg(not(loom))]
mod notice;
#[cfg(not(loom))]
mod own_thread;
#[cfg(not(loom))]
mod queue;
#[cfg(not(loom))]
mod reading;
#[cfg(not(loom))]
mod record;
#[cfg(not(loom))]
mod redact;
#[cfg(not(loom))]
mod repository;
mod ring;
#[cfg(not(loom))]
mod rotate;
#[cfg(not(loom))]
mod router;
#[cfg(not(loom))]
mod runtime;
#[cfg(not(loom))]
mod secret;
#[cfg(not(loom))]
mod sink;
mod spare;
#[cfg(not(loom))]
mod stats;
mod sync;
#[cfg(not(loom))]
mod template;
#[cfg(not(loom))]
mod worker;
#[cfg(not(loom))]
#[allow(dead_code, reason = "the times of rotation are for the file sink, which follows")]
mod zone;

#[cfg(all(fuzzing, not(loom)))]
#[doc(hidden)]
#[path = "fuzz.rs"]
pub mod __fuzz;
#[cfg(not(loom))]
#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
#[cfg(not(loom))]
pub mod testing;

/// What [`log_domains`] makes, shown for `#[log_domains(app, db, redis, task)]`.
///
/// This module is there in the documentation only. In a program it is the module that carries the attribute, and its items
/// have these names and methods.
#[cfg(all(doc, not(loom)))]
#[log_domains(app, db, redis, task)]
pub mod generated {}

pub use level::{Level, UnknownLevel};
pub use miu_log_macros::log_domains;
#[cfg(not(loom))]
pub use miu_log_macros::{diagnose, main};

#[cfg(all(feature = "tracing", not(loom)))]
pub use self::bridge::{tracing_layer, tracing_subscriber};
#[cfg(all(any(feature = "postgres", feature = "sqlite"), not(loom)))]
pub use self::sink::outbox::database::Database;
#[cfg(all(feature = "webhook", not(loom)))]
pub use self::sink::outbox::webhook::Webhook;
#[cfg(not(loom))]
pub use self::{
    bytes::Bytes,
    chain::ErrorChain,
    config::{AnySink, CommandExt, ConfigFile, Console, ConsoleChoice, CustomSink, File, LogConfig, Remote},
    context::fields::Fields,
    domain::{DomainSet, DomainSpec, UnknownDomain},
    error::Error,
    inspect::{Holder, Inspection, LeftBehind, RingState, SpoolState, Unreadable, inspect, inspect_app},
    layout::{
        AnyLayout, ColourChoice, Json, JsonKey, Layout, Logfmt, OtelJson, Pattern, PatternError,
        TimePrecision,
    },
    lifecycle::early::{EarlyInit, StartupReport, early_init},
    logger::{AsLogger, CappedLogger, Logger},
    message::{Message, Target},
    queue::{LevelChange, OverflowPolicy},
    record::{FieldValue, LogRecord, RecordId},
    redact::NotSecret,
    repository::{Endpoint, QueueHandle, ShutdownReport, recover},
    rotate::{Compression, CompressionChoice, Period, Retention, Room, Rotation, Size},
    router::Durability,
    secret::Secret,
    sink::outbox::deliver::{Deliver, DeliverError, Timeouts},
    sink::{Batch, CircuitState, FilePosition, Line, Sink, SinkError},
    stats::{DomainStats, DropReason, RemoteStats, RingStats, SinkState, SinkStats, Stats},
    worker::{ExitCause, RecoveredProcess, Recovery, WorkerEvent, WorkerEventKind},
    zone::{Zone, ZoneName},
};

macro_rules! statements {
    ($($d:tt $name:ident $level:ident $what:literal;)*) => {$(
        #[doc = concat!("Logs ", $what, " record: `", stringify!($name), "!(repo.db, key = value, \"message {}\", argument)`.")]
        ///
        /// First the logger, then fields, then the message with its arguments, as for [`format!`].
        ///
        /// - Fields: `name = value` and `name` for numbers, texts, bools, chars, `Duration`s, IP addresses, raw bytes and `Option`s of
        ///   them; `name = %value` and `%name` for anything with `Display`; `name = ?value` and `?name` for anything with `Debug`.
        ///   Bytes (`&[u8]`, `[u8; N]`, `Vec<u8>` or [`Bytes`]) are written in hexadecimal: `frame=0a1bff`.
        /// - Message: every form of `format!`, captured names included; raw bytes are given as [`Bytes`]. It may be left
        ///   out where there are fields.
        /// - Secrets: of a field with the name of one (`password`, `db_password`, `access_token`, `api_key`, `Set-Cookie`; not `token_count`), and of a
        ///   text with the shape of one (`Bearer …`, tokens of well-known services, addresses with a password), `***` is logged; [`NotSecret`] around the value
        ///   says that it is none. Messages and their arguments are not looked at. The README has the whole rule.
        ///
        /// Arguments are evaluated only if the level is enabled. Numbers, texts and common types are copied as they are and
        /// formatted by the listener; everything else is formatted at once.
        #[macro_export]
        macro_rules! $name {
            ($d($d tokens:tt)*) => { $crate::__private::record! { [$crate] $level; $d($d tokens)* } };
        }
    )*};
}

statements! {
    $ trace Trace "a TRACE";
    $ debug Debug "a DEBUG";
    $ info Info "an INFO";
    $ success Success "a SUCCESS";
    $ warning Warning "a WARNING";
    $ error Error "an ERROR";
    $ critical Critical "a CRITICAL";
}

/// Logs a record at a level that is known at run time: `log!(repo.db, level, key = value, "message {}", argument)`.
///
/// All else is as for [`info!`].
#[macro_export]
macro_rules! log {
    ($($tokens:tt)*) => { $crate::__private::record! { [$crate] _; $($tokens)* } };
}

/// Logs from a signal handler: `signal!(repo.app, Level::Warning, "caught signal {}", number)`.
///
/// Takes no lock, allocates nothing, waits for nothing and initialises nothing, so that it may be called at any time in any handler (and anywhere
/// else). First the logger, then the level, then the message, a string literal as for [`format!`], then its arguments: integers, bools, chars
/// and `&'static str`. There are no fields, and no widths or precisions that are arguments.
///
/// The record goes into the ring of the thread that was interrupted, if that has one which the interruption left at rest and with room, else into one
/// that all threads share for this (the line gives `signal` as its thread); where that is in use at this very moment or full, or there is no listener
/// yet, the record is dropped and counted as [`DropReason::Signal`]. ERROR and CRITICAL wake the listener. The place of the call
/// is `module:line`: the function is not known.
///
/// The repository has to be there before the signal comes: [`logs::repo()`](generated) makes one at its first call, `init` and `open` make one, which no
/// handler may do. Hand the handler a reference, such as a `static` that is set before the handler is installed.
///
/// An ordinary call in a handler does no harm, but is taken only if its statement has logged before and the interrupted thread's ring is at rest;
/// else it is dropped and counted likewise. What it formats at once (`%value`, `?value`, types of your own) is your code's matter.
///
/// # Examples
///
/// ```no_run
/// use std::sync::OnceLock;
///
/// use miu_log::{Level, Logger, log_domains};
///
/// #[log_domains(app)]
/// mod logs {}
///
/// static LOGGER: OnceLock<Logger> = OnceLock::new();
///
/// extern "C" fn on_hang_up(signal: i32) {
///     if let Some(logger) = LOGGER.get() {
///         miu_log::signal!(logger, Level::Warning, "signal {} came", signal);
///     }
/// }
/// ```
#[macro_export]
macro_rules! signal {
    ($($tokens:tt)*) => { $crate::__private::record! { [$crate] signal; $($tokens)* } };
}

/// Names and values for many records: `fields!(session = 17, user = %name)`.
///
/// They are written as the fields of [`info!`] are, and encoded at once. [`Logger::bind`] gives them to a logger, [`context::scope`] to a scope; see
/// [`Fields`] for how much a set holds.
///
/// # Examples
///
/// ```
/// let session = 17;
/// let fields = miu_log::fields!(session, user = "ann", retries = ?[1, 2]);
/// assert_eq!(fields.get("retries").unwrap().to_string(), "[1, 2]");
/// ```
#[macro_export]
macro_rules! fields {
    ($($tokens:tt)*) => { $crate::__private::fields! { [$crate] $($tokens)* } };
}
