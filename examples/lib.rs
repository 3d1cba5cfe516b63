//! The little that the examples share: where they write, what they show of it, and numbers that are the same in every run.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The code of the README, compiled as documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;

/// The folder to log to: the first argument of the program, or `logs` below the current folder.
pub fn log_folder() -> PathBuf {
    std::env::args_os().nth(1).map_or_else(|| PathBuf::from("logs"), PathBuf::from)
}

/// The log files of a folder as a tree, each with its number of lines.
///
/// # Errors
///
/// When the folder or a file in it cannot be read.
pub fn tree(folder: &Path) -> io::Result<String> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "log") {
            let lines = fs::read(&path)?.iter().filter(|&&byte| byte == b'\n').count();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            files.push((name, lines));
        }
    }
    files.sort();
    let mut tree = format!("{}\n", folder.display());
    for (index, (name, lines)) in files.iter().enumerate() {
        let branch = if index + 1 == files.len() { "└──" } else { "├──" };
        let unit = if *lines == 1 { "line" } else { "lines" };
        tree.push_str(&format!("{branch} {name:<12} {lines:>5} {unit}\n"));
    }
    Ok(tree)
}

/// Numbers that look random and are the same in every run.
#[derive(Clone, Debug)]
pub struct Numbers(u64);

impl Numbers {
    /// The series that belongs to a seed.
    pub fn new(seed: u64) -> Numbers {
        Numbers(seed)
    }

    /// The next number, below `limit`; 0 where the limit is 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        // A linear congruential generator; its upper half is good enough for an example.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33).checked_rem(limit).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_same_in_every_run() {
        let mut numbers = Numbers::new(1);
        let first: Vec<u64> = (0..4).map(|_| numbers.below(100)).collect();
        let mut numbers = Numbers::new(1);
        let second: Vec<u64> = (0..4).map(|_| numbers.below(100)).collect();
        assert_eq!(first, second);
        assert!(first.iter().all(|&number| number < 100));
        assert_eq!(numbers.below(0), 0);
    }

    #[test]
    fn a_tree_counts_the_lines_of_log_files_only() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("db.log"), "one\ntwo\n").unwrap();
        fs::write(folder.path().join("app.log"), "one\n").unwrap();
        fs::write(folder.path().join("notes.txt"), "one\n").unwrap();
        let tree = tree(folder.path()).unwrap();
        let lines: Vec<&str> = tree.lines().skip(1).collect();
        assert_eq!(lines, ["├── app.log          1 line", "└── db.log           2 lines"]);
    }
}
