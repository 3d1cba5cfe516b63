//! Layouts that a program brings along: the trait, and what stands between such a layout and a sink.
//!
//! A program's layout writes into a buffer of its own, so that it sees and spoils nothing else; what it has written is escaped like any
//! text before it becomes a line, so that no layout can break L2 of the parent module. Called by the router, through [`LineLayout`].

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

use crate::escape::{DETAIL_MARK, escape_into};
use crate::record::{LogRecord, Record};

use super::{LineLayout, Unwritten};

/// Bytes that a buffer keeps for the next record at most: one huge record is not to occupy its memory for ever.
const KEEP: usize = 1 << 20;

/// A layout of your own: turns a record into the text of one line.
///
/// The listener's thread calls it, once for each record and distinct layout, however many files and sinks the line goes to. It should be
/// quick, and must not log: everything waits for it. It may keep something between two records, such as buffers.
///
/// A record always is one physical line. The line end is added behind what the layout has written (one that it writes itself at the
/// very end is left out), and every control character and everything else that could end a line or speak to a terminal is written as an
/// escape such as `\n` or `\u{1b}`, tabs included. Nothing follows the line by itself: of an exception a layout shows what it
/// takes from [`LogRecord::exception`].
///
/// A closure with the same arguments is a layout too.
///
/// # Errors
///
/// A layout that returns an error or panics costs the files and sinks it is for this one record, which is counted as dropped there; it is
/// said on stderr. Other layouts' lines of the record are written all the same.
///
/// # Examples
///
/// ```
/// use std::fmt::Write as _;
///
/// use miu_log::{Layout, LogConfig, LogRecord};
///
/// /// Level, message and nothing else, numbered.
/// struct Numbered(u64);
///
/// impl Layout for Numbered {
///     fn write(
///         &mut self,
///         record: &LogRecord<'_>,
///         line: &mut String,
///     ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
///         self.0 += 1;
///         write!(line, "{} {} {}", self.0, record.level(), record.message())?;
///         for (name, value) in record.fields() {
///             write!(line, " {name}={value}")?;
///         }
///         Ok(())
///     }
/// }
///
/// let config = LogConfig::new("logs").layout(Numbered(0));
/// # let _ = config;
/// ```
pub trait Layout: Send {
    /// Appends the record's line, without a line end. `line` is empty at every call.
    ///
    /// # Errors
    ///
    /// Whatever keeps the layout from writing this record; see above for what becomes of it.
    fn write(
        &mut self,
        record: &LogRecord<'_>,
        line: &mut String,
    ) -> Result<(), Box<dyn Error + Send + Sync>>;
}

impl<F> Layout for F
where
    F: FnMut(&LogRecord<'_>, &mut String) -> Result<(), Box<dyn Error + Send + Sync>> + Send,
{
    fn write(
        &mut self,
        record: &LogRecord<'_>,
        line: &mut String,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        self(record, line)
    }
}

/// A program's layout, for all that were configured with it.
pub(super) type Shared = Arc<Mutex<dyn Layout>>;

/// Writes records by a program's layout.
pub(super) struct CustomLayout {
    layout: Shared,
    message: Vec<u8>,
    line: String,
}

impl CustomLayout {
    pub(super) fn new(layout: Shared) -> CustomLayout {
        CustomLayout { layout, message: Vec::new(), line: String::new() }
    }
}

impl LineLayout for CustomLayout {
    fn write(&mut self, record: &Record<'_>, out: &mut Vec<u8>) -> Result<(), Unwritten> {
        self.message.shrink_to(KEEP);
        self.line.clear();
        self.line.shrink_to(KEEP);
        let record = LogRecord::new(record, &mut self.message)?;
        // A layout that has panicked is asked again: with the next record it may do better.
        let mut layout = self.layout.lock().unwrap_or_else(PoisonError::into_inner);
        layout.write(&record, &mut self.line).map_err(|error| Unwritten::Failed(error.to_string()))?;
        drop(layout);
        let line = self.line.strip_suffix('\n').unwrap_or(&self.line);
        let line = match line.strip_prefix(DETAIL_MARK) {
            Some(_) => {
                out.extend_from_slice(b"\\u{20}");
                &line[1..]
            }
            None => line,
        };
        escape_into(line, out);
        out.push(b'\n');
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use proptest::prelude::*;

    use super::super::line::tests::{number, record, site, text};
    use super::*;
    use crate::codec::{Corrupt, tag};
    use crate::escape::is_harmless;

    fn layout(
        write: impl FnMut(&LogRecord<'_>, &mut String) -> Result<(), Box<dyn Error + Send + Sync>>
        + Send
        + 'static,
    ) -> CustomLayout {
        CustomLayout::new(Arc::new(Mutex::new(write)))
    }

    fn line(layout: &mut CustomLayout, record: &Record<'_>) -> String {
        let mut out = b"before\n".to_vec();
        layout.write(record, &mut out).unwrap();
        String::from_utf8(out).unwrap().strip_prefix("before\n").unwrap().to_owned()
    }

    #[test]
    fn a_layout_sees_all_of_a_record() {
        let mut args = Vec::new();
        number(17, &mut args);
        args.push(tag::NONE);
        text(tag::STR, "two words", &mut args);
        text(tag::STR, "error: refused\ncaused by: closed", &mut args);
        let site = site("order {}", &["missing", "text"]);
        let mut seen = layout(|record, line| {
            write!(line, "{record}", record = record.unix_nanos())?;
            write!(line, " {} {} {}", record.level(), record.domain(), record.message())?;
            write!(line, " {:?} {:?}", record.fields().collect::<Vec<_>>(), record.exception())?;
            write!(
                line,
                " {}/{} {}/{}",
                record.process(),
                record.thread(),
                record.process_id(),
                record.thread_id()
            )?;
            write!(
                line,
                " {:?} {:?} {:?} {:?}",
                record.module(),
                record.function(),
                record.file(),
                record.line()
            )?;
            writeln!(line, " {}", record.location())?;
            Ok(())
        });
        insta::assert_snapshot!(line(&mut seen, &record(&site, &args)), @r#"1795176000123456789 WARNING db order 17 [("missing", None), ("text", Text("two words"))] Some("error: refused\ncaused by: closed") main/worker-3 100/103 Some("crate::module") Some("function") Some("src/module.rs") Some(42) crate::module:function:42"#);
    }

    #[test]
    fn a_layout_that_fails_leaves_the_buffer_as_it_was() {
        let site = site("message", &["field"]);
        let mut args = Vec::new();
        number(17, &mut args);
        let mut failing = layout(|_, line| {
            line.push_str("half");
            Err("no disk".into())
        });
        let mut out = b"kept".to_vec();
        let failed = failing.write(&record(&site, &args), &mut out);
        assert_eq!((failed, &out[..]), (Err(Unwritten::Failed("no disk".to_owned())), &b"kept"[..]));
        let corrupt = failing.write(&record(&site, &[]), &mut out);
        assert_eq!((corrupt, &out[..]), (Err(Corrupt.into()), &b"kept"[..]));
    }

    #[test]
    fn a_layout_that_has_panicked_is_asked_again() {
        let mut count = 0;
        let mut once = layout(move |_, line| {
            count += 1;
            assert!(count > 1, "the first record");
            line.push_str("second");
            Ok(())
        });
        let site = site("message", &[]);
        let mut out = Vec::new();
        let first = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            once.write(&record(&site, &[]), &mut out)
        }));
        assert!(first.is_err());
        assert_eq!(line(&mut once, &record(&site, &[])), "second\n");
    }

    proptest! {
        #[test]
        fn whatever_a_layout_writes_is_one_line(written in "\\PC{0,9}|.{0,9}|[\\x00-\\xa0\\u{2000}-\\u{2070} |]{0,20}|    \\| .{0,5}") {
            let site = site("message", &[]);
            let expected = written.clone();
            let mut layout = layout(move |_, line| {
                line.push_str(&written);
                Ok(())
            });
            let line = line(&mut layout, &record(&site, &[]));
            let line = line.strip_suffix('\n').unwrap();
            prop_assert!(is_harmless(line) && !line.starts_with(DETAIL_MARK), "{}", line);
            if is_harmless(&expected) && !expected.starts_with(DETAIL_MARK) {
                prop_assert_eq!(line, expected);
            }
        }
    }
}
