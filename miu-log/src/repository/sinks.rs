//! The sinks of a repository: files by domain and level, the console, sinks added by hand. First planned, so that a mistake is told before
//! anything is touched, then opened.
//!
//! Called by `start` and `recover`.

use std::io::IsTerminal;

use super::rotated::RotatedFiles;
use crate::config::files::{Files, Planned, Standard, keep_apart};
use crate::config::{Added, Console, CustomSink, LogConfig, Remote, Spools, unique_name, wrong};
use crate::context::diagnosis;
use crate::domain::DomainSpec;
use crate::error::Error;
use crate::filter::{Filter, LevelSet};
use crate::folder::Folder;
use crate::layout::{self, Layouts};
use crate::record::UnixNanos;
use crate::router::{Durability, Router, Slot};
use crate::sink::Sink;
use crate::sink::console::{self, Stream};
use crate::sink::outbox::{self, OpenConsole, Outbox};
use crate::sink::queued::Queued;

/// What is to be opened.
pub(super) struct Sinks<'a> {
    folder: Option<&'a Folder>,
    specs: &'a [DomainSpec],
    layouts: Layouts,
    planned: Vec<Planned>,
    rotated_files: RotatedFiles,
    /// The consoles, the first of which has another name than those that were added.
    console: Option<Console>,
    added: Vec<Added>,
}

impl<'a> Sinks<'a> {
    /// Everything that a configuration asks for, at this time.
    ///
    /// # Errors
    ///
    /// When files cannot be called so, two get into each other's way, or a filter names what is not there.
    pub(super) fn plan(
        config: &mut LogConfig,
        folder: Option<&'a Folder>,
        specs: &'a [DomainSpec],
        now: UnixNanos,
    ) -> Result<Sinks<'a>, Error> {
        let sinks = std::mem::take(&mut config.sinks);
        let mut rotated_files = RotatedFiles::new(config)?;
        let mut layouts = Layouts::new(&config.zone);
        let layout = layouts.number_of(&config.layout, false, config.diagnose);
        let stems: Vec<&str> = specs.iter().map(|spec| spec.file).collect();
        let app = config.app_name();
        let files = files(config, folder, &app, &rotated_files, now)?;
        let standard = Standard {
            domain_file: &config.domain_file,
            level_file: &config.level_file,
            stems: &stems,
            domain_files: config.domain_files,
            level_files: config.level_files,
            layout,
        };
        let mut planned = files.standard(&standard).map_err(|error| Error::explained(&error))?;
        rotated_files.add(&planned, (None, None));
        let mut added = Vec::new();
        for sink in sinks {
            match sink.0 {
                Added::File(file) => {
                    let layout = layouts.number_of(
                        file.own_layout().unwrap_or(&config.layout),
                        false,
                        file.diagnoses(config.diagnose),
                    );
                    let more = files.added(&file, specs, layout)?;
                    rotated_files.add(&more, file.upkeep()?);
                    planned.extend(more);
                }
                Added::Custom(custom) => {
                    custom.choice.filter(specs).map_err(|problem| custom.wrong(problem))?;
                    added.push(Added::Custom(custom));
                }
                Added::Remote(remote) => {
                    remote.choice.filter(specs).map_err(|problem| remote.wrong(problem))?;
                    added.push(Added::Remote(remote));
                }
                console @ Added::Console(_) => added.push(console),
            }
        }
        keep_apart(&mut planned)?;
        let console = config.console.take();
        let sinks = Sinks { folder, specs, layouts, planned, rotated_files, console, added };
        sinks.check_names()?;
        Ok(sinks)
    }

    fn check_names(&self) -> Result<(), Error> {
        let mut names: Vec<&str> = self.planned.iter().map(|one| one.plan.naming.label()).collect();
        names.extend(self.console.iter().map(|_| "console"));
        for added in &self.added {
            if let Some(name) = chosen_name(added) {
                if names.contains(&name) {
                    return Err(wrong(name, name_is_taken(added)));
                }
                names.push(name);
            }
        }
        Ok(())
    }

    /// Whether a log file of this name is one of these, and it is known which records belong into it.
    pub(super) fn writes(&self, name: &str) -> bool {
        self.planned.iter().any(|planned| planned.is_known && planned.has_name(name))
    }

    /// Opens them.
    ///
    /// # Errors
    ///
    /// When a file cannot be opened, or there is no thread for a sink.
    pub(super) fn open(self, config: &LogConfig) -> Result<(Router, RotatedFiles), Error> {
        let Sinks { folder, specs, mut layouts, planned, rotated_files, console, added } = self;
        let app = config.app_name();
        let files = files(config, folder, &app, &rotated_files, 0)?;
        let mut slots = files.open(planned).map_err(|error| Error::explained(&error))?;
        let domains: Vec<String> = specs.iter().map(|spec| spec.name.to_owned()).collect();
        if let Some(console) = &console {
            slots.push(console_slot("console".to_owned(), console, config, &mut layouts, &domains)?);
        }
        let spools = folder.map(|folder| Spools::new(folder.path(), config.isolated.then_some(&*app)));
        // Names that were chosen come before those that are made.
        let mut names: Vec<String> = added.iter().filter_map(chosen_name).map(str::to_owned).collect();
        names.extend(slots.iter().map(|slot| slot.name.clone()));
        let mut unique = |name: &str| {
            let name = unique_name(name, |name| names.iter().any(|taken| taken == name));
            names.push(name.clone());
            name
        };
        for sink in added {
            let slot = match sink {
                Added::File(_) => continue,
                Added::Console(console) => {
                    let name = unique(if console.stderr { "stderr" } else { "stdout" });
                    console_slot(name, &console, config, &mut layouts, &domains)?
                }
                Added::Custom(custom) => {
                    let name = if custom.is_named { custom.name.clone() } else { unique(&custom.name) };
                    custom_slot(name, custom, config, &mut layouts, specs, &domains)?
                }
                Added::Remote(remote) => {
                    let console = console.as_ref();
                    remote_slot(*remote, spools.as_ref(), config, &mut layouts, specs, (&domains, console))?
                }
            };
            slots.push(slot);
        }
        if let Some(spools) = &spools {
            outbox::tell_of_others(spools.folder(), |name| spools.is_left(name, &names));
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
}

/// Why a sink cannot have the name that it has, which another one has, and what helps.
fn name_is_taken(sink: &Added) -> String {
    let problem = "another sink has this name; each needs one of its own";
    let Added::Remote(remote) = sink else { return problem.to_owned() };
    let other = match &*remote.name {
        "database" => {
            "; LOG_DATABASE_URL, and the section `database` of a configuration file, make one as well"
        }
        "discord" | "telegram" | "webhook" => {
            "; the section of this name in a configuration file makes one as well"
        }
        _ => "",
    };
    format!("{problem}, which Remote::named gives it{other}")
}

fn chosen_name(sink: &Added) -> Option<&str> {
    match sink {
        Added::Custom(custom) if custom.is_named => Some(&custom.name),
        Added::Remote(remote) => Some(&remote.name),
        _ => None,
    }
}

/// What all log files have in common.
fn files<'a>(
    config: &'a LogConfig,
    folder: Option<&'a Folder>,
    app: &'a str,
    rotated_files: &RotatedFiles,
    now: UnixNanos,
) -> Result<Files<'a>, Error> {
    Ok(Files {
        folder,
        zone: config.zone.clone(),
        app,
        pid: config.pid,
        now,
        prefix: config.file_prefix.as_deref(),
        schedule: config.rotation.schedule().map_err(Error::config)?,
        mode: config.file_mode,
        is_durable: config.durability != Durability::Os,
        in_use: rotated_files.in_use.clone(),
        rotated: Some(rotated_files.told()),
    })
}

fn console_slot(
    name: String,
    console: &Console,
    config: &LogConfig,
    layouts: &mut Layouts,
    domains: &[String],
) -> Result<Slot, Error> {
    let is_terminal =
        if console.stderr { std::io::stderr().is_terminal() } else { std::io::stdout().is_terminal() };
    let colour = layout::enabled(console.colour, is_terminal, |name| std::env::var_os(name));
    let layout =
        layouts.number_of(console.layout.as_ref().unwrap_or(&config.layout), colour, console.diagnose);
    let sink = Queued::new(&name, Box::new(console::Console::new(stream(console))), domains.to_vec())
        .map_err(|error| Error::io("cannot start the console's thread", error))?;
    let filter = Filter::levels(LevelSet::from(console.min_level));
    Ok(Slot { name, sink: Box::new(sink), layout, filter, record_filter: None })
}

fn custom_slot(
    name: String,
    custom: CustomSink,
    config: &LogConfig,
    layouts: &mut Layouts,
    specs: &[DomainSpec],
    domains: &[String],
) -> Result<Slot, Error> {
    let filter = custom.choice.filter(specs).map_err(|problem| custom.wrong(problem))?;
    let record_filter = custom.choice.record_filter();
    let layout = layouts.number_of(
        custom.layout.as_ref().unwrap_or(&config.layout),
        false,
        custom.diagnose.unwrap_or(config.diagnose),
    );
    let sink = Queued::new(&name, custom.sink, domains.to_vec())
        .map_err(|error| Error::io(format!("cannot start the thread of the sink {name:?}"), error))?;
    Ok(Slot { name, sink: Box::new(sink), layout, filter, record_filter })
}

fn remote_slot(
    remote: Remote,
    spools: Option<&Spools>,
    config: &LogConfig,
    layouts: &mut Layouts,
    specs: &[DomainSpec],
    (domains, console): (&[String], Option<&Console>),
) -> Result<Slot, Error> {
    let filter = remote.choice.filter(specs).map_err(|problem| remote.wrong(problem))?;
    let record_filter = remote.choice.record_filter();
    let layout = layouts.number_of(
        remote.layout.as_ref().unwrap_or(&config.layout),
        false,
        remote.diagnose.unwrap_or(config.diagnose),
    );
    let options = remote.options(spools, config.sink_timeout, config.durability != Durability::Os);
    let console = console.filter(|_| remote.console).map(|it| fallback_console(&remote.name, domains, it));
    let sink =
        Outbox::new(&remote.name, options, remote.deliverer, domains.to_vec(), console).map_err(|error| {
            Error::io(format!("cannot start the thread of the sink {:?}", remote.name), error)
        })?;
    Ok(Slot { name: remote.name, sink: Box::new(sink), layout, filter, record_filter })
}

fn stream(console: &Console) -> Stream {
    if console.stderr { Stream::Stderr } else { Stream::Stdout }
}

/// A console for what a remote sink cannot get rid of: made only if it comes to that.
fn fallback_console(name: &str, domains: &[String], console: &Console) -> OpenConsole {
    let (name, domains, stream) = (format!("{name}-console"), domains.to_vec(), stream(console));
    let open = Box::new(move || {
        let console = Box::new(console::Console::new(stream));
        Queued::new(&name, console, domains).ok().map(|queued| Box::new(queued) as Box<dyn Sink>)
    });
    OpenConsole { open, shown_from: console.min_level }
}
