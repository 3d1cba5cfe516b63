//! A configuration file that is read again while the program runs.
//!
//! H1. A new state of the file is taken as a whole or not at all: what is wrong changes nothing, and the last good state stays in force.
//!     An empty file is wrong as well: it is what a full disk or a slip leaves, and nobody means the defaults by it.
//! H2. What changes is what the file says differently than before. A level that the program has set since stays, unless the file changes that very level:
//!     that of all domains is another one.
//! H3. Every outcome is a record. The same one is told once, however often the file is touched.
//! H4. A state is read when two looks in a row have seen it, a second apart: what an editor has written half of is not at rest. SIGHUP has it read at once.
//!
//! The listener calls it once a second; one `stat` is all that costs while nothing changes.

use std::ffi::OsString;
use std::sync::Arc;

use super::document::{ConfigFile, Document, LIVE, Source, Stamp};
use super::levels::{Levels, VARIABLE};
use super::{AnySink, LogConfig};
use crate::domain::DomainSpec;
use crate::error::Error;
use crate::filter::LevelSet;
use crate::level::Level;
use crate::listener::Upkeep;
use crate::queue::Queue;
use crate::router::Router;

/// What the console is called among the sinks.
pub(crate) const CONSOLE: &str = "console";

/// What a configuration says of everything that can be changed while the program runs.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    levels: Levels,
    debug_enabled: bool,
    console: Option<Level>,
}

impl Said {
    pub(crate) fn by(config: &LogConfig) -> Said {
        Said {
            levels: config.levels(),
            debug_enabled: config.debug_enabled,
            console: config.console.as_ref().map(|console| console.min_level),
        }
    }
}

/// Reads the file again.
pub(crate) struct Reloader {
    file: ConfigFile,
    queue: Arc<Queue>,
    specs: &'static [DomainSpec],
    /// The value of `MIU_LOG`, as it was at the start.
    overrides: Option<OsString>,
    /// The state that has been read.
    stamp: Stamp,
    /// Another one, which has been seen once.
    seen: Option<Stamp>,
    /// What the last good state said.
    said: Said,
    values: Vec<(String, String)>,
    /// What was said at the start: what only the next start looks at is in force as it is here.
    running: Vec<(String, String)>,
    /// What was last told of a bad one.
    told: Option<String>,
    is_on: bool,
}

impl Reloader {
    pub(crate) fn new(source: Source, queue: Arc<Queue>, specs: &'static [DomainSpec]) -> Reloader {
        let Source { file, stamp, values, said, overrides } = source;
        // What is wrong at a start may be forgiven; nobody needs that of a program that runs.
        let file = file.lenient(false);
        let running = values.clone();
        Reloader {
            file,
            queue,
            specs,
            overrides,
            stamp,
            seen: None,
            said,
            values,
            running,
            told: None,
            is_on: true,
        }
    }

    /// Reads the file and does what it says.
    fn read(&mut self, router: &mut Router) -> Option<(Level, String)> {
        let lookup = |name: &str| self.overrides.clone().filter(|_| name == VARIABLE);
        let document = self.file.read(&lookup).and_then(|document| {
            if document.values.is_empty() && !self.values.is_empty() {
                let path = self.file.path().display();
                return Err(Error::config(format!("{path}: the file is empty, or says nothing")));
            }
            let levels = Said::by(&document.config).levels.of(self.specs)?;
            // H1: also what only the next start would look at.
            document.config.other_crates.check(self.specs)?;
            for file in document.config.sinks.iter().filter_map(AnySink::as_file) {
                file.choice().filter(self.specs).map_err(|problem| file.wrong(problem))?;
            }
            Ok((document, levels))
        });
        let path = self.file.path().display().to_string();
        match document {
            Ok((document, levels)) => {
                let was_bad = self.told.take().is_some();
                let mut text = self.apply(document, &levels, router);
                if text.is_empty() {
                    if !was_bad {
                        return None;
                    }
                    "nothing has changed".clone_into(&mut text);
                }
                Some((Level::Info, format!("configuration read again from {path}: {text}")))
            }
            Err(error) => {
                let error = error.to_string().replace('\n', "; ");
                if self.told.as_ref() == Some(&error) {
                    return None;
                }
                let text = format!("configuration not changed, the former one stays in force: {error}");
                self.told = Some(error);
                Some((Level::Warning, text))
            }
        }
    }

    /// Does what can be done while the program runs. What has changed, and what will with the next start.
    fn apply(&mut self, document: Document, levels: &[Level], router: &mut Router) -> String {
        let said = Said::by(&document.config);
        let mut changes = Vec::new();
        let before = self.said.levels.of(self.specs).unwrap_or_default();
        for (number, (spec, level)) in (0..).zip(self.specs.iter().zip(levels)) {
            let before = before.get(usize::from(number)).unwrap_or(level);
            if before == level {
                continue;
            }
            let present = self.queue.level(number);
            // H2. The level of all domains is not that of this one, where the program has set another.
            let is_named = [&self.said, &said].into_iter().any(|said| said.levels.name(spec.name));
            if present == *level {
                // For good, where it was for a limited time.
                self.queue.set_level(number, *level);
                changes.push(format!("level of {} is {level} already", spec.name));
            } else if present == *before || is_named {
                self.queue.set_level(number, *level);
                changes.push(format!("level of {} {present} -> {level}", spec.name));
            } else {
                changes.push(format!("level of {} stays {present}, which the program has set", spec.name));
            }
        }
        let overridden = self.said.levels.overridden(&said.levels, self.specs);
        if !overridden.is_empty() {
            changes.push(format!("{VARIABLE} overrides the level of {}", overridden.join(", ")));
        }
        if self.said.debug_enabled != said.debug_enabled {
            self.queue.set_debug_enabled(said.debug_enabled);
            changes.push(format!("debug_enabled {} -> {}", self.said.debug_enabled, said.debug_enabled));
        }
        if let (Some(before), Some(level)) = (self.said.console, said.console)
            && before != level
        {
            router.set_levels(CONSOLE, LevelSet::from(level));
            changes.push(format!("level of the console {before} -> {level}"));
        }
        // What the file has said before is not told again.
        let (restart, as_it_runs): (Vec<&str>, Vec<&str>) = keys_that_differ(&self.values, &document.values)
            .into_iter()
            .partition(|key| keys_that_differ(&self.running, &document.values).contains(key));
        if !restart.is_empty() {
            changes.push(format!("needs a restart: {}", restart.join(", ")));
        }
        if !as_it_runs.is_empty() {
            changes.push(format!("as it runs again, without a restart: {}", as_it_runs.join(", ")));
        }
        if !document.reload && self.is_on {
            changes.push("changes are not looked for any more".to_owned());
        }
        self.is_on = document.reload;
        self.said = said;
        self.values = document.values;
        changes.join("; ")
    }
}

/// The keys of which two documents say something else, but for those that can be changed while the program runs.
fn keys_that_differ<'a>(old: &'a [(String, String)], new: &'a [(String, String)]) -> Vec<&'a str> {
    let mut keys = Vec::new();
    let gone = old.iter().filter(|value| !new.contains(value));
    for (path, _) in gone.chain(new.iter().filter(|value| !old.contains(value))) {
        // The first part says enough: `sinks[2].file` is one of the sinks.
        let top = path.split(['.', '[']).next().unwrap_or(path);
        let is_live = LIVE
            .iter()
            .any(|live| path.strip_prefix(live).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')));
        if !is_live && !keys.contains(&top) {
            keys.push(top);
        }
    }
    keys
}

impl Upkeep for Reloader {
    fn look(&mut self, at_once: bool, router: &mut Router) -> Vec<(Level, String)> {
        let stamp = Stamp::of(self.file.path());
        if !self.is_on || stamp == self.stamp {
            self.seen = None;
            return Vec::new();
        }
        if !at_once && self.seen != Some(stamp) {
            self.seen = Some(stamp);
            return Vec::new();
        }
        self.seen = None;
        self.stamp = stamp;
        self.read(router).into_iter().collect()
    }
}
