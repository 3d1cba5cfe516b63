//! The context of the thread: a stack of scopes, of which the latest is in force.
//!
//! C1. `STATE` says without touching anything else whether a scope is in force: zero where none is, [`CHANGING`] while the stack changes. It has no
//!     destructor, so that it can be read at any time of a thread's life; a thread without a context pays for one load.
//! C2. A call that comes while the stack changes (of an allocator that logs, or of a signal handler) finds no context, and a scope that it enters is
//!     none. What leaves the stack is dropped after the change.
//! C3. A scope leaves by its number, not by its place: scopes that end in another order than they began leave the others as they were.
//!
//! Called by `logger` for every record, and by the scopes of `context`.

use std::cell::RefCell;

use super::fields::Fields;
use crate::sync::{AtomicU8, Ordering, compiler_fence, thread_local};

const NONE: u8 = 0;
const SOME: u8 = 1;
const CHANGING: u8 = 2;

thread_local! {
    static STATE: AtomicU8 = const { AtomicU8::new(NONE) };
    static STACK: Stack = const { Stack(RefCell::new(Scopes { scopes: Vec::new(), entered: 0 })) };
}

/// What is in force in a scope.
#[derive(Clone, Debug, Default)]
pub(super) struct Inside {
    pub(super) fields: Fields,
    /// What is given for the diagnosis of errors.
    pub(super) captured: Fields,
}

#[derive(Debug)]
struct Scopes {
    /// Number and content, the latest last.
    scopes: Vec<(u64, Inside)>,
    /// How many were entered.
    entered: u64,
}

struct Stack(RefCell<Scopes>);

impl Drop for Stack {
    fn drop(&mut self) {
        // The thread is at its end; what it still logs has no context.
        set_state(CHANGING);
        drop(std::mem::take(&mut self.0.get_mut().scopes));
        set_state(NONE);
    }
}

#[inline(always)]
fn state() -> u8 {
    STATE.with(|state| state.load(Ordering::Relaxed))
}

fn set_state(new: u8) {
    compiler_fence(Ordering::SeqCst);
    STATE.with(|state| state.store(new, Ordering::Relaxed));
    compiler_fence(Ordering::SeqCst);
}

/// Whether a record of this thread may have a context.
#[inline(always)]
pub(crate) fn is_any() -> bool {
    state() != NONE
}

/// Runs the function on what is in force: encoded fields, and encoded captured values.
pub(crate) fn with_current(mut run: impl FnMut(&[u8], &[u8])) {
    if with_inside(|inside| run(inside.fields.as_bytes(), inside.captured.as_bytes())).is_none() {
        run(&[], &[]);
    }
}

/// What is in force now.
pub(super) fn current() -> Inside {
    with_inside(Inside::clone).unwrap_or_default()
}

fn with_inside<R>(look: impl FnOnce(&Inside) -> R) -> Option<R> {
    if state() != SOME {
        return None;
    }
    STACK
        .try_with(|stack| {
            let scopes = stack.0.try_borrow().ok()?;
            scopes.scopes.last().map(|(_, inside)| look(inside))
        })
        .ok()
        .flatten()
}

/// Puts these in force; of what is not given, what is in force already. The scope's number; none where the stack is out of reach (C2), or the thread
/// is at its end.
pub(super) fn enter(fields: Option<Fields>, captured: Option<Fields>) -> Option<u64> {
    change(|scopes| {
        let now = scopes.scopes.last().map(|(_, inside)| inside);
        let fields = fields.or_else(|| now.map(|now| now.fields.clone()));
        let captured = captured.or_else(|| now.map(|now| now.captured.clone()));
        let inside = Inside { fields: fields.unwrap_or_default(), captured: captured.unwrap_or_default() };
        scopes.entered += 1;
        scopes.scopes.push((scopes.entered, inside));
        scopes.entered
    })
}

/// Takes a scope out.
pub(super) fn leave(number: u64) {
    let gone = change(|scopes| {
        let place = scopes.scopes.iter().rposition(|(other, _)| *other == number)?;
        Some(scopes.scopes.remove(place))
    });
    // Behind the change: it may be the last owner of its fields.
    drop(gone);
}

fn change<R>(change: impl FnOnce(&mut Scopes) -> R) -> Option<R> {
    let before = state();
    if before == CHANGING {
        return None;
    }
    STACK
        .try_with(|stack| {
            let mut scopes = stack.0.try_borrow_mut().ok()?;
            set_state(CHANGING);
            let result = change(&mut scopes);
            set_state(if scopes.scopes.is_empty() { NONE } else { SOME });
            Some(result)
        })
        .ok()
        .flatten()
}
