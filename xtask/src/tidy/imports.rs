//! Who may import whom inside miu-log, and what may be named of the standard library.
//!
//! Modules give no compiler barrier, so the layers are held here: [`LAYERS`] and [`GUARDED`] are the
//! whole policy. Paths are resolved through `use` items, aliases and re-exports, so that
//! `use crate::Sink` counts as `crate::sink`. Tests may reach across layers.

use std::collections::BTreeMap;

use crate::tidy::Finding;
use crate::tidy::paths::{Named, imports, mentions};
use crate::tidy::source::Source;

/// The folder that the layers are about.
const LIBRARY: &str = "miu-log/src/";

/// The module whose file has another name, as its `#[path]` says.
const RENAMED: (&str, &str) = ("private", "__private");

/// The only module that names the standard library's atomics.
const ATOMICS: &str = "sync";

/// What a module may name of its siblings.
enum May {
    /// Nothing of the library but itself and these.
    Only(&'static [&'static str]),
    /// Everything but these.
    AllBut(&'static [&'static str]),
}

/// A module (with all inside it), what it may name, and the reason.
///
/// `sink::*` stands for every module inside `sink`, and not for `sink` itself.
struct Layer {
    who: &'static str,
    may: May,
    because: &'static str,
}

/// What is above the caller's half: everything between a ring and a file.
const LISTENERS_HALF: &[&str] = &["listener", "router", "filter", "layout", "sink", "rotate"];

const LAYERS: &[Layer] = &[
    Layer { who: "sync", may: May::Only(&[]), because: "it is the floor that everything stands on" },
    Layer { who: "ring", may: May::Only(&["failpoint", "sync"]), because: "the ring knows bytes only" },
    Layer {
        who: "failpoint",
        may: May::Only(&["notice", "sync"]),
        because: "a step can be anywhere, so it stands on nothing",
    },
    Layer { who: "folder", may: May::Only(&[]), because: "opening files safely needs nothing of the crate" },
    Layer { who: "notice", may: May::Only(&[]), because: "a notice has to work whatever else fails" },
    Layer {
        who: "own_thread",
        may: May::Only(&["sync"]),
        because: "any part of the logger may ask whose thread it is on",
    },
    Layer {
        who: "clock",
        may: May::Only(&["record", "ring", "sync"]),
        because: "the clock knows the unit of a record's time and nothing else of records",
    },
    Layer { who: "level", may: May::Only(&[]), because: "a level is a plain value" },
    Layer {
        who: "codec",
        may: May::AllBut(&["listener", "router", "sink", "layout", "logger", "queue", "ring", "config"]),
        because: "the wire format knows neither end",
    },
    Layer {
        who: "template",
        may: May::AllBut(&["listener", "router", "sink", "layout", "logger", "queue", "ring", "config"]),
        because: "rendering works on decoded values alone",
    },
    Layer {
        who: "record",
        may: May::AllBut(&["listener", "router", "sink", "layout", "logger", "queue", "ring", "config"]),
        because: "a record is plain data",
    },
    Layer { who: "bridge", may: May::AllBut(LISTENERS_HALF), because: CALLERS_HALF },
    Layer { who: "callsite", may: May::AllBut(LISTENERS_HALF), because: CALLERS_HALF },
    Layer { who: "context", may: May::AllBut(LISTENERS_HALF), because: CALLERS_HALF },
    Layer { who: "domain", may: May::AllBut(LISTENERS_HALF), because: CALLERS_HALF },
    Layer { who: "encode", may: May::AllBut(LISTENERS_HALF), because: CALLERS_HALF },
    Layer { who: "logger", may: May::AllBut(LISTENERS_HALF), because: CALLERS_HALF },
    Layer { who: "message", may: May::AllBut(LISTENERS_HALF), because: CALLERS_HALF },
    Layer { who: "queue", may: May::AllBut(LISTENERS_HALF), because: CALLERS_HALF },
    Layer {
        who: "listener",
        may: May::AllBut(&["sink::*", "logger", "encode", "message"]),
        because: "the listener gives batches to the router and never knows where they go",
    },
    Layer {
        who: "router",
        may: May::AllBut(&["ring", "queue", "logger", "encode", "message", "listener", "sink::*"]),
        because: "the router sees decoded records and the `Sink` trait",
    },
    Layer {
        who: "filter",
        may: May::AllBut(&["ring", "queue", "logger", "encode", "message", "listener", "sink", "router"]),
        because: "a filter decides on a record alone",
    },
    Layer {
        who: "layout",
        may: May::AllBut(&[
            "ring", "queue", "logger", "encode", "message", "listener", "router", "sink", "config",
        ]),
        because: "a layout turns a record into text and knows nothing else",
    },
    Layer {
        who: "zone",
        may: May::Only(&["error", "record"]),
        because: "a zone is arithmetic on points in time, for lines and for rotation alike",
    },
    Layer {
        who: "inspect",
        may: May::Only(&[
            "error",
            "ring::segment",
            "runtime",
            "sink::outbox::dead_letters",
            "sink::outbox::spool::tally",
        ]),
        because: "it looks at files from outside: it has no queue, no listener and no sink",
    },
    Layer {
        who: "rotate",
        may: May::AllBut(&["ring", "queue", "logger", "listener", "router", "sink", "config"]),
        because: "the rotation policy is pure",
    },
    Layer {
        who: "maintenance",
        may: May::AllBut(&[
            "ring", "queue", "logger", "encode", "message", "listener", "router", "sink", "config",
        ]),
        because: "the upkeep sees names and files, and neither records nor who writes them",
    },
    Layer {
        who: "metrics",
        may: May::Only(&["level", "notice", "sink", "stats"]),
        because: "it tells counters to others and has a part in none of them",
    },
    Layer {
        who: "redact",
        may: May::Only(&["sync"]),
        because: "what is a secret is decided on a name or a text alone, also by the macros",
    },
    Layer { who: "secret", may: May::Only(&[]), because: "what must not be shown is given to nobody" },
    Layer {
        who: "sink",
        may: May::AllBut(&["ring", "queue", "logger", "encode", "message", "listener"]),
        because: "a sink only delivers a batch",
    },
    Layer {
        who: "sink::*",
        may: May::AllBut(&["sink::console", "sink::file", "sink::outbox", "router"]),
        because: "a sink never names another sink, but for the queue that any may stand on",
    },
];

const CALLERS_HALF: &str = "the caller's half ends at the ring";

/// A module that few may name, and who those are. `crate` is the root, `lib.rs`.
struct Guarded {
    what: &'static str,
    by: &'static [&'static str],
    because: &'static str,
}

const GUARDED: &[Guarded] = &[
    Guarded {
        what: "__private",
        by: &["crate"],
        because: "it is there for expansions, and for nothing else",
    },
    Guarded {
        what: "config::document",
        by: &["crate", "config", "fuzz"],
        because: "a document is a matter of the configuration: everything else sees a `LogConfig`",
    },
    Guarded {
        what: "listener",
        by: &["crate", "config", "lifecycle", "repository", "testing", "fuzz"],
        because: "only the repository and its set-up wire both halves",
    },
    Guarded {
        what: "sink::*",
        // `inspect` knows what their files look like, and no sink: see its layer.
        by: &["crate", "config", "inspect", "repository", "sink", "testing"],
        because: "only the repository and its set-up choose concrete sinks",
    },
];

/// Checks every file of the library against both tables, and the use of raw atomics.
pub(crate) fn check(sources: &BTreeMap<String, Source>, findings: &mut Vec<Finding>) {
    let mut library = Library::default();
    for (path, source) in sources {
        if let Some(module) = module_of(path) {
            library.add(module, source);
        }
    }
    for (path, source) in sources {
        let Some(module) = module_of(path) else { continue };
        for (position, absolute) in library.paths(&module, source) {
            let line = source.line_of(position);
            if source.is_test(line) {
                continue;
            }
            if module.first().is_none_or(|first| first != ATOMICS)
                && let [root, sync, atomic, ..] = absolute.as_slice()
                && (root == "std" || root == "core")
                && sync == "sync"
                && atomic == "atomic"
            {
                let message = "raw atomics are named in sync only, so that the models can replace them: use `crate::sync`";
                findings.push(Finding::error(path, line, message));
            }
            if absolute.first().is_some_and(|root| root == "crate") {
                let target = library.target(&absolute);
                if let Some(message) = verdict(&module, &target) {
                    findings.push(Finding::error(path, line, message));
                }
            }
        }
    }
}

/// What is wrong with this module naming that one, if anything is.
fn verdict(module: &[String], target: &[String]) -> Option<String> {
    if target.is_empty() {
        // Something that the root itself defines.
        return None;
    }
    let (from, to) = (shown(module), shown(target));
    for Layer { who, may, because } in LAYERS {
        let Some(subject) = subject(who, module) else { continue };
        if target.starts_with(subject) {
            // A module and its own parts know each other.
            continue;
        }
        let broken = match may {
            May::Only(allowed) => !allowed.iter().any(|pattern| matches(pattern, target)),
            May::AllBut(forbidden) => forbidden.iter().any(|pattern| matches(pattern, target)),
        };
        if broken {
            return Some(format!("`{from}` may not name `{to}`: {because}"));
        }
    }
    for Guarded { what, by, because } in GUARDED {
        let inside = subject(what, target).is_some_and(|subject| module.starts_with(subject));
        if matches(what, target) && !inside && !by.iter().any(|pattern| matches(pattern, module)) {
            return Some(format!("`{from}` may not name `{to}`: {because} ({} may)", by.join(", ")));
        }
    }
    None
}

/// Whether a module is what a pattern says, or inside it.
fn matches(pattern: &str, module: &[String]) -> bool {
    if pattern == "crate" { module.is_empty() } else { subject(pattern, module).is_some() }
}

/// The part of a module's path that a pattern speaks of: for `sink::*` and `sink::file::open`, `sink::file`.
fn subject<'a>(pattern: &str, module: &'a [String]) -> Option<&'a [String]> {
    let parts: Vec<&str> = pattern.split("::").collect();
    let fits = module.len() >= parts.len()
        && parts.iter().zip(module).all(|(&part, name)| part == "*" || part == name.as_str());
    fits.then(|| &module[..parts.len()])
}

fn shown(module: &[String]) -> String {
    if module.is_empty() { "crate".to_owned() } else { module.join("::") }
}

/// The module that a file is, as the path below the root: none for files outside the library.
fn module_of(path: &str) -> Option<Vec<String>> {
    let inside = path.strip_prefix(LIBRARY)?.strip_suffix(".rs")?;
    let mut module: Vec<String> = inside.split('/').map(str::to_owned).collect();
    if matches!(module.last().map(String::as_str), Some("mod" | "lib")) {
        module.pop();
    }
    if module == [RENAMED.0] {
        module = vec![RENAMED.1.to_owned()];
    }
    Some(module)
}

/// The modules of the library and what they re-export.
#[derive(Default)]
struct Library {
    modules: Vec<Vec<String>>,
    imports: BTreeMap<Vec<String>, Vec<Named>>,
}

impl Library {
    fn add(&mut self, module: Vec<String>, source: &Source) {
        self.imports.insert(module.clone(), imports(&source.code));
        self.modules.push(module);
    }

    /// Every path that a module's file names, made absolute: `crate::..`, or another crate's.
    fn paths(&self, module: &[String], source: &Source) -> Vec<(usize, Vec<String>)> {
        let imported = self.imports.get(module).map(Vec::as_slice).unwrap_or_default();
        let mut paths = Vec::new();
        for named in imported {
            paths.push((named.position, self.absolute(module, &named.segments)));
        }
        for root in ["crate", "super", "self", "std", "core"] {
            for named in mentions(&source.code, root) {
                paths.push((named.position, self.absolute(module, &named.segments)));
            }
        }
        // `use crate::sink;` makes `sink::file` a path too.
        for named in imported {
            let base = self.absolute(module, &named.segments);
            for mention in mentions(&source.code, &named.name) {
                let rest = mention.segments.into_iter().skip(1);
                paths.push((mention.position, base.iter().cloned().chain(rest).collect()));
            }
        }
        paths
    }

    /// A path as seen from the crate's root.
    fn absolute(&self, module: &[String], segments: &[String]) -> Vec<String> {
        let mut base = module.to_vec();
        let mut rest = segments;
        match segments.first().map(String::as_str) {
            Some("crate") => {
                base.clear();
                rest = &segments[1..];
            }
            Some("self") => rest = &segments[1..],
            Some("super") => {
                while rest.first().is_some_and(|part| part == "super") {
                    base.pop();
                    rest = &rest[1..];
                }
            }
            Some(first) => {
                base.push(first.to_owned());
                if !self.modules.contains(&base) {
                    return segments.to_vec();
                }
                base.pop();
            }
            None => {}
        }
        let mut path = vec!["crate".to_owned()];
        path.extend(base);
        path.extend(rest.iter().cloned());
        path
    }

    /// The module that an absolute path leads to, through any re-exports on the way.
    fn target(&self, absolute: &[String]) -> Vec<String> {
        let mut path = absolute.get(1..).unwrap_or_default().to_vec();
        // A chain of re-exports longer than this would be a riddle to readers as well.
        for _ in 0..8 {
            let length = (0..=path.len())
                .rev()
                .find(|&length| self.modules.iter().any(|known| *known == path[..length]));
            let (module, rest) = path.split_at(length.unwrap_or(0));
            let reexported = rest.first().and_then(|name| {
                let named =
                    self.imports.get(module)?.iter().find(|named| named.exported && named.name == *name)?;
                Some(self.absolute(module, &named.segments))
            });
            match reexported {
                Some(next) if next.first().is_some_and(|root| root == "crate") => {
                    let next: Vec<String> =
                        next.into_iter().skip(1).chain(rest[1..].iter().cloned()).collect();
                    if next == path {
                        return module.to_vec();
                    }
                    path = next;
                }
                _ => return module.to_vec(),
            }
        }
        path
    }
}
