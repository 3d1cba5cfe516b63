//! Rotated files: compressed and deleted as was asked, no other file touched, nothing lost at a death or on a full disk.
// F26, F35, F36, F60, L-43, L-44, C14, V-26

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::ExitStatusExt as _;
use std::time::Duration;

use miu_log::failpoint::{Part, STEPS};
use miu_log::testing::ManualListener;
use miu_log::{Compression, File, Level, LogConfig, Retention, Rotation, Zone};
use miu_log_tests::{Outcome, Place, logs, rotated, run};

use crate::{child, child_under, is_installed};

/// 2026-11-20 12:00:00 UTC.
const NOON: Duration = Duration::from_secs(1_795_176_000);

/// A text that takes several pieces to compress, known by a name.
fn lines(name: &str) -> String {
    (0..12_000).map(|number| format!("{name}: line {number}\n")).collect()
}

/// Five rotated files of `app.log`, of which the child keeps three.
fn five_rotated_files(place: &Place) -> BTreeMap<String, String> {
    fs::create_dir_all(place.logs()).unwrap();
    let names = (10..15).map(|day| format!("app.2026-11-{day}_00-00-00.log"));
    let files: BTreeMap<String, String> = names.map(|name| (name.clone(), lines(&name))).collect();
    for (name, text) in &files {
        fs::write(place.log(name), text).unwrap();
        fs::set_permissions(place.log(name), fs::Permissions::from_mode(0o640)).unwrap();
    }
    files
}

/// Each of the last three files is there, whole: as it was, compressed, or both.
fn assert_nothing_lost(place: &Place, files: &BTreeMap<String, String>, situation: &str) {
    for (name, text) in files.iter().skip(2) {
        let (plain, compressed) = (place.log(name), place.log(&format!("{name}.gz")));
        assert!(plain.exists() || compressed.exists(), "{situation}: {name} is gone: {:?}", place.names());
        if plain.exists() {
            assert_eq!(&fs::read_to_string(plain).unwrap(), text, "{situation}");
        }
        if compressed.exists() {
            assert_eq!(&place.text(&format!("{name}.gz")), text, "{situation}");
        }
    }
}

fn assert_in_order(place: &Place, files: &BTreeMap<String, String>, situation: &str) {
    let expected: Vec<String> = files.keys().skip(2).map(|name| format!("{name}.gz")).collect();
    assert_eq!(rotated(&place.logs(), "app.log"), expected, "{situation}");
    assert!(place.names().iter().all(|name| !name.ends_with(".part")), "{situation}: {:?}", place.names());
    assert_nothing_lost(place, files, situation);
}

#[test]
fn a_death_at_any_step_loses_nothing_and_the_next_start_finishes() {
    let steps = STEPS.iter().filter(|(part, _)| *part == Part::Files);
    let deaths: Vec<String> =
        steps.flat_map(|(_, step)| [format!("{step}:1"), format!("{step}:2")]).collect();
    assert_eq!(deaths.len(), 12);
    for death in deaths {
        let place = Place::new();
        let files = five_rotated_files(&place);
        let killed = run(child(&place, "keep-three").env("MIU_LOG_FAILPOINT", &death));
        assert_eq!(killed.status.signal(), Some(9), "{death}: {killed:?}");
        assert_nothing_lost(&place, &files, &death);
        // Once more while it puts that in order, where it comes by there.
        let again = run(child(&place, "keep-three").env("MIU_LOG_FAILPOINT", &death));
        assert!(again.status.success() || again.status.signal() == Some(9), "{death}: {again:?}");
        assert_nothing_lost(&place, &files, &death);
        run(&mut child(&place, "keep-three")).printed();
        assert_in_order(&place, &files, &death);
    }
}

// F60
#[test]
fn a_copy_is_never_more_open_than_its_original_whatever_the_umask() {
    for umask in ["000", "077"] {
        let place = Place::new();
        let files = five_rotated_files(&place);
        let newest = files.keys().last().unwrap();
        fs::set_permissions(place.log(newest), fs::Permissions::from_mode(0o604)).unwrap();
        let script = format!("umask {umask} && exec \"$0\" \"$@\"");
        let under = || child_under("sh", ["-c", &script], &place, "keep-three");
        let killed = run(under().env("MIU_LOG_FAILPOINT", "part-half:1"));
        assert_eq!(killed.status.signal(), Some(9), "{killed:?}");
        let mode = |name: &str| fs::metadata(place.log(name)).unwrap().mode() & 0o7777;
        let part = place.names().into_iter().find(|name| name.ends_with(".part")).unwrap();
        assert_eq!(mode(&part), 0o600);
        run(&mut under()).printed();
        assert_in_order(&place, &files, umask);
        let modes: Vec<u32> = rotated(&place.logs(), "app.log").iter().map(|name| mode(name)).collect();
        assert_eq!(modes, [0o640, 0o640, 0o604]);
    }
}

/// Runs the role with its log folder on a memory file system of one MiB.
fn on_small_disk(role: &str, place: &Place) -> Outcome {
    assert!(
        rustix::process::geteuid().is_root() && is_installed("unshare"),
        "this scenario mounts a memory file system of its own, which takes root and unshare"
    );
    fs::create_dir_all(place.logs()).unwrap();
    let script = format!(
        "mount -t tmpfs -o size=1m,mode=0750 tmpfs {} && exec \"$0\" \"$@\"",
        place.logs().to_str().unwrap()
    );
    run(&mut child_under("unshare", ["-m", "sh", "-c", &script], place, role))
}

// F26
#[test]
fn on_a_full_disk_a_rotated_file_stays_until_there_is_room() {
    let place = Place::new();
    let outcome = on_small_disk("compress-on-full-disk", &place);
    assert_eq!(outcome.printed(), "kept, kept, compressed", "{outcome:?}");
    let told = outcome.stderr.lines().filter(|line| line.contains("No space left on device")).count();
    assert_eq!(told, 1, "{outcome:?}");
}

#[test]
fn room_is_kept_free_by_what_is_below_warning_first() {
    let place = Place::new();
    let outcome = on_small_disk("keep-room", &place);
    assert_eq!(outcome.printed(), "app-1 app-2 info-1 info-2, app-1 app-2 info-2, app-2", "{outcome:?}");
}

/// A repository of which a test steps the listener, and which rotates at 10 kB.
fn stepped(place: &Place, set: impl FnOnce(LogConfig) -> LogConfig) -> (logs::Repository, ManualListener) {
    let listener = ManualListener::new();
    listener.set_unix_time(NOON);
    let config = place.config().zone(Zone::Utc).rotation(Rotation::Size("10 kB")).manual_listener(&listener);
    (logs::Repository::open(set(config)).unwrap(), listener)
}

/// Logs enough for so many rotated files of `app.log`, one a second.
fn rotate(repo: &logs::Repository, listener: &ManualListener, times: usize) {
    for _ in 0..times {
        for number in 0..150 {
            repo.app.warning(format!("a line that is long enough to fill a small file soon: {number}"));
        }
        listener.step();
        listener.advance(Duration::from_secs(1));
        listener.step();
    }
}

#[test]
fn five_rotated_files_and_the_current_one_are_kept_unless_something_else_is_said() {
    let place = Place::new();
    let (repo, listener) = stepped(&place, |config| config);
    rotate(&repo, &listener, 8);
    repo.app.warning("the last one");
    listener.step();
    let names = rotated(&place.logs(), "app.log");
    assert_eq!(names.len(), 5, "{names:?}");
    assert!(names.iter().all(|name| name.ends_with(".log.gz")), "{names:?}");
    assert_eq!(place.messages("app.log").last().unwrap(), "the last one");
    let stats = repo.stats();
    assert!(
        stats.files_compressed > 8 && stats.files_deleted >= 3 && stats.file_bytes_freed > 80_000,
        "{stats:?}"
    );
}

#[test]
fn every_line_is_in_the_current_or_in_a_rotated_file() {
    let place = Place::new();
    let (repo, listener) =
        stepped(&place, |config| config.retention(Retention::Forever).compression(Compression::Gz));
    for number in 0..3000 {
        repo.app.warning(format!("record {number}"));
        if number % 500 == 499 {
            listener.step();
            listener.advance(Duration::from_secs(1));
        }
    }
    repo.flush(Duration::from_secs(60)).unwrap();
    listener.step();
    let names = rotated(&place.logs(), "app.log");
    assert!(names.len() > 10, "{names:?}");
    let mut text: String = names.iter().map(|name| place.text(name)).collect();
    text.push_str(&place.text("app.log"));
    let messages: Vec<String> =
        miu_log_tests::entries(&text).into_iter().map(|entry| entry.message).collect();
    assert_eq!(messages, (0..3000).map(|number| format!("record {number}")).collect::<Vec<_>>());
}

#[test]
fn an_age_goes_by_the_manual_clock() {
    let place = Place::new();
    let (repo, listener) = stepped(&place, |config| config.retention("30 days"));
    rotate(&repo, &listener, 1);
    let first = rotated(&place.logs(), "app.log");
    assert!(!first.is_empty());
    listener.advance(Duration::from_secs(29 * 86_400));
    listener.step();
    assert_eq!(rotated(&place.logs(), "app.log"), first);
    listener.advance(Duration::from_secs(86_400));
    listener.step();
    assert_eq!(rotated(&place.logs(), "app.log"), [""; 0]);
    assert!(place.log("app.log").exists());
}

// F36
#[test]
fn files_that_only_look_like_rotated_ones_survive() {
    let place = Place::new();
    fs::create_dir_all(place.logs()).unwrap();
    let strangers = [
        "app-1.2020-01-01_00-00-00.log",
        "app-2.log",
        "app.1.log",
        "app.2026-01-01.log",
        "app.2026-01-01_00-00-00.log.bak",
        "app.log.1.gz",
        "app.log.2",
        "app.log.bak",
        "notes.2020-01-01_00-00-00.log",
    ];
    for name in strangers {
        fs::write(place.log(name), "precious").unwrap();
    }
    let (repo, listener) = stepped(&place, |config| config.retention(Retention::Count(1)));
    rotate(&repo, &listener, 3);
    for name in strangers {
        assert_eq!(fs::read_to_string(place.log(name)).unwrap(), "precious", "{name}");
    }
    let left =
        rotated(&place.logs(), "app.log").into_iter().filter(|name| !strangers.contains(&name.as_str()));
    assert_eq!(left.count(), 1);
}

#[test]
fn a_retention_or_compression_that_says_nothing_is_an_error_at_open() {
    let place = Place::new();
    for (config, names) in [
        (place.config().retention("5 lightyears"), ["retention is \"5 lightyears\"", "\"30 days\""]),
        (place.config().retention(0), ["retention is Count(0)", "at least one rotated file"]),
        (place.config().compression("zip"), ["compression is \"zip\"", "\"gz\", \"zstd\" or \"none\""]),
    ] {
        let error = logs::Repository::open(config).unwrap_err().to_string();
        assert!(names.iter().all(|name| error.contains(name)), "{error}");
    }
}

#[test]
fn the_file_of_today_is_the_current_one_from_the_start_on() {
    let day = Duration::from_secs(1_795_132_800);
    let hour = Duration::from_secs(3600);
    for (retention, compression) in [
        (Retention::Count(1), Compression::Gz),
        (Retention::Bytes(1), Compression::None),
        (Retention::KeepFree("99.99 %"), Compression::Gz),
    ] {
        let place = Place::new();
        let start = |at: Duration| {
            let listener = ManualListener::new();
            listener.set_unix_time(at);
            let config =
                LogConfig::new(place.logs()).intercept(false).panic_hook(false).console(false).zone("+01:00");
            let config = config.retention(retention.clone()).compression(compression).level_files(false);
            let config = config
                .domain_file_name("{domain}_{time:YYYY-MM-DD}.log")
                .sink(File::new("errors_{time:YYYY-MM-DD}.log").min_level(Level::Error))
                .sink(File::new("{level}_{time:YYYY-MM-DD_HH}.log").min_level(Level::Error));
            (logs::Repository::open(config.manual_listener(&listener)).unwrap(), listener)
        };
        let link = |name: &str| fs::read_link(place.logs().join(name)).unwrap();
        // In this zone it is the 20th already.
        let (repo, _listener) = start(day - hour / 2);
        repo.app.error("before");
        drop(repo);
        let before = place.names();
        let current = ["app_2026-11-20.log", "errors_2026-11-20.log", "error_2026-11-20_00.log"];
        for name in current {
            assert!(before.contains(&name.to_owned()), "{before:?}");
        }
        fs::remove_file(place.logs().join("errors.log")).unwrap();
        let (repo, listener) = start(day - hour / 3);
        listener.step();
        assert_eq!(place.names(), before, "nothing is rotated, and a missing link is made again");
        assert_eq!(link("app.log").to_str(), Some("app_2026-11-20.log"));
        assert_eq!(link("errors.log").to_str(), Some("errors_2026-11-20.log"));
        drop(repo);
        // A day later it is the link's file still, until there is another.
        let (repo, listener) = start(day + 24 * hour);
        listener.step();
        assert!(place.names().contains(&"app_2026-11-20.log".to_owned()), "{:?}", place.names());
        repo.app.info("after");
        listener.step();
        listener.advance(Duration::from_secs(61));
        listener.step();
        assert_eq!(link("app.log").to_str(), Some("app_2026-11-21.log"));
        assert!(!place.names().contains(&"app_2026-11-20.log".to_owned()), "{:?}", place.names());
        assert_eq!(place.messages("app_2026-11-21.log"), ["after"]);
    }
}

#[test]
fn a_start_deletes_no_rotated_file_because_of_the_current_one() {
    let place = Place::new();
    let open = || {
        let listener = ManualListener::new();
        listener.set_unix_time(Duration::from_secs(1_795_132_800));
        let config = LogConfig::new(place.logs())
            .intercept(false)
            .panic_hook(false)
            .console(false)
            .zone(Zone::Utc)
            .level_files(false);
        let config = config.retention(Retention::Count(1)).compression(Compression::None);
        let config = config.domain_file_name("{domain}_{time:YYYY-MM-DD}.log");
        (logs::Repository::open(config.manual_listener(&listener)).unwrap(), listener)
    };
    for number in 1..4 {
        let (repo, listener) = open();
        listener.step();
        repo.app.info(format!("a{number}"));
        listener.step();
        repo.rotate().unwrap();
        repo.app.info("last");
        drop(repo);
        let (repo, listener) = open();
        listener.step();
        drop(repo);
        // Each is numbered behind the one before, which was there until then.
        let names = place.names();
        assert!(names.contains(&format!("app_2026-11-20.{number}.log")), "{names:?}");
        assert!(names.contains(&"app_2026-11-20.log".to_owned()), "{names:?}");
    }
}
