//! What happens when a repository is opened, up to the listener's first pass.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::sinks::Sinks;
use crate::clock::Clock;
use crate::config::select::Choice;
use crate::config::{Added, AnySink, LogConfig};
use crate::domain::DomainSpec;
use crate::error::Error;
use crate::filter::LevelSet;
use crate::folder::Folder;
use crate::layout::AnyLayout;
use crate::listener::Listener;
use crate::listener::checkpoint::Checkpoint;
use crate::listener::replay::Previous;
use crate::maintenance::thread::Maintenance;
use crate::queue::{Queue, Settings};
use crate::record::Origin;
use crate::ring::control::Unfit;
use crate::runtime::about::{About, ClockKind, Diagnose, NamedDomain, NamedFile};
use crate::runtime::{CHECKPOINT, RuntimeDir, TakeOver};
use crate::stats::Published;
use crate::sync::Ordering;
use crate::worker::Recovery;

/// How long a repository that has the folder may take to hand it over.
const HAND_OVER: Duration = Duration::from_secs(10);

/// A listener that is ready to be started.
pub(super) struct Prepared {
    pub(super) listener: Listener,
    /// None without a log folder.
    pub(super) runtime: Option<RuntimeDir>,
    pub(super) recovery: Recovery,
    pub(super) settings: Settings,
    pub(super) maintenance: Option<Maintenance>,
}

/// Everything up to the listener's start.
pub(super) fn prepare(
    config: &mut LogConfig,
    queue: &Arc<Queue>,
    published: &Arc<Mutex<Published>>,
    specs: &[DomainSpec],
) -> Result<Prepared, Error> {
    let (levels, problems) = config.levels().with_problems(specs);
    if !problems.is_empty() && !config.is_lenient {
        return Err(Error::config(problems.join("\n")));
    }
    let left_out = problems.into_iter().map(|problem| format!("{problem}; it is left out"));
    config.remarks.extend(left_out);
    let prepared = if config.has_folder {
        prepare_in_folder(config, queue, published, specs)?
    } else {
        prepare_without_folder(config, queue, published, specs)?
    };
    for (number, level) in (0..).zip(levels) {
        queue.set_level(number, level);
    }
    queue.reset_target_levels();
    queue.set_debug_enabled(config.debug_enabled);
    Ok(prepared)
}

/// With sinks that need no file: nothing is shared, and nothing outlives the process.
fn prepare_without_folder(
    config: &mut LogConfig,
    queue: &Arc<Queue>,
    published: &Arc<Mutex<Published>>,
    specs: &[DomainSpec],
) -> Result<Prepared, Error> {
    let (router, _) = Sinks::plan(config, None, specs, queue.clock().unix_now())?.open(config)?;
    let listener = Listener::new(queue.clone(), router, None, published.clone(), config.sink_timeout);
    let settings = Settings {
        folder: None,
        spill: None,
        control: None,
        policy: config.overflow,
        ring_limit: config.ring_limit,
        heartbeat: config.heartbeat,
        is_private: true,
    };
    Ok(Prepared { listener, runtime: None, recovery: Recovery::default(), settings, maintenance: None })
}

/// Takes the folder, recovers what an earlier run has left, shares the page.
fn prepare_in_folder(
    config: &mut LogConfig,
    queue: &Arc<Queue>,
    published: &Arc<Mutex<Published>>,
    specs: &[DomainSpec],
) -> Result<Prepared, Error> {
    let folder = Folder::open(&config.folder).map_err(|error| Error::explained(&error))?;
    let own: Vec<&str> = specs.iter().map(|spec| spec.name).collect();
    let fits = |about: &About| {
        if about.names() == own {
            return Ok(());
        }
        Err(Error::domain_mismatch(format!(
            "the repository of {:?} is in use, or processes that joined it are running, and its domains do not fit: it has {}, this \
             one has {}",
            about.log_folder,
            about.names().join(", "),
            own.join(", ")
        )))
    };
    let take_over = config.take_over.then_some(TakeOver { patience: HAND_OVER, fits: &fits });
    let app = config.app_name();
    let instance = config.isolated.then_some(&*app);
    let mut runtime = RuntimeDir::open(&folder, instance, |name| std::env::var_os(name), take_over)?;
    let previous = Previous::examine(&runtime);
    if let Some(going_on) = &previous.going_on {
        fits(&going_on.about)?;
    }
    // Until all is recovered, a start that fails leaves everything as it is.
    runtime.keep();
    let about = about(config, specs, queue.clock(), runtime.log_folder());
    let sinks = Sinks::plan(config, Some(&folder), specs, queue.clock().unix_now())?;
    previous.cut_files(&folder, |_| true);
    let (router, rotated_files) = sinks.open(config)?;
    let maintenance = rotated_files.into_maintenance(&folder, queue);
    let checkpoint = Checkpoint::new(runtime.file(CHECKPOINT)?, previous.sequence);
    let mut listener =
        Listener::new(queue.clone(), router, Some(checkpoint), published.clone(), config.sink_timeout);
    listener.set_defaults(config.default_fields.clone());
    listener.set_origin(Origin::of_folder(&folder, runtime.life()));
    let recovery = listener.replay(&previous, &folder, runtime.path());
    queue.with_levels_at_rest(|| {
        let file = match (previous.going_on, previous.idle) {
            (Some(going_on), _) => going_on.control,
            // A process that joins while this one starts does so by this file, and must not be left with a page that nobody else sees.
            (None, Some(idle)) if idle.about == about && queue.control().take_up(&idle.file).is_ok() => {
                idle.file
            }
            _ => runtime.place_control(|file| {
                queue.page().next_member.store(previous.highest, Ordering::Relaxed);
                queue.control().write_to(file)?;
                about.write_to(file)
            })?,
        };
        queue.control().publish(&file).map_err(|unfit| match unfit {
            Unfit::Io(error) => Error::io("cannot share the control page", error),
            Unfit::Version(_) | Unfit::Strange => Error::config("the control page is not what it should be"),
        })
    })?;
    // Whoever wanted to take an earlier run over has this one in its place, or asks again.
    queue.page().listener.successor.store(0, Ordering::Release);
    runtime.lock_control()?;
    runtime.sign()?;
    let settings = Settings {
        folder: Some(runtime.path().to_owned()),
        spill: Some(runtime.spill()).filter(|spill| spill != runtime.path()),
        control: runtime.control(),
        policy: config.overflow,
        ring_limit: config.ring_limit,
        heartbeat: config.heartbeat,
        is_private: config.isolated,
    };
    runtime.give_up();
    Ok(Prepared { listener, runtime: Some(runtime), recovery, settings, maintenance: Some(maintenance) })
}

/// What others have to know of a repository.
fn about(config: &LogConfig, specs: &[DomainSpec], clock: &Clock, log_folder: &Path) -> About {
    About {
        log_folder: log_folder.to_owned(),
        clock: match clock {
            Clock::Tsc => ClockKind::Tsc,
            Clock::Monotonic => ClockKind::Monotonic,
            Clock::Manual(_) | Clock::Elsewhere(_) => ClockKind::Manual,
        },
        policy: config.overflow,
        ring_limit: config.ring_limit,
        heartbeat: config.heartbeat,
        prefix: config.file_prefix.clone(),
        level_files: config.level_files,
        domain_files: config.domain_files,
        is_isolated: config.isolated,
        diagnose: diagnose_of(config),
        default_fields: config.default_fields.as_bytes().to_owned(),
        layout: config.layout.save(),
        zone: config.zone.pinned(),
        app: config.app_name(),
        pid: config.pid,
        mode: config.file_mode,
        domain_file: config.domain_file.clone(),
        level_file: config.level_file.clone(),
        files: config.sinks.iter().filter_map(|sink| described(sink, config.diagnose)).collect(),
        domains: specs
            .iter()
            .map(|spec| NamedDomain { name: spec.name.to_owned(), file: spec.file.to_owned() })
            .collect(),
        // What is wrong with it was said before.
        other_crates: if config.other_crates.intercept == Some(false) {
            None
        } else {
            config.other_crates.check(specs).ok()
        },
    }
}

/// Who shows what is captured for a diagnosis.
fn diagnose_of(config: &LogConfig) -> Diagnose {
    let asks = |sink: &AnySink| sink.diagnoses(config.diagnose);
    if config.diagnose {
        Diagnose::Files
    } else if config.console.as_ref().is_some_and(|console| console.diagnose) || config.sinks.iter().any(asks)
    {
        Diagnose::Others
    } else {
        Diagnose::Nobody
    }
}

/// What others have to know of a sink: of a file everything, of others nothing.
fn described(sink: &AnySink, otherwise: bool) -> Option<NamedFile> {
    let Added::File(file) = &sink.0 else { return None };
    let Choice { levels, domains, targets, judge } = file.choice();
    Some(NamedFile {
        template: file.template().to_owned(),
        levels: levels.unwrap_or(LevelSet::ALL),
        domains: domains.clone(),
        targets: targets.clone(),
        is_judged: judge.is_some(),
        layout: file.own_layout().map(AnyLayout::save),
        mode: file.own_mode(),
        diagnoses: file.diagnoses(otherwise),
    })
}
