//! The small crate that rust-analyzer is asked about.
//!
//! It lives in the target folder, is a workspace of its own, and builds into a folder of its own so
//! that the server and the user's cargo never wait for each other's lock.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::command::{root, target_dir};

/// Where in [`SOURCE`] the user types.
const HOLE: &str = "/*here*/";

/// The crate's only file. What is typed stands alone in the body, so that nothing after it is read
/// as its continuation.
const SOURCE: &str = "\
//! A service in the making.

/// The areas of this service.
#[miu_log::log_domains(app, db, redis)]
pub mod logs {}

/// What a client wants.
pub struct Request {
    /// Who asks.
    pub user: String,
    /// What for.
    pub path: String,
}

pub fn f(repo: &logs::Repository, request: &Request) {
    /*here*/
}
";

/// The crate on disk.
pub(super) struct Project {
    folder: PathBuf,
}

/// A place in a text, as the protocol counts: both from 0, columns in UTF-16 units.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Position {
    pub(super) line: usize,
    pub(super) column: usize,
}

impl Project {
    /// Writes the crate, depending on the library at this path.
    pub(super) fn create(library: &Path) -> Result<Self> {
        let library = library.canonicalize().with_context(|| format!("cannot find {}", library.display()))?;
        let folder = target_dir().join("ide");
        let project = Self { folder };
        let source = project.source_path();
        let manifest = format!(
            "[package]\nname = \"service\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
             [dependencies]\nmiu-log = {{ path = {:?} }}\n\n[workspace]\n",
            library.display()
        );
        if let Some(parent) = source.parent() {
            fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
        }
        write(&project.folder().join("Cargo.toml"), &manifest)?;
        write(&source, &project.complete_source())?;
        // The workspace's own lock file, so that nothing new is resolved or fetched.
        let lock = root().join("Cargo.lock");
        if lock.is_file() {
            let copy = project.folder().join("Cargo.lock");
            fs::copy(&lock, &copy)
                .with_context(|| format!("cannot copy {} to {}", lock.display(), copy.display()))?;
        }
        Ok(project)
    }

    /// The root of the crate.
    pub(super) fn folder(&self) -> PathBuf {
        self.folder.join("service")
    }

    /// The file that the completions are asked in.
    pub(super) fn source_path(&self) -> PathBuf {
        self.folder().join("src/lib.rs")
    }

    /// Where the server builds macros.
    pub(super) fn build_folder(&self) -> PathBuf {
        self.folder.join("target")
    }

    /// Where the server's stderr goes.
    pub(super) fn log_path(&self) -> PathBuf {
        self.folder.join("rust-analyzer.log")
    }

    /// The source with nothing typed yet.
    pub(super) fn complete_source(&self) -> String {
        SOURCE.replace(HOLE, "let _ = (repo, request);")
    }

    /// The source with this typed and that behind the caret, and where the caret stands then.
    pub(super) fn source_with(&self, typed: &str, behind: &str) -> (String, Position) {
        let (before, after) = SOURCE.split_once(HOLE).unwrap_or((SOURCE, ""));
        let shown = format!("{before}{typed}");
        let line = shown.matches('\n').count();
        let column = shown.rsplit('\n').next().unwrap_or("").encode_utf16().count();
        (format!("{shown}{behind}{after}"), Position { line, column })
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::Project;

    #[test]
    fn caret_stands_behind_what_is_typed() {
        let project = Project { folder: PathBuf::new() };
        let (text, caret) = project.source_with("f(repo.", ");");
        assert_eq!(text.lines().nth(caret.line), Some("    f(repo.);"));
        assert_eq!(caret.column, "    f(repo.".len());
    }
}
