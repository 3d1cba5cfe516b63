//! A process of a round, as the driver sees it: what it says, how it ends.

use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use tempfile::TempDir;

/// How much of what a process says on stderr is told.
const MOST_LINES: usize = 6;

/// The folders of a round: its logs and notes, and the memory of its rings.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) root: TempDir,
    pub(super) runtime: TempDir,
}

impl Place {
    pub(super) fn new(number: u64) -> io::Result<Place> {
        let prefix = format!("miu-log-chaos-{number}-");
        let folder = || tempfile::Builder::new().prefix(&prefix).to_owned();
        let memory = Path::new("/dev/shm");
        let runtime = if memory.is_dir() { folder().tempdir_in(memory) } else { folder().tempdir() };
        Ok(Place { root: folder().tempdir()?, runtime: runtime? })
    }

    pub(super) fn logs(&self) -> PathBuf {
        self.root.path().join("logs")
    }

    pub(super) fn note(&self, kind: &str, tag: &str) -> PathBuf {
        self.root.path().join(format!("{kind}-{tag}"))
    }
}

/// See the module's description.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    said: Receiver<String>,
    stderr: PathBuf,
    pub(super) tag: String,
    /// Where the repository can be joined that it has opened.
    pub(super) endpoint: Option<String>,
    /// How many records its start has brought back, once it has opened the repository.
    pub(super) open: Option<u64>,
    /// It has joined the repository of another process.
    pub(super) joined: bool,
    /// When it had logged all that it was to log.
    pub(super) done: Option<Instant>,
    /// Once it has ended.
    pub(super) status: Option<ExitStatus>,
    /// Whether it is to kill itself at a step.
    pub(super) armed: bool,
    /// Whether the driver has killed it.
    pub(super) killed: bool,
}

impl Process {
    pub(super) fn start(mut command: Command, place: &Place, tag: &str) -> io::Result<Process> {
        let path = place.note("stderr", tag);
        let stderr = std::fs::File::create(&path)?;
        command.env("MIU_LOG_RUNTIME_DIR", place.runtime.path()).env("RUST_BACKTRACE", "1");
        let armed = command.get_envs().any(|(name, value)| name == "MIU_LOG_FAILPOINT" && value.is_some());
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::from(stderr)).spawn()?;
        let stdout = child.stdout.take().map(BufReader::new);
        let (sender, said) = channel();
        std::thread::spawn(move || {
            let lines = stdout.into_iter().flat_map(BufRead::lines).map_while(Result::ok);
            // Nobody listens any more once the process is gone.
            lines.into_iter().try_for_each(|line| sender.send(line))
        });
        Ok(Process {
            child,
            said,
            stderr: path,
            tag: tag.to_owned(),
            endpoint: None,
            open: None,
            joined: false,
            done: None,
            status: None,
            armed,
            killed: false,
        })
    }

    /// Hears what it has said, and sees whether it has ended.
    pub(super) fn look(&mut self) -> io::Result<()> {
        if self.status.is_none() {
            self.status = self.child.try_wait()?;
        }
        self.hear();
        Ok(())
    }

    fn hear(&mut self) {
        for line in self.said.try_iter() {
            if let Some(number) = line.strip_prefix("open recovered=") {
                self.open = number.parse().ok();
            } else if let Some(endpoint) = line.strip_prefix("endpoint=") {
                self.endpoint = Some(endpoint.to_owned());
            } else if line == "joined" {
                self.joined = true;
            } else if line == "done" {
                self.done = Some(Instant::now());
            }
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.status.is_some()
    }

    /// Kills it; `bury` waits for its end.
    pub(super) fn kill(&mut self) -> io::Result<()> {
        self.killed = true;
        self.child.kill()
    }

    /// After it was killed.
    pub(super) fn bury(&mut self) -> io::Result<()> {
        self.status = Some(self.child.wait()?);
        self.hear();
        Ok(())
    }

    /// Tells it to end properly.
    pub(super) fn ask_to_end(&mut self) {
        drop(self.child.stdin.take());
    }

    /// The problem in words, with what it has said.
    pub(super) fn went_wrong(&self, what: &str) -> String {
        let stderr = std::fs::read_to_string(&self.stderr).unwrap_or_default();
        let told: Vec<&str> = stderr.lines().take(MOST_LINES).collect();
        format!("{}: {what}: {}", self.tag, told.join(" / "))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A round that is given up leaves nobody behind.
        if self.status.is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
