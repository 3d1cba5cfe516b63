//! Which domain a record of another crate belongs to, and from which level on it is taken.
//!
//! Both go by the record's target, and the longest prefix that ends at a module's border wins: `sqlx` stands for `sqlx` and `sqlx::query`, not for
//! `sqlxtra`. What the configuration says stands before the built-in table in [`common`]; a level that was set while the program runs (`queue::targets`) stands before
//! that of the configuration where neither prefix is longer. A statement's route is found once and kept with its call site, until the level of a target changes.
//!
//! Built by the repository; asked by `receiver`.

mod common;

use std::fmt;
use std::sync::Arc;

use common::Common;

use super::receiver::{ForeignRecord, Origin};
use super::repeats::{repeats, tells_once_more};
use super::sites::{self, Site};
use super::staging::Staging;
use crate::bytes::Bytes;
use crate::codec::{Args, Value};
use crate::encode::extra::WithExtra;
use crate::encode::{Cut, Encode, Out, Plain, Raw, Rendered, Scratch};
use crate::level::Level;
use crate::queue::{CLOSED, Queue, is_within};
use crate::record::FieldValue;
use crate::stats::DropReason;
use crate::sync::{AtomicU32, Ordering};

/// What the configuration says of targets that begin so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) prefix: String,
    /// Number of the domain.
    pub(crate) domain: Option<u8>,
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
    /// How many bits of the number are used.
    pub(super) const BITS: u32 = 13;

    /// As a number that is not 0, for a place to keep it in.
    pub(super) fn to_bits(self) -> u32 {
        let (kind, level) = match self.gate {
            Gate::Domain => (1, Level::Trace),
            Gate::AtLeast(level) => (2, level),
            Gate::Alone(level) => (3, level),
        };
        u32::from(self.domain) | kind << 8 | (level as u32) << 10
    }

    #[inline]
    pub(super) fn from_bits(bits: u32) -> Route {
        let level = Level::from_index((bits >> 10) as u8 & 0b111).unwrap_or(Level::Trace);
        let gate = match bits >> 8 & 0b11 {
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
    /// The begin and the end of spans are records too.
    pub(super) span_events: bool,
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
    /// The routes for a queue, with the built-in table behind these rules. What no domain is named for goes to the default.
    pub(crate) fn new(queue: Arc<Queue>, rules: &[Rule], default: u8) -> Routes {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let known = queue.domains();
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
        for Rule { prefix, domain, level } in rules.iter().rev() {
            add(prefix, Found { domain: *domain, gate: level.map(Gate::Alone) });
        }
        for Common { names, domains, least } in common::CRATES {
            let position = domains.iter().find_map(|name| known.iter().position(|known| known == name));
            let domain = position.and_then(|number| u8::try_from(number).ok());
            names.iter().for_each(|name| add(name, Found { domain, gate: least.map(Gate::AtLeast) }));
        }
        found.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        Routes {
            queue,
            number: NUMBER.fetch_add(1, Ordering::Relaxed),
            rules: found,
            default,
            span_events: false,
        }
    }

    /// The same, and whether the begin and the end of spans are records too.
    pub(crate) fn with_span_events(self, wanted: bool) -> Routes {
        Routes { span_events: wanted, ..self }
    }

    /// The repository's queue.
    pub(crate) fn queue(&self) -> &Arc<Queue> {
        &self.queue
    }

    /// The route of a target.
    fn resolve(&self, target: &str) -> Route {
        let mut found = Found::default();
        let mut longest = 0;
        for (prefix, rule) in &self.rules {
            if is_within(target.as_bytes(), prefix.as_bytes()) {
                found.domain = found.domain.or(rule.domain);
                if found.gate.is_none() && rule.gate.is_some() {
                    (found.gate, longest) = (rule.gate, prefix.len());
                }
            }
        }
        if let Some((len, level)) = self.queue.target_level(target)
            && len >= longest
        {
            found.gate = Some(Gate::Alone(level));
        }
        Route { domain: found.domain.unwrap_or(self.default), gate: found.gate.unwrap_or(Gate::Domain) }
    }

    /// The domain of a target's records, and from which level on they are taken; the debug switch left aside.
    pub(crate) fn level_of(&self, target: &str) -> (u8, Level) {
        let Route { domain, gate } = self.resolve(target);
        let level = match gate {
            Gate::Domain => self.queue.level(domain),
            Gate::AtLeast(least) => least.max(self.queue.level(domain)),
            Gate::Alone(level) => level,
        };
        (domain, level)
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

    /// Whether records of this target and level are wanted. Registers nothing.
    pub(super) fn wants_target(&self, target: &str, level: Level) -> bool {
        self.takes(self.resolve(target), level)
    }

    /// Whether a span of this target and level is kept: where its records would be wanted, and from INFO on, for it is the context of others.
    #[cfg(feature = "tracing")]
    pub(super) fn wants_span(&self, target: &str, level: Level) -> bool {
        let route = self.resolve(target);
        let is_context = match route.gate {
            Gate::Domain => level >= Level::Info,
            Gate::AtLeast(least) | Gate::Alone(least) => level >= least.max(Level::Info),
        };
        is_context || self.takes(route, level)
    }

    /// What a route is kept under: other routes have another key, and so have these when the level of a target was changed. Both numbers wrap after so many
    /// changes that no statement remembers them.
    #[inline]
    fn key(&self) -> u64 {
        const CHANGES: u32 = 27;
        u64::from(self.number) << CHANGES | u64::from(self.queue.target_changes() & ((1 << CHANGES) - 1))
    }

    #[inline]
    fn route(&self, site: Option<&'static Site>, origin: &Origin<'_>) -> Route {
        match site {
            Some(site) => site.route(self.key(), || self.resolve(origin.target)),
            None => self.resolve(origin.target),
        }
    }

    /// Takes a record, if it is wanted.
    #[inline]
    pub(super) fn receive(&self, origin: &Origin<'_>, own_thread: bool, stage: impl FnOnce(&mut Staging)) {
        self.queue.notice_levels();
        let site = sites::find(origin);
        let route = self.route(site, origin);
        if !self.takes(route, origin.level) || repeats(origin, site) {
            return;
        }
        let Route { domain, .. } = route;
        let is_closed = self.queue.threshold(domain) == CLOSED;
        if is_closed || own_thread {
            tells_once_more(origin, site, None);
        }
        if is_closed {
            return self.queue.refuse(domain, origin.level);
        }
        if own_thread {
            return self.queue.drop_one(DropReason::OwnThread, domain, origin.level);
        }
        let written = Staging::with(stage, |staged| {
            if tells_once_more(origin, site, Some(staged.text())) {
                return;
            }
            match site.and_then(|site| site.id(staged.names())) {
                Some(id) => self.write(id, domain, staged, origin),
                None => staged.with_context(origin, |record| self.write_generally(domain, record)),
            }
        });
        if let Err(cut) = written {
            let reason = if cut == Cut::InHandler { DropReason::Signal } else { DropReason::Reentrant };
            self.queue.drop_one(reason, domain, origin.level);
        }
    }

    /// The domain of what no route is for.
    pub(crate) fn default_domain(&self) -> u8 {
        self.default
    }

    /// Domain and call site of a record that was kept somewhere else. None where it is not wanted, or has no call site: then it is taken, with the
    /// time of this call.
    pub(crate) fn settle(&self, record: &ForeignRecord<'_>) -> Option<(u8, u32)> {
        let site = sites::find(&record.origin);
        let route = self.route(site, &record.origin);
        if !self.takes(route, record.origin.level) {
            return None;
        }
        let id = site.and_then(|site| site.id(record.names));
        if id.is_none() {
            self.write_generally(route.domain, record);
        }
        id.map(|id| (route.domain, id))
    }

    /// Takes a record that was kept somewhere else, if it is wanted. It gets the time of this call.
    pub(crate) fn take(&self, record: &ForeignRecord<'_>) {
        let site = sites::find(&record.origin);
        let route = self.route(site, &record.origin);
        if self.takes(route, record.origin.level) {
            let level = record.origin.level;
            match site.and_then(|site| site.id(record.names)) {
                Some(id) => self.queue.enqueue(level, route.domain, id, &Scratch::new(), &payload(record)),
                None => self.write_generally(route.domain, record),
            }
        }
    }

    #[inline]
    fn write(&self, id: u32, domain: u8, staged: &Staging, origin: &Origin<'_>) {
        let (level, scratch, arguments) = (origin.level, Scratch::new(), payload(&staged.record(origin)));
        match staged.context() {
            ([], []) => self.queue.enqueue(level, domain, id, &scratch, &arguments),
            (context, captured) => {
                let captured = if level >= Level::Error { captured } else { &[] };
                let all = WithExtra { fields: &[context], captured, arguments: &arguments };
                self.queue.enqueue(level, domain, id, &scratch, &all);
            }
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
        let domains =
            std::iter::once(self.default).chain(self.rules.iter().filter_map(|(_, found)| found.domain));
        let live = self.queue.target_levels();
        let taken = |level: &Level| {
            let by_domain = domains.clone().any(|domain| self.queue.takes(domain, *level, None));
            by_domain
                || live.iter().any(|(target, _)| self.wants_target(target, *level))
                || self.rules.iter().any(|(prefix, found)| match found.gate {
                    Some(Gate::Alone(alone)) if live.iter().all(|(target, _)| target != prefix) => {
                        self.queue.takes(found.domain.unwrap_or(self.default), *level, Some(alone))
                    }
                    _ => false,
                })
        };
        Level::ALL.into_iter().find(taken)
    }
}

/// One value or several, in the wire format already.
#[derive(Clone, Copy)]
struct Run<'a>(&'a [u8]);

impl Encode for Run<'_> {
    const COUNT: usize = 1;

    fn count(&self) -> usize {
        let mut values = Args::new(self.0);
        std::iter::from_fn(|| values.next().ok()).count()
    }

    #[inline]
    fn size(&self, _: &Scratch) -> usize {
        self.0.len()
    }

    #[inline]
    fn put(&self, _: &Scratch, out: &mut Out<'_>) {
        out.put(self.0);
    }

    fn put_long(&self, _: &Scratch, cap: usize, out: &mut Vec<u8>) {
        let mut args = Args::new(self.0);
        loop {
            let rest = args.rest();
            match args.next() {
                Ok(Value::Str(text) | Value::Rendered(text)) => {
                    Rendered(text).put_long(&Scratch::new(), cap, out);
                }
                Ok(Value::Bytes { kept, .. }) => Bytes(kept).raw_put_long(cap, out),
                Ok(_) => out.extend_from_slice(&rest[..rest.len() - args.rest().len()]),
                Err(_) => return,
            }
        }
    }
}

impl<'a> ForeignRecord<'a> {
    /// The arguments of a record that has a call site.
    pub(crate) fn arguments(&self) -> impl Encode + use<'a> {
        payload(self)
    }
}

fn payload<'a>(record: &ForeignRecord<'a>) -> impl Encode + use<'a> {
    (Run(record.message), (Run(record.fields), (Run(record.detail), ())))
}

/// The fields as text, `name=value` each.
fn in_words(record: &ForeignRecord<'_>) -> String {
    let mut text = String::new();
    let mut values = Args::new(record.fields);
    for name in sites::listed(record.names) {
        let Ok(value) = values.next() else { break };
        let separator = if text.is_empty() { "" } else { " " };
        text.push_str(&format!("{separator}{name}={}", FieldValue::from(value)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::receiver::{Facade, Place};
    use super::*;
    use crate::clock::Clock;
    use crate::domain::DomainSpec;

    const SPECS: &[DomainSpec] = &[
        DomainSpec { name: "app", file: "app", level: None },
        DomainSpec { name: "db", file: "db", level: Some(Level::Warning) },
        DomainSpec { name: "net", file: "net", level: None },
    ];

    fn routes(rules: &[(&str, Option<u8>, Option<Level>)]) -> Routes {
        let rules: Vec<Rule> = rules
            .iter()
            .map(|(prefix, domain, level)| Rule {
                prefix: (*prefix).to_owned(),
                domain: *domain,
                level: *level,
            })
            .collect();
        Routes::new(Queue::detached(SPECS, Clock::system()), &rules, 0)
    }

    #[test]
    fn a_prefix_ends_at_a_modules_border_and_the_longest_wins() {
        let routes =
            routes(&[("sqlx", Some(1), None), ("sqlx::query", Some(2), None), ("shop", Some(2), None)]);
        let domain = |target: &str| routes.resolve(target).domain;
        assert_eq!([domain("sqlx"), domain("sqlx::pool"), domain("sqlx::query::slow")], [1, 1, 2]);
        assert_eq!([domain("sqlxtra"), domain("sqlx:"), domain("")], [0, 0, 0]);
    }

    #[test]
    fn a_domain_and_a_level_are_looked_for_apart() {
        let routes = routes(&[("shop", Some(2), None), ("shop::cart", None, Some(Level::Error))]);
        let expected = Route { domain: 2, gate: Gate::Alone(Level::Error) };
        assert_eq!(routes.resolve("shop::cart::add"), expected);
    }

    #[test]
    fn common_crates_have_a_domain_where_the_service_has_it_and_a_level_below_which_they_are_noise() {
        let routes = routes(&[("hyper", None, Some(Level::Debug))]);
        assert_eq!(routes.resolve("h2::proto"), Route { domain: 2, gate: Gate::AtLeast(Level::Info) });
        assert_eq!(routes.resolve("tokio::runtime"), Route { domain: 0, gate: Gate::AtLeast(Level::Info) });
        assert_eq!(routes.resolve("hyper::client").gate, Gate::Alone(Level::Debug), "said by the service");
        assert_eq!(routes.resolve("sqlx::query"), Route { domain: 1, gate: Gate::Domain });
    }

    #[test]
    fn a_level_of_a_target_stands_in_place_of_its_domains_and_the_debug_switch_above_both() {
        let routes = routes(&[("sqlx::query", None, Some(Level::Debug))]);
        let wants = |target: &str, level: Level| routes.wants_target(target, level);
        assert!(wants("sqlx::query", Level::Debug) && !wants("sqlx::query", Level::Trace));
        assert!(!wants("sqlx::pool", Level::Info) && wants("sqlx::pool", Level::Warning));
        routes.queue.set_debug_enabled(false);
        assert!(!wants("sqlx::query", Level::Debug) && wants("sqlx::query", Level::Info));
    }

    #[test]
    fn the_lowest_level_is_that_of_the_domain_or_target_that_takes_most() {
        let level = |rules: &[(&str, Option<u8>, Option<Level>)]| {
            let routes = routes(rules);
            routes.queue.set_all_levels(Level::Error);
            routes.least()
        };
        assert_eq!(level(&[]), Some(Level::Error));
        assert_eq!(
            level(&[("a", None, Some(Level::Info)), ("b", None, Some(Level::Critical))]),
            Some(Level::Info)
        );
    }

    #[test]
    fn a_level_that_is_set_at_run_time_stands_before_the_configured_one_unless_that_has_the_longer_prefix() {
        let routes =
            routes(&[("sqlx", Some(1), Some(Level::Error)), ("sqlx::query", None, Some(Level::Critical))]);
        let gate = |target: &str| routes.resolve(target).gate;
        routes.queue.set_target_level("sqlx", Level::Debug).unwrap();
        assert_eq!(gate("sqlx::pool"), Gate::Alone(Level::Debug));
        assert_eq!(gate("sqlx::query"), Gate::Alone(Level::Critical), "the longer one");
        routes.queue.set_target_level("sqlx::query::slow", Level::Trace).unwrap();
        assert_eq!(routes.resolve("sqlx::query::slow"), Route { domain: 1, gate: Gate::Alone(Level::Trace) });
        // The built-in table is a configuration too.
        routes.queue.set_target_level("hyper", Level::Trace).unwrap();
        assert!(routes.wants_target("hyper::client", Level::Trace));
        assert_eq!(routes.level_of("hyper::client"), (2, Level::Trace));
        routes.queue.reset_target_levels();
        assert_eq!(gate("sqlx::pool"), Gate::Alone(Level::Error));
        assert_eq!(routes.level_of("hyper::client"), (2, Level::Info), "the level of the table");
        assert_eq!(routes.level_of("shop"), (0, Level::Trace));
    }

    #[test]
    fn the_debug_switch_stands_above_a_level_that_is_set_at_run_time_and_the_domains_does_not() {
        let routes = routes(&[]);
        routes.queue.set_level(1, Level::Critical);
        routes.queue.set_target_level("sqlx::query", Level::Debug).unwrap();
        let wants = |level: Level| routes.wants_target("sqlx::query", level);
        assert!(wants(Level::Debug) && !routes.wants_target("sqlx", Level::Error));
        routes.queue.set_debug_enabled(false);
        assert!(!wants(Level::Debug) && wants(Level::Info));
    }

    #[test]
    fn the_lowest_level_follows_those_that_are_set_at_run_time() {
        let routes = routes(&[("quiet", None, Some(Level::Debug))]);
        routes.queue.set_all_levels(Level::Error);
        assert_eq!(routes.least(), Some(Level::Debug));
        routes.queue.set_target_level("quiet", Level::Critical).unwrap();
        assert_eq!(routes.least(), Some(Level::Error), "nobody has the configured one any more");
        routes.queue.set_target_level("loud", Level::Trace).unwrap();
        assert_eq!(routes.least(), Some(Level::Trace));
        routes.queue.reset_target_level("loud");
        assert_eq!(routes.least(), Some(Level::Error));
    }

    #[test]
    fn a_route_that_is_kept_with_a_statement_is_found_anew_when_the_level_of_a_target_changes() {
        let routes = routes(&[]);
        let place = Place::Static("src/routes_test.rs");
        let origin = Origin {
            facade: Facade::Log,
            level: Level::Trace,
            target: "kept::routes",
            module: place,
            file: place,
            line: 1,
        };
        let site = sites::find(&origin);
        let gate = || routes.route(site, &origin).gate;
        assert_eq!((site.is_some(), gate()), (true, Gate::Domain));
        routes.queue.set_target_level("kept", Level::Error).unwrap();
        assert_eq!([gate(), gate()], [Gate::Alone(Level::Error); 2]);
        routes.queue.reset_target_level("kept");
        assert_eq!(gate(), Gate::Domain);
        let others = Routes::new(routes.queue.clone(), &[], 2);
        assert_eq!((others.route(site, &origin).domain, routes.route(site, &origin).domain), (2, 0));
    }

    #[test]
    fn a_route_is_read_back_from_its_bits() {
        for gate in [Gate::Domain, Gate::AtLeast(Level::Info), Gate::Alone(Level::Critical)] {
            let route = Route { domain: 255, gate };
            assert_eq!(Route::from_bits(route.to_bits()), route);
            assert!(route.to_bits() < 1 << Route::BITS);
        }
    }

    #[test]
    fn a_run_that_is_too_long_is_cut_text_by_text() {
        let mut bytes = Vec::new();
        Rendered("aaaaaa").put_long(&Scratch::new(), 9, &mut bytes);
        7u64.raw_put_long(9, &mut bytes);
        "bb".raw_put_long(9, &mut bytes);
        let (mut whole, mut cut) = (Vec::new(), Vec::new());
        Run(&bytes).put_long(&Scratch::new(), 6, &mut whole);
        Run(&bytes).put_long(&Scratch::new(), 3, &mut cut);
        let mut args = Args::new(&cut);
        assert_eq!(args.next(), Ok(Value::Rendered("aaa… [cut, 6 bytes]")));
        assert_eq!((args.next(), args.next()), (Ok(Value::U64(7)), Ok(Value::Rendered("bb"))));
        assert_eq!(Args::new(&whole).next(), Ok(Value::Rendered("aaaaaa")));
    }
}
