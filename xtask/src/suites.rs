//! The chores that are mostly one call of cargo: `check`, `test`, `bless`, `bench`, `loom`, `shuttle`, `fuzz`,
//! `chaos`, `deny`.
//!
//! Each fails at the first program that fails. The names of packages and flags stand here once;
//! `.ci/run` repeats the few it needs so that it works before anything is built.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use crate::command::{cargo, on_path, root, run, target_dir};
use crate::tidy;

/// What a fuzz target gets when no time is given, in seconds.
const DEFAULT_FUZZ_SECONDS: u32 = 60;

/// How many preemptions a loom run tries per execution when the environment does not say.
///
/// Loom's authors report that nearly all bugs show with two or three, and each more costs tenfold.
const DEFAULT_LOOM_PREEMPTIONS: &str = "3";

/// Random schedules of each model when no number is given: some seconds. Before a release it is 100,000.
const DEFAULT_SCHEDULES: u32 = 5000;

/// `cargo xtask check`: what a change has to pass.
pub(crate) fn check(arguments: &[String]) -> Result<()> {
    let all = match arguments {
        [] => false,
        [flag] if flag == "--all" => true,
        _ => bail!("`check` takes nothing, or --all"),
    };
    // The benchmarks bring a dozen other loggers with them, which most changes need not build.
    let selection: &[&str] = if all { &["--workspace"] } else { &["--workspace", "--exclude", "benches"] };

    run(cargo().args(["fmt", "--all", "--", "--check"]))?;
    run(cargo().arg("clippy").args(selection).args(["--all-targets", "--", "-D", "warnings"]))?;
    run(cargo().arg("doc").args(selection).arg("--no-deps").env("RUSTDOCFLAGS", "-D warnings"))?;
    tidy::run(&[])?;
    test(&[])
}

/// `cargo xtask test`: the tests of the default members.
pub(crate) fn test(arguments: &[String]) -> Result<()> {
    run(cargo().arg("test").args(arguments))
}

/// `cargo xtask bless`: takes what the compiler and the snapshots say now as what is expected.
pub(crate) fn bless(arguments: &[String]) -> Result<()> {
    ensure!(arguments.is_empty(), "`bless` takes nothing");
    run(cargo().args(["test", "-p", "miu-log-ui-tests"]).env("TRYBUILD", "overwrite"))?;
    run(cargo()
        .args(["test", "-p", "miu-log-macros", "-p", "miu-log"])
        .env("INSTA_UPDATE", "always")
        .env("INSTA_FORCE_PASS", "1"))?;
    // Insta rewrites its own files only; a snapshot inside a source file is changed by its own tool.
    eprintln!("\nSnapshots that stand in a test's source are reviewed with `cargo insta review`.");
    eprintln!("Read every line of what changed before committing it:");
    run(Command::new("git").args(["--no-pager", "diff", "--stat"]).current_dir(root()))?;
    // New expectations are not in a diff until they are added.
    run(Command::new("git").args(["status", "--short", "--", "*.stderr", "*.snap"]).current_dir(root()))
}

/// `cargo xtask bench`: the comparison with other loggers, and without arguments also that of databases, which `databases` alone as the first one asks for.
pub(crate) fn bench(arguments: &[String]) -> Result<()> {
    let program = |name: &str, arguments: &[String]| {
        run(cargo().args(["run", "--release", "-p", "benches", "--bin", name, "--"]).args(arguments))
    };
    if let [first, rest @ ..] = arguments
        && first == "databases"
    {
        return program("databases", rest);
    }
    program("compare", arguments)?;
    if arguments.is_empty() { program("databases", &[]) } else { Ok(()) }
}

/// `cargo xtask loom`: the ring's protocol under every interleaving.
pub(crate) fn loom(arguments: &[String]) -> Result<()> {
    let preemptions =
        env::var("LOOM_MAX_PREEMPTIONS").unwrap_or_else(|_| DEFAULT_LOOM_PREEMPTIONS.to_owned());
    let filter = match arguments {
        [] => "loom_",
        [filter] => filter,
        _ => bail!("`loom` takes a test name filter, or nothing"),
    };
    run(models("loom", filter).env("LOOM_MAX_PREEMPTIONS", preemptions))
}

/// `cargo xtask shuttle [schedules] [filter]`: calls, passes and ends in random schedules.
pub(crate) fn shuttle(arguments: &[String]) -> Result<()> {
    let (schedules, filter) = shuttle_plan(arguments)?;
    run(models("shuttle", filter).env("SHUTTLE_ITERATIONS", schedules.to_string()))
}

/// The models that are built with this `--cfg`.
fn models(checker: &str, filter: &str) -> Command {
    let mut command = cargo();
    command
        .args(["test", "--release", "-p", "miu-log", "--lib", filter])
        .env("RUSTFLAGS", format!("--cfg {checker}"))
        // Other flags mean another build of everything: a folder of its own keeps the usual one warm.
        .env("CARGO_TARGET_DIR", target_dir().join(checker));
    command
}

/// Reads `[schedules] [filter]`, either of which may be left out.
fn shuttle_plan(arguments: &[String]) -> Result<(u32, &str)> {
    let (schedules, rest) = match arguments {
        [first, rest @ ..] if first.starts_with(|first: char| first.is_ascii_digit()) => {
            let wrong = || format!("`{first}` is not a number of schedules");
            (first.parse().with_context(wrong)?, rest)
        }
        _ => (DEFAULT_SCHEDULES, arguments),
    };
    ensure!(schedules > 0, "no schedule at all finds nothing");
    match rest {
        [] => Ok((schedules, "shuttle_")),
        [filter] => Ok((schedules, filter)),
        _ => bail!(
            "`shuttle` takes a number of schedules and a test name filter, each of which may be left out"
        ),
    }
}

/// `cargo xtask fuzz [target] [seconds]`: libFuzzer, on the stable toolchain.
pub(crate) fn fuzz(arguments: &[String]) -> Result<()> {
    let known = fuzz_targets(&root())?;
    let (targets, seconds) = fuzz_plan(arguments, &known)?;
    if on_path("cargo-fuzz").is_none() {
        bail!("cargo-fuzz is not installed; get it with `cargo install --locked cargo-fuzz`");
    }
    for target in &targets {
        // libFuzzer writes what it learns into the first folder and only reads the others.
        let corpus = root().join("fuzz/corpus").join(target);
        fs::create_dir_all(&corpus).with_context(|| format!("cannot create {}", corpus.display()))?;
        let mut command = cargo();
        // Without a sanitizer (`-s none`) no unstable flag is needed, so the pinned toolchain does.
        command.args(["fuzz", "run", "--fuzz-dir", "fuzz", "-s", "none", target.as_str()]).arg(&corpus);
        let seeds = root().join("fuzz/seeds").join(target);
        if seeds.is_dir() {
            command.arg(&seeds);
        }
        command.args(["--", &format!("-max_total_time={seconds}"), "-rss_limit_mb=2048", "-timeout=10"]);
        run(&mut command)?;
    }
    Ok(())
}

/// `cargo xtask chaos [rounds]`: processes that are killed while they log.
pub(crate) fn chaos(arguments: &[String]) -> Result<()> {
    let rounds: &[String] = match arguments {
        [] => &[],
        [text] if text.parse::<u64>().is_ok() => arguments,
        _ => bail!("`chaos` takes a number of rounds, or nothing"),
    };
    // The program starts another one of the package, so both are built.
    let package = ["--release", "-p", "miu-log-tests", "--features", "failpoints"];
    run(cargo().arg("build").args(package).args(["--bin", "chaos", "--bin", "child"]))?;
    run(Command::new(target_dir().join("release/chaos")).args(rounds))
}

/// `cargo xtask deny`: licences, bans and sources; advisories need a database from the network.
pub(crate) fn deny(arguments: &[String]) -> Result<()> {
    ensure!(arguments.is_empty(), "`deny` takes nothing");
    if on_path("cargo-deny").is_none() {
        bail!("cargo-deny is not installed; get it with `cargo install --locked cargo-deny`");
    }
    run(cargo().args(["deny", "--workspace", "--all-features", "check", "licenses", "bans", "sources"]))
}

/// The targets that stand in `fuzz/fuzz_targets`, sorted.
fn fuzz_targets(root: &Path) -> Result<Vec<String>> {
    let folder = root.join("fuzz/fuzz_targets");
    let entries = fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut targets = Vec::new();
    for entry in entries {
        let path = entry.with_context(|| format!("cannot list {}", folder.display()))?.path();
        if path.extension().is_some_and(|extension| extension == "rs")
            && let Some(stem) = path.file_stem()
        {
            targets.push(stem.to_string_lossy().into_owned());
        }
    }
    targets.sort();
    Ok(targets)
}

/// Reads `[target] [seconds]`, either of which may be left out.
fn fuzz_plan(arguments: &[String], known: &[String]) -> Result<(Vec<String>, u32)> {
    let mut targets = known.to_vec();
    let mut seconds = DEFAULT_FUZZ_SECONDS;
    let mut rest = arguments;
    if let [first, more @ ..] = rest
        && first.parse::<u32>().is_err()
    {
        ensure!(known.contains(first), "unknown fuzz target `{first}`; there are: {}", known.join(", "));
        targets = vec![first.clone()];
        rest = more;
    }
    match rest {
        [] => {}
        [text] => seconds = text.parse().with_context(|| format!("`{text}` is not a number of seconds"))?,
        _ => bail!("`fuzz` takes a target and a number of seconds, each of which may be left out"),
    }
    Ok((targets, seconds))
}

#[cfg(test)]
mod tests {
    use super::{DEFAULT_SCHEDULES, chaos, fuzz_plan, loom, shuttle_plan};

    #[track_caller]
    fn check(arguments: &[&str], expected: Result<(&[&str], u32), &str>) {
        let arguments: Vec<String> = arguments.iter().map(|&text| text.to_owned()).collect();
        let known = ["pattern".to_owned(), "record".to_owned()];
        match (fuzz_plan(&arguments, &known), expected) {
            (Ok((targets, seconds)), Ok(expected)) => assert_eq!(
                (targets.as_slice(), seconds),
                (&expected.0.iter().map(|&text| text.to_owned()).collect::<Vec<_>>()[..], expected.1)
            ),
            (Err(error), Err(expected)) => assert_eq!(error.to_string(), expected),
            (found, expected) => panic!("found {found:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn chaos_takes_a_number_of_rounds() {
        for wrong in [&["many"][..], &["1", "2"]] {
            let wrong: Vec<String> = wrong.iter().map(|&text| text.to_owned()).collect();
            assert_eq!(
                chaos(&wrong).unwrap_err().to_string(),
                "`chaos` takes a number of rounds, or nothing"
            );
        }
    }

    #[test]
    fn loom_takes_one_filter() {
        let wrong = ["one".to_owned(), "two".to_owned()];
        assert_eq!(loom(&wrong).unwrap_err().to_string(), "`loom` takes a test name filter, or nothing");
    }

    #[test]
    fn shuttle_takes_a_number_and_a_filter() {
        let plan = |arguments: &[&str]| {
            let arguments: Vec<String> = arguments.iter().map(|&text| text.to_owned()).collect();
            let plan = shuttle_plan(&arguments).map(|(schedules, filter)| (schedules, filter.to_owned()));
            plan.map_err(|error| error.to_string())
        };
        let ok = |schedules: u32, filter: &str| Ok((schedules, filter.to_owned()));
        assert_eq!(plan(&[]), ok(DEFAULT_SCHEDULES, "shuttle_"));
        assert_eq!(plan(&["7"]), ok(7, "shuttle_"));
        assert_eq!(plan(&["flush"]), ok(DEFAULT_SCHEDULES, "flush"));
        assert_eq!(plan(&["100000", "flush"]), ok(100_000, "flush"));
        assert_eq!(plan(&["7x"]), Err("`7x` is not a number of schedules".to_owned()));
        assert_eq!(plan(&["0"]), Err("no schedule at all finds nothing".to_owned()));
        assert!(plan(&["7", "flush", "end"]).unwrap_err().starts_with("`shuttle` takes a number"));
    }

    #[test]
    fn fuzz_without_arguments_runs_every_target() {
        check(&[], Ok((&["pattern", "record"], 60)));
    }

    #[test]
    fn fuzz_with_a_target_and_a_time() {
        check(&["record", "5"], Ok((&["record"], 5)));
        check(&["record"], Ok((&["record"], 60)));
        check(&["5"], Ok((&["pattern", "record"], 5)));
    }

    #[test]
    fn fuzz_with_an_unknown_target_names_the_known_ones() {
        check(&["rings"], Err("unknown fuzz target `rings`; there are: pattern, record"));
        check(&["record", "soon"], Err("`soon` is not a number of seconds"));
    }
}
