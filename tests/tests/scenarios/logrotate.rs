//! Other programs rotate, cut or delete the log files while records are being written.
// F32, F33, L-17

use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use miu_log_tests::{Place, entries, wait, wait_until};
use rustix::process::{Pid, Signal, kill_process};

use crate::child_under;

/// A process that logs numbers all the time.
struct Service {
    process: Child,
    said: BufReader<std::process::ChildStdout>,
}

impl Service {
    fn start(place: &Place, handle_signals: bool) -> Service {
        // What starts the tests may ignore hang-ups, as `nohup` does, and that is inherited.
        let mut command = child_under("env", ["--default-signal=HUP"], place, "numbers-until-told");
        if handle_signals {
            command.arg("handle-signals");
        }
        let mut process =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut said = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        assert_eq!(line, "logging\n");
        wait_for_more(&place.log("app.log"), 0);
        Service { process, said }
    }

    fn hang_up(&self) {
        kill_process(Pid::from_child(&self.process), Signal::HUP).unwrap();
    }

    /// Ends it: how many it has logged, and how many are lost as far as it knows.
    fn end(mut self) -> (u64, u64) {
        drop(self.process.stdin.take());
        let mut said = String::new();
        self.said.read_to_string(&mut said).unwrap();
        assert!(wait(&mut self.process).success());
        let number = |name: &str| {
            let word = said.split_whitespace().find_map(|word| word.strip_prefix(name));
            word.unwrap_or_else(|| panic!("{said}")).parse().unwrap()
        };
        (number("logged="), number("lost="))
    }
}

fn length(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |found| found.len())
}

/// Waits until the file is longer than this.
fn wait_for_more(path: &Path, than: u64) {
    wait_until("more lines", || length(path) > than);
}

/// Runs a shell script in the log folder.
fn script(place: &Place, text: &str) {
    let status = Command::new("sh").args(["-e", "-c", text]).current_dir(place.logs()).status();
    assert!(status.unwrap().success(), "{text}");
}

/// The numbers of the records in these files, one after the other.
fn numbers(place: &Place, names: &[String]) -> Vec<u64> {
    let of_text = |text: &str| -> Vec<u64> {
        let numbers = entries(text).into_iter().filter_map(|entry| {
            let number = entry.message.strip_prefix("number ")?;
            Some(number.parse().unwrap())
        });
        numbers.collect()
    };
    names.iter().flat_map(|name| of_text(&place.text(name))).collect()
}

/// `app.log.1` and so on, in the order in which they were made, and `app.log`.
fn all_names(rotations: u32) -> Vec<String> {
    (0..rotations).map(|it| format!("app.log.{it}")).chain(["app.log".to_owned()]).collect()
}

const ROTATIONS: u32 = 5;

#[test]
fn a_rotation_that_creates_the_file_and_sends_a_signal_loses_nothing() {
    let place = Place::new();
    let service = Service::start(&place, true);
    for rotation in 0..ROTATIONS {
        script(&place, &format!("mv app.log app.log.{rotation}; umask 027; : > app.log"));
        service.hang_up();
        wait_for_more(&place.log("app.log"), 0);
        wait_for_more(&place.log("app.log"), length(&place.log("app.log")));
    }
    let (logged, lost) = service.end();
    assert_eq!(numbers(&place, &all_names(ROTATIONS)), (0..logged).collect::<Vec<_>>());
    assert_eq!(lost, 0);
}

#[test]
fn a_file_that_is_renamed_without_a_word_is_made_anew_and_nothing_is_lost() {
    let place = Place::new();
    let service = Service::start(&place, false);
    for rotation in 0..2 {
        script(&place, &format!("mv app.log app.log.{rotation}"));
        wait_for_more(&place.log("app.log"), 0);
    }
    let (logged, lost) = service.end();
    assert_eq!(numbers(&place, &all_names(2)), (0..logged).collect::<Vec<_>>());
    assert_eq!(lost, 0);
}

#[test]
fn a_file_that_is_copied_and_cut_goes_on_at_its_start_without_a_hole() {
    let place = Place::new();
    let service = Service::start(&place, false);
    for rotation in 0..ROTATIONS {
        script(&place, &format!("cp app.log app.log.{rotation}; : > app.log"));
        wait_for_more(&place.log("app.log"), 0);
        wait_for_more(&place.log("app.log"), length(&place.log("app.log")));
    }
    let (logged, _) = service.end();
    let mut next = 0;
    for name in all_names(ROTATIONS) {
        let text = place.text(&name);
        assert!(!text.contains('\0'), "{name}");
        // A copy may end within a line that was being written; the rest of it came after the copy.
        let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
        std::fs::write(place.log(&name), whole).unwrap();
        let found = numbers(&place, std::slice::from_ref(&name));
        let first = found[0];
        assert!(first >= next, "{name}: {first} after {next}");
        next = first + found.len() as u64;
        assert_eq!(found, (first..next).collect::<Vec<_>>(), "{name}: lost only between copy and cut");
    }
    assert_eq!(next, logged, "the last ones are there");
}

#[test]
fn a_deleted_file_is_made_anew_and_what_went_with_it_is_counted_and_told() {
    let place = Place::new();
    let service = Service::start(&place, false);
    // Where the deletion is noticed before anything is written, nothing is lost by it: then another file is deleted.
    let mut went = 0;
    while went == 0 {
        let mut deleted = std::fs::File::open(place.log("app.log")).unwrap();
        script(&place, "rm app.log");
        deleted.seek(SeekFrom::End(0)).unwrap();
        wait_for_more(&place.log("app.log"), 0);
        let mut written = String::new();
        deleted.read_to_string(&mut written).unwrap();
        went += written.lines().count() as u64;
    }
    let (logged, lost) = service.end();
    let found = numbers(&place, &["app.log".to_owned()]);
    assert!(!found.is_empty() && *found.last().unwrap() == logged - 1);
    assert_eq!(found, (logged - found.len() as u64..logged).collect::<Vec<_>>());
    // Of those that were there before a deletion, some had not been seen by a look.
    assert!(
        (went..=logged - found.len() as u64).contains(&lost),
        "{lost} of {logged}, {went} and {} found",
        found.len()
    );
    let told = format!("lost {lost} record");
    assert!(place.messages("app.log").iter().any(|message| message.starts_with(&told)), "{told}");
    let level = numbers(&place, &["info.log".to_owned()]);
    assert_eq!(level.len() as u64, logged, "the other file has them all");
}

#[test]
fn without_the_option_a_hang_up_ends_the_program() {
    let place = Place::new();
    let mut service = Service::start(&place, false);
    service.hang_up();
    assert_eq!(wait(&mut service.process).signal(), Some(1));
}
