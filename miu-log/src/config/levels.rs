//! Which level each domain begins with: what the macro, the program, a file and the variable `MIU_LOG` say, in rising order.
//!
//! `MIU_LOG=info,db=debug` has the last word: a level alone is for all domains, whatever the others say, and `db=debug` for one of them.
//! Pure. Called when a configuration is made from the environment or a file, when a repository is opened, and when a file is read again.

use std::ffi::OsStr;

use super::select::{did_you_mean, unknown_domain};
use super::{LogConfig, OtherCrates};
use crate::domain::DomainSpec;
use crate::error::Error;
use crate::level::Level;

/// The environment variable.
pub(crate) const VARIABLE: &str = "MIU_LOG";

/// A level for one domain, and where it was asked for: empty where that is the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DomainLevel {
    pub(crate) domain: String,
    pub(crate) level: Level,
    pub(crate) origin: String,
}

/// What overrides all other levels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Overrides {
    pub(crate) all: Option<Level>,
    pub(crate) domains: Vec<DomainLevel>,
}

impl Overrides {
    /// Reads the variable's value. Parts may be empty, and domains are not looked up: which there are is known when a repository is opened.
    ///
    /// # Errors
    ///
    /// A text for each part that makes no sense, with its place.
    pub(crate) fn read(value: &OsStr) -> Result<Overrides, Vec<String>> {
        let Some(text) = value.to_str() else {
            return Err(vec![format!("the environment variable {VARIABLE} is {value:?}, which is no UTF-8")]);
        };
        let mut overrides = Overrides::default();
        let mut problems = Vec::new();
        let mut begin = 0;
        for part in text.split(',') {
            let column =
                text[..begin].chars().count() + part.chars().take_while(|it| it.is_whitespace()).count() + 1;
            begin += part.len() + 1;
            let part = part.trim();
            if part.is_empty() {
                continue;
            }
            let origin = || format!("the environment variable {VARIABLE}, column {column}");
            let (domain, level) = match part.split_once('=') {
                Some((domain, level)) => (Some(domain.trim()), level.trim()),
                None => (None, part),
            };
            match (domain, level.parse()) {
                (None, Ok(level)) => overrides.all = Some(level),
                (Some(""), _) => problems.push(format!(
                    "{}: {part:?} names no domain; expected are parts such as \"info\" or \"db=debug\"",
                    origin()
                )),
                (Some(domain), Ok(level)) => {
                    let domain = domain.to_owned();
                    overrides.domains.push(DomainLevel { domain, level, origin: origin() });
                }
                (None, Err(_)) => problems.push(format!(
                    "{}: {}; expected are parts such as \"info\" or \"db=debug\"",
                    origin(),
                    unknown_level(level)
                )),
                (Some(_), Err(_)) => problems.push(format!("{}: {}", origin(), unknown_level(level))),
            }
        }
        if problems.is_empty() { Ok(overrides) } else { Err(problems) }
    }
}

/// The names of the levels, as errors list them.
pub(crate) const NAMES: [&str; 7] = ["trace", "debug", "info", "success", "warning", "error", "critical"];

/// Says that there is no such level, and which there are.
pub(crate) fn unknown_level(given: &str) -> String {
    let hint = did_you_mean(given, NAMES);
    format!("the unknown level {given:?}{hint}; accepted are {}", NAMES.join(", "))
}

/// Everything that is said of levels.
#[derive(Clone, Debug)]
pub(crate) struct Levels {
    pub(crate) all: Level,
    pub(crate) domains: Vec<DomainLevel>,
    pub(crate) overrides: Overrides,
    /// The routes of a configuration that leaves wrong ones out: these are told together with wrong levels. None: a wrong one is an error elsewhere.
    lenient_routes: Option<OtherCrates>,
}

impl Levels {
    /// The level of each domain.
    ///
    /// # Errors
    ///
    /// When a level is for a domain that there is not: all of them, each with where it was asked for.
    pub(crate) fn of(&self, specs: &[DomainSpec]) -> Result<Vec<Level>, Error> {
        let (levels, problems) = self.with_problems(specs);
        if problems.is_empty() { Ok(levels) } else { Err(Error::config(problems.join("\n"))) }
    }

    /// Whether something is said of this very domain.
    pub(crate) fn name(&self, domain: &str) -> bool {
        self.domains.iter().chain(&self.overrides.domains).any(|it| it.domain == domain)
    }

    /// The domains for which `new` asks for another level than these do, in vain: the variable overrides both.
    pub(crate) fn overridden<'a>(&self, new: &Levels, specs: &'a [DomainSpec]) -> Vec<&'a str> {
        let asked = |levels: &Levels| {
            Levels { overrides: Overrides::default(), ..levels.clone() }.with_problems(specs).0
        };
        let (before, wanted, taken) = (asked(self), asked(new), new.with_problems(specs).0);
        let in_vain =
            |number: &usize| before[*number] != wanted[*number] && wanted[*number] != taken[*number];
        (0..specs.len()).filter(in_vain).map(|number| specs[number].name).collect()
    }

    /// The level of each domain, with what is wrong beside it.
    pub(crate) fn with_problems(&self, specs: &[DomainSpec]) -> (Vec<Level>, Vec<String>) {
        let mut levels: Vec<Level> = specs.iter().map(|spec| spec.level.unwrap_or(self.all)).collect();
        let mut problems = Vec::new();
        let mut set = |levels: &mut [Level], wanted: &[DomainLevel]| {
            for DomainLevel { domain, level, origin } in wanted {
                let unknown = || unknown_domain(domain, specs);
                match specs.iter().position(|spec| spec.name == domain) {
                    Some(number) => levels[number] = *level,
                    None if origin.is_empty() => problems.push(format!("domain_level is for {}", unknown())),
                    None => problems.push(format!("{origin}: {}", unknown())),
                }
            }
        };
        set(&mut levels, &self.domains);
        if let Some(all) = self.overrides.all {
            levels.fill(all);
        }
        set(&mut levels, &self.overrides.domains);
        problems.extend(self.lenient_routes.iter().flat_map(|routes| routes.problems(specs)));
        (levels, problems)
    }
}

impl LogConfig {
    /// What it says of levels.
    pub(crate) fn levels(&self) -> Levels {
        Levels {
            all: self.level,
            domains: self.domain_levels.clone(),
            overrides: self.overrides.clone(),
            lenient_routes: self.other_crates.is_lenient.then(|| self.other_crates.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPECS: &[DomainSpec] = &[
        DomainSpec { name: "app", file: "app", level: None },
        DomainSpec { name: "db", file: "db", level: Some(Level::Warning) },
    ];

    fn overridden(text: &str) -> LogConfig {
        let overrides = Overrides::read(OsStr::new(text)).unwrap();
        let mut config = LogConfig::new("logs").level(Level::Error);
        config.overrides = overrides;
        config
    }

    #[test]
    fn the_variable_has_the_last_word() {
        for (text, levels) in [
            ("", [Level::Error, Level::Success]),
            ("info", [Level::Info, Level::Info]),
            (" INFO , db = debug,", [Level::Info, Level::Debug]),
            ("db=debug,warn", [Level::Warning, Level::Debug]),
            ("app=trace,app=critical", [Level::Critical, Level::Success]),
        ] {
            let config = overridden(text).domain_level("db", Level::Success);
            assert_eq!(config.levels().of(SPECS).unwrap(), levels, "{text:?}");
        }
        assert_eq!(overridden("").levels().of(SPECS).unwrap(), [Level::Error, Level::Warning]);
    }

    #[test]
    fn what_the_variable_overrides_is_known() {
        let said = |variable: &str, level| overridden(variable).level(level).levels();
        let (before, new) = (said("app=info", Level::Error), said("app=info", Level::Debug));
        // `db` has a level of its own, by the macro.
        assert_eq!(before.overridden(&new, SPECS), ["app"]);
        assert_eq!(before.overridden(&said("app=info", Level::Info), SPECS), [""; 0], "they agree");
        assert_eq!(said("", Level::Error).overridden(&said("", Level::Debug), SPECS), [""; 0]);
        assert!(new.name("app") && !new.name("db"));
    }

    #[test]
    fn every_wrong_part_is_told_with_its_column() {
        let problems = Overrides::read(OsStr::new("inof, =debug,db=lout,app=no")).unwrap_err();
        assert_eq!(problems.len(), 4, "{problems:?}");
        assert!(problems[0].starts_with(
            "the environment variable MIU_LOG, column 1: the unknown level \"inof\"; did you mean \"info\"?"
        ));
        assert!(problems[1].contains("column 7: \"=debug\" names no domain"), "{problems:?}");
        assert!(problems[2].contains("column 14: the unknown level \"lout\""), "{problems:?}");
        assert!(problems[3].contains("accepted are trace, debug, info, success, warning, error, critical"));
        let text = std::os::unix::ffi::OsStrExt::from_bytes(b"\xff");
        assert!(Overrides::read(text).unwrap_err()[0].contains("no UTF-8"));
    }

    #[test]
    fn a_level_for_a_domain_that_there_is_not_is_told_with_its_origin() {
        let config = overridden("info,dbb=debug").domain_level("ap", Level::Info);
        let text = config.levels().of(SPECS).unwrap_err().to_string();
        assert_eq!(
            text,
            "domain_level is for the unknown domain \"ap\"; did you mean \"app\"?; the domains are app, db\n\
             the environment variable MIU_LOG, column 6: the unknown domain \"dbb\"; did you mean \"db\"?; the domains are app, db"
        );
    }
}
