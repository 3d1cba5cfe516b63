//! Tests of the spool: what is appended is read in order, whatever becomes of its files.

use proptest::prelude::*;

use super::*;
use crate::sink::tests::entry;

/// Lines named by their numbers, which are also their sequences.
fn numbered(numbers: std::ops::Range<u64>) -> Held {
    let mut held = Held::default();
    for sequence in numbers {
        let like = Entry { id: RecordId { source: 7, sequence }, domain: 1, ..entry(Level::Error) };
        assert!(held.push(format!("line {sequence}\n").as_bytes(), like));
    }
    held
}

fn domains() -> Vec<String> {
    ["app", "db"].map(str::to_owned).to_vec()
}

fn append(spool: &mut Spool, numbers: std::ops::Range<u64>) {
    let count = numbers.end - numbers.start;
    let (taken, refusal) = spool.append(&numbered(numbers).batch(&domains()));
    assert!(taken as u64 == count && refusal.is_none(), "{taken} {refusal:?}");
}

/// The sequences of the next records, at most so many, and the places behind them.
fn read(spool: &mut Spool, records: usize) -> (Vec<u64>, Vec<Place>) {
    let (mut held, mut domains) = (Held::default(), vec!["db".to_owned()]);
    let places = spool.read(records, 1 << 20, &mut domains, &mut held).unwrap();
    let batch = held.batch(&domains);
    for line in batch.iter() {
        assert_eq!(line.as_bytes(), format!("line {}\n", line.id().sequence()).as_bytes());
        assert_eq!((line.domain(), line.level(), line.id().source()), ("db", Level::Error, 7));
    }
    (batch.iter().map(|line| line.id().sequence()).collect(), places)
}

fn files(folder: &Path) -> usize {
    std::fs::read_dir(folder).unwrap().count() - 1
}

#[test]
fn records_are_read_in_order_and_by_the_next_process_until_they_have_arrived() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, found) = Spool::open(folder.path(), 1 << 20).unwrap();
    assert_eq!(found, Found::default());
    append(&mut spool, 0..5);
    let (sequences, places) = read(&mut spool, 3);
    assert_eq!(sequences, [0, 1, 2]);
    spool.acknowledge(places[1], 2).unwrap();
    assert_eq!((spool.pending(), spool.unread().0), (3, 2));
    drop(spool);
    let (mut spool, found) = Spool::open(folder.path(), 1 << 20).unwrap();
    assert_eq!(found, Found { records: 3, damaged: 0 });
    append(&mut spool, 5..7);
    let (mut sequences, _) = read(&mut spool, 10);
    let (more, places) = read(&mut spool, 10);
    sequences.extend(more);
    assert_eq!(sequences, [2, 3, 4, 5, 6]);
    assert_eq!(spool.unread(), (0, 0));
    spool.acknowledge(places[1], 5).unwrap();
    drop(spool);
    let (spool, found) = Spool::open(folder.path(), 1 << 20).unwrap();
    assert_eq!((found, files(folder.path()), spool.pending()), (Found::default(), 0, 0));
}

#[test]
fn the_files_stay_within_the_bound_and_room_comes_back_with_what_arrives() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, _) = Spool::open(folder.path(), 4000).unwrap();
    let (taken, refusal) = spool.append(&numbered(0..1000).batch(&domains()));
    assert!(matches!(refusal, Some(Refusal::Full)) && taken > 50, "{taken} {refusal:?}");
    assert!(spool.size() <= 4000 && files(folder.path()) >= 7);
    let (taken_again, _) = spool.append(&numbered(1000..1001).batch(&domains()));
    assert_eq!(taken_again, 0);
    let mut sequences = Vec::new();
    for _ in 0..2 {
        let (more, places) = read(&mut spool, 10);
        spool.acknowledge(places[more.len() - 1], more.len() as u64).unwrap();
        sequences.extend(more);
    }
    assert!(spool.size() < 3500, "{}", spool.size());
    append(&mut spool, 1000..1003);
    let mut all = sequences;
    while all.len() < taken + 3 {
        let (more, _) = read(&mut spool, 10);
        assert!(!more.is_empty());
        all.extend(more);
    }
    let expected: Vec<u64> = (0..taken as u64).chain(1000..1003).collect();
    assert_eq!(all, expected);
}

#[test]
fn half_a_record_at_the_end_is_left_out_and_what_was_before_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, _) = Spool::open(folder.path(), 1 << 20).unwrap();
    append(&mut spool, 0..3);
    let len = spool.size();
    drop(spool);
    let path = path_of(folder.path(), 1);
    OpenOptions::new().write(true).open(&path).unwrap().set_len(len - 1).unwrap();
    let (mut spool, found) = Spool::open(folder.path(), 1 << 20).unwrap();
    assert_eq!((found.records, found.damaged), (2, len / 3 - 1));
    append(&mut spool, 3..4);
    assert_eq!(read(&mut spool, 10).0, [0, 1]);
    assert_eq!(read(&mut spool, 10).0, [3]);
}

#[test]
fn a_file_that_changes_under_it_costs_its_own_records_only() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, _) = Spool::open(folder.path(), 4000).unwrap();
    let (taken, _) = spool.append(&numbered(0..1000).batch(&domains()));
    let first = spool.segments[0].records;
    std::fs::write(path_of(folder.path(), 1), vec![0xff; 4000]).unwrap();
    let (mut held, mut names) = (Held::default(), Vec::new());
    assert!(spool.read(10, 1000, &mut names, &mut held).is_err());
    assert_eq!(spool.give_up_unreadable(), first);
    assert_eq!((spool.pending(), spool.unread().0), (taken as u64 - first, taken as u64 - first));
    assert_eq!(read(&mut spool, 1).0, [first]);
}

#[test]
fn a_record_longer_than_what_is_read_at_once_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, _) = Spool::open(folder.path(), 1 << 24).unwrap();
    let mut held = Held::default();
    held.push(&vec![b'x'; 3 << 20], entry(Level::Info));
    assert_eq!(spool.append(&held.batch(&[])).0, 1);
    let mut again = Held::default();
    assert_eq!(spool.read(5, 100, &mut Vec::new(), &mut again).unwrap().len(), 1);
    assert_eq!(again.text, held.text);
}

proptest! {
    #[test]
    fn no_bytes_do_harm(bytes in prop::collection::vec(any::<u8>(), 0..200), at in 0..150usize) {
        let folder = tempfile::tempdir().unwrap();
        let (mut spool, _) = Spool::open(folder.path(), 1 << 20).unwrap();
        append(&mut spool, 0..3);
        drop(spool);
        let path = path_of(folder.path(), 1);
        let mut whole = std::fs::read(&path).unwrap();
        let at = at.min(whole.len());
        whole.splice(at.., bytes.iter().copied());
        std::fs::write(&path, &whole).unwrap();
        std::fs::write(folder.path().join("position"), &bytes).unwrap();
        let (mut spool, found) = Spool::open(folder.path(), 1 << 20).unwrap();
        prop_assert!(found.records <= 3 || bytes.len() > 38);
        let (mut held, mut names) = (Held::default(), Vec::new());
        while spool.unread().0 > 0 {
            prop_assert!(!spool.read(10, 1000, &mut names, &mut held).unwrap().is_empty());
        }
        prop_assert_eq!(held.entries.len() as u64, found.records);
    }
}
