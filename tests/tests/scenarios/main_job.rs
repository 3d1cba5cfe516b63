//! The main job: many threads and tasks, four domains, four levels, and every record in its two files.
// L-01, L-02, L-34, L-36, M-45, U-01 (threads), U-02, U-03, U-23, U-24, D-04, C11

use std::collections::HashMap;
use std::sync::Arc;
use std::thread;

use miu_log::{Level, error, log};
use miu_log_tests::{Place, logs};

use crate::FLUSH;

const LEVELS: [Level; 4] = [Level::Debug, Level::Info, Level::Warning, Level::Error];

/// Number of each record, by the thread in its message `thread <t> record <n>`.
fn by_thread(messages: &[String]) -> HashMap<usize, Vec<usize>> {
    let mut numbers: HashMap<usize, Vec<usize>> = HashMap::new();
    for message in messages {
        let words: Vec<&str> = message.split(' ').collect();
        let ["thread", thread, "record", number] = words[..] else { panic!("torn or mixed: {message:?}") };
        numbers.entry(thread.parse().unwrap()).or_default().push(number.parse().unwrap());
    }
    numbers
}

#[test]
fn every_record_is_whole_and_once_in_its_two_files_in_thread_order() {
    const THREADS: usize = 4;
    const RECORDS: usize = 2_000;
    let place = Place::new();
    let repo = logs::Repository::open(place.config()).unwrap();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let repo = logs::Repository::worker(repo.queue());
            scope.spawn(move || {
                for record in 0..RECORDS {
                    // Sixteen pairs of domain and level, in turn.
                    let domain = logs::Domain::ALL[record % 4];
                    let level = LEVELS[record / 4 % 4];
                    log!(repo.domain(domain), level, "thread {thread} record {record}");
                }
            });
        }
    });
    repo.flush(FLUSH).unwrap();

    let of = |wanted: &dyn Fn(usize) -> bool| -> Vec<usize> {
        (0..RECORDS).filter(|&record| wanted(record)).collect()
    };
    for (index, domain) in logs::Domain::ALL.iter().enumerate() {
        let entries = place.entries(&format!("{domain}.log"));
        assert!(entries.iter().all(|entry| entry.domain == domain.as_str()));
        let found = by_thread(&place.messages(&format!("{domain}.log")));
        assert_eq!(found.len(), THREADS);
        assert!(found.values().all(|numbers| *numbers == of(&|record| record % 4 == index)));
    }
    for (index, level) in LEVELS.iter().enumerate() {
        let name = format!("{}.log", level.as_str().to_lowercase());
        assert!(place.entries(&name).iter().all(|entry| entry.level == level.as_str()));
        let found = by_thread(&place.messages(&name));
        assert_eq!(found.len(), THREADS);
        assert!(found.values().all(|numbers| *numbers == of(&|record| record / 4 % 4 == index)));
    }
    let stats = repo.stats();
    assert_eq!((stats.accepted, stats.written), ((THREADS * RECORDS) as u64, (THREADS * RECORDS) as u64));
    assert_eq!((stats.dropped, stats.pending, stats.corrupt, stats.abandoned), (0, 0, 0, 0));
}

#[test]
fn both_files_hold_the_same_line() {
    let place = Place::new();
    let repo = logs::Repository::open(place.config()).unwrap();
    error!(repo.db, rows = 3, "connection {} failed", 7);
    repo.shutdown();
    assert_eq!(place.text("db.log"), place.text("error.log"));
    let entry = &place.entries("db.log")[0];
    assert_eq!(entry.message, "connection 7 failed | rows=3");
    assert!(
        entry.location.contains("main_job") && entry.location.contains("both_files_hold_the_same_line"),
        "{entry:?}"
    );
}

#[test]
fn five_threads_log_ten_records_each() {
    let place = Place::new();
    let repo = logs::Repository::open(place.config()).unwrap();
    let threads: Vec<_> = (0..5)
        .map(|thread| {
            let repo = logs::Repository::worker(repo.queue());
            let builder = thread::Builder::new().name(format!("worker-{thread}"));
            let log =
                move || (0..10).for_each(|record| repo.app.info(format!("thread {thread} record {record}")));
            builder.spawn(log).unwrap()
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    repo.flush(FLUSH).unwrap();
    let found = by_thread(&place.messages("app.log"));
    assert_eq!(found.len(), 5);
    assert!(found.values().all(|numbers| *numbers == Vec::from_iter(0..10)));
    for entry in place.entries("app.log") {
        let thread = entry.message.split(' ').nth(1).unwrap();
        assert_eq!(entry.thread, format!("main/worker-{thread}"));
    }
}

/// Five tasks log ten records each, giving way to the others after each.
async fn five_tasks(repo: Arc<logs::Repository>) {
    let tasks: Vec<_> = (0..5)
        .map(|task| {
            let repo = repo.clone();
            tokio::spawn(async move {
                for record in 0..10 {
                    miu_log::info!(repo.task, "thread {task} record {record}");
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

fn tasks_lose_nothing(runtime: tokio::runtime::Runtime) {
    let place = Place::new();
    let repo = Arc::new(logs::Repository::open(place.config()).unwrap());
    runtime.block_on(five_tasks(repo.clone()));
    repo.flush(FLUSH).unwrap();
    let found = by_thread(&place.messages("task.log"));
    assert_eq!(found.len(), 5);
    // A task may move between threads: its records are complete, and each thread's are in order.
    for numbers in found.into_values() {
        assert_eq!(numbers, Vec::from_iter(0..10));
    }
}

#[test]
fn tasks_on_one_thread_lose_nothing() {
    tasks_lose_nothing(tokio::runtime::Builder::new_current_thread().build().unwrap());
}

#[test]
fn tasks_on_several_threads_lose_nothing() {
    tasks_lose_nothing(tokio::runtime::Builder::new_multi_thread().worker_threads(4).build().unwrap());
}

#[test]
fn a_burst_of_one_thread_is_complete() {
    let place = Place::new();
    let repo = logs::Repository::open(place.config().level_files(false)).unwrap();
    for record in 0..20_000 {
        miu_log::info!(repo.app, "thread 0 record {record}");
    }
    repo.shutdown();
    assert_eq!(by_thread(&place.messages("app.log"))[&0], Vec::from_iter(0..20_000));
}
