//! Brings the log files of a repository and the upkeep of their rotated ones together.
//!
//! The sinks are there first, and tell of rotations before there is anybody to be told; the upkeep begins when what an earlier run left has been
//! recovered, and looks at everything then. Called when a repository is opened.

use std::sync::{Arc, OnceLock};

use crate::config::LogConfig;
use crate::config::files::Planned;
use crate::error::Error;
use crate::filter::LevelSet;
use crate::folder::Folder;
use crate::level::Level;
use crate::maintenance::thread::Maintenance;
use crate::maintenance::{Family, Plan};
use crate::queue::Queue;
use crate::rotate::Compression;
use crate::rotate::naming::InUse;
use crate::rotate::retention::{Checked, Class};

/// What the upkeep will have to know.
pub(super) struct RotatedFiles {
    pub(super) in_use: InUse,
    compression: Compression,
    families: Vec<Family>,
    /// The retentions: that of the configuration is the first.
    scopes: Vec<Checked>,
    maintenance: Arc<OnceLock<Maintenance>>,
}

impl RotatedFiles {
    /// As a configuration says.
    ///
    /// # Errors
    ///
    /// When its retention or its compression says nothing, or cannot be had.
    pub(super) fn new(config: &LogConfig) -> Result<RotatedFiles, Error> {
        let (retention, compression) = config.rotated_files()?;
        Ok(RotatedFiles {
            in_use: InUse::default(),
            compression,
            families: Vec::new(),
            scopes: vec![retention],
            maintenance: Arc::default(),
        })
    }

    /// What a sink calls when there is a rotated file that may be compressed or deleted.
    pub(super) fn told(&self) -> Arc<dyn Fn() + Send + Sync> {
        let maintenance = self.maintenance.clone();
        Arc::new(move || {
            if let Some(maintenance) = maintenance.get() {
                maintenance.finished();
            }
        })
    }

    /// These files have rules of their own, or what the configuration says for all.
    pub(super) fn add(&mut self, planned: &[Planned], own: (Option<Checked>, Option<Compression>)) {
        let (retention, compression) = own;
        let scope = match retention {
            Some(retention) => {
                self.scopes.push(retention);
                self.scopes.len() - 1
            }
            None => 0,
        };
        let family = |planned: &Planned| Family {
            naming: planned.plan.naming.clone(),
            scope,
            compression: compression.unwrap_or(self.compression),
            class: if planned.filter.levels.meets(LevelSet::from(Level::Warning)) {
                Class::Ordinary
            } else {
                Class::Chatter
            },
        };
        self.families.extend(planned.iter().map(family));
    }

    /// The upkeep. It does nothing before it is told to begin.
    pub(super) fn into_maintenance(self, folder: &Folder, queue: &Queue) -> Maintenance {
        let plan = Plan {
            folder: folder.clone(),
            in_use: self.in_use,
            families: self.families,
            scopes: self.scopes,
            counters: queue.counters.files.clone(),
        };
        self.maintenance.get_or_init(|| Maintenance::new(plan, queue.clock().clone())).clone()
    }
}
