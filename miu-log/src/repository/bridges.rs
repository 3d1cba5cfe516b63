//! What a repository does for the records of other crates: it installs the facades' receivers and puts its routes into their slot, and changes the levels of
//! targets while the service runs.

use std::sync::Arc;

use super::Core;
use crate::bridge;
use crate::bridge::receiver::{self, Destination};
use crate::bridge::routes::Routes;
use crate::config::{CheckedRoutes, OtherCrates, TARGET_EXPECTED, is_target};
use crate::error::Error;
use crate::level::Level;
use crate::lifecycle::early;
use crate::listener::LevelOfTarget;
use crate::logger::Logger;
use crate::queue::{LONGEST_TARGET, LevelChange, MOST_TARGETS, Queue};
use crate::runtime::about::About;

/// What a repository is to do, checked.
#[derive(Debug)]
pub(super) struct Intercepting {
    routes: CheckedRoutes,
    /// None: nothing.
    wanted: Option<Wanted>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    /// If nobody else has the records.
    IfFree,
    /// In any case.
    Always,
}

impl Intercepting {
    /// Checks that it can be done, as far as that can be known beforehand, and installs the receivers.
    pub(super) fn prepare(said: &OtherCrates, routes: CheckedRoutes) -> Result<Intercepting, Error> {
        let wanted = match said.intercept {
            Some(false) => None,
            _ if said.insists() => Some(Wanted::Always),
            _ => Some(Wanted::IfFree),
        };
        if wanted == Some(Wanted::Always) {
            if let Some(Destination::Routes(routes)) = receiver::current()
                && !routes.queue().is_ended()
            {
                return Err(taken());
            }
            bridge::install().map_err(Error::already_initialised)?;
        }
        Ok(Intercepting { routes, wanted })
    }

    /// What a process does that joins a repository.
    pub(super) fn of_guest(about: &About) -> Intercepting {
        let wanted = about.other_crates.is_some().then_some(Wanted::IfFree);
        Intercepting { routes: about.other_crates.clone().unwrap_or_default(), wanted }
    }

    /// What the listener asks where the level of a target goes back.
    pub(super) fn level_of_target(&self, queue: &Arc<Queue>) -> LevelOfTarget {
        let routes = Routes::new(queue.clone(), &self.routes.rules, self.routes.default);
        Box::new(move |target| routes.level_of(target))
    }

    /// Takes the records from now on.
    pub(super) fn begin(self, queue: &Arc<Queue>) -> Result<(), Error> {
        let Intercepting { routes, wanted } = self;
        let Some(wanted) = wanted else { return Ok(()) };
        let problem = match wanted {
            Wanted::Always => None,
            Wanted::IfFree => bridge::install().err(),
        };
        let new =
            Routes::new(queue.clone(), &routes.rules, routes.default).with_span_events(routes.span_events);
        let new = Arc::new(new);
        let outcome = receiver::change(|present| match present {
            Some(Destination::Routes(present)) if !present.queue().is_ended() => Err(taken()),
            _ => Ok(Some(Destination::Routes(new.clone()))),
        });
        match outcome {
            Ok(_) => {
                early::release(&new);
                if let Some(problem) = problem {
                    let first = Logger::new(queue.clone(), routes.default);
                    first.log(Level::Warning, format_args!("{problem}"));
                }
                Ok(())
            }
            Err(_) if wanted == Wanted::IfFree => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl Core {
    /// Sets the lowest level that is taken of other crates' records whose target begins so, in all processes, at once.
    ///
    /// # Errors
    ///
    /// When the text is no target or too long, or there are too many already.
    pub fn set_target_level(&self, target: &str, level: Level) -> Result<LevelChange, Error> {
        if !is_target(target) {
            return Err(Error::config(format!(
                "cannot set the level of {target:?}, which is no target; {TARGET_EXPECTED}"
            )));
        }
        if target.len() > LONGEST_TARGET {
            return Err(Error::config(format!(
                "cannot set the level of the target {target:?}: it has {} bytes; at most {LONGEST_TARGET} are accepted, and a shorter path stands for all \
                 modules inside it",
                target.len()
            )));
        }
        self.inner.queue.set_target_level(target, level).ok_or_else(|| {
            Error::config(format!(
                "cannot set the level of the target {target:?}: {MOST_TARGETS} levels of targets are set already, which is the most; \
                 `reset_target_level` makes room"
            ))
        })
    }

    /// Takes the level of a target back that was set while the program runs. False where there was none.
    pub fn reset_target_level(&self, target: &str) -> bool {
        self.inner.queue.reset_target_level(target)
    }
}

fn taken() -> Error {
    Error::already_initialised(
        "the records of other crates go to another repository of this process, which is open: `intercept(false)` and no routes for one of them, or \
         `shutdown` of the other first",
    )
}
