//! What happens when a repository is opened, up to the listener's first pass.

use std::io::IsTerminal;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::clock::Clock;
use crate::config::LogConfig;
use crate::config::files::{Files, Standard};
use crate::context::diagnosis;
use crate::domain::DomainSpec;
use crate::error::Error;
use crate::filter::{Filter, LevelSet};
use crate::folder::Folder;
use crate::layout::{self, Layouts};
use crate::listener::Listener;
use crate::listener::checkpoint::Checkpoint;
use crate::listener::replay::Previous;
use crate::maintenance::thread::Maintenance;
use crate::queue::{Queue, Settings};
use crate::ring::control::Unfit;
use crate::router::{Durability, Router, Slot};
use crate::runtime::about::{About, ClockKind, Diagnose, NamedDomain};
use crate::runtime::{CHECKPOINT, RuntimeDir, TakeOver};
use crate::sink::console::{self, Stream};
use crate::sink::queued::Queued;
use crate::stats::Published;
use crate::sync::Ordering;
use crate::worker::Recovery;

use super::rotated::RotatedFiles;

/// How long a repository that has the folder may take to hand it over.
const HAND_OVER: Duration = Duration::from_secs(10);

/// A listener that is ready to be started.
pub(super) struct Prepared {
    pub(super) listener: Listener,
    pub(super) runtime: RuntimeDir,
    pub(super) recovery: Recovery,
    pub(super) settings: Settings,
    pub(super) maintenance: Maintenance,
}

/// Everything up to the listener's start: takes the folder, recovers what an earlier run has left, shares the page.
pub(super) fn prepare(
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
    let mut runtime = RuntimeDir::open(&folder, |name| std::env::var_os(name), take_over)?;
    let previous = Previous::examine(&runtime);
    if let Some(going_on) = &previous.going_on {
        fits(&going_on.about)?;
    }
    // Until all is recovered, a start that fails leaves everything as it is.
    runtime.keep();
    previous.cut_files(&folder);
    let (router, rotated_files) = router(config, &folder, specs)?;
    let maintenance = rotated_files.into_maintenance(&folder, queue);
    let checkpoint = Checkpoint::new(runtime.file(CHECKPOINT)?, previous.sequence);
    let mut listener =
        Listener::new(queue.clone(), router, Some(checkpoint), published.clone(), config.sink_timeout);
    listener.set_defaults(config.default_fields.clone());
    let recovery = listener.replay(&previous, &folder, runtime.path());
    let about = about(config, specs, queue.clock(), runtime.log_folder());
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
    for (number, spec) in specs.iter().enumerate() {
        queue.set_level(number as u8, spec.level.unwrap_or(config.level));
    }
    queue.set_debug_enabled(config.debug_enabled);
    let settings = Settings {
        folder: Some(runtime.path().to_owned()),
        spill: Some(runtime.spill()).filter(|spill| spill != runtime.path()),
        control: runtime.control(),
        policy: config.overflow,
        ring_limit: config.ring_limit,
        heartbeat: config.heartbeat,
    };
    runtime.give_up();
    Ok(Prepared { listener, runtime, recovery, settings, maintenance })
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
        diagnose: match (config.diagnose, &config.console) {
            (true, _) => Diagnose::Files,
            (false, Some(console)) if console.diagnose => Diagnose::Console,
            (false, _) => Diagnose::Nobody,
        },
        default_fields: config.default_fields.as_bytes().to_owned(),
        layout: config.layout.save(),
        zone: config.zone.pinned(),
        domains: specs
            .iter()
            .map(|spec| NamedDomain { name: spec.name.to_owned(), file: spec.file.to_owned() })
            .collect(),
    }
}

/// Builds the sinks: files by domain and level, console, sinks added by hand.
pub(super) fn router(
    config: &mut LogConfig,
    folder: &Folder,
    specs: &[DomainSpec],
) -> Result<(Router, RotatedFiles), Error> {
    let mut rotated_files = RotatedFiles::new(config)?;
    let mut layouts = Layouts::new(&config.zone);
    let standard = layouts.number_of(&config.layout, false, config.diagnose);
    let stems: Vec<&str> = specs.iter().map(|spec| spec.file).collect();
    let files = Files {
        folder,
        zone: config.zone.clone(),
        app: &config.app_name(),
        prefix: config.file_prefix.as_deref(),
        schedule: config.rotation.schedule().map_err(Error::config)?,
        mode: config.file_mode,
        is_durable: config.durability != Durability::Os,
        in_use: rotated_files.in_use.clone(),
        rotated: Some(rotated_files.told()),
    };
    let standard_files = Standard {
        domain_file: &config.domain_file,
        level_file: &config.level_file,
        stems: &stems,
        level_files: config.level_files,
        layout: standard,
    };
    let planned = files.standard(&standard_files).map_err(|error| Error::explained(&error))?;
    rotated_files.add(&planned);
    let mut slots = files.open(planned).map_err(|error| Error::explained(&error))?;
    let domains: Vec<String> = specs.iter().map(|spec| spec.name.to_owned()).collect();
    if let Some(choice) = config.console.take() {
        let (stream, is_terminal) = if choice.stderr {
            (Stream::Stderr, std::io::stderr().is_terminal())
        } else {
            (Stream::Stdout, std::io::stdout().is_terminal())
        };
        let colour = layout::enabled(choice.colour, is_terminal, |name| std::env::var_os(name));
        let layout =
            layouts.number_of(choice.layout.as_ref().unwrap_or(&config.layout), colour, choice.diagnose);
        let sink = Queued::new("console", Box::new(console::Console::new(stream)), domains.clone())
            .map_err(|error| Error::io("cannot start the console's thread", error))?;
        let filter = Filter::levels(LevelSet::from(choice.min_level));
        slots.push(Slot { name: "console".to_owned(), sink: Box::new(sink), layout, filter });
    }
    for extra in std::mem::take(&mut config.sinks) {
        let sink = Queued::new(&extra.name, extra.sink, domains.clone()).map_err(|error| {
            Error::io(format!("cannot start the thread of the sink {:?}", extra.name), error)
        })?;
        slots.push(Slot { name: extra.name, sink: Box::new(sink), layout: standard, filter: Filter::ALL });
    }
    let diagnosing = layouts.diagnosing();
    if !diagnosing.is_empty() {
        diagnosis::ask();
    }
    let mut router = Router::new(domains, layouts.into_built(), slots);
    router.set_diagnosing(diagnosing);
    router.set_durability(config.durability);
    Ok((router, rotated_files))
}
