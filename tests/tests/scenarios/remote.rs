//! A remote sink: an outage loses nothing, also not over the death of the process; what is delivered twice has the same id.
// P-41, P-51, P-53, F19, F64, F68

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use miu_log::{
    Batch, Deliver, DeliverError, DropReason, Level, QueueHandle, Remote, SinkState, Timeouts, Webhook,
};
use miu_log_tests::{Outcome, Place, logs, run, wait_until};

use crate::{FLUSH, child};

fn destination(place: &Place) -> PathBuf {
    place.root().join("destination")
}

/// The child with a destination of this mood logs these numbers.
fn log(place: &Place, mood: &str, numbers: std::ops::Range<u32>, end: &str) -> Outcome {
    let path = destination(place);
    let mut command = child(place, "remote");
    command.arg(path).arg(mood).args([numbers.start.to_string(), numbers.end.to_string(), end.to_owned()]);
    run(&mut command)
}

/// What the destination has got, as ids and numbers; only what the program has logged itself.
fn arrived(place: &Place) -> Vec<(String, u32)> {
    let text = std::fs::read_to_string(destination(place)).unwrap();
    assert!(!text.contains("from within the delivery"), "{text}");
    let of_program = text.lines().filter_map(|line| line.split_once(" n "));
    of_program.map(|(id, number)| (id.to_owned(), number.parse().unwrap())).collect()
}

/// The same without those whose id was there before.
fn arrived_once(place: &Place) -> Vec<u32> {
    let mut seen = HashMap::new();
    let mut numbers = Vec::new();
    for (id, number) in arrived(place) {
        match seen.insert(id, number) {
            None => numbers.push(number),
            Some(before) => assert_eq!(before, number, "one id, two records"),
        }
    }
    numbers
}

#[test]
fn an_outage_with_a_kill_and_a_restart_in_it_loses_nothing_and_keeps_the_order() {
    let place = Place::new();
    let killed = log(&place, "down", 0..2_000, "killed");
    assert_eq!(killed.status.signal(), Some(9), "{killed:?}");
    assert!(killed.stdout.contains("held=2000 dropped=0 written=0"), "{killed:?}");
    let ended = log(&place, "down", 2_000..2_100, "ends");
    ended.printed();
    assert!(ended.stderr.contains("records are not delivered; they are in its spool"), "{ended:?}");
    assert!(arrived(&place).is_empty());
    let up = log(&place, "up", 2_100..2_200, "ends");
    assert_eq!((up.number("held"), up.number("dropped")), (0, 0), "{up:?}");
    let numbers: Vec<u32> = arrived(&place).into_iter().map(|(_, number)| number).collect();
    assert_eq!(numbers, (0..2_200).collect::<Vec<_>>());
    assert_eq!(arrived_once(&place), numbers);
    let spool = place.logs().join(".outbox/far");
    let left: Vec<String> =
        miu_log_tests::names(&spool).into_iter().filter(|name| name.ends_with(".spool")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_forked_child_that_lives_on_does_not_keep_the_spool() {
    let place = Place::new();
    let killed = log(&place, "down", 0..20, "leaves-a-child");
    assert_eq!(killed.status.signal(), Some(9), "{killed:?}");
    let up = log(&place, "up", 20..30, "ends");
    assert_eq!((up.number("held"), up.number("dropped")), (0, 0), "{up:?}");
    assert!(!up.stderr.contains("cannot be opened"), "{up:?}");
    assert_eq!(arrived_once(&place), (0..30).collect::<Vec<_>>());
    std::fs::remove_file(destination(&place)).unwrap();
}

#[test]
fn what_waits_for_a_sink_that_is_gone_is_told_and_kept() {
    let place = Place::new();
    log(&place, "down", 0..5, "ends").printed();
    let mut command = child(&place, "remote");
    command.env("REMOTE_NAME", "near").arg(destination(&place)).args(["up", "5", "6", "ends"]);
    let renamed = run(&mut command);
    let told = renamed.stderr.lines().filter(|line| line.contains("no sink has this name")).count();
    assert!(told == 1 && renamed.stderr.contains(".outbox/far\""), "{renamed:?}");
    let up = log(&place, "up", 6..7, "ends");
    assert!(!up.stderr.contains("no sink has this name"), "{up:?}");
    assert_eq!(arrived_once(&place), [5, 0, 1, 2, 3, 4, 6]);
}

#[test]
fn programs_that_share_a_log_folder_keep_what_waits_apart() {
    let place = Place::new();
    let open = |app: &str, far: Remote| {
        logs::Repository::open(place.config().isolated(true).app(app).sink(far)).unwrap()
    };
    let down = Remote::new("far", Slow { failures: Arc::new(Mutex::new(u32::MAX)), ..Slow::default() });
    let alpha = open("alpha", down.first_pause(Duration::from_secs(3600)));
    alpha.app.info("of alpha");
    alpha.flush(FLUSH).unwrap();
    // While the one runs, and when it has ended.
    for text in ["of beta", "of beta again"] {
        let up = Slow::default();
        let beta = open("beta", Remote::new("far", up.clone()));
        beta.app.info(text);
        beta.shutdown();
        let lines = up.lines.lock().unwrap();
        assert!(lines.len() == 1 && lines[0].contains(text), "{lines:?}");
        alpha.shutdown();
    }
    let up = Slow::default();
    open("alpha", Remote::new("far", up.clone())).shutdown();
    assert!(up.lines.lock().unwrap().iter().any(|line| line.contains("of alpha")), "{up:?}");
    assert_eq!(miu_log_tests::names(&place.log(".outbox")), ["alpha@far", "beta@far"]);
}

#[test]
fn a_program_that_starts_anew_in_the_same_process_gives_no_id_a_second_time() {
    let place = Place::new();
    let mut ids = std::collections::HashSet::new();
    for _ in 0..3 {
        let far = Ids::default();
        let repo = logs::Repository::open(place.config().sink(Remote::new("far", far.clone()))).unwrap();
        for number in 0..10 {
            repo.app.info(format!("n {number}"));
        }
        repo.flush(FLUSH).unwrap();
        repo.shutdown();
        for id in far.0.lock().unwrap().drain(..) {
            assert!(ids.insert(id), "{id} was given before");
        }
    }
    assert_eq!(ids.len(), 30);
}

/// Keeps the ids of what it gets.
#[derive(Clone, Default)]
struct Ids(Arc<Mutex<Vec<miu_log::RecordId>>>);

impl Deliver for Ids {
    fn deliver(&mut self, batch: &Batch<'_>, _timeouts: Timeouts) -> Result<(), DeliverError> {
        self.0.lock().unwrap().extend(batch.iter().map(|line| line.id()));
        Ok(())
    }
}

#[test]
fn what_arrived_before_the_answer_got_lost_comes_again_with_the_same_id() {
    let place = Place::new();
    let killed = log(&place, "deadly", 0..50, "ends");
    assert_eq!(killed.status.signal(), Some(9), "{killed:?}");
    let before = arrived(&place);
    assert!(!before.is_empty());
    log(&place, "up", 50..60, "ends").printed();
    let after = arrived(&place);
    assert!(after.len() >= 60 + before.len(), "{} {}", after.len(), before.len());
    assert_eq!(arrived_once(&place), (0..60).collect::<Vec<_>>());
}

/// The numbers in the log file, in order.
fn in_file(place: &Place) -> Vec<u32> {
    let text = std::fs::read_to_string(place.logs().join("app.log")).unwrap();
    let number = |line: &str| line.rsplit_once("| n ").map(|(_, number)| number.parse().unwrap());
    text.lines().filter_map(number).collect()
}

// F68
#[test]
fn what_a_destination_that_hangs_was_not_given_is_in_its_spool_also_when_the_process_is_killed() {
    let place = Place::new();
    // Its thread is in the first request all the time.
    let killed = log(&place, "hanging", 0..150_000, "killed");
    assert_eq!(killed.status.signal(), Some(9), "{killed:?}");
    let ended = log(&place, "hanging", 150_000..150_010, "ends");
    assert!(ended.status.success(), "{ended:?}");
    // The rings are full for longer than a call waits, at times, and a line tells how many were dropped.
    let logged = std::fs::read_to_string(place.logs().join("app.log")).unwrap().lines().count();
    assert!(logged > 50_000, "{logged}");
    let left = format!("{logged} records are not delivered; they are in its spool");
    assert!(ended.stderr.contains(&left) && !ended.stderr.contains("could not close"), "{left} {ended:?}");
    let up = log(&place, "up", 150_010..150_020, "ends");
    assert_eq!((up.number("held"), up.number("dropped")), (0, 0), "{up:?}");
    let numbers: Vec<u32> = arrived(&place).into_iter().map(|(_, number)| number).collect();
    assert!(
        numbers == in_file(&place),
        "{} arrived, {} are in the file",
        numbers.len(),
        in_file(&place).len()
    );
}

/// Takes what it gets, but for the first few times.
#[derive(Clone, Debug, Default)]
struct Slow {
    failures: Arc<Mutex<u32>>,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Deliver for Slow {
    fn deliver(&mut self, batch: &Batch<'_>, timeouts: Timeouts) -> Result<(), DeliverError> {
        assert!(timeouts.connect <= Duration::from_secs(10));
        let mut failures = self.failures.lock().unwrap();
        if *failures > 0 {
            *failures -= 1;
            return Err(DeliverError::retry_after("not yet", Duration::from_millis(1)));
        }
        let lines = batch.iter().map(|line| String::from_utf8(line.as_bytes().to_vec()).unwrap());
        self.lines.lock().unwrap().extend(lines);
        Ok(())
    }
}

#[test]
fn a_batch_that_is_full_is_delivered_by_itself_and_retried_until_it_arrives() {
    let place = Place::new();
    let slow = Slow { failures: Arc::new(Mutex::new(3)), ..Slow::default() };
    let far = Remote::new("far", slow.clone())
        .batch_records(10)
        .batch_age(Duration::from_secs(3600))
        .first_pause(Duration::from_millis(1))
        .min_level(Level::Error);
    let repo = logs::Repository::open(place.config().sink(far)).unwrap();
    for number in 0..10 {
        repo.app.error(format!("error {number}"));
        repo.app.info("not for it");
    }
    wait_until("the batch has arrived", || slow.lines.lock().unwrap().len() == 10);
    repo.flush(FLUSH).unwrap();
    let stats = repo.stats();
    let sink = stats.sinks.iter().find(|sink| sink.name == "far").unwrap();
    assert_eq!(
        (sink.written, sink.retries, sink.errors, sink.state),
        (10, 3, 3, SinkState::Working),
        "{sink:?}"
    );
    repo.shutdown();
    let lines = slow.lines.lock().unwrap();
    assert!(lines.iter().enumerate().all(|(at, line)| line.ends_with(&format!("error {at}\n"))), "{lines:?}");
}

/// Logs through the library with each batch.
struct Talkative {
    queue: Arc<OnceLock<QueueHandle>>,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Deliver for Talkative {
    fn deliver(&mut self, batch: &Batch<'_>, _timeouts: Timeouts) -> Result<(), DeliverError> {
        if let Some(queue) = self.queue.get() {
            logs::Repository::worker(queue.clone()).app.error("from within");
        }
        let lines = batch.iter().map(|line| String::from_utf8(line.as_bytes().to_vec()).unwrap());
        self.lines.lock().unwrap().extend(lines);
        Ok(())
    }
}

// F19
#[test]
fn what_a_deliverer_logs_is_counted_and_brings_no_further_batch() {
    let place = Place::new();
    let (queue, lines): (Arc<OnceLock<QueueHandle>>, Arc<Mutex<Vec<String>>>) = Default::default();
    let talkative = Talkative { queue: Arc::clone(&queue), lines: Arc::clone(&lines) };
    let far = Remote::new("far", talkative).batch_age(Duration::ZERO);
    let repo = logs::Repository::open(place.config().sink(far)).unwrap();
    queue.set(repo.queue()).unwrap();
    for number in 1..=5 {
        repo.app.error(format!("record {number}"));
        wait_until("the batch has arrived", || lines.lock().unwrap().len() == number);
    }
    repo.flush(FLUSH).unwrap();
    let stats = repo.stats();
    assert_eq!((stats.accepted, stats.dropped), (5, 0));
    assert_eq!(stats.dropped_for(DropReason::OwnThread), 5);
    repo.shutdown();
    assert_eq!(lines.lock().unwrap().len(), 5);
    assert!(!std::fs::read_to_string(place.logs().join("app.log")).unwrap().contains("from within"));
}

#[test]
fn two_sinks_of_one_name_or_a_name_that_is_no_folder_s_are_refused() {
    let place = Place::new();
    let far = || Remote::new("far", Slow::default());
    let open = |config| logs::Repository::open(config).map(drop).unwrap_err().to_string();
    let text = open(place.config().sink(far()).sink(far()));
    assert!(text.contains("the sink \"far\": another sink has this name"), "{text}");
    let text = open(place.config().sink(Remote::new("a/b", Slow::default())));
    assert!(text.contains("its name is that of a folder"), "{text}");
}

#[test]
fn a_record_that_is_refused_where_there_is_no_spool_is_shown_and_the_reason_is_true() {
    let outcome = log(&Place::new(), "refusing", 0..1, "ends");
    outcome.printed();
    let expected = "the destination wants nothing of it; the record cannot be put among its dead letters: without a spool there is no file for it; it goes to the console";
    assert!(outcome.stderr.contains(expected) && !outcome.stderr.contains("no log folder"), "{outcome:?}");
}

/// A server that answers each request with this; how many bytes of each body there were, and which.
fn server(answer: &'static str) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/canary", listener.local_addr().unwrap());
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&bodies);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut reader = BufReader::new(stream.unwrap());
            let mut length = 0;
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if let Some(rest) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
                    length = rest.trim().parse().unwrap();
                }
                if line.trim().is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            seen.lock().unwrap().push(String::from_utf8(body).unwrap());
            let _ = write!(
                reader.get_mut(),
                "HTTP/1.1 {answer}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            );
        }
    });
    (address, bodies)
}

// F19, F64
#[test]
fn a_burst_of_errors_is_one_message_with_their_number_and_the_client_s_own_records_make_no_more() {
    let place = Place::new();
    let (address, bodies) = server("204 No Content");
    let alerts = Remote::webhook("alerts", Webhook::discord(address).unwrap())
        .batch_age(Duration::from_secs(3600))
        .batch_records(1000);
    let repo = logs::Repository::open(place.config().level(Level::Trace).sink(alerts)).unwrap();
    for _ in 0..999 {
        repo.db.error("connection lost");
        repo.db.info("not for it");
    }
    repo.app.critical("@everyone run");
    wait_until("the batch has arrived", || !bodies.lock().unwrap().is_empty());
    repo.flush(FLUSH).unwrap();
    repo.shutdown();
    let bodies = bodies.lock().unwrap();
    let [body] = &bodies[..] else { panic!("{bodies:?}") };
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["allowed_mentions"], serde_json::json!({"parse": []}));
    let texts: Vec<&str> =
        body["embeds"].as_array().unwrap().iter().map(|it| it["description"].as_str().unwrap()).collect();
    assert_eq!(texts, ["ERROR db\\: connection lost (×999)", "CRITICAL app\\: \\@everyone run"]);
}

// F64
#[test]
fn a_webhook_that_has_asked_for_a_pause_is_not_asked_by_the_next_start_within_it() {
    let place = Place::new();
    let (address, bodies) = server("429 Too Many Requests\r\nRetry-After: 600");
    for start in 1..=2 {
        let alerts = Remote::webhook("alerts", Webhook::json(&*address).unwrap()).batch_age(Duration::ZERO);
        let repo = logs::Repository::open(place.config().sink(alerts)).unwrap();
        repo.app.error(format!("error {start}"));
        repo.flush(FLUSH).unwrap();
        let stats = repo.stats();
        let sink = stats.sinks.iter().find(|sink| sink.name == "alerts").unwrap();
        let fault = sink.fault.as_deref().unwrap_or_default();
        let expected = if start == 1 { "answers 429" } else { "it has asked for a pause, of which " };
        assert!(fault.contains(expected), "{fault}");
        assert_eq!((sink.held, sink.state), (start, SinkState::Failing), "{sink:?}");
        repo.shutdown();
        assert_eq!(bodies.lock().unwrap().len(), 1);
    }
}

// F61, F64
#[test]
fn a_webhook_that_is_gone_is_asked_once_and_told_once_without_its_address() {
    let place = Place::new();
    let (address, bodies) = server("404 Not Found");
    let alerts = Remote::webhook("alerts", Webhook::json(address).unwrap()).batch_age(Duration::ZERO);
    let repo = logs::Repository::open(place.config().sink(alerts)).unwrap();
    for number in 0..10 {
        repo.app.error(format!("error {number}"));
        repo.flush(FLUSH).unwrap();
    }
    let stats = repo.stats();
    let sink = stats.sinks.iter().find(|sink| sink.name == "alerts").unwrap();
    assert_eq!((sink.held, sink.errors, sink.state), (10, 1, SinkState::Failing), "{sink:?}");
    assert_eq!(bodies.lock().unwrap().len(), 1);
    assert!(!format!("{stats:?} {repo:?}").contains("canary"));
    repo.shutdown();
    assert_eq!(bodies.lock().unwrap().len(), 1);
    assert!(!crate::everything(&place.logs()).contains("canary"));
}

#[test]
fn a_record_that_is_read_again_from_its_ring_after_a_crash_has_the_same_id() {
    // Whether the sink's thread is quicker than the kill is a matter of chance, so there are rounds until it has been.
    let (mut again, mut rounds) = (0, 0);
    while rounds < 16 || again == 0 {
        rounds += 1;
        assert!(rounds < 500, "in no round had a record that was read again been in the spool");
        let arrival = rounds % 40;
        let place = Place::new();
        let step = ["delivered", "checkpoint-half"][arrival % 2];
        let mut command = child(&place, "remote");
        command.env("MIU_LOG_FAILPOINT", format!("{step}:{}", 1 + arrival / 8));
        command.arg(destination(&place)).args(["down", "0", "3000", "killed"]);
        let killed = run(&mut command);
        assert_eq!(killed.status.signal(), Some(9), "{killed:?}");
        log(&place, "up", 3_000..3_001, "ends").printed();
        let mut numbers = arrived_once(&place);
        again += arrived(&place).len() - numbers.len();
        numbers.sort_unstable();
        // Not one is missing that the log file has, wherever the kill was.
        assert_eq!(numbers, in_file(&place), "{step}");
    }
}
