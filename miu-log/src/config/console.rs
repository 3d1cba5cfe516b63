//! The console as the configuration says it.

use crate::layout::{AnyLayout, ColourChoice};
use crate::level::Level;

/// The console: which stream, from which level on, coloured when. For [`LogConfig::console`](crate::LogConfig::console), and for
/// [`LogConfig::sink`](crate::LogConfig::sink), which adds another one.
///
/// A thread of its own writes to it, so that a stopped terminal or a full pipe stops nothing else: past 4 MiB of waiting
/// lines new ones are dropped and counted.
#[derive(Clone, Debug)]
pub struct Console {
    pub(crate) stderr: bool,
    pub(crate) min_level: Level,
    pub(crate) colour: ColourChoice,
    pub(crate) layout: Option<AnyLayout>,
    pub(crate) diagnose: bool,
}

impl Console {
    /// Lines go to stdout.
    pub fn stdout() -> Console {
        Console {
            stderr: false,
            min_level: Level::Trace,
            colour: ColourChoice::Auto,
            layout: None,
            diagnose: false,
        }
    }

    /// Lines go to stderr.
    pub fn stderr() -> Console {
        Console { stderr: true, ..Console::stdout() }
    }

    /// The lowest level that is shown. Default: everything the repository takes.
    #[must_use]
    pub fn min_level(self, level: Level) -> Console {
        Console { min_level: level, ..self }
    }

    /// When levels are coloured. Default: on a terminal, as `NO_COLOR`, `CLICOLOR` and `CLICOLOR_FORCE` say.
    #[must_use]
    pub fn colour(self, colour: ColourChoice) -> Console {
        Console { colour, ..self }
    }

    /// What a line looks like here. Default: as in the files. Colours come with a [`Pattern`](crate::Pattern) only.
    #[must_use]
    pub fn layout(self, layout: impl Into<AnyLayout>) -> Console {
        Console { layout: Some(layout.into()), ..self }
    }

    /// Whether it shows what functions with [`#[diagnose]`](crate::diagnose) capture for errors. Default: `false`.
    #[must_use]
    pub fn diagnose(self, wanted: bool) -> Console {
        Console { diagnose: wanted, ..self }
    }
}

/// What [`LogConfig::console`](crate::LogConfig::console) takes.
#[derive(Clone, Debug)]
pub struct ConsoleChoice(pub(super) Option<Console>);

impl From<bool> for ConsoleChoice {
    fn from(wanted: bool) -> ConsoleChoice {
        ConsoleChoice(wanted.then(Console::stdout))
    }
}

impl From<Console> for ConsoleChoice {
    fn from(console: Console) -> ConsoleChoice {
        ConsoleChoice(Some(console))
    }
}

impl From<Option<Console>> for ConsoleChoice {
    fn from(console: Option<Console>) -> ConsoleChoice {
        ConsoleChoice(console)
    }
}
