//! Shared memory that is broken, on purpose or not: the listener lives, others are not affected, what is lost is counted.
// F44 to F49, F51, F52

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use miu_log::testing::ManualListener;
use miu_log_tests::{Place, logs, names, run, wait, wait_until};

use crate::{FLUSH, child, child_under};

/// A worker process that logs when it is told to.
struct Worker {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Worker {
    fn start(command: &mut Command) -> Worker {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let mut worker = Worker { child, stdin, stdout };
        assert_eq!(worker.hear(), "joined\n");
        worker
    }

    fn of(place: &Place, repo: &logs::Repository, role: &str) -> Worker {
        let mut command = child(place, role);
        repo.queue().share_with(&mut command).unwrap();
        Worker::start(&mut command)
    }

    fn hear(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line
    }

    /// Ten records. What it says of it; nothing where it has died of it.
    fn log(&mut self, how: &str) -> String {
        let _ = self.stdin.as_mut().unwrap().write_all(format!("{how}\n").as_bytes());
        self.hear()
    }

    fn end(mut self) {
        drop(self.stdin.take());
        wait(&mut self.child);
    }

    /// Its number in the runtime directory.
    fn member(&self, runtime: &Path) -> u32 {
        let of = |name: &String| {
            let number: u32 = name.strip_prefix("member-")?.parse().ok()?;
            let mut process = [0; 4];
            File::open(runtime.join(name)).ok()?.read_exact_at(&mut process, 12).ok()?;
            (u32::from_le_bytes(process) == self.child.id()).then_some(number)
        };
        names(runtime).iter().find_map(of).unwrap()
    }

    /// Numbers of its records in the file.
    fn numbers(&self, place: &Place) -> Vec<u32> {
        let begin = format!("w {} ", self.child.id());
        let messages = place.messages("app.log");
        let own = messages.iter().filter_map(|message| message.strip_prefix(&begin));
        own.map(|rest| rest.split(' ').next().unwrap().parse().unwrap()).collect()
    }
}

fn runtime_of(repo: &logs::Repository) -> PathBuf {
    PathBuf::from(repo.queue().endpoint().to_string())
}

fn writable(path: &Path) -> File {
    OpenOptions::new().read(true).write(true).open(path).unwrap()
}

fn punch(file: &File, from: u64, len: u64) {
    use rustix::fs::FallocateFlags;
    let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    rustix::fs::fallocate(file, flags, from, len).unwrap();
}

/// What is done to the files of a worker, by their name: `{}` is its number.
struct Damage {
    what: &'static str,
    file: &'static str,
    long: bool,
    /// The ring is given up, with one error record.
    corrupt: bool,
    act: fn(&Path),
}

const DAMAGES: &[Damage] = &[
    Damage { what: "nothing", file: "ring-{}-1-0", long: false, corrupt: false, act: |_| {} },
    Damage {
        what: "cut",
        file: "ring-{}-1-0",
        long: false,
        corrupt: true,
        act: |path| writable(path).set_len(0).unwrap(),
    },
    Damage {
        what: "cut in the data",
        file: "ring-{}-1-0",
        long: false,
        corrupt: true,
        act: |path| writable(path).set_len(4096).unwrap(),
    },
    Damage {
        what: "grown",
        file: "ring-{}-1-0",
        long: false,
        corrupt: false,
        act: |path| writable(path).set_len(1 << 30).unwrap(),
    },
    Damage {
        what: "a hole in the header",
        file: "ring-{}-1-0",
        long: false,
        corrupt: true,
        act: |path| punch(&writable(path), 0, 4096),
    },
    Damage {
        what: "a hole in the data",
        file: "ring-{}-1-0",
        long: false,
        corrupt: true,
        act: |path| punch(&writable(path), 4096, 65536),
    },
    Damage {
        what: "noise in the data",
        file: "ring-{}-1-0",
        long: false,
        corrupt: true,
        act: |path| writable(path).write_all_at(&[0xa5; 65536], 4096).unwrap(),
    },
    Damage {
        what: "a counter that goes back",
        file: "ring-{}-1-0",
        long: false,
        corrupt: true,
        act: |path| writable(path).write_all_at(&8_u64.to_le_bytes(), 256).unwrap(),
    },
    Damage {
        what: "a counter far ahead",
        file: "ring-{}-1-0",
        long: false,
        corrupt: true,
        act: |path| writable(path).write_all_at(&(1_u64 << 60).to_le_bytes(), 256).unwrap(),
    },
    Damage {
        what: "nonsense for a count",
        file: "ring-{}-1-0",
        long: false,
        corrupt: false,
        act: |path| writable(path).write_all_at(&u64::MAX.to_le_bytes(), 264).unwrap(),
    },
    Damage {
        what: "member cut",
        file: "member-{}",
        long: false,
        corrupt: false,
        act: |path| writable(path).set_len(0).unwrap(),
    },
    Damage {
        what: "member empty",
        file: "member-{}",
        long: false,
        corrupt: false,
        act: |path| punch(&writable(path), 0, 4096),
    },
    Damage {
        what: "member noise",
        file: "member-{}",
        long: false,
        corrupt: false,
        act: |path| writable(path).write_all_at(&[0xff; 1000], 0).unwrap(),
    },
    Damage {
        what: "member gone",
        file: "member-{}",
        long: false,
        corrupt: false,
        act: |path| std::fs::remove_file(path).unwrap(),
    },
    Damage {
        what: "dictionary cut",
        file: "dictionary-{}",
        long: false,
        corrupt: false,
        act: |path| writable(path).set_len(3).unwrap(),
    },
    Damage {
        what: "dictionary noise",
        file: "dictionary-{}",
        long: false,
        corrupt: false,
        act: |path| writable(path).write_all_at(&[0xa5; 5000], 0).unwrap(),
    },
    Damage {
        what: "dictionary huge",
        file: "dictionary-{}",
        long: false,
        corrupt: false,
        act: |path| {
            let file = writable(path);
            file.set_len(0).unwrap();
            file.set_len(1 << 40).unwrap();
        },
    },
    Damage {
        what: "blob cut",
        file: "blob-{}-0",
        long: true,
        corrupt: false,
        act: |path| writable(path).set_len(5).unwrap(),
    },
    Damage {
        what: "blob noise",
        file: "blob-{}-1",
        long: true,
        corrupt: false,
        act: |path| writable(path).write_all_at(&[0xff; 300], 0).unwrap(),
    },
    Damage {
        what: "blob huge",
        file: "blob-{}-2",
        long: true,
        corrupt: false,
        act: |path| writable(path).set_len(1 << 40).unwrap(),
    },
    Damage {
        what: "blob gone",
        file: "blob-{}-3",
        long: true,
        corrupt: false,
        act: |path| std::fs::remove_file(path).unwrap(),
    },
    Damage {
        what: "a directory for a blob",
        file: "blob-{}-4",
        long: true,
        corrupt: false,
        act: |path| {
            std::fs::remove_file(path).unwrap();
            std::fs::create_dir(path).unwrap();
        },
    },
];

/// F45, F46: one worker's file is damaged while there are unread records in its ring.
#[test]
fn a_workers_broken_files_are_its_own_affair() {
    for damage in DAMAGES {
        let what = damage.what;
        let place = Place::new();
        let listener = ManualListener::new();
        let repo = logs::Repository::open(place.config().manual_listener(&listener)).unwrap();
        let mut bad = Worker::of(&place, &repo, "scripted-worker");
        let mut good = Worker::of(&place, &repo, "scripted-worker");
        let runtime = runtime_of(&repo);
        let file = damage.file.replace("{}", &bad.member(&runtime).to_string());
        if !damage.long {
            bad.log("");
            good.log("");
            repo.flush(FLUSH).unwrap();
            assert_eq!(bad.numbers(&place).len(), 10, "{what}");
        }
        bad.log(if damage.long { "long" } else { "" });
        good.log("");
        (damage.act)(&runtime.join(&file));
        repo.app.info("main");
        repo.flush(FLUSH).unwrap();
        // It may die of it now: it has damaged memory that it has mapped.
        bad.log("");
        good.log("long");
        repo.flush(FLUSH).unwrap();
        let (of_bad, of_good) = (bad.numbers(&place), good.numbers(&place));
        let all_of_good = if damage.long { 20 } else { 30 };
        assert_eq!(of_good, (0..all_of_good).collect::<Vec<_>>(), "{what}");
        let errors =
            place.entries("app.log").into_iter().filter(|it| it.message.contains("a ring is corrupt"));
        assert_eq!(errors.count(), usize::from(damage.corrupt), "{what}");
        let corrupt = repo.stats().corrupt;
        match (damage.corrupt, damage.long) {
            (true, _) => assert!(corrupt > 0, "{what}"),
            (false, true) => {
                assert!(of_bad.len() + corrupt as usize >= 20, "{what}: {corrupt} {of_bad:?}");
            }
            (false, false) if damage.file.starts_with("dictionary") || what == "member cut" => {}
            (false, false) => assert_eq!((of_bad.len(), corrupt), (30, 0), "{what}"),
        }
        bad.end();
        good.end();
        repo.app.info("after");
        repo.shutdown();
        assert!(place.messages("app.log").iter().any(|message| message == "after"), "{what}");
    }
}

/// F47: lengths and all else change while they are looked at.
#[test]
fn bytes_that_change_while_they_are_read_harm_nobody() {
    let place = Place::new();
    let repo = logs::Repository::open(place.config()).unwrap();
    let mut bad = Worker::of(&place, &repo, "scripted-worker");
    let mut good = Worker::of(&place, &repo, "scripted-worker");
    bad.log("");
    let runtime = runtime_of(&repo);
    let file = writable(&runtime.join(format!("ring-{}-1-0", bad.member(&runtime))));
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0_u32.. {
                if over.load(Ordering::Relaxed) {
                    break;
                }
                let len = [24_u32, 0, u32::MAX, 16_384, 40, 7][round as usize % 6];
                file.write_all_at(&len.to_le_bytes(), 4096 + u64::from(round % 400) * 8).unwrap();
            }
        });
        for _ in 0..50 {
            bad.log("");
            good.log("");
        }
        repo.flush(FLUSH).unwrap();
        over.store(true, Ordering::Relaxed);
    });
    good.log("");
    repo.flush(FLUSH).unwrap();
    assert_eq!(good.numbers(&place), (0..510).collect::<Vec<_>>());
    bad.end();
    good.end();
    repo.shutdown();
}

/// F48: in the time in which four workers get their records written, a flood does not starve them.
#[test]
fn a_flood_delays_others_by_a_bounded_number_of_its_records() {
    let place = Place::new();
    let config = place.config().overflow(miu_log::OverflowPolicy::DropNewest).ring_limit(256 * 1024);
    let repo = logs::Repository::open(config).unwrap();
    let mut flood = Worker::of(&place, &repo, "flooding-worker");
    let mut others: Vec<Worker> = (0..4).map(|_| Worker::of(&place, &repo, "scripted-worker")).collect();
    for _ in 0..10 {
        others.iter_mut().for_each(|other| _ = other.log(""));
        // The flood goes on, and the flush is answered all the same.
        repo.flush(FLUSH).unwrap();
    }
    for other in &others {
        assert_eq!(other.numbers(&place), (0..100).collect::<Vec<_>>());
    }
    flood.child.kill().unwrap();
    flood.end();
    others.into_iter().for_each(Worker::end);
    repo.shutdown();
    assert!(place.messages("db.log").len() > 1000);
}

/// F52: names that are gone are no reason to stop.
#[test]
fn files_that_are_unlinked_while_in_use_are_used_on() {
    let place = Place::new();
    let repo = logs::Repository::open(place.config()).unwrap();
    let mut worker = Worker::of(&place, &repo, "scripted-worker");
    worker.log("");
    repo.app.info("has a ring");
    repo.flush(FLUSH).unwrap();
    let runtime = runtime_of(&repo);
    for name in names(&runtime) {
        std::fs::remove_file(runtime.join(name)).unwrap();
    }
    worker.log("");
    repo.app.info("goes on");
    repo.set_debug_enabled(false);
    repo.flush(FLUSH).unwrap();
    assert_eq!(worker.numbers(&place), (0..20).collect::<Vec<_>>());
    worker.end();
    repo.shutdown();
    assert!(place.messages("app.log").iter().any(|message| message == "goes on"));
    drop(logs::Repository::open(place.config()).unwrap());
}

/// A generator of numbers: the same ones each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

/// F46: any file of a dead run, with any bytes in it.
#[test]
fn a_recovery_takes_any_bytes() {
    let place = Place::new();
    let mut dead = child(&place, "crash-in-all-domains");
    let unusable = place.root().join("unusable");
    std::fs::write(&unusable, "").unwrap();
    dead.env("MIU_LOG_RUNTIME_DIR", unusable.join("x")).stderr(Stdio::null()).status().unwrap();
    let left = names(&place.log(".miu"));
    let mut random = Numbers(7);
    for (round, name) in left.iter().cycle().take(left.len() * 8).enumerate() {
        let copy = Place::new();
        std::fs::create_dir(copy.logs()).unwrap();
        std::fs::create_dir(copy.log(".miu")).unwrap();
        std::fs::set_permissions(copy.log(".miu"), PermissionsExt::from_mode(0o700)).unwrap();
        for file in names(&place.logs()).iter().filter(|file| *file != ".miu") {
            std::fs::copy(place.log(file), copy.log(file)).unwrap();
        }
        for file in &left {
            std::fs::copy(place.log(".miu").join(file), copy.log(".miu").join(file)).unwrap();
        }
        let broken = writable(&copy.log(".miu").join(name));
        let len = broken.metadata().unwrap().len();
        match round / left.len() {
            0 => broken.set_len(0).unwrap(),
            1 => broken.set_len(len / 2).unwrap(),
            2 => broken.set_len(len + (1 << 33)).unwrap(),
            3 => punch(&broken, 0, 4096),
            _ => {
                for _ in 0..1 + random.below(20) {
                    let end = if random.below(2) == 0 { 600 } else { len.max(1) };
                    let at = random.below(end);
                    let bytes = random.below(1 << 31) as u32;
                    let bytes = if random.below(3) == 0 { u32::MAX } else { bytes };
                    broken.write_all_at(&bytes.to_le_bytes(), at).unwrap();
                }
            }
        }
        let first = miu_log::recover(copy.logs());
        // Whatever was found, it does not stand in the way of a new start.
        let repo = logs::Repository::open(copy.config());
        let repo = repo.unwrap_or_else(|error| panic!("{name} in round {round}: {error}; {first:?}"));
        repo.app.info("started");
        repo.shutdown();
        if name.starts_with("ring-") {
            // The others' records are all there.
            let text = crate::everything(&copy.logs());
            let there = |domain: &str| {
                let end = format!(" of {domain}");
                let lines = text.lines().filter(|line| line.ends_with(&end));
                lines.map(|line| line.split("| n ").nth(1).unwrap()).collect::<BTreeSet<_>>().len()
            };
            let whole = ["app", "db", "redis", "task"].iter().filter(|domain| there(domain) == 50).count();
            assert!(whole >= 3, "{name} in round {round}: {first:?}");
        }
    }
}

/// F46: what a start makes of nonsense in the place of the shared page of a living repository.
#[test]
fn noise_in_the_shared_page_stops_nobody() {
    let place = Place::new();
    let repo = logs::Repository::open(place.config()).unwrap();
    let mut worker = Worker::of(&place, &repo, "scripted-worker");
    worker.log("");
    let control = writable(&runtime_of(&repo).join("control"));
    let len = control.metadata().unwrap().len() as usize;
    // Behind the page: the description. Those who have joined need it no more; those who come are refused.
    control.write_all_at(&vec![0xff; len - 4096], 4096).unwrap();
    let mut late = child(&place, "scripted-worker");
    repo.queue().share_with(&mut late).unwrap();
    assert!(run(&mut late).printed().contains("control is not whole"));
    worker.log("");
    repo.flush(FLUSH).unwrap();
    assert_eq!(worker.numbers(&place).len(), 20);
    worker.end();
    repo.shutdown();
}

/// F49: a process that has got the number of a dead one is not taken for it.
#[test]
fn a_number_that_was_given_away_again_is_nobody() {
    let place = Place::new();
    let script = "\"$0\" crash \"$2\" kill 500 & dead=$!; wait $dead; \
                  echo $((dead - 1)) > /proc/sys/kernel/ns_last_pid; sleep 600 & echo again=$! dead=$dead; \
                  exec \"$0\" reopen \"$2\"";
    assert!(
        crate::is_installed("unshare") && rustix::process::geteuid().is_root(),
        "it takes root and unshare"
    );
    let mut command =
        child_under("unshare", ["-p", "-f", "--mount-proc", "sh", "-c", script], &place, "role");
    let outcome = run(&mut command);
    assert_eq!(outcome.number("again"), outcome.number("dead"), "{outcome:?}");
    assert_eq!(
        (outcome.number("pid"), outcome.number("corrupt")),
        (outcome.number("dead"), 0),
        "{outcome:?}"
    );
    let messages = place.messages("app.log");
    assert_eq!(messages.iter().filter(|message| message.starts_with("n ")).count(), 500);
}

/// F44: memory that is full is no fault: rings of a process that has joined are in the log folder then, and a join is refused.
#[test]
fn a_full_memory_file_system_loses_nothing_of_who_has_joined() {
    let place = Place::new();
    let small = place.runtime();
    let mount = ["-t", "tmpfs", "-o", "size=512k,mode=700", "miu-log-test"];
    assert!(Command::new("mount").args(mount).arg(&small).status().unwrap().success(), "it takes root");
    struct Mounted(PathBuf);
    impl Drop for Mounted {
        fn drop(&mut self) {
            let _ = Command::new("umount").arg("-l").arg(&self.0).status();
        }
    }
    let _mounted = Mounted(small.clone());
    let mut main = child(&place, "serve");
    let mut main = main.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut said = BufReader::new(main.stdout.take().unwrap());
    let mut endpoint = String::new();
    said.read_line(&mut endpoint).unwrap();
    let start = || {
        let mut command = child(&place, "scripted-worker");
        command.env("MIU_LOG_ENDPOINT", endpoint.trim_end());
        command
    };
    // The first one joins while there is room; then there is none for its ring.
    let mut joined = Worker::start(&mut start());
    let filler = small.join("filler");
    let _ = std::fs::write(&filler, vec![1; 1 << 20]);
    assert_eq!(joined.log(""), "logged dropped=0\n");
    let refused = run(&mut start());
    assert!(refused.printed().contains("No space left"), "{refused:?}");
    std::fs::remove_file(&filler).unwrap();
    assert_eq!(joined.log(""), "logged dropped=0\n");
    let ours = joined.child.id();
    joined.end();
    main.stdin.take().unwrap().write_all(b"\n").unwrap();
    let mut rest = String::new();
    said.read_line(&mut rest).unwrap();
    assert!(wait(&mut main).success());
    assert_eq!(rest, "dropped=0 corrupt=0\n");
    let messages = place.messages("app.log");
    let begin = format!("w {ours} ");
    assert_eq!(messages.iter().filter(|message| message.starts_with(&begin)).count(), 20);
}

/// F51: what somebody else has put where the runtime directories are.
#[test]
fn a_place_that_was_made_by_somebody_else_is_refused_with_the_reason() {
    const NOBODY: u32 = 65_534;
    assert!(
        rustix::process::geteuid().is_root() && crate::is_installed("setpriv"),
        "this scenario takes root and setpriv to become a user without rights"
    );
    let own = PathBuf::from(format!("/dev/shm/miu-log-{NOBODY}"));
    let _ = std::fs::remove_dir_all(&own);
    let chown = |path: &Path| std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    chown(elsewhere.path());
    let makers: [(&str, &dyn Fn()); 6] = [
        ("not a directory of user 65534", &|| std::fs::write(&own, "").unwrap()),
        ("not a directory of user 65534", &|| symlink(elsewhere.path(), &own).unwrap()),
        ("not a directory of user 65534", &|| {
            rustix::fs::mkfifoat(rustix::fs::CWD, &own, rustix::fs::Mode::from_raw_mode(0o666)).unwrap();
        }),
        ("not a directory of user 65534", &|| std::fs::create_dir(&own).unwrap()),
        ("others may enter it", &|| {
            std::fs::create_dir(&own).unwrap();
            std::fs::set_permissions(&own, PermissionsExt::from_mode(0o777)).unwrap();
            chown(&own);
        }),
        ("", &|| {
            std::fs::create_dir(&own).unwrap();
            std::fs::set_permissions(&own, PermissionsExt::from_mode(0o700)).unwrap();
            chown(&own);
        }),
    ];
    for (reason, make) in makers {
        make();
        let place = Place::new();
        std::fs::set_permissions(place.root(), PermissionsExt::from_mode(0o755)).unwrap();
        std::fs::create_dir(place.logs()).unwrap();
        chown(&place.logs());
        // Not the binary where it was built, which this user may not reach.
        let program = place.root().join("child");
        std::fs::copy(env!("CARGO_BIN_EXE_child"), &program).unwrap();
        std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&program);
        command.arg("open").arg(place.logs()).env_remove("MIU_LOG_RUNTIME_DIR");
        let outcome = run(&mut command);
        assert_eq!(outcome.printed(), "opened", "{outcome:?}");
        assert_eq!(place.messages("app.log"), ["opened"]);
        assert!(outcome.stderr.contains(reason), "{reason}: {outcome:?}");
        assert_eq!(outcome.stderr.contains(".miu"), !reason.is_empty(), "{outcome:?}");
        assert!(names(elsewhere.path()).is_empty(), "nothing was put where the link leads");
        if own.is_dir() && !own.is_symlink() {
            std::fs::remove_dir_all(&own).unwrap();
        } else {
            std::fs::remove_file(&own).unwrap();
        }
    }
    wait_until("nothing is left", || !own.exists());
}
