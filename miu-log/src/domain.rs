//! Domains: what `log_domains` says of them, and the error for a name that is none.

use std::fmt;

use crate::level::Level;

/// How many domains one repository can have: a record keeps its domain in one byte.
pub(crate) const MAX_DOMAINS: usize = 256;

/// What the macro knows of one domain.
#[derive(Clone, Copy, Debug)]
pub struct DomainSpec {
    /// The name, as written in `log_domains`.
    pub name: &'static str,
    /// Stem of the domain's file: the name, unless `file = ".."` says otherwise.
    pub file: &'static str,
    /// Level at the start, where the domain has one of its own.
    pub level: Option<Level>,
}

/// The generated `Domain` enums: a fixed set of domains known at compile time.
pub trait DomainSet: Copy + 'static {
    /// All domains, in the order of their declaration.
    const SPECS: &'static [DomainSpec];

    /// Which of them this is.
    fn index(self) -> usize;
}

/// A name that is none of the repository's domains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownDomain {
    given: String,
    known: &'static [&'static str],
}

impl UnknownDomain {
    /// The error for `given`, where `known` are the domains there are.
    pub fn new(given: &str, known: &'static [&'static str]) -> UnknownDomain {
        UnknownDomain { given: given.to_owned(), known }
    }

    /// The domains that there are.
    pub fn known(&self) -> &'static [&'static str] {
        self.known
    }
}

impl fmt::Display for UnknownDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown domain {:?}: the domains are {}", self.given, self.known.join(", "))
    }
}

impl std::error::Error for UnknownDomain {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_domain_lists_the_known_ones() {
        let error = UnknownDomain::new("api", &["app", "db"]);
        assert_eq!(error.to_string(), "unknown domain \"api\": the domains are app, db");
    }
}
