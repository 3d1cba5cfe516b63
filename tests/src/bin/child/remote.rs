//! Roles with a remote sink, whose destination is a file that takes a line a record: its id and its text.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::time::Duration;

use miu_log::{Batch, Deliver, DeliverError, Durability, Level, Pattern, Remote, Timeouts};
use miu_log_tests::{logs, wait_until};

use crate::{FLUSH, config, forks};

/// How the destination is doing.
enum Mood {
    Up,
    Down,
    /// It never answers.
    Hanging,
    /// It takes nothing as it is, and there is no spool.
    Refusing,
    /// It takes a batch, and the process is killed before it knows.
    Deadly,
}

struct Destination(File, Mood);

impl Deliver for Destination {
    fn deliver(&mut self, batch: &Batch<'_>, _timeouts: Timeouts) -> Result<(), DeliverError> {
        // What a crate under the deliverer logs must not come back to it.
        log::error!("from within the delivery");
        if matches!(self.1, Mood::Down) {
            return Err(DeliverError::retry("the destination is down"));
        }
        if matches!(self.1, Mood::Refusing) {
            return Err(DeliverError::refused("the destination wants nothing of it"));
        }
        if matches!(self.1, Mood::Hanging) {
            loop {
                std::thread::park();
            }
        }
        let mut text = String::new();
        for line in batch.iter() {
            text.push_str(&format!("{} {}", line.id(), String::from_utf8_lossy(line.as_bytes())));
        }
        self.0.write_all(text.as_bytes()).map_err(|error| DeliverError::retry(error.to_string()))?;
        if matches!(self.1, Mood::Deadly) {
            kill();
        }
        Ok(())
    }
}

fn kill() -> ! {
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    loop {
        std::thread::park();
    }
}

/// Forks a process that lives until there is no destination any more; then is killed.
fn leave_a_child(path: &str) -> ! {
    if forks::bare_fork() == 0 {
        // Whoever reads what its parent prints does not wait for it.
        let nothing = OpenOptions::new().write(true).open("/dev/null").unwrap();
        rustix::stdio::dup2_stdout(&nothing).unwrap();
        rustix::stdio::dup2_stderr(&nothing).unwrap();
        while std::path::Path::new(path).exists() {
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }
    kill()
}

/// Logs the numbers from `from` to `to`, to a destination of this mood; then is `killed` after a flush, which it may do when it `leaves-a-child`, or `ends`.
pub(crate) fn remote(folder: &str, more: &[String]) {
    let [path, mood, from, to, end] = more else {
        panic!("usage: remote <folder> <file> <mood> <from> <to> <end>")
    };
    let file = OpenOptions::new().append(true).create(true).open(path).unwrap();
    let destination = Destination(
        file,
        match mood.as_str() {
            "up" => Mood::Up,
            "down" => Mood::Down,
            "hanging" => Mood::Hanging,
            "refusing" => Mood::Refusing,
            _ => Mood::Deadly,
        },
    );
    let name = std::env::var("REMOTE_NAME").unwrap_or_else(|_| "far".to_owned());
    let far = Remote::new(&*name, destination)
        .layout(Pattern::parse("{message}").unwrap())
        .batch_age(if mood == "up" { Duration::from_millis(1) } else { Duration::from_secs(3600) });
    let far = if mood == "refusing" { far.without_spool() } else { far };
    let repo = logs::Repository::open(config(folder).sink(far)).unwrap();
    for number in from.parse::<u32>().unwrap()..to.parse().unwrap() {
        miu_log::info!(repo.app, "n {number}");
    }
    repo.flush(FLUSH).unwrap();
    let far = || repo.stats().sinks.into_iter().find(|sink| sink.name == name).unwrap();
    if mood == "up" {
        // A flush is content with what the spool has.
        wait_until("all have arrived", || far().held == 0);
    }
    let sink = far();
    println!("held={} dropped={} written={}", sink.held, sink.dropped, sink.written);
    match end.as_str() {
        "killed" => kill(),
        "leaves-a-child" => leave_a_child(path),
        _ => {}
    }
}

/// Logs records of these levels, some with a length as in `INFO:1000`, to a destination that takes nothing, each flushed, with this durability.
pub(crate) fn durable(folder: &str, more: &[String]) {
    let [durability, levels @ ..] = more else {
        panic!("usage: durable-remote <folder> <durability> <level>...")
    };
    let durability = match durability.as_str() {
        "os" => Durability::Os,
        "on-error" => Durability::SyncOnError,
        _ => Durability::SyncEvery(Duration::from_secs(3600)),
    };
    let file = OpenOptions::new().write(true).open("/dev/null").unwrap();
    // Its errors would be counted together with those of the spool.
    let far = Remote::new("far", Destination(file, Mood::Hanging));
    let config = config(folder).durability(durability).sink(far).sink_timeout(Duration::from_millis(200));
    let repo = logs::Repository::open(config).unwrap();
    for (number, level) in levels.iter().enumerate() {
        let (level, len) = level.split_once(':').unwrap_or((level, "0"));
        let more = "x".repeat(len.parse().unwrap());
        repo.app.log(level.parse::<Level>().unwrap(), format_args!("record {number}{more}"));
        repo.flush(FLUSH).unwrap();
    }
    let stats = repo.stats();
    let sink = stats.sinks.iter().find(|sink| sink.name == "far").unwrap();
    println!("held={} dropped={} errors={}", sink.held, sink.dropped, sink.errors);
}
