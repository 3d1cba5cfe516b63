//! The command line tool `miu-log`: what a service engineer asks of a log folder without stopping the service.
//!
//! C1. A command gives its whole output as one text, and its exit code. Only this file writes, so that a reader who went away
//!     is dealt with in one place: it is no error, and no panic.
//! C2. Text that others wrote is escaped before it is shown.
//!
//! - `status`: who has the folder, what the rings hold, what was left behind, what waits in spools.
//! - `recover`: brings what was left behind into the files.
//! - `pattern`: what a line looks like, or where the mistake in the pattern is.
//! - `schema`: the JSON Schema of configuration files.
//! - `text`: escaping and tables.

mod pattern;
mod recover;
mod status;
mod text;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use miu_log::ConfigFile;

/// What a command says, and how the program ends after it.
struct Outcome {
    text: String,
    code: u8,
}

/// Looks at what a service that logs with miu-log is doing, recovers what one has left, and tries out its configuration.
#[derive(Debug, Parser)]
#[command(name = "miu-log", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Shows who has a log folder open and what waits to be written.
    ///
    /// Shows the process that has the folder, the rings of its threads, and what earlier runs left that did not end
    /// properly; also what waits in the spools of remote sinks, and how many records their destinations have refused. It reads only: the
    /// service notices nothing.
    ///
    /// The rings are looked for where a service of this user, or of the folder's owner, puts them. Where the service has
    /// MIU_LOG_RUNTIME_DIR set, set it here too.
    #[command(
        after_help = "Exit codes:\n  0  a service has the folder\n  1  the folder cannot be looked at\n  \
                            2  wrong usage\n  3  nobody has the folder"
    )]
    Status {
        /// The folder with the log files.
        #[arg(default_value = "logs")]
        log_folder: PathBuf,
    },
    /// Brings what was left by runs that did not end properly into the log files.
    ///
    /// It does what the next start of the service would do, for a service that will not be started again. Files, their names and the
    /// layout of lines are those of that run. It is refused while a service has the folder; worker processes that are still running
    /// are left alone.
    ///
    /// What was left is looked for where a service of this user puts it. Where the service had MIU_LOG_RUNTIME_DIR set, set it
    /// here too.
    #[command(
        after_help = "Exit codes:\n  0  all that was left is in the files, or there was nothing\n  1  it cannot be \
                            recovered\n  2  wrong usage\n  3  a part of it could not be read"
    )]
    Recover {
        /// The folder with the log files.
        log_folder: PathBuf,
    },
    /// Checks the layout pattern of a line, and shows a sample line.
    ///
    /// The sample is written to a file and read back, as a service would write it, with the time of now. A mistake in the
    /// pattern is shown with its place.
    #[command(
        after_help = "Keys:\n  {time} {level} {level.no} {domain} {process} {thread} {pid} {tid} {module} {name}\n  \
                      {function} {file} {file.name} {line} {location} {message} {fields} {extra}\n  {extra[key]} or \
                      {extra[key]|default} for one field\n\nA key may be padded, as in {level:<8} or {thread:>12}; \
                      a time has a format, as in\n{time:YYYY-MM-DD HH:mm:ss.SSS} or {time:rfc3339}; a brace is written {{ \
                      or }}. Tags such as\n<red> and </red> are for the console.\n\nThe notation of Python's logging is read as \
                      well, and the names loguru, service,\nservice_console, toolbox and classic.\n\nExit codes:\n  0  the pattern is good\n  1  it is not, or no \
                      sample can be written\n  2  wrong usage"
    )]
    Pattern {
        /// The pattern, for example '{time} {level:<8} [{domain}] {message}{fields}'.
        #[arg(allow_hyphen_values = true)]
        pattern: String,
    },
    /// Checks a configuration file, in YAML or TOML.
    ///
    /// Every mistake in it is shown, with its place and what is accepted. Domains are not known here: a level for one that there is not shows when
    /// the service starts. MIU_LOG is looked at, as the service would do.
    #[command(after_help = "Exit codes:\n  0  the file is good\n  1  it is not\n  2  wrong usage")]
    Check {
        /// The file, such as config.yml.
        file: PathBuf,
    },
    /// Prints the JSON Schema of configuration files, for editors.
    Schema,
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Status { log_folder } => status::run(&log_folder),
        Command::Recover { log_folder } => recover::run(&log_folder),
        Command::Pattern { pattern } => pattern::run(&pattern),
        Command::Check { file } => check(&file),
        Command::Schema => Ok(Outcome { text: ConfigFile::schema(), code: 0 }),
    };
    match outcome.and_then(|Outcome { text, code }| show(&text).map(|()| code)) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            // Where stderr is gone as well there is nobody left to tell; the exit code remains.
            let _ = writeln!(io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// `miu-log check`.
fn check(file: &Path) -> anyhow::Result<Outcome> {
    // The text has lines of its own; what is in them is escaped where it was found.
    let _config = ConfigFile::new(file).load()?;
    Ok(Outcome { text: format!("{} is good\n", text::escaped(&file.to_string_lossy())), code: 0 })
}

fn show(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // Whoever read, as `head` does, has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.context("cannot write to stdout"),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::Cli;

    #[test]
    fn the_command_line_is_described_without_contradictions() {
        Cli::command().debug_assert();
    }
}
