//! Values that functions give for the diagnosis of errors: what `#[diagnose]` expands to.
//!
//! They stand beside the context in the thread's stack of scopes, and go into records of ERROR and CRITICAL only. Sinks that do not ask for them do not
//! show them, which the router sees to.

use super::Scope;
use super::carry::Carried;
use super::current;
use super::fields::Fields;
use crate::sync::{AtomicBool, Ordering};

/// Whether any repository of the process has had a sink that asks for captured values.
static ASKED: AtomicBool = AtomicBool::new(false);

/// From now on functions capture their values.
pub(crate) fn ask() {
    ASKED.store(true, Ordering::Relaxed);
}

/// Whether somebody asks for captured values.
#[inline]
pub fn is_diagnosing() -> bool {
    ASKED.load(Ordering::Relaxed)
}

/// Puts values in force beside those of the callers.
#[must_use]
pub fn diagnosis(captured: Fields) -> Option<Scope> {
    (!captured.is_empty()).then(|| Scope::enter(None, Some(over_current(&captured))))
}

/// The future, with values in force inside it beside those of the callers.
pub fn diagnosed<F: Future>(captured: Fields, future: F) -> Carried<F> {
    let captured = (!captured.is_empty()).then(|| over_current(&captured));
    Carried::new(future, None, captured)
}

fn over_current(captured: &Fields) -> Fields {
    captured.over(&current::current().captured)
}
