//! Runs every example as a process of its own, in an empty folder, and checks what it prints and writes.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on may panic; clippy knows it of test functions only"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// An example's run: what it printed, and the folder it ran in.
struct Run {
    folder: TempDir,
    stdout: String,
    stderr: String,
}

/// Runs an example in an empty folder, and expects success.
fn run(name: &str) -> Run {
    run_with(name, &[], &[])
}

fn run_with(name: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let runtime = folder.path().join("runtime");
    fs::create_dir(&runtime).unwrap();
    let mut command = Command::new(program(name));
    for variable in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "RUST_LIB_BACKTRACE"] {
        command.env_remove(variable);
    }
    let output: Output = command
        .current_dir(folder.path())
        .env("RUST_BACKTRACE", "0")
        .env("MIU_LOG_RUNTIME_DIR", &runtime)
        .envs(variables.iter().copied())
        .args(arguments)
        .output()
        .unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{name}: {}\n{stdout}\n{stderr}", output.status);
    assert_eq!(fs::read_dir(&runtime).unwrap().count(), 0, "{name} left something in its runtime directory");
    Run { folder, stdout, stderr }
}

/// The example's program: cargo builds it beside this test, in `examples`.
fn program(name: &str) -> PathBuf {
    let this = std::env::current_exe().unwrap();
    let profile = this.parent().and_then(Path::parent).unwrap();
    let program = profile.join("examples").join(name);
    assert!(
        program.exists(),
        "{program:?} is missing: `cargo test -p miu-log-examples` builds it, `--test run` does not"
    );
    program
}

impl Run {
    fn log(&self, file: &str) -> String {
        fs::read_to_string(self.folder.path().join("logs").join(file)).unwrap()
    }

    /// The first lines of all records in a file: an exception's further lines are left out.
    fn records(&self, file: &str) -> Vec<String> {
        self.log(file).lines().filter(|line| !line.starts_with(' ')).map(str::to_owned).collect()
    }

    /// The messages, with their fields, of the records in a file of the default layout.
    fn messages(&self, file: &str) -> Vec<String> {
        let message = |line: &String| line.splitn(6, " | ").nth(5).unwrap().to_owned();
        self.records(file).iter().map(message).collect()
    }

    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path().join("logs")).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

const DOMAIN_FILES: [&str; 4] = ["app.log", "db.log", "redis.log", "task.log"];
const LEVEL_FILES: [&str; 5] = ["debug.log", "info.log", "success.log", "warning.log", "error.log"];

#[test]
fn quickstart_writes_every_record_to_its_domain_and_its_level() {
    let run = run("quickstart");
    let gathered = |files: &[&str]| {
        let mut records: Vec<String> = files.iter().flat_map(|file| run.records(file)).collect();
        records.sort();
        records
    };
    let by_domain = gathered(&DOMAIN_FILES);
    assert_eq!(by_domain, gathered(&LEVEL_FILES));
    assert!(by_domain.len() > 300, "{} records", by_domain.len());
    assert!(run.stdout.contains(&format!("{} records written, 0 dropped", by_domain.len())));

    for file in DOMAIN_FILES {
        let domain = format!(" | {} | ", file.strip_suffix(".log").unwrap());
        assert!(run.records(file).iter().all(|line| line.contains(&domain)), "{file}");
    }
    let is_error = |line: &String| line.contains(" | ERROR    | ") || line.contains(" | CRITICAL | ");
    assert!(run.records("error.log").iter().all(is_error));
    assert!(run.log("error.log").contains("\n    | caused by: connection reset by bank.example\n"));
    for thread in ["main/main", "main/http-1", "main/http-2", "main/cache", "main/jobs"] {
        assert!(by_domain.iter().any(|line| line.contains(&format!(" | {thread} | "))), "{thread}");
    }
    // The date and the time come first, so that lines in order of time are in alphabetical order.
    for file in DOMAIN_FILES.into_iter().chain(LEVEL_FILES) {
        let stamps: Vec<String> = run.records(file).iter().map(|line| line[..23].to_owned()).collect();
        assert!(stamps.is_sorted(), "{file}");
    }
}

#[test]
fn quickstart_shows_the_console_then_the_tree() {
    let run = run_with("quickstart", &["elsewhere"], &[("CLICOLOR_FORCE", "1")]);
    let (console, tree) = run.stdout.split_once("\n\n").unwrap();
    for coloured in ["\x1b[34mDEBUG", "\x1b[32mINFO", "\x1b[1;32mSUCCESS", "\x1b[33mWARNING", "\x1b[31mERROR"]
    {
        assert!(console.contains(coloured), "{coloured:?}");
    }
    assert_eq!(run.stderr, "");
    for file in DOMAIN_FILES.into_iter().chain(LEVEL_FILES) {
        let text = fs::read_to_string(run.folder.path().join("elsewhere").join(file)).unwrap();
        assert!(!text.contains('\x1b'), "{file}");
        let shown = tree.lines().find(|line| line.contains(&format!("── {file} "))).unwrap();
        let count = text.lines().count().to_string();
        assert!(shown.split_whitespace().any(|word| word == count), "{file}: {shown:?}, {count} lines");
    }
}

#[test]
fn quickstart_ends_with_what_the_readme_shows() {
    let run = run("quickstart");
    let (_, end) = run.stdout.split_once("\n\n").unwrap();
    let readme = include_str!("../../README.md");
    assert!(readme.contains(&format!("```text\n{end}```\n")), "the README does not show\n{end}");
}

#[test]
fn workers_log_into_the_files_of_the_repository() {
    let run = run("workers");
    assert_eq!(run.messages("app.log"), ["four imports are due"]);
    assert_eq!(run.records("db.log").len(), 20);
    assert_eq!(run.records("task.log").len(), 9);
    for file in 0..4 {
        // A thread's records are in the order in which it logged them.
        let own: Vec<String> = run
            .messages("db.log")
            .into_iter()
            .filter(|message| message.contains(&format!("file={file} ")))
            .collect();
        let expected: Vec<String> = (0..5)
            .map(|batch| format!("{} rows inserted | file={file} batch={batch}", 100 * (file + 1)))
            .collect();
        assert_eq!(own, expected);
    }
    assert!(
        run.stdout.contains("refused: the worker's domains do not fit the queue's: billing missing there")
    );
}

#[test]
fn lines_for_machines_parse() {
    let run = run("json");
    let objects = |name: &str| -> Vec<serde_json::Value> {
        let text = run.log(name);
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let query = &objects("json/db.log")[0];
    assert_eq!((&query["message"], &query["function"]), (&"query of ada".into(), &"log_with".into()));
    let extra = serde_json::json!({ "rows": 12, "cached": false, "coupon": null, "took": 0.08125 });
    assert_eq!(query["extra"], extra);
    let app = objects("json/app.log");
    assert_eq!(app[0]["message"], "bad \"frame\"");
    assert_eq!((&app[0]["extra"]["frame"], &app[0]["extra"]["text"]), (&"Chv/".into(), &"two\nlines".into()));
    assert!(app[1]["exception"].as_str().unwrap().starts_with("error: invalid digit"), "{}", app[1]);
    let flat = &objects("flat/db.log")[0];
    assert_eq!((&flat["rows"], flat.get("thread_name")), (&12.into(), None));
    assert_eq!(
        flat["@timestamp"].as_str().unwrap().split_once('.').unwrap().1.get(..6).map(str::len),
        Some(6)
    );
    assert!(objects("otel/app.log")[0]["resourceLogs"].is_array());
    assert_eq!(
        run.log("own/db.log"),
        "1;INFO;db;query of ada;rows=12;cached=false;coupon=None;took=81.25ms\n"
    );
    assert!(run.stdout.contains(" level=WARNING logger=app "), "{}", run.stdout);
    assert!(run.stdout.contains("json/app.log:\n"), "{}", run.stdout);
}

#[test]
fn rotation_keeps_the_newest_files() {
    let run = run("rotation");
    let files = run.files();
    let rotated = |stem: &str| files.iter().filter(|name| name.starts_with(&format!("{stem}.2"))).count();
    assert_eq!((rotated("app"), rotated("audit")), (1, 1), "{files:?}");
    // The end of the program does not wait for the thread that deletes and compresses.
    assert!(rotated("db") >= 3, "{files:?}");
    assert_eq!(run.messages("app.log"), ["going on in new files"]);
    assert_eq!(run.messages("audit.log"), ["going on in new files"]);
    assert_eq!(run.log("db.log"), "");
    assert!(run.stdout.contains(" bytes  audit.log\n"), "{}", run.stdout);
}

#[test]
fn production_sinks_writes_what_each_file_is_for() {
    let run = run("production_sinks");
    let files = run.files();
    let dated = |start: &str| files.iter().find(|name| name.starts_with(start)).unwrap();
    let main = run.log(dated("shop_2"));
    assert!(main.contains(" | r-1 | orders of a customer | request_id=r-1 rows=12\n"), "{main}");
    assert!(main.contains(" | no-request | shop starting | version=1.4.2\n"), "{main}");
    assert_eq!(run.messages(dated("errors_2")), ["a payment failed", "no payment works"]);
    assert_eq!(run.log("errors.log"), run.log(dated("errors_2")), "a link leads to today's file");
    let events = run.log("events.jsonl");
    let levels = events.lines().map(|line| {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        event["level"].as_str().unwrap().to_owned()
    });
    assert_eq!(levels.collect::<Vec<_>>(), ["INFO", "WARNING", "ERROR", "CRITICAL"]);
    assert_eq!(run.messages("slow-queries.log"), ["query took 812 ms | request_id=r-2 slow=true"]);
    assert!(run.stdout.contains("paged: payments: no payment works\n"), "{}", run.stdout);
    assert_eq!(run.stdout.matches("paged").count(), 1);
    assert_eq!(run.stderr.lines().filter(|line| !line.starts_with(' ')).count(), 4, "{}", run.stderr);
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &fs::metadata(run.folder.path().join("logs").join(dated("errors_2"))).unwrap().permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn alerts_arrive_but_for_the_one_that_the_server_does_not_take() {
    let run = run("alerts");
    let lines: Vec<&str> = run.stdout.lines().collect();
    let lost: u32 = lines
        .iter()
        .filter_map(|line| line.strip_suffix(" × ERROR db: connection lost")?.parse::<u32>().ok())
        .sum();
    assert_eq!(lost, 300, "{}", run.stdout);
    assert!(lines.contains(&"1 × CRITICAL app: giving up"), "{}", run.stdout);
    assert_eq!(lines.last(), Some(&"not taken: ERROR app: the kitchen is on 🔥"));
    assert!(run.stderr.contains("answers 429") && !run.stderr.contains("secret-token"), "{}", run.stderr);
}

#[test]
fn database_has_a_row_for_each_record_and_answers_questions() {
    let run = run("database");
    let lines: Vec<&str> = run.stdout.lines().collect();
    let records: usize = ["app.log", "orders.log", "db.log"].iter().map(|file| run.records(file).len()).sum();
    assert_eq!(lines[0], format!("logs/logs.db holds {records} rows"), "{}", run.stderr);
    let orders =
        |line: &&str| line.contains(" orders, ").then(|| line.split(' ').nth(1)?.parse::<u32>().ok())?;
    assert_eq!(lines.iter().filter_map(orders).sum::<u32>(), 200, "{}", run.stdout);
    assert!(lines.iter().any(|line| line.starts_with("O'Neil: ")), "{}", run.stdout);
    let newest = lines.last().unwrap();
    assert!(newest.contains(" is not paid: ") && newest.contains("the bank declined the card"), "{newest}");
}

#[test]
fn fields_are_written_as_the_example_says() {
    let run = run("fields");
    let log = run.log("app.log");
    for part in [
        "    INFO [app] fields: query of ada took 81.2 ms, flags 0xbeef\n",
        "    INFO [app] fields: ada is Customer { name: \"ada\" }, {braces} stay\n",
        " WARNING [app] fields: slow query | rows=12 cached=false took=81ms peer=127.0.0.1\n",
        "logged in | customer=ada kind=\"Customer { name: \\\"ada\\\" }\"\n",
        "order taken | coupon=None comment=\"leave it at the door\"\n",
        "   ERROR [app] fields: bad frame, header 0x0A1B | frame=0a1bff\n",
        " SUCCESS [app] fields: logged at SUCCESS\n",
        " a summary that is dear to make: 12\n",
        " from outside:\\n2026-01-01 00:00:00.000    ERROR [app] forged\n",
    ] {
        assert!(log.contains(part), "{part:?} in\n{log}");
    }
    assert!(run.log("statements.log").ends_with(" [sql] : commit\n"));
    assert_eq!(run.records("statements.log").len(), 1);
    assert!(!run.stdout.contains("never printed"));
}

#[test]
fn debug_toggle_stops_debug_and_nothing_else() {
    let run = run("debug_toggle");
    // `redis` starts at `warning`, `db` is at `warning` in the third phase and at `info` afterwards.
    let expected = [
        ("app", "debug on"),
        ("db", "debug on"),
        ("app", "db at warning, redis at debug"),
        ("redis", "db at warning, redis at debug"),
        ("app", "db at info"),
        ("redis", "db at info"),
    ];
    let debug = run.records("debug.log");
    assert_eq!(debug.len(), expected.len());
    for (line, (domain, phase)) in debug.iter().zip(expected) {
        assert!(
            line.contains(&format!(" | {domain} | ")) && line.ends_with(&format!("{phase}: debug")),
            "{line}"
        );
    }
    assert_eq!(run.records("info.log").len(), 12);
    assert_eq!(run.records("warning.log").len(), 15);
    assert!(run.stdout.contains("refused: unknown domain \"cache\": the domains are app, db, redis"));
}

#[test]
fn errors_are_written_with_their_causes() {
    let run = run("errors");
    let error_log = run.log("error.log");
    let details: Vec<&str> = error_log.lines().filter(|line| line.starts_with("    | ")).collect();
    assert_eq!(
        details,
        [
            "    | error: the pool cannot be started",
            "    | caused by: the setting `pool.size` is not a number",
            "    | caused by: invalid digit found in string",
            "    | error: No such file or directory (os error 2)",
        ]
    );
    assert_eq!(
        run.messages("error.log"),
        [
            "cannot connect",
            "cannot read the settings",
            "the last order was not saved",
            "no space left for orders"
        ]
    );
    assert_eq!(
        run.messages("warning.log"),
        ["going on with one connection | error=\"the pool cannot be started\" size=\"\""]
    );
}

#[test]
fn errors_have_a_backtrace_where_it_is_asked_for() {
    let run = run_with("errors", &[], &[("RUST_BACKTRACE", "1")]);
    let log = run.log("db.log");
    let (_, backtrace) = log.split_once("    | backtrace:\n").unwrap();
    assert!(backtrace.contains("errors::main"), "{backtrace}");
}

#[test]
fn global_keeps_what_was_logged_before_init_and_at_the_end() {
    let run = run("global");
    assert_eq!(run.messages("db.log"), ["order saved | order=1", "order saved | order=2"]);
    assert_eq!(
        run.messages("app.log"),
        ["reading the settings", "the first folder cannot be used", "logging is set up", "service stopped"]
    );
    assert!(run.stdout.contains("refused: the process-wide repository was initialised before, at "));
    assert!(!run.folder.path().join("elsewhere").exists());
}

#[test]
fn tokio_service_logs_from_all_tasks() {
    let run = run("tokio_service");
    assert!(run.stdout.contains("217 records written, 0 dropped"), "{}", run.stdout);
    let mut orders: Vec<u32> = run
        .messages("db.log")
        .iter()
        .map(|message| message.rsplit_once("order=").unwrap().1.parse().unwrap())
        .collect();
    orders.sort_unstable();
    assert_eq!(orders, (1..=100).collect::<Vec<_>>());
    assert_eq!(run.messages("success.log"), ["all orders served | served=100"]);
    assert_eq!(
        run.files(),
        ["app.log", "db.log", "debug.log", "error.log", "info.log", "success.log", "task.log", "warning.log"]
    );
}

#[test]
fn axum_service_gives_every_record_its_request() {
    let run = run("axum_service");
    let (answers, rest) = run.stdout.split_at(run.stdout.find("11 records written, 0 dropped").unwrap_or(0));
    let expected = [
        "/orders/7: 200 order 7 of ann",
        "/orders/700: 404 ",
        "/broken: 500 ",
        "/orders/8: 200 order 8 of anonymous",
    ];
    assert_eq!(answers.lines().collect::<Vec<_>>(), expected, "{rest}");
    let column = |line: &String, number: usize| line.split(" | ").nth(number).unwrap().to_owned();
    let columns = |file: &str, numbers: [usize; 4]| -> Vec<String> {
        let records = run.records(file);
        records.iter().map(|line| numbers.map(|number| column(line, number)).join(" ")).collect()
    };
    assert_eq!(
        columns("http.log", [2, 3, 5, 6])[..3],
        [
            "REQ:r-1 USER:ann GET /orders/7 status=200",
            "REQ:r-2 USER:anonymous GET /orders/700 status=404",
            "REQ:r-3 USER:joe GET /broken status=500",
        ]
    );
    assert!(column(&run.records("http.log")[3], 2).starts_with("REQ:req-"));
    assert_eq!(
        columns("error.log", [2, 3, 5, 6]),
        ["REQ:r-3 USER:joe a handler panicked cause=\"the shelf is empty\""]
    );
    assert_eq!(columns("warning.log", [2, 3, 5, 6]), ["REQ:r-2 USER:anonymous no such order order=700"]);
    let app: Vec<String> = run.records("app.log").iter().map(|line| column(line, 5)).collect();
    assert_eq!(app, ["service started", "a handler panicked", "service stopped"]);
    assert_eq!(run.stderr, "");
}

#[test]
fn intercept_puts_other_crates_into_the_domains_files() {
    let run = run("intercept");
    assert_eq!(run.messages("app.log"), ["the service's own records", "request accepted | id=17"]);
    assert_eq!(
        run.messages("db.log"),
        ["select from orders | rows=2 elapsed_ms=1.25 target=sqlx::query id=17 user=ann"]
    );
    let http = "answered late, trying again | status=503 url=https://pay.example target=reqwest::retry";
    assert_eq!(run.messages("http.log"), [http]);
    let charged = ["charging | cents=4200", "not charged | error=\"invalid digit found in string\""];
    assert_eq!(run.messages("billing.log"), charged);
    assert!(run.log("billing.log").contains("    | error: invalid digit found in string"));
    assert!(run.stdout.starts_with("log takes WARN and above\n"), "{}", run.stdout);
}

#[test]
fn worker_processes_agree_with_the_files() {
    let run = run("worker_processes");
    let (death, table) = run.stdout.split_once('\n').unwrap();
    assert_eq!(death, "worker-3 died: killed by SIGKILL");
    assert!(table.ends_with("\nthey agree\n"), "{table}");
    for worker in ["worker-1", "worker-2", "worker-4"] {
        let row: Vec<&str> =
            table.lines().find(|line| line.starts_with(worker)).unwrap().split_whitespace().collect();
        assert_eq!(row, [worker, "exit", "code", "0", "2000", "2000", "2000", "0"]);
    }
    let killed = run.records("task.log").iter().filter(|line| line.contains(" | worker-3/main | ")).count();
    assert!(killed >= 1_000 && table.contains(&format!(" {killed} ")), "{killed} in\n{table}");
    assert!(run.messages("warning.log")[0].starts_with("Worker worker-3 died: "));
}

#[test]
fn crash_recovery_loses_and_doubles_nothing() {
    let run = run("crash_recovery");
    assert!(run.stdout.contains("died: signal: 9 (SIGKILL)"), "{}", run.stdout);
    assert!(
        run.stdout.contains("of process \"main\"\nnow they hold 10000, 0 could not be read\n"),
        "{}",
        run.stdout
    );
    assert!(run.stdout.ends_with("nothing to recover at the next start: true\n"), "{}", run.stdout);
    let expected: Vec<String> = (0..10_000).map(|order| format!("order saved | order={order}")).collect();
    let found: Vec<String> =
        run.messages("db.log").into_iter().filter(|message| message.starts_with("order saved")).collect();
    assert!(found == expected);
    assert_eq!(run.messages("info.log").first().unwrap(), "started");
    assert_eq!(run.messages("info.log").last().unwrap(), "started again");
}

#[test]
fn twelve_factor_is_set_up_by_its_environment() {
    let development = [("NAME_APP", "orders"), ("RUN_ENVIRONMENT", "development")];
    let run = run_with("twelve_factor", &[], &development);
    assert!(
        run.stdout.contains(" | DEBUG    | twelve_factor:main:28 | 12 connections in the pool\n"),
        "{}",
        run.stdout
    );
    assert!(run.stdout.contains("NAME_CHILD_PROCESS_MAILER is missing"), "{}", run.stdout);
    assert!(!run.folder.path().join("logs").exists());

    let production = [
        ("NAME_APP", "orders"),
        ("RUN_ENVIRONMENT", "production"),
        ("PATH_TO_LOGS", "logs"),
        ("NAME_CHILD_PROCESS_MAILER", "orders-mailer"),
    ];
    let run = run_with("twelve_factor", &[], &production);
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", ""));
    assert_eq!(run.files(), ["orders-mailer.log", "orders.log"]);
    let log = run.log("orders.log");
    for part in
        [" | service starting | version=", " | query took 81 ms | rows=12\n", " | mailer ended | code=0\n"]
    {
        assert!(log.contains(part), "{part:?} in\n{log}");
    }
    assert!(run.log("orders-mailer.log").ends_with(" | mail sent | to=ada@example.com\n"));
}

#[test]
fn config_file_is_read_and_read_again() {
    let run = run("config_file");
    for part in [
        "wrong.yml:1:1: lvel: the unknown key \"lvel\"; did you mean \"level\"?; accepted are level, ",
        "wrong.yml:2:19: console.colour: here is \"sometimes\"; accepted are auto, always, never\n",
        "wrong.yml:3:11: rotation: \"often\": it is none of the rules; a size such as",
    ] {
        assert!(run.stdout.contains(part), "{part:?} in\n{}", run.stdout);
    }
    assert!(
        run.stderr.contains(" | query failed | rows=12") && run.stderr.lines().count() == 1,
        "{}",
        run.stderr
    );
    assert_eq!(run.messages("db.log"), ["query failed | rows=12", "taken: db is at debug"]);
    let told = run.messages("app.log");
    assert!(told[0].starts_with("configuration read again from /") && told.len() == 1, "{told:?}");
    assert!(told[0].ends_with("/config.yml: level of db WARNING -> DEBUG"), "{told:?}");
    let errors = run.files().into_iter().find(|name| name.starts_with("errors_")).unwrap();
    let error: serde_json::Value = serde_json::from_str(&run.log(&errors)).unwrap();
    assert_eq!((&error["logger"], &error["extra"]["rows"]), (&"db".into(), &12.into()));
}

#[test]
fn the_schema_beside_the_examples_is_that_of_the_library() {
    let kept = include_str!("../config.schema.json");
    assert!(
        kept == miu_log::ConfigFile::schema(),
        "print it anew: cargo run -p miu-log-cli -- schema > examples/config.schema.json"
    );
}
