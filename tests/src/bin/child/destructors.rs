//! Logging while a thread takes its thread-locals down.

use std::cell::RefCell;

use miu_log_tests::logs;

use crate::config;

/// Logs when it is dropped.
struct Teller(logs::Repository);

impl Drop for Teller {
    fn drop(&mut self) {
        miu_log::info!(self.0.task, "in the {}", "destructor");
    }
}

thread_local! {
    static TELLER: RefCell<Option<Teller>> = const { RefCell::new(None) };
}

fn make(repo: &logs::Repository) {
    let worker = logs::Repository::worker(repo.queue());
    TELLER.with_borrow_mut(|teller| *teller = Some(Teller(worker)));
}

fn log(repo: &logs::Repository) {
    miu_log::info!(repo.task, "in the {}", "thread");
}

fn in_a_thread(folder: &str, what: fn(&logs::Repository)) {
    let repo = logs::Repository::open(config(folder)).unwrap();
    let worker = logs::Repository::worker(repo.queue());
    let thread = std::thread::spawn(move || what(&worker));
    // A panic may be the point.
    let _ = thread.join();
    repo.shutdown();
}

pub(crate) fn made_before(folder: &str) {
    in_a_thread(folder, |repo| {
        make(repo);
        log(repo);
    });
}

pub(crate) fn made_after(folder: &str) {
    in_a_thread(folder, |repo| {
        log(repo);
        make(repo);
    });
}

pub(crate) fn never_logged(folder: &str) {
    in_a_thread(folder, make);
}

/// The main thread's thread-locals go after `main` has returned, when the repository is shut down.
pub(crate) fn in_main(folder: &str) {
    let repo = logs::Repository::open(config(folder)).unwrap();
    make(&repo);
    log(&repo);
    repo.shutdown();
}

pub(crate) fn in_panic(folder: &str) {
    in_a_thread(folder, |repo| {
        let _teller = Teller(logs::Repository::worker(repo.queue()));
        log(repo);
        std::panic::resume_unwind(Box::new("unwinding"));
    });
}
