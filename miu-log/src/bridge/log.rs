//! Records of the `log` facade: its one global logger, which is ours once it is installed.
//!
//! A record brings its module and file along, mostly as texts of the compiler's; its key-values are visited and keep their types.

use log::kv::{self, Key, Value, VisitSource, VisitValue};
use log::{LevelFilter, Log, Metadata, Record};

use super::receiver::{self, Facade, Origin, Place};
use super::staging::Staging;
use crate::level::Level;
use crate::sync::{AtomicU8, Ordering};

/// What the facade calls.
struct Receiver;

static RECEIVER: Receiver = Receiver;

const UNTRIED: u8 = 0;
const OURS: u8 = 1;
const TAKEN: u8 = 2;

/// Whose the facade is.
static OWNER: AtomicU8 = AtomicU8::new(UNTRIED);

/// Installs the receiver, once. False where another logger was installed before.
pub(super) fn install() -> bool {
    if OWNER.load(Ordering::Acquire) != OURS && log::set_logger(&RECEIVER).is_ok() {
        OWNER.store(OURS, Ordering::Release);
    }
    // Whoever comes second in a race finds a logger installed, which may be this one.
    let _ = OWNER.compare_exchange(UNTRIED, TAKEN, Ordering::AcqRel, Ordering::Acquire);
    is_ours()
}

fn is_ours() -> bool {
    OWNER.load(Ordering::Acquire) == OURS
}

/// The facade asks for no record below this level from now on.
pub(super) fn follow(least: Option<Level>) {
    if is_ours() {
        log::set_max_level(least.map_or(LevelFilter::Off, filter));
    }
}

/// What the facade calls the records from this level on.
fn filter(least: Level) -> LevelFilter {
    match least {
        Level::Trace => LevelFilter::Trace,
        Level::Debug => LevelFilter::Debug,
        Level::Info => LevelFilter::Info,
        Level::Success | Level::Warning => LevelFilter::Warn,
        Level::Error => LevelFilter::Error,
        // It has no level as high.
        Level::Critical => LevelFilter::Off,
    }
}

fn level_of(level: log::Level) -> Level {
    match level {
        log::Level::Trace => Level::Trace,
        log::Level::Debug => Level::Debug,
        log::Level::Info => Level::Info,
        log::Level::Warn => Level::Warning,
        log::Level::Error => Level::Error,
    }
}

impl Log for Receiver {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        receiver::wants_target(metadata.target(), level_of(metadata.level()))
    }

    #[inline]
    fn log(&self, record: &Record<'_>) {
        let origin = origin(record);
        receiver::receive(&origin, |staging| {
            staging.message(*record.args());
            // Writing down never fails: there is no error to come back.
            let _ = record.key_values().visit(&mut Pairs(staging));
            if origin.target != origin.module.text() {
                staging.field("target", origin.target);
            }
        });
    }

    fn flush(&self) {
        receiver::flush();
    }
}

#[inline]
fn origin<'a>(record: &Record<'a>) -> Origin<'a> {
    let place = |known: Option<&'static str>, text: Option<&'a str>| match (known, text) {
        (Some(text), _) => Place::Static(text),
        (None, Some(text)) => Place::Text(text),
        (None, None) => Place::Unknown,
    };
    Origin {
        facade: Facade::Log,
        level: level_of(record.level()),
        target: record.target(),
        module: place(record.module_path_static(), record.module_path()),
        file: place(record.file_static(), record.file()),
        line: record.line().unwrap_or(0),
    }
}

/// Takes the key-values of a record, one after the other.
struct Pairs<'a>(&'a mut Staging);

impl<'kvs> VisitSource<'kvs> for Pairs<'_> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), kv::Error> {
        value.visit(Pair { key: key.as_str(), staging: self.0 })
    }
}

/// Takes one value.
struct Pair<'a> {
    key: &'a str,
    staging: &'a mut Staging,
}

macro_rules! kept_as_they_are {
    ($($method:ident $kind:ty;)*) => {$(
        fn $method(&mut self, value: $kind) -> Result<(), kv::Error> {
            self.staging.field(self.key, &value);
            Ok(())
        }
    )*};
}

impl<'v> VisitValue<'v> for Pair<'_> {
    fn visit_any(&mut self, value: Value<'_>) -> Result<(), kv::Error> {
        self.staging.formatted(self.key, format_args!("{value}"));
        Ok(())
    }

    fn visit_null(&mut self) -> Result<(), kv::Error> {
        self.staging.nothing(self.key);
        Ok(())
    }

    kept_as_they_are! {
        visit_u64 u64;
        visit_i64 i64;
        visit_u128 u128;
        visit_i128 i128;
        visit_f64 f64;
        visit_bool bool;
        visit_str &str;
        visit_char char;
    }

    fn visit_error(&mut self, error: &(dyn std::error::Error + 'static)) -> Result<(), kv::Error> {
        self.staging.error(self.key, error);
        Ok(())
    }

    fn visit_borrowed_error(
        &mut self,
        error: &'v (dyn std::error::Error + 'static),
    ) -> Result<(), kv::Error> {
        self.visit_error(error)
    }
}
