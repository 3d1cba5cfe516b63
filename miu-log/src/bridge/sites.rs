//! Call sites of other crates' statements: found by where they stand, registered at their first record.
//!
//! A table of bounded size, read without a lock: an entry is written once and stays. What a statement's records have in common is looked up by
//! file, line, module and target; its fields' names may differ from record to record (an `Option` that is none, other spans around it), so that each list of
//! names is a call site of its own.
//!
//! O1. Entries are added under the dictionary's lock, one at a time; a forked child finds none half made.
//! O2. Texts are kept for ever, so that two that have the same address are the same text.
//! O3. Past [`MOST`] call sites, as of a program that makes targets or names up at run time, a record goes by the general site of its facade: then its own
//!     fields say where it comes from.

use std::sync::OnceLock;

use super::receiver::{Facade, Origin, Place};
use super::routes::Route;
use crate::callsite::{self, Description};
use crate::level::Level;
use crate::reading::Reading;
use crate::sync::{AtomicU8, AtomicU32, AtomicU64, Ordering};

/// Most call sites, statements and lists of names together.
const MOST: u32 = 6144;
/// Places of the table: a power of two, so many more that a search is short.
const PLACES: usize = 8192;
/// Places that a search looks at.
const SEARCH: usize = 32;

static TABLE: OnceLock<Box<[OnceLock<Box<Site>>]>> = OnceLock::new();
/// How many call sites there are.
static COUNT: AtomicU32 = AtomicU32::new(0);

/// A statement of another crate.
#[derive(Debug)]
pub(super) struct Site {
    target: &'static str,
    module: &'static str,
    file: &'static str,
    line: u32,
    /// The key of the routes that were asked last, and in the lowest bits what they said: see [`Route::to_bits`].
    route: AtomicU64,
    /// It makes spans of the `tracing` facade, of this name.
    span: OnceLock<&'static str>,
    /// It makes events of this level, by its number and one, and whether they were repeated behind them: see [`repeats`](super::repeats).
    events: AtomicU8,
    /// The lists of names so far.
    shapes: Shapes,
}

/// A list that only grows.
#[derive(Debug, Default)]
struct Shapes(OnceLock<Box<Shape>>);

/// A list of fields' names, and the call site that has it.
#[derive(Debug)]
struct Shape {
    names: Box<[u8]>,
    id: u32,
    next: Shapes,
}

impl Shape {
    #[inline]
    fn has(&self, names: &[u8]) -> bool {
        self.names.len() == names.len() && (names.is_empty() || *self.names == *names)
    }
}

/// The statement that a record comes from. None where there is no room for it, and for one that comes first in a signal handler.
#[inline]
pub(super) fn find(origin: &Origin<'_>) -> Option<&'static Site> {
    let table = TABLE.get().map(|table| &**table).or_else(make_table)?;
    let first = place(origin);
    for step in 0..SEARCH {
        match table[(first + step) % PLACES].get() {
            Some(site) if site.is(origin) => return Some(site),
            Some(_) => {}
            None => break,
        }
    }
    add(table, first, origin)
}

#[cold]
fn make_table() -> Option<&'static [OnceLock<Box<Site>>]> {
    callsite::exclusively(|_| &**TABLE.get_or_init(|| (0..PLACES).map(|_| OnceLock::new()).collect()))
}

/// Where the search begins: by the line, and by the file's name, of which its length and its end say enough.
#[inline]
fn place(origin: &Origin<'_>) -> usize {
    // Records made by hand may have no file, and differ by their targets at best.
    let name = Some(origin.file.text()).filter(|file| !file.is_empty()).unwrap_or(origin.target).as_bytes();
    let end = match name.last_chunk::<8>() {
        Some(end) => u64::from_le_bytes(*end),
        None => name.iter().fold(0, |end, byte| end << 8 | u64::from(*byte)),
    };
    let mixed = end ^ (u64::from(origin.line) << 32 | name.len() as u64).wrapping_mul(0xff51_afd7_ed55_8ccd);
    (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize
}

#[cold]
fn add(table: &'static [OnceLock<Box<Site>>], first: usize, origin: &Origin<'_>) -> Option<&'static Site> {
    callsite::exclusively(|_| {
        // Another thread may have come first.
        let places = (0..SEARCH).map(|step| &table[(first + step) % PLACES]);
        let place = places.into_iter().find(|place| place.get().is_none_or(|site| site.is(origin)))?;
        if place.get().is_none() && COUNT.load(Ordering::Relaxed) >= MOST {
            return None;
        }
        Some(&**place.get_or_init(|| {
            let module = kept(origin.module);
            let target = if origin.target == module { module } else { kept(Place::Text(origin.target)) };
            Box::new(Site {
                target,
                module,
                file: kept(origin.file),
                line: origin.line,
                route: AtomicU64::new(0),
                span: OnceLock::new(),
                events: AtomicU8::new(0),
                shapes: Shapes::default(),
            })
        }))
    })?
}

/// Keeps in mind what comes from there.
#[cfg(feature = "tracing")]
pub(super) fn mark(origin: &Origin<'_>, span: Option<&'static str>) {
    if let Some(site) = find(origin) {
        if let Some(name) = span {
            let _ = site.span.set(name);
        } else {
            let _ =
                site.events.compare_exchange(0, origin.level as u8 + 1, Ordering::Relaxed, Ordering::Relaxed);
        }
    }
}

/// Its events are repeated behind them.
const BEHIND: u8 = 0x80;

fn kept(text: Place<'_>) -> &'static str {
    match text {
        Place::Unknown => "",
        Place::Static(text) => text,
        Place::Text(text) => Box::leak(Box::from(text)),
    }
}

/// The same text, by its address at best (O2).
#[inline]
fn same(kept: &'static str, given: &str) -> bool {
    std::ptr::eq(kept, given) || kept == given
}

impl Site {
    #[inline]
    fn is(&self, origin: &Origin<'_>) -> bool {
        self.line == origin.line
            && same(self.file, origin.file.text())
            && same(self.target, origin.target)
            && same(self.module, origin.module.text())
    }

    /// Whether a record of this level may be an event's repetition before it.
    pub(super) fn is_repeated_before(&self, level: Level) -> bool {
        self.events.load(Ordering::Relaxed) == level as u8 + 1
    }

    /// Its events are repeated, and that behind them.
    pub(super) fn is_repeated_behind(&self) {
        self.events.fetch_or(BEHIND, Ordering::Relaxed);
    }

    /// The name of the spans that it makes.
    #[inline]
    pub(super) fn span(&self) -> Option<&'static str> {
        self.span.get().copied()
    }

    /// The route that the routes of this key give it: asked for at its first record, and when the key is another one.
    #[inline]
    pub(super) fn route(&self, key: u64, ask: impl FnOnce() -> Route) -> Route {
        let (known, key) = (self.route.load(Ordering::Relaxed), key << Route::BITS);
        if known >> Route::BITS << Route::BITS == key {
            return Route::from_bits(known as u32);
        }
        let route = ask();
        self.route.store(key | u64::from(route.to_bits()), Ordering::Relaxed);
        route
    }

    /// The call site for a record with these names. None where there is no room for one, and in a signal handler that comes first.
    #[inline]
    pub(super) fn id(&self, names: &[u8]) -> Option<u32> {
        let mut shapes = &self.shapes;
        while let Some(shape) = shapes.0.get() {
            if shape.has(names) {
                return Some(shape.id);
            }
            shapes = &shape.next;
        }
        self.register(names)
    }

    #[cold]
    fn register(&self, names: &[u8]) -> Option<u32> {
        callsite::exclusively(|register| {
            let mut shapes = &self.shapes;
            while let Some(shape) = shapes.0.get() {
                if shape.has(names) {
                    return Some(shape.id);
                }
                shapes = &shape.next;
            }
            if COUNT.load(Ordering::Relaxed) >= MOST {
                return None;
            }
            COUNT.fetch_add(1, Ordering::Relaxed);
            let fields: Vec<&'static str> = listed(names).map(|name| kept(Place::Text(name))).collect();
            let id = register(Description {
                level: None,
                template: "{}",
                fields: Vec::leak(fields),
                file: self.file,
                line: self.line,
                column: 0,
                module: self.module,
                function: "",
            });
            Some(
                shapes
                    .0
                    .get_or_init(|| Box::new(Shape { names: names.into(), id, next: Shapes::default() }))
                    .id,
            )
        })?
    }
}

/// The names in a list of them.
pub(super) fn listed(names: &[u8]) -> impl Iterator<Item = &str> {
    let mut names = Reading::new(names);
    std::iter::from_fn(move || names.text())
}

/// The fields of a record that goes by the general site of its facade (O3).
pub(super) const GENERAL: &[&str] = &["target", "file", "line", "fields"];

/// The general site of a facade.
pub(super) fn general(facade: Facade) -> Option<u32> {
    static IDS: [AtomicU32; 2] = [const { AtomicU32::new(0) }; 2];
    let (id, module) = match facade {
        Facade::Log => (&IDS[0], "log"),
        Facade::Tracing => (&IDS[1], "tracing"),
    };
    match id.load(Ordering::Relaxed) {
        0 => callsite::exclusively(|register| match id.load(Ordering::Relaxed) {
            0 => {
                let new = register(Description {
                    level: None,
                    template: "{}",
                    fields: GENERAL,
                    file: "",
                    line: 0,
                    column: 0,
                    module,
                    function: "",
                });
                id.store(new, Ordering::Relaxed);
                new
            }
            known => known,
        }),
        known => Some(known),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::level::Level;
    use crate::reading::put_counted;

    fn origin<'a>(target: &'a str, line: u32) -> Origin<'a> {
        let file = Place::Static("src/sites_test.rs");
        Origin {
            facade: Facade::Log,
            level: Level::Info,
            target,
            module: Place::Text("sites::test"),
            file,
            line,
        }
    }

    fn names(names: &[&str]) -> Vec<u8> {
        let mut bytes = Vec::new();
        names.iter().for_each(|name| put_counted(&mut bytes, name.as_bytes()));
        bytes
    }

    #[test]
    fn a_statement_is_found_again_and_another_target_is_another_one() {
        let (first, again) = (find(&origin("a", 1)).unwrap(), find(&origin(&String::from("a"), 1)).unwrap());
        assert!(std::ptr::eq(first, again));
        assert!(!std::ptr::eq(first, find(&origin("b", 1)).unwrap()));
        assert!(!std::ptr::eq(first, find(&origin("a", 2)).unwrap()));
    }

    #[test]
    fn each_list_of_names_is_a_call_site() {
        let site = find(&origin("names", 3)).unwrap();
        let id = |list: &[&str]| site.id(&names(list)).unwrap();
        let (none, one, two) = (id(&[]), id(&["rows"]), id(&["rows", "user"]));
        assert!(none != one && one != two && none != two);
        assert_eq!([none, one, two], [id(&[]), id(&["rows"]), id(&["rows", "user"])]);
        let described = callsite::describe(two).unwrap();
        assert_eq!(
            (described.fields, described.module, described.line),
            (&["rows", "user"][..], "sites::test", 3)
        );
    }

    #[test]
    fn threads_that_come_together_find_one_statement() {
        let find = || std::ptr::from_ref(find(&origin("together", 4)).unwrap()) as usize;
        let found: Vec<usize> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(find)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(found.iter().all(|site| *site == found[0]));
    }
}
