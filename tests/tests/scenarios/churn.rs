//! Ten thousand threads of ten records each: nothing lost, nothing kept.
// F11, M-26, M-28, L-57

use miu_log_tests::{Place, names, run};

use crate::child;

#[test]
fn threads_that_come_and_go_leave_their_records_and_nothing_else() {
    let place = Place::new();
    let outcome = run(&mut child(&place, "churn"));
    assert_eq!(outcome.number("written"), 100_000, "{outcome:?}");
    assert_eq!(outcome.number("dropped"), 0);
    assert_eq!(outcome.number("descriptors"), 0, "more than before: {outcome:?}");
    assert!(outcome.number("peak_kib") < 200 * 1024, "{outcome:?}");
    let mut next = vec![0; 10_000];
    for message in place.messages("app.log") {
        let (thread, number) = message.split_once(' ').unwrap();
        let thread: usize = thread.parse().unwrap();
        assert_eq!(number, next[thread].to_string());
        next[thread] += 1;
    }
    assert!(next.iter().all(|count| *count == 10));
    assert_eq!(names(&place.runtime()), [""; 0]);
}
