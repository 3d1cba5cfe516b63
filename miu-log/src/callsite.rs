//! The static description of a log statement, registered once a process.
//!
//! A record carries a 32-bit id; everything that is the same for all records of a statement is here. The dictionary
//! gives ids, keeps what they stand for, and appends each new entry to the dictionary file of every open runtime
//! directory, so that another process can decode the records of this one.
//!
//! Called by `logger` and the macros' expansions (register), and by the listener (look up).

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::panic::Location;
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use crate::level::Level;
use crate::ring::signal_frame::in_signal_handler;
use crate::sync::{AtomicU32, AtomicU64, Ordering, compiler_fence, lock};

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

    /// The statement's id; registers it at first use. None in a signal handler that comes first: registering locks and allocates.
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
        let mut dictionary = dictionary();
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
    name
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
/// logged there lately.
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
    let mut dictionary = dictionary();
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

/// All statements that have logged in this process.
struct Dictionary {
    entries: Vec<Description>,
    locations: HashMap<usize, u32>,
    files: Vec<Weak<File>>,
}

static DICTIONARY: Mutex<Option<Dictionary>> = Mutex::new(None);

/// The locked dictionary. No user code runs under this lock.
fn dictionary() -> DictionaryGuard {
    DictionaryGuard(lock(&DICTIONARY))
}

struct DictionaryGuard(MutexGuard<'static, Option<Dictionary>>);

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
        Dictionary { entries: Vec::new(), locations: HashMap::new(), files: Vec::new() }
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

/// The entry with this id.
pub(crate) fn describe(id: u32) -> Option<Description> {
    let index = (id as usize).checked_sub(1)?;
    dictionary().entries.get(index).copied()
}

/// From now on every entry stands in this file too: those there are, at once.
pub(crate) fn record_in(file: File) -> std::io::Result<Arc<File>> {
    let mut dictionary = dictionary();
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
    let mut text = |text: &str| {
        bytes.extend((text.len() as u32).to_le_bytes());
        bytes.extend(text.as_bytes());
    };
    text(description.file);
    text(description.module);
    text(description.function);
    text(description.template);
    bytes.extend((description.fields.len() as u32).to_le_bytes());
    for name in description.fields {
        bytes.extend((name.len() as u32).to_le_bytes());
        bytes.extend(name.as_bytes());
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
    fn unknown_ids_have_no_entry() {
        assert!(describe(0).is_none());
        assert!(describe(u32::MAX).is_none());
    }

    #[test]
    fn closures_are_named_by_their_function() {
        assert_eq!(enclosing_function("a::b::{{closure}}::{{closure}}::here"), "a::b");
        assert_eq!(enclosing_function("a::b::here"), "a::b");
    }
}
