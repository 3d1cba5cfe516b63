//! Services that are set up by their environment: what is where in development, testing and production, and what happens when a variable is wrong.
// V-01 to V-32, V-43 to V-51, C1, F72

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use miu_log_tests::{Outcome, Place, names, run, wait};

use crate::child;

/// The child program as a service, with these variables and no others that are looked at.
fn service(place: &Place, role: &str, variables: &[(&str, &str)]) -> Command {
    let mut command = child(place, role);
    std::fs::create_dir_all(place.root().join("here")).unwrap();
    command.current_dir(place.root().join("here"));
    for name in [
        "NAME_APP",
        "RUN_ENVIRONMENT",
        "PATH_TO_LOGS",
        "LOG_MAX_SIZE",
        "LOG_MAX_FILES",
        "LOG_DATABASE_URL",
        "MIU_LOG",
        "NODE_ENV",
    ] {
        command.env_remove(name);
    }
    command.env("NAME_APP", "orders").env("PATH_TO_LOGS", place.logs()).env("TZ", "UTC");
    command.envs(variables.iter().copied());
    command
}

fn run_in(place: &Place, role: &str, mode: &str) -> Outcome {
    run(&mut service(place, role, &[("RUN_ENVIRONMENT", mode)]))
}

/// A line with each digit as `0`, so that its shape can be compared.
fn shape(line: &str) -> String {
    line.chars().map(|character| if character.is_ascii_digit() { '0' } else { character }).collect()
}

const FILE: [&str; 2] = [
    "0000-00-00 00:00:00.000 | INFO     | child::environment:service:00 | info of db | rows=00",
    "0000-00-00 00:00:00.000 | ERROR    | child::environment:service:00 | error of app",
];

// V-12, V-13, V-14, V-21, V-22, V-28
#[test]
fn development_has_a_terminal_with_debug_and_no_file_anywhere() {
    let place = Place::new();
    let mut command = service(&place, "env-service", &[("RUN_ENVIRONMENT", "development")]);
    let outcome = run(command.env_remove("PATH_TO_LOGS"));
    let lines: Vec<String> = outcome.printed().lines().map(shape).collect();
    let expected = [
        "00:00:00.000 | DEBUG    | child::environment:service:00 | debug of app",
        "00:00:00.000 | INFO     | child::environment:service:00 | info of db | rows=00",
        "00:00:00.000 | ERROR    | child::environment:service:00 | error of app",
    ];
    assert_eq!(lines, expected);
    assert_eq!(outcome.stderr, "");
    assert!(!place.logs().exists());
    for folder in [place.runtime(), place.root().join("here")] {
        assert_eq!(names(&folder), [""; 0], "{folder:?}");
    }
}

// V-15, V-16, V-22 to V-24, V-29
#[test]
fn testing_has_a_terminal_and_a_file_from_info_on() {
    let place = Place::new();
    let outcome = run_in(&place, "env-service", "testing");
    assert_eq!(outcome.printed().lines().map(shape).collect::<Vec<_>>(), FILE);
    assert_eq!(place.names(), ["orders.log"]);
    assert_eq!(place.text("orders.log"), outcome.stdout);
}

// V-18, V-19, V-23, V-24, V-29
#[test]
fn production_has_a_file_from_info_on_and_an_empty_terminal() {
    let place = Place::new();
    let outcome = run_in(&place, "env-service", "production");
    assert_eq!((outcome.printed(), &*outcome.stderr), ("", ""));
    assert_eq!(place.text("orders.log").lines().map(shape).collect::<Vec<_>>(), FILE);
    assert_eq!(place.names(), ["orders.log"]);
    assert_eq!(names(&place.runtime()), [""; 0]);
}

#[test]
fn files_per_domain_and_per_level_are_an_option_away() {
    let place = Place::new();
    run_in(&place, "env-all-files", "production").printed();
    let expected = [
        "orders.app.log",
        "orders.db.log",
        "orders.debug.log",
        "orders.error.log",
        "orders.info.log",
        "orders.log",
        "orders.redis.log",
        "orders.task.log",
        "orders.warning.log",
    ];
    assert_eq!(place.names(), expected);
    for name in ["orders.log", "orders.db.log", "orders.info.log"] {
        assert!(place.text(name).ends_with(" | info of db\n"), "{name}");
    }
}

// V-17, V-20, V-25 to V-27, C14
#[test]
fn the_file_is_rotated_at_its_size_and_old_ones_are_deleted() {
    for mode in ["testing", "production"] {
        let place = Place::new();
        let limits = [("RUN_ENVIRONMENT", mode), ("LOG_MAX_SIZE", "20 kB"), ("LOG_MAX_FILES", "2")];
        for _ in 0..2 {
            run(&mut service(&place, "env-thousand", &limits)).printed();
        }
        // The end of a run does not wait for its upkeep; the next one has it all done.
        run(&mut service(&place, "env-open-until-tidy", &limits)).printed();
        let rotated = miu_log_tests::rotated(&place.logs(), "orders.log");
        assert_eq!(place.names().len(), rotated.len() + 1, "{:?}", place.names());
        assert!((1..=3).contains(&rotated.len()), "{rotated:?}");
        for name in rotated.iter().map(String::as_str).chain(["orders.log"]) {
            assert!(place.text(name).len() <= 20_000, "{name}");
        }
    }
}

// V-03 to V-11, V-48, F72
#[test]
fn wrong_variables_end_the_program_at_once_and_are_all_named() {
    let place = Place::new();
    let mut command = service(
        &place,
        "env-strict",
        &[("RUN_ENVIRONMENT", "prod\x1b[2J"), ("LOG_MAX_SIZE", "big"), ("MIU_LOG", "lout")],
    );
    let outcome = run(command.env_remove("NAME_APP"));
    assert_eq!(outcome.status.code(), Some(78), "{outcome:?}");
    assert_eq!(outcome.stdout, "before\n");
    let lines: Vec<&str> = outcome.stderr.lines().collect();
    for (line, says) in lines.iter().zip([
        "NAME_APP is missing; the service's name is expected",
        "RUN_ENVIRONMENT is \"prod\\u{1b}[2J\"; accepted are development, testing and production",
        "LOG_MAX_SIZE is \"big\": ",
        "MIU_LOG, column 1: the unknown level \"lout\"",
    ]) {
        assert!(line.contains(says), "{line}");
        assert!(
            shape(line).starts_with(
                "0000-00-00 00:00:00.000 UTC | CRITICAL | tests/src/bin/child/environment.rs:00 | "
            ),
            "{line}"
        );
    }
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert!(!place.logs().exists());
}

// V-05, V-08
#[test]
fn a_library_is_given_the_error() {
    let place = Place::new();
    let mut command = service(&place, "env-lenient", &[("RUN_ENVIRONMENT", "testing")]);
    let outcome = run(command.env_remove("PATH_TO_LOGS"));
    assert_eq!(outcome.stderr, "");
    assert!(
        outcome.printed().starts_with("the environment variable PATH_TO_LOGS is missing; "),
        "{outcome:?}"
    );
    assert_eq!(run_in(&place, "env-lenient", "testing").printed(), "right");
}

#[test]
fn levels_of_the_variable_have_the_last_word() {
    let place = Place::new();
    let variables = [("RUN_ENVIRONMENT", "production"), ("MIU_LOG", "debug,db=warning")];
    run(&mut service(&place, "env-service", &variables)).printed();
    let text = place.text("orders.log");
    assert!(text.contains("debug of app") && !text.contains("info of db"), "{text}");
    let variables = [("RUN_ENVIRONMENT", "production"), ("MIU_LOG", "debug,bd=warning")];
    let outcome = run(&mut service(&place, "env-open", &variables));
    let says = "the environment variable MIU_LOG, column 7: the unknown domain \"bd\"";
    assert!(outcome.printed().starts_with(says), "{outcome:?}");
}

#[test]
fn a_database_of_the_environment_is_beside_that_of_the_program_and_takes_the_place_of_none() {
    let place = Place::new();
    let variables = [("RUN_ENVIRONMENT", "production"), ("LOG_DATABASE_URL", "sqlite:theirs.db")];
    let outcome = run(&mut service(&place, "env-databases", &variables));
    for words in
        ["another sink has this name", "which Remote::named gives it; LOG_DATABASE_URL, and the section"]
    {
        assert!(outcome.stdout.contains(words), "{outcome:?}");
    }
    assert_eq!((outcome.number("database"), outcome.number("own")), (1, 1), "{outcome:?}");
    assert_eq!(names(&place.root().join("here")).iter().filter(|name| name.ends_with(".db")).count(), 2);
}

// V-31, V-43 to V-46
#[test]
fn parent_and_child_have_files_of_their_own_and_no_third_one_gets_them() {
    let place = Place::new();
    let variables = [("RUN_ENVIRONMENT", "production"), ("NAME_CHILD_PROCESS_MAILER", "Orders-Mailer")];
    let mut command = service(&place, "env-parent", &variables);
    let mut parent = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(parent.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let child = line.trim().strip_prefix("child=").unwrap().to_owned();

    let mut open = Vec::new();
    for entry in std::fs::read_dir(format!("/proc/{child}/fd")).unwrap() {
        open.extend(std::fs::read_link(entry.unwrap().path()));
    }
    let names: Vec<String> = open.iter().map(|path| path.to_string_lossy().into_owned()).collect();
    assert!(names.iter().any(|name| name.ends_with("/Orders-Mailer.log")), "{names:?}");
    assert!(!names.iter().any(|name| name.ends_with("/orders.log")), "{names:?}");

    let found = miu_log::inspect(place.logs()).unwrap();
    assert_eq!((found.apps, found.holder), (vec!["Orders-Mailer".to_owned(), "orders".to_owned()], None));
    assert!(miu_log::inspect_app(place.logs(), "orders").unwrap().is_held());
    assert!(!miu_log::inspect_app(place.logs(), "other").unwrap().is_held());

    let outcome = run_in(&place, "env-open", "production");
    let text = outcome.printed();
    assert!(
        text.starts_with("the log files of \"orders\" in ")
            && text.contains(&format!("process {}", parent.id())),
        "{text}"
    );
    assert!(text.contains("NAME_APP"), "{text}");

    drop(parent.stdin.take());
    assert!(wait(&mut parent).success());
    let messages = |name: &str| -> Vec<String> {
        place.text(name).lines().map(|line| line.rsplit(" | ").next().unwrap().to_owned()).collect()
    };
    assert_eq!(messages("orders.log"), ["parent", "parent again"]);
    assert_eq!(messages("Orders-Mailer.log"), ["child"]);
    assert_eq!(place.names(), ["Orders-Mailer.log", "orders.log"], "nothing else stays there");
}

// V-32
#[test]
fn a_forked_child_logs_nothing_before_it_has_a_repository_of_its_own() {
    let place = Place::new();
    let outcome = run_in(&place, "env-forked", "production");
    assert_eq!(outcome.number("code"), 0);
    assert!(outcome.stderr.contains("this process was forked from one"), "{outcome:?}");
    let text = place.text("orders.log");
    assert!(text.ends_with(" | parent\n") && text.lines().count() == 1, "{text}");
    let own = place.text("forked.log");
    assert!(own.ends_with(" | own | refused=2\n") && own.lines().count() == 1, "{own}");
    let outcome = run_in(&place, "env-forked", "development");
    assert_eq!(outcome.number("code"), 0);
    assert!(!outcome.stdout.contains("inherited"), "{outcome:?}");
}

#[test]
fn what_a_killed_service_has_logged_is_in_its_file_after_the_next_start() {
    for by_recovery in [false, true] {
        let place = Place::new();
        assert!(!run_in(&place, "env-killed", "production").status.success());
        assert!(place.names().iter().any(|name| name == ".orders.miu-lock"), "{:?}", place.names());
        if by_recovery {
            let outcome = run(&mut child(&place, "recover"));
            assert!(outcome.status.success(), "{outcome:?}");
        } else {
            // Another service in that folder leaves it alone.
            run(service(&place, "env-open", &[("RUN_ENVIRONMENT", "production")]).env("NAME_APP", "other"))
                .printed();
            run_in(&place, "env-open", "production").printed();
        }
        let text = place.text("orders.log");
        for number in 0..100 {
            let found = text.matches(&format!(" | record {number}\n")).count();
            assert_eq!(found, 1, "record {number}, by_recovery: {by_recovery}\n{text}");
        }
        assert_eq!(names(&place.runtime()), [""; 0]);
    }
}
