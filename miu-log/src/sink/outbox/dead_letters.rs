//! Records that their destination refuses one by one: kept in a file, each with its reason, for somebody to look at.
//!
//! A line of its own says which record it is and why it was refused; the record's line follows. The file is never read by the sink, and it does
//! not grow past its bound. Called by the outbox; `inspect` counts them.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{OFlags, fstat};

use crate::escape::escaped;
use crate::sink::Batch;

/// Length of the file at which it takes no more.
pub(crate) const LIMIT: u64 = 16 << 20;

/// Name of the file.
pub(crate) const NAME: &str = "dead-letters";

/// See the module's description.
#[derive(Debug)]
pub(super) struct DeadLetters {
    folder: PathBuf,
    file: Option<File>,
    /// Whether one has to be durable before it leaves the spool.
    is_durable: bool,
}

impl DeadLetters {
    /// The file `dead-letters` in this folder; made with the first of them.
    pub(super) fn new(folder: &Path, is_durable: bool) -> DeadLetters {
        DeadLetters { folder: folder.to_owned(), file: None, is_durable }
    }

    /// Appends these records.
    ///
    /// # Errors
    ///
    /// A text that says why it could not.
    pub(super) fn take(&mut self, batch: &Batch<'_>, reason: &str) -> Result<(), String> {
        // Somebody may have removed it, with the folder or alone.
        let _removed = self.file.take_if(|file| !fstat(file).is_ok_and(|stat| stat.st_nlink > 0));
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(open(&self.folder).map_err(|error| error.to_string())?),
        };
        let mut text = Vec::new();
        for line in batch.iter() {
            let (id, domain, level) = (line.id(), line.domain(), line.level().as_str());
            text.extend(format!("# {id} {domain} {level}: {}\n", escaped(reason)).into_bytes());
            text.extend(line.as_bytes());
            if !line.as_bytes().ends_with(b"\n") {
                text.push(b'\n');
            }
        }
        let len = file.metadata().map_err(|error| error.to_string())?.len();
        if len + text.len() as u64 > LIMIT {
            return Err(format!("they take {len} bytes already, and no more than {LIMIT} are kept"));
        }
        let written = file.write_all(&text);
        let synced = written.and_then(|()| if self.is_durable { file.sync_data() } else { Ok(()) });
        synced.map_err(|error| {
            self.file = None;
            error.to_string()
        })
    }
}

/// How many there are in what was read of a file.
pub(crate) fn count(contents: &[u8]) -> u64 {
    let mut lines = contents.split(|byte| *byte == b'\n');
    let mut count = 0;
    while let Some(line) = lines.next() {
        if is_heading(line) {
            count += 1;
            // The record's own line, whatever it looks like.
            lines.next();
        }
    }
    count
}

/// Whether a line says which record follows. The further lines of an exception, which no other begins as, are none.
fn is_heading(line: &[u8]) -> bool {
    let id = line.strip_prefix(b"# ").and_then(|rest| rest.split_at_checked(32));
    id.is_some_and(|(id, rest)| id.iter().all(u8::is_ascii_hexdigit) && rest.starts_with(b" "))
}

fn open(folder: &Path) -> std::io::Result<File> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let mut options = OpenOptions::new();
    options
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32);
    options.open(folder.join(NAME))
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::held;
    use super::*;

    #[test]
    fn each_has_its_reason_and_the_file_has_a_bound() {
        let folder = tempfile::tempdir().unwrap();
        let mut dead = DeadLetters::new(folder.path(), true);
        dead.take(&held(&["a\n", "b"]).batch(&["app".to_owned()]), "too\nlong").unwrap();
        let path = folder.path().join("dead-letters");
        let zeros = "0".repeat(32);
        let expected = format!("# {zeros} app INFO: too\\nlong\na\n# {zeros} app INFO: too\\nlong\nb\n");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);
        assert_eq!(count(expected.as_bytes()), 2);
        OpenOptions::new().write(true).open(&path).unwrap().set_len(LIMIT).unwrap();
        assert!(dead.take(&held(&["c\n"]).batch(&[]), "no").unwrap_err().contains("16777216 bytes already"));
        assert_eq!(std::fs::metadata(&path).unwrap().len(), LIMIT);
    }

    #[test]
    fn one_that_comes_after_somebody_has_removed_the_file_is_in_a_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = folder.path().join("far");
        let mut dead = DeadLetters::new(&outbox, false);
        let mut take = |text: &str| dead.take(&held(&[text]).batch(&["app".to_owned()]), "no").unwrap();
        take("a\n");
        std::fs::remove_dir_all(&outbox).unwrap();
        take("b\n");
        assert_eq!(count(&std::fs::read(outbox.join(NAME)).unwrap()), 1);
    }

    #[test]
    fn a_record_that_looks_like_a_heading_is_counted_once() {
        let folder = tempfile::tempdir().unwrap();
        let mut dead = DeadLetters::new(folder.path(), false);
        let forged = format!("# {} app INFO: no\n", "0".repeat(32));
        for _ in 0..3 {
            dead.take(&held(&[&forged]).batch(&["app".to_owned()]), "no").unwrap();
        }
        let contents = std::fs::read(folder.path().join(NAME)).unwrap();
        assert_eq!(count(&contents), 3);
        assert_eq!((count(b""), count(b"# 00 app\nx\n"), count(b"\n\n")), (0, 0, 0));
    }
}
