//! What `repo.db` is: the level check, and the way of a record into the thread's ring.
//!
//! Knows `queue` and what stands before it; never the listener, the router or a sink.

use std::error::Error;
use std::fmt;
use std::ops::Deref;
use std::panic::Location;
use std::rc::Rc;
use std::sync::Arc;

use crate::callsite::{self, Callsite, Place};
use crate::chain;
use crate::context::current;
use crate::context::fields::Fields;
use crate::encode::extra::{AnyEncode, WithExtra};
use crate::encode::{Encode, Scratch};
use crate::level::Level;
use crate::message::{Message, Target};
use crate::queue::{CLOSED, LevelChange, Queue, SignalSite};
use crate::ring::signal_frame::in_signal_handler;

/// The logger of one domain.
///
/// Cheap to clone, and usable from any thread. A call whose level is off costs one load and a branch; any other one
/// encodes its arguments into the calling thread's own ring and returns. No call fails, panics by itself or waits longer than the
/// repository's overflow policy says.
///
/// The methods take `&str`, `String`, `format_args!(..)` or a closure. Fields, and arguments that are formatted by the
/// listener, are what the macros are for: [`info!`](crate::info) and its siblings.
#[derive(Clone)]
pub struct Logger {
    queue: Arc<Queue>,
    domain: u8,
    /// In every record of this logger.
    bound: Fields,
}

macro_rules! level_methods {
    ($($method:ident, $level:ident, $article:literal, $when:literal;)*) => {$(
        #[doc = concat!("Logs ", $article, " ", stringify!($level), " record: ", $when, ".")]
        ///
        /// The message is `&str`, `String`, `format_args!(..)` or a closure, which is called only if the level is enabled.
        #[inline]
        #[track_caller]
        pub fn $method(&self, message: impl Message) {
            if self.admits(Level::$level) {
                self.say(Level::$level, message, Location::caller(), None);
            }
        }
    )*};
}

impl Logger {
    pub(crate) fn new(queue: Arc<Queue>, domain: u8) -> Logger {
        Logger { queue, domain, bound: Fields::new() }
    }

    level_methods! {
        trace, Trace, "a", "the finest detail";
        debug, Debug, "a", "detail for finding faults; stops when debug is switched off";
        info, Info, "an", "what the service does";
        success, Success, "a", "something asked for has been done";
        warning, Warning, "a", "something is wrong but the service goes on";
        error, Error, "an", "an operation failed; wakes the listener at once";
        critical, Critical, "a", "the service cannot go on; wakes the listener at once";
    }

    /// Logs an error at [`Level::Error`]: the message, then on indented lines of the same record the error, its chain of
    /// causes, and a backtrace of the call where `RUST_BACKTRACE` (or `RUST_LIB_BACKTRACE`) asks for one.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # #[miu_log::log_domains(db)] mod logs {}
    /// # let repo = logs::Repository::open(miu_log::LogConfig::new("logs")).unwrap();
    /// if let Err(error) = std::fs::read_to_string("pool.toml") {
    ///     repo.db.exception("cannot read the pool's settings", &error);
    /// }
    /// ```
    ///
    /// A boxed error is given as `&*error`.
    #[track_caller]
    pub fn exception(&self, message: impl Message, error: &dyn Error) {
        if self.admits(Level::Error) {
            if in_signal_handler() {
                // Texts and backtraces allocate and lock.
                return self.drop_unregistered(Level::Error);
            }
            let detail = chain::lines(error);
            self.say(Level::Error, message, Location::caller(), Some(&detail));
        }
    }

    /// Logs at a level that is known at run time only.
    #[inline]
    #[track_caller]
    pub fn log(&self, level: Level, message: impl Message) {
        if self.admits(level) {
            self.say(level, message, Location::caller(), None);
        }
    }

    /// Whether a record of this level would be taken now. Never so once the repository is shut down.
    #[inline(always)]
    pub fn enabled(&self, level: Level) -> bool {
        let threshold = self.queue.threshold(self.domain);
        level as i8 >= threshold && threshold != CLOSED
    }

    /// The level check of a logging call: as `enabled`, and a call that comes after the shutdown is counted.
    #[inline(always)]
    pub(crate) fn admits(&self, level: Level) -> bool {
        let threshold = self.queue.threshold(self.domain);
        if (level as i8) < threshold {
            return false;
        }
        if threshold == CLOSED {
            self.queue.refuse(self.domain, level);
            return false;
        }
        true
    }

    /// Sets the lowest level that this domain takes, for all handles of the domain in all threads and processes, at once; for good, or by
    /// [`for_`](LevelChange::for_) for a limited time.
    ///
    /// Debug and trace stay off while debug is switched off for the repository.
    pub fn set_level(&self, level: Level) -> LevelChange {
        self.queue.set_level(self.domain, level)
    }

    /// The lowest level that this domain takes, the debug switch left aside.
    pub fn level(&self) -> Level {
        self.queue.level(self.domain)
    }

    /// Name of the domain, e.g. `db`.
    pub fn domain(&self) -> &'static str {
        self.queue.domain_name(self.domain)
    }

    /// A logger of the same domain, all of whose records have these fields. They are encoded here, once; a call copies them.
    ///
    /// Binding adds to what is bound already. This logger stays as it is. Of fields with the same name, a call's own counts, then
    /// the one bound last, then that of the [`context`](crate::context).
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # #[miu_log::log_domains(app)] mod logs {}
    /// # let repo = logs::Repository::open(miu_log::LogConfig::new("logs")).unwrap();
    /// let session = repo.app.bind(miu_log::fields!(session = 17, user = "ann"));
    /// session.info("has session=17 user=ann");
    /// miu_log::info!(session, step = 2, "has step=2 session=17 user=ann");
    /// ```
    #[must_use]
    pub fn bind(&self, fields: impl Into<Fields>) -> Logger {
        Logger { bound: fields.into().over(&self.bound), ..self.clone() }
    }

    /// The fields that every record of this logger has.
    pub fn bound(&self) -> &Fields {
        &self.bound
    }

    fn say(
        &self,
        level: Level,
        message: impl Message,
        location: &'static Location<'static>,
        detail: Option<&str>,
    ) {
        message.send(Target { logger: self, level, location, detail });
    }

    #[inline(always)]
    pub(crate) fn submit<E: Encode>(&self, callsite: u32, level: Level, scratch: &Scratch, arguments: &E) {
        if self.bound.is_empty() && !current::is_any() {
            self.queue.enqueue(level, self.domain, callsite, scratch, arguments);
        } else {
            self.submit_in_context(callsite, level, scratch, arguments);
        }
    }

    /// As `submit`, with the fields of the context and those of the logger, of which the latter count more. Nothing of them is formatted or
    /// allocated; they are copied.
    #[inline(never)]
    fn submit_in_context(&self, callsite: u32, level: Level, scratch: &Scratch, arguments: &dyn AnyEncode) {
        current::with_current(|context, captured| {
            let captured = if level >= Level::Error { captured } else { &[] };
            let all = WithExtra { fields: &[context, self.bound.as_bytes()], captured, arguments };
            self.queue.enqueue(level, self.domain, callsite, scratch, &all);
        });
    }

    /// A record of the logger's own about the process, whatever the level in force: nothing is asked but whether logging has ended. False where it
    /// has, or the record could not be taken.
    pub(crate) fn tell<E: Encode>(&self, level: Level, place: Place<'_>, arguments: &E) -> bool {
        if self.queue.threshold(self.domain) == CLOSED {
            self.queue.refuse(self.domain, level);
            return false;
        }
        self.tell_at_the_end(level, place, arguments)
    }

    /// As `tell`, also past the end of logging, as long as the listener is there.
    pub(crate) fn tell_at_the_end<E: Encode>(&self, level: Level, place: Place<'_>, arguments: &E) -> bool {
        match callsite::of_place(place) {
            Some(id) => self.submit(id, level, &Scratch::new(), arguments),
            None => self.drop_unregistered(level),
        }
        !self.queue.is_ended()
    }

    /// Counts a call in a signal handler that could not be taken.
    pub(crate) fn drop_unregistered(&self, level: Level) {
        self.queue.drop_unregistered(self.domain, level);
    }
}

impl fmt::Debug for Logger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logger").field("domain", &self.domain()).field("level", &self.level()).finish()
    }
}

/// The logger of a domain with `max_level`: calls below `LEAST` are removed by the compiler.
///
/// Everything else it does as the [`Logger`] that it dereferences to.
#[derive(Clone)]
pub struct CappedLogger<const LEAST: u8> {
    logger: Logger,
}

macro_rules! capped_methods {
    ($($method:ident, $level:ident, $article:literal;)*) => {$(
        #[doc = concat!("Logs ", $article, " ", stringify!($level), " record, unless the domain's `max_level` removes it from the program.")]
        #[inline]
        #[track_caller]
        pub fn $method(&self, message: impl Message) {
            if self.admits(Level::$level) {
                self.logger.say(Level::$level, message, Location::caller(), None);
            }
        }
    )*};
}

impl<const LEAST: u8> CappedLogger<LEAST> {
    pub(crate) fn new(logger: Logger) -> CappedLogger<LEAST> {
        CappedLogger { logger }
    }

    capped_methods! {
        trace, Trace, "a";
        debug, Debug, "a";
        info, Info, "an";
        success, Success, "a";
        warning, Warning, "a";
        error, Error, "an";
        critical, Critical, "a";
    }

    /// Logs an error with its chain of causes, as [`Logger::exception`] does.
    #[track_caller]
    pub fn exception(&self, message: impl Message, error: &dyn Error) {
        if Level::Error as u8 >= LEAST {
            self.logger.exception(message, error);
        }
    }

    /// A logger of the same domain, all of whose records have these fields: see [`Logger::bind`].
    #[must_use]
    pub fn bind(&self, fields: impl Into<Fields>) -> CappedLogger<LEAST> {
        CappedLogger { logger: self.logger.bind(fields) }
    }

    /// Logs at a level that is known at run time only.
    #[inline]
    #[track_caller]
    pub fn log(&self, level: Level, message: impl Message) {
        if self.admits(level) {
            self.logger.say(level, message, Location::caller(), None);
        }
    }

    /// Whether a record of this level would be taken now.
    #[inline(always)]
    pub fn enabled(&self, level: Level) -> bool {
        level as u8 >= LEAST && self.logger.enabled(level)
    }

    #[inline(always)]
    fn admits(&self, level: Level) -> bool {
        level as u8 >= LEAST && self.logger.admits(level)
    }
}

impl<const LEAST: u8> Deref for CappedLogger<LEAST> {
    type Target = Logger;

    fn deref(&self) -> &Logger {
        &self.logger
    }
}

impl<const LEAST: u8> fmt::Debug for CappedLogger<LEAST> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.logger.fmt(f)
    }
}

/// What the logging macros take as their first argument: a logger, or a reference or pointer to one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a logger",
    label = "expected a domain's logger, such as `repo.db`",
    note = "the first argument of a logging macro says where the record goes: `info!(repo.db, \"message\")`"
)]
pub trait AsLogger {
    /// The lowest level that is not removed at compile time, as a number.
    const LEAST: u8;

    /// The logger.
    fn as_logger(&self) -> &Logger;
}

impl AsLogger for Logger {
    const LEAST: u8 = Level::Trace as u8;

    #[inline(always)]
    fn as_logger(&self) -> &Logger {
        self
    }
}

impl<const MIN: u8> AsLogger for CappedLogger<MIN> {
    const LEAST: u8 = MIN;

    #[inline(always)]
    fn as_logger(&self) -> &Logger {
        &self.logger
    }
}

macro_rules! as_logger_by_deref {
    ($($pointer:ty),*) => {$(
        impl<L: AsLogger + ?Sized> AsLogger for $pointer {
            const LEAST: u8 = L::LEAST;

            #[inline(always)]
            fn as_logger(&self) -> &Logger {
                (**self).as_logger()
            }
        }
    )*};
}

as_logger_by_deref!(&L, &mut L, Box<L>, Rc<L>, Arc<L>);

/// The macros' level check.
#[inline(always)]
pub fn enabled<L: AsLogger + ?Sized>(logger: &L, level: Level) -> bool {
    level as u8 >= L::LEAST && logger.as_logger().admits(level)
}

/// Keeps what a statement does when it is enabled out of the function it stands in, whose registers it would take: a
/// disabled statement then costs its check and nothing else.
#[inline(never)]
pub fn outline(statement: impl FnOnce()) {
    statement();
}

/// The macros' way into the ring, after the check.
#[inline(always)]
pub fn submit<L: AsLogger + ?Sized, E: Encode>(
    logger: &L,
    callsite: &'static Callsite,
    level: Level,
    scratch: &mut Scratch,
    staged: E,
) {
    let logger = logger.as_logger();
    match callsite.id() {
        Some(id) => logger.submit(id, level, scratch, &staged),
        None => logger.drop_unregistered(level),
    }
}

/// What `signal!` does after the check.
pub fn submit_signal<E: Encode>(logger: &Logger, level: Level, site: &SignalSite, arguments: &E) {
    logger.queue.enqueue_signal(level, logger.domain, site, arguments);
}
