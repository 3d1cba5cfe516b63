//! Consoles and files in a document.

use super::kind::{FLAG, Kind, LevelName, OneOrMore, Table, TableOr, Word, key};
use super::layouts::layout;
use super::values::{colour, compression, file_name, made, mode, retention, rotation, some_text};
use crate::config::{AnySink, Console, File};
use crate::layout::{AnyLayout, ColourChoice};
use crate::level::Level;
use crate::rotate::{Compression, Retention, Rotation};

/// The console, and what was said of it.
#[derive(Clone, Debug)]
pub(super) struct ConsoleDraft {
    pub(super) enabled: bool,
    pub(super) console: Console,
}

impl ConsoleDraft {
    fn of(enabled: bool, console: Console) -> ConsoleDraft {
        ConsoleDraft { enabled, console }
    }
}

impl Default for ConsoleDraft {
    fn default() -> ConsoleDraft {
        ConsoleDraft::of(true, Console::stdout())
    }
}

fn on_stderr(draft: &mut ConsoleDraft, stderr: bool) {
    draft.console.stderr = stderr;
}

const STREAMS: Word<bool> = Word(&[("stdout", false), ("stderr", true)]);

/// The console: a table, or `false`, `true`, `stdout` or `stderr`.
pub(super) fn console() -> impl Kind<Value = ConsoleDraft> {
    let short = made(
        Word(&[
            ("true", (true, false)),
            ("false", (false, false)),
            ("stdout", (true, false)),
            ("stderr", (true, true)),
        ]),
        |(enabled, stderr)| {
            let console = if stderr { Console::stderr() } else { Console::stdout() };
            ConsoleDraft::of(enabled, console)
        },
    );
    let table = Table {
        keys: vec![
            key(
                "enabled",
                "true",
                "Whether there is a console.",
                FLAG,
                |draft: &mut ConsoleDraft, wanted| draft.enabled = wanted,
            ),
            key("stream", "stdout", "Where lines go.", STREAMS, on_stderr),
            key(
                "level",
                "every level",
                "The lowest level that is shown. Can be changed while the program runs.",
                LevelName,
                |draft: &mut ConsoleDraft, level| {
                    draft.console.min_level = level;
                },
            )
            .or("min_level"),
            key(
                "colour",
                "auto",
                "When levels are coloured.",
                colour(),
                |draft: &mut ConsoleDraft, colour| {
                    draft.console.colour = colour;
                },
            )
            .or("color"),
            key(
                "layout",
                "that of the files; in a section `logging` without any, the preset classic",
                "What a line looks like.",
                layout(),
                |draft: &mut ConsoleDraft, layout| {
                    draft.console.layout = Some(layout);
                },
            )
            .or("format"),
            key(
                "diagnose",
                "false",
                "Whether it shows what functions with #[diagnose] capture for errors.",
                FLAG,
                |draft: &mut ConsoleDraft, wanted| draft.console.diagnose = wanted,
            ),
        ],
        begin: ConsoleDraft::default,
        check: |_| Ok(()),
    };
    TableOr(table, short)
}

/// A sink added by hand: a file, or a console.
#[derive(Clone, Debug, Default)]
pub(super) struct SinkDraft {
    file: Option<String>,
    stderr: Option<bool>,
    min_level: Option<Level>,
    levels: Option<Vec<Level>>,
    domains: Vec<String>,
    targets: Vec<String>,
    colour: Option<ColourChoice>,
    layout: Option<AnyLayout>,
    rotation: Option<Rotation>,
    retention: Option<Retention>,
    compression: Option<Compression>,
    mode: Option<u32>,
    diagnose: Option<bool>,
}

impl SinkDraft {
    /// What is wrong with it as a whole.
    fn check(&self) -> Result<(), String> {
        let of_files = [
            ("levels", self.levels.is_some()),
            ("domains", !self.domains.is_empty()),
            ("targets", !self.targets.is_empty()),
            ("rotation", self.rotation.is_some()),
            ("retention", self.retention.is_some()),
            ("compression", self.compression.is_some()),
            ("mode", self.mode.is_some()),
        ];
        let stray = |of: &[(&'static str, bool)]| of.iter().find(|(_, given)| *given).map(|(name, _)| *name);
        match (&self.file, self.stderr) {
            (None, None) => {
                Err("file or console is missing; one of them is expected, such as file: errors.log"
                    .to_owned())
            }
            (Some(_), Some(_)) => Err("here are both file and console; one of them is expected".to_owned()),
            (Some(_), None) if self.colour.is_some() => Err("colour is for consoles only".to_owned()),
            (Some(_), None) if self.levels.is_some() && self.min_level.is_some() => {
                Err("here are both level and levels; one of them is expected".to_owned())
            }
            (None, Some(_)) => match stray(&of_files) {
                Some(name) => {
                    Err(format!("{name} is for files only; a console has level, colour and layout"))
                }
                None => Ok(()),
            },
            (Some(_), None) => Ok(()),
        }
    }

    /// The sink itself. None for what [`check`](SinkDraft::check) refuses.
    pub(super) fn into_sink(self) -> Option<AnySink> {
        let Some(name) = self.file else {
            let mut console = if self.stderr? { Console::stderr() } else { Console::stdout() };
            console.min_level = self.min_level.unwrap_or(console.min_level);
            console.colour = self.colour.unwrap_or(console.colour);
            console.layout = self.layout;
            console.diagnose = self.diagnose.unwrap_or(console.diagnose);
            return Some(console.into());
        };
        let mut file = File::new(name);
        if let Some(level) = self.min_level {
            file = file.min_level(level);
        }
        if let Some(levels) = self.levels {
            file = file.levels(levels);
        }
        if !self.domains.is_empty() {
            file = file.domains(self.domains);
        }
        for target in self.targets {
            file = file.target(target);
        }
        if let Some(layout) = self.layout {
            file = file.layout(layout);
        }
        if let Some(rotation) = self.rotation {
            file = file.rotation(rotation);
        }
        if let Some(retention) = self.retention {
            file = file.retention(retention);
        }
        if let Some(compression) = self.compression {
            file = file.compression(compression);
        }
        if let Some(mode) = self.mode {
            file = file.mode(mode);
        }
        if let Some(wanted) = self.diagnose {
            file = file.diagnose(wanted);
        }
        Some(file.into())
    }
}

pub(super) fn sink() -> Table<SinkDraft> {
    type Draft = SinkDraft;
    Table {
        keys: vec![
            key(
                "file",
                "",
                "The name of a file in the log folder.",
                file_name(true, true),
                |it: &mut Draft, name| it.file = Some(name),
            ),
            key("console", "", "The stream of a further console.", STREAMS, |it: &mut Draft, stderr| {
                it.stderr = Some(stderr);
            }),
            key(
                "level",
                "every level",
                "The lowest level that goes there.",
                LevelName,
                |it: &mut Draft, level| it.min_level = Some(level),
            )
            .or("min_level"),
            key(
                "levels",
                "every level",
                "The levels that go there.",
                OneOrMore(LevelName),
                |it: &mut Draft, levels| it.levels = Some(levels),
            ),
            key(
                "domains",
                "all",
                "The domains that go there.",
                OneOrMore(some_text("a domain's name")),
                |it: &mut Draft, domains| {
                    it.domains = domains;
                },
            ),
            key(
                "targets",
                "all",
                "The modules whose records go there.",
                OneOrMore(some_text("a module's path")),
                |it: &mut Draft, targets| {
                    it.targets = targets;
                },
            ),
            key(
                "colour",
                "auto",
                "When levels are coloured; for consoles.",
                colour(),
                |it: &mut Draft, colour| it.colour = Some(colour),
            )
            .or("color"),
            key(
                "layout",
                "that of the other files",
                "What a line looks like.",
                layout(),
                |it: &mut Draft, layout| it.layout = Some(layout),
            )
            .or("format"),
            key(
                "rotation",
                "as for the other files",
                "When the file is rotated.",
                rotation(),
                |it: &mut Draft, rotation| {
                    it.rotation = Some(rotation);
                },
            ),
            key(
                "retention",
                "as for the other files",
                "How long rotated files are kept.",
                retention(),
                |it: &mut Draft, retention| {
                    it.retention = Some(retention);
                },
            ),
            key(
                "compression",
                "as for the other files",
                "How rotated files are compressed.",
                compression(),
                |it: &mut Draft, compression| {
                    it.compression = Some(compression);
                },
            ),
            key(
                "mode",
                "as for the other files",
                "Its mode, in octal digits.",
                mode(),
                |it: &mut Draft, mode| it.mode = Some(mode),
            ),
            key(
                "diagnose",
                "as for the other files; false for a console",
                "Whether it shows what functions with #[diagnose] capture for errors.",
                FLAG,
                |it: &mut Draft, wanted| it.diagnose = Some(wanted),
            ),
        ],
        begin: SinkDraft::default,
        check: SinkDraft::check,
    }
}
