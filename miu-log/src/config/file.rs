//! A log file added by hand, as the configuration says it.
//!
//! Called by `added`, and by `files`, which makes one or more log files of it.

use super::select::{Choice, selecting};
use crate::error::Error;
use crate::layout::AnyLayout;
use crate::rotate::retention::Checked;
use crate::rotate::{Compression, CompressionChoice, Retention, Rotation, Schedule};

/// A log file beside those per domain and per level, for [`LogConfig::sink`](crate::LogConfig::sink).
///
/// The listener writes it as it writes the others: each record once, also across a crash, and with the same rotation, upkeep, layout and mode, as far as
/// nothing else is said here.
///
/// - **When its queue is full:** it has none; the listener writes directly.
/// - **When the destination fails:** its lines wait, up to 4 MiB, with 1 MiB more for ERROR and CRITICAL, and are tried again every
///   second; what has to be dropped is counted, and the file tells of it later.
/// - **Durability:** that of [`LogConfig::durability`](crate::LogConfig::durability).
///
/// After a crash the next `open` brings it up to date like the others. [`recover`](crate::recover()) does so too, unless the file has a
/// [`filter`](File::filter) or a layout of the program's own, which are not known there: such a file is left as it is, so that what was in a ring still is
/// in the other files only.
///
/// # Examples
///
/// ```
/// use miu_log::{File, Level, LogConfig, Retention, Rotation};
///
/// let errors = File::new("errors_{time:YYYY-MM-DD}.log")
///     .min_level(Level::Error)
///     .rotation(Rotation::Size("100 MB"))
///     .retention(Retention::Age("90 days"))
///     .mode(0o600);
/// let slow = File::new("slow.log").domain("db").filter(|record| record.message().contains("slow"));
/// let config = LogConfig::new("logs").sink(errors).sink(slow);
/// # let _ = config;
/// ```
#[derive(Clone, Debug)]
pub struct File {
    pub(super) template: String,
    pub(super) choice: Choice,
    pub(super) layout: Option<AnyLayout>,
    rotation: Option<Rotation>,
    retention: Option<Retention>,
    compression: Option<CompressionChoice>,
    pub(super) mode: Option<u32>,
    diagnose: Option<bool>,
    /// It is known which records belong into it, and what their lines look like. Not so in a recovery for what could not be stored.
    pub(super) is_known: bool,
}

selecting!(File);

impl File {
    /// A file in the log folder: `"errors.log"`, or dated, `"errors_{time:YYYY-MM-DD}.log"`. The rules for names, and the keys, are those of
    /// [`LogConfig::domain_file_name`](crate::LogConfig::domain_file_name); a [`file_prefix`](crate::LogConfig::file_prefix) is put in front.
    ///
    /// With `{domain}` in it there is one file for each domain that is chosen, with `{level}` one for each level (`critical` is one of its own); these come with
    /// their first record.
    pub fn new(name: impl Into<String>) -> File {
        File {
            template: name.into(),
            choice: Choice::default(),
            layout: None,
            rotation: None,
            retention: None,
            compression: None,
            mode: None,
            diagnose: None,
            is_known: true,
        }
    }

    /// What a line looks like here: a [`Pattern`](crate::Pattern), [`Json`](crate::Json), [`Logfmt`](crate::Logfmt), [`OtelJson`](crate::OtelJson), or a
    /// [`Layout`](crate::Layout) of your own. Default: as in the other files.
    #[must_use]
    pub fn layout(mut self, layout: impl Into<AnyLayout>) -> File {
        self.layout = Some(layout.into());
        self
    }

    /// When the file is rotated. Default: as [`LogConfig::rotation`](crate::LogConfig::rotation) says.
    #[must_use]
    pub fn rotation(mut self, rotation: impl Into<Rotation>) -> File {
        self.rotation = Some(rotation.into());
        self
    }

    /// How long its rotated files are kept. Default: as [`LogConfig::retention`](crate::LogConfig::retention) says. `Bytes` is for all files of this sink, and
    /// for no others.
    #[must_use]
    pub fn retention(mut self, retention: impl Into<Retention>) -> File {
        self.retention = Some(retention.into());
        self
    }

    /// How its rotated files are compressed. Default: as [`LogConfig::compression`](crate::LogConfig::compression) says.
    #[must_use]
    pub fn compression(mut self, compression: impl Into<CompressionChoice>) -> File {
        self.compression = Some(compression.into());
        self
    }

    /// Its mode, rotated and compressed ones included, whatever the umask says: `0o600`. Default: as
    /// [`LogConfig::file_mode`](crate::LogConfig::file_mode) says.
    #[must_use]
    pub fn mode(mut self, mode: u32) -> File {
        self.mode = Some(mode);
        self
    }

    /// Whether it shows what functions with [`#[diagnose]`](crate::diagnose) capture for errors. Default: as
    /// [`LogConfig::diagnose`](crate::LogConfig::diagnose) says.
    #[must_use]
    pub fn diagnose(mut self, wanted: bool) -> File {
        self.diagnose = Some(wanted);
        self
    }

    /// The same file, in a recovery that cannot know which records belong into it.
    pub(crate) fn unknown(mut self) -> File {
        self.is_known = false;
        self
    }

    /// The file that a description says.
    pub(crate) fn described(
        template: String,
        choice: Choice,
        layout: Option<AnyLayout>,
        mode: Option<u32>,
    ) -> File {
        File { choice, layout, mode, ..File::new(template) }
    }

    pub(crate) fn template(&self) -> &str {
        &self.template
    }

    pub(crate) fn choice(&self) -> &Choice {
        &self.choice
    }

    pub(crate) fn own_layout(&self) -> Option<&AnyLayout> {
        self.layout.as_ref()
    }

    /// Whether it shows what was captured for a diagnosis, where the configuration says `otherwise`.
    pub(crate) fn diagnoses(&self, otherwise: bool) -> bool {
        self.diagnose.unwrap_or(otherwise)
    }

    pub(crate) fn own_mode(&self) -> Option<u32> {
        self.mode
    }

    /// An error about this file.
    pub(crate) fn wrong(&self, problem: impl std::fmt::Display) -> Error {
        Error::config(format!("the file {:?}: {problem}", self.template))
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        self.schedule()?;
        self.upkeep()?;
        if let Some(mode) = self.mode {
            check_mode(mode).map_err(|problem| self.wrong(format!("mode is {problem}")))?;
        }
        self.layout.as_ref().map_or(Ok(()), AnyLayout::check).map_err(|error| self.wrong(error))
    }

    /// When it is rotated, where it has a rotation of its own.
    pub(super) fn schedule(&self) -> Result<Option<Schedule>, Error> {
        self.rotation.as_ref().map(Rotation::schedule).transpose().map_err(|problem| self.wrong(problem))
    }

    /// How its rotated files are kept and compressed, as far as it has rules of its own.
    pub(crate) fn upkeep(&self) -> Result<(Option<Checked>, Option<Compression>), Error> {
        let retention = self.retention.as_ref().map(Retention::check).transpose();
        let compression = self.compression.as_ref().map(CompressionChoice::check).transpose();
        Ok((
            retention.map_err(|problem| self.wrong(format!("retention is {problem}")))?,
            compression.map_err(|problem| self.wrong(format!("compression is {problem}")))?,
        ))
    }
}

/// Says what is wrong with the mode of a log file, if anything is.
pub(super) fn check_mode(mode: u32) -> Result<(), String> {
    if mode & !0o777 == 0 && mode & 0o600 == 0o600 {
        return Ok(());
    }
    Err(format!(
        "{mode:#o}; permissions are expected that let the owner read and write, such as 0o600 or 0o640"
    ))
}
