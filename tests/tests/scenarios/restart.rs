//! The listener's process goes, properly or not, while workers log: they go on, and the next one finds everything.
// F4, F5, M-20, M-39, C8, P4, P5

use std::path::PathBuf;

use miu_log_tests::{Place, names, wait_until};

use crate::puppet::{Puppet, assert_exactly_once, number, with_text};

/// Files of rings in the log folder.
fn spilt(place: &Place) -> Vec<PathBuf> {
    let folder = place.log(".miu");
    if !folder.exists() {
        return Vec::new();
    }
    names(&folder).iter().filter(|name| name.starts_with("ring-")).map(|name| folder.join(name)).collect()
}

/// Asserts that the domain's file and the level's file hold the same records.
fn assert_both_files_agree(place: &Place) {
    let (domain, level) = (place.text("app.log"), place.text("info.log"));
    let of_level = domain.lines().filter(|line| line.contains(" | INFO "));
    assert!(of_level.eq(level.lines()), "app.log and info.log differ");
}

/// Asserts that the listener has accounted for all it was given.
fn assert_all_accounted_for(listener: &mut Puppet) {
    listener.make("flush");
    let stats = listener.tell("stats");
    assert_eq!(number(&stats, "accepted"), number(&stats, "written"), "{stats}");
    assert_eq!((number(&stats, "pending"), number(&stats, "corrupt")), (0, 0), "{stats}");
}

/// Asserts that nothing was dropped, as far as the listener knows.
fn assert_nothing_dropped(listener: &mut Puppet) {
    assert_eq!(listener.number("stats", "dropped"), 0);
}

/// The listener goes in some way while workers log that came before it, while there is none, and after the next one.
fn listener_goes(end: impl FnOnce(Puppet)) {
    let place = Place::new();
    let mut first = Puppet::listener(&place);
    let endpoint = first.tell("endpoint");
    first.make("threads 1 first 20");
    let mut before = Puppet::worker_of(&place, &endpoint);
    before.make("threads 2 before 20");
    first.wait_for_more(100);
    before.wait_for_more(100);
    let first_logged = first.counts("logged")[0];
    end(first);

    // M-20: its policy is to wait for room without limit; without a listener nobody waits.
    before.wait_for_more(200);
    let error = before.tell("flush");
    assert!(error.contains("there is no listener at the moment; what was logged is kept"), "{error}");
    before.make("long 100000 long");
    let mut during = Puppet::worker_of(&place, &endpoint);
    during.make("threads 1 during 20");
    let mut brief = Puppet::worker_of(&place, &endpoint);
    brief.make("many 100 brief");
    assert!(brief.ended_by("return").success());
    let mut killed = Puppet::worker_of(&place, &endpoint);
    killed.make("many 100 killed");
    killed.killed();
    during.wait_for_more(100);

    let mut second = Puppet::listener(&place);
    second.make("threads 1 second 20");
    let mut after = Puppet::worker_of(&place, &endpoint);
    after.make("threads 1 after 20");
    for worker in [&mut before, &mut during, &mut after, &mut second] {
        worker.wait_for_more(100);
    }
    before.make("flush");
    let counts = [&mut before, &mut during, &mut after, &mut second].map(|worker| worker.counts("stop"));
    assert_all_accounted_for(&mut second);
    let entries = place.entries("app.log");
    for (tag, counts) in ["before", "during", "after", "second"].into_iter().zip(&counts) {
        assert_exactly_once(&entries, tag, counts);
    }
    assert_exactly_once(&entries, "brief", &[100]);
    assert_exactly_once(&entries, "killed", &[100]);
    assert_eq!(with_text(&entries, &format!("long {}", "x".repeat(100_000))).len(), 1);
    // Of the first one nothing is missing that its calls have returned for.
    let of_first = entries.iter().filter(|entry| entry.message.starts_with("first 0 ")).count() as u64;
    assert!(of_first >= first_logged);
    assert_exactly_once(&entries, "first", &[of_first]);
    assert_both_files_agree(&place);

    let report = second.tell("shutdown");
    assert_eq!((number(&report, "dropped"), number(&report, "abandoned")), (0, 0), "{report}");
    drop((before, during, after));
    // All have ended; the next start finds what the last ones left of themselves, and nothing to say but who died.
    let mut last = Puppet::new(&place);
    assert_eq!(last.tell("open"), "ok recovered=0");
    last.make("drop");
    assert_eq!(names(&place.runtime()), [""; 0], "nothing stays in the runtime directory");
    assert_exactly_once(&place.entries("app.log"), "before", &counts[0]);
}

#[test]
fn workers_go_on_when_the_listener_is_killed_and_the_next_one_adopts_them() {
    listener_goes(Puppet::killed);
}

#[test]
fn workers_go_on_when_the_listener_ends_properly_and_the_next_one_adopts_them() {
    listener_goes(|first| assert!(first.ended_by("return").success()));
}

#[test]
fn a_listener_that_is_killed_again_and_again_loses_and_doubles_nothing() {
    let place = Place::new();
    let mut listener = Puppet::listener(&place);
    let mut worker = Puppet::worker_of(&place, &listener.tell("endpoint"));
    worker.make("threads 1 worker 2000");
    for _ in 0..3 {
        worker.wait_for_more(50);
        listener.killed();
        listener = Puppet::listener(&place);
    }
    let counts = worker.counts("stop");
    assert_all_accounted_for(&mut listener);
    assert_nothing_dropped(&mut listener);
    assert_exactly_once(&place.entries("app.log"), "worker", &counts);
    assert_both_files_agree(&place);
}

#[test]
fn everything_is_killed_and_the_next_start_has_all_of_it() {
    // F5
    let place = Place::new();
    let mut listener = Puppet::listener(&place);
    let mut worker = Puppet::worker_of(&place, &listener.tell("endpoint"));
    listener.make("many 1000 listener");
    worker.make("many 1000 worker");
    // Frozen first, so that neither sees the other go.
    listener.freeze();
    worker.freeze();
    worker.killed();
    listener.killed();
    let mut next = Puppet::new(&place);
    let recovered = number(&next.tell("open"), "recovered");
    next.make("flush");
    let entries = place.entries("app.log");
    assert_exactly_once(&entries, "listener", &[1000]);
    assert_exactly_once(&entries, "worker", &[1000]);
    assert_both_files_agree(&place);
    let told = with_text(&entries, &format!("recovered {recovered} records from a run")).len();
    assert_eq!(told, usize::from(recovered > 0), "what was written already is not told of");
    assert!(next.ended_by("return").success());
    assert_eq!(names(&place.runtime()), [""; 0]);
}

#[test]
fn a_full_ring_without_a_listener_goes_on_in_the_log_folder_then_sheds_and_all_that_was_kept_is_written() {
    // M-39, C8
    const LIMIT: u64 = 64 * 1024 * 1024;
    let place = Place::new();
    let mut listener = Puppet::listener(&place);
    let mut worker = Puppet::worker_of(&place, &listener.tell("endpoint"));
    listener.make("log info before");
    worker.make("flush");
    listener.killed();
    let kept: u64 = worker.tell("fill kept").parse().unwrap();
    let sizes: Vec<u64> = spilt(&place).iter().map(|path| path.metadata().unwrap().len()).collect();
    let total: u64 = sizes.iter().sum();
    // Each file has a page or two beside its data.
    assert!((LIMIT / 2..LIMIT + sizes.len() as u64 * 65536).contains(&total), "{sizes:?}");
    assert!(kept * 8192 > LIMIT / 2, "{kept} were kept");
    // From here on by level: what matters most has room that the others are not given.
    let dropped = worker.number("stats", "dropped");
    worker.make("log debug shed");
    worker.make("log info shed");
    worker.make("log error reserved");
    assert_eq!(worker.number("stats", "dropped"), dropped + 2);

    let mut listener = Puppet::listener(&place);
    assert_all_accounted_for(&mut listener);
    let entries = place.entries("app.log");
    assert_exactly_once(&entries, "kept", &[kept]);
    assert_eq!(with_text(&entries, "reserved").len(), 1);
    let lines = with_text(&entries, "dropped ");
    let [line] = &lines[..] else { panic!("one line says what was dropped: {lines:?}") };
    let expected = format!("dropped {} records (queue full): 1 DEBUG, {} INFO", dropped + 2, dropped + 1);
    assert_eq!((&*line.level, &*line.message), ("WARNING", &*expected));
    assert_eq!(listener.number("stats", "dropped"), dropped + 2);
    // With its next record the worker is back where it came from.
    worker.make("log info after");
    wait_until("the log folder holds log files only", || {
        listener.make("flush");
        spilt(&place).is_empty()
    });
    worker.make("log info and on");
    worker.make("flush");
    assert!(spilt(&place).is_empty());
    let messages = place.messages("app.log");
    assert_eq!(messages[messages.len() - 2..], ["after", "and on"]);
}

#[test]
fn what_a_worker_has_lost_is_told_once_however_often_the_listener_is_restarted() {
    let place = Place::new();
    let mut listener = Puppet::listener(&place);
    let mut worker = Puppet::worker_of(&place, &listener.tell("endpoint"));
    worker.make("lose 3");
    listener.make("flush");
    assert_eq!(listener.number("stats", "dropped"), 3);
    listener.killed();
    worker.make("lose 2");
    let mut listener = Puppet::listener(&place);
    listener.make("flush");
    assert_eq!(listener.number("stats", "dropped"), 2, "as of this listener");
    listener.make("drop");
    worker.make("lose 1");
    assert!(worker.ended_by("return").success());
    let mut listener = Puppet::listener(&place);
    listener.make("flush");
    let mut told = place.messages("app.log");
    told.retain(|text| text.starts_with("dropped "));
    let expected = [3, 2, 1].map(|count| {
        let records = if count == 1 { "record" } else { "records" };
        format!("dropped {count} {records} (logged from within logging): {count} INFO")
    });
    assert_eq!(told, expected);
}
