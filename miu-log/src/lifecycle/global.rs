//! The process-wide repository behind `logs::init` and `logs::repo`.
//!
//! `repo()` can be used at any time. Before `init` it gives a repository without a listener, whose rings keep a bounded number of
//! records; `init` gives that very repository its listener, so that these records are the first in the files.

use std::panic::Location;
use std::sync::Mutex;

use once_cell::sync::OnceCell;

use crate::config::LogConfig;
use crate::domain::DomainSpec;
use crate::error::Error;
use crate::repository::Core;
use crate::sync::lock;

/// A process-wide repository of the generated type `R`.
#[derive(Debug)]
pub struct Global<R> {
    instance: OnceCell<(R, Core)>,
    /// Where it was initialised.
    initialised: Mutex<Option<&'static Location<'static>>>,
}

impl<R> Default for Global<R> {
    fn default() -> Global<R> {
        Global::new()
    }
}

impl<R> Global<R> {
    /// None yet.
    pub const fn new() -> Global<R> {
        Global { instance: OnceCell::new(), initialised: Mutex::new(None) }
    }

    /// Starts the repository. A failed start leaves it as it was.
    ///
    /// # Errors
    ///
    /// As for opening a repository; and when it was initialised before: the error says where.
    #[track_caller]
    pub fn init(
        &'static self,
        config: LogConfig,
        specs: &'static [DomainSpec],
        build: fn(Core) -> R,
    ) -> Result<&'static R, Error> {
        let caller = Location::caller();
        let mut initialised = lock(&self.initialised);
        if let Some(first) = *initialised {
            return Err(Error::already_initialised(format!(
                "the process-wide repository was initialised before, at {first}; `repo()` gives it"
            )));
        }
        let (repository, core) = self.instance(specs, build);
        core.start(config)?;
        *initialised = Some(caller);
        Ok(repository)
    }

    /// The repository, started or not.
    pub fn get(&'static self, specs: &'static [DomainSpec], build: fn(Core) -> R) -> &'static R {
        &self.instance(specs, build).0
    }

    fn instance(&'static self, specs: &'static [DomainSpec], build: fn(Core) -> R) -> &'static (R, Core) {
        self.instance.get_or_init(|| {
            let core = Core::early(specs);
            (build(core.handle()), core)
        })
    }
}
