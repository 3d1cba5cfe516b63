//! Early records on stderr: in the layout of loguru, a line each, where stderr takes it at once.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::Duration;

use super::kept::{Kept, What};
use crate::codec::Args;
use crate::escape::escaped;
use crate::layout::{AnyLayout, ColourChoice, LineLayout, Pattern, enabled};
use crate::notice::show;
use crate::reading::Reading;
use crate::record::{Extra, Record, Site};
use crate::template::Template;
use crate::zone::Zone;

/// Longest text that is shown of one record.
const LONGEST: usize = 2048;
/// How often the layout is tried. It is held while a line is made; in a forked child it may be held for ever.
const PATIENCE: usize = 10_000;

/// See the module's description.
pub(super) struct Display {
    layout: Mutex<Box<dyn LineLayout>>,
}

impl std::fmt::Debug for Display {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Display")
    }
}

impl Display {
    /// The display on this process's stderr; reads the time zone.
    pub(super) fn new() -> Display {
        let colour =
            enabled(ColourChoice::Auto, std::io::stderr().is_terminal(), |name| std::env::var_os(name));
        Display { layout: Mutex::new(AnyLayout::from(Pattern::loguru()).build(colour, &Zone::Local)) }
    }

    /// Shows a record. False where it was not.
    pub(super) fn show(&self, kept: &Kept) -> bool {
        let mut line = Vec::new();
        self.write(kept, &mut line) && show(&line, Duration::ZERO)
    }

    /// Appends a record's line. False where there is none.
    pub(super) fn write(&self, kept: &Kept, out: &mut Vec<u8>) -> bool {
        for _ in 0..PATIENCE {
            if let Ok(mut layout) = self.layout.try_lock() {
                let arguments = kept.what.arguments(LONGEST);
                let site = site(&kept.what);
                let record = Record {
                    time: kept.unix,
                    level: kept.level,
                    domain: "",
                    process: "main",
                    thread: &kept.thread,
                    process_id: std::process::id(),
                    thread_id: kept.thread_id,
                    ring: 0,
                    id: crate::record::RecordId::default(),
                    site: &site,
                    args: Args::new(&arguments),
                    extra: Extra::NONE,
                };
                return layout.write(&record, out).is_ok();
            }
            std::thread::yield_now();
        }
        false
    }
}

/// Where a record comes from.
fn site(what: &What) -> Site {
    let (module, file, line, names) = match what {
        What::Foreign(foreign) => {
            (foreign.module.as_str(), foreign.file.as_str(), foreign.line, &*foreign.names)
        }
        What::Panic(panic) => ("", &*panic.file, panic.line, &[][..]),
    };
    let mut names = Reading::new(names);
    let names: Vec<String> = std::iter::from_fn(|| names.text().map(str::to_owned)).collect();
    let place = if module.is_empty() { file } else { module };
    Site {
        id: 0,
        file: file.to_owned(),
        line,
        module: module.to_owned(),
        function: String::new(),
        location: escaped(&format!("{place}:{line}")),
        template: Template::parse("{}").unwrap_or_default(),
        fields: names.iter().map(|name| escaped(name)).collect(),
        names,
    }
}
