//! Routing, and what becomes of records when sinks fail.

mod faults;

use std::sync::{Arc, Mutex};
use std::time::Duration;
use std::{fs, io};

use super::*;
use crate::codec::{Args, Value};
use crate::config::files::{self, Files, Standard};
use crate::filter::RecordFilter;
use crate::folder::Folder;
use crate::record::{Extra, LogRecord, Site};
use crate::rotate::Schedule;
use crate::rotate::naming::InUse;
use crate::sink::console::{Console, Stream};
use crate::sink::queued::Queued;
use crate::sink::{Batch, SinkError};
use crate::sync::Ordering;
use crate::template::Template;
use crate::zone::Zone;

/// Writes `domain LEVEL text` with the record's first argument; an argument that is no text is corrupt.
struct Plain(&'static str);

impl LineLayout for Plain {
    fn write(&mut self, record: &Record<'_>, out: &mut Vec<u8>) -> Result<(), Unwritten> {
        out.extend_from_slice(format!("{}{} {} ", self.0, record.domain, record.level).as_bytes());
        let Value::Str(text) = record.args.clone().next()? else { return Err(Corrupt.into()) };
        assert_ne!(text, "panic in the layout");
        if text == "error in the layout" {
            return Err(Unwritten::Failed("no".to_owned()));
        }
        out.extend_from_slice(text.as_bytes());
        out.push(b'\n');
        Ok(())
    }
}

#[derive(Clone, Copy)]
enum Mood {
    Fine,
    Retry(usize),
    Fatal(usize),
    Panic,
}

/// Keeps what it is given, and fails as it is told.
#[derive(Clone)]
struct Memory(Arc<Mutex<(String, Mood)>>);

impl Memory {
    fn new() -> Memory {
        Memory(Arc::new(Mutex::new((String::new(), Mood::Fine))))
    }

    fn mood(&self, mood: Mood) {
        self.0.lock().unwrap().1 = mood;
    }

    fn text(&self) -> String {
        self.0.lock().unwrap().0.clone()
    }
}

impl Sink for Memory {
    fn write(&mut self, batch: &Batch<'_>) -> Result<(), SinkError> {
        let mut inner = self.0.lock().unwrap();
        let (count, result) = match inner.1 {
            Mood::Fine => (batch.len(), Ok(())),
            Mood::Retry(count) => (count, Err(SinkError::retryable("not now", count))),
            Mood::Fatal(count) => (count, Err(SinkError::fatal("never", count))),
            Mood::Panic => {
                drop(inner);
                std::panic::resume_unwind(Box::new("a sink's fault"));
            }
        };
        for line in batch.iter().take(count) {
            inner.0.push_str(std::str::from_utf8(line.as_bytes()).unwrap());
        }
        result
    }
}

fn site() -> Site {
    let empty = String::new;
    Site {
        id: 0,
        file: empty(),
        line: 1,
        module: empty(),
        function: empty(),
        location: empty(),
        template: Template::default(),
        fields: vec![],
        names: vec![],
    }
}

/// The files of a repository with these options.
fn standard_slots(
    folder: &Folder,
    prefix: Option<&str>,
    stems: &[&str],
    level_files: bool,
    layout: usize,
) -> io::Result<Vec<Slot>> {
    let files = Files {
        folder: Some(folder),
        zone: Zone::Utc,
        app: "test",
        pid: 1,
        now: 0,
        prefix,
        schedule: Schedule::default(),
        mode: None,
        is_durable: false,
        in_use: InUse::default(),
        rotated: None,
    };
    let (domain_file, level_file) = (files::DOMAIN_FILE, files::LEVEL_FILE);
    let standard = Standard { domain_file, level_file, stems, domain_files: true, level_files, layout };
    let mut planned = files.standard(&standard)?;
    files::keep_apart(&mut planned).map_err(io::Error::other)?;
    files.open(planned)
}

const DOMAINS: [&str; 2] = ["app", "db"];

fn domains() -> Vec<String> {
    DOMAINS.map(str::to_owned).to_vec()
}

fn log(router: &mut Router, domain: u16, level: Level, text: &str) -> Result<(), Corrupt> {
    let mut args = vec![crate::codec::tag::STR];
    args.extend_from_slice(&(text.len() as u32).to_le_bytes());
    args.extend_from_slice(text.as_bytes());
    raw(router, domain, level, &args)
}

fn raw(router: &mut Router, domain: u16, level: Level, args: &[u8]) -> Result<(), Corrupt> {
    let site = site();
    let record = Record {
        time: 0,
        level,
        domain: DOMAINS.get(usize::from(domain)).unwrap_or(&"?"),
        process: "main",
        thread: "t",
        process_id: 1,
        thread_id: 1,
        ring: 0,
        id: crate::record::RecordId::default(),
        site: &site,
        args: Args::new(args),
        extra: Extra::NONE,
    };
    router.route(&record, domain)
}

fn slot(name: &str, sink: impl Sink + 'static, layout: usize, filter: Filter) -> Slot {
    Slot { name: name.to_owned(), sink: Box::new(sink), layout, filter, record_filter: None }
}

fn with_memories<const N: usize>(prefix: &str) -> (Router, [Memory; N]) {
    let memories = std::array::from_fn(|_| Memory::new());
    let named = |(number, memory): (usize, &Memory)| {
        slot(&format!("{prefix}{number}"), memory.clone(), 0, Filter::ALL)
    };
    let slots = memories.iter().enumerate().map(named).collect();
    (Router::new(domains(), vec![Box::new(Plain(""))], slots), memories)
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

/// C3, U-03, U-23, U-24.
#[test]
fn every_record_is_in_its_domain_file_and_its_level_file() {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::open(dir.path()).unwrap();
    let read = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
    let names = || {
        let mut names: Vec<String> = fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    let slots = standard_slots(&folder, None, &["app", "database"], true, 0).unwrap();
    let mut router = Router::new(domains(), vec![Box::new(Plain(""))], slots);
    assert_eq!(names(), ["app.log", "database.log", "debug.log", "error.log", "info.log", "warning.log"]);
    for level in [Level::Debug, Level::Info, Level::Warning, Level::Error, Level::Critical] {
        log(&mut router, 0, level, "x").unwrap();
        log(&mut router, 1, level, "y").unwrap();
    }
    assert_eq!(router.pending_records(), 20);
    assert_eq!(router.deliver(&mut |_| {}), DeliveryReport { written: 20, ..DeliveryReport::default() });
    assert_eq!(read("app.log"), "app DEBUG x\napp INFO x\napp WARNING x\napp ERROR x\napp CRITICAL x\n");
    assert_eq!(read("database.log"), "db DEBUG y\ndb INFO y\ndb WARNING y\ndb ERROR y\ndb CRITICAL y\n");
    assert_eq!(read("debug.log"), "app DEBUG x\ndb DEBUG y\n");
    assert_eq!(read("info.log"), "app INFO x\ndb INFO y\n");
    assert_eq!(read("warning.log"), "app WARNING x\ndb WARNING y\n");
    assert_eq!(read("error.log"), "app ERROR x\ndb ERROR y\napp CRITICAL x\ndb CRITICAL y\n");
    assert_eq!(names().len(), 6);
    log(&mut router, 0, Level::Success, "s").unwrap();
    log(&mut router, 0, Level::Trace, "t").unwrap();
    router.deliver(&mut |_| {});
    assert_eq!((read("success.log"), read("trace.log")), ("app SUCCESS s\n".into(), "app TRACE t\n".into()));
    for file in router.positions() {
        assert_eq!(file.len, read(&file.name).len() as u64);
    }
    assert_eq!(router.positions().len(), 8);
}

#[test]
fn without_level_files_there_are_domain_files_only() {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::open(dir.path()).unwrap();
    let slots = standard_slots(&folder, None, &["app", "db"], false, 0).unwrap();
    let names: Vec<&str> = slots.iter().map(|slot| slot.name.as_str()).collect();
    assert_eq!(names, ["app.log", "db.log"]);
}

#[test]
fn a_prefix_stands_before_every_name_and_must_be_fit() {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::open(dir.path()).unwrap();
    let slots = standard_slots(&folder, Some("api"), &["db"], true, 0).unwrap();
    let names: Vec<&str> = slots.iter().map(|slot| slot.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "api.db.log",
            "api.trace.log",
            "api.debug.log",
            "api.info.log",
            "api.success.log",
            "api.warning.log",
            "api.error.log"
        ]
    );
    for bad in ["../x", "", "A", "con"] {
        let error = standard_slots(&folder, Some(bad), &["db"], true, 0).err().unwrap().to_string();
        assert!(error.contains("a-z, 0-9"), "{error}");
        assert!(standard_slots(&folder, None, &[bad], true, 0).is_err());
    }
}

#[test]
fn a_file_that_cannot_be_opened_at_the_start_is_an_error_with_its_path() {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::open(dir.path()).unwrap();
    fs::create_dir(dir.path().join("warning.log")).unwrap();
    let error = standard_slots(&folder, None, &["app"], true, 0).err().unwrap().to_string();
    assert!(error.contains(&format!("{:?}", dir.path().join("warning.log"))), "{error}");
}

#[test]
fn each_layout_formats_for_its_own_slots() {
    let [a, b, c] = [Memory::new(), Memory::new(), Memory::new()];
    let slots = vec![
        slot("a", a.clone(), 0, Filter::ALL),
        slot("b", b.clone(), 1, Filter::ALL),
        slot("c", c.clone(), 1, Filter::domain(1)),
    ];
    let mut router = Router::new(domains(), vec![Box::new(Plain("")), Box::new(Plain("> "))], slots);
    log(&mut router, 0, Level::Info, "1").unwrap();
    log(&mut router, 1, Level::Info, "2").unwrap();
    router.deliver(&mut |_| {});
    assert_eq!(a.text(), "app INFO 1\ndb INFO 2\n");
    assert_eq!(b.text(), "> app INFO 1\n> db INFO 2\n");
    assert_eq!(c.text(), "> db INFO 2\n");
}

/// A slot that asks its filter about each record.
fn choosy(name: &str, memory: &Memory, layout: usize, filter: RecordFilter) -> Slot {
    Slot { record_filter: Some(filter), ..slot(name, memory.clone(), layout, Filter::ALL) }
}

fn judged(judge: impl Fn(&LogRecord<'_>) -> bool + Send + Sync + 'static) -> RecordFilter {
    RecordFilter { judge: Some(Arc::new(judge)), ..RecordFilter::default() }
}

#[test]
fn a_slot_with_a_record_filter_gets_what_its_filter_wants_and_others_get_all() {
    let [a, b, c, d] = std::array::from_fn(|_| Memory::new());
    let elsewhere = RecordFilter { targets: Arc::new(["shop".to_owned()]), judge: None };
    let slots = vec![
        choosy("a", &a, 0, judged(|record| record.exception() == Some("2"))),
        slot("b", b.clone(), 0, Filter::ALL),
        choosy("c", &c, 1, judged(|record| record.domain() == "app" && record.level() == Level::Info)),
        choosy("d", &d, 1, elsewhere),
    ];
    let mut router = Router::new(domains(), vec![Box::new(Plain("")), Box::new(Plain("> "))], slots);
    for text in ["1", "2", "3"] {
        log(&mut router, 0, Level::Info, text).unwrap();
        log(&mut router, 1, Level::Error, text).unwrap();
    }
    assert_eq!(router.pending_records(), 2 + 6 + 3);
    router.deliver(&mut |_| {});
    assert_eq!(a.text(), "app INFO 2\ndb ERROR 2\n");
    assert_eq!(b.text(), "app INFO 1\ndb ERROR 1\napp INFO 2\ndb ERROR 2\napp INFO 3\ndb ERROR 3\n");
    assert_eq!(c.text(), "> app INFO 1\n> app INFO 2\n> app INFO 3\n");
    assert_eq!(d.text(), "");
    assert!(router.stats(0).iter().all(|sink| sink.dropped == 0));
}

#[test]
fn a_filter_that_panics_costs_its_slot_the_record_and_is_counted() {
    let [a, b] = [Memory::new(), Memory::new()];
    let panicking = judged(|record| match record.exception() {
        Some("2") => std::panic::resume_unwind(Box::new("a filter's fault")),
        _ => true,
    });
    let slots = vec![choosy("a", &a, 0, panicking), slot("b", b.clone(), 0, Filter::ALL)];
    let mut router = Router::new(domains(), vec![Box::new(Plain(""))], slots);
    for text in ["1", "2", "3"] {
        log(&mut router, 0, Level::Info, text).unwrap();
    }
    let report = router.deliver(&mut |_| {});
    assert_eq!((report.written, report.dropped), (5, 1));
    assert_eq!(a.text(), "app INFO 1\napp INFO 3\n");
    assert_eq!(b.text(), "app INFO 1\napp INFO 2\napp INFO 3\n");
    assert_eq!(router.stats(0).iter().map(|sink| sink.dropped).collect::<Vec<_>>(), [1, 0]);
}

#[test]
fn a_corrupt_record_that_a_filter_should_see_leaves_no_trace() {
    let [a, b] = [Memory::new(), Memory::new()];
    let slots = vec![slot("a", a.clone(), 0, Filter::ALL), choosy("b", &b, 0, judged(|_| true))];
    let mut router = Router::new(domains(), vec![Box::new(Plain(""))], slots);
    assert_eq!(raw(&mut router, 0, Level::Info, &[99]), Err(Corrupt));
    log(&mut router, 0, Level::Info, "1").unwrap();
    router.deliver(&mut |_| {});
    assert_eq!((a.text(), b.text()), ("app INFO 1\n".to_owned(), "app INFO 1\n".to_owned()));
}

#[test]
fn a_corrupt_record_leaves_no_trace() {
    let (mut router, [a, b]) = with_memories("corrupt");
    log(&mut router, 0, Level::Info, "1").unwrap();
    assert_eq!(raw(&mut router, 0, Level::Info, &[99]), Err(Corrupt));
    assert_eq!(raw(&mut router, 7, Level::Info, &[]), Err(Corrupt));
    log(&mut router, 0, Level::Info, "2").unwrap();
    assert_eq!(router.pending_records(), 4);
    router.deliver(&mut |_| {});
    assert_eq!(a.text(), "app INFO 1\napp INFO 2\n");
    assert_eq!(b.text(), a.text());
}

#[test]
fn a_layout_that_panics_or_fails_costs_its_record_and_is_counted() {
    let (mut router, [a, b]) = with_memories("layout");
    log(&mut router, 0, Level::Info, "1").unwrap();
    log(&mut router, 0, Level::Info, "panic in the layout").unwrap();
    log(&mut router, 0, Level::Info, "error in the layout").unwrap();
    log(&mut router, 0, Level::Info, "2").unwrap();
    let report = router.deliver(&mut |_| {});
    assert_eq!((report.written, report.dropped), (4, 4));
    assert_eq!(a.text(), "app INFO 1\napp INFO 2\n");
    assert_eq!(b.text(), a.text());
}

#[test]
fn a_panicking_sink_is_off_for_longer_each_time_while_others_go_on() {
    let (mut router, [bad, good]) = with_memories("panicking");
    bad.mood(Mood::Panic);
    let mut now = 0;
    router.tick(now, 0, false, &mut |_| {});
    log(&mut router, 0, Level::Info, "1").unwrap();
    assert_eq!(router.deliver(&mut |_| {}), DeliveryReport { written: 1, held: 1, errors: 1, dropped: 0 });
    assert_eq!(router.stats(0)[0].state, SinkState::Disabled);
    log(&mut router, 0, Level::Info, "2").unwrap();
    // Not tried before its second is over.
    assert_eq!(
        router.deliver(&mut |_| {}),
        DeliveryReport { written: 1, held: 2, ..DeliveryReport::default() }
    );
    now += SECOND;
    router.tick(now, 0, false, &mut |_| {});
    assert_eq!(router.deliver(&mut |_| {}).errors, 1);
    now += SECOND;
    router.tick(now, 0, false, &mut |_| {});
    assert_eq!(router.deliver(&mut |_| {}).errors, 0);
    now += SECOND;
    router.tick(now, 0, false, &mut |_| {});
    // The third time, the record it panicked on first is given up.
    assert_eq!(router.deliver(&mut |_| {}), DeliveryReport { errors: 1, dropped: 1, held: 1, written: 0 });
    bad.mood(Mood::Fine);
    router.tick(now + 4 * SECOND, 0, false, &mut |_| {});
    assert_eq!(router.deliver(&mut |_| {}), DeliveryReport { written: 1, ..DeliveryReport::default() });
    assert_eq!(bad.text(), "app INFO 2\n");
    assert_eq!(good.text(), "app INFO 1\napp INFO 2\n");
    let stats = router.stats(0);
    assert_eq!(
        (stats[0].written, stats[0].dropped, stats[0].errors, stats[0].state),
        (1, 1, 3, SinkState::Working)
    );
    assert_eq!((stats[1].written, stats[1].dropped, stats[1].errors), (2, 0, 0));
}

#[test]
fn what_a_sink_did_not_take_is_offered_again_exactly_once() {
    let (mut router, [memory]) = with_memories("retry");
    memory.mood(Mood::Retry(1));
    for text in ["1", "2", "3"] {
        log(&mut router, 0, Level::Info, text).unwrap();
    }
    assert_eq!(router.deliver(&mut |_| {}), DeliveryReport { written: 1, held: 2, errors: 1, dropped: 0 });
    log(&mut router, 0, Level::Info, "4").unwrap();
    assert_eq!(router.deliver(&mut |_| {}), DeliveryReport { held: 3, ..DeliveryReport::default() });
    memory.mood(Mood::Fine);
    router.tick(SECOND, 0, false, &mut |_| {});
    assert_eq!(router.deliver(&mut |_| {}), DeliveryReport { written: 3, ..DeliveryReport::default() });
    assert_eq!(memory.text(), "app INFO 1\napp INFO 2\napp INFO 3\napp INFO 4\n");
    assert_eq!(router.stats(0)[0].retries, 1);
}

#[test]
fn a_flush_does_not_wait_for_the_pause() {
    let (mut router, [memory]) = with_memories("flush");
    memory.mood(Mood::Retry(0));
    log(&mut router, 0, Level::Info, "1").unwrap();
    router.deliver(&mut |_| {});
    assert_eq!(router.poll_flush(true, &mut |_| {}), FlushState::Failed);
    memory.mood(Mood::Fine);
    assert_eq!(router.poll_flush(true, &mut |_| {}), FlushState::Done);
    assert_eq!(memory.text(), "app INFO 1\n");
}

#[test]
fn a_fatal_error_drops_and_counts_the_rest_of_its_batch_only() {
    let (mut router, [memory]) = with_memories("fatal");
    memory.mood(Mood::Fatal(1));
    log(&mut router, 0, Level::Info, "1").unwrap();
    log(&mut router, 0, Level::Info, "2").unwrap();
    assert_eq!(router.deliver(&mut |_| {}), DeliveryReport { written: 1, dropped: 1, errors: 1, held: 0 });
    memory.mood(Mood::Fine);
    log(&mut router, 0, Level::Info, "3").unwrap();
    router.deliver(&mut |_| {});
    assert_eq!(memory.text(), "app INFO 1\napp INFO 3\n");
}

/// FAULTS 39, C10: bounded, exact, errors last.
#[test]
fn a_failing_sink_holds_a_bounded_amount_and_errors_last() {
    let (mut router, [bad, good]) = with_memories("bounded");
    bad.mood(Mood::Retry(0));
    let text = "x".repeat(1000);
    let total = 10_000;
    for number in 0..total {
        let level = if number % 100 == 0 { Level::Error } else { Level::Info };
        log(&mut router, 0, level, &text).unwrap();
        if number % 64 == 0 {
            router.deliver(&mut |_| {});
        }
    }
    router.deliver(&mut |_| {});
    let stats = router.stats(0);
    assert!(router.slots[0].held.text.len() <= HOLD_LIMIT + HOLD_RESERVE + 2000);
    assert_eq!(stats[0].held + stats[0].dropped, total);
    assert!(stats[0].dropped > 5000);
    bad.mood(Mood::Fine);
    router.tick(SECOND, 0, false, &mut |_| {});
    router.deliver(&mut |_| {});
    let kept = bad.text();
    assert_eq!(kept.lines().filter(|line| line.contains("ERROR")).count(), 100);
    assert_eq!(kept.lines().count() as u64 + router.stats(0)[0].dropped, total);
    assert_eq!(good.text().lines().count() as u64, total);
}

#[test]
fn what_is_left_at_the_end_is_counted() {
    let (mut router, [bad, good]) = with_memories("end");
    bad.mood(Mood::Retry(0));
    log(&mut router, 0, Level::Info, "1").unwrap();
    router.deliver(&mut |_| {});
    log(&mut router, 0, Level::Info, "2").unwrap();
    let report = router.shutdown(soon(), &mut |_| {});
    assert_eq!((report.dropped, report.held), (2, 0));
    assert_eq!(good.text(), "app INFO 1\napp INFO 2\n");
}

#[test]
fn a_disk_that_is_full_for_a_while_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::open(dir.path()).unwrap();
    // A folder in the way of a lazily made file stands for any error at the opening.
    fs::create_dir(dir.path().join("trace.log")).unwrap();
    let slots = standard_slots(&folder, None, &["app", "db"], true, 0).unwrap();
    let mut router = Router::new(domains(), vec![Box::new(Plain(""))], slots);
    for text in ["1", "2"] {
        log(&mut router, 0, Level::Trace, text).unwrap();
        assert!(router.deliver(&mut |_| {}).held > 0);
    }
    fs::remove_dir(dir.path().join("trace.log")).unwrap();
    assert!(router.tick(SECOND, 0, false, &mut |_| {}));
    assert!(!router.tick(2 * SECOND, 0, false, &mut |_| {}));
    assert_eq!(router.deliver(&mut |_| {}).held, 0);
    assert_eq!(fs::read_to_string(dir.path().join("trace.log")).unwrap(), "app TRACE 1\napp TRACE 2\n");
    assert_eq!(fs::read_to_string(dir.path().join("app.log")).unwrap(), "app TRACE 1\napp TRACE 2\n");
}

/// FAULTS 13 and 38: a console nobody reads does not stop the files, and the end does not wait for it.
#[test]
fn a_hung_console_stops_neither_the_files_nor_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::open(dir.path()).unwrap();
    let (_reader, writer) = io::pipe().unwrap();
    let console = Console::new(Stream::Other(writer.into()));
    let queued = Queued::with_limits("console", Box::new(console), domains(), 200_000, 0).unwrap();
    let mut slots = standard_slots(&folder, None, &["app", "db"], true, 0).unwrap();
    slots.insert(0, slot("console", queued, 0, Filter::ALL));
    let mut router = Router::new(domains(), vec![Box::new(Plain(""))], slots);
    let text = "x".repeat(100);
    for _ in 0..10_000 {
        log(&mut router, 0, Level::Info, &text).unwrap();
        if router.pending_records() > 300 {
            router.deliver(&mut |_| {});
        }
    }
    let start = Instant::now();
    let report = router.shutdown(start + Duration::from_millis(50), &mut |_| {});
    assert!(start.elapsed() < Duration::from_secs(5));
    assert!(report.dropped > 0 && report.errors > 0);
    let lines = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap().lines().count();
    assert_eq!((lines("app.log"), lines("info.log")), (10_000, 10_000));
    let console = &router.stats(0)[0];
    assert_eq!(console.written + console.dropped, 10_000);
}

/// The log folder is one fault, not one for each file.
#[test]
fn a_removed_folder_is_told_once_and_counted_for_each_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("logs");
    let folder = Folder::open(&path).unwrap();
    let slots = standard_slots(&folder, None, &["app", "db"], true, 0).unwrap();
    let mut router = Router::new(domains(), vec![Box::new(Plain(""))], slots);
    fs::remove_dir_all(&path).unwrap();
    assert!(!router.slots[0].folder_told.load(Ordering::Relaxed));
    router.tick(SECOND, 0, false, &mut |_| {});
    assert!(router.slots.iter().all(|station| !station.is_first_to_miss_the_folder()));
    // Two domain files and four level files; the others are not open yet.
    assert_eq!(router.stats(0).iter().map(|sink| sink.errors).sum::<u64>(), 6);
    // Each says at once that it fails, without a record.
    for sink in router.stats(0).iter().filter(|sink| sink.errors > 0) {
        let fault = sink.fault.as_deref().unwrap_or_default();
        assert!(sink.state == SinkState::Failing && fault.contains("removed"), "{sink:?}");
    }
    log(&mut router, 0, Level::Info, "1").unwrap();
    assert_eq!(router.deliver(&mut |_| {}), DeliveryReport { held: 2, ..DeliveryReport::default() });
    router.tick(2 * SECOND, 0, false, &mut |_| {});
    assert_eq!((router.stats(0)[0].state, router.stats(0)[0].held), (SinkState::Failing, 1));
    let [app, ..] = &router.rotate(0)[..] else { panic!("nothing can be rotated") };
    assert!(app.starts_with("app.log fails and is not rotated: ") && app.contains("removed"), "{app}");
}

#[test]
fn stats_show_the_faults_behind_a_queue() {
    let memory = Memory::new();
    memory.mood(Mood::Fatal(1));
    let queued = Queued::new("mine", Box::new(memory.clone()), domains()).unwrap();
    let slots = vec![slot("mine", queued, 0, Filter::ALL)];
    let mut router = Router::new(domains(), vec![Box::new(Plain(""))], slots);
    let flush = |router: &mut Router| {
        let mut state = router.poll_flush(true, &mut |_| {});
        while state == FlushState::Waiting {
            std::thread::yield_now();
            state = router.poll_flush(false, &mut |_| {});
        }
    };
    for text in ["1", "2", "3"] {
        log(&mut router, 0, Level::Info, text).unwrap();
    }
    // The sink's thread stands still while its memory is locked.
    let guard = memory.0.lock().unwrap();
    assert_eq!(router.deliver(&mut |_| {}).written, 3);
    let stats = router.stats(0);
    assert_eq!((stats[0].written, stats[0].held, stats[0].errors), (0, 3, 0));
    drop(guard);
    flush(&mut router);
    let expected = SinkStats {
        remote: None,
        name: "mine".to_owned(),
        written: 1,
        dropped: 2,
        held: 0,
        to_console: 0,
        to_stderr: 0,
        dead_letters: 0,
        errors: 1,
        retries: 0,
        state: SinkState::Failing,
        fault: None,
    };
    assert_eq!(router.stats(0), std::slice::from_ref(&expected));
    memory.mood(Mood::Panic);
    log(&mut router, 0, Level::Info, "panics").unwrap();
    router.deliver(&mut |_| {});
    let start = Instant::now();
    while router.stats(0)[0].state != SinkState::Disabled {
        assert!(start.elapsed() < Duration::from_secs(60), "{:?}", router.stats(0));
        std::thread::yield_now();
    }
    assert_eq!((router.stats(0)[0].held, router.stats(0)[0].dropped), (1, 2));
    memory.mood(Mood::Fine);
    log(&mut router, 0, Level::Info, "4").unwrap();
    flush(&mut router);
    let expected = SinkStats { written: 3, errors: 2, retries: 1, state: SinkState::Working, ..expected };
    assert_eq!(router.stats(0), [expected]);
}

/// A router with `app.log` and `db.log`, of which the first cannot be written: it is gone and something is in its place.
fn with_a_file_in_the_way() -> (tempfile::TempDir, Router) {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::open(dir.path()).unwrap();
    let slots = standard_slots(&folder, None, &["app", "db"], false, 0).unwrap();
    let mut router = Router::new(domains(), vec![Box::new(Plain(""))], slots);
    fs::remove_file(dir.path().join("app.log")).unwrap();
    fs::create_dir(dir.path().join("app.log")).unwrap();
    router.tick(SECOND, 0, false, &mut |_| {});
    (dir, router)
}

#[test]
fn what_waits_is_copied_once_and_taken_up_by_the_next_run() {
    let (dir, mut router) = with_a_file_in_the_way();
    let memory = tempfile::tempdir().unwrap();
    router.secure_in(memory.path().to_owned(), 1);
    let len = || fs::metadata(memory.path().join("held-1")).unwrap().len();
    let mut lengths = Vec::new();
    for text in ["1", "2"] {
        log(&mut router, 0, Level::Info, text).unwrap();
        router.deliver(&mut |_| {});
        router.secure();
        router.secure();
        lengths.push(len());
    }
    assert_eq!(lengths[1], 2 * lengths[0], "only what is new is appended");
    let marks: Vec<_> = router.held_marks().collect();
    assert_eq!((marks.len(), marks[0].name.as_str(), marks[0].len), (1, "app.log", lengths[1]));
    drop(router);

    fs::remove_dir(dir.path().join("app.log")).unwrap();
    let folder = Folder::open(dir.path()).unwrap();
    let slots = standard_slots(&folder, None, &["app", "db"], false, 0).unwrap();
    let mut router = Router::new(domains(), vec![Box::new(Plain(""))], slots);
    router.secure_in(memory.path().to_owned(), 1);
    assert_eq!(router.adopt(&marks[0], None), Some(2));
    router.secure();
    assert_eq!(router.held_marks().collect::<Vec<_>>(), marks, "it is where it was");
    log(&mut router, 0, Level::Info, "3").unwrap();
    router.deliver(&mut |_| {});
    assert_eq!(
        fs::read_to_string(dir.path().join("app.log")).unwrap(),
        "app INFO 1\napp INFO 2\napp INFO 3\n"
    );
    router.secure();
    assert_eq!(router.held_marks().count(), 0);
    assert_eq!(len(), lengths[1], "a checkpoint names it still");
    router.discard_mirrors();
    assert!(!memory.path().join("held-1").exists());
}

#[test]
fn what_cannot_be_copied_is_counted_and_waits_in_memory() {
    let (dir, mut router) = with_a_file_in_the_way();
    router.secure_in(dir.path().join("nowhere"), 1);
    let errors = router.stats(0)[0].errors;
    log(&mut router, 0, Level::Info, "1").unwrap();
    router.deliver(&mut |_| {});
    router.secure();
    router.secure();
    assert_eq!(router.held_marks().count(), 0);
    assert_eq!((router.stats(0)[0].held, router.stats(0)[0].errors), (1, errors + 1), "tried once a second");
    fs::remove_dir(dir.path().join("app.log")).unwrap();
    router.tick(3 * SECOND, 0, false, &mut |_| {});
    router.deliver(&mut |_| {});
    assert_eq!(fs::read_to_string(dir.path().join("app.log")).unwrap(), "app INFO 1\n");
}

#[test]
fn a_file_that_works_again_tells_what_it_had_to_do_without() {
    let (dir, mut router) = with_a_file_in_the_way();
    let text = "x".repeat(1 << 20);
    for level in [Level::Info, Level::Info, Level::Info, Level::Info, Level::Debug, Level::Error] {
        log(&mut router, 0, level, &text).unwrap();
        router.deliver(&mut |_| {});
    }
    assert!(router.take_untold().is_empty(), "it does not work yet");
    fs::remove_dir(dir.path().join("app.log")).unwrap();
    router.tick(3 * SECOND, 0, false, &mut |_| {});
    router.deliver(&mut |_| {});
    let [untold] = &router.take_untold()[..] else { panic!("nothing to tell") };
    assert_eq!((untold.slot, untold.domain, untold.lost), (0, 0, 0));
    assert_eq!(untold.dropped.iter().sum::<u64>(), router.stats(0)[0].dropped);
    assert!(untold.dropped[Level::Debug as usize] == 1 && untold.dropped[Level::Error as usize] == 0);
    assert!(untold.cause.contains("it is a folder"), "{}", untold.cause);
    assert!(router.take_untold().is_empty(), "it is told once");
}
