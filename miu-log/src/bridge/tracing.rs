//! Records of the `tracing` facade: a layer for subscribers that a program composes, and a subscriber that is ready.
//!
//! Events become records; the fields of the spans around an event become fields of its record, outermost first. A span keeps its fields in the wire format, so that
//! an event copies them.
//!
//! D1. A statement that nobody wants costs its check in `tracing`: what the facade asks once for each statement is answered by the routes, and it is told to ask
//!     again when levels change.
//! D2. Spans from INFO upwards are kept even where records of their level are not wanted: they are the context of those that are.
//! D3. One statement, one record: what `tracing` tells the `log` facade as well (its feature `log-always`), or a macro tells both, is known by its place, and is
//!     left out there as long as its events come here.

mod spans;

use std::error::Error;
use std::fmt::Debug;

use tracing_core::field::{Field, Visit};
use tracing_core::span::{Attributes, Id, Record};
use tracing_core::subscriber::Interest;
use tracing_core::{Dispatch, Event, LevelFilter, Metadata, Subscriber, dispatcher};
use tracing_subscriber::Registry;
use tracing_subscriber::layer::{Context, Filter, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

use super::receiver::{self, Facade, Origin, Place};
use super::sites;
use super::staging::Staging;
use crate::bytes::Bytes;
use crate::level::Level;
use crate::sync::{AtomicBool, AtomicU8, Ordering};

/// The layer as it stands in a subscriber.
#[derive(Debug)]
struct Receiver {
    /// It decides for the whole subscriber what is wanted. Otherwise a filter of its own does, for itself alone.
    alone: bool,
}

/// What decides for the layer alone.
#[derive(Debug)]
struct Wanted;

/// A layer for subscribers of the crate `tracing-subscriber`: what other layers see is not touched by it.
///
/// It takes the events that the open repository wants, by the routes and levels of its [`LogConfig`](crate::LogConfig). It can be installed
/// before there is a repository and stays when there is another one. A repository that is opened later finds the records coming by this layer, and installs
/// no subscriber.
///
/// # Examples
///
/// ```no_run
/// use tracing_subscriber::layer::SubscriberExt;
///
/// # #[miu_log::log_domains(app, db)] mod logs {}
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let subscriber = tracing_subscriber::registry().with(miu_log::tracing_layer());
/// tracing::subscriber::set_global_default(subscriber)?;
/// let repo = logs::Repository::open(miu_log::LogConfig::new("logs").route("sqlx", "db"))?;
/// tracing::info!(target: "sqlx::query", rows = 12, "a record of db.log");
/// # Ok(())
/// # }
/// ```
pub fn tracing_layer<S>() -> impl Layer<S> + Send + Sync + 'static
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    IN_USE.store(true, Ordering::Release);
    Receiver { alone: false }.with_filter(Wanted)
}

/// A subscriber that gives all its records to the open repository. Opening one installs such a subscriber by itself; this one is for
/// `tracing::subscriber::with_default` and the like. To have other layers beside it, compose one with [`tracing_layer`].
pub fn tracing_subscriber() -> impl Subscriber + for<'a> LookupSpan<'a> + Send + Sync + 'static {
    IN_USE.store(true, Ordering::Release);
    Registry::default().with(Receiver { alone: true })
}

/// A layer or a subscriber was made.
static IN_USE: AtomicBool = AtomicBool::new(false);

/// The subscriber is this module's own.
static INSTALLED: AtomicBool = AtomicBool::new(false);

/// Installs a subscriber, once. False where another one was installed before, and it has no layer of ours.
pub(super) fn install() -> bool {
    if INSTALLED.load(Ordering::Acquire) {
        return true;
    }
    if !dispatcher::has_been_set()
        && dispatcher::set_global_default(Dispatch::new(tracing_subscriber())).is_ok()
    {
        INSTALLED.store(true, Ordering::Release);
        return true;
    }
    // In a race another thread may have installed ours.
    INSTALLED.load(Ordering::Acquire) || is_current()
}

/// Whether the events of this thread come here at the moment: a program may lead them elsewhere for a while.
#[cold]
pub(super) fn is_current() -> bool {
    dispatcher::get_default(|present| present.is::<Receiver>())
}

const NOTHING: u8 = u8::MAX;

/// The lowest level of an event that is wanted.
static LEAST: AtomicU8 = AtomicU8::new(NOTHING);

/// The facade asks for no record below this level from now on, and asks again for each of its statements (D1).
pub(super) fn follow(least: Option<Level>) {
    LEAST.store(least.map_or(NOTHING, |level| level as u8), Ordering::Release);
    if IN_USE.load(Ordering::Acquire) {
        tracing_core::callsite::rebuild_interest_cache();
    }
}

/// The lowest level of anything that is wanted, spans included (D2).
fn hint() -> LevelFilter {
    match Level::from_index(LEAST.load(Ordering::Acquire)) {
        None => LevelFilter::OFF,
        Some(Level::Trace) => LevelFilter::TRACE,
        Some(Level::Debug) => LevelFilter::DEBUG,
        Some(_) => LevelFilter::INFO,
    }
}

fn level_of(level: tracing_core::Level) -> Level {
    match level {
        tracing_core::Level::TRACE => Level::Trace,
        tracing_core::Level::DEBUG => Level::Debug,
        tracing_core::Level::INFO => Level::Info,
        tracing_core::Level::WARN => Level::Warning,
        tracing_core::Level::ERROR => Level::Error,
    }
}

/// Whether anybody wants what this statement makes.
fn is_wanted(metadata: &Metadata<'_>) -> bool {
    let level = level_of(*metadata.level());
    if metadata.is_span() {
        receiver::wants_span(metadata.target(), level)
    } else {
        receiver::wants_target(metadata.target(), level)
    }
}

/// What the facade is told of a statement, once.
fn interest(metadata: &'static Metadata<'static>) -> Interest {
    if is_of_log(metadata) {
        // One statement stands for all records of the other facade: their targets are known with each of them.
        Interest::sometimes()
    } else if is_wanted(metadata) {
        Interest::always()
    } else {
        Interest::never()
    }
}

/// Whether an event is a record of the `log` facade, brought here by the crate `tracing-log`.
fn is_of_log(metadata: &Metadata<'_>) -> bool {
    metadata.target() == "log" && metadata.name() == "log event"
}

impl<S> Filter<S> for Wanted {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        is_wanted(metadata)
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        interest(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(hint())
    }
}

impl<S> Layer<S> for Receiver
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        // A layer that does not decide is told of what its filter wants, and of nothing else.
        let interest = if self.alone { interest(metadata) } else { Interest::always() };
        if !interest.is_never() {
            sites::mark(&origin(metadata), metadata.is_span().then(|| metadata.name()));
        }
        interest
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        !self.alone || is_wanted(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        self.alone.then(hint)
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        spans::begin(attributes, id, &context);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        spans::record(id, values, &context);
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        spans::enter(id, &context);
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        spans::exit(id, &context);
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        spans::close(&id, &context);
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if is_of_log(event.metadata()) {
            return take_record_of_log(event, &context);
        }
        let origin = origin(event.metadata());
        receiver::receive(&origin, |staging| {
            event.record(&mut Visitor { staging, of: Of::Event });
            add_target(&origin, staging);
            spans::add_context(context.event_scope(event), staging);
        });
    }
}

/// Where an event or a span comes from.
#[inline]
fn origin(metadata: &'static Metadata<'static>) -> Origin<'static> {
    let place = |text: Option<&'static str>| text.map_or(Place::Unknown, Place::Static);
    Origin {
        facade: Facade::Tracing,
        level: level_of(*metadata.level()),
        target: metadata.target(),
        module: place(metadata.module_path()),
        file: place(metadata.file()),
        line: metadata.line().unwrap_or(0),
    }
}

#[inline]
fn add_target(origin: &Origin<'_>, staging: &mut Staging) {
    if origin.target != origin.module.text() {
        staging.field("target", origin.target);
    }
}

/// A record of the other facade: its fields say where it comes from.
fn take_record_of_log<S>(event: &Event<'_>, context: &Context<'_, S>)
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let mut found = OfLog::default();
    event.record(&mut found);
    fn place(text: &Option<String>) -> Place<'_> {
        text.as_deref().map_or(Place::Unknown, Place::Text)
    }
    let origin = Origin {
        facade: Facade::Log,
        level: level_of(*event.metadata().level()),
        target: found.target.as_deref().unwrap_or("log"),
        module: place(&found.module),
        file: place(&found.file),
        line: found.line,
    };
    receiver::receive(&origin, |staging| {
        event.record(&mut Visitor { staging, of: Of::RecordOfLog });
        add_target(&origin, staging);
        spans::add_context(context.event_scope(event), staging);
    });
}

/// Begins the names of the fields that say where a record of the other facade comes from.
const OF_LOG: &str = "log.";

/// What those fields say.
#[derive(Default)]
struct OfLog {
    target: Option<String>,
    module: Option<String>,
    file: Option<String>,
    line: u32,
}

impl Visit for OfLog {
    fn record_str(&mut self, field: &Field, value: &str) {
        let place = match field.name() {
            "log.target" => &mut self.target,
            "log.module_path" => &mut self.module,
            "log.file" => &mut self.file,
            _ => return,
        };
        *place = Some(value.to_owned());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "log.line" {
            self.line = u32::try_from(value).unwrap_or(0);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}
}

/// Writes the fields of an event or a span down.
struct Visitor<'a> {
    staging: &'a mut Staging,
    of: Of,
}

/// Whose fields they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    Span,
    /// Its field `message` is the message.
    Event,
    /// An event with fields that say where it comes from, which have been read before.
    RecordOfLog,
}

impl Visitor<'_> {
    /// The field's name; none for the message, and for what has been read before.
    #[inline]
    fn name(&self, field: &Field) -> Option<&'static str> {
        let name = field.name();
        let name = name.strip_prefix("r#").unwrap_or(name);
        match self.of {
            Of::Span => Some(name),
            Of::Event => Some(name).filter(|name| *name != "message"),
            Of::RecordOfLog => Some(name).filter(|name| *name != "message" && !name.starts_with(OF_LOG)),
        }
    }

    #[inline]
    fn is_message(&self, field: &Field) -> bool {
        self.of != Of::Span && field.name() == "message"
    }
}

macro_rules! kept_as_they_are {
    ($($method:ident $kind:ty;)*) => {$(
        #[inline]
        fn $method(&mut self, field: &Field, value: $kind) {
            if let Some(name) = self.name(field) {
                self.staging.field(name, &value);
            } else if self.is_message(field) {
                self.staging.message(format_args!("{value}"));
            }
        }
    )*};
}

impl Visit for Visitor<'_> {
    kept_as_they_are! {
        record_i64 i64;
        record_u64 u64;
        record_i128 i128;
        record_u128 u128;
        record_f64 f64;
        record_bool bool;
        record_str &str;
    }

    fn record_bytes(&mut self, field: &Field, value: &[u8]) {
        if let Some(name) = self.name(field) {
            self.staging.field(name, &Bytes(value));
        } else if self.is_message(field) {
            self.staging.message(format_args!("{}", Bytes(value)));
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        if let Some(name) = self.name(field) {
            self.staging.error(name, value);
        } else if self.is_message(field) {
            self.staging.message(format_args!("{value}"));
        }
    }

    #[inline]
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if let Some(name) = self.name(field) {
            self.staging.formatted(name, format_args!("{value:?}"));
        } else if self.is_message(field) {
            self.staging.message(format_args!("{value:?}"));
        }
    }
}
