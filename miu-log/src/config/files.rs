//! The log files of a repository: which there are, what they are called, and which records each holds.
//!
//! Called when a repository is opened.

use std::io;
use std::sync::Arc;

use super::file::File;
use crate::domain::DomainSpec;
use crate::error::Error;
use crate::filter::{DomainMask, Filter, LevelSet, RecordFilter};
use crate::folder::{Folder, valid_stem};
use crate::level::Level;
use crate::record::UnixNanos;
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
    /// None where there is to be no log file.
    pub(crate) folder: Option<&'a Folder>,
    pub(crate) zone: Zone,
    /// The program, for names with `{app}`.
    pub(crate) app: &'a str,
    /// The process, for names with `{pid}`.
    pub(crate) pid: u32,
    /// When the repository is opened.
    pub(crate) now: UnixNanos,
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
    pub(crate) domain_files: bool,
    pub(crate) level_files: bool,
    /// Number of the layout.
    pub(crate) layout: usize,
}

/// A log file, not opened yet.
pub(crate) struct Planned {
    pub(crate) plan: Plan,
    pub(crate) filter: Filter,
    pub(crate) record_filter: Option<RecordFilter>,
    /// Number of the layout.
    pub(crate) layout: usize,
    /// Whether it comes with its first record only.
    pub(crate) is_lazy: bool,
    /// Whether it is known which records belong into it.
    pub(crate) is_known: bool,
}

impl Planned {
    /// Whether the current file may have this name.
    pub(crate) fn has_name(&self, name: &str) -> bool {
        let naming = &self.plan.naming;
        naming.label() == name || (naming.is_dated() && naming.parse(name).is_some())
    }
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
        let keys = Keys { domain, level, app: self.app, pid: self.pid };
        Naming::new(template, keys, &self.zone).map_err(unfit)
    }

    fn plan(&self, naming: Naming) -> Plan {
        Plan {
            naming,
            schedule: self.schedule.clone(),
            zone: self.zone.clone(),
            opened: self.now,
            mode: self.mode,
            is_durable: self.is_durable,
            in_use: self.in_use.clone(),
            has_link: true,
            rotated: self.rotated.clone(),
        }
    }

    /// With `domain_files` one file for each domain, and, with `level_files`, one for each level (`error.log` is for ERROR and CRITICAL).
    ///
    /// # Errors
    ///
    /// When a name is not fit for a file.
    pub(crate) fn standard(&self, standard: &Standard<'_>) -> io::Result<Vec<Planned>> {
        if let Some(prefix) = self.prefix {
            valid_stem(prefix).map_err(unfit)?;
        }
        let planned = |naming: Naming, filter: Filter, is_lazy: bool| Planned {
            plan: self.plan(naming),
            filter,
            record_filter: None,
            layout: standard.layout,
            is_lazy,
            is_known: true,
        };
        let mut files = Vec::with_capacity(standard.stems.len() + 6);
        for (number, stem) in (0u16..).zip(standard.stems) {
            valid_stem(stem).map_err(unfit)?;
            if !standard.domain_files {
                continue;
            }
            let naming = self.naming(&self.prefixed(standard.domain_file), Some(stem), None)?;
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
            let naming = self.naming(&self.prefixed(standard.level_file), None, Some(stem))?;
            files.push(planned(naming, Filter::levels(levels), is_lazy));
        }
        Ok(files)
    }

    fn prefixed(&self, template: &str) -> String {
        match self.prefix {
            Some(prefix) => format!("{prefix}.{template}"),
            None => template.to_owned(),
        }
    }

    /// A file added by hand: one, or one for each of its domains and levels, as its name says. `layout` is the number of its layout.
    ///
    /// # Errors
    ///
    /// When its name is not fit for a file, or its options make no sense.
    pub(crate) fn added(
        &self,
        file: &File,
        specs: &[DomainSpec],
        layout: usize,
    ) -> Result<Vec<Planned>, Error> {
        let chosen = file.choice.filter(specs).map_err(|problem| file.wrong(problem))?;
        let schedule = file.schedule()?;
        let record_filter = file.choice.record_filter();
        let domains: Vec<Option<(u16, &DomainSpec)>> = if file.template.contains("{domain}") {
            (0..).zip(specs).filter(|(number, _)| chosen.domains.contains(*number)).map(Some).collect()
        } else {
            vec![None]
        };
        let levels: Vec<Option<Level>> = if file.template.contains("{level}") {
            chosen.levels.iter().map(Some).collect()
        } else {
            vec![None]
        };
        let mut files = Vec::with_capacity(domains.len() * levels.len());
        for domain in &domains {
            for level in &levels {
                let stem = level.map(|level| level.as_str().to_ascii_lowercase());
                let naming = self.naming(
                    &self.prefixed(&file.template),
                    domain.map(|(_, spec)| spec.file),
                    stem.as_deref(),
                );
                let mut plan = self.plan(naming.map_err(|error| file.wrong(error))?);
                plan.schedule = schedule.clone().unwrap_or(plan.schedule);
                plan.mode = file.mode.or(plan.mode);
                let filter = Filter {
                    domains: domain.map_or(chosen.domains, |(number, _)| DomainMask::NONE.with(number)),
                    levels: level.map_or(chosen.levels, LevelSet::only),
                };
                files.push(Planned {
                    plan,
                    // It is there for lines that waited for it: those were chosen by who knew how.
                    filter: if file.is_known { filter } else { Filter::levels(LevelSet::NONE) },
                    record_filter: record_filter.clone(),
                    layout,
                    is_lazy: level.is_some() || domain.is_some() || !file.is_known,
                    is_known: file.is_known,
                });
            }
        }
        Ok(files)
    }

    /// Opens the files, and makes them where they are missing, but for those that come with their first record.
    ///
    /// # Errors
    ///
    /// When one cannot be opened; the text names its path.
    pub(crate) fn open(&self, planned: Vec<Planned>) -> io::Result<Vec<Slot>> {
        let Some(folder) = self.folder else { return Ok(Vec::new()) };
        let open = |Planned { plan, filter, record_filter, layout, is_lazy, .. }: Planned| {
            let name = plan.naming.label().to_owned();
            let sink = if is_lazy { FileSink::lazy(folder, plan) } else { FileSink::open(folder, plan)? };
            Ok(Slot { name, sink: Box::new(sink), layout, filter, record_filter })
        };
        planned.into_iter().map(open).collect()
    }
}

/// Sees to it that no file gets in another one's way.
///
/// # Errors
///
/// When two would be the same file, or a rotated file of one could be taken for a file of the other.
pub(crate) fn keep_apart(planned: &mut [Planned]) -> Result<(), Error> {
    for (number, one) in planned.iter().enumerate() {
        for other in &planned[..number] {
            let (naming, before) = (&one.plan.naming, &other.plan.naming);
            let (label, other) = (naming.label(), before.label());
            if label == other {
                return Err(Error::config(format!(
                    "two sinks write the file {label:?}; each needs a name of its own, for example by {{domain}} or {{level}} in it"
                )));
            }
            let taken = if naming.takes_files_of(before) {
                Some((label, other))
            } else {
                before.takes_files_of(naming).then_some((other, label))
            };
            if let Some((taker, owner)) = taken {
                return Err(Error::config(format!(
                    "the files {owner:?} are called as rotated files of {taker:?} are, and would be compressed and deleted as such; names are \
                     expected that differ in more than a date"
                )));
            }
        }
    }
    // A link gives way to a file, and to the link of a file before.
    let mut names: Vec<String> = planned.iter().map(|one| one.plan.naming.label().to_owned()).collect();
    for one in planned {
        if let Some(link) = one.plan.naming.undated() {
            one.plan.has_link = !names.contains(&link);
            names.push(link);
        }
    }
    Ok(())
}

fn unfit(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, error)
}
