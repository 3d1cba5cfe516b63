//! The calling thread's own producers, found without a lock or an allocation.
//!
//! L1. A producer belongs to the thread in whose `OWNED` list it is; nobody else reaches it.
//! L2. The list owns its producers: each pointer comes from a box and is valid until it leaves the list. `CURRENT` is null or
//!     one of them, and is reset before a producer leaves.
//! L3. `&mut Producer` is never handed out twice at a time. What is given to `with` neither allocates nor logs, so that it cannot
//!     come back here; what is given to `with_exclusively` may (an allocator can log), and then finds no producer.

use std::cell::{Cell, RefCell};
use std::ptr::{self, NonNull};

use super::producer::Producer;

thread_local! {
    /// The producer used last. Has no destructor, hence can be read at any time of a thread's life.
    static CURRENT: Cell<*mut Producer> = const { Cell::new(ptr::null_mut()) };
    /// A function given to `with_exclusively` is running.
    static EXCLUSIVE: Cell<bool> = const { Cell::new(false) };
    static OWNED: Owned = const { Owned(RefCell::new(Vec::new())) };
}

/// All producers of the thread: one for each repository that it logs to.
struct Owned(RefCell<Vec<NonNull<Producer>>>);

impl Drop for Owned {
    fn drop(&mut self) {
        CURRENT.set(ptr::null_mut());
        for producer in self.0.take() {
            // SAFETY: L2: it came from a box, has just left the list, and `CURRENT` no longer points to it.
            drop(unsafe { Box::from_raw(producer.as_ptr()) });
        }
    }
}

/// Runs the function on the thread's producer for this key, if there is one.
#[inline(always)]
pub(crate) fn with<R>(key: usize, run: impl FnOnce(&mut Producer) -> R) -> Option<R> {
    let current = CURRENT.get();
    if !current.is_null() {
        // SAFETY: L2: it points to a living producer of this thread; L1 and L3: there is no other reference to it.
        let producer = unsafe { &mut *current };
        if producer.key() == key {
            return Some(run(producer));
        }
    }
    if select(key) {
        // SAFETY: `select` has just set it to a living producer (L2); L1 and L3 as above.
        return Some(run(unsafe { &mut *CURRENT.get() }));
    }
    None
}

/// As `with`, for functions that may allocate: a nested call finds no producer at all.
pub(crate) fn with_exclusively<R>(key: usize, run: impl FnOnce(&mut Producer) -> R) -> Option<R> {
    /// Ends the exclusive use, also when the function panics.
    struct Exclusive(*mut Producer);

    impl Drop for Exclusive {
        fn drop(&mut self) {
            EXCLUSIVE.set(false);
            CURRENT.set(self.0);
        }
    }

    if !select(key) {
        return None;
    }
    let current = Exclusive(CURRENT.replace(ptr::null_mut()));
    EXCLUSIVE.set(true);
    // SAFETY: `select` has just found it among the thread's living producers (L2), which no one else reaches (L1); while
    // `EXCLUSIVE` is set nothing hands it out again (L3), and it cannot leave the list, for `prune` finds nothing to do.
    Some(run(unsafe { &mut *current.0 }))
}

/// Makes the producer of this key the current one.
#[cold]
fn select(key: usize) -> bool {
    if EXCLUSIVE.get() {
        return false;
    }
    let find = |owned: &Owned| {
        let producers = owned.0.try_borrow().ok()?;
        // SAFETY: L2; only read here, and L3: no `&mut` of it is in use while `select` runs.
        producers.iter().copied().find(|producer| unsafe { producer.as_ref() }.key() == key)
    };
    match OWNED.try_with(find) {
        Ok(Some(producer)) => {
            CURRENT.set(producer.as_ptr());
            true
        }
        _ => false,
    }
}

/// Gives the thread a producer. False, and the producer is dropped, where the thread is past having any: its thread-locals
/// are gone.
pub(crate) fn adopt(producer: Producer) -> bool {
    OWNED
        .try_with(|owned| match owned.0.try_borrow_mut() {
            Ok(mut producers) => {
                producers.push(NonNull::from(Box::leak(Box::new(producer))));
                true
            }
            Err(_) => false,
        })
        .unwrap_or(false)
}

/// In a forked child: leaves its parent's producers alone. They are leaked, for dropping one would close its ring.
pub(crate) fn abandon_all() {
    CURRENT.set(ptr::null_mut());
    EXCLUSIVE.set(false);
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
    if EXCLUSIVE.get() {
        return;
    }
    let _ = OWNED.try_with(|owned| {
        let Ok(mut producers) = owned.0.try_borrow_mut() else { return };
        CURRENT.set(ptr::null_mut());
        producers.retain(|producer| {
            // SAFETY: L2; nothing else refers to it now.
            let dead = is_dead(unsafe { producer.as_ref() });
            if dead {
                // SAFETY: L2: it came from a box and leaves the list here; `CURRENT` was reset above.
                drop(unsafe { Box::from_raw(producer.as_ptr()) });
            }
            !dead
        });
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
