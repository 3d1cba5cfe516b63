//! Levels at run time: the debug switch, each domain's level, and what the compiler has removed.
// U-07, U-20, U-21, U-22, U-30, L-37, M-07, C2, C16

use std::cell::Cell;

use miu_log::testing::ManualListener;
use miu_log::{Level, log_domains};
use miu_log_tests::{Place, logs};

fn log_all(repo: &logs::Repository) {
    for level in Level::ALL {
        repo.app.log(level, level.to_string());
    }
}

#[test]
fn the_switch_stops_debug_and_trace_and_nothing_else() {
    let place = Place::new();
    let repo = logs::Repository::open(place.config().level(Level::Trace).debug_enabled(false)).unwrap();
    assert!(!repo.debug_enabled());
    log_all(&repo);
    repo.set_debug_enabled(true);
    log_all(&repo);
    repo.set_debug_enabled(false);
    log_all(&repo);
    repo.shutdown();
    let rest = ["INFO", "SUCCESS", "WARNING", "ERROR", "CRITICAL"];
    let expected: Vec<&str> = [&rest[..], &["TRACE", "DEBUG"], &rest, &rest].concat();
    assert_eq!(place.messages("app.log"), expected);
}

#[test]
fn a_worker_sees_the_switch_and_the_levels_at_once() {
    let place = Place::new();
    let repo = logs::Repository::open(place.config()).unwrap();
    let worker = logs::Repository::worker(repo.queue());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            worker.app.debug("on");
            repo.set_debug_enabled(false);
            worker.app.debug("off");
            assert!(!worker.debug_enabled() && !worker.app.enabled(Level::Debug));
            worker.set_debug_enabled(true);
            assert!(repo.debug_enabled());
            repo.app.debug("on again");
            repo.app.set_level(Level::Error);
            worker.app.warning("too low for the domain");
            worker.db.warning("another domain");
            repo.set_level(Level::Info);
            worker.app.info("lowered");
            worker.app.debug("not as low as that");
        });
    });
    repo.shutdown();
    assert_eq!(place.messages("app.log"), ["on", "on again", "lowered"]);
    assert_eq!(place.messages("db.log"), ["another domain"]);
}

#[test]
fn the_base_level_holds_for_every_domain() {
    let place = Place::new();
    let repo = logs::Repository::open(place.config().level(Level::Warning)).unwrap();
    for domain in logs::Domain::ALL {
        repo.domain(*domain).success("below");
        repo.domain(*domain).warning("at");
        assert_eq!(repo.domain(*domain).level(), Level::Warning);
    }
    repo.shutdown();
    assert_eq!(place.messages("warning.log"), ["at"; 4]);
    assert!(!place.names().contains(&"success.log".to_owned()));
}

#[test]
fn nothing_is_evaluated_where_the_level_is_off() {
    let place = Place::new();
    let repo = logs::Repository::open(place.config().debug_enabled(false)).unwrap();
    let count = Cell::new(0);
    let evaluated = || {
        count.set(count.get() + 1);
        count.get()
    };
    repo.app.debug(|| format!("closure {}", evaluated()));
    miu_log::debug!(repo.app, "argument {}", evaluated());
    miu_log::debug!(repo.app, field = evaluated(), "field");
    miu_log::log!(repo.app, Level::Trace, shown = %evaluated(), "level at run time");
    assert_eq!(count.get(), 0);
    repo.app.info(|| format!("closure {}", evaluated()));
    miu_log::info!(repo.app, field = evaluated(), "argument {}", evaluated());
    repo.shutdown();
    assert_eq!(place.messages("app.log").len(), 2);
    assert_eq!(count.get(), 3, "each is evaluated once");
}

#[log_domains(app, quiet(level = "warning", file = "silence"), capped(max_level = "info"))]
mod optioned {}

#[test]
fn options_of_a_domain_hold_at_run_time() {
    let place = Place::new();
    let listener = ManualListener::new();
    let config = place.config().level(Level::Trace).manual_listener(&listener);
    let repo = optioned::Repository::open(config).unwrap();
    repo.quiet.info("below its own level");
    repo.quiet.warning("at its own level");
    repo.quiet.set_level(Level::Debug);
    repo.quiet.debug("after set_level");
    assert_eq!(listener.step(), 2);
    assert_eq!(place.messages("silence.log"), ["at its own level", "after set_level"]);

    let evaluated = Cell::new(false);
    repo.capped.set_level(Level::Trace);
    repo.capped.debug(|| {
        evaluated.set(true);
        "removed by the compiler"
    });
    miu_log::debug!(repo.capped, "removed {}", evaluated.replace(true));
    repo.get("capped").unwrap().debug("by name");
    miu_log::debug!(repo.domain(optioned::Domain::Capped), "by value");
    assert!(!repo.get("capped").unwrap().enabled(Level::Debug), "every way to the domain has its limit");
    repo.capped.info("kept");
    miu_log::error!(repo.capped, "kept too");
    assert!(!evaluated.get() && !repo.capped.enabled(Level::Debug));
    assert_eq!(listener.step(), 2);
    assert_eq!(place.messages("capped.log"), ["kept", "kept too"]);
}
