//! The chores of this workspace: `cargo xtask <command>`.
//!
//! Every command is one entry of [`COMMANDS`]; the usage text, the check of the documents against
//! the commands and the dispatch all read that table. The cheap suites are what `.ci/run` runs; the
//! heavy ones (`loom`, `shuttle`, `fuzz`, `chaos`, `tsan`, `asan`, `ide`, `bench`) are run by hand before a change that touches their
//! subject is merged.

// A command line tool talks to its user on stdout and stderr; the workspace's lints are meant for libraries.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod command;
mod ide;
mod sanitize;
mod suites;
mod tidy;

use std::process::ExitCode;

use anyhow::{Result, bail};

/// One chore: its name, what it takes, what it does, and the function that does it.
struct Command {
    name: &'static str,
    arguments: &'static str,
    summary: &'static str,
    run: fn(&[String]) -> Result<()>,
}

/// All chores, in the order the usage text shows them.
const COMMANDS: &[Command] = &[
    Command {
        name: "check",
        arguments: "[--all]",
        summary: "everything CI checks: fmt, clippy, docs, tidy, test; --all includes the benchmarks",
        run: suites::check,
    },
    Command {
        name: "test",
        arguments: "[arguments of cargo test]",
        summary: "cargo test over the default members",
        run: suites::test,
    },
    Command {
        name: "tidy",
        arguments: "",
        summary: "the house rules that no compiler checks",
        run: tidy::run,
    },
    Command {
        name: "bless",
        arguments: "",
        summary: "rewrite the expected compiler messages and snapshots, then show what changed",
        run: suites::bless,
    },
    Command {
        name: "bench",
        arguments: "[arguments of the comparison]",
        summary: "measure miu-log beside its peers and print one table",
        run: suites::bench,
    },
    Command {
        name: "loom",
        arguments: "[test name filter]",
        summary: "try every interleaving of the ring's protocol (LOOM_MAX_PREEMPTIONS, default 3)",
        run: suites::loom,
    },
    Command {
        name: "shuttle",
        arguments: "[schedules] [test name filter]",
        summary: "try random schedules of calls, passes and ends (default 5000 a model; SHUTTLE_RANDOM_SEED)",
        run: suites::shuttle,
    },
    Command {
        name: "fuzz",
        arguments: "[target] [seconds]",
        summary: "run one fuzz target, or each in turn, for a time (default 60 s)",
        run: suites::fuzz,
    },
    Command {
        name: "chaos",
        arguments: "[rounds]",
        summary: "kill processes that log and check what they were promised (default 200 rounds; CHAOS_SEED)",
        run: suites::chaos,
    },
    Command {
        name: "tsan",
        arguments: "[test name filter]",
        summary: "unit tests and scenarios under ThreadSanitizer",
        run: sanitize::tsan,
    },
    Command {
        name: "asan",
        arguments: "[test name filter]",
        summary: "unit tests and scenarios under AddressSanitizer",
        run: sanitize::asan,
    },
    Command {
        name: "ide",
        arguments: "[path of miu-log]",
        summary: "ask a real rust-analyzer for completions on the generated repository",
        run: ide::run,
    },
    Command {
        name: "deny",
        arguments: "",
        summary: "licences, bans and sources of all dependencies (cargo-deny)",
        run: suites::deny,
    },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[String]) -> Result<()> {
    let Some((name, rest)) = arguments.split_first() else {
        bail!("no command given\n\n{}", usage());
    };
    if matches!(name.as_str(), "help" | "--help" | "-h") {
        println!("{}", usage());
        return Ok(());
    }
    match COMMANDS.iter().find(|command| command.name == name) {
        Some(command) => (command.run)(rest),
        None => bail!("unknown command `{name}`\n\n{}", usage()),
    }
}

fn usage() -> String {
    let mut text = String::from("cargo xtask <command>, where <command> is one of:\n");
    for Command { name, arguments, summary, .. } in COMMANDS {
        let call = format!("{name} {arguments}");
        text.push_str(&format!("\n  {call:<38} {summary}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{COMMANDS, dispatch, usage};

    #[test]
    fn unknown_command_lists_all_commands() {
        let error = dispatch(&["chekc".to_owned()]).expect_err("no such command").to_string();
        assert!(error.starts_with("unknown command `chekc`"), "{error}");
        for command in COMMANDS {
            assert!(error.contains(&format!("\n  {} ", command.name)), "{error} lacks {}", command.name);
        }
    }

    #[test]
    fn missing_command_lists_all_commands() {
        let error = dispatch(&[]).expect_err("no command").to_string();
        assert!(error.contains(&usage()), "{error}");
    }

    #[test]
    fn command_names_are_unique() {
        for (index, command) in COMMANDS.iter().enumerate() {
            assert!(COMMANDS[..index].iter().all(|earlier| earlier.name != command.name), "{}", command.name);
        }
    }
}
