//! Arguments of functions, shown with the errors inside them, where somebody asks.
// L-59, V-41, C5

use miu_log::context::InContext;
use miu_log::testing::{Capture, ManualListener};
use miu_log::{Console, Json, Level, LogConfig, diagnose, fields};
use miu_log_tests::{Place, logs};

#[diagnose(order, items = ?items, count = items.len())]
fn fill(repo: &logs::Repository, order: u32, items: &[&str]) -> Result<(), String> {
    repo.db.info("filling");
    repo.db.error("out of stock");
    pay(repo, order * 2)?;
    miu_log::critical!(repo.db, order = "own", "lost");
    Ok(())
}

#[diagnose(amount)]
fn pay(repo: &logs::Repository, amount: u32) -> Result<(), String> {
    repo.db.exception("not paid", &std::io::Error::other("no money"));
    if amount > 1000 { Err("too much".to_owned()) } else { Ok(()) }
}

#[diagnose(step)]
async fn climb(repo: &logs::Repository, step: u32) -> u32 {
    tokio::task::yield_now().await;
    miu_log::error!(repo.task, "slipped");
    if step == 0 {
        return 0;
    }
    let below = Box::pin(climb(repo, step - 1)).in_context(fields!(below = step)).await;
    miu_log::error!(repo.task, "back");
    below + 1
}

const ERRORS: [&str; 3] = ["out of stock", "not paid", "lost"];

#[test]
fn captured_values_are_with_errors_alone_and_in_files_that_ask() {
    let place = Place::new();
    let listener = ManualListener::new();
    let config = place.config().diagnose(true).manual_listener(&listener);
    let repo = logs::Repository::open(config).unwrap();
    fill(&repo, 17, &["book"]).unwrap();
    repo.db.error("outside");
    listener.step();
    let expected = [
        "filling",
        "out of stock | fill.order=17 fill.items=[\"book\"] fill.count=1",
        "not paid | fill.order=17 fill.items=[\"book\"] fill.count=1 pay.amount=34",
        "lost | order=own fill.order=17 fill.items=[\"book\"] fill.count=1",
        "outside",
    ];
    assert_eq!(place.messages("db.log"), expected);
    let errors = place.messages("error.log");
    assert_eq!(errors, [expected[1], expected[2], expected[3], expected[4]]);
}

#[test]
fn files_that_do_not_ask_do_not_have_them_whoever_else_asks() {
    let place = Place::new();
    let listener = ManualListener::new();
    // The console has a thread of its own and goes to a pipe that nobody looks at.
    let console = Console::stderr().min_level(Level::Critical).diagnose(true);
    let config = place.config().console(console).manual_listener(&listener);
    let repo = logs::Repository::open(config).unwrap();
    assert!(fill(&repo, 1000, &["secret"]).is_err());
    listener.step();
    assert_eq!(place.messages("db.log"), ["filling", "out of stock", "not paid"]);
    assert!(!crate::everything(&place.logs()).contains("secret"));
    assert_eq!(place.names().iter().filter(|name| name.ends_with(".log")).count(), 8);
}

#[test]
fn an_async_function_has_its_values_wherever_it_is_polled() {
    let capture = Capture::new();
    let repo = logs::Repository::open(capture.config().diagnose(true)).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let found = runtime.block_on(async {
        tokio::join!(climb(&repo, 2), climb(&repo, 0), async { repo.task.error("beside") })
    });
    assert_eq!((found.0, found.1), (2, 0));
    let records = capture.records();
    let mut shown: Vec<String> = records
        .iter()
        .map(|record| {
            let fields: Vec<String> =
                record.fields().map(|(name, value)| format!("{name}={value}")).collect();
            format!("{} {}", record.message(), fields.join(" "))
        })
        .collect();
    // Which of the three begins is for the runtime to choose.
    shown[..3].sort();
    let expected = [
        "beside ",
        "slipped climb.step=0",
        "slipped climb.step=2",
        "slipped below=2 climb.step=1",
        "slipped below=1 climb.step=0",
        "back below=2 climb.step=1",
        "back climb.step=2",
    ];
    assert_eq!(shown, expected);
}

#[test]
fn captured_values_outlive_a_crash_where_the_files_ask() {
    let place = Place::new();
    let status = crate::child(&place, "crash-diagnosed").status().unwrap();
    assert!(!status.success());
    assert_eq!(miu_log_tests::run(&mut crate::child(&place, "recover")).number("corrupt"), 0);
    let messages = place.messages("app.log");
    assert!(messages.contains(&"lost? | doomed.number=17".to_owned()), "{messages:?}");
}

#[test]
fn machines_read_captured_values_as_fields() {
    let place = Place::new();
    let listener = ManualListener::new();
    let config = LogConfig::diagnose(place.config(), true).layout(Json::new()).manual_listener(&listener);
    let repo = logs::Repository::open(config).unwrap();
    fill(&repo, 17, &[]).unwrap();
    listener.step();
    let text = place.text("error.log");
    let objects: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(objects.iter().map(|object| object["message"].as_str().unwrap()).collect::<Vec<_>>(), ERRORS);
    assert!(objects.iter().all(|object| object["extra"]["fill.order"] == 17), "{text}");
    assert_eq!(objects[1]["extra"]["pay.amount"], 34);
}
