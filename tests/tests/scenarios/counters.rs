//! `stats`: every record is in exactly one of the counters.
// P6, C8, L-57; the invariant of the fault table

use miu_log::{DropReason, Level, SinkState};
use miu_log_tests::{Place, logs};

use crate::FLUSH;

#[test]
fn records_are_counted_by_domain_level_and_sink() {
    let place = Place::new();
    let repo = logs::Repository::open(place.config().level(Level::Trace)).unwrap();
    for (index, domain) in logs::Domain::ALL.iter().enumerate() {
        for level in Level::ALL {
            (0..=index).for_each(|_| repo.domain(*domain).log(level, "m"));
        }
    }
    repo.app.set_level(Level::Critical);
    repo.app.error("below its level: neither written nor dropped");
    repo.flush(FLUSH).unwrap();
    let stats = repo.stats();
    assert_eq!((stats.accepted, stats.written, stats.dropped, stats.pending), (70, 70, 0, 0));
    for (index, domain) in stats.domains.iter().enumerate() {
        assert_eq!(domain.name, logs::Domain::ALL[index].as_str());
        assert!(Level::ALL.iter().all(|level| domain.written_at(*level) == index as u64 + 1));
        assert!(Level::ALL.iter().all(|level| domain.dropped_at(DropReason::Full, *level) == 0));
    }
    let written = |name: &str| {
        let sink =
            stats.sinks.iter().find(|sink| sink.name == name).unwrap_or_else(|| panic!("{name}: {stats:?}"));
        assert_eq!((sink.dropped, sink.held, sink.errors, sink.state), (0, 0, 0, SinkState::Working));
        sink.written
    };
    assert_eq!((written("app.log"), written("task.log")), (7, 28));
    assert_eq!((written("debug.log"), written("error.log")), (10, 20));
    for name in place.names() {
        assert_eq!(written(&name), place.entries(&name).len() as u64, "{name}");
    }
}
