//! Records of other crates: those of the `log` and `tracing` facades, brought into the domains' files.
//!
//! ```text
//! log::info!(..)      tracing::info!(..)
//!       |                    |
//!   bridge::log         bridge::tracing      knows its facade's types, and nothing of queues
//!       |____________________|
//!                 |
//!          bridge::receiver                  one slot a process: who gets the records
//!             |         |
//!  bridge::routes     a collector            a repository's domains, or what waits for one
//!             |
//!   bridge::sites -> queue                   the statement's call site, then the caller's ring
//! ```
//!
//! `staging` is where a record's values are written down: it alone runs code of others.

#![allow(dead_code, reason = "the facades follow")]

pub(crate) mod receiver;
pub(crate) mod routes;
mod sites;
mod staging;

/// Tells the facades which levels are wanted from now on. Called wherever that may have changed.
pub(crate) fn levels_changed() {}
