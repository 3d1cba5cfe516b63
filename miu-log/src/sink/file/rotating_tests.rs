//! Rotation of real files, by times that the records have.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use super::super::tests::entry;
use super::super::{Entry, Held, Sink};
use super::tests::plan;
use super::*;
use crate::level::Level;
use crate::rotate::Rotation;
use crate::rotate::naming::{Keys, Naming};
use crate::sync::{AtomicU64, Ordering};
use crate::zone::Zone;

const SECOND: i64 = 1_000_000_000;
const HOUR: i64 = 3_600 * SECOND;
/// 2026-11-20 00:00 UTC.
const DAY: i64 = 1_795_132_800 * SECOND;

struct Bench {
    dir: tempfile::TempDir,
    folder: Folder,
    plan: Plan,
}

impl Bench {
    fn new(name: &str, rotation: impl Into<Rotation>) -> Bench {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        let mut plan = plan(name);
        plan.schedule = rotation.into().schedule().unwrap();
        Bench { dir, folder, plan }
    }

    fn with_zone(mut self, name: &str, zone: Zone) -> Bench {
        self.plan.naming = Naming::new(name, Keys::default(), &zone).unwrap();
        self.plan.zone = zone;
        self
    }

    fn sink(&self) -> FileSink {
        FileSink::open(&self.folder, self.plan.clone()).unwrap()
    }

    /// All files with their texts; links and hidden files are left out.
    fn files(&self) -> Vec<(String, String)> {
        let mut files: Vec<(String, String)> = fs::read_dir(self.dir.path())
            .unwrap()
            .map(Result::unwrap)
            .filter(|entry| entry.file_type().unwrap().is_file())
            .map(|entry| {
                (entry.file_name().into_string().unwrap(), fs::read_to_string(entry.path()).unwrap())
            })
            .collect();
        files.sort();
        files
    }

    fn names(&self) -> Vec<String> {
        self.files().into_iter().map(|(name, _)| name).collect()
    }
}

/// Lines with their times.
fn lines(lines: &[(i64, &str)]) -> Held {
    let mut held = Held::default();
    for (time, text) in lines {
        held.push(text.as_bytes(), Entry { time: *time, ..entry(Level::Info) });
    }
    held
}

/// Delivers all, in rounds as the router does. How many there were.
fn deliver(sink: &mut FileSink, text: &[(i64, &str)]) -> usize {
    let mut held = lines(text);
    let mut rounds = 0;
    while !held.entries.is_empty() {
        rounds += 1;
        let batch = held.batch(&[]);
        sink.prepare(&batch).unwrap();
        let count = sink.quota(&batch);
        sink.write(&Batch { entries: &batch.entries[..count], ..batch }).unwrap();
        held.discard(count);
    }
    rounds
}

fn pairs(files: &[(String, String)]) -> Vec<(&str, &str)> {
    files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect()
}

#[test]
fn a_file_never_grows_past_its_size_but_by_one_record_that_is_larger() {
    let bench = Bench::new("app.log", Rotation::Size(10));
    let mut sink = bench.sink();
    assert_eq!(
        deliver(&mut sink, &[(DAY, "1234\n"), (DAY + SECOND, "5678\n"), (DAY + 2 * SECOND, "9\n")]),
        2
    );
    assert_eq!(pairs(&bench.files()), [("app.2026-11-20_00-00-01.log", "1234\n5678\n"), ("app.log", "9\n")]);
    deliver(&mut sink, &[(DAY + 3 * SECOND, "longer than ten\n"), (DAY + 3 * SECOND, "x\n")]);
    assert_eq!(
        pairs(&bench.files())[1..],
        [
            ("app.2026-11-20_00-00-02.log", "9\n"),
            ("app.2026-11-20_00-00-03.log", "longer than ten\n"),
            ("app.log", "x\n"),
        ]
    );
}

#[test]
fn rotated_files_of_one_second_are_numbered_behind_those_there_are() {
    let bench = Bench::new("app.log", Rotation::Size(1));
    let mut sink = bench.sink();
    deliver(&mut sink, &[(DAY, "a\n"), (DAY, "b\n"), (DAY, "c\n"), (DAY, "d\n")]);
    assert_eq!(
        bench.names(),
        [
            "app.2026-11-20_00-00-00.1.log",
            "app.2026-11-20_00-00-00.2.log",
            "app.2026-11-20_00-00-00.log",
            "app.log"
        ]
    );
    // The oldest are deleted, one is compressed: the next number is a higher one still.
    fs::remove_file(bench.dir.path().join("app.2026-11-20_00-00-00.log")).unwrap();
    let compressed = |name| bench.dir.path().join(name);
    fs::rename(compressed("app.2026-11-20_00-00-00.2.log"), compressed("app.2026-11-20_00-00-00.2.log.gz"))
        .unwrap();
    deliver(&mut sink, &[(DAY, "e\n")]);
    assert!(bench.names().contains(&"app.2026-11-20_00-00-00.3.log".to_owned()), "{:?}", bench.names());
}

#[test]
fn names_are_in_the_order_of_writing_though_records_are_not_in_that_of_time() {
    let bench = Bench::new("app.log", Rotation::Size(2));
    let mut sink = bench.sink();
    deliver(
        &mut sink,
        &[
            (DAY + HOUR, "a\n"),
            (DAY, "b\n"),
            (DAY + 2 * SECOND, "c\n"),
            (DAY + 2 * HOUR, "d\n"),
            (0, "e\n"),
            (DAY, "f\n"),
        ],
    );
    assert_eq!(
        pairs(&bench.files()),
        [
            ("app.1970-01-01_00-00-00.log", "e\n"),
            ("app.2026-11-20_01-00-00.1.log", "b\n"),
            ("app.2026-11-20_01-00-00.2.log", "c\n"),
            ("app.2026-11-20_01-00-00.log", "a\n"),
            ("app.2026-11-20_02-00-00.log", "d\n"),
            ("app.log", "f\n"),
        ]
    );
}

#[test]
fn a_day_ends_with_its_last_record_and_not_with_the_batch() {
    let bench = Bench::new("app.log", "daily");
    let mut sink = bench.sink();
    let batch = [
        (DAY - 2 * SECOND, "a\n"),
        (DAY - 1, "b\n"),
        (DAY, "c\n"),
        (DAY + HOUR, "d\n"),
        (DAY + 24 * HOUR, "e\n"),
    ];
    assert_eq!(deliver(&mut sink, &batch), 3);
    assert_eq!(
        pairs(&bench.files()),
        [
            ("app.2026-11-19_23-59-59.log", "a\nb\n"),
            ("app.2026-11-20_01-00-00.log", "c\nd\n"),
            ("app.log", "e\n")
        ]
    );
}

#[test]
fn a_dated_file_keeps_its_name_and_a_link_leads_to_the_current_one() {
    let bench = Bench::new(
        "app_{time:YYYY-MM-DD}.log",
        Rotation::AnyOf([Rotation::DailyAt("00:00"), Rotation::Size(4)]),
    );
    let mut sink = bench.sink();
    assert!(bench.files().is_empty(), "it comes with its first record");
    deliver(
        &mut sink,
        &[(DAY - 1, "a\n"), (DAY, "b\n"), (DAY, "c\n"), (DAY, "d\n"), (DAY, "e\n"), (DAY, "f\n")],
    );
    assert_eq!(
        pairs(&bench.files()),
        [
            ("app_2026-11-19.log", "a\n"),
            ("app_2026-11-20.1.log", "b\nc\n"),
            ("app_2026-11-20.2.log", "d\ne\n"),
            ("app_2026-11-20.log", "f\n"),
        ]
    );
    assert_eq!(fs::read_link(bench.dir.path().join("app.log")).unwrap().to_str(), Some("app_2026-11-20.log"));
    deliver(&mut sink, &[(DAY + 24 * HOUR, "g\n")]);
    assert_eq!(fs::read_link(bench.dir.path().join("app.log")).unwrap().to_str(), Some("app_2026-11-21.log"));
}

#[test]
fn a_file_that_has_the_links_name_is_left_alone() {
    let bench = Bench::new("app_{time:YYYY}.log", Rotation::Never);
    fs::write(bench.dir.path().join("app.log"), "somebody's\n").unwrap();
    deliver(&mut bench.sink(), &[(DAY, "a\n")]);
    assert_eq!(pairs(&bench.files()), [("app.log", "somebody's\n"), ("app_2026.log", "a\n")]);
}

#[test]
fn a_month_in_the_name_is_one_file() {
    let bench = Bench::new("app_{time:YYYY-MM}.log", Rotation::Never);
    let mut sink = bench.sink();
    deliver(
        &mut sink,
        &[(DAY, "a\n"), (DAY + 30 * HOUR, "b\n"), (DAY + 60 * HOUR, "c\n"), (DAY + 300 * HOUR, "d\n")],
    );
    assert_eq!(pairs(&bench.files()), [("app_2026-11.log", "a\nb\nc\n"), ("app_2026-12.log", "d\n")]);
}

#[test]
fn an_hour_that_comes_twice_makes_two_files() {
    // 2026-10-25 in Berlin: 02:00 to 03:00 comes twice, from 00:00 and from 01:00 UTC.
    let berlin = Zone::bundled("Europe/Berlin");
    let first = 1_792_886_400 * SECOND;
    let bench =
        Bench::new("x.log", Rotation::Never).with_zone("app_{time:YYYY-MM-DD_HH}.log", berlin.clone());
    let mut sink = bench.sink();
    deliver(
        &mut sink,
        &[(first - 1, "1\n"), (first, "2a\n"), (first + HOUR, "2b\n"), (first + 2 * HOUR, "3\n")],
    );
    assert_eq!(
        pairs(&bench.files()),
        [
            ("app_2026-10-25_01.log", "1\n"),
            ("app_2026-10-25_02.1.log", "2a\n"),
            ("app_2026-10-25_02.log", "2b\n"),
            ("app_2026-10-25_03.log", "3\n"),
        ]
    );
    let bench = Bench::new("x.log", Rotation::Hourly).with_zone("app.log", berlin);
    let mut sink = bench.sink();
    let half = HOUR / 2;
    deliver(
        &mut sink,
        &[(first + half, "a\n"), (first + HOUR + half, "b\n"), (first + 2 * HOUR + half, "c\n")],
    );
    assert_eq!(
        pairs(&bench.files()),
        [
            ("app.2026-10-25_02-30-00.1.log", "b\n"),
            ("app.2026-10-25_02-30-00.log", "a\n"),
            ("app.log", "c\n")
        ]
    );
}

#[test]
fn long_and_short_days_are_rotated_once() {
    let berlin = Zone::bundled("Europe/Berlin");
    // Midnight in Berlin before the change, and how long that day is.
    for (midnight, hours) in [(1_774_738_800, 23), (1_792_879_200, 25)] {
        let midnight = midnight * SECOND;
        let bench = Bench::new("app.log", "00:00").with_zone("app.log", berlin.clone());
        let mut sink = bench.sink();
        for hour in -1..=hours {
            deliver(&mut sink, &[(midnight + hour * HOUR, "x\n")]);
        }
        let texts: Vec<usize> = bench.files().iter().map(|(_, text)| text.lines().count()).collect();
        assert_eq!(texts, [1, hours as usize, 1]);
    }
}

#[test]
fn a_file_without_new_records_is_rotated_a_little_after_its_time() {
    let bench = Bench::new("app.log", "daily");
    let mut sink = bench.sink();
    assert!(!sink.rotate(DAY, Rotate::Now).unwrap(), "an empty file is not rotated");
    deliver(&mut sink, &[(DAY - HOUR, "a\n")]);
    for late in [-SECOND, 0, SECOND - 1] {
        assert!(!sink.rotate(DAY + late, Rotate::IfDue).unwrap());
    }
    assert!(sink.rotate(DAY + SECOND, Rotate::IfDue).unwrap());
    assert_eq!(pairs(&bench.files()), [("app.2026-11-19_23-00-00.log", "a\n"), ("app.log", "")]);
    assert!(!sink.rotate(DAY + 48 * HOUR, Rotate::IfDue).unwrap());
    deliver(&mut sink, &[(DAY + HOUR, "b\n")]);
    assert!(sink.rotate(DAY + HOUR, Rotate::Now).unwrap(), "somebody wants it");
    assert_eq!(bench.names().len(), 3);
}

#[test]
fn a_restart_goes_on_where_the_file_is_and_rotates_what_is_of_another_day() {
    let bench = Bench::new("app.log", "daily");
    let mut sink = bench.sink();
    deliver(&mut sink, &[(DAY - HOUR, "a\n")]);
    sink.close(Instant::now()).unwrap();
    let mut sink = bench.sink();
    deliver(&mut sink, &[(DAY - SECOND, "b\n")]);
    sink.close(Instant::now()).unwrap();
    let mut sink = bench.sink();
    deliver(&mut sink, &[(DAY + SECOND, "c\n")]);
    assert_eq!(pairs(&bench.files()), [("app.2026-11-19_23-59-59.log", "a\nb\n"), ("app.log", "c\n")]);
}

#[test]
fn a_start_rotates_what_is_there_where_that_is_wanted() {
    let bench = Bench::new("app.log", Rotation::OnStart);
    for text in ["a\n", "b\n"] {
        let mut sink = bench.sink();
        deliver(&mut sink, &[(DAY, text), (DAY, text)]);
        sink.close(Instant::now()).unwrap();
    }
    assert_eq!(pairs(&bench.files()), [("app.2026-11-20_00-00-00.log", "a\na\n"), ("app.log", "b\nb\n")]);
}

#[test]
fn a_clock_that_steps_makes_no_storm_and_overwrites_nothing() {
    let bench = Bench::new("app.log", "hourly");
    let mut sink = bench.sink();
    let mut expected = String::new();
    for (number, time) in
        [0, HOUR - 1, -HOUR, 2 * HOUR, -HOUR, HOUR / 2, 2 * HOUR + 1, 24 * HOUR, 0, 24 * HOUR]
            .iter()
            .enumerate()
    {
        let text = format!("{number}\n");
        deliver(&mut sink, &[(DAY + time, &text)]);
        expected += &text;
    }
    let files = bench.files();
    assert_eq!(files.len(), 3, "{files:?}");
    let mut all: Vec<&str> = files.iter().flat_map(|(_, text)| text.lines()).collect();
    all.sort_unstable();
    assert_eq!(all, expected.lines().collect::<Vec<_>>());
}

#[test]
fn a_name_that_was_compressed_already_is_not_made_again() {
    let bench = Bench::new("app_{time:YYYY-MM-DD}.log", Rotation::Never);
    fs::write(bench.dir.path().join("app_2026-11-20.log.gz"), "compressed\n").unwrap();
    let mut sink = bench.sink();
    deliver(&mut sink, &[(DAY, "a\n"), (DAY + 24 * HOUR, "b\n")]);
    assert_eq!(bench.names(), ["app_2026-11-20.1.log", "app_2026-11-20.log.gz", "app_2026-11-21.log"]);
}

#[test]
fn a_file_that_cannot_be_renamed_goes_on_until_it_can() {
    let bench = Bench::new("app.log", Rotation::Size(4));
    let mut sink = bench.sink();
    deliver(&mut sink, &[(DAY, "a\n"), (DAY, "b\n")]);
    let mut refused = FileSink::at(Refusing(LogFolder(bench.folder.clone())), bench.plan.clone());
    let held = lines(&[(DAY, "c\n"), (DAY, "d\n")]);
    let error = refused.prepare(&held.batch(&[])).unwrap_err();
    assert!(error.to_string().contains("cannot rotate"), "{error}");
    assert_eq!(refused.quota(&held.batch(&[])), 2);
    refused.write(&held.batch(&[])).unwrap();
    assert_eq!(pairs(&bench.files()), [("app.log", "a\nb\nc\nd\n")]);
}

/// A log folder in which nothing can be renamed.
struct Refusing(LogFolder);

impl Place for Refusing {
    type File = File;

    fn open(&mut self, name: &str, mode: Option<u32>) -> io::Result<File> {
        self.0.open(name, mode)
    }

    fn occupant(&mut self, name: &str) -> Result<Option<(u64, u64)>, Errno> {
        self.0.occupant(name)
    }

    fn last_byte(&mut self, name: &str, identity: (u64, u64)) -> Option<u8> {
        self.0.last_byte(name, identity)
    }

    fn rename(&mut self, _: &str, _: &str) -> Result<(), Errno> {
        Err(Errno::ROFS)
    }

    fn names(&mut self) -> Result<Vec<String>, Errno> {
        self.0.names()
    }

    fn link(&mut self, name: &str, target: &str) -> Result<(), Errno> {
        self.0.link(name, target)
    }

    fn describe(&self, name: &str) -> String {
        self.0.describe(name)
    }
}

#[test]
fn a_mode_is_kept_whatever_the_file_had() {
    let mut bench = Bench::new("app.log", Rotation::Size(2));
    bench.plan.mode = Some(0o600);
    fs::write(bench.dir.path().join("app.log"), "a\n").unwrap();
    deliver(&mut bench.sink(), &[(DAY, "b\n")]);
    for entry in fs::read_dir(bench.dir.path()).unwrap() {
        assert_eq!(entry.unwrap().metadata().unwrap().permissions().mode() & 0o7777, 0o600);
    }
}

#[test]
fn a_former_file_is_in_use_until_a_checkpoint_is_done_with_it() {
    let mut bench = Bench::new("app.log", Rotation::Size(2));
    let calls = Arc::new(AtomicU64::new(0));
    let count = calls.clone();
    bench.plan.rotated = Some(Arc::new(move || _ = count.fetch_add(1, Ordering::Relaxed)));
    let in_use = bench.plan.in_use.clone();
    let mut sink = bench.sink();
    deliver(&mut sink, &[(DAY, "a\n"), (DAY, "b\n")]);
    let rotated = "app.2026-11-20_00-00-00.log";
    assert!(in_use.contains("app.log") && in_use.contains(rotated));
    assert_eq!(calls.load(Ordering::Relaxed), 0);
    sink.settled();
    assert!(in_use.contains("app.log") && !in_use.contains(rotated));
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}
