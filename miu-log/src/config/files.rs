//! The log files of a repository: which there are, what they are called, and which records each holds.
//!
//! Called when a repository is opened.

use std::io;
use std::sync::Arc;

use crate::filter::{Filter, LevelSet};
use crate::folder::{Folder, valid_stem};
use crate::level::Level;
use crate::rotate::Schedule;
use crate::rotate::naming::{InUse, Keys, Naming};
use crate::router::Slot;
use crate::sink::file::{FileSink, Plan};
use crate::zone::Zone;

/// What the domain and level files are called where nothing else is said.
pub(crate) const DOMAIN_FILE: &str = "{domain}.log";
pub(crate) const LEVEL_FILE: &str = "{level}.log";

/// What all log files of a repository have in common, where they do not say otherwise.
pub(crate) struct Files<'a> {
    pub(crate) folder: &'a Folder,
    pub(crate) zone: Zone,
    /// The program, for names with `{app}`.
    pub(crate) app: &'a str,
    pub(crate) prefix: Option<&'a str>,
    pub(crate) schedule: Schedule,
    pub(crate) mode: Option<u32>,
    pub(crate) is_durable: bool,
    pub(crate) in_use: InUse,
    /// Called when there is a rotated file that may be compressed or deleted.
    pub(crate) rotated: Option<Arc<dyn Fn() + Send + Sync>>,
}

/// The files per domain and per level.
pub(crate) struct Standard<'a> {
    pub(crate) domain_file: &'a str,
    pub(crate) level_file: &'a str,
    /// What stands for each domain, in the order of their numbers.
    pub(crate) stems: &'a [&'a str],
    pub(crate) level_files: bool,
    /// Number of the layout.
    pub(crate) layout: usize,
}

/// A log file, not opened yet.
pub(crate) struct Planned {
    pub(crate) plan: Plan,
    pub(crate) filter: Filter,
    /// Number of the layout.
    pub(crate) layout: usize,
    /// Whether it comes with its first record only.
    pub(crate) is_lazy: bool,
}

impl Files<'_> {
    /// How the files of this template are called.
    ///
    /// # Errors
    ///
    /// When it is no name of a log file.
    pub(crate) fn naming(
        &self,
        template: &str,
        domain: Option<&str>,
        level: Option<&str>,
    ) -> io::Result<Naming> {
        let keys = Keys { domain, level, app: self.app, pid: std::process::id() };
        Naming::new(template, keys, &self.zone).map_err(unfit)
    }

    fn plan(&self, naming: Naming) -> Plan {
        Plan {
            naming,
            schedule: self.schedule.clone(),
            zone: self.zone.clone(),
            mode: self.mode,
            is_durable: self.is_durable,
            in_use: self.in_use.clone(),
            rotated: self.rotated.clone(),
        }
    }

    /// One file for each domain, and, with `level_files`, one for each level (`error.log` is for ERROR and CRITICAL).
    ///
    /// # Errors
    ///
    /// When a name is not fit for a file.
    pub(crate) fn standard(&self, standard: &Standard<'_>) -> io::Result<Vec<Planned>> {
        if let Some(prefix) = self.prefix {
            valid_stem(prefix).map_err(unfit)?;
        }
        let prefixed = |template: &str| match self.prefix {
            Some(prefix) => format!("{prefix}.{template}"),
            None => template.to_owned(),
        };
        let planned = |naming: Naming, filter: Filter, is_lazy: bool| Planned {
            plan: self.plan(naming),
            filter,
            layout: standard.layout,
            is_lazy,
        };
        let mut files = Vec::with_capacity(standard.stems.len() + 6);
        for (number, stem) in (0u16..).zip(standard.stems) {
            valid_stem(stem).map_err(unfit)?;
            let naming = self.naming(&prefixed(standard.domain_file), Some(stem), None)?;
            files.push(planned(naming, Filter::domain(number), false));
        }
        if !standard.level_files {
            return Ok(files);
        }
        let errors = LevelSet::only(Level::Error).with(Level::Critical);
        // `trace.log` and `success.log` appear with their first record.
        for (stem, levels, is_lazy) in [
            ("trace", LevelSet::only(Level::Trace), true),
            ("debug", LevelSet::only(Level::Debug), false),
            ("info", LevelSet::only(Level::Info), false),
            ("success", LevelSet::only(Level::Success), true),
            ("warning", LevelSet::only(Level::Warning), false),
            ("error", errors, false),
        ] {
            let naming = self.naming(&prefixed(standard.level_file), None, Some(stem))?;
            files.push(planned(naming, Filter::levels(levels), is_lazy));
        }
        Ok(files)
    }

    /// Opens the files, and makes them where they are missing, but for those that come with their first record.
    ///
    /// # Errors
    ///
    /// When two would write the same file, or one cannot be opened; the text names its path.
    pub(crate) fn open(&self, planned: Vec<Planned>) -> io::Result<Vec<Slot>> {
        for (number, one) in planned.iter().enumerate() {
            let label = one.plan.naming.label();
            if planned[..number].iter().any(|other| other.plan.naming.label() == label) {
                return Err(unfit(format!(
                    "two sinks write the file {label:?}; each needs a name of its own, for example by {{domain}} or {{level}} in it"
                )));
            }
        }
        let open = |Planned { plan, filter, layout, is_lazy }: Planned| {
            let name = plan.naming.label().to_owned();
            let sink =
                if is_lazy { FileSink::lazy(self.folder, plan) } else { FileSink::open(self.folder, plan)? };
            Ok(Slot { name, sink: Box::new(sink), layout, filter })
        };
        planned.into_iter().map(open).collect()
    }
}

fn unfit(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, error)
}
