//! Recovery without a repository: for tools, and for services that will not be started again.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::connect::interned;
use super::sinks::Sinks;
use crate::clock::Clock;
use crate::config::select::Choice;
use crate::config::{File, LogConfig};
use crate::context::fields::Fields;
use crate::domain::DomainSpec;
use crate::error::Error;
use crate::folder::Folder;
use crate::layout::AnyLayout;
use crate::lifecycle::program;
use crate::listener::Listener;
use crate::listener::checkpoint::Checkpoint;
use crate::listener::replay::Previous;
use crate::notice::notice;
use crate::queue::Queue;
use crate::record::Origin;
use crate::rotate::Rotation;
use crate::runtime::about::{ClockKind, Diagnose, NamedFile};
use crate::runtime::{CHECKPOINT, RuntimeDir, instances};
use crate::worker::Recovery;
use crate::zone::Zone;

/// How long the log files may make no progress.
const PATIENCE: Duration = Duration::from_secs(10);

/// Brings what was logged into a folder's files by runs that did not end properly, without opening a repository: what the next
/// `Repository::open` would do. The files, their names and their layout are those of the run that did not end properly; its console and the sinks
/// that were added to it by hand get nothing, but for [`File`]s. A [`Layout`](crate::Layout) of that program's own is not known here: its records are
/// written in [`Pattern::DEFAULT`](crate::Pattern::DEFAULT). A `File` with a [`filter`](File::filter), or with a layout of the program's own, is left as
/// it is, which a line on stderr says: it holds what was written to it before the end, each record at most once; what was still in a ring is in the other
/// files only. Only lines that waited for it because it could not be written are written to it. Nothing is rotated.
///
/// The rings are looked for where a repository of this user would have put them: where the service had `MIU_LOG_RUNTIME_DIR`, this program needs it
/// too, and a log folder that was moved or renamed has to be where it was. Where nothing is found the recovery is empty.
///
/// # Errors
///
/// When the folder is not there or may not be written to, a repository is open on it, or there are rings of which nobody can tell what
/// repository they belong to.
///
/// # Examples
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// let recovery = miu_log::recover(folder.path())?;
/// assert!(recovery.is_empty());
/// # Ok::<(), miu_log::Error>(())
/// ```
pub fn recover(log_folder: impl AsRef<Path>) -> Result<Recovery, Error> {
    let log_folder = log_folder.as_ref();
    program::end_kept();
    if !log_folder.is_dir() {
        return Err(Error::config(format!("there is no log folder {log_folder:?}")));
    }
    let folder = Folder::open(log_folder).map_err(|error| Error::explained(&error))?;
    let instances = instances(&folder);
    let mut all = match recover_one(&folder, None) {
        // Those that share the folder are looked at one by one.
        Err(error) if error.is_in_use() && !instances.is_empty() => Recovery::default(),
        recovery => recovery?,
    };
    for instance in instances {
        all.add(recover_one(&folder, Some(&instance))?);
    }
    Ok(all)
}

/// Recovers what one repository of the folder has left: the only one, or one of those that share it.
fn recover_one(folder: &Folder, instance: Option<&str>) -> Result<Recovery, Error> {
    let mut runtime = RuntimeDir::open(folder, instance, |name| std::env::var_os(name), None)?;
    let previous = Previous::examine(&runtime);
    if previous.going_on.is_none() && previous.is_clean() {
        return Ok(Recovery::default());
    }
    // Until all is recovered, what is there stays as it is.
    runtime.keep();
    if previous.is_clean() {
        return Ok(Recovery::default());
    }
    let Some(about) = previous.about() else {
        return Err(Error::config(format!(
            "the rings in {:?} cannot be recovered: what repository they belong to is not written down there",
            runtime.path()
        )));
    };
    let specs: Vec<DomainSpec> = about
        .domains
        .iter()
        .map(|domain| DomainSpec { name: interned(&domain.name), file: interned(&domain.file), level: None })
        .collect();
    // Records are worth more than the hour they are given: a zone that this system lacks does not keep them back.
    let zone = match about.zone.check() {
        Ok(()) => about.zone.clone(),
        Err(error) => {
            notice("zone", &format!("{error}; times are written in UTC"));
            Zone::Utc
        }
    };
    let mut config = LogConfig::new(folder.path())
        .console(false)
        .domain_files(about.domain_files)
        .level_files(about.level_files)
        .isolated(about.is_isolated)
        .diagnose(about.diagnose == Diagnose::Files)
        .default_fields(Fields::restore(&about.default_fields))
        .layout(AnyLayout::restore(&about.layout).unwrap_or_default().with_a_zone_that_is_there())
        .zone(zone)
        // What is rotated, and what that leads to, is for the service to say.
        .rotation(Rotation::Never)
        .app(about.app.clone())
        .domain_file_name(about.domain_file.clone())
        .level_file_name(about.level_file.clone())
        .sink_timeout(PATIENCE);
    if let Some(prefix) = &about.prefix {
        config = config.file_prefix(prefix.clone());
    }
    config.file_mode = about.mode;
    config.pid = about.pid;
    for file in &about.files {
        config = config.sink(restored(file));
    }
    config.validate()?;
    let clock = match about.clock {
        ClockKind::Manual => Clock::Manual(Arc::default()),
        ClockKind::Tsc | ClockKind::Monotonic => Clock::system(),
    };
    let sinks = Sinks::plan(&mut config, Some(folder), &specs, clock.unix_now())?;
    // What is not written again is not cut either.
    previous.cut_files(folder, |name| sinks.writes(name));
    // Nobody compresses or deletes anything here.
    let (router, _) = sinks.open(&config)?;
    let checkpoint = Checkpoint::new(runtime.file(CHECKPOINT)?, previous.sequence);
    let queue = Queue::detached(&specs, clock);
    let mut listener = Listener::new(queue, router, Some(checkpoint), Arc::default(), PATIENCE);
    listener.set_defaults(config.default_fields);
    listener.set_origin(Origin::of_folder(folder, runtime.life()));
    let recovery = listener.replay(&previous, folder, runtime.path());
    // Where a log file fails still, what waits for it stays where it is, for the next attempt.
    if !listener.holds_lines() {
        listener.finish();
        if previous.going_on.is_none() {
            runtime.give_up();
        }
    }
    Ok(recovery)
}

/// A file that was added to a configuration by hand, as far as that can be known.
fn restored(file: &NamedFile) -> File {
    let choice = Choice {
        levels: Some(file.levels),
        domains: file.domains.clone(),
        targets: file.targets.clone(),
        judge: None,
    };
    let layout = file.layout.as_deref().map(AnyLayout::restore);
    let missing = if file.is_judged {
        Some("filter")
    } else if matches!(layout, Some(None)) {
        Some("layout")
    } else {
        None
    };
    let layout = layout.flatten().map(AnyLayout::with_a_zone_that_is_there);
    let restored = File::described(file.template.clone(), choice, layout, file.mode).diagnose(file.diagnoses);
    let Some(missing) = missing else { return restored };
    notice(
        "recovery",
        &format!(
            "the file {:?} is left as it is: it has a {missing} of the program's own, which is not known here",
            file.template
        ),
    );
    restored.unknown()
}
