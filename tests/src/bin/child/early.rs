//! Roles that log before there is a repository.

use std::panic::catch_unwind;

use miu_log::{EarlyInit, Level, StartupReport};
use miu_log_tests::logs;

use crate::{config, forks};

/// A logger that somebody else has installed.
struct Others;

impl log::Log for Others {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, _: &log::Record<'_>) {}

    fn flush(&self) {}
}

/// Three records of the main thread, one of another one.
fn log_some() {
    log::debug!(target: "sqlx::query", "first, unseen");
    log::info!(rows = 7; "second, shown");
    let thread = std::thread::Builder::new().name("loader".to_owned());
    thread.spawn(|| log::warn!("third, of a thread")).unwrap().join().unwrap();
    log::trace!("not wanted");
    log::error!("fourth");
}

fn say(report: StartupReport) {
    let StartupReport { early_init, from_log, from_tracing, panics, dropped, .. } = report;
    let StartupReport { own_before_open, own_before_early_init, .. } = report;
    println!(
        "early={} log={from_log} tracing={from_tracing} panics={panics} dropped={dropped} own={own_before_open} \
         before={own_before_early_init}",
        u8::from(early_init)
    );
}

pub(crate) fn run(folder: &str, way: &str) {
    match way {
        "late" => {
            let repo = logs::Repository::open(config(folder)).unwrap();
            assert_eq!(miu_log::early_init().unwrap(), EarlyInit::TooLate);
            log::info!("not early");
            return say(repo.startup_report());
        }
        "never" => {
            let repo = logs::Repository::open(config(folder)).unwrap();
            return say(repo.startup_report());
        }
        "taken" => {
            log::set_logger(&Others).unwrap();
            println!("{}", miu_log::early_init().unwrap_err());
            // Panics are collected all the same.
            assert!(catch_unwind(|| panic!("early")).is_err());
            drop(logs::Repository::open(config(folder)).unwrap());
            return;
        }
        "own-before" => logs::repo().app.info("before early_init"),
        _ => {}
    }
    assert_eq!(miu_log::early_init().unwrap(), EarlyInit::Installed);
    assert_eq!(miu_log::early_init().unwrap(), EarlyInit::AlreadyInitialised);
    log_some();
    match way {
        "open" => {
            assert!(catch_unwind(|| panic!("fifth")).is_err());
            let repo = logs::Repository::open(config(folder)).unwrap();
            repo.app.info("later");
            log::info!("later, by the facade");
            say(repo.startup_report());
        }
        "level" => {
            let config = config(folder).level(Level::Warning).target_level("sqlx", Level::Debug);
            drop(logs::Repository::open(config).unwrap());
        }
        "global" | "own-before" => {
            logs::repo().app.info("between");
            log::info!("after between");
            let repo = logs::init(config(folder)).unwrap();
            repo.app.info("later");
            say(repo.startup_report());
        }
        "tracing" => {
            let span = tracing::info_span!("request", id = 7);
            span.in_scope(|| tracing::info!(rows = 3, "an event"));
            let repo = logs::Repository::open(config(folder)).unwrap();
            span.in_scope(|| tracing::info!("a later event"));
            say(repo.startup_report());
        }
        "exit" => std::process::exit(3),
        "return" => {}
        "panic" => panic!("before the repository"),
        "abort" => {
            without_unwinding();
        }
        "many" => {
            for number in 0..20_000 {
                log::debug!("{number}");
            }
            let repo = logs::Repository::open(config(folder)).unwrap();
            say(repo.startup_report());
        }
        "long" => {
            log::info!("{}", "x".repeat(100_000));
            drop(logs::Repository::open(config(folder)).unwrap());
        }
        "forked" => {
            let child = forks::bare_fork();
            if child == 0 {
                log::info!("of the child");
                std::process::exit(0);
            }
            assert_eq!(forks::wait_for(child), Some(0));
            drop(logs::Repository::open(config(folder)).unwrap());
        }
        "worker" => {
            let repo = logs::Repository::connect().unwrap();
            repo.app.info("later");
        }
        "killed" => {
            let repo = logs::Repository::open(config(folder)).unwrap();
            repo.app.info("later");
            crate::crashes::kill_self();
        }
        "shut-down" => {
            drop(logs::Repository::open(config(folder)).unwrap());
            log::info!("after the end");
        }
        other => panic!("no way to be early: {other:?}"),
    }
}

extern "C" fn without_unwinding() {
    panic!("cannot unwind");
}
