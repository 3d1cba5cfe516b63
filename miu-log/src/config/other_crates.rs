//! Records of other crates: whether they are taken, and where they go.

use super::LogConfig;
use crate::bridge::routes::Rule;
use crate::domain::DomainSpec;
use crate::error::Error;
use crate::layout::nearest;
use crate::level::Level;

/// What the configuration says of other crates' records.
#[derive(Clone, Debug, Default)]
pub(crate) struct OtherCrates {
    /// None: where nobody else has the facades.
    pub(crate) intercept: Option<bool>,
    pub(crate) routes: Vec<RouteOption>,
    pub(crate) default: Option<String>,
    pub(crate) span_events: bool,
    /// Routes that are wrong are left out, and told by a WARNING.
    pub(crate) is_lenient: bool,
}

/// A target, and one thing said of it.
#[derive(Clone, Debug)]
pub(crate) struct RouteOption {
    pub(crate) prefix: String,
    pub(crate) domain: Option<String>,
    pub(crate) level: Option<Level>,
    /// Where that is said: empty where it is the program.
    pub(crate) origin: String,
}

/// The same with domains by number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CheckedRoutes {
    pub(crate) rules: Vec<Rule>,
    pub(crate) default: u8,
    pub(crate) span_events: bool,
}

impl LogConfig {
    /// Whether records of other crates, those that they log through `log` or `tracing`, go into this repository. Default: they do, if nobody else has
    /// them.
    ///
    /// - `true`: they have to. `open` fails where another logger or subscriber was installed before, or another repository of this process has them.
    /// - `false`: they do not. Nothing is installed.
    ///
    /// The feature `log` (on by default) is for the one facade, the feature `tracing` for the other. One repository of a process has the records: the first
    /// that wants them, until it is shut down; what comes later is counted as dropped, until another one is opened.
    /// Worker processes that join the repository do as it does. What was logged before is not seen: the facades
    /// drop records while no receiver is installed.
    ///
    /// `log::max_level()` follows the levels of the domains, also when these change, so that a record that is not wanted costs what it costs without a logger.
    pub fn intercept(mut self, wanted: bool) -> LogConfig {
        self.other_crates.intercept = Some(wanted);
        self
    }

    /// Puts the records of other crates whose target begins so into this domain: `route("sqlx", "db")`. A target is the path of the module, unless the
    /// statement gives another one. `sqlx` stands for `sqlx` and `sqlx::query`, not for `sqlxtra`. Of several that fit the longest counts, of
    /// two that are the same the later.
    ///
    /// Common crates have a domain without it, if the service has one of that name: `sqlx` or `tokio_postgres` in `db`, `hyper`, `reqwest`, `axum` and `tonic` in
    /// `http`, `redis` in `redis`, `serenity` and `twilight` in `discord`. Everything else goes to [`default_route`](LogConfig::default_route).
    ///
    /// `open` fails where there is no such domain, and, as with [`intercept(true)`](LogConfig::intercept), where the records go elsewhere.
    pub fn route(mut self, target: impl Into<String>, domain: impl Into<String>) -> LogConfig {
        let (prefix, domain) = (target.into(), Some(domain.into()));
        self.other_crates.routes.push(RouteOption { prefix, domain, level: None, origin: String::new() });
        self
    }

    /// The lowest level that is taken of other crates' records whose target begins so, in place of the domain's level: `target_level("sqlx::query",
    /// Level::Warning)`. Targets are as for [`route`](LogConfig::route). The debug switch, and what `max_level` has removed from the program, count all
    /// the same.
    ///
    /// Without it the domain's level decides; of the crates that a runtime or a web service is made of (`tokio`, `mio`, `hyper`, `h2`, `reqwest`,
    /// `rustls`, `tonic`, `tower`, `serenity` and such) nothing below INFO is taken.
    ///
    /// While the service runs, [`set_target_level`](crate::generated::Repository::set_target_level) changes it.
    pub fn target_level(mut self, target: impl Into<String>, level: Level) -> LogConfig {
        let (prefix, level) = (target.into(), Some(level));
        self.other_crates.routes.push(RouteOption { prefix, domain: None, level, origin: String::new() });
        self
    }

    /// The domain for other crates' records that no route is for. Default: the first one.
    pub fn default_route(mut self, domain: impl Into<String>) -> LogConfig {
        self.other_crates.default = Some(domain.into());
        self
    }

    /// Whether the begin and the end of each span of the `tracing` facade is a record too, of the span's level: `request: new`, and `request: close`
    /// with the fields `busy`, how long it was entered, and `idle`, how long it was not. Default: `false`.
    ///
    /// The fields of spans are in the records inside them in any case, if these come through `tracing`; those of `log` and of the loggers have the fields of the
    /// [context](crate::context) instead. Where both have a field of one name in an event, the span's counts.
    pub fn span_events(mut self, wanted: bool) -> LogConfig {
        self.other_crates.span_events = wanted;
        self
    }
}

impl OtherCrates {
    /// Whether it is an error if the records go elsewhere.
    pub(crate) fn insists(&self) -> bool {
        self.intercept.unwrap_or(!self.routes.is_empty() || self.default.is_some())
    }

    /// Checks what is said against the domains that there are.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong, unless that is to be left out.
    pub(crate) fn check(&self, specs: &[DomainSpec]) -> Result<CheckedRoutes, Error> {
        let (checked, mut problems) = self.with_problems(specs);
        if self.is_lenient || problems.is_empty() {
            return Ok(checked);
        }
        Err(Error::config(problems.swap_remove(0)))
    }

    /// What is wrong with the routes.
    pub(crate) fn problems(&self, specs: &[DomainSpec]) -> Vec<String> {
        self.with_problems(specs).1
    }

    /// What is good of it, and what is wrong with the rest.
    fn with_problems(&self, specs: &[DomainSpec]) -> (CheckedRoutes, Vec<String>) {
        let number_of = |name: &str, whose: &str| {
            let position = specs.iter().position(|spec| spec.name == name);
            position
                .and_then(|number| u8::try_from(number).ok())
                .ok_or_else(|| unknown_domain(whose, name, specs))
        };
        let check = |option: &RouteOption| {
            let RouteOption { prefix, domain, level, origin } = option;
            let origin = if origin.is_empty() { String::new() } else { format!("{origin}: ") };
            if !is_target(prefix) {
                return Err(format!("{origin}the route {prefix:?} is no target; {TARGET_EXPECTED}"));
            }
            let whose = format!("{origin}the route {prefix:?} leads to");
            let domain = domain.as_deref().map(|name| number_of(name, &whose)).transpose()?;
            Ok(Rule { prefix: prefix.clone(), domain, level: *level })
        };
        let mut checked = CheckedRoutes { span_events: self.span_events, ..CheckedRoutes::default() };
        let mut problems = Vec::new();
        for option in &self.routes {
            match check(option) {
                Ok(rule) => checked.rules.push(rule),
                Err(problem) => problems.push(problem),
            }
        }
        if let Some(name) = &self.default {
            match number_of(name, "the default route leads to") {
                Ok(number) => checked.default = number,
                Err(problem) => problems.push(problem),
            }
        }
        (checked, problems)
    }
}

fn unknown_domain(whose: &str, name: &str, specs: &[DomainSpec]) -> String {
    let known: Vec<&str> = specs.iter().map(|spec| spec.name).collect();
    let near = nearest(name, known.iter().copied()).filter(|near| near.len() > 2 || name.len() > 2);
    let hint = near.map_or_else(String::new, |near| format!("; did you mean {near:?}?"));
    format!("{whose} the unknown domain {name:?}{hint}; the domains are {}", known.join(", "))
}

/// What is said where something else was given.
pub(crate) const TARGET_EXPECTED: &str =
    "the path of a module is expected, such as \"sqlx\" or \"sqlx::query\", without a \"::\" at its end";

/// Whether a text can stand at the beginning of a target, up to a module's border. Targets can be any text: a service may well route by its own.
pub(crate) fn is_target(prefix: &str) -> bool {
    !prefix.is_empty()
        && !prefix.ends_with(':')
        && !prefix.starts_with(':')
        && !prefix.contains(char::is_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPECS: &[DomainSpec] = &[
        DomainSpec { name: "app", file: "app", level: None },
        DomainSpec { name: "redis", file: "redis", level: None },
    ];

    fn problem(config: LogConfig) -> String {
        config.other_crates.check(SPECS).unwrap_err().to_string()
    }

    #[test]
    fn a_route_to_an_unknown_domain_is_an_error_with_a_suggestion() {
        assert_eq!(
            problem(LogConfig::new("logs").route("redis", "reddis")),
            "the route \"redis\" leads to the unknown domain \"reddis\"; did you mean \"redis\"?; the domains are app, redis"
        );
        assert_eq!(
            problem(LogConfig::new("logs").default_route("everything")),
            "the default route leads to the unknown domain \"everything\"; the domains are app, redis"
        );
    }

    #[test]
    fn a_route_names_a_module() {
        for target in ["", "sqlx::", "::sqlx", "sq lx"] {
            assert!(
                problem(LogConfig::new("logs").route(target, "app")).contains("is no target"),
                "{target}"
            );
        }
        let config = LogConfig::new("logs").route("sqlx::query", "redis").target_level("sqlx", Level::Error);
        let checked = config.other_crates.check(SPECS).unwrap();
        assert_eq!((checked.rules[0].domain, checked.rules[1].level), (Some(1), Some(Level::Error)));
    }

    #[test]
    fn what_is_said_of_routes_is_meant() {
        let insists = |config: LogConfig| config.other_crates.insists();
        assert!(!insists(LogConfig::new("logs")) && insists(LogConfig::new("logs").intercept(true)));
        assert!(insists(LogConfig::new("logs").route("a", "app")));
        assert!(!insists(LogConfig::new("logs").route("a", "app").intercept(false)));
    }
}
