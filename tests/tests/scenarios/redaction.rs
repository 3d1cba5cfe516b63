//! Secrets in fields are in no file, no ring and no capture: by their name, or by their shape.
// F62

use miu_log::testing::Capture;
use miu_log::{FieldValue, Json, NotSecret, fields};
use miu_log_tests::{Outcome, Place, logs, run};

use crate::child;

/// With a digit, so that it is a token behind `Bearer`.
const CANARY: &str = "Canary7f3aB2c9";

fn redact(place: &Place, end: &str) -> Outcome {
    run(child(place, "redaction").args([CANARY, end]))
}

/// Every file below the scenario's folder, with its bytes.
fn assert_no_file_has_it(place: &Place) {
    let mut folders = vec![place.root().to_owned()];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            files += 1;
            let bytes = std::fs::read(&path).unwrap();
            assert!(!bytes.windows(CANARY.len()).any(|part| part == CANARY.as_bytes()), "{path:?}");
        }
    }
    assert!(files > 5, "{files}");
}

const LINES: [&str; 14] = [
    "early | token=*** rows=1 region=eu client_secret=***",
    "ordinary | rows=3 user=ann token_count=5 url=https://example.org/ region=eu client_secret=***",
    "by name | password=*** api_key=*** cookie=*** token=*** region=eu client_secret=***",
    "by shape | url=*** from=*** to=*** last=*** region=eu client_secret=***",
    " | authorization=*** region=eu client_secret=***",
    "shown | password_hint=usual page_token=17 token=None region=eu client_secret=***",
    "bound | region=eu client_secret=*** user=ann refresh_token=***",
    "in a scope | region=eu client_secret=*** session_token=*** url=***",
    "from elsewhere in a scope | region=eu client_secret=*** session_token=*** url=***",
    "nor here | region=eu client_secret=*** reset_password.user=ann reset_password.new_password=*** reset_password.address=***",
    "log | password=*** accessToken=*** secret=*** url=*** rows=2 region=eu client_secret=***",
    "tracing | password=*** api_key=*** secret=*** url=*** rows=3 region=eu client_secret=***",
    "an error | credentials=*** region=eu client_secret=***",
    "in a span | region=eu client_secret=*** id=7 auth_token=*** db.password=***",
];

#[test]
fn secrets_are_replaced_wherever_a_field_comes_from_and_each_is_counted_once() {
    let place = Place::new();
    let outcome = redact(&place, "ended");
    let messages = place.messages("app.log");
    let of = |line: &str| messages.iter().filter(|message| *message == line).count();
    for line in LINES {
        assert_eq!(of(line), 1, "{line}: {messages:#?}");
    }
    let counts = ["opened", "ordinary", "macros", "context", "facades"].map(|name| outcome.number(name));
    // Of what is copied into many records the value counts once. The error's chain of causes went with it.
    assert_eq!(counts, [2, 2, 2 + 9, 11 + 5, 16 + 4 + 4 + 1 + 2]);
    let searched: Vec<&str> =
        outcome.printed().lines().filter(|line| line.starts_with("searched: ")).collect();
    assert!(searched.len() > 3 && searched.iter().all(|line| line.ends_with(" clean")), "{searched:#?}");
    assert!(
        !outcome.stderr.contains(CANARY)
            && place.entries("app.log").iter().all(|entry| entry.detail.is_empty())
    );
    assert_no_file_has_it(&place);
}

#[test]
fn what_a_killed_process_leaves_has_no_secret_either() {
    let place = Place::new();
    assert!(!redact(&place, "killed").status.success());
    assert_eq!(run(&mut child(&place, "recover")).number("corrupt"), 0);
    let messages = place.messages("app.log");
    assert!(messages.iter().any(|message| message == LINES[2]), "{messages:#?}");
    assert_no_file_has_it(&place);
}

#[test]
fn captures_see_what_a_file_would() {
    let capture = Capture::new();
    let repo = logs::Repository::open(capture.config()).unwrap();
    let bound = repo.app.bind(fields!(api_key = CANARY));
    miu_log::info!(bound, password = CANARY, hint = NotSecret("ghp_0123456789abcdef"), "in");
    let records = capture.records();
    assert_eq!(records[0].field("password"), Some(FieldValue::Text("***")));
    assert_eq!(records[0].field("api_key"), Some(FieldValue::Text("***")));
    assert_eq!(records[0].field("hint"), Some(FieldValue::Text("ghp_0123456789abcdef")));
}

#[test]
fn machines_read_a_replaced_value_as_a_text() {
    let place = Place::new();
    let repo = logs::Repository::open(place.config().layout(Json::new())).unwrap();
    miu_log::info!(repo.app, pin_token = 1234, password = "", "in");
    repo.shutdown();
    let object: serde_json::Value = serde_json::from_str(&place.text("app.log")).unwrap();
    assert_eq!(object["extra"], serde_json::json!({ "pin_token": "***", "password": "***" }));
}
