//! Tests of inspections: of folders that a repository has, that one has left, and with anything in them.

use std::fs;
use std::os::unix::fs::symlink;

use proptest::prelude::*;

use super::*;
use crate::folder::Folder;
use crate::ring::segment::{Identity, SMALLEST, Segment};
use crate::runtime::RuntimeDir;
use crate::sync::Ordering;

/// A log folder and the place of its runtime directory, which nobody else uses.
struct Place {
    temp: tempfile::TempDir,
}

impl Place {
    fn new() -> Place {
        let temp = tempfile::tempdir().unwrap();
        fs::create_dir(temp.path().join("logs")).unwrap();
        Place { temp }
    }

    fn logs(&self) -> PathBuf {
        self.temp.path().join("logs")
    }

    fn env(&self) -> impl Fn(&str) -> Option<OsString> {
        let place = self.temp.path().as_os_str().to_owned();
        move |name| (name == runtime::RUNTIME_DIR).then(|| place.clone())
    }

    fn open(&self) -> RuntimeDir {
        let runtime = RuntimeDir::open(&Folder::open(&self.logs()).unwrap(), None, self.env(), None).unwrap();
        runtime.sign().unwrap();
        runtime
    }

    fn look(&self) -> Inspection {
        inspect_with(&self.logs(), None, self.env()).unwrap()
    }

    /// The runtime directory inside the log folder, as another run may have left it.
    fn inside(&self) -> PathBuf {
        let path = self.logs().join(".miu");
        fs::create_dir_all(&path).unwrap();
        path
    }

    /// Every file and directory, with its length and the time of its last change.
    fn everything(&self) -> Vec<(PathBuf, u64, i64, i64)> {
        let mut found = Vec::new();
        let mut left = vec![self.temp.path().to_owned()];
        while let Some(path) = left.pop() {
            let data = fs::symlink_metadata(&path).unwrap();
            if data.is_dir() {
                left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            }
            found.push((path, data.len(), data.mtime_nsec(), data.ctime_nsec()));
        }
        found.sort();
        found
    }
}

fn identity(ring: u64) -> Identity {
    Identity {
        member: 7, process_id: 7, thread_id: 8, ring, generation: 0, thread_name: "wörker".to_owned()
    }
}

#[test]
fn nobody_has_an_empty_folder() {
    let place = Place::new();
    let found = place.look();
    assert_eq!(found.log_folder, place.logs().canonicalize().unwrap());
    assert!(!found.is_held() && found.holder.is_none() && found.runtime_directory.is_none());
    assert!(found.rings.is_empty() && found.left_behind.is_empty() && found.unreadable.is_empty());
}

#[test]
fn a_missing_folder_is_an_error_and_is_not_made() {
    let place = Place::new();
    let path = place.temp.path().join("missing");
    let text = inspect_with(&path, None, place.env()).unwrap_err().to_string();
    assert!(text.contains("cannot look at the log folder") && text.contains("missing"), "{text}");
    assert!(!path.exists());
    fs::write(&path, "").unwrap();
    assert!(inspect_with(&path, None, place.env()).unwrap_err().to_string().contains("os error 20"));
}

#[test]
fn holder_and_rings_of_a_repository_are_found_and_nothing_is_changed() {
    let place = Place::new();
    let runtime = place.open();
    let first = Segment::create(Some(runtime.path()), SMALLEST, &identity(10)).unwrap();
    let second = Segment::create(Some(runtime.path()), 2 * SMALLEST, &identity(9)).unwrap();
    first.producer_line().head.store(96, Ordering::Release);
    first.producer_line().accepted.store(2, Ordering::Relaxed);
    first.producer_line().lost[0].store(4, Ordering::Relaxed);
    first.consumer_line().store(48);
    first.consumer_line().count(1);
    second.producer_line().closed.store(1, Ordering::Release);
    let before = place.everything();
    let found = place.look();
    assert_eq!(place.everything(), before);
    assert!(found.is_held());
    assert_eq!(found.runtime_directory.as_deref(), Some(runtime.path()));
    let holder = found.holder.unwrap();
    assert_eq!(holder.process_id, Some(std::process::id()));
    assert!(holder.since.unwrap().starts_with("20"));
    let [nine, ten] = &found.rings[..] else { panic!("{:?}", found.rings) };
    assert_eq!((nine.ring, nine.capacity, nine.unread_bytes, nine.ended), (9, 131_072, 0, true));
    let expected = RingState {
        process_id: 7,
        thread_id: 8,
        thread_name: "wörker".to_owned(),
        ring: 10,
        generation: 0,
        capacity: 65_536,
        unread_bytes: 48,
        accepted: 2,
        written: 1,
        dropped: 4,
        pending: 1,
        ended: false,
    };
    assert_eq!(*ten, expected);
    assert!(found.left_behind.is_empty() && found.unreadable.is_empty());
}

#[test]
fn a_run_that_did_not_end_properly_is_left_behind_before_and_after_the_next_start() {
    let place = Place::new();
    let runtime = place.open();
    let path = runtime.path().to_owned();
    drop(Segment::create(Some(&path), SMALLEST, &identity(1)).unwrap());
    // What a killed process leaves: no lock, and all its files.
    let holder = fs::read(path.join("holder")).unwrap();
    drop(runtime);
    fs::write(path.join("holder"), holder).unwrap();
    let found = place.look();
    assert!(!found.is_held() && found.holder.as_ref().is_some_and(|holder| holder.process_id.is_some()));
    assert_eq!(found.left_behind, [LeftBehind { path: path.clone(), rings: 1 }]);
    assert_eq!(found.rings.len(), 1);

    runtime::put_aside(&path, &["ring-7-1-0".to_owned()]).unwrap();
    let _next = place.open();
    let found = place.look();
    assert!(found.is_held() && found.rings.is_empty());
    assert_eq!(found.left_behind, [LeftBehind { path: path.join("left-behind-1"), rings: 1 }]);
}

#[test]
fn files_that_are_no_rings_are_reported_and_the_others_shown() {
    let place = Place::new();
    let inside = place.inside();
    drop(Segment::create(Some(&inside), SMALLEST, &identity(1)).unwrap());
    fs::copy(inside.join("ring-7-1-0"), inside.join("ring-cut")).unwrap();
    OpenOptions::new().write(true).open(inside.join("ring-cut")).unwrap().set_len(9000).unwrap();
    fs::write(inside.join("ring-empty"), "").unwrap();
    fs::write(inside.join("ring-junk"), [b'x'; 9000]).unwrap();
    fs::create_dir(inside.join("ring-folder")).unwrap();
    symlink(inside.join("ring-7-1-0"), inside.join("ring-link")).unwrap();
    let fifo = inside.join("ring-fifo");
    rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
    let found = place.look();
    assert_eq!(found.rings.len(), 1);
    let name = |it: &Unreadable| it.path.file_name().unwrap().to_string_lossy().into_owned();
    let reasons: Vec<_> = found.unreadable.iter().map(|it| (name(it), it.reason.as_str())).collect();
    let [cut, empty, fifo, folder, junk, link] = &reasons[..] else { panic!("{reasons:?}") };
    assert_eq!(*cut, ("ring-cut".to_owned(), "the file is shorter than its capacity says"));
    assert_eq!(*empty, ("ring-empty".to_owned(), "it is shorter than a ring's header"));
    assert_eq!(*fifo, ("ring-fifo".to_owned(), "it is not a regular file"));
    assert_eq!(*folder, ("ring-folder".to_owned(), "it is not a regular file"));
    assert_eq!(*junk, ("ring-junk".to_owned(), "it does not begin as a ring does"));
    assert_eq!(*link, ("ring-link".to_owned(), "it is a symbolic link"));
}

#[test]
fn names_beyond_the_bound_are_not_taken_and_that_is_reported() {
    let place = Place::new();
    for name in ["ring-1", "ring-2", "ring-3"] {
        fs::write(place.inside().join(name), "").unwrap();
    }
    let user = rustix::process::geteuid().as_raw();
    let mut look = Look { users: [user, user], names_left: 2, unreadable: Vec::new() };
    assert_eq!(look.open(place.inside()).unwrap().names.len(), 2);
    assert!(look.unreadable[0].reason.contains("more than 100000 files"), "{:?}", look.unreadable);
}

#[test]
fn a_directory_that_is_a_link_is_not_followed() {
    let place = Place::new();
    let elsewhere = tempfile::tempdir().unwrap();
    fs::write(elsewhere.path().join("holder"), "7 2026-11-20T12:00:00Z\n").unwrap();
    symlink(elsewhere.path(), place.logs().join(".miu")).unwrap();
    let found = place.look();
    assert!(found.holder.is_none() && found.runtime_directory.is_none());
    assert!(found.unreadable[0].reason.starts_with("it is not a directory of user"));
}

#[test]
fn what_remote_sinks_keep_is_found_without_changing_anything() {
    let place = Place::new();
    let spools = place.logs().join(".outbox");
    assert_eq!(place.look().spools, []);
    for name in ["far", "near", "shop@far"] {
        fs::create_dir_all(spools.join(name)).unwrap();
        fs::write(spools.join(name).join("lock"), "").unwrap();
    }
    let heading = format!("# {} app INFO: no", "0".repeat(32));
    fs::write(spools.join("far/dead-letters"), format!("{heading}\na\n{heading}\nb\n")).unwrap();
    let before = place.everything();
    let found = place.look();
    assert_eq!(place.everything(), before);
    assert!(found.unreadable.is_empty(), "{found:?}");
    let spools = spools.canonicalize().unwrap();
    let empty = |folder: &str, app: Option<&str>, name: &str, dead_letters| SpoolState {
        app: app.map(str::to_owned),
        name: name.to_owned(),
        path: spools.join(folder),
        records: 0,
        bytes: 0,
        oldest: None,
        dead_letters,
    };
    let expected = [
        empty("far", None, "far", 2),
        empty("near", None, "near", 0),
        empty("shop@far", Some("shop"), "far", 0),
    ];
    assert_eq!(found.spools, expected);
    let of_app = inspect_with(&place.logs(), Some("shop"), place.env()).unwrap();
    assert!(of_app.spools.is_empty(), "they are shown once");
}

#[test]
fn what_is_no_spool_is_reported_and_waited_for_nowhere() {
    let place = Place::new();
    let far = place.logs().join(".outbox/far");
    fs::create_dir_all(&far).unwrap();
    fs::write(far.join("0000000000000001.spool"), [0xff; 100]).unwrap();
    fs::write(far.join("0000000000000002.spool"), [0; 100]).unwrap();
    let fifo = far.join("dead-letters");
    rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
    symlink("/dev/zero", far.join("position")).unwrap();
    symlink("/etc", place.logs().join(".outbox/link")).unwrap();
    let found = place.look();
    let [spool] = &found.spools[..] else { panic!("{found:?}") };
    assert_eq!((spool.records, spool.bytes, spool.oldest, spool.dead_letters), (0, 0, None, 0));
    let reasons: Vec<&str> = found.unreadable.iter().map(|it| it.reason.as_str()).collect();
    let [link, position, zeros, dead] = &reasons[..] else { panic!("{:?}", found.unreadable) };
    assert!(link.starts_with("it is not a directory of user"), "{link}");
    assert_eq!((*position, *dead), ("it is a symbolic link", "it is not a regular file"));
    assert!(zeros.starts_with("a record in it is damaged"), "{zeros}");
}

#[test]
fn of_two_places_the_one_written_to_last_counts() {
    let place = Place::new();
    let runtime = place.open();
    let inside = place.inside();
    fs::write(inside.join("holder"), "7 2001-01-01T00:00:00Z\n").unwrap();
    fs::write(inside.join("ring-7-0-0"), "").unwrap();
    let found = place.look();
    assert_eq!(found.holder.unwrap().process_id, Some(std::process::id()));
    assert_eq!(found.runtime_directory.as_deref(), Some(runtime.path()));
    let inside = inside.canonicalize().unwrap();
    assert_eq!(found.left_behind, [LeftBehind { path: inside.clone(), rings: 1 }]);
    fs::write(inside.join("holder"), "8 2999-01-01T00:00:00Z\n").unwrap();
    assert_eq!(place.look().holder.unwrap().process_id, Some(8));
}

#[test]
fn a_ring_in_use_is_never_taken_for_a_broken_one() {
    let place = Place::new();
    let inside = place.inside();
    let segment = Segment::create(Some(&inside), SMALLEST, &identity(1)).unwrap();
    let done = crate::sync::AtomicBool::new(false);
    let found: Vec<_> = std::thread::scope(|scope| {
        scope.spawn(|| {
            let (producer, consumer) = (segment.producer_line(), segment.consumer_line());
            let mut at = 0;
            while !done.load(Ordering::Relaxed) {
                at += 64;
                producer.head.store(at, Ordering::Release);
                consumer.store(at);
            }
        });
        while segment.consumer_line().load() == Some(0) {
            std::thread::yield_now();
        }
        let found = (0..2000).map(|_| read_ring(&inside.join("ring-7-1-0"))).collect();
        done.store(true, Ordering::Relaxed);
        found
    });
    assert!(found.iter().all(|ring| matches!(ring, Ok(Some(_)))), "{found:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_files_make_an_inspection_fail(
        holder in prop::collection::vec(any::<u8>(), 0..600),
        ring in prop::collection::vec(any::<u8>(), 0..1200),
    ) {
        let place = Place::new();
        let inside = place.inside();
        fs::write(inside.join("holder"), &holder).unwrap();
        fs::write(inside.join("ring-1-2-3"), &ring).unwrap();
        let found = place.look();
        prop_assert!(found.rings.is_empty() && found.unreadable.len() == 1);
    }
}
