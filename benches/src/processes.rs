//! W5: worker processes that write one set of files, and the processes that take part in it.
//!
//! The leader starts the process that writes the files, where there is one, and the workers, gives all workers the sign to begin, and stops the
//! clock when everything is written. Leader, writer and workers talk in lines over their standard input and output.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use crate::order::{Domain, Level, Order};
use crate::peer::{Peer as _, Plan, Sample, Workload};
use crate::peers::{Line, Miu};
use crate::{Failure, process, tsc};

/// How many worker processes log.
pub const WORKERS: u64 = 4;

/// A way from several processes into one set of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// miu-log: workers that have joined, one listener.
    Joined,
    /// The same, and the listener's process is killed when a quarter is written, and started again.
    Restarted,
    /// Each worker appends each line to both its files.
    Appended,
    /// Each worker sends each line to one process that writes.
    Sent,
}

impl Way {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 4] = [Self::Joined, Self::Restarted, Self::Appended, Self::Sent];

    /// The name in the table.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Joined => "miu-log",
            Self::Restarted => "miu-log, listener killed and restarted",
            Self::Appended => "each process appends",
            Self::Sent => "datagrams to one process",
        }
    }

    fn from_name(name: &str) -> Result<Self, Failure> {
        let way = Self::ALL.into_iter().find(|way| way.name() == name);
        way.ok_or_else(|| format!("unknown way {name:?}").into())
    }

    fn has_writer(self) -> bool {
        self != Self::Appended
    }
}

/// Plays one of the parts: arguments are the part, the way, the folder, the records of each worker, and, for a worker, its number and what
/// the writer has said.
///
/// # Errors
///
/// When anything fails, which ends the measurement.
pub fn play(arguments: &[String]) -> Result<Option<Sample>, Failure> {
    let [part, way, dir, records, rest @ ..] = arguments else { return Err("a part is missing".into()) };
    let (way, dir, records) = (Way::from_name(way)?, Path::new(dir), records.parse()?);
    match (part.as_str(), rest) {
        ("lead", []) => return lead(way, dir, records).map(Some),
        ("write", []) => match way {
            Way::Sent => receive(dir)?,
            _ => listen(dir, records)?,
        },
        ("work", [number, place]) => {
            let orders =
                |worker: u64| (0..records).map(move |position| Order::new(Order::id(worker, position)));
            let orders = orders(number.parse()?);
            match way {
                Way::Joined | Way::Restarted => work_joined(place, orders)?,
                Way::Appended => work_appending(dir, orders)?,
                Way::Sent => work_sending(dir, orders)?,
            }
        }
        _ => return Err(format!("unknown part {part:?}").into()),
    }
    Ok(None)
}

/// What is to be found in the files of such a measurement.
#[must_use]
pub fn plan(dir: PathBuf, records: u64) -> Plan {
    Plan {
        dir,
        workload: Workload::Processes,
        threads: WORKERS,
        records_per_thread: records,
        pair: tsc::Pair::Plain,
        probe: || 0,
    }
}

/// A process that the leader has started.
struct Helper {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// What it said when it was ready.
    greeting: String,
}

impl Helper {
    fn start(part: &str, way: Way, dir: &Path, records: u64, rest: &[&str]) -> Result<Self, Failure> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--part", part, way.name()]).arg(dir).arg(records.to_string()).args(rest);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (Some(input), Some(output)) = (process.stdin.take(), process.stdout.take()) else {
            return Err("a process without its pipes".into());
        };
        let mut helper = Self { process, input, output: BufReader::new(output), greeting: String::new() };
        helper.greeting = helper.hear()?;
        Ok(helper)
    }

    fn say(&mut self) -> Result<(), Failure> {
        Ok(self.input.write_all(b"\n")?)
    }

    fn hear(&mut self) -> Result<String, Failure> {
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            return Err(format!("a process ended early: {}", self.process.wait()?).into());
        }
        Ok(line.trim_end().to_owned())
    }

    fn end(mut self) -> Result<(), Failure> {
        drop(self.input);
        let status = self.process.wait()?;
        if status.success() { Ok(()) } else { Err(format!("a process failed: {status}").into()) }
    }
}

/// What a helper says to its leader.
fn say(line: impl std::fmt::Display) -> io::Result<()> {
    let mut output = io::stdout().lock();
    writeln!(output, "{line}")?;
    output.flush()
}

/// Waits for the leader's sign.
fn hear() -> io::Result<()> {
    io::stdin().lock().read_line(&mut String::new()).map(drop)
}

fn lead(way: Way, dir: &Path, records: u64) -> Result<Sample, Failure> {
    process::stand_apart();
    let start_writer = || Helper::start("write", way, dir, records, &[]);
    let mut writer = if way.has_writer() { Some(start_writer()?) } else { None };
    let place = writer.as_ref().map(|writer| writer.greeting.clone()).unwrap_or_default();
    let mut workers = (0..WORKERS)
        .map(|number| Helper::start("work", way, dir, records, &[&number.to_string(), &place]))
        .collect::<Result<Vec<_>, _>>()?;
    let start = Instant::now();
    workers.iter_mut().try_for_each(Helper::say)?;
    let mut paused = 0.0;
    if let (Way::Restarted, Some(old)) = (way, &mut writer) {
        wait_for_quarter(&dir.join("app.log"), records)?;
        let killed = Instant::now();
        old.process.kill()?;
        old.process.wait()?;
        writer = Some(start_writer()?);
        paused = killed.elapsed().as_secs_f64() * 1e3;
    }
    for worker in &mut workers {
        worker.hear()?;
    }
    let called = start.elapsed();
    workers.into_iter().try_for_each(Helper::end)?;
    if let Some(mut writer) = writer {
        writer.say()?;
        writer.hear()?;
        let finished = start.elapsed();
        writer.end()?;
        return Ok(sample(records, called, finished, paused));
    }
    Ok(sample(records, called, start.elapsed(), paused))
}

fn sample(records: u64, called: Duration, finished: Duration, paused: f64) -> Sample {
    let records = (WORKERS * records) as f64;
    Sample::from([
        ("rate".into(), records / finished.as_secs_f64()),
        ("call_rate".into(), records / called.as_secs_f64()),
        ("restart_ms".into(), paused),
    ])
}

/// Waits until about a quarter of a domain's records is in its file.
fn wait_for_quarter(file: &Path, records: u64) -> Result<(), Failure> {
    let wanted = records * WORKERS / 4 / 4 * 80;
    let start = Instant::now();
    while fs::metadata(file)?.len() < wanted {
        if start.elapsed() > Duration::from_secs(60) {
            return Err("nothing is written".into());
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    Ok(())
}

fn listen(dir: &Path, records: u64) -> Result<(), Failure> {
    let listener = Miu::<true>::setup(&plan(dir.to_owned(), records))?;
    say(listener.endpoint())?;
    hear()?;
    listener.finish()?;
    Ok(say("written")?)
}

fn work_joined(place: &str, orders: impl Iterator<Item = Order>) -> Result<(), Failure> {
    let worker = Miu::<true>::join(place)?;
    say("ready")?;
    hear()?;
    orders.for_each(|order| worker.log_routed(order));
    Ok(say("called")?)
}

fn work_appending(dir: &Path, orders: impl Iterator<Item = Order>) -> Result<(), Failure> {
    let open =
        |stem: &str| OpenOptions::new().append(true).create(true).open(dir.join(format!("{stem}.log")));
    let domains = Domain::ALL.map(Domain::as_str).map(open);
    let levels = Level::ALL.map(Level::as_str).map(open);
    let mut files = domains.into_iter().chain(levels).collect::<io::Result<Vec<File>>>()?;
    let mut line = Line::new();
    say("ready")?;
    hear()?;
    for order in orders {
        let text = line.make(order, order.level())?;
        files[order.domain() as usize].write_all(text)?;
        files[4 + order.level() as usize].write_all(text)?;
    }
    Ok(say("called")?)
}

fn socket(dir: &Path) -> PathBuf {
    dir.join(".socket")
}

fn work_sending(dir: &Path, orders: impl Iterator<Item = Order>) -> Result<(), Failure> {
    let sender = UnixDatagram::unbound()?;
    sender.connect(socket(dir))?;
    let mut line = Line::new();
    let mut datagram = Vec::with_capacity(256);
    say("ready")?;
    hear()?;
    for order in orders {
        datagram.clear();
        datagram.extend([order.domain() as u8, order.level() as u8]);
        datagram.extend(line.make(order, order.level())?);
        sender.send(&datagram)?;
    }
    sender.send(&[])?;
    Ok(say("called")?)
}

/// Writes what the workers send, until each has said by an empty datagram that this was all.
fn receive(dir: &Path) -> Result<(), Failure> {
    let receiver = UnixDatagram::bind(socket(dir))?;
    let stems = Domain::ALL.map(Domain::as_str).into_iter().chain(Level::ALL.map(Level::as_str));
    let mut files = stems
        .map(|stem| Ok(BufWriter::with_capacity(64 * 1024, File::create(dir.join(format!("{stem}.log")))?)))
        .collect::<io::Result<Vec<_>>>()?;
    say("ready")?;
    let mut datagram = [0; 512];
    let mut at_work = WORKERS;
    while at_work > 0 {
        let len = receiver.recv(&mut datagram)?;
        match &datagram[..len] {
            [domain, level, line @ ..] => {
                files[usize::from(*domain)].write_all(line)?;
                files[4 + usize::from(*level)].write_all(line)?;
            }
            _ => at_work -= 1,
        }
    }
    files.iter_mut().try_for_each(Write::flush)?;
    say("written")?;
    Ok(hear()?)
}
