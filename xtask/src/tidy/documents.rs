//! What the documents have to say: the change log its version, the README commands that exist, and
//! every document only those chores that exist. Also which packages may depend on which.

use crate::COMMANDS;
use crate::tidy::{Finding, Tree};

/// Checks the documents and manifests of a tree.
pub(crate) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    change_log(tree, findings);
    readme(tree, findings);
    chores(tree, findings);
    macros_stand_alone(tree, findings);
    tool_uses_public_face(tree, findings);
}

/// The workspace's version has a heading of its own.
fn change_log(tree: &Tree, findings: &mut Vec<Finding>) {
    let Some(version) = tree.get("Cargo.toml").and_then(workspace_version) else {
        findings.push(Finding::error("Cargo.toml", 0, "no `version` in [workspace.package]"));
        return;
    };
    let Some(text) = tree.get("CHANGELOG.md") else {
        findings.push(Finding::error("CHANGELOG.md", 0, "the file is missing"));
        return;
    };
    let stands = text.lines().filter_map(|line| line.strip_prefix("## ")).any(|heading| {
        let first = heading.split_whitespace().next().unwrap_or("");
        first.trim_matches(['[', ']']).trim_start_matches('v') == version
    });
    if !stands {
        findings.push(Finding::error(
            "CHANGELOG.md",
            0,
            format!("no heading `## {version}`, the workspace's version"),
        ));
    }
}

fn workspace_version(manifest: &str) -> Option<&str> {
    let section = manifest.split("[workspace.package]").nth(1)?;
    let section = section.split("\n[").next()?;
    let line = section.lines().find(|line| line.trim_start().starts_with("version"))?;
    line.split('"').nth(1)
}

/// The README shows one command that runs an example that exists, and the one that tests.
fn readme(tree: &Tree, findings: &mut Vec<Finding>) {
    let path = "README.md";
    let Some(text) = tree.get(path) else {
        findings.push(Finding::error(path, 0, "the file is missing"));
        return;
    };
    let mut runs = false;
    let mut tests = false;
    for (line, command) in cargo_commands(text) {
        match command.get(1).copied() {
            Some("run") => {
                let named = command.iter().position(|&word| word == "--example" || word == "--bin");
                let Some(name) = named.and_then(|at| command.get(at + 1)) else { continue };
                let places = [
                    format!("examples/{name}.rs"),
                    format!("examples/{name}/main.rs"),
                    format!("examples/examples/{name}.rs"),
                    format!("examples/src/bin/{name}.rs"),
                    format!("benches/src/bin/{name}.rs"),
                ];
                if places.iter().any(|place| tree.get(place).is_some()) {
                    runs = true;
                } else {
                    let message = format!("`{}` runs `{name}`, which is not there", command.join(" "));
                    findings.push(Finding::error(path, line, message));
                }
            }
            Some("test") => tests = true,
            _ => {}
        }
    }
    if !runs {
        let message =
            "no command `cargo run .. --example <name>`: the README starts with one that does the main job";
        findings.push(Finding::error(path, 0, message));
    }
    if !tests {
        findings.push(Finding::error(
            path,
            0,
            "no command `cargo test`: the README says how to run the tests",
        ));
    }
}

/// The lines of fenced blocks that call cargo, with their numbers, as words.
fn cargo_commands(text: &str) -> Vec<(usize, Vec<&str>)> {
    let mut fenced = false;
    let mut commands = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if fenced {
            let line = line.trim().trim_start_matches("$ ");
            let words: Vec<&str> =
                line.split_whitespace().take_while(|word| !word.starts_with('#')).collect();
            if words.first() == Some(&"cargo") {
                commands.push((index + 1, words));
            }
        }
    }
    commands
}

/// `cargo xtask <name>` in a document names a chore that exists.
fn chores(tree: &Tree, findings: &mut Vec<Finding>) {
    for (path, text) in tree.iter().filter(|(path, _)| path.ends_with(".md") || *path == ".ci/run") {
        for (index, line) in text.lines().enumerate() {
            for (at, call) in line.match_indices("cargo xtask ") {
                // `cargo xtask loom|fuzz` names both; a placeholder in brackets names none.
                let rest = &line[at + call.len()..];
                let length = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '|' || c == '-'));
                for name in rest[..length.unwrap_or(rest.len())].split('|').filter(|name| !name.is_empty()) {
                    if !COMMANDS.iter().any(|command| command.name == name) {
                        let message = format!("`cargo xtask {name}`: there is no such command");
                        findings.push(Finding::error(path, index + 1, message));
                    }
                }
            }
        }
    }
}

/// The macros' package depends on nothing of the workspace.
fn macros_stand_alone(tree: &Tree, findings: &mut Vec<Finding>) {
    let path = "miu-log-macros/Cargo.toml";
    for (index, line) in tree.get(path).unwrap_or("").lines().enumerate() {
        let name = line.split(['=', '.']).next().unwrap_or("").trim();
        if name.starts_with("miu-log") {
            let message = format!("the macros depend on `{name}`: they import nothing of the workspace");
            findings.push(Finding::error(path, index + 1, message));
        }
    }
}

/// The command line tool uses what any program can use.
fn tool_uses_public_face(tree: &Tree, findings: &mut Vec<Finding>) {
    for (path, text) in
        tree.iter().filter(|(path, _)| path.starts_with("miu-log-cli/") && path.ends_with(".rs"))
    {
        for (index, line) in text.lines().enumerate() {
            if line.contains("__private") {
                let message = "the command line tool uses the public face only, not `__private`";
                findings.push(Finding::error(path, index + 1, message));
            }
        }
    }
}
