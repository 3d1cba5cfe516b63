//! The static description of a log statement, registered once a process.
//!
//! A record carries a 32-bit id; everything that is the same for all records of a statement is here. The dictionary
//! gives ids, keeps what they stand for, and appends each new entry to the dictionary file of every open runtime
//! directory, so that another process can decode the records of this one.
//!
//! Called by `logger` and the macros' expansions (register), and by the listener (look up).

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::panic::Location;
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use crate::level::Level;
use crate::reading::{Reading, put_counted};
use crate::ring::signal_frame::in_signal_handler;
use crate::sync::{AtomicBool, AtomicU32, AtomicU64, Ordering, compiler_fence, lock, thread_local};

/// A log statement. Made by the macros as a `static`.
#[derive(Debug)]
pub struct Callsite {
    /// 0 until the first record.
    id: AtomicU32,
    description: Description,
    /// Finds the name of the function it stands in, which is not known at compile time.
    function: fn() -> &'static str,
}

/// What is known of a statement at compile time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Description {
    pub(crate) level: Option<Level>,
    pub(crate) template: &'static str,
    pub(crate) fields: &'static [&'static str],
    pub(crate) file: &'static str,
    pub(crate) line: u32,
    pub(crate) column: u32,
    pub(crate) module: &'static str,
    pub(crate) function: &'static str,
}

impl Callsite {
    /// Describes a statement. `function` is called once, at registration.
    #[expect(clippy::too_many_arguments, reason = "only expansions call it, one argument a property")]
    pub const fn new(
        level: Option<Level>,
        template: &'static str,
        fields: &'static [&'static str],
        file: &'static str,
        line: u32,
        column: u32,
        module: &'static str,
        function: fn() -> &'static str,
    ) -> Callsite {
        let description = Description { level, template, fields, file, line, column, module, function: "" };
        Callsite { id: AtomicU32::new(0), description, function }
    }

    /// The statement's id; registers it at first use. None in a signal handler that comes first, for registering locks and allocates, and
    /// from an allocator that logs while its thread registers another one.
    #[inline(always)]
    pub(crate) fn id(&'static self) -> Option<u32> {
        match self.id.load(Ordering::Relaxed) {
            0 => self.register(),
            id => Some(id),
        }
    }

    #[cold]
    fn register(&'static self) -> Option<u32> {
        if in_signal_handler() {
            return None;
        }
        let mut dictionary = dictionary()?;
        // Another thread may have come first: one statement, one id.
        let known = self.id.load(Ordering::Relaxed);
        if known != 0 {
            return Some(known);
        }
        let description = Description { function: (self.function)(), ..self.description };
        let id = dictionary.add(description);
        self.id.store(id, Ordering::Relaxed);
        Some(id)
    }
}

/// The function's own path from the type name of an item inside it: `app::db::connect::here` is `app::db::connect`.
pub fn enclosing_function(type_name: &'static str) -> &'static str {
    let mut name = type_name.strip_suffix("::here").unwrap_or(type_name);
    while let Some(outer) = name.strip_suffix("::{{closure}}") {
        name = outer;
    }
    // `#[miu_log::main]` puts the program's `main` into another one.
    if name.ends_with("::main::main") { &name[..name.len() - "::main".len()] } else { name }
}

/// Entries of this cache: a power of two. A service has some hundred logging calls, a thread uses few of them.
const CACHED: usize = 64;

thread_local! {
    /// Ids of the locations this thread logged from last, by address. Has no destructor: usable at any time.
    static LOCATIONS: [Cached; CACHED] =
        const { [const { Cached { address: AtomicU64::new(0), id: AtomicU32::new(0) } }; CACHED] };
}

/// A location's id. Atomic for signal handlers, which read it and never write: one that interrupts a change finds no address.
struct Cached {
    address: AtomicU64,
    id: AtomicU32,
}

impl Cached {
    #[inline]
    fn get(&self, address: usize) -> Option<u32> {
        let cached = self.address.load(Ordering::Relaxed) == address as u64;
        cached.then(|| self.id.load(Ordering::Relaxed))
    }

    fn set(&self, address: usize, id: u32) {
        self.address.store(0, Ordering::Relaxed);
        compiler_fence(Ordering::SeqCst);
        self.id.store(id, Ordering::Relaxed);
        compiler_fence(Ordering::SeqCst);
        self.address.store(address as u64, Ordering::Relaxed);
    }
}

/// The id of a logging method's call: the message as it is, at this location. None in a signal handler whose thread has not
/// logged there lately, and from an allocator, as for `Callsite::id`.
#[inline]
pub(crate) fn of_location(location: &'static Location<'static>) -> Option<u32> {
    let address = std::ptr::from_ref(location) as usize;
    // Locations are some 24 bytes each and lie side by side.
    let slot = (address >> 3) % CACHED;
    LOCATIONS.with(|cache| {
        let cached = &cache[slot];
        cached.get(address).or_else(|| {
            let id = register_location(location, address)?;
            cached.set(address, id);
            Some(id)
        })
    })
}

#[cold]
fn register_location(location: &'static Location<'static>, address: usize) -> Option<u32> {
    if in_signal_handler() {
        return None;
    }
    let mut dictionary = dictionary()?;
    if let Some(id) = dictionary.locations.get(&address) {
        return Some(*id);
    }
    let id = dictionary.add(Description {
        level: None,
        template: "{}",
        fields: &[],
        file: location.file(),
        line: location.line(),
        column: location.column(),
        module: "",
        function: "",
    });
    dictionary.locations.insert(address, id);
    Some(id)
}

/// A place in the program that is known at run time only, as that of a panic, and what is said of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place<'a> {
    pub(crate) file: &'a str,
    pub(crate) line: u32,
    pub(crate) column: u32,
    pub(crate) template: &'static str,
    pub(crate) fields: &'static [&'static str],
}

impl<'a> Place<'a> {
    /// A record at this location, made of one text.
    pub(crate) fn of(location: &Location<'a>) -> Place<'a> {
        let (file, line, column) = (location.file(), location.line(), location.column());
        Place { file, line, column, template: "{}", fields: &[] }
    }
}

/// The id of a place; registers it at first use. None as for `of_location`.
///
/// The places of a program are bounded by its text: what is kept of them, their files' names among it, is kept for ever.
pub(crate) fn of_place(place: Place<'_>) -> Option<u32> {
    if in_signal_handler() {
        return None;
    }
    let mut dictionary = dictionary()?;
    let places: &HashMap<Place<'_>, u32> = &dictionary.places;
    if let Some(id) = places.get(&place) {
        return Some(*id);
    }
    let known = dictionary.places.keys().map(|known| known.file).find(|file| *file == place.file);
    let place = Place { file: known.unwrap_or_else(|| Box::leak(place.file.into())), ..place };
    let Place { file, line, column, template, fields } = place;
    let id = dictionary.add(Description {
        level: None,
        template,
        fields,
        file,
        line,
        column,
        module: "",
        function: "",
    });
    dictionary.places.insert(place, id);
    Some(id)
}

/// All statements that have logged in this process.
struct Dictionary {
    entries: Vec<Description>,
    locations: HashMap<usize, u32>,
    places: HashMap<Place<'static>, u32>,
    files: Vec<Weak<File>>,
}

static DICTIONARY: Mutex<Option<Dictionary>> = Mutex::new(None);

thread_local! {
    /// The thread has the dictionary. Has no destructor. Atomic as `BUSY` of `queue::slow` is.
    static HELD: AtomicBool = const { AtomicBool::new(false) };
}

/// Whether this thread has the dictionary: a call that comes now is one of an allocator, and must neither lock nor allocate.
pub(crate) fn is_held() -> bool {
    HELD.with(|held| held.load(Ordering::Relaxed))
}

/// The locked dictionary. No user code runs under this lock but an allocator's: none where this thread has the dictionary already.
fn dictionary() -> Option<DictionaryGuard> {
    if is_held() {
        return None;
    }
    HELD.with(|held| held.store(true, Ordering::Relaxed));
    Some(DictionaryGuard(lock(&DICTIONARY)))
}

/// Runs the function under the dictionary's lock, which a fork waits for: what it changes is whole in a forked child. It is given what registers a
/// call site. None in a signal handler, and where this thread has the dictionary already.
pub(crate) fn exclusively<R>(run: impl FnOnce(&mut dyn FnMut(Description) -> u32) -> R) -> Option<R> {
    if in_signal_handler() {
        return None;
    }
    let mut dictionary = dictionary()?;
    Some(run(&mut |description| dictionary.add(description)))
}

struct DictionaryGuard(MutexGuard<'static, Option<Dictionary>>);

impl Drop for DictionaryGuard {
    fn drop(&mut self) {
        // Giving the lock back, which comes next, calls nobody.
        HELD.with(|held| held.store(false, Ordering::Relaxed));
    }
}

impl std::ops::Deref for DictionaryGuard {
    type Target = Dictionary;

    fn deref(&self) -> &Dictionary {
        static EMPTY: std::sync::OnceLock<Dictionary> = std::sync::OnceLock::new();
        self.0.as_ref().unwrap_or_else(|| EMPTY.get_or_init(Dictionary::empty))
    }
}

impl std::ops::DerefMut for DictionaryGuard {
    fn deref_mut(&mut self) -> &mut Dictionary {
        self.0.get_or_insert_with(Dictionary::empty)
    }
}

impl Dictionary {
    fn empty() -> Dictionary {
        Dictionary {
            entries: Vec::new(),
            locations: HashMap::new(),
            places: HashMap::new(),
            files: Vec::new(),
        }
    }

    fn add(&mut self, description: Description) -> u32 {
        self.entries.push(description);
        let id = self.entries.len() as u32;
        let bytes = entry_bytes(id, &description);
        self.files.retain(|file| match file.upgrade() {
            // The file serves recovery alone: where it cannot be written the records themselves still can.
            Some(file) => (&*file).write_all(&bytes).is_ok(),
            None => false,
        });
        id
    }
}

/// A statement of another process, as its dictionary file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Foreign {
    pub(crate) id: u32,
    pub(crate) line: u32,
    pub(crate) file: String,
    pub(crate) module: String,
    pub(crate) function: String,
    pub(crate) template: String,
    pub(crate) fields: Vec<String>,
}

/// Most fields that are believed of a statement.
const MOST_FIELDS: u32 = 4096;

/// Reads the first entry of a dictionary's bytes, and how long it is. None where it is not whole; the error is a fault that the
/// bytes behind it cannot mend.
pub(crate) fn read_entry(bytes: &[u8]) -> Result<Option<(Foreign, usize)>, &'static str> {
    let mut whole = Reading::new(bytes);
    let Some(entry) = whole.counted() else { return Ok(None) };
    let len = bytes.len() - whole.rest().len();
    if entry.is_empty() {
        // Reserved space that nobody has written to.
        return Ok(None);
    }
    let mut entry = Reading::new(entry);
    let mut read = || {
        let (id, line, _column, _level) = (entry.u32()?, entry.u32()?, entry.u32()?, entry.u8()?);
        let mut text = || entry.text().map(str::to_owned);
        let (file, module, function, template) = (text()?, text()?, text()?, text()?);
        let count = entry.u32().filter(|count| *count <= MOST_FIELDS)?;
        let fields = (0..count).map(|_| entry.text().map(str::to_owned)).collect::<Option<_>>()?;
        Some(Foreign { id, line, file, module, function, template, fields })
    };
    read().map(|entry| Some((entry, len))).ok_or("an entry of the dictionary is not what it should be")
}

thread_local! {
    /// The lock, held by the thread that forks.
    static FORKING: RefCell<Option<DictionaryGuard>> = const { RefCell::new(None) };
}

/// Before a fork: takes the lock, so that the child's dictionary is whole, and not locked by a thread that the child does not have.
pub(crate) fn before_fork() {
    let guard = dictionary();
    // A thread at its very end, whose thread-locals are gone, forks without: then the child may find the lock taken.
    let _ = FORKING.try_with(|forking| forking.replace(guard));
}

/// After a fork, in both processes: gives the lock back.
pub(crate) fn after_fork() {
    let _ = FORKING.try_with(RefCell::take);
}

/// In a forked child, before `after_fork`: files of its parent are not for its own statements.
pub(crate) fn begin_child() {
    let _ = FORKING.try_with(|forking| {
        if let Some(dictionary) = &mut *forking.borrow_mut()
            && let Some(dictionary) = &mut *dictionary.0
        {
            dictionary.files.clear();
        }
    });
}

/// The entry with this id.
pub(crate) fn describe(id: u32) -> Option<Description> {
    let index = (id as usize).checked_sub(1)?;
    dictionary()?.entries.get(index).copied()
}

/// From now on every entry stands in this file too: those there are, at once.
pub(crate) fn record_in(file: File) -> std::io::Result<Arc<File>> {
    let busy = || std::io::Error::other("this thread is registering a call site");
    let mut dictionary = dictionary().ok_or_else(busy)?;
    let mut bytes = Vec::new();
    for (index, description) in dictionary.entries.iter().enumerate() {
        bytes.extend(entry_bytes(index as u32 + 1, description));
    }
    (&file).write_all(&bytes)?;
    let file = Arc::new(file);
    dictionary.files.push(Arc::downgrade(&file));
    Ok(file)
}

/// One entry: its length in bytes (u32, itself not counted), id, line, column, level (255: none), then file, module,
/// function, template and the fields' names, each as u32 length and UTF-8; before the names their number.
fn entry_bytes(id: u32, description: &Description) -> Vec<u8> {
    let mut bytes = vec![0; 4];
    bytes.extend(id.to_le_bytes());
    bytes.extend(description.line.to_le_bytes());
    bytes.extend(description.column.to_le_bytes());
    bytes.push(description.level.map_or(u8::MAX, |level| level as u8));
    for text in [description.file, description.module, description.function, description.template] {
        put_counted(&mut bytes, text.as_bytes());
    }
    bytes.extend((description.fields.len() as u32).to_le_bytes());
    for name in description.fields {
        put_counted(&mut bytes, name.as_bytes());
    }
    let len = bytes.len() as u32 - 4;
    bytes[..4].copy_from_slice(&len.to_le_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_has_one_id_in_all_threads() {
        let here = Location::caller();
        let id = of_location(here).unwrap();
        assert_eq!(of_location(here), Some(id));
        assert_eq!(std::thread::spawn(move || of_location(here)).join().unwrap(), Some(id));
        assert_eq!(describe(id).unwrap().line, here.line());
    }

    #[test]
    fn a_place_has_one_id_whoever_names_its_file() {
        fn place(file: &str) -> Place<'_> {
            Place { file, line: 7, column: 9, template: "{}", fields: &[] }
        }
        let id = of_place(place("a.rs")).unwrap();
        assert_eq!(of_place(place(&String::from("a.rs"))), Some(id));
        assert_ne!(of_place(place("b.rs")), Some(id));
        assert_ne!(of_place(Place { template: "stopping: {}", ..place("a.rs") }), Some(id));
        assert_eq!(describe(id).unwrap().file, "a.rs");
    }

    #[test]
    fn an_entry_is_read_back_and_a_half_one_is_not() {
        let description = Description {
            level: Some(Level::Info),
            template: "{} of {}",
            fields: &["rows", "user"],
            file: "a.rs",
            line: 7,
            column: 9,
            module: "a",
            function: "a::b",
        };
        let bytes = entry_bytes(3, &description);
        let (entry, len) = read_entry(&bytes).unwrap().unwrap();
        assert_eq!((entry.id, entry.line, len), (3, 7, bytes.len()));
        assert_eq!((entry.template.as_str(), entry.function.as_str()), ("{} of {}", "a::b"));
        assert_eq!(entry.fields, ["rows", "user"]);
        for cut in 0..bytes.len() {
            assert_eq!(read_entry(&bytes[..cut]), Ok(None));
        }
        assert_eq!(read_entry(&[0; 64]), Ok(None), "reserved space");
        assert!(read_entry(&[1, 0, 0, 0, 9]).is_err());
    }

    #[test]
    fn a_thread_that_registers_registers_nothing_else_meanwhile() {
        let here = Location::caller();
        let held = dictionary();
        assert!(held.is_some() && is_held());
        assert_eq!(of_location(here), None);
        drop(held);
        assert!(of_location(here).is_some() && !is_held());
    }

    #[test]
    fn unknown_ids_have_no_entry() {
        assert!(describe(0).is_none());
        assert!(describe(u32::MAX).is_none());
    }

    #[test]
    fn closures_are_named_by_their_function() {
        assert_eq!(enclosing_function("a::b::{{closure}}::{{closure}}::here"), "a::b");
        assert_eq!(enclosing_function("a::b::here"), "a::b");
        assert_eq!(enclosing_function("a::main::main::{{closure}}::here"), "a::main");
    }
}
