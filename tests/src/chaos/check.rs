//! Reads a log folder after its writers were killed, and holds it against what they were promised.
//!
//! - What was acked is in its domain's file once and in its level's file once, whole, in the order its thread logged it.
//! - Of what was not acked, a thread's record in flight may be there, then in both files; nothing after it.
//! - Nothing else is there but what the logger itself says of deaths and recoveries.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::Path;

use super::{DOMAINS, LEVELS, Life, Work};
use crate::{Entry, names, rotated};

/// How many problems are told; all are counted.
const MOST_TOLD: usize = 20;
/// How much of a line is told.
const MOST_SHOWN: usize = 160;

/// What was found, in records; each file that a record is missing from, or has twice, counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What was promised.
    pub acked: u64,
    /// What is in the files of the domains.
    pub written: u64,
    /// Acked and not in a file.
    pub lost: u64,
    /// In a file once too often.
    pub doubled: u64,
    /// In a file before one that was logged earlier.
    pub unordered: u64,
    /// Lines that are not whole, or more than one record.
    pub torn: u64,
    /// Lines of nobody's record, or in the wrong file, and files that should not be there.
    pub foreign: u64,
    /// Records in flight that are in one file and not in the other.
    pub halved: u64,
    /// Lines of the logger itself, such as `recovered 12 records`.
    pub own: u64,
    /// Rotated files.
    pub rotated: u64,
    /// The first problems, in words.
    pub problems: Vec<String>,
}

impl Report {
    /// Whether all is as promised.
    pub fn is_clean(&self) -> bool {
        self.problems.is_empty()
    }

    fn tell(&mut self, problem: impl FnOnce() -> String) {
        if self.problems.len() < MOST_TOLD {
            self.problems.push(problem());
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report {
            acked,
            written,
            lost,
            doubled,
            unordered,
            torn,
            foreign,
            halved,
            own,
            rotated,
            problems,
        } = self;
        write!(
            f,
            "acked {acked}, written {written}, lost {lost}, doubled {doubled}, unordered {unordered}, "
        )?;
        write!(f, "torn {torn}, foreign {foreign}, halved {halved}, own {own}, in {rotated} rotated files")?;
        problems.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

/// The two kinds of files that a record is in.
#[derive(Clone, Copy)]
enum Side {
    Domain,
    Level,
}

/// One thread of one life.
struct Thread<'a> {
    tag: &'a str,
    name: &'a str,
    thread: usize,
    acked: u64,
    /// By number: whether it was found, in the files of the domains and in those of the levels.
    found: [Vec<bool>; 2],
    /// The last number found in the file that is being read.
    last: u64,
}

/// Reads all files of a log folder.
///
/// # Errors
///
/// When the folder or a file in it cannot be read.
pub fn check(folder: &Path, lives: &[Life]) -> io::Result<Report> {
    let mut report = Report::default();
    let mut threads: Vec<Thread<'_>> = Vec::new();
    let mut places: HashMap<(&str, usize), usize> = HashMap::new();
    for life in lives {
        for (thread, &acked) in life.acked.iter().enumerate() {
            report.acked += acked;
            places.insert((&life.tag, thread), threads.len());
            // By number from 0, and one in flight.
            let found = vec![false; acked as usize + 2];
            threads.push(Thread {
                tag: &life.tag,
                name: &life.name,
                thread,
                acked,
                found: [found.clone(), found],
                last: 0,
            });
        }
    }
    let domains = DOMAINS.iter().map(|name| (*name).to_owned());
    let levels = LEVELS.iter().map(|level| level.to_string().to_lowercase());
    let files: Vec<(String, Side)> = domains
        .map(|name| (name + ".log", Side::Domain))
        .chain(levels.map(|name| (name + ".log", Side::Level)))
        .collect();
    let mut parts: Vec<Vec<String>> = Vec::new();
    for (name, _) in &files {
        let mut names = rotated(folder, name);
        report.rotated += names.len() as u64;
        names.push(name.clone());
        parts.push(names);
    }
    for name in names(folder) {
        let known = parts.iter().flatten().any(|known| *known == name);
        if !known && name.ends_with(".log") && std::fs::metadata(folder.join(&name))?.len() > 0 {
            report.foreign += 1;
            report.tell(|| format!("{name}: there should be nothing in it"));
        }
    }
    for (number, (name, side)) in files.iter().enumerate() {
        let mut bytes = Vec::new();
        for part in &parts[number] {
            match std::fs::read(folder.join(part)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                read => bytes.extend(read?),
            }
        }
        threads.iter_mut().for_each(|thread| thread.last = 0);
        let number = number % DOMAINS.len();
        File { name, side: *side, number }.read(&bytes, &mut threads, &places, &mut report);
    }
    for thread in &threads {
        account(thread, &mut report);
    }
    Ok(report)
}

/// Every number of a thread: found where it has to be?
fn account(thread: &Thread<'_>, report: &mut Report) {
    let [domain, level] = &thread.found;
    for number in 1..thread.found[0].len() {
        let (in_domain, in_level) = (domain[number], level[number]);
        let work = Work { tag: thread.tag, thread: thread.thread, number: number as u64 };
        let (its_domain, its_level) =
            (DOMAINS[work.domain()], LEVELS[work.level()].to_string().to_lowercase());
        let Work { tag, thread: its_thread, .. } = work;
        if number as u64 <= thread.acked {
            report.lost += u64::from(!in_domain) + u64::from(!in_level);
            for (_, file) in
                [(in_domain, its_domain), (in_level, &its_level)].iter().filter(|(found, _)| !found)
            {
                report.tell(|| {
                    format!("{file}.log: lost {tag} {its_thread} {number}, acked up to {}", thread.acked)
                });
            }
        } else if in_domain != in_level {
            report.halved += 1;
            report.tell(|| format!("{tag} {its_thread} {number}, in flight, is in one of {its_domain}.log and {its_level}.log"));
        }
    }
}

/// A file that is read.
struct File<'a> {
    name: &'a str,
    side: Side,
    /// Number of the domain or level.
    number: usize,
}

impl File<'_> {
    fn read(
        &self,
        bytes: &[u8],
        threads: &mut [Thread<'_>],
        places: &HashMap<(&str, usize), usize>,
        report: &mut Report,
    ) {
        let name = self.name;
        let mut expected = String::new();
        for (index, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
            let place = || format!("{name}:{}", index + 1);
            let whole = line.strip_suffix(b"\n").and_then(|line| std::str::from_utf8(line).ok());
            let Some(entry) = whole.and_then(Entry::parse).filter(|entry| is_time(&entry.time)) else {
                report.torn += 1;
                report.tell(|| format!("{}: no line of a record: {}", place(), shown(line)));
                continue;
            };
            if is_own(&entry.message) {
                report.own += 1;
                continue;
            }
            let found = Work::parse(&entry.message)
                .and_then(|work| Some((work, &mut threads[*places.get(&(work.tag, work.thread))?])));
            let Some((work, thread)) = found else {
                report.foreign += 1;
                report.tell(|| format!("{}: nobody logged {}", place(), shown(line)));
                continue;
            };
            expected.clear();
            work.write(&mut expected);
            if entry.message != expected {
                report.torn += 1;
                report.tell(|| format!("{}: this is not what was logged: {}", place(), shown(line)));
                continue;
            }
            let (domain, level) = (DOMAINS[work.domain()], LEVELS[work.level()].to_string());
            let here = match self.side {
                Side::Domain => work.domain(),
                Side::Level => work.level(),
            };
            if entry.domain != domain || entry.level != level || here != self.number {
                report.foreign += 1;
                report.tell(|| format!("{}: it belongs to {domain} and {level}: {}", place(), shown(line)));
                continue;
            }
            if entry.thread.split_once('/').is_none_or(|(process, _)| process != thread.name) {
                report.foreign += 1;
                let name = thread.name;
                report.tell(|| format!("{}: process {name} has logged it: {}", place(), shown(line)));
                continue;
            }
            if work.number == 0 || work.number > thread.acked + 1 {
                report.foreign += 1;
                let acked = thread.acked;
                report.tell(|| {
                    format!("{}: acked up to {acked}, so this was never logged: {}", place(), shown(line))
                });
                continue;
            }
            let seen = &mut thread.found[self.side as usize][work.number as usize];
            if std::mem::replace(seen, true) {
                report.doubled += 1;
                report.tell(|| format!("{}: once too often: {}", place(), shown(line)));
                continue;
            }
            if work.number < thread.last {
                report.unordered += 1;
                let last = thread.last;
                report.tell(|| format!("{}: after number {last} of its thread: {}", place(), shown(line)));
            }
            thread.last = thread.last.max(work.number);
            if matches!(self.side, Side::Domain) {
                report.written += 1;
            }
        }
    }
}

/// Whether it is a time: `2026-11-20 12:00:00.123`.
fn is_time(text: &str) -> bool {
    let shape = text.bytes().map(|byte| if byte.is_ascii_digit() { b'9' } else { byte });
    shape.eq(*b"9999-99-99 99:99:99.999")
}

/// Whether the logger says it, of a start after a crash or of a process that is gone or hangs.
fn is_own(message: &str) -> bool {
    let of_a_worker = message.starts_with("Worker ")
        && (message.contains(" died: ")
            || message.ends_with(" appears dead")
            || message.ends_with(" is back"));
    of_a_worker || message.starts_with("recovered ")
}

fn shown(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let end = text.floor_char_boundary(MOST_SHOWN);
    let rest = if end < text.len() { "…" } else { "" };
    format!("{:?}{rest}", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A log folder as it should be: two threads of a life of which one has acked 40 records and the other 25.
    struct Folder {
        folder: tempfile::TempDir,
        lives: Vec<Life>,
    }

    fn line(tag: &str, thread: usize, number: u64) -> String {
        let work = Work { tag, thread, number };
        let (level, domain) = (LEVELS[work.level()].to_string(), DOMAINS[work.domain()]);
        let mut line = format!("2026-11-20 12:00:00.123 | {level:<8} | {domain} | main/{thread} | a:b:1 | ");
        work.write(&mut line);
        line + "\n"
    }

    impl Folder {
        fn new() -> Folder {
            let folder = Folder {
                folder: tempfile::tempdir().unwrap(),
                lives: vec![Life { tag: "p0.0".to_owned(), name: "main".to_owned(), acked: vec![40, 25] }],
            };
            (1..=40).for_each(|number| folder.add(0, number));
            (1..=25).for_each(|number| folder.add(1, number));
            folder
        }

        fn add(&self, thread: usize, number: u64) {
            let work = Work { tag: "p0.0", thread, number };
            for file in [DOMAINS[work.domain()], &LEVELS[work.level()].to_string().to_lowercase()] {
                self.change(file, |text| text + &line("p0.0", thread, number));
            }
        }

        fn change(&self, file: &str, change: impl FnOnce(String) -> String) {
            let path = self.folder.path().join(format!("{file}.log"));
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            std::fs::write(path, change(text)).unwrap();
        }

        fn report(&self) -> Report {
            check(self.folder.path(), &self.lives).unwrap()
        }

        /// What is wrong, by the counters' names, and the first problem.
        #[track_caller]
        fn assert_wrong(&self, expected: Report, problem: &str) {
            let report = self.report();
            assert!(report.problems.first().is_some_and(|first| first.contains(problem)), "{report}");
            let expected =
                Report { acked: 65, written: report.written, problems: report.problems.clone(), ..expected };
            assert_eq!(report, expected, "{report}");
        }
    }

    #[test]
    fn files_as_promised_are_clean() {
        let report = Folder::new().report();
        assert!(report.is_clean(), "{report}");
        assert_eq!((report.acked, report.written), (65, 65));
    }

    #[test]
    fn the_record_in_flight_may_be_there() {
        let folder = Folder::new();
        folder.add(0, 41);
        let report = folder.report();
        assert!(report.is_clean() && report.written == 66, "{report}");
    }

    #[test]
    fn the_loggers_own_lines_may_be_there() {
        let folder = Folder::new();
        for own in [
            "recovered 3 records of 1 process",
            "Worker mailer died: process 17, since then, killed by SIGKILL; recovered 3 records",
            "Worker mailer appears dead",
            "Worker mailer is back",
        ] {
            let own = format!("2026-11-20 12:00:00.123 | INFO     | app | main/main | a:b:1 | {own}\n");
            folder.change("app", |text| own + &text);
        }
        let report = folder.report();
        assert!(report.is_clean() && report.own == 4, "{report}");
    }

    #[test]
    fn a_record_in_flight_in_one_file_only_is_told() {
        let folder = Folder::new();
        let work = Work { tag: "p0.0", thread: 1, number: 26 };
        folder.change(DOMAINS[work.domain()], |text| text + &line("p0.0", 1, 26));
        folder.assert_wrong(Report { halved: 1, ..Report::default() }, "p0.0 1 26, in flight, is in one of");
    }

    #[test]
    fn a_record_after_the_one_in_flight_is_told() {
        let folder = Folder::new();
        folder.add(0, 41);
        folder.add(0, 42);
        folder.assert_wrong(
            Report { foreign: 2, ..Report::default() },
            "acked up to 40, so this was never logged",
        );
    }

    #[test]
    fn a_missing_record_is_told_for_each_of_its_files() {
        let folder = Folder::new();
        let work = Work { tag: "p0.0", thread: 0, number: 40 };
        let gone = line("p0.0", 0, 40);
        folder.change(DOMAINS[work.domain()], |text| text.replace(&gone, ""));
        folder.assert_wrong(Report { lost: 1, ..Report::default() }, "lost p0.0 0 40, acked up to 40");
        folder.change(&LEVELS[work.level()].to_string().to_lowercase(), |text| text.replace(&gone, ""));
        folder.assert_wrong(Report { lost: 2, ..Report::default() }, "lost p0.0 0 40, acked up to 40");
    }

    #[test]
    fn a_missing_file_is_a_loss_of_all_that_was_in_it() {
        let folder = Folder::new();
        std::fs::remove_file(folder.folder.path().join("redis.log")).unwrap();
        let lost = folder.report().lost;
        assert!((15..=17).contains(&lost), "{lost}");
    }

    #[test]
    fn a_doubled_record_is_told() {
        let folder = Folder::new();
        folder.change("db", |text| {
            let last = text.lines().next_back().unwrap().to_owned();
            text + &last + "\n"
        });
        folder.assert_wrong(Report { doubled: 1, ..Report::default() }, "once too often");
    }

    #[test]
    fn a_record_that_changed_places_is_told() {
        let folder = Folder::new();
        folder.change("warning", |text| {
            let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
            lines.swap(0, 1);
            lines.concat()
        });
        folder.assert_wrong(Report { unordered: 1, ..Report::default() }, "warning.log:2: after number");
    }

    #[test]
    fn torn_lines_are_told() {
        // The last line without its end.
        let folder = Folder::new();
        folder.change("task", |text| text[..text.len() - 1].to_owned());
        assert_eq!((folder.report().torn, folder.report().lost), (1, 1));
        // A line that ends in the middle of its time, with the next one behind it.
        let folder = Folder::new();
        folder.change("task", |text| "2026-11-20 12:0".to_owned() + &text);
        assert_eq!((folder.report().torn, folder.report().lost), (1, 1));
        // A time with something else in it.
        let folder = Folder::new();
        folder.change("task", |text| text.replacen("2026-11-20", "2026-1\0-20", 1));
        assert_eq!((folder.report().torn, folder.report().lost), (1, 1));
        // A line that lacks its end, with the next one glued to it.
        let folder = Folder::new();
        folder.change("task", |text| text.replacen('\n', "", 1));
        assert_eq!((folder.report().torn + folder.report().foreign, folder.report().lost), (1, 2));
        // Bytes that are no text, as a hole in a file leaves them.
        let folder = Folder::new();
        folder.change("task", |text| text + "\0\0\0\0\n");
        assert_eq!((folder.report().torn, folder.report().lost), (1, 0));
    }

    #[test]
    fn lines_and_files_of_nobody_are_told() {
        let folder = Folder::new();
        let lines = line("p0.9", 0, 1) + &line("p0.0", 7, 1) + &line("p0.0", 0, 0);
        folder.change("app", |text| text + &lines);
        folder.change("trace", |_| "something".to_owned());
        assert_eq!(folder.report().foreign, 4, "{}", folder.report());
    }

    #[test]
    fn a_record_under_another_process_s_name_is_told() {
        let folder = Folder::new();
        folder.change("app", |text| text.replacen("| main/0 |", "| mailer/0 |", 1));
        assert_eq!((folder.report().foreign, folder.report().lost), (1, 1), "{}", folder.report());
    }

    #[test]
    fn a_loss_that_the_logger_tells_is_told() {
        let folder = Folder::new();
        let own = "2026-11-20 12:00:00.123 | WARNING  | app | main/miu-log | a:b:1 | dropped 3 records\n";
        folder.change("app", |text| own.to_owned() + &text);
        folder.assert_wrong(Report { foreign: 1, ..Report::default() }, "nobody logged");
    }

    #[test]
    fn a_record_in_the_wrong_file_is_told() {
        let folder = Folder::new();
        let work = Work { tag: "p0.0", thread: 0, number: 41 };
        folder.change(DOMAINS[(work.domain() + 1) % 4], |text| text + &line("p0.0", 0, 41));
        folder.assert_wrong(Report { foreign: 1, ..Report::default() }, "it belongs to");
    }

    #[test]
    fn not_all_problems_are_told_and_all_are_counted() {
        let folder = Folder::new();
        std::fs::remove_file(folder.folder.path().join("app.log")).unwrap();
        folder.change("db", |text| text.clone() + &text);
        let report = folder.report();
        assert!(
            report.lost + report.doubled > MOST_TOLD as u64 && report.problems.len() == MOST_TOLD,
            "{report}"
        );
    }
}
