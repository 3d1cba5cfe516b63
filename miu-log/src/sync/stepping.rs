//! Atomics and locks under a scheduler of random schedules: before every access another thread may go on.
//!
//! They are std's own, so that they may lie in shared memory as they do otherwise, and only one thread runs at a time: what is found
//! are faults of order, not of memory ordering, which is the loom models' part.

use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

pub(crate) use std::sync::atomic::Ordering;

/// Another thread may go on here.
pub(crate) fn step() {
    if !std::thread::panicking() {
        shuttle::thread::sleep(std::time::Duration::ZERO);
    }
}

/// Nothing is to be done here until another thread has gone on.
pub(crate) fn rest() {
    if !std::thread::panicking() {
        shuttle::thread::yield_now();
    }
}

/// A step as well: order is sequential here.
pub(crate) fn fence(_order: Ordering) {
    step();
}

/// Locks a mutex as the ordinary `lock` does; while another thread has it that one goes on.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    loop {
        step();
        match mutex.try_lock() {
            Ok(guard) => return guard,
            Err(TryLockError::Poisoned(poisoned)) => return PoisonError::into_inner(poisoned),
            Err(TryLockError::WouldBlock) => rest(),
        }
    }
}

macro_rules! atomics {
    ($($name:ident $value:ident [$($number:ident)*];)*) => {$(
        #[derive(Debug, Default)]
        #[repr(transparent)]
        pub(crate) struct $name(std::sync::atomic::$name);

        #[allow(dead_code, reason = "each has what std's has, as far as any is used")]
        impl $name {
            pub(crate) const fn new(value: $value) -> $name {
                $name(std::sync::atomic::$name::new(value))
            }

            pub(crate) fn load(&self, order: Ordering) -> $value {
                step();
                self.0.load(order)
            }

            pub(crate) fn store(&self, value: $value, order: Ordering) {
                step();
                self.0.store(value, order);
            }

            pub(crate) fn swap(&self, value: $value, order: Ordering) -> $value {
                step();
                self.0.swap(value, order)
            }

            pub(crate) fn compare_exchange(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                step();
                self.0.compare_exchange(current, new, success, failure)
            }

            $(
                pub(crate) fn $number(&self, value: $value, order: Ordering) -> $value {
                    step();
                    self.0.$number(value, order)
                }
            )*
        }
    )*};
}

atomics! {
    AtomicBool bool [fetch_or fetch_and];
    AtomicI32 i32 [fetch_add fetch_sub];
    AtomicU8 u8 [fetch_add fetch_sub];
    AtomicU32 u32 [fetch_add fetch_sub fetch_max];
    AtomicU64 u64 [fetch_add fetch_sub fetch_max];
}
