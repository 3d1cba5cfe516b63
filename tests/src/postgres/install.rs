//! Where the programs of PostgreSQL are, or how they get there.
//!
//! Called by `postgres`.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What Debian and its relatives call it.
const PACKAGE: &str = "postgresql";

/// The folder with `initdb` and `postgres`.
///
/// # Panics
///
/// When they are missing and cannot be installed.
pub(super) fn programs() -> PathBuf {
    found().unwrap_or_else(|| {
        // Tests at the same time, also those of other processes, install it once.
        let lock = std::fs::File::create(std::env::temp_dir().join("miu-log-tests-install")).unwrap();
        lock.lock().unwrap();
        if found().is_none() && rustix::process::geteuid().is_root() {
            for arguments in [&["update"][..], &["install", "-y", "--no-install-recommends", PACKAGE]] {
                let mut command = Command::new("apt-get");
                // What it says is told by what is there afterwards.
                let _ = command.arg("-qq").args(arguments).env("DEBIAN_FRONTEND", "noninteractive").output();
            }
        }
        found().unwrap_or_else(|| {
            panic!("this test needs the server of PostgreSQL: install the package {PACKAGE}")
        })
    })
}

/// The newest version that is there, else what `PATH` leads to.
fn found() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .filter(|(_, folder)| is_complete(folder))
        .collect();
    versions.sort();
    let newest = versions.pop().map(|(_, folder)| folder);
    let path = std::env::var_os("PATH").unwrap_or_default();
    newest.or_else(|| std::env::split_paths(&path).find(|folder| is_complete(folder)))
}

fn is_complete(folder: &Path) -> bool {
    ["initdb", "postgres"].iter().all(|program| folder.join(program).exists())
}
