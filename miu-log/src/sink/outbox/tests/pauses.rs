//! Of pauses that a destination asks for.

use super::*;

#[test]
fn what_a_destination_asks_for_is_waited_for() {
    let mut stage = Stage::new(None, 0);
    stage.destination.answer([Err(DeliverError::retry_after("slow down", Duration::from_secs(42)))]);
    stage.log(&["a", "b", "c", "d"]);
    assert_eq!(stage.run(), Some(42));
    stage.pass(41);
    assert_eq!((stage.run(), stage.destination.attempts()), (Some(1), 1));
    stage.pass(1);
    assert_eq!((stage.run(), stage.destination.attempts()), (None, 2));
}

#[test]
fn what_a_destination_asks_for_counts_up_to_an_hour_also_where_it_is_left_alone() {
    for (asked, waited) in [(7, 30), (77, 77), (1_000_000, 3600)] {
        let mut stage = Stage::new(None, 0);
        stage.courier.kit.options.backoff.retries = 0;
        stage.destination.answer([Err(DeliverError::retry_after("slow down", Duration::from_secs(asked)))]);
        stage.log(&["shown", "shown", "shown", "shown"]);
        assert_eq!(stage.run(), Some(waited));
        stage.log(&["a", "b", "c", "d"]);
        assert_eq!(stage.run(), Some(waited));
    }
}

#[test]
fn a_pause_that_was_asked_for_holds_for_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::at(1000, Some(folder.path()), 1 << 20);
    stage.destination.answer([Err(DeliverError::retry_after("slow down", Duration::from_secs(60)))]);
    stage.log(&["a", "b", "c", "d"]);
    assert_eq!(stage.run(), Some(60));
    drop((stage.intake, stage.courier));

    let mut next = Stage::at(1020, Some(folder.path()), 1 << 20);
    next.log(&["e", "f", "g", "h"]);
    assert_eq!(next.run(), Some(40));
    assert!(next.courier.rest().is_some() && !next.courier.has_connected, "it is not even reached for");
    next.courier.close(Instant::now() + Duration::from_secs(60)).unwrap();
    assert_eq!((next.destination.attempts(), next.health().failing), (0, true));
    drop((next.intake, next.courier));

    let mut last = Stage::at(1050, Some(folder.path()), 1 << 20);
    assert_eq!(last.run(), Some(10));
    last.pass(10);
    assert_eq!(last.run(), None);
    assert_eq!(last.destination.arrived(), ["a", "b", "c", "d", "e", "f", "g", "h"]);
    assert!(!last.health().failing && !folder.path().join("pause").exists());
}

#[test]
fn a_pause_from_a_time_that_is_to_come_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::at(1000, Some(folder.path()), 1 << 20);
    stage.destination.answer([Err(DeliverError::retry_after("slow down", Duration::from_secs(60)))]);
    stage.log(&["a", "b", "c", "d"]);
    stage.run();
    drop((stage.intake, stage.courier));
    let mut next = Stage::at(10, Some(folder.path()), 1 << 20);
    next.run();
    assert_eq!(next.destination.arrived().len(), 4);
}

#[test]
fn the_end_keeps_to_what_was_asked_for_and_to_no_pause_of_ours() {
    for (answer, attempts) in [
        (DeliverError::retry_after("slow down", Duration::from_secs(60)), 1),
        (DeliverError::retry("busy"), 2),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut stage = Stage::new(Some(folder.path()), 1 << 20);
        stage.destination.answer([Err(answer)]);
        stage.log(&["a", "b", "c", "d"]);
        stage.run();
        stage.courier.close(Instant::now() + Duration::from_secs(60)).unwrap();
        assert_eq!(stage.destination.attempts(), attempts);
    }
    // A circuit that is open is tried once more as well.
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::new(Some(folder.path()), 1 << 20);
    stage.destination.always(|_| busy());
    stage.log(&["e", "f", "g", "h"]);
    while stage.courier.told_health().remote.unwrap().circuit == CircuitState::Closed {
        stage.pass(16);
        stage.run();
    }
    stage.destination.peer(|peer| peer.always = None);
    stage.courier.close(Instant::now() + Duration::from_secs(60)).unwrap();
    assert_eq!((stage.destination.arrived().len(), stage.health().waiting), (4, 0));
}
