//! Messages around every limit: 16 KiB, where a record leaves the ring, and 16 MiB, where it is cut.
// F40, L-27

use miu_log::Bytes;
use miu_log_tests::{Place, logs};

use crate::FLUSH;

const RING: usize = 16 * 1024;
const LONGEST: usize = 16 * 1024 * 1024;
/// Of the limit, header and length of the text take a few bytes; a message this close below it may be cut or not.
const SLACK: usize = 128;

/// The lines of `app.log`, without the text of the level files.
fn log_and_read(messages: &[String]) -> (Vec<String>, miu_log::Stats) {
    let place = Place::new();
    let repo = logs::Repository::open(place.config().level_files(false)).unwrap();
    for message in messages {
        repo.app.info(message);
        repo.flush(FLUSH).unwrap();
    }
    repo.shutdown();
    let stats = repo.stats();
    assert_eq!((stats.written, stats.dropped), (messages.len() as u64, 0));
    (place.messages("app.log"), stats)
}

#[test]
fn messages_around_the_rings_limit_are_whole() {
    let mut messages: Vec<String> = [0, 1].into_iter().map(|len| "x".repeat(len)).collect();
    for len in RING - 64..RING + 64 {
        messages.push(format!("{len} ") + &"y".repeat(len - 6));
    }
    messages.push("é".repeat(RING));
    messages.push("z".repeat(1024 * 1024));
    let (lines, stats) = log_and_read(&messages);
    assert!(lines == messages, "lengths: {:?}", lines.iter().map(String::len).collect::<Vec<_>>());
    assert_eq!(stats.truncated, 0);
}

#[test]
fn macro_arguments_around_the_rings_limit_are_whole() {
    let place = Place::new();
    let repo = logs::Repository::open(place.config().level_files(false)).unwrap();
    let mut expected = Vec::new();
    for len in (RING - 160..RING + 32).step_by(8) {
        let text = "m".repeat(len);
        miu_log::info!(repo.app, tail = len, "{len} {text} {:?}", Some(1));
        expected.push(format!("{len} {text} Some(1) | tail={len}"));
    }
    repo.shutdown();
    assert!(place.messages("app.log") == expected);
}

#[test]
fn messages_past_the_limit_are_cut_with_their_length_noted_and_counted() {
    let messages = [
        "a".repeat(LONGEST - SLACK),
        "b".repeat(LONGEST + 1),
        "é".repeat(LONGEST / 2 + 1),
        format!("x{}", "日".repeat(LONGEST / 3 + 1)),
        "c".repeat(4 * LONGEST),
    ];
    let (lines, stats) = log_and_read(&messages);
    assert!(lines[0] == messages[0]);
    for (line, message) in lines[1..].iter().zip(&messages[1..]) {
        let mark = format!("… [cut, {} bytes]", message.len());
        let kept = line
            .strip_suffix(&mark)
            .unwrap_or_else(|| panic!("no {mark:?} at the end of {} bytes", line.len()));
        assert!(message.starts_with(kept), "what is kept is the beginning");
        assert!((LONGEST - SLACK..=LONGEST).contains(&kept.len()), "{} bytes are kept", kept.len());
    }
    assert_eq!(stats.truncated, 4);
}

#[test]
fn the_counter_of_cut_records_counts_marks() {
    let messages: Vec<String> = (LONGEST - 40..=LONGEST + 1).step_by(7).map(|len| "k".repeat(len)).collect();
    let (lines, stats) = log_and_read(&messages);
    let mut cut = 0;
    for (line, message) in lines.iter().zip(&messages) {
        match line.strip_suffix(&format!("… [cut, {} bytes]", message.len())) {
            Some(kept) => {
                cut += 1;
                assert!(message.starts_with(kept));
            }
            None => assert!(line == message),
        }
    }
    assert_eq!(stats.truncated, cut);
}

#[test]
fn long_text_of_a_display_is_cut_the_same_way() {
    let place = Place::new();
    let repo = logs::Repository::open(place.config().level_files(false)).unwrap();
    let long = "d".repeat(LONGEST + 10);
    miu_log::info!(repo.app, "{} and {}", format_args!("{long}"), 7);
    repo.app.info(format_args!("{long}{}", 1));
    // The end waits a bounded time only, which a busy machine needs for such lines.
    repo.flush(FLUSH).unwrap();
    repo.shutdown();
    let lines = place.messages("app.log");
    assert!(
        lines[0].ends_with(&format!("… [cut, {} bytes] and 7", long.len())),
        "{:?}",
        &lines[0][lines[0].len() - 60..]
    );
    assert!(lines[1].ends_with(&format!("… [cut, {} bytes]", long.len() + 1)));
    assert_eq!(repo.stats().truncated, 2);
}

#[test]
fn long_bytes_are_whole_past_the_rings_limit_and_cut_past_the_records() {
    let place = Place::new();
    let repo = logs::Repository::open(place.config().level_files(false)).unwrap();
    let long = vec![0xa5; LONGEST + 10];
    for len in [RING - 64, RING, LONGEST - SLACK] {
        miu_log::info!(repo.app, frame = &long[..len], len, "whole");
        repo.flush(FLUSH).unwrap();
    }
    miu_log::info!(repo.app, frame = &long[..], "a field");
    repo.flush(FLUSH).unwrap();
    miu_log::info!(repo.app, "{} and {:X}", Bytes(&long), Bytes(&long[..3]));
    repo.shutdown();
    let stats = repo.stats();
    assert_eq!((stats.written, stats.dropped, stats.truncated), (5, 0, 2));
    let lines = place.messages("app.log");
    for (line, len) in lines.iter().zip([RING - 64, RING, LONGEST - SLACK]) {
        assert!(*line == format!("whole | frame={} len={len}", "a5".repeat(len)), "{} for {len}", line.len());
    }
    let mark = format!("… [cut, {} bytes]", long.len());
    let digits =
        lines[3].strip_prefix("a field | frame=\"").unwrap().strip_suffix(&format!("{mark}\"")).unwrap();
    assert!(
        (LONGEST - SLACK..LONGEST).contains(&(digits.len() / 2)) && *digits == "a5".repeat(digits.len() / 2)
    );
    let digits = lines[4].strip_suffix(&format!("{mark} and A5A5A5")).unwrap();
    // Each of two arguments has half of the record.
    assert!((LONGEST / 2 - SLACK..LONGEST / 2).contains(&(digits.len() / 2)), "{}", digits.len());
    assert!(*digits == "a5".repeat(digits.len() / 2));
}

#[test]
fn many_long_records_at_once_arrive_in_order() {
    let place = Place::new();
    let repo = logs::Repository::open(place.config().level_files(false)).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..2 {
            let repo = &repo;
            scope.spawn(move || {
                for number in 0..40 {
                    repo.app.info(format!("{thread} {number} {}", "w".repeat(100_000)));
                    miu_log::info!(repo.app, "{thread} {number} short");
                }
            });
        }
    });
    repo.shutdown();
    let mut next = [0; 2];
    for message in place.messages("app.log") {
        let (thread, rest) = message.split_once(' ').unwrap();
        let thread: usize = thread.parse().unwrap();
        assert_eq!(rest.split(' ').next().unwrap(), (next[thread] / 2).to_string());
        assert_eq!(rest.ends_with("short"), next[thread] % 2 == 1);
        next[thread] += 1;
    }
    assert_eq!(next, [80, 80]);
}
