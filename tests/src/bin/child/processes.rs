//! A process that does what it is told: each line of stdin is a command, each is answered by one line.
//!
//! What a scenario with several processes is about is the order of their steps. So the steps stand in the scenario, and this role
//! knows the single ones only.

use std::fmt::{self, Write as _};
use std::io::{BufRead, Write};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use miu_log::context::{self, REQUEST_ID};
use miu_log::{Endpoint, Level, OverflowPolicy, Stats, fields, log_domains};
use miu_log_tests::{logs, now_nanos};

use crate::handlers::exit_at_once;
use crate::{FLUSH, config};

/// A program that knows fewer domains.
#[log_domains(db)]
mod fewer {}

/// One that knows a domain which nobody else has.
#[log_domains(app, billing)]
mod others {}

/// One that leaves the low levels of a domain out.
#[log_domains(app, db(max_level = "error"))]
mod quiet {}

/// A value whose text needs another record with such a value, for ever.
struct Endless<'a>(&'a logs::Repository);

impl fmt::Display for Endless<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        miu_log::info!(self.0.app, "inner {}", Endless(self.0));
        f.write_str("done")
    }
}

/// Threads that log until they are told to stop.
#[derive(Default)]
struct Threads {
    stop: Arc<AtomicBool>,
    /// For each, how many of its calls have returned.
    logged: Vec<Arc<AtomicU64>>,
    handles: Vec<JoinHandle<()>>,
}

impl Threads {
    /// Starts some more. Each rests for a moment after so many records.
    fn start(&mut self, repo: &logs::Repository, count: usize, tag: &str, rest_every: u64) {
        for _ in 0..count {
            let (stop, logged) = (self.stop.clone(), Arc::new(AtomicU64::new(0)));
            let (worker, tag, thread) =
                (logs::Repository::worker(repo.queue()), tag.to_owned(), self.logged.len());
            self.logged.push(logged.clone());
            self.handles.push(std::thread::spawn(move || {
                for number in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    miu_log::info!(worker.app, "{tag} {thread} {number}");
                    logged.store(number + 1, Ordering::Release);
                    if number % rest_every == rest_every - 1 {
                        std::thread::park_timeout(Duration::from_millis(1));
                    }
                }
            }));
        }
    }

    fn logged(&self) -> String {
        let counts = self.logged.iter().map(|logged| logged.load(Ordering::Acquire).to_string());
        counts.collect::<Vec<_>>().join(" ")
    }

    fn stop(&mut self) -> String {
        self.stop.store(true, Ordering::Relaxed);
        self.handles.drain(..).for_each(|handle| handle.join().unwrap());
        self.logged()
    }
}

/// Does what stdin says until it ends, or says how the process is to end.
pub(crate) fn puppet(folder: &str) {
    let mut repo: Option<logs::Repository> = None;
    let mut threads = Threads::default();
    for line in std::io::stdin().lock().lines() {
        let line = line.unwrap();
        let (command, rest) = line.split_once(' ').unwrap_or((&line, ""));
        let answer = match (command, &repo) {
            ("return", _) => return,
            ("exit", _) => std::process::exit(rest.parse().unwrap()),
            ("_exit", _) => exit_at_once(rest.parse().unwrap()),
            ("abort", _) => std::process::abort(),
            ("forget", _) => {
                std::mem::forget(repo.take());
                "ok".to_owned()
            }
            ("drop", _) => {
                drop(repo.take());
                "ok".to_owned()
            }
            ("stop", _) => threads.stop(),
            ("logged", _) => threads.logged(),
            ("open" | "take-over", None) => {
                let config = config(folder).overflow(OverflowPolicy::Block).take_over(command == "take-over");
                taken(&mut repo, logs::Repository::open(config))
            }
            ("connect", None) => taken(&mut repo, logs::Repository::connect()),
            ("connect-to", None) => taken(&mut repo, logs::Repository::connect_to(rest)),
            ("connect-as", None) => {
                let endpoint = Endpoint::from(std::env::var("MIU_LOG_ENDPOINT").unwrap());
                taken(&mut repo, logs::Repository::connect_to(endpoint.named(rest)))
            }
            ("connect-fewer", None) => match fewer::Repository::connect() {
                Ok(repo) => {
                    repo.db.info("of few domains");
                    "ok".to_owned()
                }
                Err(error) => error.to_string(),
            },
            ("connect-others", None) => match others::Repository::connect() {
                Ok(_) => "ok".to_owned(),
                Err(error) => error.to_string(),
            },
            ("take-over-others", None) => match others::Repository::open(config(folder).take_over(true)) {
                Ok(_) => "ok".to_owned(),
                Err(error) => error.to_string(),
            },
            ("connect-quiet", None) => match quiet::Repository::connect() {
                Ok(repo) => {
                    repo.db.warning("left out");
                    repo.db.error("not left out");
                    "ok".to_owned()
                }
                Err(error) => error.to_string(),
            },
            (_, None) => format!("no repository for {line:?}"),
            (command, Some(repo)) => with_repository(repo, &mut threads, command, rest),
        };
        let mut out = std::io::stdout().lock();
        writeln!(out, "{}", answer.replace('\n', "\\n")).unwrap();
        out.flush().unwrap();
    }
}

fn taken(repo: &mut Option<logs::Repository>, outcome: Result<logs::Repository, miu_log::Error>) -> String {
    match outcome {
        Ok(opened) => {
            let recovery = opened.recovery();
            *repo = Some(opened);
            format!("ok recovered={}", recovery.records)
        }
        Err(error) => format!("error: {error}"),
    }
}

/// A command for a repository that is there.
fn with_repository(repo: &logs::Repository, threads: &mut Threads, command: &str, rest: &str) -> String {
    let words: Vec<&str> = rest.split(' ').collect();
    match (command, &words[..]) {
        // log <level> <text>
        ("log", [level, text @ ..]) => {
            repo.app.log(Level::from_str(level).unwrap(), text.join(" "));
            "ok".to_owned()
        }
        // in-context <request> <text>: by a bound logger
        ("in-context", [request, text @ ..]) => {
            let _scope = context::scope(REQUEST_ID.with(*request));
            repo.app.bind(fields!(bound = 1)).info(text.join(" "));
            "ok".to_owned()
        }
        // many <count> <text>: in app, numbered
        ("many", [count, text]) => {
            (0..count.parse::<u64>().unwrap())
                .for_each(|number| miu_log::info!(repo.app, "{text} 0 {number}"));
            "ok".to_owned()
        }
        // fill <text>: numbered records of 8 KiB until one is dropped; how many were not
        ("fill", [text]) => {
            let filler = "x".repeat(8192);
            let mut number = 0_u64;
            loop {
                let dropped = repo.stats().dropped;
                miu_log::info!(repo.app, "{text} 0 {number} {filler}");
                if repo.stats().dropped > dropped {
                    return number.to_string();
                }
                number += 1;
            }
        }
        // long <bytes> <text>: a record too long for any ring
        ("long", [bytes, text]) => {
            repo.app.info(format!("{text} {}", "x".repeat(bytes.parse().unwrap())));
            "ok".to_owned()
        }
        // lose <count>: that many records are nested too deep to be taken
        ("lose", [count]) => {
            (0..count.parse::<u64>().unwrap())
                .for_each(|_| miu_log::info!(repo.app, "outer {}", Endless(repo)));
            "ok".to_owned()
        }
        // threads <count> <tag> <rest every>
        ("threads", [count, tag, rest]) => {
            threads.start(repo, count.parse().unwrap(), tag, rest.parse().unwrap());
            "ok".to_owned()
        }
        // timed <count> <tag>: each says when its call began, and when the one before had returned
        ("timed", [count, tag]) => {
            let mut returned = 0;
            for _ in 0..count.parse::<u64>().unwrap() {
                let begin = now_nanos();
                miu_log::info!(repo.app, "{tag} {begin} {returned}");
                returned = now_nanos();
            }
            "ok".to_owned()
        }
        // which levels of app and db are taken
        ("levels", _) => {
            let mut taken = String::new();
            for (name, logger) in [("app", &repo.app), ("db", &repo.db)] {
                let lowest = Level::ALL.into_iter().find(|level| logger.enabled(*level));
                let _ = write!(taken, "{name}={} ", lowest.map_or("none", Level::as_str));
            }
            taken.trim_end().to_owned()
        }
        ("set-debug", [wanted]) => {
            repo.set_debug_enabled(*wanted == "on");
            "ok".to_owned()
        }
        ("set-level", [level]) => {
            repo.set_level(Level::from_str(level).unwrap());
            "ok".to_owned()
        }
        // set-db-level-for <level> <seconds>
        ("set-db-level-for", [level, seconds]) => {
            let time = Duration::from_secs(seconds.parse().unwrap());
            repo.db.set_level(Level::from_str(level).unwrap()).for_(time);
            "ok".to_owned()
        }
        ("set-db-level", [level]) => {
            repo.db.set_level(Level::from_str(level).unwrap());
            "ok".to_owned()
        }
        // set-target <target> <level>, and for a limited time: set-target-for <target> <level> <seconds>
        ("set-target", [target, level]) => {
            match repo.set_target_level(target, Level::from_str(level).unwrap()) {
                Ok(_) => "ok".to_owned(),
                Err(error) => format!("error: {error}"),
            }
        }
        ("set-target-for", [target, level, seconds]) => {
            let time = Duration::from_secs(seconds.parse().unwrap());
            repo.set_target_level(target, Level::from_str(level).unwrap()).unwrap().for_(time);
            "ok".to_owned()
        }
        ("reset-target", [target]) => repo.reset_target_level(target).to_string(),
        // foreign <text>: a debug record of each facade, as another crate logs it
        ("foreign", [text]) => {
            log::debug!(target: "sqlx::query", "log {text}");
            tracing::debug!(target: "sqlx::query", "tracing {text}");
            "ok".to_owned()
        }
        // what the facades are asked for, and whether they take these records
        ("foreign-levels", _) => {
            let log = log::log_enabled!(target: "sqlx::query", log::Level::Debug);
            let tracing = tracing::enabled!(target: "sqlx::query", tracing::Level::DEBUG);
            format!("{} log={log} tracing={tracing}", log::max_level())
        }
        ("flush", _) => match repo.flush(FLUSH) {
            Ok(()) => "ok".to_owned(),
            Err(error) => format!("error: {error}"),
        },
        ("stats", _) => {
            let Stats { accepted, written, dropped, pending, corrupt, abandoned, .. } = repo.stats();
            format!(
                "accepted={accepted} written={written} dropped={dropped} pending={pending} corrupt={corrupt} abandoned={abandoned}"
            )
        }
        ("shutdown", _) => {
            let report = repo.shutdown();
            format!("written={} dropped={} abandoned={}", report.written, report.dropped, report.abandoned)
        }
        ("endpoint", _) => repo.queue().endpoint().to_string(),
        // spawn <program> <arguments>: runs it, and gives what it prints
        ("spawn", [program, arguments @ ..]) => {
            let output = std::process::Command::new(program).args(arguments).output().unwrap();
            String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
        }
        other => format!("unknown command {other:?}"),
    }
}

/// Logs before `init`, has the folder, and goes on until stdin ends.
pub(crate) fn early_hold(folder: &str) {
    logs::repo().app.info("before init");
    let repo = logs::init(config(folder)).unwrap();
    repo.flush(FLUSH).unwrap();
    println!("holding");
    let _ = std::io::stdin().lock().lines().next();
    repo.app.info("going on");
}
