//! Every variable, and every mistake in one.

use std::os::unix::ffi::OsStringExt;

use super::*;
use crate::domain::DomainSpec;

const GOOD: [(&str, &str); 3] =
    [("NAME_APP", "orders"), ("RUN_ENVIRONMENT", "production"), ("PATH_TO_LOGS", "/var/log/orders")];

/// The good variables, with these instead; a value of `-` takes one away.
fn with(changes: &[(&str, &str)]) -> Result<LogConfig, Vec<String>> {
    read(&|name| {
        let changed = changes.iter().find(|(changed, _)| *changed == name);
        let (_, value) = changed.or_else(|| GOOD.iter().find(|(good, _)| *good == name))?;
        (*value != "-").then(|| OsString::from(value))
    })
}

#[track_caller]
fn problem(changes: &[(&str, &str)]) -> String {
    let problems = with(changes).unwrap_err();
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems.into_iter().next().unwrap()
}

// V-15 to V-26
#[test]
fn files_are_for_testing_and_production_and_the_console_is_for_testing() {
    for (mode, has_console) in [("testing", true), ("production", false)] {
        let config = with(&[("RUN_ENVIRONMENT", mode)]).unwrap();
        assert_eq!(config.folder, std::path::Path::new("/var/log/orders"));
        assert_eq!((config.level, config.console.is_some()), (Level::Info, has_console));
        assert!(config.has_folder && config.isolated && !config.domain_files && !config.level_files);
        assert_eq!(config.sinks.len(), 1);
        assert_eq!(config.rotation, Rotation::Size(5_000_000));
        assert_eq!(config.retention, Retention::Count(5));
        assert!(config.validate().is_ok());
    }
}

// V-05, V-12 to V-14, V-21
#[test]
fn development_is_the_console_alone() {
    for folder in ["-", "/var/log/orders"] {
        let config = with(&[("RUN_ENVIRONMENT", "development"), ("PATH_TO_LOGS", folder)]).unwrap();
        assert!(!config.has_folder && config.sinks.is_empty() && config.console.is_some());
        assert_eq!(config.level, Level::Debug);
        assert!(config.validate().is_ok());
    }
}

// V-03, V-04, V-05
#[test]
fn what_is_missing_or_empty_is_named() {
    for (variable, value, says) in [
        ("NAME_APP", "-", "the environment variable NAME_APP is missing; the service's name is expected"),
        ("NAME_APP", "", "the environment variable NAME_APP is empty; the service's name is expected"),
        (
            "RUN_ENVIRONMENT",
            "-",
            "RUN_ENVIRONMENT is missing; accepted are development, testing and production",
        ),
        ("RUN_ENVIRONMENT", "", "RUN_ENVIRONMENT is empty; accepted are"),
        ("PATH_TO_LOGS", "-", "PATH_TO_LOGS is missing; the folder for the log files is expected"),
        ("PATH_TO_LOGS", "", "PATH_TO_LOGS is empty"),
    ] {
        let text = problem(&[(variable, value)]);
        assert!(text.contains(says), "{text}");
    }
    let text = problem(&[("RUN_ENVIRONMENT", "-"), ("NODE_ENV", "production")]);
    assert!(text.ends_with("(NODE_ENV is set, and not looked at)"), "{text}");
}

// V-01, V-02
#[test]
fn the_environments_are_three_and_written_so() {
    for (value, hint) in [
        ("prod", Some("production")),
        ("Production", Some("production")),
        (" testing", Some("testing")),
        ("dev", Some("development")),
        ("developement", Some("development")),
        ("staging", None),
        ("1", None),
    ] {
        let text = problem(&[("RUN_ENVIRONMENT", value)]);
        assert!(text.contains(&format!("RUN_ENVIRONMENT is {value:?}")), "{text}");
        assert!(text.contains("accepted are development, testing and production"), "{text}");
        match hint {
            Some(hint) => assert!(text.contains(&format!("did you mean {hint:?}?")), "{text}"),
            None => assert!(!text.contains("did you mean"), "{text}"),
        }
    }
}

// V-25, V-26, F72
#[test]
fn every_wrong_variable_is_told_at_once() {
    let problems = with(&[
        ("NAME_APP", "../../etc/cron.d/x"),
        ("PATH_TO_LOGS", "-"),
        ("LOG_MAX_SIZE", "5 M"),
        ("LOG_MAX_FILES", "0"),
        ("MIU_LOG", "loud"),
    ])
    .unwrap_err();
    for (problem, names) in
        problems.iter().zip(["NAME_APP", "PATH_TO_LOGS", "LOG_MAX_SIZE", "LOG_MAX_FILES", "MIU_LOG"])
    {
        assert!(problem.starts_with(&format!("the environment variable {names}")), "{problem}");
    }
    assert_eq!(problems.len(), 5, "{problems:?}");
    // Which environment it is to be is not known, so that no folder is asked for.
    assert_eq!(
        with(&[("RUN_ENVIRONMENT", "x"), ("PATH_TO_LOGS", "-"), ("NAME_APP", "-")]).unwrap_err().len(),
        2
    );
    // What is not needed in development is wrong all the same.
    assert!(
        problem(&[("RUN_ENVIRONMENT", "development"), ("LOG_MAX_FILES", "many")])
            .contains("LOG_MAX_FILES is \"many\"")
    );
}

// V-25
#[test]
fn a_size_that_nobody_can_mean_is_told() {
    for size in ["5", "1023", "5 B"] {
        let remarks = with(&[("LOG_MAX_SIZE", size)]).unwrap().remarks;
        assert!(
            remarks.len() == 1 && remarks[0].contains("LOG_MAX_SIZE is ") && remarks[0].contains("unit"),
            "{remarks:?}"
        );
    }
    for size in ["1024", "5 MB", ""] {
        assert!(with(&[("LOG_MAX_SIZE", size)]).unwrap().remarks.is_empty(), "{size}");
    }
    assert!(with(&[("LOG_MAX_SIZE", "5"), ("RUN_ENVIRONMENT", "development")]).unwrap().remarks.is_empty());
    for size in ["99999999999999999999", "9999999999999999999", "100 EB"] {
        assert!(
            problem(&[("LOG_MAX_SIZE", size)]).contains("no file can be so large"),
            "{}",
            problem(&[("LOG_MAX_SIZE", size)])
        );
    }
}

#[test]
fn sizes_and_numbers_are_read_and_nothing_is_the_default() {
    for (size, bytes) in [("5 MB", 5_000_000), ("5 MiB", 5 << 20), ("70000", 70_000), ("", 5_000_000)] {
        let config = with(&[("LOG_MAX_SIZE", size)]).unwrap();
        assert_eq!(config.rotation, Rotation::Size(bytes), "{size:?}");
    }
    assert_eq!(with(&[("LOG_MAX_FILES", "12")]).unwrap().retention, Retention::Count(12));
    for files in ["-1", "1.5", "five", "1000001", "99999999999999999999999"] {
        assert!(problem(&[("LOG_MAX_FILES", files)]).contains("a whole number from 1 to 1000000"), "{files}");
    }
}

#[test]
fn a_name_is_as_the_service_is_called() {
    for name in ["orders", "Orders", "my-service_2", "7up", "ORDERS"] {
        assert_eq!(with(&[("NAME_APP", name)]).unwrap().app.as_deref(), Some(name));
    }
    for name in ["a b", "a.b", "a/b", "..", "-rf", "_x", "CON", "orders\n", "ö", &"x".repeat(65)] {
        assert!(problem(&[("NAME_APP", name)]).contains("cannot stand in a file's name"), "{name:?}");
    }
}

#[test]
fn bytes_that_are_no_text_are_told() {
    let bytes = |name: &str| match name {
        "PATH_TO_LOGS" => Some(OsString::from_vec(b"/var/log/\xff".to_vec())),
        "NAME_APP" | "RUN_ENVIRONMENT" | "LOG_MAX_SIZE" => Some(OsString::from_vec(b"\xff".to_vec())),
        _ => None,
    };
    let problems = read(&bytes).unwrap_err();
    assert_eq!(problems.len(), 3, "{problems:?}");
    assert!(
        problems.iter().all(|problem| problem.ends_with("is \"\\xFF\", which is no UTF-8")),
        "{problems:?}"
    );
}

#[test]
fn levels_of_the_environment_have_the_last_word() {
    const SPECS: &[DomainSpec] = &[
        DomainSpec { name: "app", file: "app", level: None },
        DomainSpec { name: "db", file: "db", level: None },
    ];
    let config = with(&[("MIU_LOG", "warning,db=debug")]).unwrap();
    assert_eq!(config.levels().of(SPECS).unwrap(), [Level::Warning, Level::Debug]);
}

// V-43 to V-46
#[test]
fn a_child_is_called_as_its_variable_says() {
    let lookup = |name: &str| {
        let value = match name {
            "NAME_APP" => "orders",
            "NAME_CHILD_PROCESS_MAILER" => "orders-mailer",
            "NAME_CHILD_PROCESS_SELF" => "orders",
            "NAME_CHILD_PROCESS_BAD" => "a/b",
            "NAME_CHILD_PROCESS_EMPTY" => "",
            _ => return None,
        };
        Some(OsString::from(value))
    };
    let name = |child| child::name_of(child, &lookup);
    assert_eq!(name("MAILER"), Ok("orders-mailer".to_owned()));
    for (child, says) in [
        ("SELF", "NAME_CHILD_PROCESS_SELF is \"orders\", which is the name of this process (NAME_APP)"),
        ("BAD", "NAME_CHILD_PROCESS_BAD is \"a/b\", which cannot stand in a file's name"),
        ("EMPTY", "NAME_CHILD_PROCESS_EMPTY is missing or empty"),
        (
            "OTHER",
            "NAME_CHILD_PROCESS_OTHER is missing or empty; the child process's name is expected, such as \"orders-other\"",
        ),
        ("A=B", "names no child process"),
        ("", "names no child process"),
    ] {
        assert!(name(child).unwrap_err().contains(says), "{:?}", name(child));
    }
}

// P-36, F61
#[test]
fn an_address_of_a_database_that_is_not_accepted_is_not_told() {
    use std::os::unix::ffi::OsStrExt as _;
    for url in ["mysql://ann:canary@db/x", "canary", "postgres://ann:canary/x@db/y?canary"] {
        let problem = problem(&[("LOG_DATABASE_URL", url)]);
        assert!(
            problem.starts_with("the environment variable LOG_DATABASE_URL is not accepted: "),
            "{problem}"
        );
        assert!(!problem.contains("canary"), "{problem}");
    }
    assert_eq!(with(&[("LOG_DATABASE_URL", "")]).unwrap().sinks.len(), 1);
    #[cfg(feature = "sqlite")]
    for (mode, sinks) in [("production", 2), ("testing", 2), ("development", 1)] {
        let config = with(&[("LOG_DATABASE_URL", "sqlite:canary.db"), ("RUN_ENVIRONMENT", mode)]).unwrap();
        assert_eq!(config.sinks.len(), sinks, "{mode}");
        assert!(config.validate().is_ok() && !format!("{config:?}").contains("canary"));
    }
    let bytes = |name: &str| {
        let good = GOOD.iter().find(|(good, _)| *good == name).map(|(_, value)| OsString::from(value));
        if name == LOG_DATABASE_URL {
            Some(std::ffi::OsStr::from_bytes(b"canary\xff").to_owned())
        } else {
            good
        }
    };
    let problems = read(&bytes).unwrap_err();
    assert_eq!(problems, ["the environment variable LOG_DATABASE_URL is not accepted: no UTF-8"]);
}
