//! Fields that records have without being passed: from scopes, tasks, threads and loggers.
// L-49 to L-52, P-28, P-65, F54 to F57 (context)

use std::collections::HashMap;

use miu_log::context::{self, CallInContext, Context, InContext, Key, REQUEST_ID, USER_ID};
use miu_log::testing::ManualListener;
use miu_log::{Fields, Json, JsonKey, Level, LogConfig, Logfmt, Pattern, fields};
use miu_log_tests::{Place, logs};

use crate::puppet::Puppet;
use crate::{FLUSH, child};

/// A repository that is stepped by hand.
fn opened(place: &Place, config: impl FnOnce(LogConfig) -> LogConfig) -> (logs::Repository, ManualListener) {
    let listener = ManualListener::new();
    let repo = logs::Repository::open(config(place.config()).manual_listener(&listener)).unwrap();
    (repo, listener)
}

#[test]
fn records_of_a_scope_have_its_fields_behind_their_own() {
    let place = Place::new();
    let (repo, listener) = opened(&place, |config| config);
    repo.app.info("before");
    {
        let _outer = context::scope(REQUEST_ID.with("r-17").with(&USER_ID, "ann"));
        repo.app.info("a method");
        miu_log::info!(repo.app, rows = 3, "a macro with {}", 1);
        let _inner = context::scope(fields!(user_id = "joe", tenant = 7));
        repo.app.exception("failed", &std::io::Error::other("gone"));
        miu_log::info!(repo.app, user_id = "own", "the record's own wins");
    }
    repo.app.info("after");
    listener.step();
    let expected = [
        "before",
        "a method | request_id=r-17 user_id=ann",
        "a macro with 1 | rows=3 request_id=r-17 user_id=ann",
        "failed | request_id=r-17 user_id=joe tenant=7",
        "the record's own wins | user_id=own request_id=r-17 tenant=7",
        "after",
    ];
    assert_eq!(place.messages("app.log"), expected);
    assert_eq!(place.entries("app.log")[3].detail[0], "error: gone");
}

#[test]
fn a_bound_logger_has_its_fields_in_every_record_and_its_parent_has_not() {
    let place = Place::new();
    let (repo, listener) = opened(&place, |config| config);
    let session = repo.db.bind(fields!(session = 17, user = %"ann"));
    let step = session.bind(fields!(user = "joe", step = 2));
    let _scope = context::scope(fields!(user = "nobody", tenant = 1));
    session.info("session");
    miu_log::info!(step, rows = 3, "step");
    miu_log::info!(step, step = 3, "own");
    repo.db.info("parent");
    listener.step();
    let expected = [
        "session | tenant=1 session=17 user=ann",
        "step | rows=3 tenant=1 session=17 user=joe step=2",
        "own | step=3 tenant=1 session=17 user=joe",
        "parent | user=nobody tenant=1",
    ];
    assert_eq!(place.messages("db.log"), expected);
    assert_eq!((session.domain(), step.bound().iter().count()), ("db", 3));
}

#[test]
fn patterns_give_a_key_its_own_column_with_a_default() {
    // L-51
    let place = Place::new();
    let (repo, listener) = opened(&place, |config| config.layout(Pattern::preset("context").unwrap()));
    repo.app.info("outside");
    let scope = context::scope(Context::new().with(&REQUEST_ID, "r-17"));
    miu_log::info!(repo.app, rows = 1, "inside");
    drop(scope);
    listener.step();
    let text = place.text("app.log");
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split(" | ").collect()).collect();
    assert_eq!(lines[0][1..4], ["INFO    ", "REQ:no-request", "USER:anonymous"]);
    assert_eq!(lines[0][5..], ["outside"]);
    assert_eq!(lines[1][2..4], ["REQ:r-17", "USER:anonymous"]);
    assert_eq!(lines[1][5..], ["inside", "rows=1"], "what has a column is not written twice");
}

#[test]
fn default_fields_are_on_every_record_that_does_not_have_them_otherwise() {
    // L-49
    let place = Place::new();
    let everywhere = Context::new().with_default(&REQUEST_ID).with_default(&USER_ID);
    let everywhere = everywhere.with_fields(fields!(region = "eu"));
    let (repo, listener) = opened(&place, |config| config.default_fields(everywhere.clone()));
    repo.app.info("outside");
    let scope = context::scope(REQUEST_ID.with("r-17"));
    miu_log::info!(repo.app, region = "own", "inside");
    drop(scope);
    miu_log::signal!(repo.app, Level::Info, "in a handler");
    listener.step();
    let expected = [
        "outside | request_id=no-request user_id=anonymous region=eu",
        "inside | region=own user_id=anonymous request_id=r-17",
        "in a handler | request_id=no-request user_id=anonymous region=eu",
    ];
    assert_eq!(place.messages("app.log"), expected);
    drop(repo);

    let place = Place::new();
    assert!(!child(&place, "crash-in-context").status().unwrap().success());
    assert_eq!(miu_log_tests::run(&mut child(&place, "recover")).number("corrupt"), 0);
    assert!(place.messages("app.log").iter().any(|message| message.contains(" region=eu ")));
}

#[test]
fn machines_read_context_with_its_types_and_every_key_once() {
    let place = Place::new();
    let layout = Json::new().flatten(true).without(JsonKey::Timestamp);
    let (repo, listener) = opened(&place, |config| config.layout(layout));
    let scope = context::scope(fields!(tenant = 7, ratio = 0.5, ok = true, level = "mine", rows = 9));
    miu_log::info!(repo.app, rows = 3, "one");
    miu_log::info!(repo.app, rows = 4, "two");
    drop(scope);
    miu_log::info!(repo.app, rows = 5, "three");
    listener.step();
    let text = place.text("app.log");
    let objects: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for (object, rows) in objects.iter().zip([3, 4]) {
        assert_eq!(
            (&object["tenant"], &object["ratio"], &object["ok"]),
            (&7.into(), &0.5.into(), &true.into())
        );
        assert_eq!((&object["level"], &object["level_2"]), (&"INFO".into(), &"mine".into()));
        assert_eq!(object["rows"], rows);
        assert_eq!(object.get("rows_2"), None);
    }
    assert_eq!((objects[2].get("tenant"), &objects[2]["rows"]), (None, &5.into()));
}

#[test]
fn hostile_context_is_escaped_and_never_interpreted() {
    // F54 to F57
    let hostile = [
        "x\n2026-01-01 ERROR forged",
        "\x1b[2J\u{202e}",
        "a level=ERROR",
        "${jndi:ldap://x} {} {0:>1000000000} %n%s $(id)",
    ];
    let layouts = [
        Pattern::default().into(),
        Pattern::parse("{extra[key]} {message}{rest}").unwrap().into(),
        Logfmt::new().into(),
        miu_log::AnyLayout::from(Json::new()),
    ];
    for layout in layouts {
        let place = Place::new();
        let (repo, listener) = opened(&place, |config| config.layout(layout));
        for text in hostile {
            let key: &'static str = Box::leak(text.to_owned().into_boxed_str());
            let _scope = context::scope(Key::<str>::new(key, "").with(text).with_fields(fields!(key = text)));
            repo.app.bind(fields!(bound = text)).info("message");
        }
        listener.step();
        let text = place.text("app.log");
        assert_eq!(text.lines().count(), hostile.len(), "{text}");
        assert!(text.chars().all(|character| character == '\n' || !character.is_control()), "{text:?}");
        assert!(!text.contains('\u{202e}') && text.matches("(id)").count() >= 3, "{text:?}");
        assert_eq!(repo.stats().corrupt, 0);
    }
}

#[test]
fn a_context_that_is_too_long_is_cut_and_says_so() {
    let place = Place::new();
    let (repo, listener) = opened(&place, |config| config);
    let long = "x".repeat(5000);
    let mut all = Context::new();
    for name in ["a", "b", "c", "d", "e"] {
        all = all.with(&Key::<str>::new(name, ""), &long);
    }
    let scope = context::scope(&all);
    let bound = repo.app.bind(all);
    bound.info("long");
    drop(scope);
    listener.step();
    let messages = place.messages("app.log");
    assert!(
        messages[0].contains("… [cut, 5000 bytes]") && messages[0].ends_with(" fields_left_out=2"),
        "{messages:?}"
    );
    assert_eq!(repo.stats().corrupt, 0);
}

#[test]
fn a_record_longer_than_the_ring_takes_has_its_context() {
    let place = Place::new();
    let (repo, listener) = opened(&place, |config| config);
    let _scope = context::scope(REQUEST_ID.with("r-17"));
    repo.app.info("x".repeat(100_000));
    miu_log::info!(repo.app, text = "y".repeat(17 << 20), "cut");
    listener.step();
    let messages = place.messages("app.log");
    assert_eq!(messages[0].len(), 100_000 + " | request_id=r-17".len());
    assert!(messages[1].contains(" bytes]") && messages[1].ends_with(" request_id=r-17"));
    assert_eq!((repo.stats().corrupt, repo.stats().truncated), (0, 1));
}

#[test]
fn nothing_but_the_layouts_default_is_shown_outside_of_a_context() {
    let place = Place::new();
    let (repo, listener) = opened(&place, |config| config);
    let thread = std::thread::spawn(|| REQUEST_ID.get());
    let _scope = context::scope(REQUEST_ID.with("r-17"));
    let call = (|| ()).in_context(Context::new());
    call();
    let worker = logs::Repository::worker(repo.queue());
    std::thread::spawn(move || worker.app.info("another thread")).join().unwrap();
    let worker = logs::Repository::worker(repo.queue());
    std::thread::spawn((move || worker.app.info("asked for")).in_context(Context::current())).join().unwrap();
    listener.step();
    assert_eq!(thread.join().unwrap(), "no-request");
    assert_eq!(place.messages("app.log"), ["another thread", "asked for | request_id=r-17"]);
}

const TASKS: u32 = 1000;
const STEPS: u32 = 5;

/// A thousand tasks at a time on this runtime, each with its own request, which it also gives to a task that it spawns: each record has its own task's.
fn no_request_is_mixed_up_with_another(runtime: &tokio::runtime::Runtime) {
    let place = Place::new();
    let repo = std::sync::Arc::new(logs::Repository::open(place.config()).unwrap());
    let task = |number: u32, repo: std::sync::Arc<logs::Repository>| async move {
        for step in 0..STEPS {
            miu_log::info!(repo.task, number, "step {step}");
            tokio::task::yield_now().await;
            let inner = async {
                tokio::task::yield_now().await;
                miu_log::info!(repo.task, number, "inner {step}");
            };
            inner.in_context(fields!(step)).await;
        }
        let repo = repo.clone();
        let spawned = async move {
            tokio::task::yield_now().await;
            miu_log::info!(repo.task, number, "spawned");
        };
        tokio::spawn(spawned.in_context(Context::current())).await.unwrap();
    };
    runtime.block_on(async {
        let _outside = context::scope(REQUEST_ID.with("the thread's own"));
        let tasks: Vec<_> = (0..TASKS)
            .map(|number| {
                let request = fields!(request_id = format_args!("r-{number}").to_string());
                tokio::spawn(task(number, repo.clone()).in_context(request))
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(REQUEST_ID.get(), "the thread's own");
    });
    repo.flush(FLUSH).unwrap();
    let mut found: HashMap<&str, u32> = HashMap::new();
    let messages = place.messages("task.log");
    for message in &messages {
        let (text, given) = message.split_once(" | ").unwrap();
        let (kind, step) = text.split_once(' ').unwrap_or((text, ""));
        let given: Vec<(&str, &str)> = given.split(' ').map(|field| field.split_once('=').unwrap()).collect();
        let [("number", number), ("request_id", request), rest @ ..] = &given[..] else {
            panic!("{message}")
        };
        assert_eq!(format!("r-{number}"), *request, "{message}");
        assert_eq!(rest, if kind == "inner" { vec![("step", step)] } else { vec![] }, "{message}");
        *found.entry(kind).or_default() += 1;
    }
    assert_eq!(found, HashMap::from([("step", TASKS * STEPS), ("inner", TASKS * STEPS), ("spawned", TASKS)]));
}

#[test]
fn tasks_of_one_thread_keep_their_contexts_apart() {
    // L-50
    no_request_is_mixed_up_with_another(&tokio::runtime::Builder::new_current_thread().build().unwrap());
}

#[test]
fn tasks_that_move_between_threads_take_their_contexts_along() {
    // L-50
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).build().unwrap();
    no_request_is_mixed_up_with_another(&runtime);
}

#[test]
fn a_task_that_panics_or_is_aborted_leaves_its_context_to_nobody() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let panics = async {
            tokio::task::yield_now().await;
            panic!("as the test wants it");
        };
        let waits = std::future::pending::<()>().in_context(REQUEST_ID.with("aborted"));
        let (panicking, waiting) =
            (tokio::spawn(panics.in_context(REQUEST_ID.with("panicked"))), tokio::spawn(waits));
        tokio::task::yield_now().await;
        waiting.abort();
        assert!(panicking.await.is_err() && waiting.await.unwrap_err().is_cancelled());
        assert_eq!(REQUEST_ID.get(), "no-request");
    });
}

#[test]
fn records_of_a_worker_process_and_of_a_crash_have_their_context() {
    let place = Place::new();
    let repo = logs::Repository::open(place.config()).unwrap();
    let mut worker = Puppet::worker(&place, &repo.queue());
    worker.make("in-context w-1 from afar");
    repo.flush(FLUSH).unwrap();
    assert_eq!(place.messages("app.log")[0], "from afar | request_id=w-1 bound=1");

    let place = Place::new();
    let mut crash = child(&place, "crash-in-context");
    assert!(!crash.status().unwrap().success());
    assert_eq!(miu_log_tests::run(&mut child(&place, "recover")).number("corrupt"), 0);
    let messages = place.messages("app.log");
    assert_eq!(
        messages.iter().filter(|message| *message == "lost? | region=eu request_id=r-17 tenant=7").count(),
        1,
        "{messages:?}"
    );
    let empty: Fields = fields!();
    assert!(empty.is_empty());
}

#[test]
fn calls_in_a_context_allocate_nothing() {
    let place = Place::new();
    let outcome = miu_log_tests::run(&mut child(&place, "allocations-in-context"));
    assert_eq!((outcome.number("allocated"), outcome.number("written")), (0, 153), "{outcome:?}");
    assert!(place.text("app.log").ends_with("by a method | request_id=r-17 tenant=7 session=1\n"));
}

#[test]
fn an_allocator_that_logs_while_scopes_change_does_no_harm() {
    let place = Place::new();
    let outcome = miu_log_tests::run(&mut child(&place, "allocator-in-scopes"));
    assert!(outcome.number("calls") > 1000 && outcome.number("corrupt") == 0, "{outcome:?}");
    let messages = place.messages("app.log");
    for round in 0..100 {
        assert!(messages.contains(&format!("inner | round={round} request_id=r-17")));
        assert!(messages.contains(&format!("bound | bound={round}")));
    }
}
