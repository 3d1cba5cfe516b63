//! Tests of how often a webhook is asked, whatever it answers, by a clock that the test turns.
// F64

use std::io::BufReader;
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::super::courier::Courier;
use super::super::fallback::Fallback;
use super::super::{Backoff, Batching, Intake, Options, sides};
use super::tests::{reply, request};
use super::*;
use crate::clock::ManualTime;
use crate::level::Level;
use crate::record::RecordId;
use crate::sink::tests::entry;
use crate::sink::{CircuitState, Entry, Health, Held, Sink as _};
use crate::sync::Ordering;

/// The bodies that the service was sent, and whether it took them.
type Seen = Arc<Mutex<Vec<(String, bool)>>>;

/// A service on this machine, and a webhook's outbox before it.
struct Stage {
    intake: Intake,
    courier: Courier,
    time: Arc<ManualTime>,
    seen: Seen,
    logged: u64,
}

/// Answers all requests by what their bodies are.
fn serve(answer: impl Fn(&str) -> String + Send + 'static) -> (String, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let seen = Seen::default();
    let told = Arc::clone(&seen);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut reader = BufReader::new(stream.unwrap());
            let (_, body) = request(&mut reader);
            let answer = answer(&body);
            told.lock().unwrap().push((body, answer.starts_with("20")));
            // Who asked may have gone.
            let _ = reply(reader.get_mut(), &answer);
        }
    });
    (address, seen)
}

impl Stage {
    /// As a webhook is by default, where pauses are as long as they can be.
    fn new(
        folder: Option<&Path>,
        make: impl FnOnce(&str) -> Webhook,
        answer: impl Fn(&str) -> String + Send + 'static,
    ) -> Stage {
        let (address, seen) = serve(answer);
        let time = Arc::new(ManualTime::default());
        let clock = Clock::Manual(time.clone());
        let options = Options {
            batching: Batching {
                records: 100_000,
                most: 100_000,
                bytes: 16 << 20,
                age: Duration::from_secs(5),
                interval: Duration::from_secs(20),
            },
            backoff: Backoff { retries: 5, first: Duration::from_secs(1), longest: Duration::from_secs(60) },
            flush_wait: Duration::from_secs(60),
            timeouts: Timeouts::new(Duration::from_secs(60), Duration::from_secs(60)),
            spool: folder.map(|folder| (folder.to_owned(), 64 << 20)),
            is_durable: false,
        };
        let hook = Webhook { clock: clock.clone(), ..make(&address) };
        let domains = vec!["app".to_owned()];
        let fallback = Fallback::new(None, |_| false);
        let chance = Box::new(|| u64::MAX);
        let (intake, courier) = sides("hook", options, Box::new(hook), domains, fallback, clock, chance);
        Stage { intake, courier, time, seen, logged: 0 }
    }

    fn log(&mut self, texts: impl IntoIterator<Item = String>) {
        let mut held = Held::default();
        for text in texts {
            let id = RecordId { source: 1, sequence: self.logged };
            self.logged += 1;
            held.push(text.as_bytes(), Entry { id, ..entry(Level::Error) });
        }
        let domains = ["app".to_owned()];
        let batch = held.batch(&domains);
        let (taken, _) = self.intake.take(&batch);
        if taken < batch.len() {
            self.courier.write(&Batch { entries: &batch.entries[taken..], ..batch }).unwrap();
        }
    }

    /// Lets so much time pass, in which it works whenever it wants to.
    fn pass(&mut self, time: Duration) {
        let end = self.time.now.load(Ordering::Relaxed) + nanos(time);
        loop {
            let now = self.time.now.load(Ordering::Relaxed);
            let rest = self.courier.rest().map_or(u64::MAX, nanos);
            if now.saturating_add(rest) > end {
                self.time.now.store(end, Ordering::Relaxed);
                return;
            }
            self.time.now.store(now + rest, Ordering::Relaxed);
            self.courier.tick().unwrap();
        }
    }

    fn requests(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    fn health(&self) -> Health {
        let pending = self.intake.appender.as_ref().map_or(0, |it| it.shared().pending());
        let health = self.courier.told_health();
        Health { waiting: health.waiting + pending, ..health }
    }
}

fn errors(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|number| format!("error <{number}>\n"))
}

fn own(address: &str) -> Webhook {
    Webhook::json(format!("{address}/canary")).unwrap()
}

fn discord(address: &str) -> Webhook {
    Webhook::discord(format!("{address}/canary")).unwrap()
}

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn a_service_that_refuses_whatever_it_is_sent_gets_few_requests_and_costs_few_records() {
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::new(Some(folder.path()), own, |_| "400 Bad Request".to_owned());
    stage.log(errors(1000));
    stage.pass(MINUTE);
    assert!((1..=10).contains(&stage.requests()), "{}", stage.requests());
    stage.pass(MINUTE * 60 * 24);
    let health = stage.health();
    assert!(stage.requests() < 100, "{}", stage.requests());
    assert!((4..40).contains(&health.dead_letters), "{health:?}");
    assert!(health.failing && health.waiting == 1000 - health.dead_letters, "{health:?}");
    // Each batch for itself is no way around it.
    let mut stage = Stage::new(None, own, |_| "422 Unprocessable Content".to_owned());
    for number in 0..60 {
        stage.log([format!("error {number}\n")]);
        stage.pass(Duration::from_secs(1));
    }
    assert!((1..=10).contains(&stage.requests()), "{}", stage.requests());
}

#[test]
fn records_that_are_at_fault_themselves_let_those_behind_them_through_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::new(Some(folder.path()), own, |body| {
        let is_bad = (0..6).any(|number| body.contains(&format!("error <{number}>")));
        if is_bad { "400 Bad Request" } else { "204 No Content" }.to_owned()
    });
    stage.log(errors(10));
    stage.pass(MINUTE * 30);
    let health = stage.health();
    assert_eq!((health.dead_letters, health.waiting, health.failing), (6, 0, false));
    assert_eq!(health.remote.unwrap().delivered, 4);
}

#[test]
fn a_chat_that_is_not_there_is_asked_for_once_and_costs_no_record() {
    let folder = tempfile::tempdir().unwrap();
    let answer = "400 Bad Request\r\n\r\n{\"ok\":false,\"error_code\":400,\"description\":\"Bad Request: chat not found\"}";
    let telegram = |address: &str| Webhook::telegram_at(address, "1:abcdefgh", -100).unwrap();
    let mut stage = Stage::new(Some(folder.path()), telegram, |_| answer.to_owned());
    stage.log(errors(1000));
    stage.pass(MINUTE * 60);
    let health = stage.health();
    assert_eq!((stage.requests(), health.dead_letters, health.waiting), (1, 0, 1000));
    assert_eq!(health.remote.unwrap().circuit, CircuitState::Off);
}

#[test]
fn where_one_message_of_several_is_refused_no_record_is_told_twice() {
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::new(Some(folder.path()), discord, |body| {
        if body.contains("\\\\<25\\\\>") { "400 Bad Request" } else { "204 No Content" }.to_owned()
    });
    stage.log(errors(30));
    stage.pass(Duration::from_secs(5));
    assert_eq!((stage.requests(), stage.health().remote.unwrap().delivered), (3, 20));
    stage.pass(MINUTE * 10);
    let health = stage.health();
    assert_eq!((health.dead_letters, health.waiting, health.errors), (1, 0, 5), "{health:?}");
    let seen = stage.seen.lock().unwrap();
    let arrived: String =
        seen.iter().filter(|(_, is_taken)| *is_taken).map(|(body, _)| body.as_str()).collect();
    for number in 0..30 {
        let times = arrived.matches(&format!("\\\\<{number}\\\\>")).count();
        assert_eq!(times, usize::from(number != 25), "{number}: {arrived}");
    }
}

#[test]
fn the_parts_of_a_batch_that_was_refused_are_as_far_apart_as_batches() {
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::new(Some(folder.path()), own, |body| {
        if body.contains("<3>") { "400 Bad Request" } else { "204 No Content" }.to_owned()
    });
    stage.log(errors(4));
    stage.pass(Duration::from_secs(24));
    for requests in 1..=5 {
        assert_eq!(stage.requests(), requests);
        // Somebody wants all that waits to go.
        stage.courier.flush().unwrap();
        assert_eq!(stage.requests(), requests);
        stage.pass(Duration::from_secs(20));
    }
    let health = stage.health();
    assert_eq!((health.dead_letters, health.waiting, stage.requests()), (1, 0, 5));
}

#[test]
fn at_the_end_what_is_refused_stays_in_the_spool_for_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::new(Some(folder.path()), own, |_| "400 Bad Request".to_owned());
    stage.log(errors(1000));
    stage.courier.close(Instant::now() + MINUTE).unwrap();
    assert_eq!((stage.requests(), stage.health().waiting), (1, 1000));
}

#[test]
fn a_pause_that_a_service_announces_is_neither_an_error_nor_a_retry() {
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::new(Some(folder.path()), discord, |_| {
        "204 No Content\r\nX-RateLimit-Remaining: 0\r\nX-RateLimit-Reset-After: 30".to_owned()
    });
    stage.courier.kit.options.backoff.retries = 0;
    stage.log(errors(30));
    stage.pass(Duration::from_secs(5));
    for requests in 1..=3 {
        assert_eq!(stage.requests(), requests);
        let health = stage.health();
        assert_eq!((health.errors, health.retries, health.failing), (0, 0, false));
        assert_eq!(health.remote.unwrap().circuit, CircuitState::Closed);
        stage.pass(Duration::from_secs(30));
    }
    assert_eq!((stage.health().waiting, stage.courier.kit.report.fault()), (0, None));
    // Nor is it where the next batch comes before its time.
    stage.log(errors(1));
    stage.pass(MINUTE);
    assert_eq!((stage.requests(), stage.health().errors), (4, 0));
}
