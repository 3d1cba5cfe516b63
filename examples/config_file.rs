//! A service that a file sets up, and that takes up a change of its levels while it runs; and one that makes its configuration of settings of its own.
//!
//! ```sh
//! cargo run --example config_file
//! MIU_LOG=info,db=debug cargo run --example config_file
//! ```
//!
//! `config.schema.json` beside this file is the schema of such files, for editors: `cargo run -p miu-log-cli -- schema` prints it.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::fs;
use std::time::{Duration, Instant};

use miu_log::{Level, LogConfig, log_domains};
use miu_log_examples::tree;

/// The areas of the service.
#[log_domains(app, db)]
pub mod logs {}

/// The same keys would do in TOML, and in a section `logging` of an application's own file.
const CONFIG: &str = r#"# yaml-language-server: $schema=config.schema.json
folder: logs
level: info
domains:
  db: warning
console: {stream: stderr, level: error}
level_files: false
rotation: [10 MB, "00:00"]
retention: [20 files, 90 days]
sinks:
  - file: "errors_{time:YYYY-MM-DD}.log"
    level: error
    layout: json
"#;

/// What a program has that reads its settings itself.
struct Settings {
    folder: &'static str,
    verbose: bool,
}

impl From<&Settings> for LogConfig {
    fn from(settings: &Settings) -> LogConfig {
        let level = if settings.verbose { Level::Debug } else { Level::Info };
        LogConfig::new(settings.folder).level(level).console(false).level_files(false)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let flush = Duration::from_secs(5);

    // Every mistake is told at once, with its place and what is accepted.
    fs::write("wrong.yml", "lvel: info\nconsole: {colour: sometimes}\nrotation: often\n")?;
    if let Err(error) = LogConfig::from_file("wrong.yml") {
        println!("{error}\n");
    }

    fs::write("config.yml", CONFIG)?;
    let repo = logs::Repository::open(LogConfig::from_file("config.yml")?)?;
    miu_log::info!(repo.db, "not taken: db is at warning");
    miu_log::error!(repo.db, rows = 12, "query failed");

    // Somebody edits the file: within two seconds the levels are what it says.
    fs::write("config.yml", CONFIG.replace("db: warning", "db: debug"))?;
    let patience = Instant::now();
    while repo.db.level() != Level::Debug && patience.elapsed() < Duration::from_secs(60) {
        std::thread::park_timeout(Duration::from_millis(10));
    }
    miu_log::debug!(repo.db, "taken: db is at debug");
    repo.flush(flush)?;
    drop(repo);
    print!("{}", tree("logs".as_ref())?);

    let settings = Settings { folder: "own", verbose: true };
    let repo = logs::Repository::open(LogConfig::from(&settings))?;
    miu_log::debug!(repo.app, "set up by settings of the program's own");
    repo.flush(flush)?;
    print!("{}", tree("own".as_ref())?);
    Ok(())
}
