//! A record as a row of a table: its columns in bytes, for the sinks that write to databases.
//!
//! What every line has anyway (time, level, domain, identity) is not among them. Numbers and lengths are little-endian:
//!
//! ```text
//! version u8 | process u32 | thread u32 | line u32 (0: none) | texts: length u32 (u32::MAX: none) and bytes, of
//! thread's name, host's name, message, exception, function, module, path, fields as a JSON object
//! ```
//!
//! W1. A row is read back to the very texts of the record, or not at all.
//!
//! Written by the listener, kept in a spool, read by the database sinks.

use super::json::write_value;
use super::json_text::push_string;
use super::keys::Keys;
use super::{LineLayout, Unwritten, whole_or_nothing};
use crate::codec::Corrupt;
use crate::reading::Reading;
use crate::record::{Record, exception, known};

/// First byte of a row.
const VERSION: u8 = 1;

/// Length of a text that is not there.
const NONE: u32 = u32::MAX;

/// A row, borrowed from a line of [`RowLayout`]. Texts are as the program gave them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row<'a> {
    pub(crate) process_id: u32,
    pub(crate) thread_id: u32,
    /// Line in the source file.
    pub(crate) line: Option<u32>,
    pub(crate) thread: &'a str,
    pub(crate) host: &'a str,
    pub(crate) message: &'a str,
    pub(crate) exception: Option<&'a str>,
    pub(crate) function: Option<&'a str>,
    pub(crate) module: Option<&'a str>,
    /// The source file as the compiler names it.
    pub(crate) path: Option<&'a str>,
    /// The fields as a JSON object. None where there are none.
    pub(crate) fields: Option<&'a str>,
}

impl<'a> Row<'a> {
    /// The row that these bytes are.
    pub(crate) fn read(bytes: &'a [u8]) -> Option<Row<'a>> {
        let mut bytes = Reading::new(bytes);
        if bytes.u8()? != VERSION {
            return None;
        }
        let (process_id, thread_id, line) = (bytes.u32()?, bytes.u32()?, bytes.u32()?);
        let mut text = || -> Option<Option<&'a str>> {
            let len = bytes.u32()?;
            if len == NONE {
                return Some(None);
            }
            str::from_utf8(bytes.take(len as usize)?).ok().map(Some)
        };
        Some(Row {
            process_id,
            thread_id,
            line: Some(line).filter(|line| *line > 0),
            thread: text()??,
            host: text()??,
            message: text()??,
            exception: text()?,
            function: text()?,
            module: text()?,
            path: text()?,
            fields: text()?,
        })
    }

    /// A line with this row in it.
    #[cfg(test)]
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        let mut out = vec![VERSION];
        for number in [self.process_id, self.thread_id, self.line.unwrap_or_default()] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        for text in [Some(self.thread), Some(self.host), Some(self.message)] {
            put(text, &mut out);
        }
        for text in [self.exception, self.function, self.module, self.path, self.fields] {
            put(text, &mut out);
        }
        out
    }

    /// The source file without its folders.
    pub(crate) fn file(&self) -> Option<&'a str> {
        self.path.map(|path| path.rsplit('/').next().unwrap_or(path))
    }
}

/// Writes records as rows.
#[derive(Debug)]
pub(super) struct RowLayout {
    host: String,
}

impl RowLayout {
    /// For records of this machine.
    pub(super) fn new() -> RowLayout {
        RowLayout { host: rustix::system::uname().nodename().to_string_lossy().into_owned() }
    }

    fn write_all(&self, record: &Record<'_>, out: &mut Vec<u8>) -> Result<(), Corrupt> {
        let site = record.site;
        out.push(VERSION);
        for number in [record.process_id, record.thread_id, site.line] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        put(Some(record.thread), out);
        put(Some(&self.host), out);
        let mut args = record.args;
        counted(out, |out| record.site.template.render_raw(&mut args, out))?;
        let fields = args;
        for _ in &site.names {
            args.next()?;
        }
        put(exception(args)?, out);
        for text in [&site.function, &site.module, &site.file] {
            put(known(text), out);
        }
        if site.names.is_empty() && record.extra.is_empty() {
            put(None, out);
            return Ok(());
        }
        let mut args = fields;
        counted(out, |out| {
            let mut names = Keys::default();
            let mut mark = b'{';
            let mut key = |name: &str, out: &mut Vec<u8>| {
                out.push(mark);
                mark = b',';
                push_string(&names.take(name), out);
                out.push(b':');
            };
            for name in &site.names {
                key(name, out);
                write_value(&args.next()?, out);
            }
            for (name, value) in record.extra.iter(&site.names) {
                key(name, out);
                write_value(&value, out);
            }
            out.push(b'}');
            Ok(())
        })
    }
}

impl LineLayout for RowLayout {
    fn write(&mut self, record: &Record<'_>, out: &mut Vec<u8>) -> Result<(), Unwritten> {
        Ok(whole_or_nothing(out, |out| self.write_all(record, out))?)
    }
}

fn put(text: Option<&str>, out: &mut Vec<u8>) {
    // No text of a record is longer than 16 MiB by far.
    let len = text.map_or(NONE, |text| text.len() as u32);
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(text.unwrap_or_default().as_bytes());
}

/// Appends what is written with its length before it.
fn counted(
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), Corrupt>,
) -> Result<(), Corrupt> {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    write(out)?;
    let len = (out.len() - start - 4) as u32;
    out[start..start + 4].copy_from_slice(&len.to_le_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::line::tests::{number, record, site, text};
    use super::*;
    use crate::record::Site;

    fn row(record: &Record<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        RowLayout { host: "host".to_owned() }.write(record, &mut out).unwrap();
        out
    }

    #[test]
    fn a_row_has_everything_that_a_record_has() {
        let mut args = Vec::new();
        text(crate::codec::tag::STR, "line\nbreak\0", &mut args);
        number(7, &mut args);
        text(crate::codec::tag::STR, "went wrong\n  because", &mut args);
        let site = site("took {}", &["rows"]);
        let out = row(&record(&site, &args));
        let expected = Row {
            process_id: 100,
            thread_id: 103,
            line: Some(42),
            thread: "worker-3",
            host: "host",
            message: "took line\nbreak\0",
            exception: Some("went wrong\n  because"),
            function: Some("function"),
            module: Some("crate::module"),
            path: Some("src/module.rs"),
            fields: Some("{\"rows\":7}"),
        };
        assert_eq!(Row::read(&out).unwrap(), expected);
        assert_eq!(expected.file(), Some("module.rs"));
        assert_eq!(expected.to_bytes(), out);
        assert!((0..out.len()).all(|len| Row::read(&out[..len]).is_none()));
    }

    #[test]
    fn what_is_not_there_is_no_text() {
        let site = Site { module: String::new(), function: String::new(), line: 0, ..site("plain", &[]) };
        let out = row(&record(&site, &[]));
        let row = Row::read(&out).unwrap();
        assert_eq!((row.message, row.line, row.module, row.function), ("plain", None, None, None));
        assert_eq!((row.fields, row.exception), (None, None));
    }

    #[test]
    fn random_bytes_are_no_row_and_never_panic() {
        use proptest::prelude::*;
        proptest!(|(bytes in proptest::collection::vec(any::<u8>(), 0..120))| {
            let bytes = [&[VERSION][..], &bytes].concat();
            let _ = Row::read(&bytes);
        });
    }
}
