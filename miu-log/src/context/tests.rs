//! Scopes and carried contexts, seen through keys.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::{Poll, Waker};

use super::*;

const KEY: Key<u32> = Key::new("key", &0);
const OTHER: Key<u32> = Key::new("other", &0);

/// Both keys here and now.
fn now() -> (u32, u32) {
    (KEY.get(), OTHER.get())
}

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut std::task::Context::from_waker(Waker::noop()))
}

/// Is ready when it is polled for the second time.
async fn later() {
    let mut polled = false;
    std::future::poll_fn(
        |_| if std::mem::replace(&mut polled, true) { Poll::Ready(()) } else { Poll::Pending },
    )
    .await;
}

#[test]
fn an_inner_scope_adds_and_overrides_and_the_outer_one_comes_back() {
    assert_eq!(now(), (0, 0));
    assert!(!current::is_any());
    let outer = scope(KEY.with(1));
    assert_eq!(now(), (1, 0));
    {
        let _inner = scope(OTHER.with(2).with(&KEY, 3));
        assert_eq!(now(), (3, 2));
    }
    assert_eq!(now(), (1, 0));
    drop(outer);
    assert_eq!(now(), (0, 0));
    assert!(!current::is_any());
}

#[test]
fn guards_may_be_dropped_in_any_order() {
    let first = scope(KEY.with(1));
    let second = scope(KEY.with(2));
    let third = scope(OTHER.with(3));
    drop(second);
    assert_eq!(now(), (2, 3), "the innermost scope stays as it was");
    drop(first);
    assert_eq!(now(), (2, 3));
    drop(third);
    assert_eq!(now(), (0, 0));
    assert!(!current::is_any());
}

#[test]
fn a_panic_ends_its_scopes_and_no_others() {
    let _outer = scope(KEY.with(1));
    let outcome = catch_unwind(|| {
        let _inner = scope(KEY.with(2));
        panic!("as the test wants it");
    });
    assert!(outcome.is_err());
    assert_eq!(now(), (1, 0));
}

#[test]
fn a_future_has_its_context_while_it_is_polled_and_its_poller_has_not() {
    let mut future = pin!(async { (now(), later().await, now()) }.in_context(KEY.with(1)));
    let _own = scope(KEY.with(5).with(&OTHER, 6));
    assert!(poll(future.as_mut()).is_pending());
    assert_eq!(now(), (5, 6));
    assert_eq!(poll(future), Poll::Ready(((1, 0), (), (1, 0))));
    assert_eq!(now(), (5, 6));
}

#[test]
fn a_future_adds_to_the_context_it_was_made_in() {
    let outer = scope(OTHER.with(2));
    let mut future = pin!(async { now() }.in_context(KEY.with(1)));
    drop(outer);
    assert_eq!(poll(future.as_mut()), Poll::Ready((1, 2)));
}

#[test]
fn a_future_that_panics_leaves_its_poller_its_own_context() {
    let _own = scope(KEY.with(5));
    let mut future = pin!(
        async {
            assert_eq!(KEY.get(), 5, "as the test wants it");
        }
        .in_context(KEY.with(1))
    );
    assert!(catch_unwind(AssertUnwindSafe(|| poll(future.as_mut()))).is_err());
    assert_eq!(now(), (5, 0));
}

#[test]
fn a_future_that_is_dropped_half_way_is_dropped_in_its_context() {
    struct Seen<'a>(&'a std::cell::Cell<u32>);
    impl Drop for Seen<'_> {
        fn drop(&mut self) {
            self.0.set(KEY.get());
        }
    }
    let seen = std::cell::Cell::new(0);
    let guard = Seen(&seen);
    let mut future = Box::pin(
        async move {
            let _guard = guard;
            later().await;
        }
        .in_context(KEY.with(7)),
    );
    assert!(poll(future.as_mut()).is_pending());
    drop(future);
    assert_eq!((seen.get(), now()), (7, (0, 0)));
}

#[test]
fn a_closure_takes_its_context_to_another_thread() {
    let outer = scope(OTHER.with(2));
    let call = now.in_context(KEY.with(1));
    let wrapped = Context::current().wrap(now);
    drop(outer);
    assert_eq!(std::thread::spawn(call).join().unwrap(), (1, 2));
    assert_eq!(std::thread::spawn(wrapped).join().unwrap(), (0, 2));
    assert_eq!(std::thread::spawn(now).join().unwrap(), (0, 0));
}

#[test]
fn a_scope_that_outlives_the_threads_own_stack_does_no_harm() {
    struct AtEnd;
    impl Drop for AtEnd {
        fn drop(&mut self) {
            let _scope = scope(KEY.with(1));
            let _ = KEY.get();
        }
    }
    thread_local!(static AT_END: AtEnd = const { AtEnd });
    let run = || {
        AT_END.with(|_| ());
        std::mem::forget(scope(KEY.with(1)));
    };
    std::thread::spawn(run).join().unwrap();
}

#[test]
fn a_value_of_another_type_is_none() {
    let _scope = scope(Key::<str>::new("key", "").with("text"));
    assert_eq!(KEY.get(), 0);
    assert_eq!(REQUEST_ID.get(), "no-request");
    assert_eq!(REQUEST_ID.of(&REQUEST_ID.with(String::from("r"))), "r");
}
