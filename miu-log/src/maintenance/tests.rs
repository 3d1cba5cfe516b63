//! Passes over real folders.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use rustix::fs::Mode;

use super::thread::Maintenance;
use super::*;
use crate::clock::{Clock, ManualTime};
use crate::rotate::Retention;
use crate::rotate::naming::Keys;
use crate::zone::Zone;

/// 2026-11-20 00:00:00 UTC.
const DAY_20: UnixNanos = 1_795_132_800_000_000_000;
const DAY: i64 = 86_400_000_000_000;

/// A folder with the log files of these templates under one retention.
struct Bed {
    dir: tempfile::TempDir,
    plan: Plan,
    upkeep: Upkeep,
    monotonic: u64,
}

impl Bed {
    fn new(templates: &[&str], retention: impl Into<Retention>, compression: Compression) -> Bed {
        let dir = tempfile::tempdir().unwrap();
        let family = |template: &&str| Family {
            naming: Naming::new(template, Keys::default(), &Zone::Utc).unwrap(),
            scope: 0,
            compression,
            class: if template.starts_with("info") { Class::Chatter } else { Class::Ordinary },
        };
        let plan = Plan {
            folder: Folder::open(dir.path()).unwrap(),
            in_use: InUse::default(),
            families: templates.iter().map(family).collect(),
            scopes: vec![retention.into().check().unwrap()],
            counters: Arc::default(),
        };
        Bed { dir, upkeep: Upkeep::new(plan.clone()), plan, monotonic: 0 }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A file whose lines are known by its name.
    fn write(&self, name: &str) -> String {
        let text = lines(name);
        fs::write(self.at(name), &text).unwrap();
        text
    }

    fn pass_at(&mut self, unix: UnixNanos) {
        self.upkeep.pass(Moment { unix, monotonic: self.monotonic }, &|| false);
    }

    fn pass(&mut self) {
        self.pass_at(DAY_20);
    }

    fn names(&self) -> Vec<String> {
        names(self.dir.path())
    }

    fn told(&self) -> Vec<&str> {
        self.upkeep.pauses.values().map(|pause| &*pause.told).collect()
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn lines(name: &str) -> String {
    (0..5000).map(|number| format!("{name}: line {number}\n")).collect()
}

fn gunzip(path: &Path) -> String {
    let mut text = String::new();
    flate2::read::GzDecoder::new(fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    text
}

fn gzip(path: &Path, text: &str) {
    use std::io::Write as _;
    let mut encoder =
        flate2::write::GzEncoder::new(fs::File::create(path).unwrap(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap();
}

fn ordered(mut names: Vec<&str>) -> Vec<&str> {
    names.sort_unstable();
    names
}

const ROTATED: &str = "app.2026-11-19_10-00-00.log";
const GZ: &str = "app.2026-11-19_10-00-00.log.gz";
const PART: &str = ".app.2026-11-19_10-00-00.log.gz.part";

#[test]
fn a_rotated_file_is_compressed_with_its_lines_mode_owner_and_time() {
    let mut bed = Bed::new(&["app.log"], 5, Compression::Gz);
    bed.write("app.log");
    let text = bed.write(ROTATED);
    fs::set_permissions(bed.at(ROTATED), fs::Permissions::from_mode(0o604)).unwrap();
    let time = SystemTime::UNIX_EPOCH + Duration::new(1_795_000_000, 123_456_789);
    fs::File::options().write(true).open(bed.at(ROTATED)).unwrap().set_modified(time).unwrap();
    let root = rustix::process::geteuid().is_root();
    if root {
        std::os::unix::fs::chown(bed.at(ROTATED), Some(65_534), Some(65_533)).unwrap();
    }
    bed.pass();
    assert_eq!(bed.names(), [GZ, "app.log"]);
    assert_eq!(gunzip(&bed.at(GZ)), text);
    let found = fs::metadata(bed.at(GZ)).unwrap();
    assert_eq!(found.permissions().mode() & 0o7777, 0o604);
    assert_eq!(found.modified().unwrap(), time);
    if root {
        assert_eq!((found.uid(), found.gid()), (65_534, 65_533));
    }
    assert_eq!(bed.plan.counters.compressed.load(Ordering::Relaxed), 1);
    assert_eq!(bed.plan.counters.freed.load(Ordering::Relaxed), text.len() as u64 - found.len());
    assert!(found.len() * 3 < text.len() as u64);
}

#[cfg(feature = "zstd")]
#[test]
fn zstandard_is_written_where_it_is_asked_for() {
    let mut bed = Bed::new(&["app.log"], 5, Compression::Zstd);
    let text = bed.write(ROTATED);
    bed.pass();
    let name = format!("{ROTATED}.zst");
    assert_eq!(bed.names(), [&*name]);
    assert_eq!(zstd::decode_all(fs::File::open(bed.at(&name)).unwrap()).unwrap(), text.as_bytes());
    fs::write(bed.at(ROTATED), text).unwrap();
    bed.pass();
    assert_eq!(bed.names(), [&*name], "a twin");
}

#[test]
fn without_compression_files_stay_as_they_are() {
    let mut bed = Bed::new(&["app.log"], 5, Compression::None);
    bed.write(ROTATED);
    bed.pass();
    assert_eq!(bed.names(), [ROTATED]);
}

#[test]
fn the_file_of_this_time_is_no_rotated_one_and_neither_is_that_of_the_link() {
    let mut bed = Bed::new(&["app_{time:YYYY-MM-DD}.log"], 1, Compression::Gz);
    for name in ["app_2026-11-18.log", "app_2026-11-19.1.log", "app_2026-11-19.log", "app_2026-11-20.1.log"] {
        bed.write(name);
    }
    bed.write("app_2026-11-20.log");
    symlink("app_2026-11-19.log", bed.at("app.log")).unwrap();
    bed.pass();
    let kept = ["app.log", "app_2026-11-19.log", "app_2026-11-20.1.log.gz", "app_2026-11-20.log"];
    assert_eq!(bed.names(), kept);
    fs::remove_file(bed.at("app.log")).unwrap();
    symlink("app_2026-11-20.log", bed.at("app.log")).unwrap();
    bed.pass_at(DAY_20 + DAY);
    assert_eq!(bed.names(), ["app.log", "app_2026-11-20.1.log.gz", "app_2026-11-20.log"]);
    fs::remove_file(bed.at("app.log")).unwrap();
    bed.pass_at(DAY_20 + DAY);
    assert_eq!(bed.names(), ["app_2026-11-20.log.gz"]);
}

#[test]
fn an_empty_rotated_file_is_compressed_too() {
    let mut bed = Bed::new(&["app.log"], 5, Compression::Gz);
    fs::write(bed.at(ROTATED), "").unwrap();
    bed.pass();
    assert_eq!(bed.names(), [GZ]);
    assert_eq!(gunzip(&bed.at(GZ)), "");
}

// F36
#[test]
fn look_alikes_are_neither_compressed_nor_deleted() {
    let mut bed = Bed::new(&["app.log", "app-1.log", "day_{time:YYYY-MM-DD}.log"], "1 day", Compression::Gz);
    let strangers = [
        ".app.2026-11-19_10-00-00.log.bz2.part",
        ".app.2026-11-19_10-00-00.log.part",
        ".app.log.gz.part",
        ".db.2026-11-19_10-00-00.log.gz.part",
        "app-1.log",
        "app-2.log",
        "app.1.log",
        "app.2020-01-01.log",
        "app.2020-01-01_00-00-00.01.log",
        "app.2020-01-01_00-00-00.log.bak",
        "app.2020-01-01_00-00-00.log.bz2",
        "app.2020-01-01_00-00-00.log.gz.gz",
        "app.2020-01-01_00-00-00.txt",
        "app.log",
        "app.log.1.gz",
        "app.log.2",
        "app.log.bak",
        "app.log.gz",
        "day_2020-01.log",
        "day_2020-02-30.log",
        "db.2020-01-01_00-00-00.log",
        "db.log",
    ];
    for name in strangers {
        bed.write(name);
    }
    let ours = ["app.2020-01-01_00-00-00.log", "app-1.2020-01-01_00-00-00.1.log.gz", "day_2020-01-01.log"];
    for name in ours {
        bed.write(name);
    }
    bed.pass();
    bed.pass();
    assert_eq!(bed.names(), ordered(strangers.to_vec()));
    for name in strangers {
        assert_eq!(fs::read_to_string(bed.at(name)).unwrap(), lines(name), "{name}");
    }
}

// F36
#[test]
fn a_domain_whose_name_begins_like_another_keeps_its_own_files() {
    let mut bed = Bed::new(&["app.log", "app-1.log"], 1, Compression::None);
    for name in [
        "app.2026-11-01_00-00-00.log",
        "app.2026-11-02_00-00-00.log",
        "app-1.2026-11-01_00-00-00.log",
        "app-1.2026-11-01_00-00-00.1.log",
    ] {
        bed.write(name);
    }
    bed.pass();
    assert_eq!(bed.names(), ["app-1.2026-11-01_00-00-00.1.log", "app.2026-11-02_00-00-00.log"]);
}

// F59
#[test]
fn what_is_no_plain_file_of_its_own_is_left_alone() {
    let mut bed = Bed::new(&["app.log"], "1 day", Compression::Gz);
    let other = tempfile::tempdir().unwrap();
    let outside = other.path().join("precious");
    fs::write(&outside, "precious").unwrap();
    let name = |second: u32| format!("app.2020-01-01_00-00-{second:02}.log");
    symlink(&outside, bed.at(&name(0))).unwrap();
    symlink(&outside, bed.at(&format!("{}.gz", name(1)))).unwrap();
    fs::create_dir(bed.at(&name(2))).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, bed.at(&name(3)), Mode::RUSR | Mode::WUSR).unwrap();
    fs::hard_link(&outside, bed.at(&name(4))).unwrap();
    fs::hard_link(&outside, bed.at(&format!(".{}.gz.part", name(5)))).unwrap();
    symlink(&outside, bed.at(&format!(".{}.gz.part", name(6)))).unwrap();
    let before = bed.names();
    assert_eq!(before.len(), 7);
    bed.pass();
    assert_eq!(bed.names(), before);
    assert_eq!(fs::read_to_string(&outside).unwrap(), "precious");
    assert_eq!(fs::metadata(&outside).unwrap().nlink(), 3);
}

// F59
#[test]
fn no_name_is_taken_from_another_file() {
    for make in [
        |path: &Path| fs::write(path, "not ours").unwrap(),
        |path: &Path| fs::create_dir(path).unwrap(),
        |path: &Path| symlink("/nowhere/else", path).unwrap(),
    ] {
        for name in [GZ, PART] {
            let mut bed = Bed::new(&["app.log"], 5, Compression::Gz);
            let text = bed.write(ROTATED);
            make(&bed.at(name));
            let kind = fs::symlink_metadata(bed.at(name)).unwrap().file_type();
            bed.pass();
            if name == PART && kind.is_file() {
                // It is what a pass that was interrupted leaves.
                assert_eq!(bed.names(), [GZ]);
                continue;
            }
            assert_eq!(bed.names(), ordered(vec![name, ROTATED]));
            assert_eq!(fs::read_to_string(bed.at(ROTATED)).unwrap(), text);
            assert_eq!(fs::symlink_metadata(bed.at(name)).unwrap().file_type(), kind);
            assert!(bed.told().concat().contains(ROTATED), "{:?}", bed.told());
        }
    }
}

#[test]
fn a_count_of_five_keeps_five_and_the_current_file() {
    let mut bed = Bed::new(&["app.log"], 5, Compression::Gz);
    bed.plan.in_use.add("app.log");
    bed.write("app.log");
    for day in 10..=19 {
        bed.write(&format!("app.2026-11-{day}_00-00-00.log"));
    }
    bed.pass();
    let mut expected: Vec<String> =
        (15..=19).map(|day| format!("app.2026-11-{day}_00-00-00.log.gz")).collect();
    expected.push("app.log".to_owned());
    assert_eq!(bed.names(), expected);
    assert_eq!(bed.plan.counters.deleted.load(Ordering::Relaxed), 5);
}

#[test]
fn age_is_measured_by_the_clock_of_the_pass() {
    let mut bed = Bed::new(&["app.log", "month_{time:YYYY-MM}.log"], "30 days", Compression::None);
    // The name says when its last line was written at the latest, whatever was done to the file later.
    bed.write("app.2026-11-19_00-00-00.log");
    bed.write("month_2026-10.log");
    let end_of_october = DAY_20 - 19 * DAY;
    let name = bed.at("month_2026-10.log");
    let last_line = SystemTime::UNIX_EPOCH + Duration::from_nanos((end_of_october - DAY / 2) as u64);
    fs::File::options().write(true).open(&name).unwrap().set_modified(last_line).unwrap();
    bed.pass_at(end_of_october + 29 * DAY);
    assert_eq!(bed.names().len(), 2, "its last line is not a month old");
    bed.pass_at(end_of_october + 30 * DAY);
    assert_eq!(bed.names(), ["app.2026-11-19_00-00-00.log"]);
    bed.pass_at(DAY_20 + 29 * DAY);
    assert_eq!(bed.names().len(), 1);
    bed.pass_at(DAY_20 + 29 * DAY + 2_000_000_000);
    assert_eq!(bed.names(), [""; 0]);
}

#[test]
fn bytes_are_counted_after_compressing_and_with_the_current_files() {
    let templates = ["app.log", "db.log"];
    let mut probe = Bed::new(&templates, Retention::Forever, Compression::Gz);
    let names = ["app.2026-11-18_00-00-00.log", "db.2026-11-17_00-00-00.log", "db.2026-11-19_00-00-00.log"];
    for name in names {
        probe.write(name);
    }
    probe.pass();
    let length = |name: &str| fs::metadata(probe.at(&format!("{name}.gz"))).unwrap().len();
    let all: u64 = names.iter().map(|name| length(name)).sum();

    let current = lines("app.log").len() as u64;
    for (most, expected) in
        [(current + all, &names[..]), (current + all - 1, &[names[0], names[2]]), (current, &[])]
    {
        let mut bed = Bed::new(&templates, Retention::Bytes(most), Compression::Gz);
        bed.plan.in_use.add("app.log");
        for name in names.into_iter().chain(["app.log"]) {
            bed.write(name);
        }
        bed.pass();
        let mut expected: Vec<String> = expected.iter().map(|name| format!("{name}.gz")).collect();
        expected.push("app.log".to_owned());
        expected.sort();
        assert_eq!(bed.names(), expected, "{most} of {}", current + all);
    }
}

#[test]
fn a_file_in_use_is_left_alone_whatever_its_name() {
    let mut bed = Bed::new(&["day_{time:YYYY-MM-DD}.log"], "1 day", Compression::Gz);
    bed.plan.in_use.add("day_2020-01-01.log");
    bed.write("day_2020-01-01.log");
    bed.pass();
    assert_eq!(bed.names(), ["day_2020-01-01.log"]);
    bed.plan.in_use.remove("day_2020-01-01.log");
    bed.pass();
    assert_eq!(bed.names(), [""; 0]);
}

#[test]
fn what_an_interrupted_pass_left_is_put_in_order() {
    let mut bed = Bed::new(&["app.log"], 5, Compression::Gz);
    // Before the rename: the original, and a part of a copy.
    let text = bed.write(ROTATED);
    fs::write(bed.at(PART), "half").unwrap();
    bed.pass();
    assert_eq!(bed.names(), [GZ]);
    // After it: both.
    bed.write(ROTATED);
    bed.pass();
    assert_eq!(bed.names(), [GZ]);
    assert_eq!(gunzip(&bed.at(GZ)), text);
    // A temporary file alone.
    fs::write(bed.at(PART), "half").unwrap();
    bed.pass();
    assert_eq!(bed.names(), [GZ]);
}

#[test]
fn nothing_is_deleted_because_a_file_is_there_twice() {
    let mut bed = Bed::new(&["app.log"], Retention::Count(3), Compression::Gz);
    let names = [18, 19, 20].map(|day| format!("app.2026-11-{day}_00-00-00.log"));
    gzip(&bed.at(&format!("{}.gz", names[0])), &lines(&names[0]));
    let text = bed.write(&names[1]);
    gzip(&bed.at(&format!("{}.gz", names[1])), &text);
    bed.write(&names[2]);
    bed.pass();
    assert_eq!(bed.names(), names.map(|name| format!("{name}.gz")));
    assert_eq!(bed.plan.counters.deleted.load(Ordering::Relaxed), 0);
}

#[test]
fn an_original_goes_only_if_its_copy_holds_the_same() {
    let text = lines(ROTATED);
    let longer = format!("{text}one more\n");
    let mut other = text.clone();
    other.replace_range(0..1, "A");
    for copy in ["", &text[..text.len() - 1], &longer, &other] {
        let mut bed = Bed::new(&["app.log"], 5, Compression::Gz);
        bed.write(ROTATED);
        gzip(&bed.at(GZ), copy);
        bed.pass();
        assert_eq!(bed.names(), [ROTATED, GZ]);
        assert!(bed.told()[0].contains("does not hold the same; both are left"), "{:?}", bed.told());
    }
    // One that ends too early, or is none at all.
    for cut in [0, 5, 1000] {
        let mut bed = Bed::new(&["app.log"], 5, Compression::Gz);
        bed.write(ROTATED);
        gzip(&bed.at(GZ), &text);
        let whole = fs::read(bed.at(GZ)).unwrap();
        fs::write(bed.at(GZ), &whole[..cut]).unwrap();
        bed.pass();
        assert_eq!(bed.names(), [ROTATED, GZ]);
    }
}

#[test]
fn a_file_that_is_written_to_again_is_left_as_it_is() {
    use std::cell::Cell;
    let mut bed = Bed::new(&["day_{time:YYYY-MM-DD}.log"], 5, Compression::Gz);
    let name = "day_2026-11-19.log";
    let text = bed.write(name);
    let (path, in_use) = (bed.at(name), bed.plan.in_use.clone());
    for taken in [false, true] {
        // Between two pieces of the copy.
        let looks = Cell::new(0);
        let append = || {
            looks.set(looks.get() + 1);
            if looks.get() == 4 {
                if taken {
                    in_use.add(name);
                } else {
                    use std::io::Write as _;
                    fs::File::options().append(true).open(&path).unwrap().write_all(b"late\n").unwrap();
                }
            }
            false
        };
        bed.upkeep.pass(Moment { unix: DAY_20, monotonic: 0 }, &append);
        assert!(looks.get() >= 4);
        assert_eq!(bed.names(), [name]);
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{text}late\n"));
    }
    in_use.remove(name);
    bed.pass();
    assert_eq!(bed.names(), ["day_2026-11-19.log.gz"]);
    assert_eq!(gunzip(&bed.at("day_2026-11-19.log.gz")), format!("{text}late\n"));
}

#[test]
fn a_pass_that_is_stopped_leaves_the_original_and_nothing_else() {
    use std::cell::Cell;
    let mut bed = Bed::new(&["app.log"], 5, Compression::Gz);
    bed.write(ROTATED);
    // At each of its looks.
    for last in 1.. {
        let looks = Cell::new(0);
        let stop = || {
            looks.set(looks.get() + 1);
            looks.get() >= last
        };
        bed.upkeep.pass(Moment { unix: DAY_20, monotonic: 0 }, &stop);
        if bed.names() != [ROTATED] {
            assert!(last > 4, "after {last} looks");
            assert_eq!(bed.names(), [GZ]);
            return;
        }
    }
}

#[test]
fn a_failure_is_told_once_and_tried_again_after_a_growing_pause() {
    let mut bed = Bed::new(&["app.log"], 5, Compression::Gz);
    bed.write(ROTATED);
    fs::create_dir(bed.at(GZ)).unwrap();
    let second = 1_000_000_000;
    let mut attempts = Vec::new();
    let mut until = 0;
    for minute in 0..400 {
        bed.monotonic = minute * 60 * second;
        bed.pass();
        let pause = &bed.upkeep.pauses[ROTATED];
        if pause.until != until {
            until = pause.until;
            attempts.push(minute);
        }
    }
    assert_eq!(attempts[..8], [0, 1, 3, 7, 15, 31, 63, 123]);
    fs::remove_dir(bed.at(GZ)).unwrap();
    bed.monotonic = 500 * 60 * second;
    bed.pass();
    assert_eq!(bed.names(), [GZ]);
    bed.pass();
    assert_eq!(bed.upkeep.pauses.len(), 0, "what is gone is forgotten");
}

#[test]
fn by_hand_a_pass_is_made_when_one_is_wanted_and_once_a_minute() {
    let bed = Bed::new(&["app.log"], "1 day", Compression::Gz);
    let time = Arc::new(ManualTime::default());
    let now = &time.now;
    now.store((DAY_20 - DAY / 2) as u64, Ordering::Relaxed);
    let maintenance = Maintenance::new(bed.plan.clone(), Clock::Manual(time.clone()));
    maintenance.begin();
    bed.write(ROTATED);
    maintenance.step();
    assert_eq!(bed.names(), [ROTATED], "there was nothing at the start");
    maintenance.finished();
    maintenance.step();
    assert_eq!(bed.names(), [GZ]);
    now.fetch_add(59_000_000_000, Ordering::Relaxed);
    bed.write("app.2020-01-01_00-00-00.log");
    maintenance.step();
    assert_eq!(bed.names().len(), 2);
    now.fetch_add(1_000_000_000, Ordering::Relaxed);
    maintenance.step();
    assert_eq!(bed.names(), [GZ]);
    now.fetch_add(DAY as u64, Ordering::Relaxed);
    maintenance.stop();
    maintenance.step();
    assert_eq!(bed.names(), [GZ], "after the end nothing is done");
}

#[test]
fn the_thread_works_at_the_lowest_priority_and_ends_when_it_is_told() {
    let bed = Bed::new(&["app.log"], 5, Compression::Gz);
    bed.write(ROTATED);
    let maintenance = Maintenance::new(bed.plan.clone(), Clock::system());
    maintenance.begin();
    let wait = |what: &dyn Fn() -> bool| {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !what() {
            assert!(Instant::now() < deadline, "{:?}", bed.names());
            std::thread::yield_now();
        }
    };
    wait(&|| bed.names() == [GZ]);
    let nice = |task: PathBuf| {
        let stat = fs::read_to_string(task.join("stat")).unwrap_or_default();
        let (name, rest) = stat.rsplit_once(") ").unwrap_or_default();
        (name.ends_with("(miu-log-files"), rest.split_whitespace().nth(16).unwrap_or_default().to_owned())
    };
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    assert!(tasks.map(|task| nice(task.unwrap().path())).any(|found| found == (true, "19".to_owned())));
    assert_eq!(
        nice(PathBuf::from("/proc/thread-self")),
        nice(PathBuf::from("/proc/self")),
        "this thread is as before"
    );
    bed.write("app.2026-11-19_11-00-00.log");
    maintenance.finished();
    wait(&|| bed.names() == [GZ, "app.2026-11-19_11-00-00.log.gz"]);
    maintenance.stop();
    wait(&|| !maintenance.is_running());
}
