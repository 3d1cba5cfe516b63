//! Files that fail in every way, by a double of the file system and by real ones.

use std::collections::VecDeque;
use std::fs;
use std::sync::{Arc, Mutex};

use super::super::tests::held;
use super::*;
use crate::rotate::Schedule;
use crate::rotate::naming::{InUse, Keys, Naming};
use crate::zone::Zone;

/// What the double answers to one call.
#[derive(Clone, Copy)]
enum Answer {
    Take(usize),
    Fail(Errno),
}
use Answer::{Fail, Take};

#[derive(Default)]
struct Disk {
    answers: VecDeque<Answer>,
    /// Contents of each file that had the name, by number.
    files: Vec<Vec<u8>>,
    refuses_open: bool,
    refuses_sync: bool,
}

/// A file system with one name, whose writes are scripted; without script they work.
#[derive(Clone, Default)]
struct Double(Arc<Mutex<Disk>>);

struct DoubleFile {
    disk: Double,
    number: usize,
}

impl Double {
    fn with(answers: impl IntoIterator<Item = Answer>) -> Double {
        let double = Double::default();
        double.0.lock().unwrap().answers.extend(answers);
        double.0.lock().unwrap().files.push(Vec::new());
        double
    }

    fn text(&self, number: usize) -> String {
        String::from_utf8(self.0.lock().unwrap().files[number].clone()).unwrap()
    }
}

impl Place for Double {
    type File = DoubleFile;

    fn open(&mut self, _: &str, _: Option<u32>) -> io::Result<DoubleFile> {
        let disk = self.0.lock().unwrap();
        if disk.refuses_open {
            return Err(Errno::MFILE.into());
        }
        Ok(DoubleFile { disk: self.clone(), number: disk.files.len() - 1 })
    }

    fn occupant(&mut self, _: &str) -> Result<Option<(u64, u64)>, Errno> {
        Ok(Some((1, self.0.lock().unwrap().files.len() as u64 - 1)))
    }

    fn last_byte(&mut self, _: &str, (_, number): (u64, u64)) -> Option<u8> {
        self.0.lock().unwrap().files[number as usize].last().copied()
    }

    fn rename(&mut self, _: &str, _: &str) -> Result<(), Errno> {
        Err(Errno::ROFS)
    }

    fn names(&mut self) -> Result<Vec<String>, Errno> {
        Ok(vec!["double.log".to_owned()])
    }

    fn link(&mut self, _: &str, _: &str) -> Result<(), Errno> {
        Err(Errno::ROFS)
    }

    fn describe(&self, name: &str) -> String {
        name.to_owned()
    }
}

impl Append for DoubleFile {
    fn append(&mut self, bytes: &[u8]) -> Result<usize, Errno> {
        let mut disk = self.disk.0.lock().unwrap();
        let count = match disk.answers.pop_front() {
            Some(Fail(errno)) => return Err(errno),
            Some(Take(most)) => bytes.len().min(most),
            None => bytes.len(),
        };
        disk.files[self.number].extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn sync(&mut self) -> Result<(), Errno> {
        if self.disk.0.lock().unwrap().refuses_sync { Err(Errno::IO) } else { Ok(()) }
    }

    fn facts(&mut self) -> Result<Facts, Errno> {
        let len = self.disk.0.lock().unwrap().files[self.number].len() as u64;
        Ok(Facts { dev: 1, ino: self.number as u64, len, deleted: false, modified: 0 })
    }

    fn made(&mut self) -> Option<UnixNanos> {
        None
    }

    fn date(&mut self, _: UnixNanos) {}

    fn cut(&mut self, len: u64) -> Result<(), Errno> {
        self.disk.0.lock().unwrap().files[self.number].truncate(len as usize);
        Ok(())
    }
}

/// A file that is never rotated.
pub(super) fn plan(name: &str) -> Plan {
    Plan {
        naming: Naming::new(name, Keys::default(), &Zone::Utc).unwrap(),
        schedule: Schedule::default(),
        zone: Zone::Utc,
        opened: 0,
        mode: None,
        is_durable: false,
        in_use: InUse::default(),
        has_link: true,
        rotated: None,
    }
}

/// Offers the lines until all are delivered, as the router does. Says how many attempts it took.
fn offer(sink: &mut FileSink<Double>, lines: &[&str]) -> usize {
    let mut held = held(lines);
    for attempt in 1..100 {
        match sink.write(&held.batch(&[])) {
            Ok(()) => return attempt,
            Err(error) => {
                assert!(error.may_retry() && error.to_string().contains("double.log"), "{error}");
                held.discard(error.delivered());
                if error.delivered() == held.entries.len() + error.delivered() {
                    while sink.flush().is_err() {}
                    return attempt;
                }
            }
        }
    }
    panic!("never delivered");
}

const LINES: [&str; 3] = ["first line\n", "second line\n", "third line\n"];

#[test]
fn short_writes_eintr_and_eagain_yield_whole_lines_in_one_attempt() {
    let interrupted =
        [Fail(Errno::INTR); 6].into_iter().chain([Take(10), Fail(Errno::AGAIN), Take(1), Take(10)]);
    let double = Double::with(interrupted);
    let mut sink = FileSink::at(double.clone(), plan("double.log"));
    assert_eq!(offer(&mut sink, &LINES), 1);
    assert_eq!(double.text(0), LINES.concat());
    assert_eq!(sink.file_position().map(|at| (at.len, at.torn)), Some((34, false)));
}

#[test]
fn endless_eagain_is_an_error_not_a_hang() {
    let double = Double::with([Fail(Errno::AGAIN); PATIENCE + 1]);
    let mut sink = FileSink::at(double.clone(), plan("double.log"));
    assert_eq!(offer(&mut sink, &LINES), 2);
    assert_eq!(double.text(0), LINES.concat());
}

#[test]
fn a_full_disk_at_any_byte_leaves_every_line_once() {
    let all = LINES.concat();
    for cut in 0..all.len() {
        for second in [0, 1, 5] {
            let script =
                [Take(cut), Fail(Errno::NOSPC), Take(second), Fail(Errno::NOSPC), Fail(Errno::NOSPC)];
            // Taking nothing without an error is a fault too.
            let double = Double::with(script.into_iter().filter(|answer| !matches!(answer, Take(0))));
            let mut sink = FileSink::at(double.clone(), plan("double.log"));
            offer(&mut sink, &LINES);
            offer(&mut sink, &["fourth\n"]);
            assert_eq!(double.text(0), format!("{all}fourth\n"), "cut at {cut}, then {second}");
        }
    }
}

#[test]
fn a_torn_line_is_owed_and_its_part_is_not_counted_as_length() {
    let double = Double::with([Take(15), Fail(Errno::NOSPC)]);
    let mut sink = FileSink::at(double.clone(), plan("double.log"));
    let error = sink.write(&held(&LINES).batch(&[])).unwrap_err();
    assert_eq!(error.delivered(), 2);
    assert_eq!(sink.file_position(), Some(FilePosition { dev: 1, ino: 0, len: 11, torn: true }));
    sink.flush().unwrap();
    assert_eq!(double.text(0), "first line\nsecond line\n");
    assert_eq!(sink.file_position(), Some(FilePosition { dev: 1, ino: 0, len: 23, torn: false }));
}

#[test]
fn a_torn_line_goes_whole_into_another_file() {
    let double = Double::with([Take(15), Fail(Errno::NOSPC), Fail(Errno::NOSPC)]);
    let mut sink = FileSink::at(double.clone(), plan("double.log"));
    sink.write(&held(&LINES).batch(&[])).unwrap_err();
    double.0.lock().unwrap().files.push(Vec::new());
    sink.tick().unwrap_err();
    sink.write(&held(&LINES[2..]).batch(&[])).unwrap();
    assert_eq!(double.text(0), "first line\nseco");
    assert_eq!(double.text(1), "second line\nthird line\n");
}

#[test]
fn a_torn_line_is_written_whole_after_its_file_was_cut() {
    let double = Double::with([Take(15), Fail(Errno::NOSPC)]);
    let mut sink = FileSink::at(double.clone(), plan("double.log"));
    sink.write(&held(&LINES).batch(&[])).unwrap_err();
    double.0.lock().unwrap().files[0].clear();
    sink.write(&held(&LINES[2..]).batch(&[])).unwrap();
    assert_eq!(double.text(0), "second line\nthird line\n");
}

#[test]
fn an_owed_line_that_cannot_be_finished_is_counted_and_taken_back_at_the_end() {
    let double = Double::with([Take(15), Fail(Errno::NOSPC), Take(2), Fail(Errno::NOSPC)]);
    let mut sink = FileSink::at(double.clone(), plan("double.log"));
    sink.write(&held(&LINES).batch(&[])).unwrap_err();
    assert!(sink.close(Instant::now()).is_err());
    assert_eq!(sink.lost(), 1);
    assert_eq!(double.text(0), LINES[0]);
}

#[test]
fn a_file_that_cannot_be_opened_is_tried_again() {
    let double = Double::with([]);
    double.0.lock().unwrap().refuses_open = true;
    let mut sink = FileSink::at(double.clone(), plan("double.log"));
    let error = sink.write(&held(&LINES).batch(&[])).unwrap_err();
    assert!(error.may_retry() && error.delivered() == 0);
    double.0.lock().unwrap().refuses_open = false;
    sink.write(&held(&LINES).batch(&[])).unwrap();
    assert_eq!(double.text(0), LINES.concat());
}

#[test]
fn a_failed_sync_names_the_range_and_is_not_repeated() {
    let double = Double::with([]);
    let mut sink = FileSink::at(double.clone(), plan("double.log"));
    sink.write(&held(&LINES).batch(&[])).unwrap();
    double.0.lock().unwrap().refuses_sync = true;
    let error = sink.sync().unwrap_err();
    assert!(error.to_string().contains("bytes 0 to 34"), "{error}");
    double.0.lock().unwrap().refuses_sync = false;
    sink.sync().unwrap();
}

#[test]
fn a_lazy_file_appears_with_its_first_record_and_an_eager_one_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::open(dir.path()).unwrap();
    let mut lazy = FileSink::lazy(&folder, plan("trace.log"));
    lazy.flush().unwrap();
    lazy.sync().unwrap();
    lazy.tick().unwrap();
    lazy.write(&held(&[]).batch(&[])).unwrap();
    assert!(!dir.path().join("trace.log").exists() && lazy.file_position().is_none());
    lazy.write(&held(&LINES).batch(&[])).unwrap();
    assert_eq!(fs::read_to_string(dir.path().join("trace.log")).unwrap(), LINES.concat());
    FileSink::open(&folder, plan("app.log")).unwrap();
    assert!(dir.path().join("app.log").exists());
}

#[test]
fn a_removed_or_renamed_file_is_made_anew_at_the_next_tick() {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::open(dir.path()).unwrap();
    let path = dir.path().join("app.log");
    let mut sink = FileSink::open(&folder, plan("app.log")).unwrap();
    sink.write(&held(&LINES[..1]).batch(&[])).unwrap();
    fs::rename(&path, dir.path().join("app.log.1")).unwrap();
    sink.tick().unwrap();
    sink.write(&held(&LINES[1..2]).batch(&[])).unwrap();
    assert_eq!(sink.lost(), 0, "a renamed file keeps what it got");
    fs::remove_file(&path).unwrap();
    let error = sink.tick().unwrap_err();
    assert!(error.to_string().contains("was deleted; 1 of the records"), "{error}");
    assert_eq!(sink.lost(), 1);
    sink.write(&held(&LINES[2..]).batch(&[])).unwrap();
    assert_eq!(fs::read_to_string(dir.path().join("app.log.1")).unwrap(), LINES[0]);
    assert_eq!(fs::read_to_string(&path).unwrap(), LINES[2]);
}

#[test]
fn of_a_deleted_file_only_what_nobody_can_have_read_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::open(dir.path()).unwrap();
    let path = dir.path().join("app.log");
    let mut sink = FileSink::open(&folder, plan("app.log")).unwrap();
    sink.write(&held(&LINES).batch(&[])).unwrap();
    sink.tick().unwrap();
    fs::remove_file(&path).unwrap();
    sink.tick().unwrap();
    assert_eq!(sink.lost(), 0, "it was there after they were written");
    fs::remove_file(&path).unwrap();
    sink.write(&held(&LINES).batch(&[])).unwrap();
    sink.tick().unwrap_err();
    assert_eq!(sink.lost(), 3);
    sink.tick().unwrap();
    assert_eq!(sink.lost(), 3, "they are counted once");
}

#[test]
fn a_file_cut_by_another_program_goes_on_at_its_start() {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::open(dir.path()).unwrap();
    let path = dir.path().join("app.log");
    let mut sink = FileSink::open(&folder, plan("app.log")).unwrap();
    sink.write(&held(&LINES).batch(&[])).unwrap();
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(0).unwrap();
    sink.tick().unwrap();
    sink.write(&held(&LINES[..1]).batch(&[])).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), LINES[0]);
    assert_eq!(sink.file_position().map(|at| at.len), Some(11));
}

#[test]
fn a_half_line_that_was_found_is_ended_with_the_first_record_and_only_then() {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::open(dir.path()).unwrap();
    let path = dir.path().join("app.log");
    let read = || fs::read_to_string(&path).unwrap();
    fs::write(&path, "partial").unwrap();
    let mut sink = FileSink::open(&folder, plan("app.log")).unwrap();
    sink.tick().unwrap();
    sink.flush().unwrap();
    assert_eq!(read(), "partial");
    sink.write(&held(&LINES).batch(&[])).unwrap();
    sink.write(&held(&LINES).batch(&[])).unwrap();
    assert_eq!(read(), format!("partial\n{0}{0}", LINES.concat()));
    assert_eq!(sink.file_position().map(|at| at.len), Some(read().len() as u64));
    // The same where the file is another one all of a sudden, and where it was cut.
    fs::remove_file(&path).unwrap();
    fs::write(&path, "by hand").unwrap();
    sink.tick().unwrap_err();
    sink.write(&held(&LINES[..1]).batch(&[])).unwrap();
    assert_eq!(read(), "by hand\nfirst line\n");
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(2).unwrap();
    sink.tick().unwrap();
    sink.write(&held(&LINES[..1]).batch(&[])).unwrap();
    assert_eq!(read(), "by\nfirst line\n");
    // Nothing is put before the first line of a file that is whole, or empty.
    for before in ["", "whole\n"] {
        fs::write(&path, before).unwrap();
        let mut sink = FileSink::lazy(&folder, plan("app.log"));
        sink.write(&held(&LINES).batch(&[])).unwrap();
        assert_eq!(read(), format!("{before}{}", LINES.concat()));
    }
}

#[test]
fn a_found_half_line_is_ended_once_however_often_the_disk_is_full() {
    let double = Double::with([Fail(Errno::NOSPC), Fail(Errno::NOSPC), Take(1), Fail(Errno::NOSPC)]);
    double.0.lock().unwrap().files[0].extend_from_slice(b"partial");
    let mut sink = FileSink::at(double.clone(), plan("double.log"));
    assert_eq!(offer(&mut sink, &LINES), 4);
    assert_eq!(double.text(0), format!("partial\n{}", LINES.concat()));
}

#[test]
fn the_sink_s_own_half_line_is_finished_after_a_new_opening() {
    let double = Double::with([Take(15), Fail(Errno::IO), Take(2), Fail(Errno::IO)]);
    let mut sink = FileSink::at(double.clone(), plan("double.log"));
    offer(&mut sink, &LINES);
    assert_eq!(double.text(0), LINES.concat());
}

#[test]
fn a_removed_folder_is_an_error_of_its_own_kind() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("logs");
    let folder = Folder::open(&path).unwrap();
    let mut sink = FileSink::open(&folder, plan("app.log")).unwrap();
    fs::remove_dir_all(&path).unwrap();
    let error = sink.tick().unwrap_err();
    assert!(error.is_folder_removed() && error.to_string().contains("folder was removed"), "{error}");
    let error = sink.write(&held(&LINES).batch(&[])).unwrap_err();
    assert!(error.is_folder_removed() && error.may_retry() && error.delivered() == 0);
}

#[test]
fn a_batch_larger_than_one_piece_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::open(dir.path()).unwrap();
    let line = "x".repeat(PIECE + 17) + "\n";
    let mut sink = FileSink::open(&folder, plan("app.log")).unwrap();
    sink.write(&held(&[&line, "y\n", &line]).batch(&[])).unwrap();
    assert_eq!(fs::read_to_string(dir.path().join("app.log")).unwrap(), format!("{line}y\n{line}"));
}
