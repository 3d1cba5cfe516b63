//! The standard log files: which there are, and which records each holds.
//!
//! Called when a repository is opened.

use std::io;

use crate::filter::{Filter, LevelSet};
use crate::folder::{Folder, valid_stem};
use crate::level::Level;
use crate::router::Slot;
use crate::sink::file::FileSink;

/// The log files: one for each domain, given by stem in the order of their numbers, and, with `level_files`,
/// one for each level (`error.log` is for ERROR and CRITICAL). All are opened now, but for `trace.log` and
/// `success.log`, which appear with their first record.
///
/// # Errors
///
/// When a name is not fit for a file, or a file cannot be opened; the text names its path.
pub(crate) fn standard_slots(
    folder: &Folder,
    prefix: Option<&str>,
    stems: &[&str],
    level_files: bool,
    layout: usize,
) -> io::Result<Vec<Slot>> {
    let unfit = |error| io::Error::new(io::ErrorKind::InvalidInput, error);
    if let Some(prefix) = prefix {
        valid_stem(prefix).map_err(unfit)?;
    }
    let name = |stem: &str| match prefix {
        Some(prefix) => format!("{prefix}.{stem}.log"),
        None => format!("{stem}.log"),
    };
    let slot = |stem: &str, filter: Filter, lazy: bool| {
        let name = name(stem);
        let sink = if lazy { FileSink::lazy(folder, &name) } else { FileSink::open(folder, &name)? };
        Ok::<Slot, io::Error>(Slot { name, sink: Box::new(sink), layout, filter })
    };
    let mut slots = Vec::with_capacity(stems.len() + 6);
    for (number, stem) in (0u16..).zip(stems) {
        valid_stem(stem).map_err(unfit)?;
        slots.push(slot(stem, Filter::domain(number), false)?);
    }
    if !level_files {
        return Ok(slots);
    }
    let errors = LevelSet::only(Level::Error).with(Level::Critical);
    for (stem, levels, lazy) in [
        ("trace", LevelSet::only(Level::Trace), true),
        ("debug", LevelSet::only(Level::Debug), false),
        ("info", LevelSet::only(Level::Info), false),
        ("success", LevelSet::only(Level::Success), true),
        ("warning", LevelSet::only(Level::Warning), false),
        ("error", errors, false),
    ] {
        slots.push(slot(stem, Filter::levels(levels), lazy)?);
    }
    Ok(slots)
}
