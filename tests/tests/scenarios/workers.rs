//! Worker threads: a repository made of the main one's queue, without files, threads or a listener of its own.
// U-01, U-16, U-17, U-18, U-31, D-05, M-16, M-20

use miu_log::log_domains;
use miu_log_tests::{Place, logs, run};

use crate::{FLUSH, child};

#[log_domains(app, cache, db)]
mod other {}

#[test]
fn workers_log_into_the_main_repositorys_files() {
    let place = Place::new();
    let repo = logs::Repository::open(place.config()).unwrap();
    let queue = repo.queue();
    let threads: Vec<_> = (0..4)
        .map(|number| {
            let queue = queue.clone();
            std::thread::spawn(move || {
                let repo = logs::Repository::worker(queue);
                repo.task.info(format!("worker {number}"));
                repo.flush(FLUSH).unwrap();
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let mut messages = place.messages("task.log");
    messages.sort();
    assert_eq!(messages, ["worker 0", "worker 1", "worker 2", "worker 3"]);
}

#[test]
fn a_worker_that_ends_or_shuts_down_ends_nobody_elses_logging() {
    let place = Place::new();
    let repo = logs::Repository::open(place.config()).unwrap();
    let worker = logs::Repository::worker(repo.queue());
    worker.app.info("worker");
    let report = worker.shutdown();
    assert_eq!((report.written, report.dropped), (1, 0), "its shutdown has written what it logged");
    worker.app.info("worker again");
    drop(worker);
    repo.app.info("main");
    repo.shutdown();
    assert_eq!(place.messages("app.log"), ["worker", "worker again", "main"]);
}

#[test]
fn a_worker_opens_no_file_and_starts_no_thread() {
    let place = Place::new();
    let outcome = run(&mut child(&place, "worker-counts"));
    assert_eq!(outcome.printed(), "descriptors=0 threads=0");
    assert_eq!(place.messages("task.log").len(), 100);
}

#[test]
fn domains_that_do_not_fit_are_an_error_that_lists_both_sides() {
    let place = Place::new();
    let repo = logs::Repository::open(place.config()).unwrap();
    let error = other::Repository::try_worker(repo.queue()).unwrap_err().to_string();
    for part in ["cache missing", "the worker has app, cache, db", "the queue has app, db, redis, task"] {
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn a_worker_is_matched_by_name_and_what_does_not_fit_is_told() {
    let place = Place::new();
    let repo = logs::Repository::open(place.config()).unwrap();
    let worker = other::Repository::worker(repo.queue());
    worker.db.info("by name, not by number");
    worker.cache.info("to nowhere");
    let report = repo.shutdown();
    assert_eq!((report.dropped, repo.stats().unknown_domain), (1, 1), "what went nowhere is counted");
    assert_eq!(place.messages("db.log"), ["by name, not by number"]);
    assert!(!crate::everything(&place.logs()).contains("to nowhere"));
    let warning = &place.entries("app.log")[0];
    assert!(warning.location.contains("workers.rs"), "it points to the program: {warning:?}");
    assert!(warning.level == "WARNING" && warning.message.contains("cache missing"), "{warning:?}");
}
