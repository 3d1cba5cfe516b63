//! The calling thread's own producers, found without a lock or an allocation.
//!
//! L1. A producer belongs to the thread in whose `OWNED` list it is; nobody else reaches it.
//! L2. The list owns its producers: each pointer comes from a box and is valid until it leaves the list. `CURRENT` is null, or the mark
//!     `IN_USE`, or one of them, and is reset before a producer leaves. Once it is not null, `OWNED` has been touched, so that touching it again
//!     allocates nothing.
//! L3. `&mut Producer` is never handed out twice at a time: while it is out, and while the list changes, `CURRENT` is the mark.
//!     A call that comes meanwhile on the same thread finds no producer: one in a signal handler, whichever instruction it interrupts, or
//!     one of an allocator that logs.
//! L4. A signal handler runs from its start to its end between two instructions of the thread. It reads the list, and uses a producer at rest;
//!     it adds none and removes none (its slow path ends before that), and leaves `CURRENT` at a producer in the list. So whoever has read `CURRENT`
//!     may use what it read, and must not read it a second time for the same purpose.

use std::cell::RefCell;
use std::mem::offset_of;
use std::ptr::{self, NonNull};

use super::producer::Producer;
use crate::sync::{AtomicPtr, Ordering, compiler_fence, thread_local};

/// Where `CURRENT` points while a producer is in use: read as a producer's key, it is one that no producer has.
static IN_USE: Mark = Mark(0);

#[repr(C, align(64))]
struct Mark(usize);

const _: () = assert!(
    offset_of!(Producer, key) == 0 && align_of::<Mark>() == align_of::<Producer>(),
    "a key is read through `CURRENT` before it is known what it points to"
);

thread_local! {
    /// The producer used last. Has no destructor, hence can be read at any time of a thread's life. Atomic for signal handlers: its loads
    /// and stores are plain instructions.
    static CURRENT: AtomicPtr<Producer> = const { AtomicPtr::new(ptr::null_mut()) };
    static OWNED: Owned = const { Owned(RefCell::new(Vec::new())) };
}

#[inline(always)]
fn current() -> *mut Producer {
    CURRENT.with(|current| current.load(Ordering::Relaxed))
}

#[inline(always)]
fn set_current(producer: *mut Producer) {
    CURRENT.with(|current| current.store(producer, Ordering::Relaxed));
}

#[inline(always)]
fn mark() -> *mut Producer {
    (&raw const IN_USE).cast::<Producer>().cast_mut()
}

/// Puts the mark up for as long as it lives, and then this producer.
struct InUse(*mut Producer);

impl InUse {
    #[inline(always)]
    fn until_then(then: *mut Producer) -> InUse {
        set_current(mark());
        // For a handler: the mark is up before anything is touched, and nothing is touched once it is down (L3).
        compiler_fence(Ordering::SeqCst);
        InUse(then)
    }
}

impl Drop for InUse {
    #[inline(always)]
    fn drop(&mut self) {
        compiler_fence(Ordering::SeqCst);
        set_current(self.0);
    }
}

/// All producers of the thread: one for each repository that it logs to.
struct Owned(RefCell<Vec<NonNull<Producer>>>);

impl Drop for Owned {
    fn drop(&mut self) {
        set_current(ptr::null_mut());
        compiler_fence(Ordering::SeqCst);
        for producer in self.0.take() {
            // SAFETY: L2: it came from a box, has just left the list, and `CURRENT` no longer points to it.
            drop(unsafe { Box::from_raw(producer.as_ptr()) });
        }
    }
}

/// Runs the function on the thread's producer for this key, if there is one at rest. The function neither allocates nor logs.
#[inline(always)]
pub(crate) fn with<R>(key: usize, run: impl FnOnce(&mut Producer) -> R) -> Option<R> {
    let current = current();
    // SAFETY: L2: it points to a living producer of this thread or to the mark, both of which begin with a key, and which nobody
    // changes.
    if !current.is_null() && unsafe { *current.cast::<usize>() } == key {
        let _in_use = InUse::until_then(current);
        // SAFETY: L2: no mark has this key, so it points to a living producer of this thread; L1, L3 and L4: there is no other
        // reference to it.
        return Some(run(unsafe { &mut *current }));
    }
    with_exclusively(key, run)
}

/// As `with`, for functions that may allocate: a nested call finds no producer at all.
#[cold]
pub(crate) fn with_exclusively<R>(key: usize, run: impl FnOnce(&mut Producer) -> R) -> Option<R> {
    let found = find(key)?.as_ptr();
    let _in_use = InUse::until_then(found);
    // SAFETY: it was found among the thread's living producers (L2), which no one else reaches (L1); while the mark is up nothing hands
    // it out again (L3), and it cannot leave the list, for `prune` finds nothing to do.
    Some(run(unsafe { &mut *found }))
}

/// The thread's producer for this key, if it has one and none is in use.
fn find(key: usize) -> Option<NonNull<Producer>> {
    if current().is_null() || is_in_use() {
        return None;
    }
    let find = |owned: &Owned| {
        let producers = owned.0.try_borrow().ok()?;
        // SAFETY: L2; only read here, and L3: no `&mut` of it is in use while this runs.
        producers.iter().copied().find(|producer| unsafe { producer.as_ref() }.key() == key)
    };
    OWNED.try_with(find).ok().flatten()
}

/// Whether a call on this thread has a producer in its hands, or changes the list: this one is nested in it.
pub(crate) fn is_in_use() -> bool {
    ptr::eq(current(), mark())
}

/// Gives the thread a producer. False, and the producer is dropped, where the thread is past having any: its thread-locals
/// are gone.
pub(crate) fn adopt(producer: Producer) -> bool {
    OWNED
        .try_with(|owned| match owned.0.try_borrow_mut() {
            Ok(mut producers) => {
                let producer = NonNull::from(Box::leak(Box::new(producer)));
                let _in_use = InUse::until_then(producer.as_ptr());
                producers.push(producer);
                true
            }
            Err(_) => false,
        })
        .unwrap_or(false)
}

/// In a forked child: leaves its parent's producers alone. They are leaked, for dropping one would close its ring.
pub(crate) fn abandon_all() {
    set_current(ptr::null_mut());
    let _ = OWNED.try_with(|owned| {
        if let Ok(mut producers) = owned.0.try_borrow_mut() {
            std::mem::forget(std::mem::take(&mut *producers));
        }
    });
}

/// Whether the thread can still have producers of its own.
pub(crate) fn is_alive() -> bool {
    OWNED.try_with(|_| ()).is_ok()
}

/// Drops the producers that `is_dead` points out: those of repositories that are gone.
pub(crate) fn prune(is_dead: impl Fn(&Producer) -> bool) {
    if current().is_null() || is_in_use() {
        return;
    }
    let _ = OWNED.try_with(|owned| {
        let Ok(mut producers) = owned.0.try_borrow_mut() else { return };
        let mut in_use = InUse::until_then(ptr::null_mut());
        producers.retain(|producer| {
            // SAFETY: L2; nothing else refers to it now (L3).
            let dead = is_dead(unsafe { producer.as_ref() });
            if dead {
                // SAFETY: L2: it came from a box and leaves the list here; `CURRENT` is the mark (L3).
                drop(unsafe { Box::from_raw(producer.as_ptr()) });
            }
            !dead
        });
        in_use.0 = producers.first().map_or(ptr::null_mut(), |producer| producer.as_ptr());
    });
}

#[cfg(test)]
mod tests {
    use std::any::Any;
    use std::sync::Arc;

    use super::super::segment::{Identity, SMALLEST, Segment};
    use super::*;

    fn adopted() -> (Arc<dyn Any + Send + Sync>, usize) {
        let identity = Identity {
            member: 1,
            process_id: 1,
            thread_id: 1,
            ring: 0,
            generation: 0,
            thread_name: String::new(),
        };
        let owner: Arc<dyn Any + Send + Sync> = Arc::new(0u8);
        let key = Arc::as_ptr(&owner).cast::<u8>() as usize;
        let segment = Arc::new(Segment::create(None, SMALLEST, &identity).unwrap());
        assert!(adopt(Producer::new(owner.clone(), segment, 0)));
        (owner, key)
    }

    #[test]
    fn each_key_finds_its_own_producer() {
        let (first, second) = (adopted(), adopted());
        for (_, key) in [&first, &second, &first] {
            assert_eq!(with(*key, |producer| producer.key()), Some(*key));
        }
        assert_eq!(with(1, |_| ()), None);
    }

    #[test]
    fn a_call_within_an_exclusive_one_finds_no_producer() {
        let (_owner, key) = adopted();
        let nested = with_exclusively(key, |_| (with(key, |_| ()), with_exclusively(key, |_| ())));
        assert_eq!(nested, Some((None, None)));
        assert_eq!(with(key, |producer| producer.key()), Some(key));
    }

    #[test]
    fn a_call_within_one_of_another_key_finds_no_producer() {
        let ((_first, first), (_second, second)) = (adopted(), adopted());
        assert!(!is_in_use());
        let nested = with(first, |_| (is_in_use(), with(second, |_| ()), with(first, |_| ())));
        assert_eq!(nested, Some((true, None, None)));
        assert_eq!((with(second, |_| is_in_use()), is_in_use()), (Some(true), false));
    }

    #[test]
    fn a_handler_finds_the_producer_at_rest_and_none_while_it_is_in_use() {
        use super::super::signal_action::testing::raise_with;
        use crate::sync::{AtomicU32, AtomicU64};
        static KEY: AtomicU64 = AtomicU64::new(0);
        static FOUND: AtomicU32 = AtomicU32::new(0);
        extern "C" fn handler(_: std::ffi::c_int) {
            let found = with(KEY.load(Ordering::Relaxed) as usize, |_| ()).is_some();
            FOUND.fetch_add(found.into(), Ordering::Relaxed);
        }
        let (_owner, key) = adopted();
        KEY.store(key as u64, Ordering::Relaxed);
        raise_with(libc::SIGUSR1, handler, false);
        assert_eq!(FOUND.swap(0, Ordering::Relaxed), 1);
        assert_eq!(with(key, |_| raise_with(libc::SIGUSR1, handler, false)), Some(()));
        assert_eq!(with_exclusively(key, |_| raise_with(libc::SIGUSR1, handler, false)), Some(()));
        assert_eq!(FOUND.load(Ordering::Relaxed), 0);
        assert_eq!(with(key, |_| ()), Some(()));
    }

    #[test]
    fn a_panic_ends_the_exclusive_use() {
        let (_owner, key) = adopted();
        let outcome = std::panic::catch_unwind(|| with_exclusively(key, |_| panic!("as the test wants it")));
        assert!(outcome.is_err());
        assert_eq!(with(key, |_| ()), Some(()));
    }

    #[test]
    fn pruned_producers_are_found_no_more() {
        let (_kept, kept) = adopted();
        let (_gone, gone) = adopted();
        prune(|producer| producer.key() == gone);
        assert_eq!((with(gone, |_| ()), with(kept, |_| ())), (None, Some(())));
    }
}
