//! Runs one round: starts the processes, sees them die, closes the folder, checks it.

use std::io::{self, BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use miu_log_tests::chaos::{Acked, Life, Report, check};
use miu_log_tests::{DEADLINE, names};
use tempfile::TempDir;

use crate::plan::{End, Round};

/// A process that is to die at a step gets so long after its last record before it is taken for one that does not
/// reach it.
const GRACE: Duration = Duration::from_millis(200);
/// And so long after its start.
const PATIENCE: Duration = Duration::from_secs(4);
/// How many files that were left behind are told.
const MOST_TOLD: usize = 5;
/// How often a process is looked at.
const LOOK: Duration = Duration::from_millis(1);

/// What became of a round.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Whether every step at which a process was to die was reached.
    pub(crate) reached: bool,
    /// How many records the starts after a death have said to bring back.
    pub(crate) recovered: u64,
    pub(crate) report: Report,
    /// What was wrong, besides the files.
    pub(crate) problems: Vec<String>,
    /// The folders, where something was wrong.
    pub(crate) kept: Vec<PathBuf>,
}

impl Outcome {
    pub(crate) fn is_clean(&self) -> bool {
        self.problems.is_empty() && self.report.is_clean()
    }
}

/// The folders of a round: its logs and notes, and the memory of its rings.
struct Place {
    root: TempDir,
    runtime: TempDir,
}

impl Place {
    fn new(number: u64) -> io::Result<Place> {
        let prefix = format!("miu-log-chaos-{number}-");
        let folder = || tempfile::Builder::new().prefix(&prefix).to_owned();
        let memory = Path::new("/dev/shm");
        let runtime = if memory.is_dir() { folder().tempdir_in(memory) } else { folder().tempdir() };
        Ok(Place { root: folder().tempdir()?, runtime: runtime? })
    }

    fn logs(&self) -> PathBuf {
        self.root.path().join("logs")
    }

    fn note(&self, kind: &str, tag: &str) -> PathBuf {
        self.root.path().join(format!("{kind}-{tag}"))
    }
}

/// A process of the round.
struct Process {
    child: Child,
    started: Instant,
    said: Receiver<String>,
    recovered: u64,
    /// Whether it has logged all that it was to log.
    done: Option<Instant>,
    tag: String,
}

impl Process {
    fn start(mut command: Command, place: &Place, tag: &str) -> io::Result<Process> {
        let stderr = std::fs::File::create(place.note("stderr", tag))?;
        command.env("MIU_LOG_RUNTIME_DIR", place.runtime.path()).env("RUST_BACKTRACE", "1");
        let started = Instant::now();
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::from(stderr)).spawn()?;
        let stdout = child.stdout.take().map(BufReader::new);
        let (sender, said) = channel();
        std::thread::spawn(move || {
            let lines = stdout.into_iter().flat_map(BufRead::lines).map_while(Result::ok);
            // Nobody listens any more once the process is gone.
            lines.into_iter().try_for_each(|line| sender.send(line))
        });
        Ok(Process { child, started, said, recovered: 0, done: None, tag: tag.to_owned() })
    }

    /// Hears what it says, for a moment.
    fn hear(&mut self) {
        let first = self.said.recv_timeout(LOOK);
        if first.is_err() {
            // It has closed its stdout: the time has not passed.
            std::thread::park_timeout(LOOK);
        }
        for line in first.into_iter().chain(self.said.try_iter()) {
            if let Some(number) = line.strip_prefix("open recovered=") {
                self.recovered = number.parse().unwrap_or(0);
            }
            if line == "done" {
                self.done = Some(Instant::now());
            }
        }
    }

    /// Waits for its end; None where it is still there when `enough` says that it was long enough.
    fn wait(&mut self, enough: impl Fn(&Process) -> bool) -> io::Result<Option<ExitStatus>> {
        loop {
            self.hear();
            if let Some(status) = self.child.try_wait()? {
                self.hear();
                return Ok(Some(status));
            }
            if enough(self) {
                return Ok(None);
            }
        }
    }

    fn kill(&mut self) -> io::Result<ExitStatus> {
        self.child.kill()?;
        let status = self.child.wait()?;
        self.hear();
        Ok(status)
    }

    /// Waits for it to end properly. What it did instead is a problem.
    fn end(&mut self, problems: &mut Vec<String>, place: &Place) -> io::Result<()> {
        drop(self.child.stdin.take());
        let since = Instant::now();
        match self.wait(|_| since.elapsed() > DEADLINE)? {
            Some(status) if status.success() => {}
            Some(status) => problems.push(self.went_wrong(&status.to_string(), place)),
            None => {
                problems.push(self.went_wrong("it did not end", place));
                self.kill()?;
            }
        }
        Ok(())
    }

    fn went_wrong(&self, what: &str, place: &Place) -> String {
        let stderr = std::fs::read_to_string(place.note("stderr", &self.tag)).unwrap_or_default();
        format!("{}: {what}: {}", self.tag, stderr.lines().take(6).collect::<Vec<_>>().join(" / "))
    }
}

/// Runs the round; `child` is the program that logs.
pub(crate) fn run(round: &Round, child: &Path) -> io::Result<Outcome> {
    let place = Place::new(round.number)?;
    let mut outcome = Outcome {
        reached: true,
        recovered: 0,
        report: Report::default(),
        problems: Vec::new(),
        kept: Vec::new(),
    };
    let mut tags = Vec::new();
    for (number, end) in round.ends.iter().enumerate() {
        let tag = format!("p0.{number}");
        life(round, *end, &tag, child, &place, &mut outcome)?;
        tags.push(tag);
    }
    let mut command = Command::new(child);
    command.arg("chaos-close").arg(place.logs()).env_remove("MIU_LOG_FAILPOINT");
    let mut process = Process::start(command, &place, "close")?;
    process.end(&mut outcome.problems, &place)?;
    outcome.recovered += process.recovered;

    let lives = tags.into_iter().map(|tag| {
        let acked = Acked::read(&place.note("acked", &tag), round.threads as usize)?;
        Ok(Life { tag, acked })
    });
    let lives = lives.collect::<io::Result<Vec<Life>>>()?;
    outcome.report = check(&place.logs(), &lives)?;
    let left = left_behind(place.runtime.path());
    let told = left.iter().take(MOST_TOLD).map(|path| path.display().to_string());
    outcome.problems.extend(told.map(|path| format!("left behind, with {} more: {path}", left.len() - 1)));
    if !outcome.is_clean() {
        outcome.kept = vec![place.root.keep(), place.runtime.keep()];
    }
    Ok(outcome)
}

/// One process, from its start to its end.
fn life(
    round: &Round,
    end: End,
    tag: &str,
    child: &Path,
    place: &Place,
    outcome: &mut Outcome,
) -> io::Result<()> {
    let mut command = Command::new(child);
    command
        .arg("chaos-produce")
        .arg(place.logs())
        .env("CHAOS_TAG", tag)
        .env("CHAOS_ACKED", place.note("acked", tag))
        .env("CHAOS_THREADS", round.threads.to_string())
        .env("CHAOS_MOST", round.most.to_string())
        .env("CHAOS_REST_EVERY", round.rest_every.to_string())
        .env("CHAOS_RING_LIMIT", round.ring_limit.to_string())
        .env_remove("MIU_LOG_FAILPOINT");
    if let End::At(step, arrival) = end {
        command.env("MIU_LOG_FAILPOINT", format!("{step}:{arrival}"));
    }
    let mut process = Process::start(command, place, tag)?;
    let status = match end {
        End::Orderly(time) => {
            process.wait(|process| process.started.elapsed() >= time)?;
            process.end(&mut outcome.problems, place)?;
            None
        }
        End::After(time) => match process.wait(|process| process.started.elapsed() >= time)? {
            Some(status) => Some(status),
            None => Some(process.kill()?),
        },
        End::At(..) => {
            let enough = |process: &Process| {
                process.done.is_some_and(|done| done.elapsed() > GRACE)
                    || process.started.elapsed() > PATIENCE
            };
            let status = process.wait(enough)?;
            outcome.reached &= status.is_some();
            match status {
                Some(status) => Some(status),
                None => Some(process.kill()?),
            }
        }
    };
    outcome.recovered += process.recovered;
    // The only end that is not a finding of its own is the one it was given.
    const KILLED: i32 = 9;
    if let Some(status) = status.filter(|status| status.signal() != Some(KILLED)) {
        outcome.problems.push(process.went_wrong(&status.to_string(), place));
    }
    Ok(())
}

/// Files of rings and of long records, of which none may be there once the folder was closed.
fn left_behind(folder: &Path) -> Vec<PathBuf> {
    let mut left = Vec::new();
    for name in names(folder) {
        let path = folder.join(&name);
        if path.is_dir() {
            left.extend(left_behind(&path));
        } else if name.starts_with("ring-") || name.starts_with("blob-") {
            left.push(path);
        }
    }
    left
}
