//! `compare`: measures the peers and prints one table per workload. The README of the package explains the
//! options.
//!
//! The parent starts this program again for every measurement (`--child`), so that each logger has a process
//! of its own, checks the files the child left behind, and keeps the median or the best of the rounds.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use benches::peer::{Entry, Facade, Plan, Sample, Workload};
use benches::processes::Way;
use benches::report::{Table, figure, ratio};
use benches::verify::Found;
use benches::{Failure, child, peers, process, processes, tsc, verify};

const HELP: &str = "\
Measures miu-log beside other loggers and prints Markdown tables.

  --workload LIST   of w1, w2, w3, w4, w5, w6, w8, production, memory, idle (default: all)
  --peer LIST       names as --list shows them (default: all)
  --threads LIST    for w1 to w3, w6 and w8 (default: 1,2 for w1 and w6, 1,2,4 for w2, 1,4 for w3 and w8)
  --rounds N        measurements of each figure (default: 3)
  --pick WHICH      median or best of the rounds (default: median)
  --scale FACTOR    of the numbers of records, such as 0.01 for a look (default: 1)
  --pair WHICH      fenced or plain brackets around a call in w1 (default: fenced)
  --dir PATH        an existing folder on a local disk (default: the system's temporary folder)
  --list            the peers and how they are configured";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.first().map(String::as_str) {
        Some("--child") => measure_here(&arguments[1..]),
        Some("--part") => processes::play(&arguments[1..]).map(|sample| {
            if let Some(sample) = sample {
                println!("{}", child::line(&sample));
            }
        }),
        _ => {
            Options::parse(&arguments).and_then(|options| options.map_or(Ok(()), |options| parent(&options)))
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("compare: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Measures once and prints the figures as `name=value` pairs on one line.
fn measure_here(arguments: &[String]) -> Result<(), Failure> {
    let [peer, workload, threads, records, pair, dir] = arguments else {
        return Err("a child takes a peer, a workload, threads, records, a pair and a folder".into());
    };
    process::stand_apart();
    let plan = Plan {
        dir: PathBuf::from(dir),
        workload: Workload::from_name(workload).ok_or("unknown workload")?,
        threads: threads.parse()?,
        records_per_thread: records.parse()?,
        pair: pair_of(pair)?,
        probe: || 0,
    };
    let entry = peers::find(peer).ok_or("unknown peer")?;
    println!("{}", child::line(&(entry.run)(&plan)?));
    Ok(())
}

fn pair_of(name: &str) -> Result<tsc::Pair, Failure> {
    match name {
        "fenced" => Ok(tsc::Pair::Fenced),
        "plain" => Ok(tsc::Pair::Plain),
        _ => Err(format!("--pair is fenced or plain, not {name:?}").into()),
    }
}

#[derive(Clone)]
struct Options {
    workloads: Vec<String>,
    peers: Vec<&'static Entry>,
    threads: Option<Vec<u64>>,
    rounds: usize,
    best: bool,
    scale: f64,
    pair: String,
    dir: PathBuf,
}

impl Options {
    /// `None` where the options only asked for information, which has been printed.
    fn parse(arguments: &[String]) -> Result<Option<Self>, Failure> {
        let mut options = Self {
            workloads: list("w1,w2,w3,w4,w5,w6,w8,production,memory,idle"),
            peers: peers::ALL.iter().collect(),
            threads: None,
            rounds: 3,
            best: false,
            scale: 1.0,
            pair: "fenced".into(),
            dir: std::env::temp_dir(),
        };
        let mut arguments = arguments.iter();
        while let Some(option) = arguments.next() {
            if option == "--list" {
                peers::ALL.iter().for_each(|entry| println!("{:20} {}", entry.name, entry.setup));
                return Ok(None);
            }
            if option == "--help" || option == "-h" {
                println!("{HELP}");
                return Ok(None);
            }
            let value = arguments
                .next()
                .ok_or_else(|| format!("{option} needs a value; --help lists the options"))?;
            match option.as_str() {
                "--workload" => options.workloads = list(value),
                "--peer" => {
                    options.peers = list(value)
                        .iter()
                        .map(|name| {
                            peers::find(name)
                                .ok_or_else(|| format!("unknown peer {name:?}; --list shows them"))
                        })
                        .collect::<Result<_, _>>()?;
                }
                "--threads" => {
                    options.threads =
                        Some(list(value).iter().map(|number| number.parse()).collect::<Result<_, _>>()?);
                }
                "--rounds" => options.rounds = value.parse::<usize>()?.max(1),
                "--pick" => options.best = value == "best",
                "--scale" => options.scale = value.parse()?,
                "--pair" => pair_of(value).map(|_| options.pair = value.clone())?,
                "--dir" => options.dir = PathBuf::from(value),
                _ => return Err(format!("unknown option {option}; --help lists the options").into()),
            }
        }
        let known = ["w1", "w2", "w3", "w4", "w5", "w6", "w8", "production", "memory", "idle"];
        if let Some(unknown) = options.workloads.iter().find(|name| !known.contains(&name.as_str())) {
            return Err(format!("unknown workload {unknown:?}; known are {}", known.join(", ")).into());
        }
        Ok(Some(options))
    }

    fn wants(&self, workload: &str) -> bool {
        self.workloads.iter().any(|name| name == workload)
    }

    fn threads(&self, default: &[u64]) -> Vec<u64> {
        self.threads.clone().unwrap_or_else(|| default.to_vec())
    }

    /// A number of records at this run's scale.
    fn scaled(&self, records: u64) -> u64 {
        ((records as f64 * self.scale) as u64).max(64)
    }
}

fn list(text: &str) -> Vec<String> {
    text.split(',').map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect()
}

/// The figures of one peer with one number of threads: one sample a round.
type Rounds = BTreeMap<(&'static str, u64), Vec<Sample>>;

struct Measured {
    rounds: Rounds,
    notes: Vec<String>,
    best: bool,
}

impl Measured {
    /// The figure of the rounds that the options asked for.
    fn figure(&self, peer: &str, threads: u64, name: &str) -> Option<f64> {
        let rounds = self.rounds.iter().find(|(key, _)| key.0 == peer && key.1 == threads)?.1;
        let mut values: Vec<f64> = rounds.iter().filter_map(|sample| sample.get(name).copied()).collect();
        values.sort_unstable_by(f64::total_cmp);
        let more_is_better = name.ends_with("rate");
        match (self.best, more_is_better) {
            (true, true) => values.last().copied(),
            (true, false) => values.first().copied(),
            (false, _) => values.get(values.len() / 2).copied(),
        }
    }

    fn cell(&self, peer: &str, threads: u64, name: &str) -> String {
        self.figure(peer, threads, name).map_or("-".into(), figure)
    }

    /// The ratio to miu-log's figure of the same name.
    fn ratio(&self, peer: &str, threads: u64, name: &str) -> String {
        ratio(self.figure(peer, threads, name), self.figure("miu-log", threads, name))
    }

    fn print(&self, title: &str, table: &Table) {
        println!("\n### {title}\n\n{}", table.to_markdown());
        self.notes.iter().for_each(|note| println!("- {note}"));
    }
}

fn parent(options: &Options) -> Result<(), Failure> {
    let which = if options.best { "best" } else { "median" };
    println!("{}; {which} of {} rounds, scale {}", process::machine(), options.rounds, options.scale);
    let all = options;
    let mut options = options.clone();
    options.peers.retain(|entry| !entry.facade_alone);
    let options = &options;
    if options.wants("w1") {
        latency(options)?;
    }
    if options.wants("w2") || options.wants("memory") {
        throughput(options)?;
    }
    if options.wants("w3") {
        routing(options)?;
    }
    if options.wants("w4") {
        disabled(options)?;
    }
    if options.wants("w5") {
        workers(options)?;
    }
    if options.wants("w6") {
        facades(all)?;
    }
    if options.wants("w8") {
        json(options)?;
    }
    if options.wants("production") {
        production(options)?;
    }
    if options.wants("idle") {
        idle(options)?;
    }
    Ok(())
}

/// Measures all peers, round by round, so that a change of the machine's mood meets all of them.
fn measure(
    options: &Options,
    workload: Workload,
    threads: &[u64],
    records_per_thread: impl Fn(u64) -> u64,
) -> Result<Measured, Failure> {
    let mut measured = Measured { rounds: Rounds::new(), notes: Vec::new(), best: options.best };
    for _ in 0..options.rounds {
        for &threads in threads {
            for entry in &options.peers {
                let single = entry.floor && matches!(workload, Workload::Throughput | Workload::Routing);
                let left_out = match workload {
                    Workload::Routing => !entry.routes,
                    Workload::Json => !entry.json,
                    _ => false,
                };
                if left_out || (single && threads > 1) {
                    continue;
                }
                eprintln!("{} {} {threads}", workload.name(), entry.name);
                match measure_once(options, entry, workload, threads, records_per_thread(threads)) {
                    Ok(sample) => {
                        remark(&mut measured.notes, entry, threads, &sample);
                        measured.rounds.entry((entry.name, threads)).or_default().push(sample);
                    }
                    Err(failure) => measured.notes.push(format!("{} ({threads}): {failure}", entry.name)),
                }
            }
        }
    }
    measured.notes.sort();
    measured.notes.dedup();
    Ok(measured)
}

/// Notes what the check of the files found, where it is not as it should be.
fn remark(notes: &mut Vec<String>, entry: &Entry, threads: u64, sample: &Sample) {
    let count = |name: &str| sample.get(name).copied().unwrap_or(0.0);
    for (name, text) in [
        ("repeated", "records repeated"),
        ("foreign", "lines that are no whole record in its place"),
        ("out_of_order", "records out of their thread's order"),
    ] {
        if count(name) > 0.0 {
            notes.push(format!("{} ({threads}): {} {text}", entry.name, count(name)));
        }
    }
    if entry.lossless && count("lost") > 0.0 {
        notes.push(format!(
            "{} ({threads}): promises to lose nothing, lost {:.4} %",
            entry.name,
            count("lost")
        ));
    }
}

/// One child, one folder, one check.
fn measure_once(
    options: &Options,
    entry: &Entry,
    workload: Workload,
    threads: u64,
    records: u64,
) -> Result<Sample, Failure> {
    in_new_folder(options, |dir| {
        let mut sample = run_child(options, entry, workload, threads, records, dir)?;
        let writes = match workload {
            Workload::Latency => !entry.floor,
            Workload::Throughput
            | Workload::Routing
            | Workload::Production
            | Workload::Processes
            | Workload::Json => true,
            Workload::Disabled | Workload::Idle | Workload::Probe | Workload::End => false,
        };
        if writes {
            let found = verify::check(&Plan {
                dir: dir.to_owned(),
                workload,
                threads,
                records_per_thread: records,
                pair: tsc::Pair::Plain,
                probe: || 0,
            })?;
            add(&mut sample, &found);
        }
        Ok(sample)
    })
}

fn in_new_folder(
    options: &Options,
    measure: impl FnOnce(&std::path::Path) -> Result<Sample, Failure>,
) -> Result<Sample, Failure> {
    let dir = options.dir.join(format!("miu-log-bench-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir)?;
    let outcome = measure(&dir);
    std::fs::remove_dir_all(&dir)?;
    outcome
}

fn add(sample: &mut Sample, found: &Found) {
    sample.insert("lost".into(), found.lost_percent());
    sample.insert("lost_records".into(), (found.expected - found.found) as f64);
    sample.insert("repeated".into(), found.repeated as f64);
    sample.insert("foreign".into(), found.foreign as f64);
    sample.insert("out_of_order".into(), found.out_of_order as f64);
    sample.insert("line".into(), found.bytes as f64 / found.found.max(1) as f64);
    // What was lost was not written, so only what arrived counts for the rate.
    if let Some(rate) = sample.get_mut("rate") {
        *rate *= 1.0 - found.lost_percent() / 100.0;
    }
}

fn run_child(
    options: &Options,
    entry: &Entry,
    workload: Workload,
    threads: u64,
    records: u64,
    dir: &std::path::Path,
) -> Result<Sample, Failure> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--child", entry.name, workload.name()]);
    command.args([threads.to_string(), records.to_string(), options.pair.clone()]).arg(dir);
    child::figures(command)
}

fn latency(options: &Options) -> Result<(), Failure> {
    let threads = options.threads(&[1, 2]);
    let measured = measure(options, Workload::Latency, &threads, |_| options.scaled(100_000))?;
    for count in threads {
        let names = ["p50", "p90", "p99", "p99.9", "first"];
        let mut head = vec!["peer"];
        head.extend([
            "p50",
            "p90",
            "p99",
            "p99.9",
            "first after pause",
            "p50 ratio",
            "p99 ratio",
            "CPU %",
            "lost %",
        ]);
        let mut table = Table::new(head);
        for entry in &options.peers {
            let mut row = vec![entry.name.to_owned()];
            row.extend(names.map(|name| measured.cell(entry.name, count, name)));
            row.extend(["p50", "p99"].map(|name| measured.ratio(entry.name, count, name)));
            row.push(measured.cell(entry.name, count, "share"));
            row.push(measured.cell(entry.name, count, "lost"));
            table.row(row);
        }
        let own = options.peers.iter().find_map(|entry| measured.figure(entry.name, count, "pair"));
        let own =
            own.map_or(String::new(), |own| format!(", {} pair of {own:.1} ns subtracted", options.pair));
        measured.print(&format!("W1: nanoseconds a call, {count} thread(s){own}"), &table);
    }
    Ok(())
}

fn throughput(options: &Options) -> Result<(), Failure> {
    let threads = options.threads(&[1, 2, 4]);
    let measured =
        measure(options, Workload::Throughput, &threads, |count| options.scaled(2_000_000) / count)?;
    if options.wants("w2") {
        let table = rate_table(options, &measured, &threads, |_| true);
        measured.print("W2: lines a second until all are in the file", &table);
    }
    if options.wants("memory") {
        let columns = threads.iter().map(|count| format!("{count} thread(s)"));
        let mut table = Table::new(std::iter::once("peer".to_owned()).chain(columns));
        for entry in &options.peers {
            let cells = threads.iter().map(|&count| {
                let peak = measured.figure(entry.name, count, "peak_kib");
                peak.map_or("-".into(), |kib| format!("{:.1}", kib / 1024.0))
            });
            table.row(std::iter::once(entry.name.to_owned()).chain(cells).collect());
        }
        measured.print("Memory: peak RSS in MiB under W2", &table);
    }
    Ok(())
}

fn routing(options: &Options) -> Result<(), Failure> {
    let threads = options.threads(&[1, 4]);
    let measured = measure(options, Workload::Routing, &threads, |count| options.scaled(1_000_000) / count)?;
    let table = rate_table(options, &measured, &threads, |entry| entry.routes);
    measured.print("W3: records a second until each is in its domain's and its level's file", &table);
    Ok(())
}

/// The same program by the macros of `log` and of `tracing`: what a call takes its caller, and what comes through.
fn facades(options: &Options) -> Result<(), Failure> {
    let threads = options.threads(&[1, 2]);
    let mut own = options.clone();
    own.peers.retain(|entry| entry.facade.is_some());
    let latency = measure(&own, Workload::Latency, &threads, |_| options.scaled(100_000))?;
    let rate = measure(&own, Workload::Throughput, &threads, |count| options.scaled(1_000_000) / count)?;
    for (facade, name, ours) in
        [(Facade::Tracing, "tracing", "miu-log-tracing"), (Facade::Log, "log", "miu-log-log")]
    {
        for &count in &threads {
            let head = [
                "peer",
                "p50",
                "ratio",
                "p99",
                "ratio",
                "p99.9",
                "lines/s",
                "ratio",
                "CPU ns a record",
                "lost %",
            ];
            let mut table = Table::new(head);
            for entry in own.peers.iter().filter(|entry| entry.facade == Some(facade)) {
                let beside = |all: &Measured, figure: &str| {
                    ratio(all.figure(entry.name, count, figure), all.figure(ours, count, figure))
                };
                table.row(vec![
                    entry.name.to_owned(),
                    latency.cell(entry.name, count, "p50"),
                    beside(&latency, "p50"),
                    latency.cell(entry.name, count, "p99"),
                    beside(&latency, "p99"),
                    latency.cell(entry.name, count, "p99.9"),
                    rate.cell(entry.name, count, "rate"),
                    beside(&rate, "rate"),
                    rate.cell(entry.name, count, "cpu_ns"),
                    rate.cell(entry.name, count, "lost"),
                ]);
            }
            println!(
                "\n### W6: called by the macros of `{name}`, {count} thread(s): nanoseconds a call, lines a second\n"
            );
            println!("{}", table.to_markdown());
        }
    }
    latency.notes.iter().chain(&rate.notes).for_each(|note| println!("- {note}"));
    Ok(())
}

fn json(options: &Options) -> Result<(), Failure> {
    let threads = options.threads(&[1, 4]);
    let measured = measure(options, Workload::Json, &threads, |count| options.scaled(1_000_000) / count)?;
    let table = rate_table(options, &measured, &threads, |entry| entry.json);
    measured.print("W8: JSON lines a second until all are in the file", &table);
    Ok(())
}

/// What rotation, compression and a second form of each record cost: W3 as it is, and with all that, in turn.
fn production(options: &Options) -> Result<(), Failure> {
    let threads = options.threads(&[1, 4]);
    let mut own = options.clone();
    own.peers.retain(|entry| entry.name == "miu-log");
    own.rounds = 1;
    let ways = [("plain files", Workload::Routing), ("as in production", Workload::Production)];
    let mut measured =
        ways.map(|_| Measured { rounds: Rounds::new(), notes: Vec::new(), best: options.best });
    for _ in 0..options.rounds {
        for ((_, workload), all) in ways.iter().zip(&mut measured) {
            let once = measure(&own, *workload, &threads, |count| options.scaled(1_000_000) / count)?;
            for (key, samples) in once.rounds {
                all.rounds.entry(key).or_default().extend(samples);
            }
            all.notes.extend(once.notes);
        }
    }
    let mut head = vec!["files".to_owned()];
    for count in &threads {
        head.extend([
            format!("{count} thread(s)"),
            "of plain %".into(),
            "calls alone".into(),
            "CPU ns a record".into(),
        ]);
    }
    head.push("lost %".into());
    let mut table = Table::new(head);
    for ((name, _), way) in ways.iter().zip(&measured) {
        let mut row = vec![(*name).to_owned()];
        for &count in &threads {
            let share =
                way.figure("miu-log", count, "rate").zip(measured[0].figure("miu-log", count, "rate"));
            row.push(way.cell("miu-log", count, "rate"));
            row.push(share.map_or("-".into(), |(rate, plain)| format!("{:.0}", rate / plain * 100.0)));
            row.push(way.cell("miu-log", count, "call_rate"));
            row.push(way.cell("miu-log", count, "cpu_ns"));
        }
        row.push(way.cell("miu-log", threads[0], "lost"));
        table.row(row);
    }
    let notes = measured.iter().flat_map(|way| way.notes.iter().cloned()).collect();
    let all = Measured { rounds: Rounds::new(), notes, best: options.best };
    all.print("Files in production: W3, then with rotation at 10 MB, gzip and JSON beside the text", &table);
    Ok(())
}

/// Rates with ratios for each number of threads, then memory, processor time and losses at the largest.
fn rate_table(
    options: &Options,
    measured: &Measured,
    threads: &[u64],
    shown: impl Fn(&Entry) -> bool,
) -> Table {
    let mut head = vec!["peer".to_owned()];
    for count in threads {
        head.extend([format!("{count} thread(s)"), "ratio".into()]);
    }
    head.extend(["peak MiB", "CPU ns a record", "lost %", "bytes a line"].map(String::from));
    let mut table = Table::new(head);
    for entry in options.peers.iter().filter(|entry| shown(entry)) {
        let mut row = vec![entry.name.to_owned()];
        for &count in threads {
            row.push(measured.cell(entry.name, count, "rate"));
            row.push(measured.ratio(entry.name, count, "rate"));
        }
        let worst = |name: &str| {
            let values = threads.iter().filter_map(|&count| measured.figure(entry.name, count, name));
            values.max_by(f64::total_cmp)
        };
        row.push(worst("peak_kib").map_or("-".into(), |kib| format!("{:.1}", kib / 1024.0)));
        row.push(worst("cpu_ns").map_or("-".into(), figure));
        row.push(worst("lost").map_or("-".into(), |lost| format!("{lost:.2}")));
        row.push(worst("line").map_or("-".into(), |line| format!("{line:.0}")));
        table.row(row);
    }
    table
}

fn workers(options: &Options) -> Result<(), Failure> {
    let records = options.scaled(1_000_000) / processes::WORKERS;
    let mut measured = Measured { rounds: Rounds::new(), notes: Vec::new(), best: options.best };
    for _ in 0..options.rounds {
        for way in Way::ALL {
            eprintln!("w5 {}", way.name());
            match in_new_folder(options, |dir| {
                let mut command = Command::new(std::env::current_exe()?);
                command.args(["--part", "lead", way.name()]).arg(dir).arg(records.to_string());
                let mut sample = child::figures(command)?;
                add(&mut sample, &verify::check(&processes::plan(dir.to_owned(), records))?);
                Ok(sample)
            }) {
                Ok(sample) => {
                    for (name, text) in [
                        ("lost_records", "records lost"),
                        ("repeated", "records repeated"),
                        ("foreign", "lines that are no whole record in its place"),
                        ("out_of_order", "records out of their process's order"),
                    ] {
                        let count = sample.get(name).copied().unwrap_or(0.0);
                        if count > 0.0 {
                            measured.notes.push(format!("{}: {count} {text}", way.name()));
                        }
                    }
                    measured.rounds.entry((way.name(), processes::WORKERS)).or_default().push(sample);
                }
                Err(failure) => measured.notes.push(format!("{}: {failure}", way.name())),
            }
        }
    }
    measured.notes.dedup();
    let mut table = Table::new(["way", "records/s", "ratio", "calls/s", "lost", "doubled", "restart ms"]);
    for way in Way::ALL {
        let worst = |name: &str| {
            let rounds = measured.rounds.get(&(way.name(), processes::WORKERS));
            let values = rounds.into_iter().flatten().filter_map(|sample| sample.get(name).copied());
            values.max_by(f64::total_cmp).map_or("-".into(), |worst| format!("{worst:.0}"))
        };
        table.row(vec![
            way.name().to_owned(),
            measured.cell(way.name(), processes::WORKERS, "rate"),
            measured.ratio(way.name(), processes::WORKERS, "rate"),
            measured.cell(way.name(), processes::WORKERS, "call_rate"),
            worst("lost_records"),
            worst("repeated"),
            if way == Way::Restarted { worst("restart_ms") } else { "-".into() },
        ]);
    }
    measured.print(
        "W5: records a second from four processes into eight files; lost, doubled and restart: the worst of the rounds",
        &table,
    );
    Ok(())
}

fn disabled(options: &Options) -> Result<(), Failure> {
    let measured = measure(options, Workload::Disabled, &[1], |_| 0)?;
    let mut table = Table::new(["peer", "ns a call", "empty loop"]);
    for entry in &options.peers {
        table.row(vec![
            entry.name.to_owned(),
            measured.cell(entry.name, 1, "call"),
            measured.cell(entry.name, 1, "empty"),
        ]);
    }
    measured.print("W4: nanoseconds of a disabled `debug!` above the empty loop", &table);
    Ok(())
}

fn idle(options: &Options) -> Result<(), Failure> {
    let mut with_floor = options.clone();
    // The floor does nothing while idle, so it is the bare program that the others are compared with.
    if !with_floor.peers.iter().any(|entry| entry.floor) {
        with_floor.peers.extend(peers::ALL.iter().filter(|entry| entry.floor));
    }
    let measured = measure(&with_floor, Workload::Idle, &[1], |_| 100)?;
    let bare = measured.figure("floor", 1, "memory_kib").unwrap_or(0.0);
    let mut table = Table::new(["peer", "% of one core", "RSS MiB", "above bare MiB"]);
    for entry in &with_floor.peers {
        let memory = measured.figure(entry.name, 1, "memory_kib");
        table.row(vec![
            entry.name.to_owned(),
            measured.figure(entry.name, 1, "share").map_or("-".into(), |share| format!("{share:.3}")),
            memory.map_or("-".into(), |kib| format!("{:.1}", kib / 1024.0)),
            memory.map_or("-".into(), |kib| format!("{:.1}", (kib - bare) / 1024.0)),
        ]);
    }
    measured.print("Idle: ten seconds after 100 records", &table);
    Ok(())
}
