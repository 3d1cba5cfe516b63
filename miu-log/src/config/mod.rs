//! The builder: where a repository writes, what it takes, and what happens when it cannot keep up.
//!
//! Values are checked when the repository is opened, on the caller's thread; an error names the option.

mod added;
mod console;
pub(crate) mod document;
mod env;
mod file;
pub(crate) mod files;
mod levels;
mod other_crates;
pub(crate) mod reload;
mod remote;
pub(crate) mod select;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::context::fields::Fields;
use crate::error::Error;
use crate::layout::AnyLayout;
use crate::level::Level;
use crate::queue::OverflowPolicy;
use crate::ring::segment::SMALLEST;
use crate::rotate::naming;
use crate::rotate::retention::Checked;
use crate::rotate::{Compression, CompressionChoice, Retention, Rotation};
use crate::router::Durability;
use crate::testing::ManualListener;
use crate::worker::{OnWorker, WorkerEvent};
use crate::zone::Zone;

pub(crate) use added::{Added, unique_name, wrong};
pub use added::{AnySink, CustomSink};
pub use console::{Console, ConsoleChoice};
pub use document::ConfigFile;
use document::Source;
pub use env::CommandExt;
pub use file::File;
use levels::{DomainLevel, Overrides};
pub(crate) use other_crates::{CheckedRoutes, OtherCrates, TARGET_EXPECTED, is_target};
pub use remote::Remote;
pub(crate) use remote::Spools;

/// Default of [`LogConfig::ring_limit`]: 2 MiB. The records of all rings are merged by time, so a full ring may have to wait until
/// the others are read as well: with more than this, that takes longer than the default policy lets a caller wait.
const RING_LIMIT: usize = 2 * 1024 * 1024;
/// Largest ring: 1 GiB.
pub(crate) const LARGEST_RING: usize = 1024 * 1024 * 1024;
/// A day: more would be for ever.
pub(crate) const LONGEST_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);
/// Default of [`LogConfig::heartbeat`].
const HEARTBEAT: Duration = Duration::from_secs(60);
/// Shortest heartbeat: what is shorter costs more than it tells.
pub(crate) const SHORTEST_HEARTBEAT: Duration = Duration::from_millis(10);
/// Default of [`LogConfig::sink_timeout`].
const SINK_TIMEOUT: Duration = Duration::from_secs(2);

/// How a repository is opened.
///
/// | option | default |
/// | --- | --- |
/// | [`level`](LogConfig::level) | `Debug` |
/// | [`debug_enabled`](LogConfig::debug_enabled) | `true` |
/// | [`console`](LogConfig::console) | stdout, coloured on a terminal |
/// | [`domain_level`](LogConfig::domain_level) | as `log_domains` says, else `level` |
/// | [`domain_files`](LogConfig::domain_files), [`level_files`](LogConfig::level_files) | `true` |
/// | [`file_prefix`](LogConfig::file_prefix) | none |
/// | [`layout`](LogConfig::layout) | [`Pattern::DEFAULT`](crate::Pattern::DEFAULT) |
/// | [`diagnose`](LogConfig::diagnose) | `false` |
/// | [`default_fields`](LogConfig::default_fields) | none |
/// | [`zone`](LogConfig::zone) | local time |
/// | [`overflow`](LogConfig::overflow) | wait at most 100 ms, then shed by level |
/// | [`ring_limit`](LogConfig::ring_limit) | 2 MiB a thread |
/// | [`sink_timeout`](LogConfig::sink_timeout) | 2 s |
/// | [`handle_signals`](LogConfig::handle_signals) | `false` |
/// | [`panic_hook`](LogConfig::panic_hook) | `true`, but `false` with a manual listener |
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
/// | [`intercept`](LogConfig::intercept) | records of other crates are taken, where nobody else has them |
/// | [`route`](LogConfig::route), [`target_level`](LogConfig::target_level) | those of common crates |
/// | [`default_route`](LogConfig::default_route) | the first domain |
/// | [`isolated`](LogConfig::isolated) | `false` |
/// | [`sink`](LogConfig::sink) | no more than the files per domain and level, and the console |
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
    /// Whether there is a log folder at all.
    pub(crate) has_folder: bool,
    pub(crate) isolated: bool,
    pub(crate) level: Level,
    pub(crate) domain_levels: Vec<DomainLevel>,
    /// What the variable `MIU_LOG` says, where it was looked at.
    pub(crate) overrides: Overrides,
    pub(crate) debug_enabled: bool,
    pub(crate) console: Option<Console>,
    pub(crate) domain_files: bool,
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
    pub(crate) panic_hook: Option<bool>,
    pub(crate) sinks: Vec<AnySink>,
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
    pub(crate) other_crates: OtherCrates,
    /// Where the configuration comes from, if it may be read again.
    pub(crate) source: Option<Box<Source>>,
    /// What is to be said of the configuration, by WARNING records, when the repository is opened.
    pub(crate) remarks: Vec<String>,
    /// The same by INFO records: what was decided and may be forgotten.
    pub(crate) notes: Vec<String>,
    /// What is wrong with it is said so as well, and is no error.
    pub(crate) is_lenient: bool,
    /// The process whose number stands for `{pid}`.
    pub(crate) pid: u32,
}

impl LogConfig {
    /// The defaults, with the log files in this folder. It is made, with mode 0750, if it is missing.
    pub fn new(folder: impl AsRef<Path>) -> LogConfig {
        LogConfig {
            folder: folder.as_ref().to_owned(),
            has_folder: true,
            isolated: false,
            level: Level::Debug,
            domain_levels: Vec::new(),
            overrides: Overrides::default(),
            debug_enabled: true,
            console: Some(Console::stdout()),
            domain_files: true,
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
            panic_hook: None,
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
            other_crates: OtherCrates::default(),
            source: None,
            remarks: Vec::new(),
            notes: Vec::new(),
            is_lenient: false,
            pid: std::process::id(),
        }
    }

    /// The defaults without any file: records go to the console, and to sinks of your own. There is no log folder, and nothing is made in shared memory
    /// either: worker processes cannot join, a forked child logs nothing before it opens a repository of its own, and after a crash nothing is recovered.
    ///
    /// A [`File`] among its sinks is an error of `open`; other options for files do nothing.
    pub fn console_only() -> LogConfig {
        LogConfig { has_folder: false, domain_files: false, level_files: false, ..LogConfig::new("") }
    }

    /// The lowest level that is taken, by all domains that do not say otherwise in `log_domains` or by [`domain_level`](LogConfig::domain_level).
    pub fn level(mut self, level: Level) -> LogConfig {
        self.level = level;
        self
    }

    /// The lowest level that a domain takes, whatever `log_domains` says; of several for the same domain the last one counts. A domain that there is not is
    /// an error of `open`, with a suggestion.
    pub fn domain_level(mut self, domain: impl std::fmt::Display, level: Level) -> LogConfig {
        self.domain_levels.push(DomainLevel { domain: domain.to_string(), level, origin: String::new() });
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

    /// Whether there are files per domain (`db.log`).
    pub fn domain_files(mut self, wanted: bool) -> LogConfig {
        self.domain_files = wanted;
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
    /// the program: at most a day. For a [`Remote`](crate::Remote) with its spool it is the time for all deliveries at the end, and half of it that in a flush, also while it makes progress: what has
    /// not arrived by then is in the spool.
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

    /// Whether panics become records: CRITICAL, in the domain of [`default_route`](LogConfig::default_route), with message, place, thread and backtrace (whatever `RUST_BACKTRACE` says), in
    /// the files before the panic goes on. Default: `true`, but `false` with a [`manual_listener`](LogConfig::manual_listener), since a test's failure is
    /// no matter of another test's log.
    ///
    /// That needs a panic hook. It is installed by the first repository of the process that wants it, and calls the one that was there before, so that
    /// the panic is on stderr as well; a hook that the program installs later takes its place unless it calls it in turn. Every open repository with this
    /// option has the record, and so has that of another process which this one has joined. A panic that is caught is a record too. The panicking thread
    /// waits until the files have the record, at most [`sink_timeout`](LogConfig::sink_timeout). Panics inside of sinks and layouts, which the
    /// logger catches, are told on stderr alone, and so are those in signal handlers.
    pub fn panic_hook(mut self, wanted: bool) -> LogConfig {
        self.panic_hook = Some(wanted);
        self
    }

    /// Adds a sink: a [`File`] beside those per domain and level, a second [`Console`], or a [`Sink`](crate::Sink) of your own, by itself or as a
    /// [`CustomSink`] with options. Each says which records it is for, and what its lines look like.
    ///
    /// A `File` is written as the other log files are. Anything else is called by a thread of its own, so that it may be slow, or hang, without harm
    /// to the others: past 4 MiB of waiting lines (5 MiB for ERROR and CRITICAL) new ones are dropped and counted.
    ///
    /// # Examples
    ///
    /// ```
    /// use miu_log::{Console, File, Json, Level, LogConfig};
    ///
    /// let config = LogConfig::new("logs")
    ///     .sink(File::new("errors_{time:YYYY-MM-DD}.log").min_level(Level::Error))
    ///     .sink(File::new("structured.jsonl").min_level(Level::Info).layout(Json::new()))
    ///     .sink(Console::stderr().min_level(Level::Error));
    /// # let _ = config;
    /// ```
    pub fn sink(mut self, sink: impl Into<AnySink>) -> LogConfig {
        self.sinks.push(sink.into());
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

    /// When the log files, and the spools of remote sinks, are made durable, against a loss of power.
    pub fn durability(mut self, durability: Durability) -> LogConfig {
        self.durability = durability;
        self
    }

    /// When log files are rotated: a [`Rotation`], or a text such as `"10 MB"`, `"00:00"` or `"6 hours"`, which needs its unit. Default: before they grow
    /// past 10 MB.
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

    /// What the program is called, for names with `{app}`: 1 to 64 letters, digits, `_` and `-`, beginning with a letter or digit. Default: the name
    /// of its executable in small letters, with `-` in place of everything else, so that `My App` gives `my-app`.
    ///
    /// Another name is an error when the repository is opened, which says what would do.
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
    /// | `{pid}` | the number of the process that has the files; those of an earlier process are never compressed or deleted, for it may live still |
    /// | `{time:YYYY-MM-DD}` | the date; of `YYYY`, `MM`, `DD`, `HH`, `mm` and `ss`, and `-` and `_` between them; a smaller piece needs all larger ones |
    ///
    /// A name with a time is dated: the records of another day (or hour, as the time says) go into another file, and a symbolic link, the name
    /// without its date, leads to the current one. Where a file has the link's name, another sink's or one of an earlier configuration, there is no link.
    /// Files that an earlier configuration called otherwise are neither compressed nor deleted.
    ///
    /// Rotated files of one time are numbered in the order in which they were written. Without a date the one without a number is the oldest, then come
    /// `.1`, `.2`; with one `.1` is the oldest, and the one without a number the newest, which is written to. Names have parts of `a-z`, `0-9`, `_` and `-`, separated by single dots. They name files in the log
    /// folder, none outside or below it.
    pub fn domain_file_name(mut self, template: impl Into<String>) -> LogConfig {
        self.domain_file = template.into();
        self
    }

    /// Whether other repositories may have the same log folder, each under an [`app`](LogConfig::app) of its own. Their files have to differ by name: put
    /// `{app}` into [`domain_file_name`](LogConfig::domain_file_name) and its siblings. A second process of the same name is refused, by a lock on a
    /// hidden file, `.<app>.miu-lock`, which is there as long as the repository is open.
    ///
    /// A child that is forked without `exec` logs nothing before it opens a repository of its own; workers that join by `connect` log as ever.
    pub fn isolated(mut self, wanted: bool) -> LogConfig {
        self.isolated = wanted;
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

    /// Whether panics become records.
    pub(crate) fn records_panics(&self) -> bool {
        self.panic_hook.unwrap_or(self.manual.is_none())
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
        if let Some(mode) = self.file_mode {
            file::check_mode(mode).map_err(|problem| Error::config(format!("file_mode is {problem}")))?;
        }
        self.layout.check()?;
        self.sinks.iter().try_for_each(AnySink::check)?;
        if let Some(layout) = self.console.as_ref().and_then(|console| console.layout.as_ref()) {
            layout.check()?;
        }
        if self.isolated {
            naming::check_app(&self.app_name())
                .map_err(|problem| Error::config(format!("app is {problem}")))?;
        }
        if !self.has_folder
            && let Some(file) = self.sinks.iter().find_map(AnySink::as_file)
        {
            return Err(file.wrong("there is no log folder for it: the configuration is `console_only`"));
        }
        if self.has_folder && self.folder.as_os_str().is_empty() {
            return Err(Error::config("the log folder's path is empty; a path such as \"logs\" is expected"));
        }
        Ok(())
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
