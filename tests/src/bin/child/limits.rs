//! A process that runs out of file descriptors.

use std::path::Path;
use std::time::Duration;

use miu_log::testing::ManualListener;
use miu_log::{DropReason, Retention};
use miu_log_tests::{logs, open_descriptors};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::{FLUSH, config};

/// Leaves room for this many more descriptors while the function runs.
fn with_room_for<R>(more: usize, run: impl FnOnce() -> R) -> R {
    let before = getrlimit(Resource::Nofile);
    // The lowest free numbers are taken first, and none below the number of open ones is free.
    let limit = Rlimit { current: Some((open_descriptors() + more) as u64), ..before };
    setrlimit(Resource::Nofile, limit).unwrap();
    let result = run();
    setrlimit(Resource::Nofile, before).unwrap();
    result
}

pub(crate) fn few_descriptors_at_open(folder: &str) {
    let error = with_room_for(6, || logs::Repository::open(config(folder))).unwrap_err();
    println!("{error}");
    let repo = logs::Repository::open(config(folder)).unwrap();
    repo.app.info("opened");
    println!("opened");
}

pub(crate) fn few_descriptors_later(folder: &str) {
    let repo = logs::Repository::open(config(folder)).unwrap();
    repo.app.info("main before");
    repo.flush(FLUSH).unwrap();
    let mut calls = 1;
    with_room_for(0, || {
        repo.app.info("main during");
        repo.app.success("its file could not be made at first");
        std::thread::scope(|scope| {
            scope.spawn(|| (0..10).for_each(|number| repo.db.info(format!("thread during {number}"))));
        });
        calls += 12;
        // It cannot write the one file; the others must not wait for that.
        let _ = repo.flush(FLUSH);
    });
    repo.app.info("main after");
    std::thread::scope(|scope| {
        scope.spawn(|| repo.app.info("thread after"));
    });
    calls += 2;
    repo.shutdown();
    let stats = repo.stats();
    assert_eq!(stats.dropped, stats.dropped_for(DropReason::NoMemory));
    println!("calls={calls} accepted={} dropped={} written={}", stats.accepted, stats.dropped, stats.written);
}

/// Many files are to be compressed, and none can be made for it.
pub(crate) fn few_descriptors_rotated(folder: &str) {
    std::fs::create_dir_all(folder).unwrap();
    let rotated = |number: u32| format!("{folder}/app.2026-11-19_10-00-{number:02}.log");
    (0..40).for_each(|number| std::fs::write(rotated(number), "a line\n").unwrap());
    let compressed = || (0..40).filter(|number| Path::new(&(rotated(*number) + ".gz")).exists()).count();
    let listener = ManualListener::new();
    let config = config(folder).retention(Retention::Forever).manual_listener(&listener);
    let repo = logs::Repository::open(config).unwrap();
    let minute = Duration::from_secs(61);
    with_room_for(1, || {
        for _ in 0..3 {
            listener.step();
            listener.advance(minute);
        }
    });
    println!("then={}", compressed());
    listener.advance(60 * minute);
    listener.step();
    println!("later={}", compressed());
    drop(repo);
}

/// Its level's file cannot be made, and the process is killed.
pub(crate) fn few_descriptors_killed(folder: &str) {
    let config = config(folder).sink_timeout(Duration::from_millis(50));
    let repo = logs::Repository::open(config).unwrap();
    repo.app.info("there is a ring");
    repo.flush(FLUSH).unwrap();
    with_room_for(0, || {
        let mut used_up = Vec::new();
        while let Ok(file) = std::fs::File::open("/") {
            used_up.push(file);
        }
        for number in 0..10 {
            repo.app.success(format!("number {number}"));
            assert!(repo.flush(FLUSH).is_err());
        }
        let stats = repo.stats();
        let sink = stats.sinks.iter().find(|sink| sink.name == "success.log").unwrap();
        assert_eq!((sink.held, sink.written), (10, 0));
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL).unwrap();
    });
}
