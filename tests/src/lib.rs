//! Shared by the scenarios and the child programs: a service's domains, log files read back, child processes under a
//! watchdog.
//!
//! Nothing here waits for a fixed time: [`wait_until`] looks at a condition, [`run`] at a process, and both give up at a
//! deadline that only a hang can reach.

#![allow(clippy::unwrap_used, reason = "every use is a test, where a panic is the report")]

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use miu_log::{LogConfig, Rotation, log_domains};

pub mod chaos;
pub mod postgres;

/// The areas of the service that the scenarios pretend to be.
#[log_domains(app, db, redis, task)]
pub mod logs {}

/// No scenario takes nearly as long unless it hangs.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// A temporary folder, and below it the log folder and the runtime directory of a scenario.
#[derive(Debug)]
pub struct Place {
    root: tempfile::TempDir,
}

impl Default for Place {
    fn default() -> Place {
        Place::new()
    }
}

impl Drop for Place {
    /// What a scenario's processes have left in shared memory goes with their folder.
    fn drop(&mut self) {
        let found = miu_log::inspect(self.logs()).ok().and_then(|found| found.runtime_directory);
        if let Some(directory) = found.filter(|directory| directory.starts_with("/dev/shm")) {
            let _ = std::fs::remove_dir_all(directory);
        }
    }
}

impl Place {
    /// A new folder, removed when the value is dropped.
    pub fn new() -> Place {
        Place { root: tempfile::tempdir().unwrap() }
    }

    /// The folder around it all.
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// The log folder; not made yet.
    pub fn logs(&self) -> PathBuf {
        self.root.path().join("logs")
    }

    /// A file in the log folder.
    pub fn log(&self, name: &str) -> PathBuf {
        self.logs().join(name)
    }

    /// The folder for runtime directories, made by the first call.
    pub fn runtime(&self) -> PathBuf {
        let path = self.root.path().join("runtime");
        std::fs::create_dir_all(&path).unwrap();
        path
    }

    /// The configuration most scenarios use: this log folder, no console, one file a name however large it gets, and nothing of the other scenarios in the
    /// same process: neither their panics nor what their crates log.
    pub fn config(&self) -> LogConfig {
        self.intercepting_config().intercept(false)
    }

    /// The same with what other crates log, those of other scenarios as well, if no other repository has it.
    pub fn intercepting_config(&self) -> LogConfig {
        LogConfig::new(self.logs()).console(false).rotation(Rotation::Never).panic_hook(false)
    }

    /// A log file's text.
    pub fn text(&self, name: &str) -> String {
        let path = self.log(name);
        let bytes = unpacked(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        String::from_utf8(bytes).unwrap_or_else(|error| panic!("{path:?}: {error}"))
    }

    /// A log file's records.
    pub fn entries(&self, name: &str) -> Vec<Entry> {
        entries(&self.text(name))
    }

    /// The messages of a log file's records, with their fields.
    pub fn messages(&self, name: &str) -> Vec<String> {
        self.entries(name).into_iter().map(|entry| entry.message).collect()
    }

    /// Names of the files in the log folder, sorted.
    pub fn names(&self) -> Vec<String> {
        names(&self.logs())
    }
}

/// Names of what is in a folder, sorted.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// The names of a log file's rotated files, oldest first. One that is there twice, because a process died while it compressed it, is named once.
pub fn rotated(folder: &Path, name: &str) -> Vec<String> {
    let stem = name.strip_suffix(".log").unwrap_or(name);
    let stamped = |name: &String| {
        let plain = name.strip_suffix(".gz").unwrap_or(name);
        let middle = plain.strip_prefix(stem)?.strip_prefix('.')?.strip_suffix(".log")?;
        let (stamp, number) = middle.split_once('.').unwrap_or((middle, "0"));
        let is_stamp =
            stamp.len() == 19 && stamp.bytes().all(|byte| byte.is_ascii_digit() || b"-_".contains(&byte));
        is_stamp.then(|| (stamp.to_owned(), number.parse::<u64>().ok(), name.clone()))
    };
    let mut files: Vec<_> = names(folder).iter().filter_map(stamped).collect();
    files.sort();
    files.dedup_by(|later, earlier| (&later.0, later.1) == (&earlier.0, earlier.1));
    files.into_iter().map(|(_, _, name)| name).collect()
}

/// The bytes of a log file, also of a compressed one.
pub fn unpacked(path: &Path) -> std::io::Result<Vec<u8>> {
    if path.extension().is_none_or(|extension| extension != "gz") {
        return std::fs::read(path);
    }
    let unpacked = Command::new("gzip").arg("-dc").arg(path).output()?;
    if !unpacked.status.success() {
        let text = format!("{path:?}: {}", String::from_utf8_lossy(&unpacked.stderr));
        return Err(std::io::Error::other(text));
    }
    Ok(unpacked.stdout)
}

/// One record of a log file in the default layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// `2026-11-20 12:00:00.123`
    pub time: String,
    /// `WARNING`, without padding.
    pub level: String,
    /// `db`
    pub domain: String,
    /// `main/worker-3`
    pub thread: String,
    /// `crate::module:function:42`
    pub location: String,
    /// Message, and fields behind it.
    pub message: String,
    /// The further lines of an exception, without their mark.
    pub detail: Vec<String>,
}

impl Entry {
    /// Reads a line in the default layout. None where it is not the first line of a record.
    pub fn parse(line: &str) -> Option<Entry> {
        let mut parts = line.splitn(6, " | ").map(str::to_owned);
        let entry = Entry {
            time: parts.next()?,
            level: parts.next()?.trim_end().to_owned(),
            domain: parts.next()?,
            thread: parts.next()?,
            location: parts.next()?,
            message: parts.next()?,
            detail: Vec::new(),
        };
        (entry.time.len() == 23 && entry.time.is_char_boundary(4)).then_some(entry)
    }
}

/// Reads a log file's text; panics at a line that is neither a record nor the detail of one.
pub fn entries(text: &str) -> Vec<Entry> {
    assert!(text.is_empty() || text.ends_with('\n'), "the last line is torn: {:?}", text.lines().last());
    let mut entries: Vec<Entry> = Vec::new();
    for line in text.split_terminator('\n') {
        if let Some(detail) = line.strip_prefix("    | ") {
            entries.last_mut().unwrap().detail.push(detail.to_owned());
            continue;
        }
        let entry = Entry::parse(line).unwrap_or_else(|| panic!("not a record: {line:?}"));
        entries.push(entry);
    }
    entries
}

/// What the logger makes of a text in a line: no control character and nothing that steers or hides its neighbours.
/// Written apart from the library, so that the one checks the other.
pub fn escaped(text: &str) -> String {
    let mut out = String::new();
    for character in text.chars() {
        match character {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            other if other.is_control() || is_invisible(other) => {
                out.push_str(&format!("\\u{{{:x}}}", u32::from(other)));
            }
            other => out.push(other),
        }
    }
    out
}

fn is_invisible(character: char) -> bool {
    let ranges = [
        ('\u{61c}', '\u{61c}'),
        ('\u{200b}', '\u{200f}'),
        ('\u{2028}', '\u{202e}'),
        ('\u{2060}', '\u{206f}'),
        ('\u{feff}', '\u{feff}'),
        ('\u{e0000}', '\u{e007f}'),
    ];
    ranges.iter().any(|(first, last)| (*first..=*last).contains(&character))
}

/// Waits until the condition holds; panics at the deadline.
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < DEADLINE, "waited in vain for: {what}");
        thread::park_timeout(Duration::from_millis(1));
    }
}

/// How a child process ended, and what it said.
#[derive(Debug)]
pub struct Outcome {
    /// Its exit status.
    pub status: ExitStatus,
    /// Its stdout.
    pub stdout: String,
    /// Its stderr.
    pub stderr: String,
}

impl Outcome {
    /// Asserts that the program ended with success; gives what it printed.
    #[track_caller]
    pub fn printed(&self) -> &str {
        assert!(self.status.success(), "{self:?}");
        self.stdout.trim_end()
    }

    /// The number behind `name=` in what the program printed.
    #[track_caller]
    pub fn number(&self, name: &str) -> u64 {
        let words = self.printed().split_whitespace();
        let found = words.filter_map(|word| word.split_once('=')).find(|(key, _)| *key == name);
        found.unwrap_or_else(|| panic!("no {name} in {self:?}")).1.parse().unwrap()
    }
}

/// Runs a program to its end. One that hangs is killed, and that fails the test.
#[track_caller]
pub fn run(command: &mut Command) -> Outcome {
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let stdout = collect(child.stdout.take().unwrap());
    let stderr = collect(child.stderr.take().unwrap());
    let status = wait(&mut child);
    Outcome { status, stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap() }
}

/// Waits for a process to end. One that hangs is killed, and that fails the test.
#[track_caller]
pub fn wait(child: &mut Child) -> ExitStatus {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if start.elapsed() >= DEADLINE {
            child.kill().unwrap();
            panic!("the program did not end");
        }
        thread::park_timeout(Duration::from_millis(1));
    }
}

fn collect(mut stream: impl Read + Send + 'static) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// How many descriptors this process has open.
pub fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count() - 1
}

/// How many threads this process has.
pub fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

/// A line of `/proc/self/status` in KiB, such as `VmHWM`, the most memory ever resident.
pub fn memory_kib(key: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(key)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// The monotonic time in nanoseconds: the same for all processes.
pub fn now_nanos() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}
