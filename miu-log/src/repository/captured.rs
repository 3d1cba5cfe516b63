//! A repository in memory alone, for tests: no folder, no runtime directory, no thread.

use std::sync::{Arc, Mutex};

use super::bridges::Intercepting;
use super::{Core, Started};
use crate::config::LogConfig;
use crate::context::diagnosis;
use crate::error::Error;
use crate::filter::Filter;
use crate::listener::Listener;
use crate::queue::{OverflowPolicy, Settings};
use crate::router::{Router, Slot};
use crate::testing::ManualListener;
use crate::testing::capture::Nowhere;
use crate::worker::Recovery;

impl Core {
    /// Gives the repository a listener that is stepped, and whose layout keeps the records.
    pub(super) fn start_captured(
        &self,
        config: &LogConfig,
        manual: ManualListener,
        intercepting: Intercepting,
    ) -> Result<(), Error> {
        let Core { inner, specs, .. } = self;
        let queue = &inner.queue;
        for (number, spec) in specs.iter().enumerate() {
            queue.set_level(number as u8, spec.level.unwrap_or(config.level));
        }
        queue.set_debug_enabled(config.debug_enabled);
        let settings = Settings {
            folder: None,
            spill: None,
            control: None,
            // Nobody empties a ring while the test's own thread waits.
            policy: OverflowPolicy::DropNewest,
            ring_limit: config.ring_limit,
            heartbeat: config.heartbeat,
            is_private: true,
        };
        let started = Started {
            manual: Some(manual.clone()),
            sink_timeout: config.sink_timeout,
            runtime: Arc::new(Mutex::new(None)),
            recovery: Recovery::default(),
            maintenance: None,
        };
        if inner.started.set(started).is_err() || !queue.attach(settings) {
            return Err(Error::already_initialised("the repository has been started before"));
        }
        let domains = specs.iter().map(|spec| spec.name.to_owned()).collect();
        let slot = Slot {
            name: "capture".to_owned(),
            sink: Box::new(Nowhere),
            layout: 0,
            filter: Filter::ALL,
            record_filter: None,
        };
        let mut router = Router::new(domains, vec![config.layout.build(false, &config.zone)], vec![slot]);
        if config.diagnose {
            diagnosis::ask();
            router.set_diagnosing(vec![0]);
        }
        let mut listener =
            Listener::new(queue.clone(), router, None, inner.published.clone(), config.sink_timeout);
        listener.set_defaults(config.default_fields.clone());
        listener.set_level_of_target(intercepting.level_of_target(queue));
        manual.show_to(queue);
        // Before the listener's first pass, as elsewhere.
        intercepting.begin(queue).inspect_err(|_| queue.end())?;
        manual.install(listener, None);
        Ok(())
    }
}
