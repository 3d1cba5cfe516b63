//! Configuration files: YAML and TOML.
//!
//! D1. A document is accepted as a whole or refused: everything that is wrong with it is told at once, each with file, line, column and key. Only who asks for it
//!     (`lenient`) gets defaults for what is wrong, and a WARNING for each.
//! D2. What is read is bounded: a mebibyte, 16 levels of tables and lists, no aliases. No text makes the reader panic.
//! D3. `keys` is the one list of keys. It reads documents and makes their schema.
//!
//! A text becomes nodes (`yaml`, `toml`), the nodes are read by kinds (`kind`, `values`) as the tables of keys say. Called by programs, and by `reload`.

mod file;
mod keys;
mod kind;
mod layouts;
#[cfg_attr(
    not(all(feature = "yaml", feature = "toml")),
    allow(dead_code, reason = "what a notation brings that is not there")
)]
mod node;
mod problems;
mod remotes;
mod schema;
mod sinks;
#[cfg(test)]
#[cfg(all(feature = "yaml", feature = "toml"))]
mod tests;
mod toml;
mod values;
mod yaml;

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};

pub(crate) use file::Stamp;
pub(crate) use keys::LIVE;
pub(super) use remotes::database_at;

use super::reload::Said;

use super::LogConfig;
use super::levels::{self, Overrides};
use super::select::did_you_mean;
use crate::error::Error;
use crate::layout::Pattern;
use kind::Kind;
use node::{At, Entry, Node, Value, joined};
use problems::Problems;
use remotes::AddressDraft;
use schema::Json;

/// The section that an application's own configuration file has for its logs, and that for its database.
const LOGGING: &str = "logging";
const DATABASE: &str = "database";

/// A configuration file, with options for how it is read: see [`LogConfig::from_file`].
///
/// # Examples
///
/// ```no_run
/// use miu_log::{ConfigFile, log_domains};
///
/// #[log_domains(app, db)]
/// mod logs {}
///
/// let config = ConfigFile::new("config.yml").lenient(true).load()?;
/// let repo = logs::Repository::open(config)?;
/// # Ok::<(), miu_log::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a configuration file is read by `load`"]
pub struct ConfigFile {
    path: PathBuf,
    lenient: bool,
    any_owner: bool,
}

/// How a document is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Notation {
    Yaml,
    Toml,
}

/// What was read.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) config: LogConfig,
    /// Every single value, by its key: what two documents are compared by.
    pub(crate) values: Vec<(String, String)>,
    /// Whether it is to be read again when it changes.
    pub(crate) reload: bool,
}

impl LogConfig {
    /// The configuration that a file says, in YAML (`.yml`, `.yaml`) or TOML (`.toml`). Its keys are named after the methods of `LogConfig`, with `domains` for
    /// `domain_level`, `routes` for `route`, `target_levels` for `target_level` and `sinks` for `sink`; what it does not say is as by default, with the log folder `logs`; [`ConfigFile::schema`] lists them all. In an application's own file they stand in a section `logging`; without a
    /// `layout` there, the console has [`Pattern::classic`](crate::Pattern::classic).
    ///
    /// Levels in the environment variable `MIU_LOG`, such as `info,db=debug`, have the last word.
    ///
    /// The file is looked at once a second, and when SIGHUP comes and [`handle_signals`](LogConfig::handle_signals) is on. When it has changed, levels change with it:
    /// those of all domains, of single ones and of the console, and `debug_enabled`. A record says what has changed, and what needs a restart. A file that
    /// is wrong or empty changes nothing, and a record says what is wrong. `reload: false` in it turns that off.
    ///
    /// The cargo features `yaml` and `toml` are on by default; without one the notation is refused.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, is larger than a mebibyte, may be written to by anybody, belongs to another user than this one and root, or says something
    /// wrong: a line for each mistake, with file, line, column, key and what is accepted. Unknown keys are mistakes.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use miu_log::{LogConfig, log_domains};
    ///
    /// #[log_domains(app, db)]
    /// mod logs {}
    ///
    /// let repo = logs::Repository::open(LogConfig::from_file("config.yml")?)?;
    /// # Ok::<(), miu_log::Error>(())
    /// ```
    ///
    /// A program that has settings of its own makes a configuration of them:
    ///
    /// ```
    /// use miu_log::{Level, LogConfig};
    ///
    /// struct Settings {
    ///     log_folder: String,
    ///     verbose: bool,
    /// }
    ///
    /// impl From<&Settings> for LogConfig {
    ///     fn from(settings: &Settings) -> LogConfig {
    ///         let level = if settings.verbose { Level::Debug } else { Level::Info };
    ///         LogConfig::new(&settings.log_folder).level(level)
    ///     }
    /// }
    ///
    /// let settings = Settings { log_folder: "logs".to_owned(), verbose: true };
    /// let config = LogConfig::from(&settings);
    /// # let _ = config;
    /// ```
    pub fn from_file(path: impl AsRef<Path>) -> Result<LogConfig, Error> {
        ConfigFile::new(path).load()
    }
}

impl ConfigFile {
    /// The file at this path. It is not read yet.
    pub fn new(path: impl AsRef<Path>) -> ConfigFile {
        ConfigFile { path: path.as_ref().to_owned(), lenient: false, any_owner: false }
    }

    /// Whether what is wrong falls back to defaults, instead of being an error. Each mistake becomes a WARNING record, with the key and the default. That includes
    /// a file that is not there or cannot be understood at all, a wrong `MIU_LOG`, and levels and routes for domains that there are not. Default: `false`.
    ///
    /// What only shows when the files are planned stays an error of `open`: a sink for a domain that there is not, two files of one name, and a
    /// `domain_file_name` or `level_file_name` without what tells its files apart. So do a folder and files that cannot be made.
    pub fn lenient(self, wanted: bool) -> ConfigFile {
        ConfigFile { lenient: wanted, ..self }
    }

    /// Whether the file may belong to any user and be written to by anybody. Who can write to it says where this program writes. Default: `false`.
    pub fn any_owner(self, wanted: bool) -> ConfigFile {
        ConfigFile { any_owner: wanted, ..self }
    }

    /// Reads the file, as [`LogConfig::from_file`] does.
    ///
    /// # Errors
    ///
    /// Those of [`LogConfig::from_file`].
    pub fn load(self) -> Result<LogConfig, Error> {
        // Before the text: a change in between is seen as one.
        let stamp = Stamp::of(&self.path);
        let document = self.read(&|name| std::env::var_os(name))?;
        let Document { mut config, values, reload } = document;
        if reload {
            let (said, overrides) = (Said::by(&config), std::env::var_os(levels::VARIABLE));
            // The program may go into another folder.
            let path = std::path::absolute(&self.path).unwrap_or_else(|_| self.path.clone());
            let file = ConfigFile { path, ..self };
            config.source = Some(Box::new(Source { file, stamp, values, said, overrides }));
        }
        Ok(config)
    }

    /// The JSON Schema of configuration files, for editors: which keys there are, what they take and what they mean. It is the same for YAML and TOML.
    pub fn schema() -> String {
        schema().pretty()
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the file once. `lookup` gives environment variables.
    pub(crate) fn read(&self, lookup: &dyn Fn(&str) -> Option<OsString>) -> Result<Document, Error> {
        let mut problems = Problems::of(self.path.to_string_lossy());
        let notation = self.notation(&mut problems);
        let text = file::read(&self.path, self.any_owner, &mut problems);
        let root = match (notation, text) {
            (Some(notation), Some(text)) => parse(&text, notation, &mut problems),
            _ => None,
        };
        let document = interpret(root.as_ref(), lookup(levels::VARIABLE).as_deref(), &mut problems);
        finish(document, problems, self.lenient)
    }

    fn notation(&self, problems: &mut Problems) -> Option<Notation> {
        let extension = self.path.extension().and_then(OsStr::to_str).map(str::to_ascii_lowercase);
        match extension.as_deref() {
            Some("yml" | "yaml" | "json") => Some(Notation::Yaml),
            Some("toml") => Some(Notation::Toml),
            _ => {
                problems.add_general(
                    "its name does not say what it is; accepted are .yml, .yaml, .json and .toml",
                );
                None
            }
        }
    }
}

/// Where a configuration comes from, as far as it may be read again.
pub(crate) struct Source {
    pub(crate) file: ConfigFile,
    /// What the file looked like from outside when it was read.
    pub(crate) stamp: Stamp,
    pub(crate) values: Vec<(String, String)>,
    /// What it said, whatever the program has made of it since.
    pub(crate) said: Said,
    /// The value of `MIU_LOG`.
    pub(crate) overrides: Option<OsString>,
}

impl fmt::Debug for Source {
    /// Without the values: somebody may have written a secret where none belongs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("file", &self.file).field("said", &self.said).finish_non_exhaustive()
    }
}

/// The text as nodes. None where nothing can be made of it.
fn parse(text: &str, notation: Notation, problems: &mut Problems) -> Option<Node> {
    match notation {
        Notation::Yaml => yaml::read(text, problems),
        Notation::Toml => toml::read(text, problems),
    }
}

/// What the nodes mean, with what the environment overrides.
fn interpret(root: Option<&Node>, overrides: Option<&OsStr>, problems: &mut Problems) -> Document {
    let mut draft = keys::Draft::new();
    let mut values = Vec::new();
    if let Some(root) = root {
        read_sections(root, &mut draft, &mut values, problems);
    }
    let keys::Draft { mut config, console, reload, .. } = draft;
    if let Some(draft) = console {
        config.console = draft.enabled.then_some(draft.console);
    }
    if let Some(text) = overrides.filter(|text| !text.is_empty()) {
        match Overrides::read(text) {
            Ok(overrides) => config.overrides = overrides,
            Err(texts) => texts.into_iter().for_each(|text| problems.add_other(text)),
        }
    }
    if problems.is_empty()
        && let Err(error) = config.validate()
    {
        problems.add_general(error);
    }
    Document { config, values, reload }
}

/// The whole document is about logs, or its section `logging` is.
fn read_sections(
    root: &Node,
    draft: &mut keys::Draft,
    values: &mut Vec<(String, String)>,
    problems: &mut Problems,
) {
    let Some(entries) = kind::entries_of(root, "", problems) else { return };
    let table = keys::root();
    let Some(logging) = entries.iter().find(|entry| entry.key == LOGGING) else {
        if !entries.is_empty()
            && !entries.iter().any(|entry| table.knows(&entry.key) && entry.key != DATABASE)
        {
            problems.add_general(format_args!("the section {LOGGING:?} is missing"));
        }
        root.flatten("", values);
        canonical(values);
        table.read_into(entries, "", problems, draft, |_| false);
        draft.database.is_there = has_database(entries);
        let at = entries.iter().find(|entry| entry.key == DATABASE).map_or(root.at, |entry| entry.at);
        if draft.database.is_wanted() && !draft.database.has_address() {
            problems.add(at, DATABASE, "url is missing; a database's address is expected");
        } else {
            add_database((at, DATABASE), AddressDraft::default(), draft, problems);
        }
        return;
    };
    logging.node.flatten("", values);
    canonical(values);
    if let Some(inner) = kind::entries_of(&logging.node, LOGGING, problems) {
        table.read_into(inner, LOGGING, problems, draft, |_| false);
        draft.database.is_there = has_database(inner);
    }
    let mut address = None;
    for Entry { key, at, node } in entries {
        match key.as_str() {
            LOGGING => {}
            DATABASE => {
                let mut said = AddressDraft::default();
                let table = remotes::address();
                let before = problems.count();
                // The application has more to say of its database than is of use here.
                if let Some(inner) = kind::closed_entries_of(node, DATABASE, problems) {
                    table.read_into(inner, DATABASE, problems, &mut said, |_| true);
                    for entry in inner.iter().filter(|entry| table.knows(&entry.key)) {
                        entry.node.flatten(&joined(DATABASE, &entry.key), values);
                    }
                }
                address = Some((*at, said, problems.count() > before));
            }
            // Other sections are the application's, unless they look like a slip of the pen.
            _ => {
                let hint = did_you_mean(key, [LOGGING, DATABASE]);
                if !hint.is_empty() {
                    problems.add(*at, key, format_args!("the unknown section {key:?}{hint}"));
                }
            }
        }
    }
    match address {
        // What is wrong with it has been told.
        Some((_, _, true)) if !draft.database.has_address() => {}
        Some((at, address, _)) => add_database((at, DATABASE), address, draft, problems),
        None if draft.database.is_wanted() && !draft.database.has_address() => problems.add(
            logging.at,
            LOGGING,
            format_args!(
                "records are to go into a database, and the section {DATABASE:?} is missing; that, database.url or database.enabled: false is expected"
            ),
        ),
        None => add_database((logging.at, LOGGING), AddressDraft::default(), draft, problems),
    }
    // Services that keep their settings so know their console's lines so.
    if !draft.has_layout {
        let mut console = draft.console.take().unwrap_or_default();
        console.console.layout.get_or_insert_with(|| Pattern::classic().into());
        draft.console = Some(console);
    }
}

/// Whether these keys of the logs have a section of a database with anything in it.
fn has_database(entries: &[Entry]) -> bool {
    let says = |node: &Node| matches!(&node.value, Value::Table(entries) if !entries.is_empty());
    entries.iter().any(|entry| entry.key == DATABASE && says(&entry.node))
}

/// The sink for the database, if records are to go there.
fn add_database(
    (at, path): (At, &str),
    address: AddressDraft,
    draft: &mut keys::Draft,
    problems: &mut Problems,
) {
    let database = std::mem::take(&mut draft.database);
    if database.is_wanted() {
        match database.into_sink(address) {
            Ok(sink) => draft.config.sinks.push(sink),
            Err(problem) => problems.add(at, path, problem),
        }
    } else if database.is_disabled() {
        draft.config.notes.push("no records go into the database: database.enabled is false".to_owned());
    }
}

/// Keys by their first names, so that documents can be compared.
fn canonical(values: &mut [(String, String)]) {
    for (path, _) in values {
        for (alias, name) in
            [("components", "domains"), ("format", "layout"), ("console.min_level", "console.level")]
        {
            if let Some(rest) =
                path.strip_prefix(alias).filter(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
            {
                *path = format!("{name}{rest}");
            }
        }
    }
}

/// D1.
fn finish(mut document: Document, problems: Problems, lenient: bool) -> Result<Document, Error> {
    if !lenient && !problems.is_empty() {
        return Err(problems.into_error());
    }
    document.config.remarks.extend(problems.into_remarks());
    // Also where nothing is wrong so far: which domains there are is known when a repository is opened.
    document.config.is_lenient = lenient;
    document.config.other_crates.is_lenient = lenient;
    Ok(document)
}

/// A text of anybody's, in every notation: a mistake has its place, and is told in bounded words.
#[cfg(fuzzing)]
pub(crate) fn read_any(text: &str) {
    for notation in [Notation::Yaml, Notation::Toml] {
        for lenient in [false, true] {
            let mut problems = Problems::of("config");
            let root = parse(text, notation, &mut problems);
            let document = interpret(root.as_ref(), Some(OsStr::new(text)), &mut problems);
            match finish(document, problems, lenient) {
                Ok(document) => assert!(lenient || document.config.validate().is_ok()),
                Err(error) => assert!(!lenient && !error.to_string().is_empty()),
            }
        }
    }
}

/// See [`ConfigFile::schema`].
fn schema() -> Json {
    let logs = Json::reference(LOGGING);
    // The same keys at the top or in their section; beside the section other keys are the application's.
    let sections = Json::object([
        (LOGGING, logs.clone().with("description", Json::text("The logs of the application."))),
        (DATABASE, Json::of_type("object").with("properties", remotes::address().properties())),
    ]);
    let in_section =
        Json::of_type("object").with("required", Json::texts([LOGGING])).with("properties", sections);
    let definitions = Json::object([
        (kind::LEVEL, kind::LevelName::definition()),
        layouts::layout().definition(),
        (LOGGING, keys::root().schema()),
    ]);
    let about = "The configuration of miu-log: at the top of a document, or in its section `logging`.";
    Json::object([
        ("$schema", Json::text("http://json-schema.org/draft-07/schema#")),
        ("title", Json::text("miu-log")),
        ("description", Json::text(about)),
        ("anyOf", Json::List(vec![in_section, logs])),
        ("definitions", definitions),
    ])
}
