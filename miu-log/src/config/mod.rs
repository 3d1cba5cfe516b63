//! The builder: where a repository writes, what it takes, and what happens when it cannot keep up.
//!
//! Values are checked when the repository is opened, on the caller's thread; an error names the option.

pub(crate) mod files;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::context::fields::Fields;
use crate::error::Error;
use crate::layout::{AnyLayout, ColourChoice};
use crate::level::Level;
use crate::queue::OverflowPolicy;
use crate::ring::segment::SMALLEST;
use crate::rotate::retention::Checked;
use crate::rotate::{Compression, CompressionChoice, Retention, Rotation};
use crate::router::Durability;
use crate::sink::Sink;
use crate::testing::ManualListener;
use crate::worker::{OnWorker, WorkerEvent};
use crate::zone::Zone;

/// Default of [`LogConfig::ring_limit`]: 2 MiB. The records of all rings are merged by time, so a full ring may have to wait until
/// the others are read as well: with more than this, that takes longer than the default policy lets a caller wait.
const RING_LIMIT: usize = 2 * 1024 * 1024;
/// Largest ring: 1 GiB.
const LARGEST_RING: usize = 1024 * 1024 * 1024;
/// A day: more would be for ever.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);
/// Default of [`LogConfig::heartbeat`].
const HEARTBEAT: Duration = Duration::from_secs(60);
/// Shortest heartbeat: what is shorter costs more than it tells.
const SHORTEST_HEARTBEAT: Duration = Duration::from_millis(10);
/// Default of [`LogConfig::sink_timeout`].
const SINK_TIMEOUT: Duration = Duration::from_secs(2);

/// How a repository is opened.
///
/// | option | default |
/// | --- | --- |
/// | [`level`](LogConfig::level) | `Debug` |
/// | [`debug_enabled`](LogConfig::debug_enabled) | `true` |
/// | [`console`](LogConfig::console) | stdout, coloured on a terminal |
/// | [`level_files`](LogConfig::level_files) | `true` |
/// | [`file_prefix`](LogConfig::file_prefix) | none |
/// | [`layout`](LogConfig::layout) | [`Pattern::DEFAULT`](crate::Pattern::DEFAULT) |
/// | [`diagnose`](LogConfig::diagnose) | `false` |
/// | [`default_fields`](LogConfig::default_fields) | none |
/// | [`zone`](LogConfig::zone) | local time |
/// | [`overflow`](LogConfig::overflow) | wait at most 100 ms, then shed by level |
/// | [`ring_limit`](LogConfig::ring_limit) | 2 MiB a thread |
/// | [`sink_timeout`](LogConfig::sink_timeout) | 2 s |
/// | [`handle_signals`](LogConfig::handle_signals) | `false` |
/// | [`heartbeat`](LogConfig::heartbeat) | 60 s |
/// | [`on_worker`](LogConfig::on_worker) | nothing is called |
/// | [`take_over`](LogConfig::take_over) | `false` |
/// | [`durability`](LogConfig::durability) | the operating system's |
/// | [`rotation`](LogConfig::rotation) | at 10 MB |
/// | [`retention`](LogConfig::retention) | five rotated files of each log file |
/// | [`compression`](LogConfig::compression) | gzip |
/// | [`file_mode`](LogConfig::file_mode) | 0640 or stricter, as the umask says |
/// | [`domain_file_name`](LogConfig::domain_file_name), [`level_file_name`](LogConfig::level_file_name) | `{domain}.log`, `{level}.log` |
/// | [`app`](LogConfig::app) | the executable's name |
///
/// # Examples
///
/// ```no_run
/// use miu_log::{Console, Level, LogConfig, log_domains};
///
/// #[log_domains(app, db)]
/// mod logs {}
///
/// let config = LogConfig::new("logs")
///     .level(Level::Info)
///     .console(Console::stderr().min_level(Level::Warning))
///     .file_prefix("api");
/// let repo = logs::Repository::open(config)?;
/// # Ok::<(), miu_log::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "a configuration does nothing until a repository is opened with it"]
pub struct LogConfig {
    pub(crate) folder: PathBuf,
    pub(crate) level: Level,
    pub(crate) debug_enabled: bool,
    pub(crate) console: Option<Console>,
    pub(crate) level_files: bool,
    pub(crate) file_prefix: Option<String>,
    pub(crate) layout: AnyLayout,
    pub(crate) diagnose: bool,
    pub(crate) default_fields: Fields,
    pub(crate) zone: Zone,
    pub(crate) overflow: OverflowPolicy,
    pub(crate) ring_limit: usize,
    pub(crate) sink_timeout: Duration,
    pub(crate) handle_signals: bool,
    pub(crate) sinks: Vec<ExtraSink>,
    pub(crate) manual: Option<ManualListener>,
    /// The repository is in memory alone, and this is its listener.
    pub(crate) captured_by: Option<ManualListener>,
    pub(crate) heartbeat: Duration,
    pub(crate) on_worker: Option<OnWorker>,
    pub(crate) take_over: bool,
    pub(crate) durability: Durability,
    pub(crate) rotation: Rotation,
    pub(crate) retention: Retention,
    pub(crate) compression: CompressionChoice,
    pub(crate) file_mode: Option<u32>,
    pub(crate) app: Option<String>,
    pub(crate) domain_file: String,
    pub(crate) level_file: String,
}

/// A sink added by hand.
pub(crate) struct ExtraSink {
    pub(crate) name: String,
    pub(crate) sink: Box<dyn Sink>,
}

impl std::fmt::Debug for ExtraSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ExtraSink").field(&self.name).finish()
    }
}

impl LogConfig {
    /// The defaults, with the log files in this folder. It is made, with mode 0750, if it is missing.
    pub fn new(folder: impl AsRef<Path>) -> LogConfig {
        LogConfig {
            folder: folder.as_ref().to_owned(),
            level: Level::Debug,
            debug_enabled: true,
            console: Some(Console::stdout()),
            level_files: true,
            file_prefix: None,
            layout: AnyLayout::default(),
            diagnose: false,
            default_fields: Fields::new(),
            zone: Zone::Local,
            overflow: OverflowPolicy::default(),
            ring_limit: RING_LIMIT,
            sink_timeout: SINK_TIMEOUT,
            handle_signals: false,
            sinks: Vec::new(),
            manual: None,
            captured_by: None,
            heartbeat: HEARTBEAT,
            on_worker: None,
            take_over: false,
            durability: Durability::Os,
            rotation: Rotation::default(),
            retention: Retention::default(),
            compression: CompressionChoice::default(),
            file_mode: None,
            app: None,
            domain_file: files::DOMAIN_FILE.to_owned(),
            level_file: files::LEVEL_FILE.to_owned(),
        }
    }

    /// The lowest level that is taken, by all domains that do not say otherwise in `log_domains`.
    pub fn level(mut self, level: Level) -> LogConfig {
        self.level = level;
        self
    }

    /// Whether debug and trace records are taken at the start. Nothing but these two is affected.
    pub fn debug_enabled(mut self, enabled: bool) -> LogConfig {
        self.debug_enabled = enabled;
        self
    }

    /// The console: `false` for none, `true` for stdout, or a [`Console`] with its own options.
    pub fn console(mut self, console: impl Into<ConsoleChoice>) -> LogConfig {
        self.console = console.into().0;
        self
    }

    /// Whether there are files per level (`debug.log`, `info.log`, `warning.log`, `error.log`, and `trace.log` and
    /// `success.log` once they have a record) beside the files per domain.
    pub fn level_files(mut self, wanted: bool) -> LogConfig {
        self.level_files = wanted;
        self
    }

    /// A prefix of all file names: `api` makes `api.db.log`. It consists of `a-z`, `0-9`, `_` and `-`, and begins with a
    /// letter or digit.
    pub fn file_prefix(mut self, prefix: impl Into<String>) -> LogConfig {
        self.file_prefix = Some(prefix.into());
        self
    }

    /// What a line looks like, in files, sinks and on the console: a [`Pattern`](crate::Pattern), [`Json`](crate::Json), [`Logfmt`](crate::Logfmt),
    /// [`OtelJson`](crate::OtelJson), or a [`Layout`](crate::Layout) of your own.
    pub fn layout(mut self, layout: impl Into<AnyLayout>) -> LogConfig {
        self.layout = layout.into();
        self
    }

    /// Whether the log files, and the sinks added by hand, show what functions with [`#[diagnose]`](crate::diagnose) capture for errors. Default: `false`:
    /// arguments may be what no log should hold. The console asks for itself, by [`Console::diagnose`].
    pub fn diagnose(mut self, wanted: bool) -> LogConfig {
        self.diagnose = wanted;
        self
    }

    /// Fields of every record that does not have one of the same name: what the service is called and where it runs, or
    /// [keys of the context](crate::context::Context::with_default) with their defaults. They cost a logging call nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use miu_log::context::{Context, REQUEST_ID, USER_ID};
    /// use miu_log::{LogConfig, fields};
    ///
    /// let everywhere = Context::new().with_default(&REQUEST_ID).with_default(&USER_ID);
    /// let config = LogConfig::new("logs").default_fields(everywhere.with_fields(fields!(region = "eu")));
    /// # let _ = config;
    /// ```
    pub fn default_fields(mut self, fields: impl Into<Fields>) -> LogConfig {
        self.default_fields = fields.into();
        self
    }

    /// The time zone: of the time in lines, and of the times at which files are rotated. A [`Zone`], or a text such as `"Europe/Berlin"`, `"UTC"` or
    /// `"+05:30"`. Default: the system's. An unknown name is an error of `open`.
    pub fn zone(mut self, zone: impl Into<Zone>) -> LogConfig {
        self.zone = zone.into();
        self
    }

    /// What happens when a thread's ring is full.
    pub fn overflow(mut self, policy: OverflowPolicy) -> LogConfig {
        self.overflow = policy;
        self
    }

    /// How many bytes a thread's ring may grow to: a power of two from 64 KiB to 1 GiB. A ring begins with 64 KiB and
    /// doubles while the listener does not keep up.
    pub fn ring_limit(mut self, bytes: usize) -> LogConfig {
        self.ring_limit = bytes;
        self
    }

    /// How long a sink that makes no progress, such as a stopped terminal, may hold up a flush or the end of
    /// the program: at most a day.
    pub fn sink_timeout(mut self, timeout: Duration) -> LogConfig {
        self.sink_timeout = timeout;
        self
    }

    /// Whether SIGTERM and SIGINT (Ctrl+C) end the program only after everything logged before is written. Default: `false`, nothing is
    /// installed and both signals keep their meaning.
    ///
    /// With it a signal makes every repository of the process write a last INFO record, `stopping: SIGTERM`, in its first domain, and then end as
    /// `shutdown` does, no longer than `sink_timeout` without progress. Then the process is ended by that
    /// signal, with its default meaning, so that the parent sees death by it; the program's own destructors and exit handlers do not
    /// run. A second signal meanwhile ends it at once. The first process of a container, which the system spares such a death, exits with 128 and
    /// the signal's number.
    ///
    /// SIGHUP does not end the program either, but has the log files looked at, which otherwise happens once a second: a file that was renamed
    /// or removed is made anew, one that failed is tried again. That is for programs that rotate log files from outside, such as logrotate.
    ///
    /// A signal that is ignored (as under `nohup`) or has a handler when the first repository with this option is opened is left alone; for a handler a
    /// line on stderr says so. A handler that the program installs later takes the signal over; call `flush` or `shutdown` where it ends the program.
    pub fn handle_signals(mut self, wanted: bool) -> LogConfig {
        self.handle_signals = wanted;
        self
    }

    /// Adds a sink that is given every record, under a name for notices and counters.
    ///
    /// A thread of its own calls it, so that it may be slow, or hang, without harm to the others: past 4 MiB of
    /// waiting lines (5 MiB for ERROR and CRITICAL) new ones are dropped and counted.
    pub fn sink(mut self, name: impl Into<String>, sink: impl Sink + 'static) -> LogConfig {
        self.sinks.push(ExtraSink { name: name.into(), sink: Box::new(sink) });
        self
    }

    /// How often a worker process shows that it is well: from 10 ms to a day. One that is more than a second late is reported by a WARNING,
    /// `Worker <name> appears dead`, and by an INFO, `Worker <name> is back`, when it shows itself again.
    ///
    /// This is for processes that hang or are stopped. The death of a process is seen at once, without it.
    pub fn heartbeat(mut self, interval: Duration) -> LogConfig {
        self.heartbeat = interval;
        self
    }

    /// What is to be called when a worker process joins, appears dead, is back, has died or has left. The listener's thread calls it, and waits for
    /// it: it should be quick. A panic in it is caught and told on stderr.
    pub fn on_worker(mut self, call: impl Fn(&WorkerEvent) + Send + Sync + 'static) -> LogConfig {
        self.on_worker = Some(OnWorker(Arc::new(call)));
        self
    }

    /// Whether another process that has the log folder is asked to hand it over, instead of being a reason to fail. It finishes its
    /// batch and goes on as a worker of the new listener; nothing is lost or doubled. For restarts without a pause.
    ///
    /// It is given ten seconds. It cannot hand over while threads of it log into memory that no other process sees: those that
    /// logged before `init`, until their first 64 KiB are full, and those that found no room in the runtime directory.
    pub fn take_over(mut self, wanted: bool) -> LogConfig {
        self.take_over = wanted;
        self
    }

    /// When the log files are made durable, against a loss of power.
    pub fn durability(mut self, durability: Durability) -> LogConfig {
        self.durability = durability;
        self
    }

    /// When log files are rotated. Default: before they grow past 10 MB.
    pub fn rotation(mut self, rotation: impl Into<Rotation>) -> LogConfig {
        self.rotation = rotation.into();
        self
    }

    /// How long rotated files are kept: a [`Retention`], a text such as `"30 days"` or `"1 GB"`, or a number of files. Default: five rotated files of each log
    /// file, beside the current one.
    pub fn retention(mut self, retention: impl Into<Retention>) -> LogConfig {
        self.retention = retention.into();
        self
    }

    /// How rotated files are compressed: a [`Compression`](crate::Compression), or its name, such as `"gz"` or `"none"`. Default: gzip. Files that are there
    /// already, and are not compressed, are compressed after the start.
    pub fn compression(mut self, compression: impl Into<CompressionChoice>) -> LogConfig {
        self.compression = compression.into();
        self
    }

    /// The mode of the log files, rotated ones included, whatever the umask says: `0o600`. Default: 0640, or stricter as the umask says; a file that is
    /// there keeps its own.
    pub fn file_mode(mut self, mode: u32) -> LogConfig {
        self.file_mode = Some(mode);
        self
    }

    /// What the program is called, for names with `{app}`. Default: the name of its executable.
    pub fn app(mut self, name: impl Into<String>) -> LogConfig {
        self.app = Some(name.into());
        self
    }

    /// What the domains' files are called. Default: `{domain}.log`.
    ///
    /// | key | stands for |
    /// | --- | --- |
    /// | `{domain}` | the domain's file, as `log_domains` names it |
    /// | `{level}` | the level, in names of level files |
    /// | `{app}` | [`app`](LogConfig::app) |
    /// | `{pid}` | the number of the process that has the files |
    /// | `{time:YYYY-MM-DD}` | the date; of `YYYY`, `MM`, `DD`, `HH`, `mm` and `ss`, and `-` and `_` between them |
    ///
    /// A name with a time is dated: the records of another day (or hour, as the time says) go into another file, and a symbolic link, the name
    /// without its date, leads to the current one. Names have parts of `a-z`, `0-9`, `_` and `-`, separated by single dots. They name files in the log
    /// folder, none outside or below it.
    pub fn domain_file_name(mut self, template: impl Into<String>) -> LogConfig {
        self.domain_file = template.into();
        self
    }

    /// What the level files are called. Default: `{level}.log`. The keys are those of [`domain_file_name`](LogConfig::domain_file_name).
    pub fn level_file_name(mut self, template: impl Into<String>) -> LogConfig {
        self.level_file = template.into();
        self
    }

    /// No thread: a test steps the listener and turns its clock by hand.
    pub fn manual_listener(mut self, listener: &ManualListener) -> LogConfig {
        self.manual = Some(listener.clone());
        self
    }

    /// What stands for `{app}`: as much of the executable's name as may stand in a file's, where nothing is said.
    pub(crate) fn app_name(&self) -> String {
        if let Some(app) = &self.app {
            return app.clone();
        }
        let executable = std::env::current_exe().ok();
        let name = executable.as_deref().and_then(Path::file_stem).map(|name| name.to_string_lossy());
        let fit = |character: char| match character.to_ascii_lowercase() {
            fit @ ('a'..='z' | '0'..='9' | '_' | '-') => fit,
            _ => '-',
        };
        let name: String = name.iter().flat_map(|name| name.chars()).map(fit).take(64).collect();
        let name = name.trim_start_matches(['-', '_']).to_owned();
        if name.is_empty() { "app".to_owned() } else { name }
    }

    /// What the retention and the compression say.
    pub(crate) fn rotated_files(&self) -> Result<(Checked, Compression), Error> {
        let retention = self.retention.check();
        let compression = self.compression.check();
        let of =
            |option: &'static str| move |problem: String| Error::config(format!("{option} is {problem}"));
        Ok((retention.map_err(of("retention"))?, compression.map_err(of("compression"))?))
    }

    pub(crate) fn validate(&self) -> Result<(), Error> {
        let limit = self.ring_limit;
        if !limit.is_power_of_two() || !(SMALLEST..=LARGEST_RING).contains(&limit) {
            return Err(Error::config(format!(
                "ring_limit is {limit} bytes; a power of two from {SMALLEST} to {LARGEST_RING} is expected"
            )));
        }
        if self.sink_timeout > LONGEST_TIMEOUT {
            return Err(Error::config(format!(
                "sink_timeout is {:?}; at most {LONGEST_TIMEOUT:?} is accepted",
                self.sink_timeout
            )));
        }
        if !(SHORTEST_HEARTBEAT..=LONGEST_TIMEOUT).contains(&self.heartbeat) {
            return Err(Error::config(format!(
                "heartbeat is {:?}; {SHORTEST_HEARTBEAT:?} to {LONGEST_TIMEOUT:?} is accepted",
                self.heartbeat
            )));
        }
        if self.durability == Durability::SyncEvery(Duration::ZERO) {
            return Err(Error::config(
                "durability is SyncEvery(0ns); a time is expected, such as one second",
            ));
        }
        self.zone.check()?;
        self.rotation.schedule().map_err(Error::config)?;
        self.rotated_files()?;
        if let Some(mode) = self.file_mode
            && (mode & !0o777 != 0 || mode & 0o600 != 0o600)
        {
            return Err(Error::config(format!(
                "file_mode is {mode:#o}; permissions are expected that let the owner read and write, such as 0o600 or 0o640"
            )));
        }
        self.layout.check()?;
        if let Some(layout) = self.console.as_ref().and_then(|console| console.layout.as_ref()) {
            layout.check()?;
        }
        if self.folder.as_os_str().is_empty() {
            return Err(Error::config("the log folder's path is empty; a path such as \"logs\" is expected"));
        }
        Ok(())
    }
}

/// The console: which stream, from which level on, coloured when.
///
/// A thread of its own writes to it, so that a stopped terminal or a full pipe stops nothing else: past 4 MiB of waiting
/// lines new ones are dropped and counted.
#[derive(Clone, Debug)]
pub struct Console {
    pub(crate) stderr: bool,
    pub(crate) min_level: Level,
    pub(crate) colour: ColourChoice,
    pub(crate) layout: Option<AnyLayout>,
    pub(crate) diagnose: bool,
}

impl Console {
    /// Lines go to stdout.
    pub fn stdout() -> Console {
        Console {
            stderr: false,
            min_level: Level::Trace,
            colour: ColourChoice::Auto,
            layout: None,
            diagnose: false,
        }
    }

    /// Lines go to stderr.
    pub fn stderr() -> Console {
        Console { stderr: true, ..Console::stdout() }
    }

    /// The lowest level that is shown. Default: everything the repository takes.
    #[must_use]
    pub fn min_level(self, level: Level) -> Console {
        Console { min_level: level, ..self }
    }

    /// When levels are coloured. Default: on a terminal, as `NO_COLOR`, `CLICOLOR` and `CLICOLOR_FORCE` say.
    #[must_use]
    pub fn colour(self, colour: ColourChoice) -> Console {
        Console { colour, ..self }
    }

    /// What a line looks like here. Default: as in the files. Colours come with a [`Pattern`](crate::Pattern) only.
    #[must_use]
    pub fn layout(self, layout: impl Into<AnyLayout>) -> Console {
        Console { layout: Some(layout.into()), ..self }
    }

    /// Whether it shows what functions with [`#[diagnose]`](crate::diagnose) capture for errors. Default: `false`.
    #[must_use]
    pub fn diagnose(self, wanted: bool) -> Console {
        Console { diagnose: wanted, ..self }
    }
}

/// What [`LogConfig::console`] takes.
#[derive(Clone, Debug)]
pub struct ConsoleChoice(Option<Console>);

impl From<bool> for ConsoleChoice {
    fn from(wanted: bool) -> ConsoleChoice {
        ConsoleChoice(wanted.then(Console::stdout))
    }
}

impl From<Console> for ConsoleChoice {
    fn from(console: Console) -> ConsoleChoice {
        ConsoleChoice(Some(console))
    }
}

impl From<Option<Console>> for ConsoleChoice {
    fn from(console: Option<Console>) -> ConsoleChoice {
        ConsoleChoice(console)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Json;

    #[test]
    fn a_value_out_of_range_is_named_with_what_is_accepted() {
        for (config, names) in [
            (LogConfig::new("logs").ring_limit(100_000), ["ring_limit is 100000", "power of two from 65536"]),
            (LogConfig::new("logs").sink_timeout(Duration::MAX), ["sink_timeout is", "at most 86400s"]),
            (
                LogConfig::new("logs").zone(Zone::Fixed(i32::MIN)),
                ["zone is Fixed(-2147483648)", "86400 seconds"],
            ),
            (LogConfig::new("logs").zone("+25:00"), ["zone is \"+25:00\"", "\"Europe/Berlin\""]),
            (
                LogConfig::new("logs").console(Console::stderr().layout(Json::new().zone("+25:00"))),
                ["zone is \"+25:00\"", "\"Europe/Berlin\""],
            ),
            (LogConfig::new("logs").heartbeat(Duration::ZERO), ["heartbeat is 0ns", "10ms to 86400s"]),
            (LogConfig::new(""), ["path is empty", "\"logs\""]),
        ] {
            let text = config.validate().unwrap_err().to_string();
            assert!(names.iter().all(|name| text.contains(name)), "{text}");
        }
        assert!(LogConfig::new("logs").validate().is_ok());
    }
}
