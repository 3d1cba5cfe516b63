//! What `Domain` and `Repository` are good for.

use std::collections::{BTreeSet, HashSet};

#[miu_log::log_domains(app, cache_l2(file = "0-cache"), union, auto, default)]
pub mod logs {}

use logs::{Domain, Repository};

const FIRST: &str = Domain::ALL[0].as_str();

fn shared<T: Send + Sync + 'static>(_: &T) {}

fn main() {
    assert_eq!(FIRST, "app");
    assert_eq!(Domain::ALL.iter().collect::<HashSet<_>>().len(), 5);
    assert_eq!(Domain::ALL.iter().collect::<BTreeSet<_>>().len(), 5);
    assert_eq!(format!("{:>10}|{:?}", Domain::CacheL2, Domain::CacheL2), "  cache_l2|CacheL2");
    assert_eq!("union".parse::<Domain>().unwrap(), Domain::Union);
    let error: miu_log::UnknownDomain = "bd".parse::<Domain>().unwrap_err();
    assert!(error.to_string().contains("cache_l2"));

    let repo: &'static Repository = logs::repo();
    shared(repo);
    assert!(repo.get("app").is_ok());
    assert!(repo.get("ap").is_err());
    assert!(format!("{repo:?}").starts_with("Repository"));
    repo.domain(Domain::Auto).info("by value");
    repo.default.info("a name that is no strict keyword");
}
