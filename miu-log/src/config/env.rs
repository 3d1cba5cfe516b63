//! A service's configuration from its environment: `RUN_ENVIRONMENT` and its siblings.
//!
//! V1. Nothing but what `lookup` gives is looked at: the whole of it is a function from variables to a configuration or to all that is wrong with them.
//! V2. Whatever is wrong is told at once, each with the variable, its value and what is accepted.
//!
//! Called by programs; `child` gives a child process a name of its own.

mod child;

use std::ffi::OsString;
use std::panic::Location;

use super::document::database_at;
use super::levels::{self, Overrides};
use super::select::did_you_mean;
use super::{AnySink, Console, File, LogConfig};
use crate::error::Error;
use crate::layout::Pattern;
use crate::level::Level;
use crate::notice::last_words;
use crate::rotate::naming::check_app;
use crate::rotate::{Compression, Retention, Rotation, words};

pub use child::CommandExt;

/// What a program exits with whose configuration is wrong: `EX_CONFIG` of the system's `sysexits.h`.
const EX_CONFIG: i32 = 78;

const NAME_APP: &str = "NAME_APP";
const RUN_ENVIRONMENT: &str = "RUN_ENVIRONMENT";
const PATH_TO_LOGS: &str = "PATH_TO_LOGS";
const LOG_MAX_SIZE: &str = "LOG_MAX_SIZE";
const LOG_MAX_FILES: &str = "LOG_MAX_FILES";
const LOG_DATABASE_URL: &str = "LOG_DATABASE_URL";
/// Of another ecosystem, and not looked at.
const NODE_ENV: &str = "NODE_ENV";

/// Default of `LOG_MAX_SIZE`: 5 MB.
const DEFAULT_SIZE: u64 = 5_000_000;
/// Below it a file has a few lines: somebody has left out the unit.
const SMALLEST_SIZE: u64 = 1024;
/// Digits of the largest number of bytes that a file can have.
const LONGEST_NUMBER: usize = 19;
/// Default of `LOG_MAX_FILES`.
const DEFAULT_FILES: usize = 5;
/// More rotated files than anybody wants to look through.
const MOST_FILES: usize = 1_000_000;

/// How a service runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Development,
    Testing,
    Production,
}

impl Mode {
    const ALL: [(&str, Mode); 3] =
        [("development", Mode::Development), ("testing", Mode::Testing), ("production", Mode::Production)];
}

impl LogConfig {
    /// The configuration that the environment says. Where it says something wrong the program ends here: each mistake is a CRITICAL line on stderr that names the
    /// variable, its value and what is accepted, and the exit code is 78.
    ///
    /// | variable | says | |
    /// | --- | --- | --- |
    /// | `NAME_APP` | the service's name: its file is `{NAME_APP}.log` | needed |
    /// | `RUN_ENVIRONMENT` | `development`, `testing` or `production` | needed |
    /// | `PATH_TO_LOGS` | the log folder | needed but for development |
    /// | `LOG_MAX_SIZE` | the file is rotated before it grows past this: `5 MB`, `5 MiB`, or a number of bytes; under 1 KiB a WARNING asks for the unit | default `5 MB` |
    /// | `LOG_MAX_FILES` | so many rotated files are kept beside the current one | default 5 |
    /// | `LOG_DATABASE_URL` | records go into a table of this database as well, `sqlite:<path>` or `postgres://user:password@host:5432/name`; it is never shown | default none |
    /// | `MIU_LOG` | levels that have the last word: `info,db=debug` | default none |
    ///
    /// | | `development` | `testing` | `production` |
    /// | --- | --- | --- | --- |
    /// | console | [`Pattern::service_console`] | [`Pattern::service`] | none |
    /// | file | none, and nothing in shared memory | [`Pattern::service`] | [`Pattern::service`] |
    /// | lowest level | DEBUG | INFO | INFO |
    /// | rotation and retention | | as the variables say | as the variables say |
    /// | worker processes can join | no | yes | yes |
    ///
    /// The database of `LOG_DATABASE_URL` is a sink beside those of the program, under the name `database`. It takes the place of none: if the program adds one of that name as well,
    /// `open` says so, and [`Remote::named`](crate::Remote::named) gives the program's another.
    ///
    /// An optional variable that is set to nothing counts as not set. The file holds the records of all domains; rotated files are not compressed. Files per
    /// domain and per level beside it are one option away: `.domain_files(true)` gives `orders.db.log`, `.level_files(true)` gives `orders.error.log`. Several services
    /// may log into one folder, each under its own name ([`isolated`](LogConfig::isolated)); a second process of the same name is an error of `open`.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use miu_log::{LogConfig, log_domains};
    ///
    /// #[log_domains(app, db)]
    /// mod logs {}
    ///
    /// let repo = logs::Repository::open(LogConfig::from_env())?;
    /// # Ok::<(), miu_log::Error>(())
    /// ```
    #[track_caller]
    pub fn from_env() -> LogConfig {
        let problems = match read(&|name| std::env::var_os(name)) {
            Ok(config) => return config,
            Err(problems) => problems,
        };
        last_words(Level::Critical.as_str(), Location::caller(), &problems);
        std::process::exit(EX_CONFIG)
    }

    /// The same, for libraries and tests: the program goes on.
    ///
    /// # Errors
    ///
    /// When a variable is missing or says something wrong: a line for each of them.
    pub fn try_from_env() -> Result<LogConfig, Error> {
        read(&|name| std::env::var_os(name)).map_err(|problems| Error::config(problems.join("\n")))
    }
}

/// Where variables come from.
type Lookup<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// The configuration that these variables say, or all that is wrong with them.
fn read(lookup: Lookup<'_>) -> Result<LogConfig, Vec<String>> {
    let mut variables = Variables { lookup, problems: Vec::new() };
    let app = variables.app();
    let mode = variables.mode();
    let folder = variables.given(PATH_TO_LOGS);
    if folder.is_none() && matches!(mode, Some(Mode::Testing | Mode::Production)) {
        variables
            .missing(PATH_TO_LOGS, "the folder for the log files is expected, such as \"/var/log/orders\"");
    }
    let size = variables.size();
    let files = variables.files();
    let database = variables.database();
    let overrides = variables.overrides();
    let (Some(app), Some(mode), true) = (app, mode, variables.problems.is_empty()) else {
        return Err(variables.problems);
    };
    let mut config = match (mode, folder) {
        (Mode::Testing | Mode::Production, Some(folder)) => LogConfig::new(folder)
            .level(Level::Info)
            .isolated(true)
            .domain_files(false)
            .level_files(false)
            .domain_file_name("{app}.{domain}.log")
            .level_file_name("{app}.{level}.log")
            .sink(File::new("{app}.log"))
            .layout(Pattern::service())
            .console((mode == Mode::Testing).then(Console::stdout))
            .rotation(Rotation::Size(size))
            .retention(Retention::Count(files))
            .compression(Compression::None),
        _ => LogConfig::console_only().level(Level::Debug).layout(Pattern::service_console()),
    };
    config.overrides = overrides;
    config.sinks.extend(database);
    if config.has_folder && size < SMALLEST_SIZE {
        config.remarks.push(format!(
            "the environment variable {LOG_MAX_SIZE} is {size} bytes: every few records make a file of their own; is a unit missing, as in \"5 MB\"?"
        ));
    }
    Ok(config.app(app))
}

/// Variables on their way, and what has been found to be wrong with them.
struct Variables<'a> {
    lookup: Lookup<'a>,
    problems: Vec<String>,
}

impl Variables<'_> {
    /// What a variable says, unless that is nothing.
    fn given(&self, name: &str) -> Option<OsString> {
        (self.lookup)(name).filter(|value| !value.is_empty())
    }

    fn missing(&mut self, name: &str, expected: &str) {
        let state = if (self.lookup)(name).is_some() { "empty" } else { "missing" };
        self.problems.push(format!("the environment variable {name} is {state}; {expected}"));
    }

    /// The value as text; a value that is none is told.
    fn text(&mut self, name: &str) -> Option<String> {
        let value = self.given(name)?.into_string();
        value
            .map_err(|value| {
                let text = format!("the environment variable {name} is {value:?}, which is no UTF-8");
                self.problems.push(text);
            })
            .ok()
    }

    /// What a variable says that is needed.
    fn needed(&mut self, name: &str, expected: &str) -> Option<String> {
        if self.given(name).is_none() {
            self.missing(name, expected);
        }
        self.text(name)
    }

    fn app(&mut self) -> Option<String> {
        let app = self.needed(NAME_APP, "the service's name is expected, such as \"orders\"")?;
        match check_app(&app) {
            Ok(()) => Some(app),
            Err(problem) => {
                self.problems.push(format!("the environment variable {NAME_APP} is {problem}"));
                None
            }
        }
    }

    fn mode(&mut self) -> Option<Mode> {
        let names = Mode::ALL.map(|(name, _)| name);
        let mut expected = "accepted are development, testing and production".to_owned();
        if self.given(RUN_ENVIRONMENT).is_none() && self.given(NODE_ENV).is_some() {
            expected.push_str(" (NODE_ENV is set, and not looked at)");
        }
        let given = self.needed(RUN_ENVIRONMENT, &expected)?;
        let found = Mode::ALL.into_iter().find(|(name, _)| *name == given);
        if found.is_none() {
            let lower = given.trim().to_ascii_lowercase();
            let begins = names.into_iter().find(|name| lower.len() > 2 && name.starts_with(&*lower));
            let hint = match begins {
                Some(name) => format!("; did you mean {name:?}?"),
                None => did_you_mean(&lower, names),
            };
            self.problems.push(format!(
                "the environment variable {RUN_ENVIRONMENT} is {given:?}{hint}; {expected}, written so"
            ));
        }
        found.map(|(_, mode)| mode)
    }

    fn size(&mut self) -> u64 {
        let Some(given) = self.text(LOG_MAX_SIZE) else { return DEFAULT_SIZE };
        // A number that no word of the machine holds is not one that cannot be understood.
        let digits = given.trim().trim_start_matches('0');
        if digits.len() > LONGEST_NUMBER && digits.bytes().all(|byte| byte.is_ascii_digit()) {
            let shown: String = digits.chars().take(64).collect();
            self.problems.push(format!(
                "the environment variable {LOG_MAX_SIZE} is {shown:?}: no file can be so large; a size such as \"5 MB\" is expected"
            ));
            return DEFAULT_SIZE;
        }
        words::size(&given).unwrap_or_else(|problem| {
            self.problems.push(format!("the environment variable {LOG_MAX_SIZE} is {problem}"));
            DEFAULT_SIZE
        })
    }

    fn files(&mut self) -> usize {
        let Some(given) = self.text(LOG_MAX_FILES) else { return DEFAULT_FILES };
        match given.trim().parse() {
            Ok(files) if (1..=MOST_FILES).contains(&files) => files,
            _ => {
                self.problems.push(format!(
                    "the environment variable {LOG_MAX_FILES} is {given:?}; a whole number from 1 to {MOST_FILES} is expected: so many \
                     rotated files are kept"
                ));
                DEFAULT_FILES
            }
        }
    }

    /// The sink for the database, of whose address nothing is told.
    fn database(&mut self) -> Option<AnySink> {
        let given = self.given(LOG_DATABASE_URL)?.into_string();
        let sink = given.map_err(|_| "no UTF-8".to_owned()).and_then(|url| database_at(url.into()));
        sink.map_err(|problem| {
            self.problems
                .push(format!("the environment variable {LOG_DATABASE_URL} is not accepted: {problem}"));
        })
        .ok()
    }

    fn overrides(&mut self) -> Overrides {
        let Some(given) = self.given(levels::VARIABLE) else { return Overrides::default() };
        Overrides::read(&given).unwrap_or_else(|problems| {
            self.problems.extend(problems);
            Overrides::default()
        })
    }
}

#[cfg(test)]
mod tests;
