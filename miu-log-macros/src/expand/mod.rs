//! Models to tokens. Nothing here can fail: what could is in `lower`.
//!
//! Invariant: no path begins anywhere but in `<crate path>::__private`, primitive types included,
//! so that no name of the user's crate can be meant by mistake.

pub(crate) mod diagnose;
pub(crate) mod domains;
pub(crate) mod fields;
pub(crate) mod main;
pub(crate) mod record;
mod signal;
