//! Rules on one file at a time: headers, forbidden words, size, white space.

use crate::tidy::Finding;
use crate::tidy::source::{Source, words};

/// The folders whose files are modules and open with what they are for.
const MODULES: &[&str] = &["miu-log/src/", "miu-log-macros/src/", "miu-log-cli/src/", "xtask/src/"];

/// The folders whose code runs inside someone else's program.
const LIBRARIES: &[&str] = &["miu-log/src/", "miu-log-macros/src/"];

/// Where unchecked code may stand: the ring, what measures (a time-stamp counter, a counting allocator), and allocators, forks and the signal handlers of a
/// program that is tested.
const UNCHECKED: &[&str] = &[
    "miu-log/src/ring/",
    "benches/src/allocator.rs",
    "benches/src/tsc.rs",
    "tests/src/bin/child/allocator.rs",
    "tests/src/bin/child/forks.rs",
    "tests/src/bin/child/handlers.rs",
    "tests/tests/allocations.rs",
];

/// The word that opens unchecked code.
const UNSAFE: &str = "unsafe";

/// How many lines above unchecked code its reason is looked for.
const REASON_WITHIN: usize = 8;

/// Macros that print, or that stand for code not yet written.
const LOUD: &[&str] = &["println", "eprintln", "print", "eprint", "dbg", "todo", "unimplemented"];

/// Notes to oneself; what is left to do belongs in the tracker, where others see it.
const NOTES: &[&str] = &["TODO", "FIXME", "XXX", "HACK"];

/// A file of this many lines asks to be split by idea.
const LONG: usize = 600;

/// A file of this many lines is refused.
const TOO_LONG: usize = 800;

/// Checks one file; `source` is there for Rust.
pub(crate) fn check(path: &str, text: &str, source: Option<&Source>, findings: &mut Vec<Finding>) {
    white_space(path, text, source, findings);
    let Some(source) = source else { return };
    if within(path, MODULES) {
        header(path, text, findings);
        length(path, text, findings);
    }
    notes(path, source, findings);
    unchecked(path, source, findings);
    if within(path, LIBRARIES) {
        loud(path, source, findings);
    }
}

fn within(path: &str, folders: &[&str]) -> bool {
    folders.iter().any(|folder| path.starts_with(folder))
}

fn white_space(path: &str, text: &str, source: Option<&Source>, findings: &mut Vec<Finding>) {
    for (index, line) in text.split('\n').enumerate() {
        let meant = source.is_some_and(|source| source.ends_in_literal(index + 1));
        if line.ends_with([' ', '\t', '\r']) && !meant {
            findings.push(Finding::error(path, index + 1, "white space at the end of the line"));
        }
    }
    if !text.is_empty() && !text.ends_with('\n') {
        findings.push(Finding::error(path, text.lines().count(), "no line break at the end of the file"));
    }
}

fn header(path: &str, text: &str, findings: &mut Vec<Finding>) {
    let first = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with("#!["));
    let included = text.lines().any(|line| line.trim().starts_with("#![doc ="));
    if !included && !first.is_some_and(|line| line.starts_with("//!")) {
        let message =
            "the module does not open with `//!`: say what it does, its invariants, and who calls it";
        findings.push(Finding::error(path, 1, message));
    }
}

fn length(path: &str, text: &str, findings: &mut Vec<Finding>) {
    let lines = text.lines().count();
    if lines > TOO_LONG {
        let message = format!("{lines} lines, more than {TOO_LONG}: split the file by idea");
        findings.push(Finding::error(path, 0, message));
    } else if lines > LONG {
        let message = format!("{lines} lines, more than {LONG}: the file asks to be split by idea");
        findings.push(Finding::warning(path, 0, message));
    }
}

fn notes(path: &str, source: &Source, findings: &mut Vec<Finding>) {
    for note in NOTES {
        for position in words(&source.comments, note) {
            let message = format!("`{note}` in a comment: do it, or put it into the tracker");
            findings.push(Finding::error(path, source.line_of(position), message));
        }
    }
}

fn unchecked(path: &str, source: &Source, findings: &mut Vec<Finding>) {
    let comments: Vec<&str> = source.comments.lines().collect();
    for position in source.code_words(UNSAFE) {
        let line = source.line_of(position);
        if !within(path, UNCHECKED) {
            let message = format!("`{UNSAFE}` outside {}: it has its place there", UNCHECKED[0]);
            findings.push(Finding::error(path, line, message));
            continue;
        }
        let from = line.saturating_sub(REASON_WITHIN + 1);
        let reasons = &comments[from..line.min(comments.len())];
        if !reasons.iter().any(|comment| comment.contains("SAFETY:") || comment.contains("# Safety")) {
            let message = format!("`{UNSAFE}` without a `// SAFETY:` comment just above");
            findings.push(Finding::error(path, line, message));
        }
    }
}

fn loud(path: &str, source: &Source, findings: &mut Vec<Finding>) {
    for name in LOUD {
        for position in source.code_words(name) {
            let line = source.line_of(position);
            if source.code[position + name.len()..].starts_with('!') && !source.is_test(line) {
                let message = format!("`{name}!` in a library: it speaks through records and errors only");
                findings.push(Finding::error(path, line, message));
            }
        }
    }
}
