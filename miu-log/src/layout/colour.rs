//! Colours of the levels, colour tags of patterns, and the decision whether a terminal gets any.
//!
//! Where a pattern has no tags only the level's name is coloured; padding stays outside, so that no background or underline of a
//! theme runs into it. Escape codes come from here and from nowhere else. Called by `line`, and by
//! whoever opens the console.

use std::ffi::{OsStr, OsString};

use ansi_term::{Color, Style};

use crate::level::Level;

/// When the console is coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ColourChoice {
    /// On a terminal, unless the environment says otherwise: `NO_COLOR` turns colours off,
    /// `CLICOLOR_FORCE` turns them on even in a pipe, `CLICOLOR=0` and `TERM=dumb` turn them off.
    /// `NO_COLOR` is stronger than `CLICOLOR_FORCE`.
    #[default]
    Auto,
    /// Everywhere.
    Always,
    /// Nowhere.
    Never,
}

/// Whether to colour. `env` looks up a variable of the environment.
pub(crate) fn enabled(
    choice: ColourChoice,
    is_terminal: bool,
    env: impl Fn(&str) -> Option<OsString>,
) -> bool {
    // A variable that is set to nothing counts as unset, as no-color.org and bixense.com/clicolors have it.
    let variable = |name| env(name).filter(|value| !value.is_empty());
    match choice {
        ColourChoice::Always => true,
        ColourChoice::Never => false,
        ColourChoice::Auto if variable("NO_COLOR").is_some() => false,
        ColourChoice::Auto if variable("CLICOLOR_FORCE").is_some_and(|value| value != "0") => true,
        ColourChoice::Auto => {
            let refused = |name, value| variable(name).as_deref() == Some(OsStr::new(value));
            is_terminal && !refused("CLICOLOR", "0") && !refused("TERM", "dumb")
        }
    }
}

/// How a level's name looks on a terminal.
fn style(level: Level) -> Style {
    match level {
        Level::Trace => Style::new().dimmed(),
        Level::Debug => Color::Blue.normal(),
        Level::Info => Color::Green.normal(),
        Level::Success => Color::Green.bold(),
        Level::Warning => Color::Yellow.normal(),
        Level::Error => Color::Red.normal(),
        Level::Critical => Color::Magenta.normal(),
    }
}

/// A level's name, in its colour if there are to be colours.
pub(super) fn level_name(level: Level, colour: bool) -> String {
    if colour { style(level).paint(level.as_str()).to_string() } else { level.as_str().to_owned() }
}

/// How text between `<tag>` and `</tag>` looks on a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    /// As the record's level.
    Level,
    Colour(Color),
    Bold,
    Dim,
    Italic,
    Underline,
}

/// Names of the tags.
pub(super) const TAGS: [(&str, Tag); 21] = [
    ("level", Tag::Level),
    ("black", Tag::Colour(Color::Black)),
    ("red", Tag::Colour(Color::Red)),
    ("green", Tag::Colour(Color::Green)),
    ("yellow", Tag::Colour(Color::Yellow)),
    ("blue", Tag::Colour(Color::Blue)),
    ("magenta", Tag::Colour(Color::Magenta)),
    ("cyan", Tag::Colour(Color::Cyan)),
    ("white", Tag::Colour(Color::White)),
    ("light-black", Tag::Colour(Color::DarkGray)),
    ("light-red", Tag::Colour(Color::LightRed)),
    ("light-green", Tag::Colour(Color::LightGreen)),
    ("light-yellow", Tag::Colour(Color::LightYellow)),
    ("light-blue", Tag::Colour(Color::LightBlue)),
    ("light-magenta", Tag::Colour(Color::LightMagenta)),
    ("light-cyan", Tag::Colour(Color::LightCyan)),
    ("light-white", Tag::Colour(Color::LightGray)),
    ("bold", Tag::Bold),
    ("dim", Tag::Dim),
    ("italic", Tag::Italic),
    ("underline", Tag::Underline),
];

impl Tag {
    fn style(self, level: Level) -> Style {
        match self {
            Tag::Level => style(level),
            Tag::Colour(colour) => colour.normal(),
            Tag::Bold => Style::new().bold(),
            Tag::Dim => Style::new().dimmed(),
            Tag::Italic => Style::new().italic(),
            Tag::Underline => Style::new().underline(),
        }
    }

    /// What turns it on.
    pub(super) fn begin(self, level: Level) -> String {
        self.style(level).prefix().to_string()
    }
}

/// What turns everything off, and on again what is still open.
pub(super) fn end(still_open: &[Tag], level: Level) -> String {
    let mut codes = Style::new().bold().suffix().to_string();
    codes.extend(still_open.iter().map(|tag| tag.begin(level)));
    codes
}

/// How many bytes of escape codes a line begins with.
pub(super) fn codes_at_start(line: &[u8]) -> usize {
    let mut rest = line;
    while let Some(code) = rest.strip_prefix(b"\x1b[") {
        let Some(end) = code.iter().position(|byte| *byte == b'm') else { break };
        rest = &code[end + 1..];
    }
    line.len() - rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn auto(is_terminal: bool, variables: &[(&str, &str)]) -> bool {
        enabled(ColourChoice::Auto, is_terminal, |name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into())
        })
    }

    #[test]
    fn a_terminal_is_coloured_and_a_pipe_is_not() {
        assert!(auto(true, &[]));
        assert!(!auto(false, &[]));
        assert!(auto(true, &[("TERM", "xterm-256color"), ("CLICOLOR", "1")]));
    }

    #[test]
    fn environment_turns_colours_off() {
        assert!(!auto(true, &[("NO_COLOR", "1")]));
        assert!(!auto(true, &[("CLICOLOR", "0")]));
        assert!(!auto(true, &[("TERM", "dumb")]));
        assert!(!auto(true, &[("NO_COLOR", "0")]));
        assert!(auto(true, &[("NO_COLOR", "")]));
    }

    #[test]
    fn environment_forces_colours() {
        assert!(auto(false, &[("CLICOLOR_FORCE", "1")]));
        assert!(auto(false, &[("CLICOLOR_FORCE", "1"), ("TERM", "dumb")]));
        assert!(!auto(false, &[("CLICOLOR_FORCE", "0")]));
        assert!(!auto(false, &[("CLICOLOR_FORCE", "")]));
        assert!(!auto(true, &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
    }

    #[test]
    fn a_choice_is_stronger_than_the_environment() {
        let environment = |name: &str| Some(OsString::from(if name == "NO_COLOR" { "1" } else { "" }));
        assert!(enabled(ColourChoice::Always, false, environment));
        assert!(!enabled(ColourChoice::Never, true, |_| Some(OsString::from("1"))));
    }

    #[test]
    fn every_level_has_its_colour() {
        let shown = Level::ALL.map(|level| format!("{:?}", level_name(level, true))).join("\n");
        insta::assert_snapshot!(shown, @r#"
        "\u{1b}[2mTRACE\u{1b}[0m"
        "\u{1b}[34mDEBUG\u{1b}[0m"
        "\u{1b}[32mINFO\u{1b}[0m"
        "\u{1b}[1;32mSUCCESS\u{1b}[0m"
        "\u{1b}[33mWARNING\u{1b}[0m"
        "\u{1b}[31mERROR\u{1b}[0m"
        "\u{1b}[35mCRITICAL\u{1b}[0m"
        "#);
    }
}
