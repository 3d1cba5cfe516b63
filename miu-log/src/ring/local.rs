//! The calling thread's own producers, found without a lock or an allocation.
//!
//! L1. A producer belongs to the thread in whose `OWNED` list it is; nobody else reaches it.
//! L2. `CURRENT` is null or points to a producer of `OWNED`: it is reset before a producer leaves the list.
//!     Producers are boxed, so that a growing list does not move them.
//! L3. The functions given to `with` run nothing but this crate's own code, which neither logs nor registers:
//!     `&mut Producer` is never handed out twice at a time.

use std::cell::{Cell, RefCell};
use std::ptr;

use super::producer::Producer;

thread_local! {
    /// The producer used last. Has no destructor, hence can be read at any time of a thread's life.
    static CURRENT: Cell<*mut Producer> = const { Cell::new(ptr::null_mut()) };
    static OWNED: Owned = const { Owned(RefCell::new(Vec::new())) };
}

/// All producers of the thread: one for each repository that it logs to.
struct Owned(RefCell<Vec<Box<Producer>>>);

impl Drop for Owned {
    fn drop(&mut self) {
        CURRENT.set(ptr::null_mut());
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

/// Makes the producer of this key the current one.
#[cold]
fn select(key: usize) -> bool {
    OWNED
        .try_with(|owned| {
            // The list is borrowed only here, in `adopt` and in `prune`, none of which calls out: see L3.
            let Ok(mut producers) = owned.0.try_borrow_mut() else { return false };
            match producers.iter_mut().find(|producer| producer.key() == key) {
                Some(producer) => {
                    CURRENT.set(&mut **producer);
                    true
                }
                None => false,
            }
        })
        .unwrap_or(false)
}

/// Gives the thread a producer. Gives it back where the thread is past having any: its thread-locals are gone.
pub(crate) fn adopt(producer: Producer) -> Result<(), Producer> {
    let mut waiting = Some(Box::new(producer));
    let _ = OWNED.try_with(|owned| {
        if let (Ok(mut producers), Some(producer)) = (owned.0.try_borrow_mut(), waiting.take()) {
            producers.push(producer);
        }
    });
    waiting.map_or(Ok(()), |producer| Err(*producer))
}

/// Whether the thread can still have producers of its own.
pub(crate) fn is_alive() -> bool {
    OWNED.try_with(|_| ()).is_ok()
}

/// Drops the producers that `is_dead` points out: those of repositories that are gone.
pub(crate) fn prune(is_dead: impl Fn(&Producer) -> bool) {
    let _ = OWNED.try_with(|owned| {
        if let Ok(mut producers) = owned.0.try_borrow_mut() {
            CURRENT.set(ptr::null_mut());
            producers.retain(|producer| !is_dead(producer));
        }
    });
}
