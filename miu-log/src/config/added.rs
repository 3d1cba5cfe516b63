//! Sinks added by hand: what the configuration takes, and what they are called.
//!
//! Called by the configuration and by `repository`.

use std::fmt;

use super::console::Console;
use super::file::File;
use super::remote::Remote;
use super::select::{Choice, selecting};
use crate::error::Error;
use crate::layout::AnyLayout;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
use crate::sink::outbox::database::Database;
use crate::sink::{Batch, Line, Sink, SinkError};

/// What [`LogConfig::sink`](crate::LogConfig::sink) takes: a [`File`], a [`Console`], any [`Sink`], a [`CustomSink`], which is a `Sink` with options, or a
/// [`Remote`], for a destination that is far away.
#[derive(Debug)]
pub struct AnySink(pub(crate) Added);

/// A sink of any kind.
#[derive(Debug)]
pub(crate) enum Added {
    File(Box<File>),
    Console(Console),
    Custom(CustomSink),
    Remote(Box<Remote>),
}

impl AnySink {
    /// Whether it shows what was captured for a diagnosis, where the configuration says `otherwise`.
    pub(crate) fn diagnoses(&self, otherwise: bool) -> bool {
        match &self.0 {
            Added::File(file) => file.diagnoses(otherwise),
            Added::Console(console) => console.diagnose,
            Added::Custom(custom) => custom.diagnose.unwrap_or(otherwise),
            Added::Remote(remote) => remote.diagnose.unwrap_or(otherwise),
        }
    }

    /// The file that it is, if it is one.
    pub(super) fn as_file(&self) -> Option<&File> {
        match &self.0 {
            Added::File(file) => Some(file),
            Added::Console(_) | Added::Custom(_) | Added::Remote(_) => None,
        }
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        match &self.0 {
            Added::File(file) => file.check(),
            Added::Console(console) => console.layout.as_ref().map_or(Ok(()), AnyLayout::check),
            Added::Custom(custom) => custom.check(),
            Added::Remote(remote) => remote.check(),
        }
    }
}

impl From<File> for AnySink {
    fn from(file: File) -> AnySink {
        AnySink(Added::File(Box::new(file)))
    }
}

impl From<Console> for AnySink {
    fn from(console: Console) -> AnySink {
        AnySink(Added::Console(console))
    }
}

impl From<Remote> for AnySink {
    fn from(remote: Remote) -> AnySink {
        AnySink(Added::Remote(Box::new(remote)))
    }
}

#[cfg(any(feature = "postgres", feature = "sqlite"))]
impl From<Database> for AnySink {
    /// As [`Remote::database`].
    fn from(database: Database) -> AnySink {
        Remote::database(database).into()
    }
}

impl From<CustomSink> for AnySink {
    fn from(sink: CustomSink) -> AnySink {
        AnySink(Added::Custom(sink))
    }
}

impl<S: Sink + 'static> From<S> for AnySink {
    /// Named after its type.
    fn from(sink: S) -> AnySink {
        let custom = CustomSink::new(type_name(std::any::type_name::<S>()), sink);
        CustomSink { is_named: false, ..custom }.into()
    }
}

/// A [`Sink`] of your own with options: its name, which records it is given, and what their lines look like.
///
/// A thread of its own calls it.
///
/// - **When its queue is full:** past 4 MiB of waiting lines (5 MiB for ERROR and CRITICAL) new ones are dropped and counted.
/// - **When the destination fails:** as its [`SinkError`](crate::SinkError) says, the lines are offered again, or dropped and counted. After a panic it is
///   [`Disabled`](crate::SinkState::Disabled) and pauses, for a second and then for longer; lines on which it panics three times are dropped and counted.
/// - **Durability:** its own matter. A `kill -9` takes what waits in its queue; what the next `open` reads again from the rings it may get a second time, and it gets nothing
///   from [`recover`](crate::recover()).
///
/// # Examples
///
/// ```
/// use miu_log::{Batch, CustomSink, Level, LogConfig, Pattern, Sink, SinkError};
///
/// struct Alarm;
///
/// impl Sink for Alarm {
///     fn write(&mut self, batch: &Batch<'_>) -> Result<(), SinkError> {
///         // Ring the bell, once for each of them.
///         let _ = batch.len();
///         Ok(())
///     }
/// }
///
/// let alarm = CustomSink::new("alarm", Alarm)
///     .min_level(Level::Error)
///     .domain("db")
///     .layout(Pattern::parse("{domain}: {message}")?);
/// let config = LogConfig::new("logs").sink(alarm);
/// # let _ = config;
/// # Ok::<(), miu_log::PatternError>(())
/// ```
pub struct CustomSink {
    pub(crate) name: String,
    /// The name is the program's choice. One that is not is changed where another sink has it.
    pub(crate) is_named: bool,
    pub(crate) sink: Box<dyn Sink>,
    pub(crate) choice: Choice,
    pub(crate) layout: Option<AnyLayout>,
    pub(crate) diagnose: Option<bool>,
}

selecting!(CustomSink);

impl CustomSink {
    /// A sink under this name, for notices and counters. Each sink has a name of its own.
    pub fn new(name: impl Into<String>, sink: impl Sink + 'static) -> CustomSink {
        CustomSink {
            name: name.into(),
            is_named: true,
            sink: Box::new(sink),
            choice: Choice::default(),
            layout: None,
            diagnose: None,
        }
    }

    /// Calls this with every record, on a thread of its own: what drives an alert, a counter or a test. All else is as for any sink; a hook that panics is called
    /// again with the records of the same batch, up to three times.
    ///
    /// What the hook logs itself comes to the hook as well where it matches: log below its level, or to another domain.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU64, Ordering};
    ///
    /// use miu_log::{CustomSink, Level, LogConfig, log_domains};
    ///
    /// #[log_domains(app, db)]
    /// mod logs {}
    ///
    /// static ERRORS: AtomicU64 = AtomicU64::new(0);
    ///
    /// # let folder = tempfile::tempdir().unwrap();
    /// let alarm = CustomSink::on_record("alarm", |record| {
    ///     if record.domain() == "db" {
    ///         ERRORS.fetch_add(1, Ordering::Relaxed);
    ///     }
    /// });
    /// let config = LogConfig::new(folder.path()).console(false).sink(alarm.min_level(Level::Error));
    /// let repo = logs::Repository::open(config)?;
    /// repo.db.error("connection lost");
    /// repo.db.info("connected");
    /// repo.shutdown();
    /// assert_eq!(ERRORS.load(Ordering::Relaxed), 1);
    /// # Ok::<(), miu_log::Error>(())
    /// ```
    pub fn on_record(name: impl Into<String>, hook: impl FnMut(&Line<'_>) + Send + 'static) -> CustomSink {
        CustomSink::new(name, OnRecord(hook))
    }

    /// What the lines look like that it is given. Default: as in the files.
    #[must_use]
    pub fn layout(mut self, layout: impl Into<AnyLayout>) -> CustomSink {
        self.layout = Some(layout.into());
        self
    }

    /// Whether it shows what functions with [`#[diagnose]`](crate::diagnose) capture for errors. Default: as
    /// [`LogConfig::diagnose`](crate::LogConfig::diagnose) says.
    #[must_use]
    pub fn diagnose(mut self, wanted: bool) -> CustomSink {
        self.diagnose = Some(wanted);
        self
    }

    /// An error about this sink.
    pub(crate) fn wrong(&self, problem: impl fmt::Display) -> Error {
        wrong(&self.name, problem)
    }

    fn check(&self) -> Result<(), Error> {
        check_name(&self.name).map_err(|problem| self.wrong(problem))?;
        self.layout.as_ref().map_or(Ok(()), AnyLayout::check).map_err(|error| self.wrong(error))
    }
}

/// See [`CustomSink::on_record`].
struct OnRecord<F>(F);

impl<F: FnMut(&Line<'_>) + Send> Sink for OnRecord<F> {
    fn write(&mut self, batch: &Batch<'_>) -> Result<(), SinkError> {
        batch.iter().for_each(|line| (self.0)(&line));
        Ok(())
    }
}

impl fmt::Debug for CustomSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CustomSink")
            .field("name", &self.name)
            .field("choice", &self.choice)
            .field("layout", &self.layout)
            .finish_non_exhaustive()
    }
}

/// An error about the sink of this name.
pub(crate) fn wrong(name: &str, problem: impl fmt::Display) -> Error {
    Error::config(format!("the sink {name:?}: {problem}"))
}

/// Whether a sink can be called so.
pub(super) fn check_name(name: &str) -> Result<(), &'static str> {
    if name.is_empty() || name.len() > 64 || name.contains(|it: char| it.is_control()) {
        return Err("its name is not accepted; 1 to 64 bytes without control characters are expected");
    }
    Ok(())
}

/// The name of a type without its path and its parameters.
fn type_name(path: &str) -> &str {
    let path = path.split('<').next().unwrap_or(path);
    let name = path.rsplit("::").next().unwrap_or(path);
    let end = name.char_indices().nth(32).map_or(name.len(), |(end, _)| end);
    if name.is_empty() { "sink" } else { &name[..end] }
}

/// A name that none of these has: this one, or with a number behind it.
pub(crate) fn unique_name(name: &str, taken: impl Fn(&str) -> bool) -> String {
    let numbered = (2..).map(|number: u64| format!("{name}-{number}"));
    std::iter::once(name.to_owned()).chain(numbered).find(|name| !taken(name)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sink_is_named_after_its_type() {
        for (path, name) in [
            ("shop::alarm::Alarm", "Alarm"),
            ("shop::Counting<alloc::vec::Vec<u8>>", "Counting"),
            ("Alarm", "Alarm"),
            ("", "sink"),
        ] {
            assert_eq!(type_name(path), name);
        }
        assert_eq!(type_name(&"ä".repeat(80)).chars().count(), 32);
    }

    #[test]
    fn a_name_that_is_taken_gets_a_number() {
        assert_eq!(unique_name("Alarm", |_| false), "Alarm");
        assert_eq!(unique_name("Alarm", |name| name == "Alarm" || name == "Alarm-2"), "Alarm-3");
    }
}
