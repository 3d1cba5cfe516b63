//! The rules on small trees. Each case is the smallest one that is fine, with one thing changed.

use super::{Tree, check};

/// A tree that breaks no rule, to which the cases add.
const CLEAN: &[(&str, &str)] = &[
    ("Cargo.toml", "[workspace.package]\nversion = \"1.2.3\"\n\n[workspace.lints.rust]\n"),
    ("CHANGELOG.md", "# Changes\n\n## [1.2.3] - 2026-11-20\n"),
    ("README.md", "```sh\ncargo run -p examples --example quickstart\ncargo test\n```\n"),
    ("examples/quickstart.rs", "fn main() {}\n"),
    ("miu-log/src/lib.rs", "//! The face.\n\nmod sink;\npub use sink::Sink;\n"),
    ("miu-log/src/ring/mod.rs", "//! Bytes.\n"),
    ("miu-log/src/sink/mod.rs", "//! Trait.\n\npub trait Sink {}\n"),
    ("miu-log/src/sink/file.rs", "//! File.\n"),
    ("miu-log/src/sink/console.rs", "//! Console.\n"),
    ("miu-log/src/listener/mod.rs", "//! Step.\n"),
    ("miu-log/src/router.rs", "//! Which sink.\n"),
    ("miu-log/src/sync.rs", "//! Primitives.\n\npub(crate) use std::sync::atomic;\n"),
    ("miu-log/src/sync/model.rs", "//! For models.\n\nuse std::sync::atomic;\n"),
];

/// The findings on the clean tree with these files added or replaced, as they are printed.
#[track_caller]
fn finds(files: &[(&str, &str)], expected: &[&str]) {
    let mut tree = Tree::default();
    for (path, text) in CLEAN.iter().chain(files) {
        tree.files.insert((*path).to_owned(), (*text).to_owned());
    }
    let found: Vec<String> = check(&tree).iter().map(ToString::to_string).collect();
    let fits = found.len() == expected.len()
        && found.iter().zip(expected).all(|(found, start)| found.starts_with(start));
    assert!(fits, "found {found:#?}, expected {expected:#?}");
}

#[track_caller]
fn finds_nothing(files: &[(&str, &str)]) {
    finds(files, &[]);
}

#[test]
fn clean_tree_has_no_findings() {
    finds_nothing(&[]);
}

#[test]
fn module_without_header_is_found() {
    finds(
        &[("miu-log/src/level.rs", "use std::fmt;\n")],
        &["miu-log/src/level.rs:1: the module does not open with `//!`"],
    );
    finds(&[("xtask/src/main.rs", "// A comment.\n")], &["xtask/src/main.rs:1: the module does not open"]);
    finds_nothing(&[("miu-log/src/level.rs", "#![allow(dead_code)]\n//! Levels.\n")]);
    finds_nothing(&[("tests/tests/files.rs", "fn main() {}\n")]);
}

#[test]
fn ring_names_nothing_but_sync_and_itself() {
    finds_nothing(&[(
        "miu-log/src/ring/cursor.rs",
        "//! R.\nuse crate::sync::atomic::AtomicU64;\nuse super::Ring;\n",
    )]);
    finds(
        &[
            ("miu-log/src/level.rs", "//! L.\n"),
            ("miu-log/src/ring/cursor.rs", "//! R.\n\nuse crate::level::Level;\n"),
        ],
        &["miu-log/src/ring/cursor.rs:3: `ring::cursor` may not name `level`: the ring knows bytes only"],
    );
}

#[test]
fn logger_never_names_the_listeners_half() {
    finds(
        &[(
            "miu-log/src/logger.rs",
            "//! L.\nuse crate::{listener::Listener, sink};\nfn f() { crate::router::route(); super::sink::x() }\n",
        )],
        &[
            "miu-log/src/logger.rs:2: `logger` may not name `listener`",
            "miu-log/src/logger.rs:2: `logger` may not name `sink`",
            "miu-log/src/logger.rs:3: `logger` may not name `router`",
            "miu-log/src/logger.rs:3: `logger` may not name `sink`",
        ],
    );
}

#[test]
fn reexport_counts_as_where_it_comes_from() {
    finds(
        &[("miu-log/src/logger.rs", "//! L.\nuse crate::Sink;\n")],
        &["miu-log/src/logger.rs:2: `logger` may not name `sink`"],
    );
    finds(
        &[
            ("miu-log/src/sink/mod.rs", "//! T.\npub(crate) use self::file::FileSink as Files;\n"),
            ("miu-log/src/listener/mod.rs", "//! S.\nuse crate::sink::Files;\n"),
        ],
        &["miu-log/src/listener/mod.rs:2: `listener` may not name `sink::file`"],
    );
}

#[test]
fn listener_names_the_trait_but_no_concrete_sink() {
    finds_nothing(&[("miu-log/src/listener/step.rs", "//! S.\nuse crate::sink::Sink;\n")]);
    finds(
        &[(
            "miu-log/src/listener/step.rs",
            "//! S.\nuse crate::sink as s;\n\nfn f() -> s::file::FileSink {}\n",
        )],
        &["miu-log/src/listener/step.rs:4: `listener::step` may not name `sink::file`"],
    );
}

#[test]
fn sink_names_neither_ring_nor_another_sink() {
    finds_nothing(&[("miu-log/src/sink/file.rs", "//! F.\nuse super::Sink;\nuse crate::sink::file;\n")]);
    finds(
        &[("miu-log/src/sink/file.rs", "//! F.\nuse super::console::Console;\nuse crate::ring;\n")],
        &[
            "miu-log/src/sink/file.rs:2: `sink::file` may not name `sink::console`: a sink never names another sink",
            "miu-log/src/sink/file.rs:3: `sink::file` may not name `ring`",
        ],
    );
}

#[test]
fn only_the_setup_wires_both_halves() {
    finds_nothing(&[("miu-log/src/repository.rs", "//! R.\nuse crate::{listener, sink::file::FileSink};\n")]);
    finds(
        &[("miu-log/src/stats.rs", "//! S.\nuse crate::sink::file::FileSink;\n")],
        &["miu-log/src/stats.rs:2: `stats` may not name `sink::file`: only the repository and its set-up"],
    );
}

#[test]
fn private_module_is_for_expansions_only() {
    finds(
        &[
            ("miu-log/src/private.rs", "//! P.\npub use crate::logger::Logger;\n"),
            ("miu-log/src/logger.rs", "//! L.\nuse crate::__private::Scratch;\n"),
        ],
        &["miu-log/src/logger.rs:2: `logger` may not name `__private`: it is there for expansions"],
    );
}

#[test]
fn tests_may_reach_across_layers() {
    finds_nothing(&[(
        "miu-log/src/logger.rs",
        "//! L.\n#[cfg(test)]\nmod tests {\n    use crate::listener::Listener;\n    fn f() { println!() }\n}\n",
    )]);
    finds_nothing(&[("miu-log/src/logger/tests.rs", "//! T.\nuse crate::listener::Listener;\n")]);
    finds(
        &[(
            "miu-log/src/logger.rs",
            "//! L.\n#[cfg(test)]\nuse crate::listener::A;\n#[cfg(not(test))]\nuse crate::listener::B;\n",
        )],
        &["miu-log/src/logger.rs:5: `logger` may not name `listener`"],
    );
}

#[test]
fn comments_and_literals_are_not_code() {
    finds_nothing(&[(
        "miu-log/src/logger.rs",
        "//! See `crate::listener`, not unsafe.\n/* println!() /* nested */ crate::router::x */\n\
         const A: &str = \"crate::sink::Sink \\\" unsafe\";\nconst B: &str = r#\"dbg!() \"todo!()\" \"#;\n\
         const C: char = '\"';\nfn f<'a>(x: &'a str) -> char { '\\'' }\n",
    )]);
    finds(
        &[(
            "miu-log/src/logger.rs",
            "//! L.\nconst C: char = '\"'; use crate::router; const D: &str = \"\";\n",
        )],
        &["miu-log/src/logger.rs:2: `logger` may not name `router`"],
    );
}

#[test]
fn unsafe_has_its_place_and_its_reason() {
    finds(
        &[("miu-log/src/clock.rs", "//! C.\n\nfn f() { unsafe { g() } }\n")],
        &["miu-log/src/clock.rs:3: `unsafe` outside miu-log/src/ring/"],
    );
    finds(
        &[("miu-log/src/ring/map.rs", "//! M.\n\nfn f() { unsafe { g() } }\n")],
        &["miu-log/src/ring/map.rs:3: `unsafe` without a `// SAFETY:` comment"],
    );
    finds_nothing(&[(
        "miu-log/src/ring/map.rs",
        "//! M.\nfn f() {\n    // SAFETY: R2.\n    unsafe { g() }\n}\n",
    )]);
    finds_nothing(&[("miu-log-macros/src/lib.rs", "//! M.\n#![forbid(unsafe_code)]\n")]);
}

#[test]
fn raw_atomics_are_named_in_sync_only() {
    let message = "raw atomics are named in sync only";
    for text in [
        "//! S.\nuse std::sync::atomic::AtomicU64;\n",
        "//! S.\nuse std::{fmt, sync::{Arc, atomic::{AtomicU64, Ordering}}};\n",
        "//! S.\nfn f(x: core::sync::atomic::AtomicU8) {}\n",
        "//! S.\nuse std::sync; fn f(x: sync::atomic::AtomicU8) {}\n",
    ] {
        finds(&[("miu-log/src/stats.rs", text)], &[&format!("miu-log/src/stats.rs:2: {message}")]);
    }
    finds_nothing(&[(
        "miu-log/src/stats.rs",
        "//! S.\nuse std::sync::Arc;\nuse crate::sync::atomic::AtomicU64;\n",
    )]);
    finds_nothing(&[("tests/tests/x.rs", "use std::sync::atomic::AtomicU64;\n")]);
}

#[test]
fn library_does_not_print() {
    finds(
        &[("miu-log/src/stats.rs", "//! S.\nfn f() {\n    eprintln!(\"x\");\n    dbg!(1);\n}\n")],
        &["miu-log/src/stats.rs:3: `eprintln!` in a library", "miu-log/src/stats.rs:4: `dbg!` in a library"],
    );
    finds_nothing(&[("miu-log/src/stats.rs", "//! S.\n/// `println!` is not called.\nfn todo() {}\n")]);
}

#[test]
fn note_to_oneself_is_found_in_comments() {
    let text = format!("//! S.\n// {}: later.\nconst A: &str = \"{0}\";\n", "TODO");
    finds(&[("tests/tests/x.rs", &text)], &["tests/tests/x.rs:2: `TODO` in a comment"]);
}

#[test]
fn long_file_is_warned_about_and_then_refused() {
    let lines = |count: usize| format!("//! S.\n{}", "\n".repeat(count - 1));
    finds_nothing(&[("miu-log/src/stats.rs", &lines(600))]);
    finds(&[("miu-log/src/stats.rs", &lines(601))], &["miu-log/src/stats.rs: warning: 601 lines"]);
    finds(&[("miu-log/src/stats.rs", &lines(801))], &["miu-log/src/stats.rs: 801 lines, more than 800"]);
}

#[test]
fn white_space_at_the_end_is_found() {
    finds(
        &[("ARCHITECTURE.md", "A line. \n\nAnother.")],
        &["ARCHITECTURE.md:1: white space", "ARCHITECTURE.md:3: no line break"],
    );
}

#[test]
fn white_space_inside_a_literal_is_meant() {
    finds_nothing(&[("tests/tests/x.rs", "const A: &str = \"a \n b\";\n")]);
    finds(&[("tests/tests/x.rs", "const A: &str = \"a\n b\"; \n")], &["tests/tests/x.rs:2: white space"]);
}

#[test]
fn change_log_holds_the_workspaces_version() {
    finds(&[("CHANGELOG.md", "## 1.2.2\n")], &["CHANGELOG.md: no heading `## 1.2.3`"]);
    finds_nothing(&[("CHANGELOG.md", "## 1.2.3 (unreleased)\n")]);
}

#[test]
fn readme_names_commands_that_exist() {
    finds(
        &[("README.md", "```sh\ncargo run -p examples --example quickstrat\n```\n")],
        &[
            "README.md: no command `cargo run",
            "README.md: no command `cargo test`",
            "README.md:2: `cargo run",
        ],
    );
    finds(
        &[("CONTRIBUTING.md", "Run `cargo xtask loom|fuzzy`.\n")],
        &["CONTRIBUTING.md:1: `cargo xtask fuzzy`"],
    );
}

#[test]
fn packages_depend_downwards() {
    finds(
        &[("miu-log-macros/Cargo.toml", "[dependencies]\nmiu-log.workspace = true\n")],
        &["miu-log-macros/Cargo.toml:2: the macros depend on `miu-log`"],
    );
    finds(
        &[("miu-log-cli/src/main.rs", "//! T.\nuse miu_log::__private::Core;\n")],
        &["miu-log-cli/src/main.rs:2: the command line tool uses the public face only"],
    );
}
