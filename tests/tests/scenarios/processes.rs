//! Worker processes: they join a repository of another process, and log into its files.
// U-16, U-17, U-18, U-19, U-31, L-03, L-35, M-14, M-34, M-48, V-31, F23, F51, F53

use std::collections::BTreeSet;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use miu_log::{LogConfig, Pattern};
use miu_log_tests::{Place, logs, names, run, wait_until};

use crate::puppet::{Puppet, with_text};
use crate::{FLUSH, child, child_under, is_installed};

/// What a process has open.
fn descriptors(process: &str) -> Vec<String> {
    let folder = format!("/proc/{process}/fd");
    let links = std::fs::read_dir(folder).unwrap().flatten();
    links.filter_map(|link| std::fs::read_link(link.path()).ok()).map(|to| to.display().to_string()).collect()
}

/// Names of a process's threads.
fn threads(process: u32) -> Vec<String> {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).unwrap().flatten();
    tasks
        .map(|task| std::fs::read_to_string(task.path().join("comm")).unwrap().trim_end().to_owned())
        .collect()
}

/// A repository of this process.
fn opened(place: &Place) -> logs::Repository {
    logs::Repository::open(place.config()).unwrap()
}

#[test]
fn three_processes_log_thirty_whole_lines_into_one_file() {
    // L-35, L-03, U-19, M-14
    let place = Place::new();
    let layout = Pattern::parse("{time} | PID:{pid} | {level} | {message}").unwrap();
    let repo = logs::Repository::open(place.config().layout(layout)).unwrap();
    let mut workers: Vec<Puppet> = (0..3).map(|_| Puppet::worker(&place, &repo.queue())).collect();
    workers.iter_mut().for_each(|worker| worker.send("many 10 hello"));
    workers.iter_mut().for_each(|worker| assert_eq!(worker.answer("many"), "ok"));
    repo.flush(FLUSH).unwrap();
    let text = place.text("app.log");
    let mut found: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        let parts: Vec<&str> = line.split(" | ").collect();
        let [time, process, level, message] = parts[..] else { panic!("not a whole line: {line:?}") };
        assert!(time.len() == 23 && level.trim_end() == "INFO", "{line:?}");
        found.push((process.strip_prefix("PID:").unwrap().to_owned(), message.to_owned()));
    }
    let mut expected: Vec<(String, String)> = Vec::new();
    for worker in &workers {
        expected.extend((0..10).map(|number| (worker.id().to_string(), format!("hello 0 {number}"))));
    }
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}

#[test]
fn a_worker_process_is_named_in_its_records() {
    // M-34, M-48
    let place = Place::new();
    let repo = opened(&place);
    let mut by_default = Puppet::worker(&place, &repo.queue());
    by_default.make("log info default");
    let mut command = child(&place, "puppet");
    repo.queue().share_with(&mut command).unwrap();
    command.env("MIU_LOG_WORKER_NAME", "mailer");
    let mut by_environment = Puppet::start(command);
    by_environment.tell("connect");
    by_environment.make("log info environment");
    let mut command = child(&place, "puppet");
    repo.queue().share_with(&mut command).unwrap();
    command.env("MIU_LOG_WORKER_NAME", "mailer");
    let mut by_endpoint = Puppet::start(command);
    by_endpoint.tell("connect-as evil | name");
    by_endpoint.make("log info endpoint");
    repo.flush(FLUSH).unwrap();
    let text = place.text("app.log");
    for (name, message) in [
        (&*format!("Worker-{}", by_default.id()), "default"),
        ("mailer", "environment"),
        ("evil _ name", "endpoint"),
    ] {
        let line = text.lines().find(|line| line.ends_with(&format!(" | {message}"))).unwrap();
        assert!(line.contains(&format!(" | app | {name}/main | ")), "{line}");
    }
}

#[test]
fn a_worker_process_opens_no_log_file_and_has_no_listener() {
    // U-18
    let place = Place::new();
    let repo = opened(&place);
    let mut worker = Puppet::worker(&place, &repo.queue());
    worker.make("log error here");
    worker.make("flush");
    assert_eq!(place.messages("app.log"), ["here"]);
    let names: BTreeSet<String> = threads(worker.id()).into_iter().collect();
    assert!(!names.contains("miu-log"), "{names:?}");
    let open = descriptors(&worker.id().to_string());
    let logs = place.logs().display().to_string();
    assert!(!open.iter().any(|path| path.starts_with(&logs) || path.contains("checkpoint")), "{open:?}");
}

#[test]
fn no_descriptor_is_shared_with_a_child() {
    // V-31, F23
    let place = Place::new();
    let repo = opened(&place);
    repo.app.info("there is a ring");
    repo.flush(FLUSH).unwrap();
    let endpoint = repo.queue().endpoint().to_string();
    let (logs, runtime) = (place.logs().display().to_string(), endpoint.as_str());
    let own = descriptors("self");
    assert!(own.iter().any(|path| path.contains("app.log") && path.starts_with(&logs)), "{own:?}");
    assert!(own.iter().any(|path| path.starts_with(runtime)), "{own:?}");
    // A child that has nothing to do with the repository.
    let stranger = Puppet::new(&place);
    // It is the program that was to be started by then, not a copy of this one.
    let program = format!("/proc/{}/exe", stranger.id());
    let expected = std::fs::canonicalize(env!("CARGO_BIN_EXE_child")).unwrap();
    wait_until("the program is started", || std::fs::read_link(&program).is_ok_and(|path| path == expected));
    let open = descriptors(&stranger.id().to_string());
    assert!(!open.iter().any(|path| path.starts_with(&logs) || path.starts_with(runtime)), "{open:?}");
    // A worker has its own files there, and those only.
    let mut worker = Puppet::worker(&place, &repo.queue());
    worker.make("log info there is another ring");
    let open = descriptors(&worker.id().to_string());
    let shared = open.iter().filter_map(|path| path.strip_prefix(runtime)).collect::<Vec<_>>();
    let allowed = ["/control", "/member-2", "/dictionary-2"];
    assert!(shared.iter().all(|path| allowed.iter().any(|known| path == known)), "{shared:?}");
    // Nor does a child of a worker have any.
    let listed = worker.tell("spawn ls -l /proc/self/fd");
    assert!(listed.contains("/proc/") && !listed.contains(runtime), "{listed}");
    drop(repo);
}

#[test]
fn levels_reach_all_processes_with_the_very_next_call() {
    let place = Place::new();
    let repo = opened(&place);
    let mut worker = Puppet::worker(&place, &repo.queue());
    assert_eq!(worker.tell("levels"), "app=DEBUG db=DEBUG");
    repo.set_debug_enabled(false);
    assert_eq!(worker.tell("levels"), "app=INFO db=INFO");
    worker.make("log debug not taken");
    worker.make("log info taken");
    repo.set_debug_enabled(true);
    assert_eq!(worker.tell("levels"), "app=DEBUG db=DEBUG");
    repo.db.set_level(miu_log::Level::Error);
    assert_eq!(worker.tell("levels"), "app=DEBUG db=ERROR");
    repo.set_level(miu_log::Level::Warning);
    assert_eq!(worker.tell("levels"), "app=WARNING db=WARNING");
    repo.set_level(miu_log::Level::Trace);
    assert_eq!(worker.tell("levels"), "app=TRACE db=TRACE");
    // And the other way round.
    worker.make("set-debug off");
    assert!(!repo.debug_enabled() && !repo.app.enabled(miu_log::Level::Debug));
    worker.make("set-debug on");
    assert!(repo.debug_enabled() && repo.app.enabled(miu_log::Level::Debug));
    worker.make("set-db-level critical");
    assert!(!repo.db.enabled(miu_log::Level::Error) && repo.app.enabled(miu_log::Level::Trace));
    worker.make("set-level success");
    assert_eq!(
        (repo.db.enabled(miu_log::Level::Success), repo.app.enabled(miu_log::Level::Info)),
        (true, false)
    );
    repo.flush(FLUSH).unwrap();
    assert_eq!(place.messages("app.log"), ["taken"]);
}

#[test]
fn a_program_that_leaves_levels_out_leaves_them_out_for_itself() {
    let place = Place::new();
    let repo = opened(&place);
    let mut worker = Puppet::worker(&place, &repo.queue());
    let mut command = child(&place, "puppet");
    repo.queue().share_with(&mut command).unwrap();
    Puppet::start(command).make("connect-quiet");
    assert_eq!(worker.tell("levels"), "app=DEBUG db=DEBUG");
    repo.db.info("from here");
    repo.flush(FLUSH).unwrap();
    assert_eq!(place.messages("db.log"), ["not left out", "from here"]);
}

#[test]
fn a_worker_that_ends_ends_nobody_elses_logging_nor_the_listener_a_workers() {
    let place = Place::new();
    let repo = opened(&place);
    let mut first = Puppet::worker(&place, &repo.queue());
    let mut second = Puppet::worker(&place, &repo.queue());
    first.make("log info first");
    assert_eq!(first.tell("shutdown"), "written=1 dropped=0 abandoned=0");
    first.make("log info too late");
    assert_eq!(first.number("stats", "dropped"), 1);
    second.make("log info second");
    repo.app.info("main");
    let report = repo.shutdown();
    assert_eq!((report.written, report.abandoned), (3, 0), "{report:?}");
    assert_eq!(place.messages("app.log"), ["first", "second", "main"]);
    // The listener is gone; the worker's gates are open.
    assert_eq!(second.tell("levels"), "app=DEBUG db=DEBUG");
    second.make("log info kept");
    assert_eq!(second.number("stats", "dropped"), 0);
    let repo = opened(&place);
    repo.flush(FLUSH).unwrap();
    assert_eq!(place.messages("app.log"), ["first", "second", "main", "kept"]);
}

#[test]
fn domains_that_do_not_fit_are_an_error_that_lists_both_sides() {
    let place = Place::new();
    let repo = opened(&place);
    let endpoint = repo.queue().endpoint().to_string();
    let mut other = Puppet::start(shared(&place, &endpoint));
    let text = other.tell("connect-others");
    for part in ["billing missing", "the worker has app, billing", "the queue has app, db, redis, task"] {
        assert!(text.contains(part), "{text}");
    }
    // One that knows fewer of them is welcome: they are matched by name.
    other.make("connect-fewer");
    repo.flush(FLUSH).unwrap();
    assert_eq!(place.messages("db.log"), ["of few domains"]);
}

/// A puppet's command with an endpoint in its environment.
fn shared(place: &Place, endpoint: &str) -> Command {
    let mut command = child(place, "puppet");
    command.env("MIU_LOG_ENDPOINT", endpoint);
    command
}

#[test]
fn a_place_that_cannot_be_joined_is_an_error_that_says_why() {
    // F53
    let place = Place::new();
    let repo = opened(&place);
    let endpoint = repo.queue().endpoint().to_string();
    let mut puppet = Puppet::new(&place);
    let text = puppet.tell("connect");
    assert!(text.contains("MIU_LOG_ENDPOINT is not set") && text.contains("share_with"), "{text}");
    let mut refused = |at: &Path, reason: &str| {
        let text = puppet.tell(&format!("connect-to {}", at.display()));
        assert!(text.starts_with("error: ") && text.contains(reason), "{reason}: {text}");
        assert!(text.contains(&at.display().to_string()), "{text}");
    };
    refused(&place.root().join("nowhere"), "there is none");
    let folder = place.root().join("folder");
    std::fs::create_dir(&folder).unwrap();
    std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o755)).unwrap();
    refused(&folder, "only user");
    std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o700)).unwrap();
    refused(&folder, "control: No such file");
    std::fs::write(folder.join("control"), vec![b'x'; 8192]).unwrap();
    refused(&folder, "not what it should be");
    // As made by another version of the library, sound otherwise.
    std::fs::copy(Path::new(&endpoint).join("control"), folder.join("control")).unwrap();
    let control = std::fs::File::options().read(true).write(true).open(folder.join("control")).unwrap();
    let mut own = [0; 4];
    control.read_exact_at(&mut own, 8).unwrap();
    let own = u32::from_ne_bytes(own);
    control.write_all_at(&(own + 7).to_ne_bytes(), 8).unwrap();
    refused(&folder, &format!("it has layout version {}; this program speaks version {own}", own + 7));
    // The repository itself is as it was.
    assert_eq!(puppet.tell(&format!("connect-to {endpoint}")), "ok recovered=0");
    drop(repo);
    let mut late = Puppet::new(&place);
    let text = late.tell(&format!("connect-to {endpoint}"));
    assert!(text.starts_with("ok"), "a worker goes on there, and so can another: {text}");
}

#[test]
fn a_repository_that_has_ended_cannot_be_joined() {
    let place = Place::new();
    let repo = opened(&place);
    let endpoint = repo.queue().endpoint().to_string();
    drop(repo);
    let text = Puppet::new(&place).tell(&format!("connect-to {endpoint}"));
    assert!(text.contains("there is none; its process may have ended"), "{text}");
    let closed = logs::Repository::connect_to("").unwrap_err().to_string();
    assert!(closed.contains("cannot join the repository"), "{closed}");
}

#[test]
fn another_user_is_refused_with_the_reason() {
    // F51
    assert!(is_installed("setpriv"), "this scenario becomes another user by setpriv, which takes root");
    let place = Place::new();
    // The other user may come as far as the runtime directories, and may run the program.
    for folder in [place.root().to_owned(), place.runtime()] {
        std::fs::set_permissions(folder, PermissionsExt::from_mode(0o755)).unwrap();
    }
    let program = place.root().join("child");
    std::fs::copy(env!("CARGO_BIN_EXE_child"), &program).unwrap();
    let mut listener = Puppet::listener(&place);
    let endpoint = listener.tell("endpoint");
    let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups"];
    let mut command = Command::new("setpriv");
    command.args(nobody).arg(&program).args(["puppet", "unused"]);
    let mut stranger = Puppet::start(command);
    let text = stranger.tell(&format!("connect-to {endpoint}"));
    assert!(text.contains("only user 65534 can enter"), "{text}");
    // Where not even that can be seen: not taken for a repository that has ended.
    std::fs::set_permissions(place.runtime(), PermissionsExt::from_mode(0o700)).unwrap();
    let text = stranger.tell(&format!("connect-to {endpoint}"));
    assert!(text.contains("Permission denied"), "{text}");
    listener.make("log info undisturbed");
    listener.make("flush");
    assert_eq!(place.messages("app.log"), ["undisturbed"]);
}

#[test]
fn all_that_workers_do_is_in_the_counters_of_the_listeners_process() {
    let place = Place::new();
    let repo = opened(&place);
    let mut workers: Vec<Puppet> = (0..2).map(|_| Puppet::worker(&place, &repo.queue())).collect();
    for worker in &mut workers {
        worker.make("many 1000 record");
    }
    let mut gone = Puppet::worker(&place, &repo.queue());
    gone.make("many 500 gone");
    assert!(gone.ended_by("return").success());
    (0..100).for_each(|number| repo.db.info(format!("{number}")));
    repo.flush(FLUSH).unwrap();
    let stats = repo.stats();
    assert_eq!(
        (stats.accepted, stats.written, stats.pending, stats.corrupt),
        (2600, 2600, 0, 0),
        "{stats:?}"
    );
    assert_eq!(stats.domains[0].written.iter().sum::<u64>(), 2500);
    // A worker knows of its own.
    let own = workers[0].tell("stats");
    assert!(own.starts_with("accepted=1000 ") && own.contains("dropped=0"), "{own}");
    let report = repo.shutdown();
    assert_eq!((report.written, report.dropped, report.abandoned), (2600, 0, 0));
    assert_eq!(with_text(&place.entries("app.log"), "record 0 999").len(), 2);
}

#[test]
fn a_call_that_has_returned_stands_before_one_that_began_later_in_another_process() {
    // F78
    const RECORDS: u64 = 20_000;
    let place = Place::new();
    let config = place.config().overflow(miu_log::OverflowPolicy::Block).level_files(false);
    let repo = logs::Repository::open(config).unwrap();
    let mut workers: Vec<Puppet> = (0..2).map(|_| Puppet::worker(&place, &repo.queue())).collect();
    for (number, worker) in workers.iter_mut().enumerate() {
        worker.send(&format!("timed {RECORDS} {number}"));
    }
    workers.iter_mut().for_each(|worker| assert_eq!(worker.answer("timed"), "ok"));
    repo.flush(FLUSH).unwrap();
    let calls: Vec<[u64; 3]> = place
        .messages("app.log")
        .iter()
        .map(|message| {
            let mut words = message.split(' ').map(|word| word.parse().unwrap());
            std::array::from_fn(|_| words.next().unwrap())
        })
        .collect();
    assert_eq!(calls.len() as u64, 2 * RECORDS);
    // When a call has returned stands in the next one of its process.
    let mut returned = vec![u64::MAX; calls.len()];
    let mut last = [None; 2];
    for (index, [process, begin, returned_before]) in calls.iter().enumerate() {
        if let Some(before) = last[*process as usize].replace(index) {
            let [_, begin_before, _] = calls[before];
            assert!(begin_before < *begin, "the order of a process is exact");
            returned[before] = *returned_before;
        }
    }
    let mut latest_begin = 0;
    for ([_, begin, _], returned) in calls.iter().zip(returned) {
        assert!(
            returned >= latest_begin,
            "written behind one that began {} ns later",
            latest_begin - returned
        );
        latest_begin = latest_begin.max(*begin);
    }
    drop(repo);
}

#[test]
fn an_endpoint_is_a_text_that_leads_back() {
    // U-16, U-17, U-31
    let place = Place::new();
    let repo = opened(&place);
    let endpoint = repo.queue().endpoint();
    let worker = logs::Repository::connect_to(endpoint.to_string()).unwrap();
    worker.app.info("in the same process, by the way of another one");
    worker.flush(FLUSH).unwrap();
    let entry = &place.entries("app.log")[0];
    assert!(entry.thread.starts_with(&format!("Worker-{}/", std::process::id())), "{entry:?}");
    drop(worker);
    let early = logs::Repository::open(
        LogConfig::new(place.root().join("other")).intercept(false).panic_hook(false).console(false),
    )
    .unwrap();
    let queue = early.queue();
    drop(early);
    assert!(logs::Repository::connect_to(queue.endpoint()).is_err());
    repo.flush(Duration::from_secs(60)).unwrap();
    assert!(names(Path::new(&repo.queue().endpoint().to_string())).contains(&"control".to_owned()));
    let outcome = run(&mut child_under("env", ["MIU_LOG_ENDPOINT="], &place, "open"));
    assert!(outcome.printed().contains("in use"), "{outcome:?}");
}
