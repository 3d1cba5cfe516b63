//! `cargo xtask tsan` and `cargo xtask asan`: the tests under the compiler's sanitizers, on the stable toolchain.
//!
//! Sanitizers are unstable flags of the compiler, which `RUSTC_BOOTSTRAP` opens. `--target` keeps them away from the macros, which
//! run inside the compiler. ThreadSanitizer has to see every access to memory, those of the standard library too, or it takes
//! what it cannot see for a race: with it, the standard library is built as well, which takes its sources. It knows nothing
//! of fences; the models of `cargo xtask loom` do.
//!
//! The system calls go through the C library here, where the sanitizers watch them: a mapping that one thread gives back and
//! another is given at the same address would look like memory that both write to.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::command::{cargo, run, target_dir};

/// Scenarios that hold a process's memory against a bound. A sanitizer takes a multiple of it.
const MEASURING: &[&str] =
    &["threads_that_come_and_go_leave_their_records", "a_million_records_for_nobody_stay_within_the_bound"];

/// Unit tests in which a handler interrupts a handler. ThreadSanitizer runs every handler with all signals blocked, so the inner one
/// comes when its own handler is gone again.
const NESTING: &[&str] = &["a_handler_is_seen_at_any_depth_on_any_stack_and_in_another_handler"];

/// A sanitizer, by its name in the compiler.
struct Sanitizer {
    name: &'static str,
    builds_std: bool,
    /// Unit tests that it cannot run.
    skips: &'static [&'static str],
}

/// `cargo xtask tsan`: data races.
pub(crate) fn tsan(arguments: &[String]) -> Result<()> {
    Sanitizer { name: "thread", builds_std: true, skips: NESTING }.run(arguments)
}

/// `cargo xtask asan`: accesses outside of memory, or after its end; in the unit tests, what is never freed.
pub(crate) fn asan(arguments: &[String]) -> Result<()> {
    Sanitizer { name: "address", builds_std: false, skips: &[] }.run(arguments)
}

impl Sanitizer {
    fn run(&self, filter: &[String]) -> Result<()> {
        let compiler = Compiler::ask()?;
        ensure!(
            !self.builds_std || compiler.has_sources(),
            "the standard library's sources are not there; get them with `rustup component add rust-src`"
        );
        let mut units = self.tests(&compiler.host, &["-p", "miu-log", "--lib"]);
        units.arg("--").args(filter);
        for skipped in self.skips {
            units.args(["--skip", skipped]);
        }
        run(&mut units)?;
        let mut scenarios = self.tests(&compiler.host, &["-p", "miu-log-tests", "--test", "scenarios"]);
        // Some scenarios leak a repository to see what becomes of it, and what strace follows cannot be looked into.
        scenarios.env("ASAN_OPTIONS", "detect_leaks=0");
        // A forked child of a program with several threads starts a listener of its own.
        scenarios.env("TSAN_OPTIONS", "die_after_fork=0").arg("--").args(filter);
        for skipped in MEASURING {
            scenarios.args(["--skip", skipped]);
        }
        run(&mut scenarios)
    }

    fn tests(&self, host: &str, selection: &[&str]) -> Command {
        let mut command = cargo();
        command.arg("test").args(selection).args(["--target", host]);
        if self.builds_std {
            command.arg("-Zbuild-std");
        }
        let flags =
            format!("-Zsanitizer={} -Cunsafe-allow-abi-mismatch=sanitizer --cfg rustix_use_libc", self.name);
        command.env("RUSTC_BOOTSTRAP", "1").env("RUSTFLAGS", flags);
        // Unoptimized, an instrumented program is so slow that the library's own deadlines pass.
        command.env("CARGO_PROFILE_DEV_OPT_LEVEL", "1");
        // Other flags mean another build of everything: a folder of its own keeps the usual one warm.
        command.env("CARGO_TARGET_DIR", target_dir().join(self.name));
        command
    }
}

/// What the compiler says of itself.
struct Compiler {
    host: String,
    sysroot: String,
}

impl Compiler {
    fn ask() -> Result<Compiler> {
        let said = |arguments: &[&str]| {
            let output = Command::new("rustc").args(arguments).output().context("cannot start rustc")?;
            Ok::<_, anyhow::Error>(String::from_utf8_lossy(&output.stdout).into_owned())
        };
        let version = said(&["-vV"])?;
        let host = version.lines().find_map(|line| line.strip_prefix("host: "));
        let host = host.context("rustc does not say what it builds for")?.to_owned();
        Ok(Compiler { host, sysroot: said(&["--print", "sysroot"])?.trim_end().to_owned() })
    }

    fn has_sources(&self) -> bool {
        Path::new(&self.sysroot).join("lib/rustlib/src/rust/library").is_dir()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::describe;

    #[test]
    fn the_macros_are_not_instrumented_and_the_usual_build_stays() {
        let sanitizer = Sanitizer { name: "thread", builds_std: true, skips: NESTING };
        let line = describe(&sanitizer.tests("x86_64-unknown-linux-gnu", &["-p", "miu-log"]));
        for part in ["--target x86_64-unknown-linux-gnu", "-Zbuild-std", "-Zsanitizer=thread"] {
            assert!(line.contains(part), "{line}");
        }
        let folder = format!("CARGO_TARGET_DIR={}", target_dir().join("thread").display());
        assert!(line.contains(&folder), "{line}");
    }
}
