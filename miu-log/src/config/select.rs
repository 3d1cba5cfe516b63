//! Which records a sink that was added by hand is for, as the configuration says it: by names, checked when the repository is opened.
//!
//! Called by the builders of sinks, which have the same options all ([`selecting`]), and by `repository`.

use std::fmt;
use std::sync::Arc;

use crate::domain::DomainSpec;
use crate::filter::{DomainMask, Filter, Judge, LevelSet, RecordFilter};
use crate::layout::nearest;
use crate::record::LogRecord;

/// What was chosen. Where nothing is said: every record.
#[derive(Clone, Default)]
pub(crate) struct Choice {
    /// None: all.
    pub(crate) levels: Option<LevelSet>,
    /// Names; none: all.
    pub(crate) domains: Option<Vec<String>>,
    pub(crate) targets: Vec<String>,
    pub(crate) judge: Option<Judge>,
}

impl fmt::Debug for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Choice")
            .field("levels", &self.levels)
            .field("domains", &self.domains)
            .field("targets", &self.targets)
            .field("judge", &self.judge.as_ref().map(|_| "a filter of the program's own"))
            .finish()
    }
}

impl Choice {
    pub(crate) fn add_domains(&mut self, names: impl IntoIterator<Item = impl fmt::Display>) {
        let domains = self.domains.get_or_insert_default();
        domains.extend(names.into_iter().map(|name| name.to_string()));
    }

    /// One more condition.
    pub(crate) fn add_judge(&mut self, judge: impl Fn(&LogRecord<'_>) -> bool + Send + Sync + 'static) {
        self.judge = Some(match self.judge.take() {
            Some(before) => Arc::new(move |record| before(record) && judge(record)),
            None => Arc::new(judge),
        });
    }

    /// What the router decides by before there is any record.
    ///
    /// # Errors
    ///
    /// A text that says what is wrong: an unknown domain, a target that is no module, a choice that leaves nothing.
    pub(crate) fn filter(&self, specs: &[DomainSpec]) -> Result<Filter, String> {
        let levels = self.levels.unwrap_or(LevelSet::ALL);
        if levels.is_empty() {
            return Err("has no level; at least one is expected, such as Level::Error".to_owned());
        }
        let mut domains = DomainMask::ALL;
        if let Some(names) = &self.domains {
            if names.is_empty() {
                return Err(format!("has no domain; expected are some of {}", known(specs)));
            }
            domains = DomainMask::NONE;
            for name in names {
                let number = specs.iter().position(|spec| spec.name == name);
                let number = number.and_then(|number| u16::try_from(number).ok());
                domains = domains.with(number.ok_or_else(|| format!("has {}", unknown_domain(name, specs)))?);
            }
        }
        match self.targets.iter().find(|target| !is_module(target)) {
            Some(target) => Err(format!(
                "has the target {target:?}; the path of a module is expected, such as \"my_crate\" or \"my_crate::db\""
            )),
            None => Ok(Filter { domains, levels }),
        }
    }

    /// What each record is asked. None where that is nothing.
    pub(crate) fn record_filter(&self) -> Option<RecordFilter> {
        let filter = RecordFilter { targets: self.targets.clone().into(), judge: self.judge.clone() };
        (!filter.is_empty()).then_some(filter)
    }
}

/// `; did you mean "db"?`, where one of the known words is near. To a word of two letters everything is near.
pub(crate) fn did_you_mean<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let near = nearest(&given.to_ascii_lowercase(), known.into_iter()).filter(|_| given.chars().count() > 2);
    near.map_or_else(String::new, |near| format!("; did you mean {near:?}?"))
}

/// Says that there is no such domain, and which there are.
pub(crate) fn unknown_domain(name: &str, specs: &[DomainSpec]) -> String {
    let near =
        nearest(name, specs.iter().map(|spec| spec.name)).filter(|near| near.len() > 2 || name.len() > 2);
    let hint = near.map_or_else(String::new, |near| format!("; did you mean {near:?}?"));
    format!("the unknown domain {name:?}{hint}; the domains are {}", known(specs))
}

fn known(specs: &[DomainSpec]) -> String {
    specs.iter().map(|spec| spec.name).collect::<Vec<_>>().join(", ")
}

/// Whether a text can be what `module_path!` gives.
fn is_module(target: &str) -> bool {
    let is_name = |part: &str| {
        let part = part.strip_prefix("r#").unwrap_or(part);
        part.starts_with(|first: char| first.is_alphabetic() || first == '_')
            && part.chars().all(|character| character.is_alphanumeric() || character == '_')
    };
    target.split("::").all(is_name)
}

/// The options that all sinks added by hand have: which records go there.
macro_rules! selecting {
    ($builder:ident) => {
        /// Which records go there: of those that the repository takes, all, where nothing is said. Conditions of different kinds have all to
        /// be met. Of `min_level`, `level` and `levels` the last one counts.
        impl $builder {
            /// Only records of this level and above.
            #[must_use]
            pub fn min_level(mut self, level: $crate::Level) -> $builder {
                self.choice.levels = Some($crate::filter::LevelSet::from(level));
                self
            }

            /// Only records of this very level.
            #[must_use]
            pub fn level(self, level: $crate::Level) -> $builder {
                self.levels([level])
            }

            /// Only records of these levels.
            #[must_use]
            pub fn levels(mut self, levels: impl IntoIterator<Item = $crate::Level>) -> $builder {
                let none = $crate::filter::LevelSet::NONE;
                self.choice.levels = Some(levels.into_iter().fold(none, $crate::filter::LevelSet::with));
                self
            }

            /// Only records of this domain, by its name or as the generated `Domain`; called again, of that one too. A name that
            /// `log_domains` does not have is an error of `open`.
            #[must_use]
            pub fn domain(self, domain: impl ::std::fmt::Display) -> $builder {
                self.domains([domain])
            }

            /// Only records of these domains.
            #[must_use]
            pub fn domains(
                mut self,
                domains: impl IntoIterator<Item = impl ::std::fmt::Display>,
            ) -> $builder {
                self.choice.add_domains(domains);
                self
            }

            /// Only records of calls in this module, such as `my_crate::db`, or in a module within it; called again, of that one too.
            ///
            /// Calls of the logging methods (`repo.db.info(..)`) do not tell their module, and do not go there; those of the macros
            /// (`info!(repo.db, ..)`) do.
            #[must_use]
            pub fn target(mut self, module: impl Into<String>) -> $builder {
                self.choice.targets.push(module.into());
                self
            }

            /// Only records of which this says so; called again, both have to.
            ///
            /// It is asked about each record that all else lets through, by the listener's thread: it should be quick, and must not log. If
            /// it panics the record counts as dropped there, and that is told once on stderr.
            #[must_use]
            pub fn filter(
                mut self,
                filter: impl Fn(&$crate::LogRecord<'_>) -> bool + Send + Sync + 'static,
            ) -> $builder {
                self.choice.add_judge(filter);
                self
            }
        }
    };
}
pub(crate) use selecting;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::level::Level;

    const SPECS: &[DomainSpec] = &[
        DomainSpec { name: "app", file: "app", level: None },
        DomainSpec { name: "database", file: "db", level: None },
    ];

    fn domains(names: &[&str]) -> Choice {
        let mut choice = Choice::default();
        choice.add_domains(names);
        choice
    }

    #[test]
    fn domains_are_found_by_name_not_by_file() {
        let filter = domains(&["database"]).filter(SPECS).unwrap();
        assert!(filter.lets_through(1, Level::Info) && !filter.lets_through(0, Level::Info));
        assert!(Choice::default().filter(SPECS).unwrap().lets_through(0, Level::Trace));
        assert_eq!(
            domains(&["databse"]).filter(SPECS).unwrap_err(),
            "has the unknown domain \"databse\"; did you mean \"database\"?; the domains are app, database"
        );
        assert_eq!(
            domains(&["db"]).filter(SPECS).unwrap_err(),
            "has the unknown domain \"db\"; the domains are app, database"
        );
    }

    #[test]
    fn a_choice_that_leaves_nothing_is_refused() {
        assert!(domains(&[]).filter(SPECS).unwrap_err().contains("has no domain"));
        let choice = Choice { levels: Some(LevelSet::NONE), ..Choice::default() };
        assert!(choice.filter(SPECS).unwrap_err().contains("has no level"));
    }

    #[test]
    fn a_target_is_the_path_of_a_module() {
        for (target, is_right) in [
            ("my_crate", true),
            ("my_crate::r#mod::_x1", true),
            ("", false),
            ("my-crate", false),
            ("my_crate::", false),
            ("a:b", false),
            ("src/main.rs", false),
        ] {
            let choice = Choice { targets: vec![target.to_owned()], ..Choice::default() };
            assert_eq!(choice.filter(SPECS).is_ok(), is_right, "{target:?}");
        }
    }
}
