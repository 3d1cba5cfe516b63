//! A process that is told, line by line, what to do: the other half of the child program's role `puppet`.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};

use miu_log::QueueHandle;
use miu_log_tests::{DEADLINE, Entry, Place, wait, wait_until};

use crate::child;

/// See the module's description. One that is dropped is killed.
#[derive(Debug)]
pub(crate) struct Puppet {
    child: Child,
    stdin: Option<ChildStdin>,
    answers: Receiver<String>,
}

impl Puppet {
    /// Starts a command whose process is a puppet.
    pub(crate) fn start(mut command: Command) -> Puppet {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, answers) = channel();
        std::thread::spawn(move || {
            stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line).map_err(|_| ()))
        });
        Puppet { stdin: child.stdin.take(), child, answers }
    }

    /// One that has done nothing yet.
    pub(crate) fn new(place: &Place) -> Puppet {
        Puppet::start(child(place, "puppet"))
    }

    /// One that has opened the place's folder.
    pub(crate) fn listener(place: &Place) -> Puppet {
        let mut puppet = Puppet::new(place);
        assert!(puppet.tell("open").starts_with("ok"));
        puppet
    }

    /// One that has joined a repository of this process.
    pub(crate) fn worker(place: &Place, queue: &QueueHandle) -> Puppet {
        Puppet::worker_of(place, &queue.endpoint().to_string())
    }

    /// One that has joined the repository at an endpoint.
    pub(crate) fn worker_of(place: &Place, endpoint: &str) -> Puppet {
        let mut command = child(place, "puppet");
        command.env("MIU_LOG_ENDPOINT", endpoint);
        let mut puppet = Puppet::start(command);
        assert_eq!(puppet.tell("connect"), "ok recovered=0");
        puppet
    }

    /// Has it do something. What it answers.
    #[track_caller]
    pub(crate) fn tell(&mut self, command: &str) -> String {
        self.send(command);
        self.answer(command)
    }

    /// As `tell`, where all it should answer is `ok`.
    #[track_caller]
    pub(crate) fn make(&mut self, command: &str) {
        assert_eq!(self.tell(command), "ok", "{command}");
    }

    /// Has it do something that it may not come back from.
    pub(crate) fn send(&mut self, command: &str) {
        writeln!(self.stdin.as_mut().unwrap(), "{command}").unwrap();
    }

    /// Its next answer.
    #[track_caller]
    pub(crate) fn answer(&mut self, command: &str) -> String {
        self.answers.recv_timeout(DEADLINE).unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    /// Its next answer, if it has given one.
    pub(crate) fn try_answer(&mut self) -> Option<String> {
        self.answers.try_recv().ok()
    }

    /// The number behind `name=` in its answer to a command.
    #[track_caller]
    pub(crate) fn number(&mut self, command: &str, name: &str) -> u64 {
        number(&self.tell(command), name)
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills it. It stays as it is until it is waited for.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
    }

    /// Kills it and waits for its end.
    pub(crate) fn killed(mut self) {
        self.kill();
        wait(&mut self.child);
    }

    /// Has it end in this way, and waits for that.
    #[track_caller]
    pub(crate) fn ended_by(mut self, command: &str) -> ExitStatus {
        self.send(command);
        wait(&mut self.child)
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args([format!("-{name}"), self.id().to_string()]).status();
        assert!(status.unwrap().success());
    }

    /// Stops all its threads, as a debugger or a machine that swaps would.
    pub(crate) fn freeze(&self) {
        self.signal("STOP");
        wait_until("every thread of the process is stopped", || {
            let tasks = std::fs::read_dir(format!("/proc/{}/task", self.id())).unwrap();
            tasks.flatten().all(|task| state(&task.path()) == Some('T'))
        });
    }

    /// Waits for its end, and leaves it to be found by whoever looks for the cause.
    pub(crate) fn wait_for_death(&self) {
        wait_until("the process is dead", || {
            let tasks: Vec<_> =
                std::fs::read_dir(format!("/proc/{}/task", self.id())).unwrap().flatten().collect();
            tasks.len() == 1 && state(&tasks[0].path()) == Some('Z')
        });
    }

    /// How many records each of its threads has logged.
    #[track_caller]
    pub(crate) fn counts(&mut self, command: &str) -> Vec<u64> {
        self.tell(command).split_whitespace().map(|count| count.parse().unwrap()).collect()
    }

    /// Waits until each of its threads has logged so many records more.
    #[track_caller]
    pub(crate) fn wait_for_more(&mut self, more: u64) {
        let before = self.counts("logged");
        wait_until("its threads go on", || {
            let now = self.counts("logged");
            now.iter().zip(&before).all(|(now, before)| *now >= before + more)
        });
    }
}

impl Drop for Puppet {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a thread is doing, as the kernel's letter for it.
fn state(task: &Path) -> Option<char> {
    let stat = std::fs::read_to_string(task.join("stat")).ok()?;
    stat.rsplit(") ").next()?.chars().next()
}

/// The number behind `name=` in an answer.
#[track_caller]
pub(crate) fn number(answer: &str, name: &str) -> u64 {
    let mut words = answer.split_whitespace().filter_map(|word| word.split_once('='));
    let found = words.find(|(key, _)| *key == name);
    found.unwrap_or_else(|| panic!("no {name} in {answer:?}")).1.parse().unwrap()
}

/// Asserts that a puppet's threads have logged just these numbers of records: each once, in order, thread by thread.
#[track_caller]
pub(crate) fn assert_exactly_once(entries: &[Entry], tag: &str, counts: &[u64]) {
    let mut next = vec![0_u64; counts.len()];
    for entry in entries {
        let words: Vec<&str> = entry.message.split(' ').collect();
        let [of, thread, number, ..] = words[..] else { continue };
        if of != tag {
            continue;
        }
        let (thread, number): (usize, u64) = (thread.parse().unwrap(), number.parse().unwrap());
        if number != next[thread] {
            let rest = entries
                .iter()
                .filter(|entry| entry.message == format!("{tag} {thread} {}", next[thread]))
                .count();
            panic!(
                "thread {thread} of {tag}: {number} follows {}, which stands there {rest} times",
                next[thread].wrapping_sub(1)
            );
        }
        next[thread] += 1;
    }
    assert_eq!(next, counts, "the records of {tag}");
}

/// The line that says that a process logged: for scenarios that count such lines.
pub(crate) fn with_text<'a>(entries: &'a [Entry], text: &str) -> Vec<&'a Entry> {
    entries.iter().filter(|entry| entry.message.contains(text)).collect()
}
