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

#![cfg_attr(
    not(all(feature = "log", feature = "tracing")),
    allow(dead_code, unused_mut, unused_variables, reason = "what only a facade that is left out needs")
)]

mod fields;
#[cfg(feature = "log")]
mod log;
pub(crate) mod receiver;
mod repeats;
pub(crate) mod routes;
mod sites;
mod staging;
#[cfg(feature = "tracing")]
mod tracing;

#[cfg(feature = "tracing")]
pub use tracing::{tracing_layer, tracing_subscriber};

use receiver::Least;

use crate::queue::{Otherwise, in_turn};

/// Installs the receivers of the facades that this build has, once a process.
///
/// # Errors
///
/// The text says whose records go elsewhere. Those of the other facade come all the same.
pub(crate) fn install() -> Result<(), String> {
    crate::queue::watch_levels(levels_changed);
    let mut taken: Vec<&str> = Vec::new();
    #[cfg(feature = "log")]
    if !log::install() {
        taken.push("of the `log` facade go to another logger, which was installed before (by `set_logger`, `set_boxed_logger`, or the `init` of a crate \
                    that calls these)");
    }
    #[cfg(feature = "tracing")]
    if !tracing::install() {
        taken.push("of the `tracing` facade go to another subscriber, which was installed before, without the layer of `miu_log::tracing_layer()`");
    }
    destination_changed();
    if taken.is_empty() { Ok(()) } else { Err(format!("the records {}", taken.join(", and those "))) }
}

/// Whether what this thread logs through the `tracing` facade comes here.
fn events_come_here() -> bool {
    #[cfg(feature = "tracing")]
    return tracing::is_current();
    #[cfg(not(feature = "tracing"))]
    false
}

/// Tells the facades which levels are wanted from now on, in this thread's turn. Called where that may have changed otherwise than by a level.
pub(crate) fn destination_changed() {
    in_turn(Otherwise::Wait, levels_changed);
}

/// Tells the facades which levels are wanted from now on.
fn levels_changed() {
    // Another thread may change a level meanwhile.
    loop {
        let least = receiver::least();
        let level = match least {
            Least::AsItIs => return,
            Least::Nothing => None,
            Least::From(level) => Some(level),
        };
        #[cfg(feature = "log")]
        log::follow(level);
        #[cfg(feature = "tracing")]
        tracing::follow(level);
        if receiver::least() == least {
            return;
        }
    }
}
