//! Patterns by name, for services that know them from another logger. Called by the configuration.

use super::pattern::{Pattern, PatternError, nearest};

/// Every preset and its pattern.
const PRESETS: [(&str, &str); 6] = [
    (
        "loguru",
        "<green>{time:YYYY-MM-DD HH:mm:ss.SSS}</green> | <level>{level: <8}</level> | <cyan>{location}</cyan> - <level>{message}</level>{fields}",
    ),
    ("service", "{time:YYYY-MM-DD HH:mm:ss.SSS} | {level: <8} | {location} | {message}{fields}"),
    ("service_console", "{time:HH:mm:ss.SSS} | {level: <8} | {location} | {message}{fields}"),
    (
        "context",
        "{time:YYYY-MM-DD HH:mm:ss.SSS} | {level: <8} | REQ:{extra[request_id]|no-request} | USER:{extra[user_id]|anonymous} | {location} | {message}{rest}",
    ),
    ("toolbox", "{time:YYYY-MM-DD HH:mm:ss,SSS} [{level}] {domain} - {message}{fields}"),
    ("classic", "{time:YYYY-MM-DD HH:mm:ss,SSS} - {domain} - {level} - {message}{fields}"),
];

impl Pattern {
    /// The pattern of that name: `loguru`, `service`, `service_console`, `context`, `toolbox` or `classic`, in small letters or capitals.
    ///
    /// # Errors
    ///
    /// [`PatternError`] for another name; it lists them.
    ///
    /// # Examples
    ///
    /// ```
    /// use miu_log::Pattern;
    ///
    /// assert_eq!(Pattern::preset("service")?, Pattern::service());
    /// # Ok::<(), miu_log::PatternError>(())
    /// ```
    pub fn preset(name: &str) -> Result<Pattern, PatternError> {
        let Some((_, text)) = PRESETS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)) else {
            let hint = nearest(&name.to_ascii_lowercase(), PRESETS.iter().map(|(known, _)| *known))
                .map_or_else(String::new, |near| format!("; did you mean {near:?}?"));
            let known = PRESETS.map(|(known, _)| known).join(", ");
            return Err(PatternError::at(
                1,
                format!(
                    "the unknown preset {name:?}{hint}; accepted are {known}, or a pattern with its {{message}}"
                ),
            ));
        };
        Pattern::parse(text)
    }

    /// As loguru writes its lines: `2026-11-20 12:00:00.123 | WARNING  | module:function:42 - message`. On a coloured console the time is green,
    /// the place cyan, level and message have the level's colour.
    pub fn loguru() -> Pattern {
        known("loguru")
    }

    /// A service's files: `2026-11-20 12:00:00.123 | WARNING  | module:function:42 | message`.
    pub fn service() -> Pattern {
        known("service")
    }

    /// The console of the same service, while it is developed: `12:00:00.123 | WARNING  | module:function:42 | message`.
    pub fn service_console() -> Pattern {
        known("service_console")
    }

    /// As [`Pattern::service`], with the request and the user of the [context](crate::context) in columns of their own:
    /// `2026-11-20 12:00:00.123 | WARNING  | REQ:no-request | USER:anonymous | module:function:42 | message`.
    pub fn context() -> Pattern {
        known("context")
    }

    /// As `%(asctime)s [%(levelname)s] %(name)s - %(message)s` of Python's `logging`, the name being the domain:
    /// `2026-11-20 12:00:00,123 [WARNING] db - message`.
    pub fn toolbox() -> Pattern {
        known("toolbox")
    }

    /// As `%(asctime)s - %(name)s - %(levelname)s - %(message)s` of Python's `logging`, the name being the domain:
    /// `2026-11-20 12:00:00,123 - db - WARNING - message`.
    pub fn classic() -> Pattern {
        known("classic")
    }
}

/// One of the table. The tests read each of them.
fn known(name: &str) -> Pattern {
    Pattern::preset(name).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_is_read_by_its_name() {
        for (name, text) in PRESETS {
            assert_eq!(Pattern::preset(name).unwrap().as_str(), text);
            assert_eq!(Pattern::preset(&name.to_ascii_uppercase()).unwrap().as_str(), text);
        }
        assert_eq!(Pattern::loguru().as_str(), PRESETS[0].1);
        assert_eq!(Pattern::service().as_str(), PRESETS[1].1);
        assert_eq!(Pattern::service_console().as_str(), PRESETS[2].1);
        assert_eq!(Pattern::context().as_str(), PRESETS[3].1);
    }

    #[test]
    fn presets_in_the_notation_of_python_are_what_it_says() {
        let percent = |text| Pattern::parse_percent(text).unwrap();
        assert_eq!(Pattern::toolbox(), percent("%(asctime)s [%(levelname)s] %(name)s - %(message)s"));
        assert_eq!(Pattern::classic(), percent("%(asctime)s - %(name)s - %(levelname)s - %(message)s"));
    }

    #[test]
    fn an_unknown_preset_lists_the_known_ones() {
        assert_eq!(
            Pattern::preset("servise").unwrap_err().to_string(),
            "malformed pattern: at column 1 stands the unknown preset \"servise\"; did you mean \"service\"?; accepted are loguru, service, \
             service_console, context, toolbox, classic, or a pattern with its {message}"
        );
    }
}
