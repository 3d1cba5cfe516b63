//! The one place that both facades give their records to: a slot that says who gets them.
//!
//! The slot holds the routes of a repository, or, before there is one, a collector, or nothing. It is read at every record and changed a few times in a process's
//! life, so that each thread keeps what it has read, and looks again when the number of the last change is another one.
//!
//! F1. No lock is held while code of others runs: a `Display` that logs, or a thread that changes the slot meanwhile, waits for nobody.
//! F2. A record of a thread of miu-log's own (the listener, a sink) never enters: it would have to be written by the very thread that made it.
//!     It is counted, and nothing else.
//! F3. The slot is changed and copied under the lock of the dictionary, which a fork waits for: a forked child finds it whole and free.
//!
//! Called by the facades' receivers; the repository and what collects early records put themselves in.

use std::cell::RefCell;
use std::sync::{Arc, Mutex};

use super::repeats::{repeats, tells_once_more};
use super::routes::Routes;
use super::sites;
use super::staging::Staging;
use crate::callsite;
use crate::level::Level;
use crate::own_thread::OwnThread;
use crate::ring::signal_frame::in_signal_handler;
use crate::sync::{AtomicBool, AtomicU32, Ordering, lock, thread_local};

/// Whose macros a record was logged with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Facade {
    Log,
    Tracing,
}

/// Where a record comes from: what its facade says of the statement.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin<'a> {
    pub(crate) facade: Facade,
    pub(crate) level: Level,
    /// What routes go by: the module's path, unless the statement says otherwise.
    pub(crate) target: &'a str,
    pub(crate) module: Place<'a>,
    pub(crate) file: Place<'a>,
    /// 0: not known.
    pub(crate) line: u32,
}

/// A text that says where a statement stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place<'a> {
    Unknown,
    /// Made by the compiler: it can be kept without a copy.
    Static(&'static str),
    Text(&'a str),
}

impl<'a> Place<'a> {
    /// The text; empty where it is not known.
    pub(crate) fn text(self) -> &'a str {
        match self {
            Place::Unknown => "",
            Place::Static(text) => text,
            Place::Text(text) => text,
        }
    }
}

/// A record on its way in, all of its values written down.
///
/// The four runs of bytes are copied as they are, by whoever wants to keep the record: given back later, they make the same record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ForeignRecord<'a> {
    pub(crate) origin: Origin<'a>,
    /// The fields' names, each as u32 length and UTF-8, in the order of their values.
    pub(crate) names: &'a [u8],
    /// The message: one text, in the wire format.
    pub(crate) message: &'a [u8],
    /// The fields' values, in the wire format.
    pub(crate) fields: &'a [u8],
    /// The text of an error chain, in the wire format; empty where there is none.
    pub(crate) detail: &'a [u8],
}

/// Keeps records until there is a repository.
///
/// All of it runs on the threads that log, several at a time.
pub(crate) trait Collector: Send + Sync {
    /// Whether a record of this origin is wanted.
    fn wants(&self, origin: &Origin<'_>) -> bool;

    /// Takes a record that is wanted.
    fn collect(&self, record: &ForeignRecord<'_>);

    /// Counts one that could not be written down: that of a thread of miu-log's own, of a signal handler, or nested too deep.
    fn lose(&self, origin: &Origin<'_>);

    /// The lowest level that is wanted.
    fn least(&self) -> Level;
}

/// Who gets the records.
#[derive(Clone)]
#[allow(dead_code, reason = "what collects early records puts itself in")]
pub(crate) enum Destination {
    Routes(Arc<Routes>),
    Collector(Arc<dyn Collector>),
}

impl std::fmt::Debug for Destination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Destination::Routes(routes) => routes.fmt(f),
            Destination::Collector(_) => f.write_str("Collector"),
        }
    }
}

static SLOT: Mutex<Option<Destination>> = Mutex::new(None);

/// How often the slot has been changed.
static CHANGES: AtomicU32 = AtomicU32::new(0);

/// What a thread has read of the slot.
struct Seen {
    changes: u32,
    destination: Option<Destination>,
}

thread_local! {
    static SEEN: RefCell<Seen> = const { RefCell::new(Seen { changes: 0, destination: None }) };
    /// `SEEN` has been touched: touching it for the first time allocates. Has no destructor.
    static TOUCHED: AtomicBool = const { AtomicBool::new(false) };
}

/// What the slot holds.
pub(crate) fn current() -> Option<Destination> {
    callsite::exclusively(|_| lock(&SLOT).clone()).flatten()
}

/// Changes what the slot holds. The function sees what is there, and says what comes in its place or why nothing does; it runs under a lock, and only decides.
/// Gives back what was there.
pub(crate) fn change<E>(
    decide: impl FnOnce(Option<&Destination>) -> Result<Option<Destination>, E>,
) -> Result<Option<Destination>, E> {
    let outcome = callsite::exclusively(|_| {
        let mut slot = lock(&SLOT);
        let new = decide(slot.as_ref())?;
        let old = std::mem::replace(&mut *slot, new);
        CHANGES.fetch_add(1, Ordering::Release);
        Ok(old)
    });
    // None: in a signal handler or an allocator, where nobody opens a repository.
    let outcome = outcome.unwrap_or(Ok(None));
    super::destination_changed();
    outcome
}

/// Takes a record, if anybody wants it: `stage` writes down what it says.
#[inline]
pub(crate) fn receive(origin: &Origin<'_>, stage: impl FnOnce(&mut Staging)) {
    with_destination(|destination| match destination {
        Destination::Routes(routes) => routes.receive(origin, OwnThread::is_current(), stage),
        Destination::Collector(collector) => {
            let site = sites::find(origin);
            let collect = |staged: &mut Staging| {
                if !tells_once_more(origin, site, Some(staged.text())) {
                    staged.with_context(origin, |record| collector.collect(record));
                }
            };
            if collector.wants(origin)
                && !repeats(origin, site)
                && (OwnThread::is_current() || Staging::with(stage, collect).is_err())
            {
                collector.lose(origin);
            }
        }
    });
}

/// Whether a record of this target and level is wanted. One that comes after the shutdown is, so that it is counted.
pub(crate) fn wants_target(target: &str, level: Level) -> bool {
    let wanted = with_destination(|destination| match destination {
        Destination::Routes(routes) => routes.wants_target(target, level),
        Destination::Collector(collector) => {
            let (facade, module, file) = (Facade::Log, Place::Unknown, Place::Unknown);
            collector.wants(&Origin { facade, level, target, module, file, line: 0 })
        }
    });
    wanted.unwrap_or(false)
}

/// Whether a span of this target and level is kept: see [`Routes::wants_span`].
#[cfg(feature = "tracing")]
pub(super) fn wants_span(target: &str, level: Level) -> bool {
    let wanted = with_destination(|destination| match destination {
        Destination::Routes(routes) => routes.wants_span(target, level),
        Destination::Collector(_) => level >= Level::Info,
    });
    wanted.unwrap_or(false)
}

/// Whether the begin and the end of spans are to be told.
#[cfg(feature = "tracing")]
pub(super) fn wants_steps() -> bool {
    with_destination(|destination| matches!(destination, Destination::Routes(routes) if routes.span_events))
        .unwrap_or(false)
}

/// The lowest level that is wanted from anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Least {
    /// Nothing is wanted.
    Nothing,
    From(Level),
    /// The repository is shut down: it stays at what it was, so that what comes is counted.
    AsItIs,
}

/// See [`Least`].
pub(crate) fn least() -> Least {
    let level = match current() {
        None => None,
        Some(Destination::Routes(routes)) if routes.queue().is_closed() => return Least::AsItIs,
        Some(Destination::Routes(routes)) => routes.least(),
        Some(Destination::Collector(collector)) => Some(collector.least()),
    };
    level.map_or(Least::Nothing, Least::From)
}

/// Waits a little until everything logged so far is handed on: the `flush` of `log`.
#[cfg(feature = "log")]
pub(crate) fn flush() {
    if let Some(Destination::Routes(routes)) = current()
        && !OwnThread::is_current()
    {
        routes.queue().flush_briefly();
    }
}

/// Runs the function on what the slot holds, if it holds anything. The short path is two loads and a look at a thread-local.
#[inline]
pub(crate) fn with_destination<R>(run: impl FnOnce(&Destination) -> R) -> Option<R> {
    let changes = CHANGES.load(Ordering::Acquire);
    if changes == 0 || !(TOUCHED.with(|touched| touched.load(Ordering::Relaxed)) || touch()) {
        return None;
    }
    let mut run = Some(run);
    let seen = SEEN.try_with(|seen| {
        if seen.try_borrow().ok()?.changes != changes {
            look_again(seen)?;
        }
        // Shared, so that a record that is logged while another one is written down finds it as well.
        let seen = seen.try_borrow().ok()?;
        Some(seen.destination.as_ref().and_then(|destination| run.take().map(|run| run(destination))))
    });
    match seen {
        Ok(Some(outcome)) => outcome,
        // A thread at its very end, whose thread-locals are gone; or the slot was changed while a record of this thread was being written down.
        _ => current().and_then(|destination| run.map(|run| run(&destination))),
    }
}

/// Touches `SEEN` for the first time. False in a signal handler, where that must not be.
#[cold]
fn touch() -> bool {
    if in_signal_handler() {
        return false;
    }
    let _ = SEEN.try_with(|_| ());
    TOUCHED.with(|touched| touched.store(true, Ordering::Relaxed));
    true
}

#[cold]
fn look_again(seen: &RefCell<Seen>) -> Option<()> {
    let new = callsite::exclusively(|_| Seen {
        changes: CHANGES.load(Ordering::Acquire),
        destination: lock(&SLOT).clone(),
    })?;
    // The old one may be the last to refer to its queue: it goes when nothing is borrowed any more.
    let _old = std::mem::replace(&mut *seen.try_borrow_mut().ok()?, new);
    Some(())
}
