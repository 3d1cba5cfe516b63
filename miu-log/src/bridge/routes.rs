//! Which domain a record of another crate belongs to, and from which level on it is taken.
//!
//! Both go by the record's target, and the longest prefix that ends at a module's border wins: `sqlx` stands for `sqlx` and `sqlx::query`, not for
//! `sqlxtra`. What the configuration says stands before the built-in table in [`common`]. A statement's route is found once and kept with its call site.
//!
//! Built by the repository; asked by `receiver`.

mod common;

use std::fmt;
use std::sync::Arc;

use super::receiver::{ForeignRecord, Origin};
use super::sites::{self, Site};
use super::staging::Staging;
use crate::encode::{Cut, Encode, Out, Plain, Scratch};
use crate::level::Level;
use crate::queue::{CLOSED, Queue};
use crate::stats::DropReason;
use crate::sync::{AtomicU32, Ordering};

/// What the configuration says of targets that begin so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) prefix: String,
    /// Name of the domain.
    pub(crate) domain: Option<String>,
    /// The lowest level, whatever the domain's.
    pub(crate) level: Option<Level>,
}

/// Where a record goes, and what decides whether it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    domain: u8,
    gate: Gate,
}

/// From which level on records are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gate {
    /// From the domain's on.
    Domain,
    /// From the domain's on, but none below this.
    AtLeast(Level),
    /// From this on, whatever the domain's.
    Alone(Level),
}

impl Route {
    /// As a number that is not 0, for a place to keep it in.
    pub(super) fn to_bits(self) -> u32 {
        let (kind, level) = match self.gate {
            Gate::Domain => (1, Level::Trace),
            Gate::AtLeast(level) => (2, level),
            Gate::Alone(level) => (3, level),
        };
        u32::from(self.domain) | kind << 8 | (level as u32) << 16
    }

    #[inline]
    pub(super) fn from_bits(bits: u32) -> Route {
        let level = Level::from_index((bits >> 16) as u8).unwrap_or(Level::Trace);
        let gate = match bits >> 8 & 0xff {
            2 => Gate::AtLeast(level),
            3 => Gate::Alone(level),
            _ => Gate::Domain,
        };
        Route { domain: bits as u8, gate }
    }
}

/// The routes of a repository.
pub(crate) struct Routes {
    queue: Arc<Queue>,
    /// No other routes of this process have it.
    number: u32,
    /// By prefix, longest first.
    rules: Vec<(String, Found)>,
    default: u8,
}

/// What a prefix says.
#[derive(Clone, Copy, Debug, Default)]
struct Found {
    domain: Option<u8>,
    gate: Option<Gate>,
}

impl fmt::Debug for Routes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Routes").field("rules", &self.rules.len()).finish_non_exhaustive()
    }
}

impl Routes {
    /// The routes for a queue, with the built-in table.
    ///
    /// # Errors
    ///
    /// The text says which domain is unknown, and which was probably meant.
    pub(crate) fn new(queue: Arc<Queue>, rules: &[Rule], default: Option<&str>) -> Result<Routes, String> {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let known = queue.domains();
        let number_of = |name: &str| {
            let found = known.iter().position(|known| *known == name);
            found.and_then(|number| u8::try_from(number).ok())
        };
        let default_number = match default {
            Some(name) => number_of(name).ok_or_else(|| unknown("the domain of all other crates", name, known))?,
            None => 0,
        };
        let mut found: Vec<(String, Found)> = Vec::new();
        let mut add = |prefix: &str, new: Found| match found.iter_mut().find(|(known, _)| known == prefix) {
            // What came first stands.
            Some((_, found)) => {
                found.domain = found.domain.or(new.domain);
                found.gate = found.gate.or(new.gate);
            }
            None => found.push((prefix.to_owned(), new)),
        };
        // Of two that say the same of a prefix the later one counts, as everywhere in a builder.
        for rule in rules.iter().rev() {
            let domain = match &rule.domain {
                Some(name) => {
                    let whose = format!("the domain of the route {:?}", rule.prefix);
                    Some(number_of(name).ok_or_else(|| unknown(&whose, name, known))?)
                }
                None => None,
            };
            add(&rule.prefix, Found { domain, gate: rule.level.map(Gate::Alone) });
        }
        for of_crate in common::CRATES {
            let domain = of_crate.domains.iter().find_map(|name| number_of(name));
            let gate = of_crate.least.map(Gate::AtLeast);
            of_crate.names.iter().for_each(|name| add(name, Found { domain, gate }));
        }
        found.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Ok(Routes { queue, number, rules: found, default: default_number })
    }

    /// The repository's queue.
    pub(crate) fn queue(&self) -> &Arc<Queue> {
        &self.queue
    }

    /// The route of a target.
    fn resolve(&self, target: &str) -> Route {
        let mut found = Found::default();
        for (prefix, rule) in &self.rules {
            if is_within(target, prefix) {
                found.domain = found.domain.or(rule.domain);
                found.gate = found.gate.or(rule.gate);
            }
        }
        Route { domain: found.domain.unwrap_or(self.default), gate: found.gate.unwrap_or(Gate::Domain) }
    }

    /// Whether a record is taken, leaving aside that the queue may be closed: then it is, as far as being counted.
    #[inline]
    fn takes(&self, route: Route, level: Level) -> bool {
        match route.gate {
            Gate::Domain => self.queue.takes(route.domain, level, None),
            Gate::AtLeast(least) => level >= least && self.queue.takes(route.domain, level, None),
            Gate::Alone(least) => self.queue.takes(route.domain, level, Some(least)),
        }
    }

    /// Whether a record of this origin is wanted.
    #[inline]
    pub(super) fn wants(&self, origin: &Origin<'_>) -> bool {
        self.takes(self.route(sites::find(origin), origin), origin.level)
    }

    /// Whether records of this target and level are wanted. Registers nothing.
    pub(super) fn wants_target(&self, target: &str, level: Level) -> bool {
        self.takes(self.resolve(target), level)
    }

    #[inline]
    fn route(&self, site: Option<&'static Site>, origin: &Origin<'_>) -> Route {
        match site {
            Some(site) => site.route(self.number, || self.resolve(origin.target)),
            None => self.resolve(origin.target),
        }
    }

    /// Takes a record, if it is wanted.
    #[inline]
    pub(super) fn receive(&self, origin: &Origin<'_>, own_thread: bool, stage: impl FnOnce(&mut Staging)) {
        let site = sites::find(origin);
        let route = self.route(site, origin);
        if !self.takes(route, origin.level) {
            return;
        }
        let Route { domain, .. } = route;
        if self.queue.threshold(domain) == CLOSED {
            return self.queue.refuse(domain, origin.level);
        }
        if own_thread {
            return self.queue.drop_one(DropReason::OwnThread, domain, origin.level);
        }
        let written = Staging::with(stage, |staged| self.write(site, domain, &staged.record(origin)));
        if let Err(cut) = written {
            let reason = if cut == Cut::InHandler { DropReason::Signal } else { DropReason::Reentrant };
            self.queue.drop_one(reason, domain, origin.level);
        }
    }

    /// Takes a record that was kept somewhere else, if it is wanted. It gets the time of this call.
    pub(crate) fn take(&self, record: &ForeignRecord<'_>) {
        let site = sites::find(&record.origin);
        let route = self.route(site, &record.origin);
        if self.takes(route, record.origin.level) {
            self.write(site, route.domain, record);
        }
    }

    #[inline]
    fn write(&self, site: Option<&'static Site>, domain: u8, record: &ForeignRecord<'_>) {
        let level = record.origin.level;
        match site.and_then(|site| site.id(record.names)) {
            Some(id) => self.queue.enqueue(level, domain, id, &Scratch::new(), &Payload::of(record)),
            None => self.write_generally(domain, record),
        }
    }

    /// Writes a record that has no call site of its own.
    #[cold]
    fn write_generally(&self, domain: u8, record: &ForeignRecord<'_>) {
        let Origin { facade, level, target, file, line, .. } = record.origin;
        let Some(id) = sites::general(facade) else { return self.queue.drop_unregistered(domain, level) };
        let fields = in_words(record);
        let fields = (
            Plain::of(target),
            (Plain::of(file.text()), (Plain::of(&line), (Plain::of(fields.as_str()), ()))),
        );
        let (message, detail) = (Run(record.message), Run(record.detail));
        self.queue.enqueue(level, domain, id, &Scratch::new(), &(message, (fields, (detail, ()))));
    }

    /// The lowest level that is taken from any target. None: nothing is.
    pub(super) fn least(&self) -> Option<Level> {
        let domains = std::iter::once(self.default).chain(self.rules.iter().filter_map(|(_, found)| found.domain));
        let taken = |level: &Level| {
            let by_domain = domains.clone().any(|domain| self.queue.takes(domain, *level, None));
            by_domain
                || self.rules.iter().any(|(_, found)| match found.gate {
                    Some(Gate::Alone(alone)) => {
                        self.queue.takes(found.domain.unwrap_or(self.default), *level, Some(alone))
                    }
                    _ => false,
                })
        };
        Level::ALL.into_iter().find(taken)
    }
}

/// Whether a target is the one that the prefix names, or within it.
fn is_within(target: &str, prefix: &str) -> bool {
    target.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

fn unknown(whose: &str, name: &str, known: &[&str]) -> String {
    let meant = closest(name, known).map(|meant| format!("; did you mean {meant:?}?")).unwrap_or_default();
    format!("{whose} is {name:?}, which there is not{meant} The domains are {}", known.join(", "))
}
