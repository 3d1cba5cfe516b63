//! Tests of the spool: what is appended is read in order, whatever becomes of its files.

use proptest::prelude::*;

use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt as _;

use super::format::decode;
use super::tally::Tally;
use super::*;
use crate::level::Level;
use crate::record::RecordId;
use crate::sink::tests::entry;
use crate::sink::{Batch, Entry, Held};

/// Both sides, as one.
struct Spool {
    appender: Appender,
    drain: Drain,
}

impl Spool {
    fn open(folder: &Path, limit: u64) -> io::Result<(Spool, Found)> {
        let (appender, drain, found) = open(folder, limit, 0)?;
        Ok((Spool { appender, drain }, found))
    }

    fn append(&mut self, batch: &Batch<'_>) -> (usize, Option<Refusal>) {
        self.appender.append(batch, 0)
    }

    fn read(
        &mut self,
        records: usize,
        bytes: usize,
        domains: &mut Vec<String>,
        held: &mut Held,
    ) -> io::Result<Vec<Place>> {
        self.drain.read(records, bytes, domains, held)
    }

    fn acknowledge(&mut self, place: Place, records: u64) -> io::Result<()> {
        self.drain.acknowledge(place, records)
    }

    fn pending(&self) -> u64 {
        self.drain.shared().pending()
    }

    fn unread(&self) -> u64 {
        self.drain.shared().unread().records
    }

    fn size(&self) -> u64 {
        self.drain.shared().size()
    }
}

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
    // Beside them are the position and the lock.
    std::fs::read_dir(folder).unwrap().count() - 2
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
    assert_eq!((spool.pending(), spool.unread()), (3, 2));
    drop(spool);
    let (mut spool, found) = Spool::open(folder.path(), 1 << 20).unwrap();
    assert_eq!(found, Found { records: 3, ..Found::default() });
    append(&mut spool, 5..7);
    let (sequences, places) = read(&mut spool, 10);
    assert_eq!(sequences, [2, 3, 4, 5, 6]);
    assert_eq!(spool.drain.shared().unread(), Waiting::default());
    spool.acknowledge(places[4], 5).unwrap();
    spool.drain.finish().unwrap();
    assert_eq!(files(folder.path()), 0);
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
    assert_eq!(read(&mut spool, 10).0, [0, 1, 3]);
}

#[test]
fn a_file_that_changes_under_it_costs_its_own_records_only() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, _) = Spool::open(folder.path(), 4000).unwrap();
    let (taken, _) = spool.append(&numbered(0..1000).batch(&domains()));
    let first = spool.drain.shared().state().segments[0].records;
    std::fs::write(path_of(folder.path(), 1), vec![0xff; 4000]).unwrap();
    let (mut held, mut names) = (Held::default(), Vec::new());
    assert!(spool.read(10, 1000, &mut names, &mut held).is_err());
    assert_eq!(spool.drain.give_up_unreadable(), first);
    assert_eq!((spool.pending(), spool.unread()), (taken as u64 - first, taken as u64 - first));
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
        while spool.unread() > 0 {
            prop_assert!(!spool.read(10, 1000, &mut names, &mut held).unwrap().is_empty());
        }
        prop_assert_eq!(held.entries.len() as u64, found.records);
    }
}

#[test]
fn a_file_in_which_all_has_arrived_makes_room_for_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, _) = Spool::open(folder.path(), 1 << 20).unwrap();
    for round in 0..20 {
        append(&mut spool, round * 1000..(round + 1) * 1000);
        let (sequences, places) = read(&mut spool, 1000);
        assert_eq!(sequences.len(), 1000);
        spool.acknowledge(places[999], 1000).unwrap();
    }
    assert!(files(folder.path()) <= 1 && spool.size() <= 1 << 18, "{}", spool.size());
}

#[test]
fn one_side_appends_while_the_other_reads_and_nothing_is_missed() {
    let folder = tempfile::tempdir().unwrap();
    let (Spool { mut appender, mut drain }, _) = Spool::open(folder.path(), 1 << 20).unwrap();
    let total = 30_000;
    let writer = std::thread::spawn(move || {
        let mut next = 0;
        while next < total {
            let (taken, _) = appender.append(&numbered(next..(next + 37).min(total)).batch(&domains()), 0);
            next += taken as u64;
            if taken == 0 {
                std::thread::yield_now();
            }
        }
    });
    let mut seen = 0;
    while seen < total {
        let (mut held, mut names) = (Held::default(), Vec::new());
        let places = drain.read(100, 1 << 20, &mut names, &mut held).unwrap();
        for line in held.batch(&names).iter() {
            assert_eq!(line.id().sequence(), seen);
            seen += 1;
        }
        if let Some(last) = places.last() {
            drain.acknowledge(*last, places.len() as u64).unwrap();
        }
    }
    writer.join().unwrap();
    assert_eq!((drain.shared().pending(), drain.shared().unread().bytes), (0, 0));
    drain.finish().unwrap();
    assert_eq!((files(folder.path()), drain.shared().size()), (0, 0));
}

#[test]
fn what_is_left_behind_changes_nothing_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, _) = Spool::open(folder.path(), 1 << 20).unwrap();
    append(&mut spool, 0..3);
    let (_, places) = read(&mut spool, 3);
    let Spool { appender, mut drain } = spool;
    appender.shared().leave();
    drop(appender);
    let (next, found) = Spool::open(folder.path(), 1 << 20).unwrap();
    drain.acknowledge(places[2], 3).unwrap();
    drain.finish().unwrap();
    assert_eq!((found.records, files(folder.path())), (3, 1));
    drop(next);
    assert_eq!(Spool::open(folder.path(), 1 << 20).unwrap().1.records, 3);
}

#[test]
fn a_record_that_is_damaged_costs_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, _) = Spool::open(folder.path(), 1 << 20).unwrap();
    append(&mut spool, 0..5);
    let len = spool.size() as usize / 5;
    drop(spool);
    let path = path_of(folder.path(), 1);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[2 * len + 20] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let (mut spool, found) = Spool::open(folder.path(), 1 << 20).unwrap();
    assert_eq!(found, Found { records: 4, damaged: len as u64, ..Found::default() });
    let (sequences, places) = read(&mut spool, 10);
    assert_eq!(sequences, [0, 1, 3, 4]);
    spool.acknowledge(places[3], 4).unwrap();
    assert_eq!((spool.pending(), spool.unread()), (0, 0));
}

#[test]
fn a_file_of_which_nothing_is_a_record_is_put_aside() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, _) = Spool::open(folder.path(), 1 << 20).unwrap();
    append(&mut spool, 0..2);
    drop(spool);
    let foreign = b"spool of another kind".repeat(10);
    std::fs::write(path_of(folder.path(), 7), &foreign).unwrap();
    let (mut spool, found) = Spool::open(folder.path(), 1 << 20).unwrap();
    let aside = path_of(folder.path(), 7).with_extension("damaged");
    assert_eq!((found.records, found.damaged), (2, foreign.len() as u64));
    assert_eq!(found.put_aside, [aside.as_path()]);
    assert_eq!(std::fs::read(&aside).unwrap(), foreign);
    let (sequences, places) = read(&mut spool, 10);
    assert_eq!(sequences, [0, 1]);
    spool.acknowledge(places[1], 2).unwrap();
    drop(spool);
    assert_eq!(Spool::open(folder.path(), 1 << 20).unwrap().1, Found::default());
    assert!(aside.exists());
}

#[test]
fn a_pipe_in_place_of_a_file_is_an_error_and_nobody_waits_for_its_other_end() {
    for name in ["lock", "position"] {
        let folder = tempfile::tempdir().unwrap();
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        let path = folder.path().join(name);
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        assert!(Spool::open(folder.path(), 1 << 20).is_err(), "{name}");
    }
}

#[test]
fn what_waits_is_seen_from_outside_unless_a_program_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let far = folder.path().join("far");
    let (mut spool, _) = Spool::open(&far, 1 << 20).unwrap();
    append(&mut spool, 0..4);
    let len = spool.size() / 4;
    assert_eq!(waiting_in(&far).unwrap(), 0, "it is in use");
    let (_, places) = read(&mut spool, 10);
    spool.acknowledge(places[0], 1).unwrap();
    drop(spool);
    assert_eq!(waiting_in(&far).unwrap(), 3 * len);
    let (mut spool, _) = Spool::open(&far, 1 << 20).unwrap();
    let (_, places) = read(&mut spool, 10);
    spool.acknowledge(places[2], 3).unwrap();
    drop(spool);
    assert_eq!(waiting_in(&far).unwrap(), 0);
    assert_eq!(waiting_in(folder.path()).unwrap(), 0, "no spool");
}

/// Changes a byte of the file that says what has arrived.
fn spoil_position(folder: &Path, at: u64) {
    let file = OpenOptions::new().read(true).write(true).open(folder.join("position")).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 1], at).unwrap();
}

#[test]
fn half_a_position_costs_one_acknowledgement_and_none_at_all_costs_no_record() {
    for (spoilt, left) in [(&[0][..], 1), (&[4096], 3), (&[0, 4096], 5)] {
        let folder = tempfile::tempdir().unwrap();
        let (mut spool, _) = Spool::open(folder.path(), 1 << 20).unwrap();
        append(&mut spool, 0..5);
        let (_, places) = read(&mut spool, 5);
        spool.acknowledge(places[1], 2).unwrap();
        spool.acknowledge(places[3], 2).unwrap();
        drop(spool);
        spoilt.iter().for_each(|at| spoil_position(folder.path(), *at));
        assert_eq!(Spool::open(folder.path(), 1 << 20).unwrap().1.records, left);
    }
}

#[test]
fn a_position_that_cannot_be_read_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    assert!(read_position(&File::open(folder.path()).unwrap()).is_err());
}

#[test]
fn what_waits_is_synced_once_and_what_has_arrived_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, _) = Spool::open(folder.path(), 1 << 20).unwrap();
    append(&mut spool, 0..3);
    assert_eq!(spool.appender.synced(), 0);
    spool.appender.sync().unwrap();
    assert_eq!(spool.appender.synced(), spool.size());
    append(&mut spool, 3..4);
    let (_, places) = read(&mut spool, 4);
    spool.acknowledge(places[3], 4).unwrap();
    let before = spool.appender.synced();
    spool.appender.sync().unwrap();
    assert!(spool.appender.synced() == before && before < spool.size());
}

/// What a folder of a spool holds, as a disk may.
type Disk = std::collections::BTreeMap<std::ffi::OsString, Vec<u8>>;

fn disk(folder: &Path) -> Disk {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries.map(|entry| (entry.file_name(), std::fs::read(entry.path()).unwrap())).collect()
}

/// One half of the file that says what has arrived, as it was at some time.
fn slot(position: &[u8], number: usize) -> [u8; 24] {
    let mut slot = [0; 24];
    let bytes = position.get(number * 4096..).unwrap_or_default();
    let len = bytes.len().min(24);
    slot[..len].copy_from_slice(&bytes[..len]);
    slot
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// The power fails again and again. Of what a process has done the disk has each half of the position as of any moment, any of the files that were removed, and
    /// perhaps not the newest one.
    #[test]
    fn a_loss_of_power_repeats_records_and_skips_none(
        lives in prop::collection::vec(
            (prop::collection::vec((0..9u64, 0..9usize), 1..6), any::<[prop::sample::Index; 2]>(), any::<u64>()),
            1..5,
        ),
    ) {
        let mut on_disk = Disk::default();
        // Gone are those that have arrived, and those whose file never got to the disk.
        let (mut next, mut gone) = (0, std::collections::BTreeSet::new());
        for (steps, moments, kept) in lives {
            let folder = tempfile::tempdir().unwrap();
            for (name, contents) in &on_disk {
                std::fs::write(folder.path().join(name), contents).unwrap();
            }
            // Files are short, so that there are many.
            let (mut spool, _) = Spool::open(folder.path(), 4000).unwrap();
            let (mut all, mut positions) = (disk(folder.path()), Vec::new());
            let mut read_so_far = Vec::new();
            positions.push(all[OsStr::new("position")].clone());
            for (appended, acknowledged) in steps {
                let (taken, _) = spool.append(&numbered(next..next + appended).batch(&domains()));
                next += taken as u64;
                all.extend(disk(folder.path()));
                let (sequences, places) = read(&mut spool, acknowledged);
                if let Some(last) = places.last() {
                    spool.acknowledge(*last, places.len() as u64).unwrap();
                    gone.extend(sequences.iter().copied());
                    read_so_far.extend(sequences);
                }
                positions.push(std::fs::read(folder.path().join("position")).unwrap());
            }
            // All that has not arrived comes, in order.
            read_so_far.extend(read(&mut spool, 10_000).0);
            let mut expected: Vec<u64> = read_so_far.clone();
            expected.sort_unstable();
            expected.dedup();
            prop_assert_eq!(&read_so_far, &expected);
            let missing = (0..next).find(|it| !gone.contains(it) && !read_so_far.contains(it));
            prop_assert_eq!(missing, None);
            let left = disk(folder.path());
            drop(spool);
            let mut position = vec![0; 4096 + 24];
            for (number, moment) in moments.iter().enumerate() {
                let from = number * 4096;
                position[from..from + 24].copy_from_slice(&slot(&positions[moment.index(positions.len())], number));
            }
            let is_kept = |number: usize| kept >> (number % 64) & 1 == 1;
            on_disk = left.clone();
            on_disk.extend(all.into_iter().enumerate().filter_map(|(number, (name, contents))| {
                (!left.contains_key(&name) && is_kept(number)).then_some((name, contents))
            }));
            let newest = on_disk.keys().rfind(|name| number_of(name).is_some()).cloned();
            if let Some(lost) = newest.filter(|_| kept >> 63 == 1) {
                let lost = on_disk.remove(&lost).unwrap();
                let mut rest = &lost[..];
                while let Some((record, after)) = decode(rest) {
                    gone.insert(record.id.sequence);
                    rest = after;
                }
            }
            on_disk.insert("position".into(), position);
        }
    }
}

/// What somebody counts from outside, and whether nothing is damaged.
fn tallied(folder: &Path) -> (Tally, bool) {
    let disk = disk(folder);
    let mut tally = Tally::new(&disk[OsStr::new("position")]);
    let mut is_whole = true;
    for (name, contents) in &disk {
        if let Some(number) = tally.number_of(name.to_str().unwrap()) {
            is_whole &= tally.add(number, contents);
        }
    }
    (tally, is_whole)
}

#[test]
fn what_waits_is_counted_from_outside_as_it_is_inside() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, _) = Spool::open(folder.path(), 4000).unwrap();
    for round in 0..30 {
        append(&mut spool, round * 5..(round + 1) * 5);
        let (sequences, places) = read(&mut spool, 4 + (round % 2) as usize);
        spool.acknowledge(places[places.len() - 1], sequences.len() as u64).unwrap();
        let (tally, is_whole) = tallied(folder.path());
        assert!(is_whole && tally.records == spool.pending(), "{tally:?}");
        assert_eq!(tally.bytes, spool.drain.shared().unread().bytes);
        assert_eq!(tally.oldest.is_some(), tally.records > 0);
    }
    let pending = spool.pending();
    assert!(pending > 0);
    drop(spool);
    assert_eq!(tallied(folder.path()).0.records, pending);
}

#[test]
fn a_record_that_is_being_appended_is_no_damage_and_is_not_counted() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, _) = Spool::open(folder.path(), 1 << 20).unwrap();
    append(&mut spool, 0..3);
    let (file, len) = (path_of(folder.path(), 1), spool.size());
    let file = OpenOptions::new().write(true).open(file).unwrap();
    for cut in 1..len / 3 {
        file.set_len(len - cut).unwrap();
        let (tally, is_whole) = tallied(folder.path());
        assert_eq!((tally.records, is_whole), (2, true), "{cut}");
    }
    file.set_len(len).unwrap();
    file.write_all_at(&[0xff], len - len / 3 - 2).unwrap();
    let (tally, is_whole) = tallied(folder.path());
    assert_eq!((tally.records, is_whole), (1, false));
}

proptest! {
    #[test]
    fn whatever_is_counted_is_no_more_than_is_there(
        position in prop::collection::vec(any::<u8>(), 0..60),
        contents in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        let mut tally = Tally::new(&position);
        tally.add(0, &contents);
        prop_assert!(tally.records <= contents.len() as u64 / 38 && tally.bytes <= contents.len() as u64);
    }
}
