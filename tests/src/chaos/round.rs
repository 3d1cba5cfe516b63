//! Runs one round: starts the processes, sees them die, closes the folder, checks it.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::process::{Place, Process};
use super::{Acked, End, Event, Farewell, Life, Report, Round, Victim, check};
use crate::{DEADLINE, names};

/// A process that is to die at a step gets so long after the last record of all before it is taken for one that does not
/// reach it.
const GRACE: Duration = Duration::from_millis(200);
/// And so long after its start.
const PATIENCE: Duration = Duration::from_secs(8);
/// How many files that were left behind are told.
const MOST_TOLD: usize = 5;
/// How often the processes are looked at.
const LOOK: Duration = Duration::from_millis(1);
/// Tells the child to have the log folder handed over to it.
const TAKE_OVER: &str = "CHAOS_TAKE_OVER";
/// The signal of a kill.
const KILLED: i32 = 9;

/// What became of a round.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Whether some step at which a process was to die was not reached.
    pub missed: bool,
    /// How many records the starts after a death have said to bring back.
    pub recovered: u64,
    /// What is in the files.
    pub report: Report,
    /// What was wrong, besides the files.
    pub problems: Vec<String>,
    /// The folders, where something was wrong.
    pub kept: Vec<PathBuf>,
}

impl Outcome {
    /// Whether all is as promised.
    pub fn is_clean(&self) -> bool {
        self.problems.is_empty() && self.report.is_clean()
    }
}

/// Runs the round; `child` is the program that logs.
///
/// # Errors
///
/// When a process cannot be started or a file cannot be read: nothing is known then.
pub fn run(round: &Round, child: &Path) -> io::Result<Outcome> {
    let mut stage = Stage {
        round,
        child,
        place: Place::new(round.number)?,
        listener: None,
        workers: (0..round.workers).map(|_| None).collect(),
        former: Vec::new(),
        endpoint: None,
        starts: vec![0; round.workers + 1],
        lives: Vec::new(),
        outcome: Outcome::default(),
    };
    for event in &round.events {
        stage.play(*event)?;
    }
    stage.end()?;
    let Stage { place, lives, mut outcome, .. } = stage;
    let lives = lives.into_iter().map(|(tag, name)| {
        let acked = Acked::read(&place.note("acked", &tag), round.threads as usize)?;
        Ok(Life { tag, name, acked })
    });
    let lives = lives.collect::<io::Result<Vec<Life>>>()?;
    outcome.report = check(&place.logs(), &lives)?;
    let mut left = left_behind(place.runtime.path());
    left.extend(left_behind(&place.logs().join(".miu")));
    let told = left.iter().take(MOST_TOLD).map(|path| path.display().to_string());
    outcome.problems.extend(told.map(|path| format!("left behind, with {} more: {path}", left.len() - 1)));
    if !outcome.is_clean() {
        outcome.kept = vec![place.root.keep(), place.runtime.keep()];
    }
    Ok(outcome)
}

/// All that lives in a round.
struct Stage<'a> {
    round: &'a Round,
    child: &'a Path,
    place: Place,
    listener: Option<Process>,
    workers: Vec<Option<Process>>,
    /// Processes that had the log folder and have handed it over.
    former: Vec<Process>,
    endpoint: Option<String>,
    /// How often each process was started.
    starts: Vec<u32>,
    /// The tags of all lives, and the names of their processes.
    lives: Vec<(String, String)>,
    outcome: Outcome,
}

impl Stage<'_> {
    /// A command for a life of the process of this number, which is the listener's if it is 0.
    fn life(&mut self, number: usize, step: Option<End>) -> (Command, String) {
        let tag = format!("p{number}.{}", self.starts[number]);
        self.starts[number] += 1;
        let name = if number == 0 { "main".to_owned() } else { format!("worker-{number}") };
        let mut command = Command::new(self.child);
        match (&self.endpoint, number) {
            (Some(endpoint), 1..) => command.arg("chaos-work").arg(endpoint),
            _ => command.arg("chaos-produce").arg(self.place.logs()),
        };
        let Round { threads, most, rest_every, ring_limit, .. } = self.round;
        command
            .env("CHAOS_TAG", &tag)
            .env("CHAOS_ACKED", self.place.note("acked", &tag))
            .env("CHAOS_THREADS", threads.to_string())
            .env("CHAOS_MOST", most.to_string())
            .env("CHAOS_REST_EVERY", rest_every.to_string())
            .env("CHAOS_RING_LIMIT", ring_limit.to_string())
            .env("MIU_LOG_WORKER_NAME", &name)
            .env_remove("MIU_LOG_FAILPOINT");
        if let Some(End::At(step, arrival)) = step {
            command.env("MIU_LOG_FAILPOINT", format!("{step}:{arrival}"));
        }
        self.lives.push((tag.clone(), name));
        (command, tag)
    }

    fn start(&mut self, number: usize, step: Option<End>) -> io::Result<Process> {
        let (mut command, tag) = self.life(number, step);
        if number == 0 && !self.former.is_empty() {
            // One that was to hand the log folder over may have it still: who wanted it was killed too early.
            command.env(TAKE_OVER, "1");
        }
        Process::start(command, &self.place, &tag)
    }

    /// Starts whoever is not there. Workers need a listener that has been there once.
    fn start_all(&mut self, event: Option<Event>) -> io::Result<()> {
        let step = |is_victim: bool| event.filter(|_| is_victim).map(|event| event.end);
        if self.listener.is_none() {
            let is_victim = event.is_some_and(|event| event.victim.has_listener());
            self.listener = Some(self.start(0, step(is_victim))?);
        }
        if self.endpoint.is_none() && !self.workers.is_empty() {
            self.wait(DEADLINE, |stage| {
                stage.listener.as_ref().is_none_or(|it| it.open.is_some() || it.has_ended())
            })?;
            self.endpoint = self.listener.as_ref().and_then(|it| it.endpoint.clone());
        }
        for number in 0..self.workers.len() {
            if self.workers[number].is_none() && self.endpoint.is_some() {
                let is_victim = event.is_some_and(|event| event.victim.has_worker(number));
                self.workers[number] = Some(self.start(number + 1, step(is_victim))?);
            }
        }
        Ok(())
    }

    fn play(&mut self, event: Event) -> io::Result<()> {
        self.start_all(Some(event))?;
        let Event { victim, end } = event;
        match end {
            End::Orderly(time) => {
                self.wait(time, |_| false)?;
                self.see_joins()?;
                if let Some(mut listener) = self.listener.take().filter(|_| victim.has_listener()) {
                    listener.ask_to_end();
                    self.see_end(vec![listener])?;
                }
            }
            End::After(time) => {
                self.wait(time, |_| false)?;
                self.kill(victim)?;
            }
            End::At(..) => {
                let start = Instant::now();
                let at_once = victim == Victim::All;
                self.wait(DEADLINE, |stage| {
                    let armed = || stage.all().filter(|process| process.armed);
                    let died = armed().filter(|process| process.has_ended()).count();
                    let over = if at_once { died > 0 } else { died == armed().count() };
                    over || start.elapsed() > PATIENCE
                        || stage
                            .all()
                            .all(|it| it.has_ended() || it.done.is_some_and(|done| done.elapsed() > GRACE))
                })?;
                let mut armed = self.all().filter(|process| process.armed);
                let reached =
                    if at_once { armed.any(Process::has_ended) } else { armed.all(Process::has_ended) };
                drop(armed);
                self.outcome.missed |= !reached;
                self.kill(victim)?;
            }
            End::HandOver(time, kill) => {
                self.wait(time, |_| false)?;
                self.hand_over(victim, kill)?;
            }
        }
        self.see_deaths();
        Ok(())
    }

    /// A second process takes the log folder.
    fn hand_over(&mut self, victim: Victim, kill: Duration) -> io::Result<()> {
        // Its start comes first: it must not find the folder free, and itself in a race with the hand-over.
        self.wait(DEADLINE, |stage| {
            stage.listener.as_ref().is_none_or(|it| it.open.is_some() || it.has_ended())
        })?;
        let (mut command, tag) = self.life(0, None);
        command.env(TAKE_OVER, "1");
        let successor = Process::start(command, &self.place, &tag)?;
        self.former.extend(self.listener.replace(successor));
        match victim {
            Victim::Nobody => {}
            Victim::Successor => {
                self.wait(kill, |_| false)?;
                self.kill(Victim::Listener)?;
                return Ok(());
            }
            Victim::Listener => {
                self.wait(kill, |_| false)?;
                let mut former = self.former.pop();
                for process in former.iter_mut() {
                    process.kill()?;
                    process.bury()?;
                }
                self.forget(former);
            }
            _ => {
                self.wait(kill, |_| false)?;
                self.kill(victim)?;
            }
        }
        self.wait(DEADLINE, |stage| {
            stage.listener.as_ref().is_none_or(|it| it.open.is_some() || it.has_ended())
        })?;
        if let Some(it) = self.listener.as_ref().filter(|it| it.open.is_none() && !it.has_ended()) {
            self.outcome.problems.push(it.went_wrong("the log folder was not handed over"));
        }
        Ok(())
    }

    /// Kills those among them that live, one right after the other.
    fn kill(&mut self, victim: Victim) -> io::Result<()> {
        let mut victims: Vec<Process> =
            self.listener.take_if(|_| victim.has_listener()).into_iter().collect();
        for (number, worker) in self.workers.iter_mut().enumerate() {
            victims.extend(worker.take_if(|_| victim.has_worker(number)));
        }
        if victim == Victim::All {
            victims.append(&mut self.former);
        }
        for process in victims.iter_mut().filter(|process| !process.has_ended()) {
            process.kill()?;
        }
        for process in victims.iter_mut().filter(|process| !process.has_ended()) {
            process.bury()?;
        }
        self.forget(victims);
        Ok(())
    }

    /// Tells them to end, and sees that they do.
    fn see_end(&mut self, mut ending: Vec<Process>) -> io::Result<()> {
        ending.iter_mut().for_each(Process::ask_to_end);
        let start = Instant::now();
        while ending.iter().any(|process| !process.has_ended()) && start.elapsed() < DEADLINE {
            std::thread::park_timeout(LOOK);
            ending.iter_mut().chain(self.all_mut()).try_for_each(Process::look)?;
        }
        for process in &mut ending {
            match process.status {
                Some(status) if status.success() => {}
                Some(status) if process.armed && status.signal() == Some(KILLED) => {}
                Some(status) => self.outcome.problems.push(process.went_wrong(&status.to_string())),
                None => {
                    self.outcome.problems.push(process.went_wrong("it did not end"));
                    process.kill()?;
                    process.bury()?;
                }
            }
            self.outcome.recovered += process.open.unwrap_or(0);
        }
        Ok(())
    }

    /// All ends properly; then the folder is closed once more, in case that the listener was not the last one.
    fn end(&mut self) -> io::Result<()> {
        if self.round.events.is_empty() {
            self.start_all(None)?;
            self.wait(Duration::from_millis(200), |_| false)?;
        }
        let mut guests: Vec<Process> = self.workers.iter_mut().filter_map(Option::take).collect();
        guests.append(&mut self.former);
        let listener: Vec<Process> = self.listener.take().into_iter().collect();
        match self.round.farewell {
            Farewell::Workers => {
                self.listener = listener.into_iter().next();
                self.see_end(guests)?;
                let listener = self.listener.take().into_iter().collect();
                self.see_end(listener)?;
            }
            Farewell::Listener => {
                self.former = guests;
                self.see_joins()?;
                self.see_end(listener)?;
                let guests = std::mem::take(&mut self.former);
                self.see_end(guests)?;
            }
            Farewell::Together => self.see_end(guests.into_iter().chain(listener).collect())?,
        }
        let mut command = Command::new(self.child);
        command.arg("chaos-close").arg(self.place.logs()).env_remove("MIU_LOG_FAILPOINT");
        let close = Process::start(command, &self.place, "close")?;
        self.see_end(vec![close])
    }

    fn all(&self) -> impl Iterator<Item = &Process> {
        self.listener.iter().chain(self.workers.iter().flatten()).chain(&self.former)
    }

    fn all_mut(&mut self) -> impl Iterator<Item = &mut Process> {
        self.listener.iter_mut().chain(self.workers.iter_mut().flatten()).chain(&mut self.former)
    }

    /// Waits until it is so, or the time is over.
    fn wait(&mut self, time: Duration, is_so: impl Fn(&Stage<'_>) -> bool) -> io::Result<()> {
        let start = Instant::now();
        loop {
            self.all_mut().try_for_each(Process::look)?;
            if is_so(self) || start.elapsed() >= time {
                return Ok(());
            }
            std::thread::park_timeout(LOOK);
        }
    }

    /// Waits for those who are about to join: a repository that ends properly with nobody in it is gone.
    fn see_joins(&mut self) -> io::Result<()> {
        let is_about_to = |worker: &Process| !worker.joined && !worker.has_ended();
        self.wait(DEADLINE, |stage| {
            !stage
                .workers
                .iter()
                .flatten()
                .chain(stage.former.iter().filter(|it| it.open.is_none()))
                .any(is_about_to)
        })
    }

    /// Takes out whoever has died.
    fn see_deaths(&mut self) {
        let mut dead: Vec<Process> = self.listener.take_if(|it| it.has_ended()).into_iter().collect();
        dead.extend(self.workers.iter_mut().filter_map(|worker| worker.take_if(|it| it.has_ended())));
        dead.extend(self.former.extract_if(.., |it| it.has_ended()));
        self.forget(dead);
    }

    /// These have ended. The only end that is not a finding of its own is the one they were given.
    fn forget(&mut self, dead: impl IntoIterator<Item = Process>) {
        for process in dead {
            self.outcome.recovered += process.open.unwrap_or(0);
            let Some(status) = process.status else { continue };
            if status.signal() != Some(KILLED) || !(process.killed || process.armed) {
                self.outcome.problems.push(process.went_wrong(&status.to_string()));
            }
        }
    }
}

/// All files in a folder, of which none may be there once the log folder was closed.
fn left_behind(folder: &Path) -> Vec<PathBuf> {
    let mut left = Vec::new();
    if !folder.is_dir() {
        return left;
    }
    for name in names(folder) {
        let path = folder.join(&name);
        if path.is_dir() {
            left.extend(left_behind(&path));
        }
        left.push(path);
    }
    left
}
