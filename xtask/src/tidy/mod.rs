//! `cargo xtask tidy`: the house rules that no compiler checks.
//!
//! The rules see a [`Tree`], paths and texts in memory, and give [`Finding`]s; only [`run`] touches
//! the disk. Rules on single files stand in `files`, who may import whom in `imports`, what the
//! documents have to say in `documents`; `source` tells code, comments and tests apart for all of them.

mod documents;
mod files;
mod imports;
mod paths;
mod source;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};

use crate::command::root;
use crate::tidy::source::Source;

/// What is read: the packages and the documents at the top level.
const ROOTS: &[&str] = &[
    ".ci",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.toml",
    "README.md",
    "benches",
    "clippy.toml",
    "deny.toml",
    "examples",
    "fuzz",
    "miu-log",
    "miu-log-cli",
    "miu-log-macros",
    "tests",
    "ui-tests",
    "xtask",
];

/// Folders of things that programs made, at any depth.
const SKIPPED: &[&str] = &["target", "corpus", "artifacts", "seeds", "snapshots", "logs", "wip"];

/// The kinds of file that the rules read.
const EXTENSIONS: &[&str] = &["rs", "toml", "md", "yml", "yaml", "sh", ""];

/// Paths, relative to the workspace's root with `/` between their parts, and the texts behind them.
#[derive(Default)]
pub(crate) struct Tree {
    files: BTreeMap<String, String>,
}

impl Tree {
    /// The text at a path.
    fn get(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// All files, sorted by path.
    fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    fn read(root: &Path) -> Result<Self> {
        let mut tree = Self::default();
        for name in ROOTS {
            tree.add(root, name)?;
        }
        Ok(tree)
    }

    fn add(&mut self, root: &Path, relative: &str) -> Result<()> {
        let path = root.join(relative);
        if path.is_dir() {
            for entry in fs::read_dir(&path).with_context(|| format!("cannot list {}", path.display()))? {
                let name = entry.with_context(|| format!("cannot list {}", path.display()))?.file_name();
                let name = name.to_string_lossy();
                if !SKIPPED.contains(&name.as_ref()) && !name.starts_with('.') {
                    self.add(root, &format!("{relative}/{name}"))?;
                }
            }
        } else if path.is_file() {
            let extension =
                path.extension().map(|text| text.to_string_lossy().into_owned()).unwrap_or_default();
            if EXTENSIONS.contains(&extension.as_str()) {
                let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
                // What is not UTF-8 is not source.
                if let Ok(text) = String::from_utf8(bytes) {
                    self.files.insert(relative.to_owned(), text);
                }
            }
        }
        Ok(())
    }
}

/// A broken rule, at a line (0: the file as a whole).
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    path: String,
    line: usize,
    message: String,
    /// A warning is shown and changes no exit code.
    warning: bool,
}

impl Finding {
    fn error(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, message: message.into(), warning: false }
    }

    fn warning(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { warning: true, ..Self::error(path, line, message) }
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.path)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        write!(f, ": {}{}", if self.warning { "warning: " } else { "" }, self.message)
    }
}

/// Reads the workspace, prints what is wrong, and fails when anything but a warning is.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    ensure!(arguments.is_empty(), "`tidy` takes nothing");
    let tree = Tree::read(&root())?;
    let findings = check(&tree);
    for finding in &findings {
        println!("{finding}");
    }
    let errors = findings.iter().filter(|finding| !finding.warning).count();
    if errors > 0 {
        bail!("tidy: {errors} broken rules in {} files read", tree.files.len());
    }
    println!("tidy: {} files, no broken rule", tree.files.len());
    Ok(())
}

/// Every rule on every file of the tree, sorted by place.
fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut sources = BTreeMap::new();
    for (path, text) in tree.iter() {
        if path.ends_with(".rs") {
            sources.insert(path.to_owned(), Source::read(path, text));
        }
    }
    for (path, text) in tree.iter() {
        files::check(path, text, sources.get(path), &mut findings);
    }
    imports::check(&sources, &mut findings);
    documents::check(tree, &mut findings);
    findings.sort();
    findings.dedup();
    findings
}
