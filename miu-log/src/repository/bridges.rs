//! What a repository does for the records of other crates: it installs the facades' receivers and puts its routes into their slot.

use std::sync::Arc;

use crate::bridge;
use crate::bridge::receiver::{self, Destination};
use crate::bridge::routes::Routes;
use crate::config::{CheckedRoutes, OtherCrates};
use crate::error::Error;
use crate::level::Level;
use crate::lifecycle::early;
use crate::logger::Logger;
use crate::queue::Queue;
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

fn taken() -> Error {
    Error::already_initialised(
        "the records of other crates go to another repository of this process, which is open: `intercept(false)` and no routes for one of them, or \
         `shutdown` of the other first",
    )
}
