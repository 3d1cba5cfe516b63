//! `miu-log pattern`: a sample line in a pattern of any notation (keys in braces, `%(name)s`, the name of a preset), or the place of the mistake in it.
//!
//! The sample goes the way of every record: a repository is opened on a temporary folder, and its file is read back.
//! Called by `main`.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, anyhow, bail};
use miu_log::testing::ManualListener;
use miu_log::{LogConfig, Pattern, PatternError, log_domains};

use crate::Outcome;
use crate::text::escaped;

/// The service that the sample pretends to be of.
#[log_domains(db)]
mod logs {}

/// How many names are tried for the temporary folder.
const NAMES: u32 = 100;

pub(crate) fn run(text: &str) -> anyhow::Result<Outcome> {
    let pattern: Pattern = text.parse().map_err(|error| anyhow!(pointed_out(text, &error)))?;
    Ok(Outcome { text: sample(pattern).context("cannot write a sample line")?, code: 0 })
}

/// The problem, and below it the pattern with a caret under the mistake.
fn pointed_out(text: &str, error: &PatternError) -> String {
    let before: String = text.chars().take(error.column() - 1).collect();
    // What is escaped is wider than it was.
    let indent = escaped(&before).chars().count();
    format!("{error}\n\n  {}\n  {:indent$}^", escaped(text), "")
}

fn sample(pattern: Pattern) -> anyhow::Result<String> {
    let folder = TemporaryFolder::new()?;
    let listener = ManualListener::new();
    listener
        .set_unix_time(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO));
    let config = LogConfig::new(&folder.path)
        .console(false)
        .level_files(false)
        .layout(pattern)
        .manual_listener(&listener);
    let repo = logs::Repository::open(config)?;
    miu_log::warning!(repo.db, rows = 12, user = "Ada L.", "query took {:.1} ms", 81.25);
    repo.shutdown();
    let path = folder.path.join("db.log");
    let line = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path:?}"))?;
    if line.is_empty() {
        bail!("the record was not written to {path:?}");
    }
    Ok(line)
}

/// A folder for this process alone, removed when the value is dropped.
struct TemporaryFolder {
    path: PathBuf,
}

impl TemporaryFolder {
    fn new() -> anyhow::Result<TemporaryFolder> {
        let parent = std::env::temp_dir();
        for number in 0..NAMES {
            let path = parent.join(format!("miu-log-pattern-{}-{number}", std::process::id()));
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(TemporaryFolder { path }),
                // Anybody may have made a folder of this name; it is not used, whoever it was.
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error).with_context(|| format!("cannot make the folder {path:?}")),
            }
        }
        bail!("cannot make a folder in {parent:?}: {NAMES} names of this process are taken")
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        // The folder is in the system's place for what may be removed at any time.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_caret_stands_under_the_mistake_also_behind_escaped_text() {
        let text = "é\u{1b}{lvl}";
        let shown = pointed_out(text, &Pattern::parse(text).unwrap_err());
        assert!(shown.ends_with("\n  é\\u{1b}{lvl}\n   ^"), "{shown}");
        // A tab is no mistake, and two characters wide when it is escaped.
        let text = "\t{lvl}";
        let shown = pointed_out(text, &Pattern::parse(text).unwrap_err());
        assert!(shown.ends_with("\n  \\t{lvl}\n     ^"), "{shown}");
        let shown = pointed_out("é {time} {lvl}", &Pattern::parse("é {time} {lvl}").unwrap_err());
        assert!(shown.ends_with("\n  é {time} {lvl}\n            ^"), "{shown}");
    }

    #[test]
    fn a_sample_is_one_line_in_the_pattern() {
        let line = sample(Pattern::parse("{level}|{domain}|{thread}|{message}{fields}").unwrap()).unwrap();
        assert!(
            line.starts_with("WARNING|db|")
                && line.ends_with("|query took 81.2 ms | rows=12 user=\"Ada L.\"\n")
        );
    }

    #[test]
    fn a_temporary_folder_is_for_its_owner_alone_and_goes_with_its_value() {
        let (first, second) = (TemporaryFolder::new().unwrap(), TemporaryFolder::new().unwrap());
        assert_ne!(first.path, second.path);
        std::fs::write(first.path.join("db.log"), "").unwrap();
        let path = first.path.clone();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        drop(first);
        // Another test may have made a folder of the same name since.
        assert!(!path.join("db.log").exists());
    }

    #[test]
    fn every_notation_has_its_sample() {
        for (text, ends) in [
            ("service", " | query took 81.2 ms | rows=12 user=\"Ada L.\"\n"),
            ("%(levelname)s - %(message)s", "WARNING - query took 81.2 ms | rows=12 user=\"Ada L.\"\n"),
            ("<red>{level: <8}</red>|{extra[user]}|{message}", "WARNING |\"Ada L.\"|query took 81.2 ms\n"),
        ] {
            let line = run(text).unwrap().text;
            assert!(line.ends_with(ends), "{line}");
        }
        assert!(run("").err().unwrap().to_string().contains("no {message}"));
        let unknown = run("%(message)s %(levelnam)s").err().unwrap().to_string();
        assert!(
            unknown.contains("did you mean %(levelname)s?") && unknown.ends_with("\n              ^"),
            "{unknown}"
        );
    }
}
