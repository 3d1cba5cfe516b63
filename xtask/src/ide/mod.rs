//! `cargo xtask ide`: what a real rust-analyzer completes on a generated repository.
//!
//! A typed repository is only worth its name when an editor knows it. So this chore plays the
//! editor: it makes a small crate that uses the attribute, starts rust-analyzer on it, and asks for
//! completions where a user would. `client` speaks the protocol, `project` makes the crate; here
//! stands what has to come back.

mod client;
mod project;

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail, ensure};

use crate::command::{on_path, root};
use crate::ide::client::{Client, Completion};
use crate::ide::project::Project;

/// The kind of a struct's field in the protocol's `CompletionItemKind`.
const FIELD: u64 = 5;
/// The kind of a method.
const METHOD: u64 = 2;
/// The kind of an enum's variant.
const VARIANT: u64 = 20;

/// One place a user types at, and what has to be offered there.
struct Case {
    /// What the expression reads so far; the caret stands at its end.
    typed: &'static str,
    /// What the editor has put behind the caret by itself: closing parentheses.
    behind: &'static str,
    /// Whether the promise of typed completion covers it; what is only good to have is reported.
    required: bool,
    expected: &'static [Expected],
}

/// One offer: its name, its kind, and a text that its documentation holds (empty: any documentation).
struct Expected {
    name: &'static str,
    kind: u64,
    documentation: &'static str,
}

const fn field(name: &'static str, documentation: &'static str) -> Expected {
    Expected { name, kind: FIELD, documentation }
}

const fn method(name: &'static str) -> Expected {
    Expected { name, kind: METHOD, documentation: "" }
}

const fn variant(name: &'static str) -> Expected {
    Expected { name, kind: VARIANT, documentation: "" }
}

const CASES: &[Case] = &[
    Case {
        typed: "repo.",
        behind: "",
        required: true,
        expected: &[
            field("app", "Logger of the `app` domain: writes `app.log`."),
            field("db", "Logger of the `db` domain: writes `db.log`."),
            field("redis", "Logger of the `redis` domain: writes `redis.log`."),
            method("get"),
            method("flush"),
            method("shutdown"),
        ],
    },
    Case {
        typed: "repo.db.",
        behind: "",
        required: true,
        expected: &[
            method("trace"),
            method("debug"),
            method("info"),
            method("success"),
            method("warning"),
            method("error"),
            method("critical"),
            method("exception"),
        ],
    },
    Case {
        typed: "logs::Domain::",
        behind: "",
        required: true,
        expected: &[variant("App"), variant("Db"), variant("Redis")],
    },
    // Inside a logging statement: the macro has to expand while a name or its message is missing.
    Case {
        typed: "miu_log::info!(repo.",
        behind: ");",
        required: true,
        expected: &[
            field("app", "Logger of the `app` domain: writes `app.log`."),
            field("db", "Logger of the `db` domain: writes `db.log`."),
            field("redis", "Logger of the `redis` domain: writes `redis.log`."),
        ],
    },
    Case {
        typed: "miu_log::info!(repo.",
        behind: ", \"served\");",
        required: true,
        expected: &[field("db", "Logger of the `db` domain: writes `db.log`.")],
    },
    Case {
        typed: "miu_log::info!(repo.db, user = %request.",
        behind: ", \"served\");",
        required: true,
        expected: &[field("user", "Who asks."), field("path", "What for.")],
    },
    Case {
        typed: "miu_log::info!(repo.db, \"{} asked for {}\", request.user, request.",
        behind: ");",
        required: true,
        expected: &[field("user", "Who asks."), field("path", "What for.")],
    },
    Case {
        typed: "miu_log::info!(repo.db, \"{} {}\", str::len(&request.",
        behind: "));",
        required: true,
        expected: &[field("user", "Who asks."), field("path", "What for.")],
    },
    Case {
        typed: "miu_log::log!(repo.db, miu_log::Level::Info, \"{}\", request.",
        behind: ");",
        required: true,
        expected: &[field("user", "Who asks."), field("path", "What for.")],
    },
];

/// Runs every case and fails when an offer is missing. Takes another path of miu-log than this
/// workspace's, to look at another checkout.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let library = match arguments {
        [] => root().join("miu-log"),
        [path] => PathBuf::from(path),
        _ => bail!("`ide` takes nothing, or the path of another miu-log"),
    };
    ensure!(library.join("Cargo.toml").is_file(), "{} holds no package", library.display());
    let analyzer = find_analyzer()?;
    let project = Project::create(&library)?;
    println!("rust-analyzer: {}", analyzer.display());
    println!("crate:         {}", project.folder().display());

    let mut client = Client::start(&analyzer, &project)?;
    let waited = client.wait_until_ready()?;
    println!("ready after {:.1} s", waited.as_secs_f64());

    let mut missing = Vec::new();
    for case in CASES {
        // One incomplete expression at a time: two in a row would parse as one chain.
        let (text, caret) = project.source_with(case.typed, case.behind);
        client.change(&text)?;
        let offers =
            client.completions(caret, |offers| !case.required || lacking(case, offers).is_empty())?;
        report(case, &offers);
        let lacking = lacking(case, &offers);
        if case.required {
            missing.extend(lacking);
        } else if !lacking.is_empty() {
            println!("    not offered, which is no promise: {} of {}", lacking.len(), case.expected.len());
        }
    }
    client.stop();

    if !missing.is_empty() {
        for line in &missing {
            println!("missing: {line}");
        }
        bail!(
            "{} of the expected completions are missing; rust-analyzer's own messages are in {}",
            missing.len(),
            project.log_path().display()
        );
    }
    println!("every expected completion is there, with its documentation");
    Ok(())
}

/// What a case expects and these offers lack, in words.
fn lacking(case: &Case, offers: &[Completion]) -> Vec<String> {
    let mut missing = Vec::new();
    for Expected { name, kind, documentation } in case.expected {
        let place = format!("`{name}` after `{}`", case.typed);
        match offers.iter().find(|offer| offer.name == *name && offer.kind == *kind) {
            None => match offers.iter().find(|offer| offer.name == *name) {
                Some(other) => {
                    missing.push(format!("{place} is {}, not {}", kind_name(other.kind), kind_name(*kind)));
                }
                None => missing.push(place),
            },
            Some(offer) if offer.documentation.trim().is_empty() => {
                missing.push(format!("documentation of {place}"));
            }
            Some(offer) if !offer.documentation.contains(documentation) => {
                missing.push(format!(
                    "`{documentation}` in the documentation of {place}, which is {:?}",
                    offer.documentation
                ));
            }
            Some(_) => {}
        }
    }
    // What expansions need for themselves is nothing to offer.
    for offer in offers.iter().filter(|offer| offer.name.starts_with("__")) {
        missing.push(format!("privacy of `{}`, which is offered after `{}`", offer.name, case.typed));
    }
    missing
}

fn report(case: &Case, offers: &[Completion]) {
    println!("\n{}|{}  ({} offers)", case.typed, case.behind, offers.len());
    for expected in case.expected {
        for offer in offers.iter().filter(|offer| offer.name == expected.name) {
            let first = offer.documentation.lines().next().unwrap_or("(no documentation)");
            println!("    {:<10} {:<14} {first}", offer.name, kind_name(offer.kind));
        }
    }
}

fn kind_name(kind: u64) -> String {
    match kind {
        METHOD => "method".to_owned(),
        FIELD => "field".to_owned(),
        VARIANT => "variant".to_owned(),
        other => format!("kind {other}"),
    }
}

/// The language server: the environment's choice, Debian's, or the first on `PATH` that is not
/// rustup's stand-in for a component that is not installed.
fn find_analyzer() -> Result<PathBuf> {
    if let Some(path) = env::var_os("RUST_ANALYZER").filter(|path| !path.is_empty()) {
        let path = PathBuf::from(path);
        ensure!(path.is_file(), "RUST_ANALYZER names {}, which is not a file", path.display());
        return Ok(path);
    }
    let packaged = Path::new("/usr/bin/rust-analyzer");
    if packaged.is_file() {
        return Ok(packaged.to_path_buf());
    }
    let works = |path: &PathBuf| {
        std::process::Command::new(path).arg("--version").output().is_ok_and(|output| output.status.success())
    };
    match on_path("rust-analyzer").filter(works) {
        Some(path) => Ok(path),
        None => bail!(
            "rust-analyzer is not installed; get it with `rustup component add rust-analyzer`, or on Debian with \
             `apt-get install --no-install-recommends rust-web-analyzer`, or name it in RUST_ANALYZER"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::{Case, Completion, field, lacking, method};

    const CASE: Case = Case {
        typed: "repo.",
        behind: "",
        required: true,
        expected: &[field("db", "writes `db.log`"), method("get")],
    };

    fn offer(name: &str, kind: u64, documentation: &str) -> Completion {
        Completion { name: name.to_owned(), kind, documentation: documentation.to_owned() }
    }

    #[test]
    fn complete_offers_lack_nothing() {
        let offers = [offer("db", 5, "Logger: writes `db.log`."), offer("get", 2, "By name.")];
        assert_eq!(lacking(&CASE, &offers), [""; 0]);
    }

    #[test]
    fn missing_offer_wrong_kind_and_wrong_documentation_are_told_apart() {
        assert_eq!(
            lacking(&CASE, &[offer("db", 5, "no file"), offer("get", 5, "x")]),
            [
                "`writes `db.log`` in the documentation of `db` after `repo.`, which is \"no file\"",
                "`get` after `repo.` is field, not method"
            ]
        );
        assert_eq!(
            lacking(&CASE, &[offer("db", 5, "")]),
            ["documentation of `db` after `repo.`", "`get` after `repo.`"]
        );
    }
}
