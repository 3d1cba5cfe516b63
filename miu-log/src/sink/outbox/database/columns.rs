//! A record fitted to the columns of the table: what every engine binds to its statement.
//!
//! C1. No text is longer than its column, counted in characters, and it is cut between two of them.
//! C2. No text has a NUL, and no JSON the escape of one; JSON stays JSON.
//! C3. What fits is borrowed: an ordinary record costs one look at its bytes and no memory.
//! C4. A record of which anything was changed says so, once.
//!
//! Called by the engines, on the outbox's thread.

use std::borrow::Cow;

use crate::layout::Row;
use crate::record::{RecordId, UnixNanos};
use crate::sink::Line;

/// Characters of `logger_name`, `thread_name`, `hostname`, `function_name` and `module`.
const NAME: usize = 255;

/// Characters of `filename`.
const FILE: usize = 500;

/// How the escape of a NUL goes on behind its backslash.
const NUL: &str = "u0000";

/// What a record has for each column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Columns<'a> {
    pub(super) time: UnixNanos,
    pub(super) record_id: RecordId,
    /// At most 10 characters: there are no other names of levels.
    pub(super) level: &'static str,
    /// The domain.
    pub(super) logger_name: Cow<'a, str>,
    pub(super) process_id: i32,
    pub(super) thread_id: i64,
    /// None where the thread has no name.
    pub(super) thread_name: Option<Cow<'a, str>>,
    pub(super) hostname: Cow<'a, str>,
    pub(super) message: Cow<'a, str>,
    pub(super) exception: Option<Cow<'a, str>>,
    pub(super) function_name: Option<Cow<'a, str>>,
    pub(super) module: Option<Cow<'a, str>>,
    pub(super) filename: Option<Cow<'a, str>>,
    pub(super) lineno: Option<i32>,
    pub(super) pathname: Option<Cow<'a, str>>,
    /// A JSON object.
    pub(super) extra_data: Option<Cow<'a, str>>,
    /// Whether anything is not as the program gave it.
    pub(super) altered: bool,
}

impl<'a> Columns<'a> {
    /// Of a line that is a row. None for any other line.
    pub(super) fn of(line: &Line<'a>) -> Option<Columns<'a>> {
        let row = Row::read(line.as_bytes())?;
        let mut fit = Fit { altered: false };
        Some(Columns {
            time: line.unix_nanos(),
            record_id: line.id(),
            level: line.level().as_str(),
            logger_name: fit.name(line.domain()),
            // The system's numbers of processes end at 2^22.
            process_id: row.process_id.cast_signed(),
            thread_id: row.thread_id.into(),
            thread_name: Some(row.thread).filter(|name| !name.is_empty()).map(|name| fit.name(name)),
            hostname: fit.name(row.host),
            message: fit.text(row.message),
            exception: row.exception.map(|text| fit.text(text)),
            function_name: row.function.map(|name| fit.name(name)),
            module: row.module.map(|name| fit.name(name)),
            filename: row.file().map(|name| fit.cut(name, FILE)),
            lineno: row.line.and_then(|line| i32::try_from(line).ok()),
            pathname: row.path.map(|path| fit.text(path)),
            extra_data: row.fields.map(|json| fit.json(json)),
            altered: fit.altered,
        })
    }
}

/// Fits the texts of one record, and remembers whether it changed any.
#[derive(Debug)]
struct Fit {
    altered: bool,
}

impl Fit {
    fn name<'a>(&mut self, text: &'a str) -> Cow<'a, str> {
        self.cut(text, NAME)
    }

    /// The text without any NUL, and of it so many characters.
    fn cut<'a>(&mut self, text: &'a str, characters: usize) -> Cow<'a, str> {
        let text = self.text(text);
        // There are never more characters than bytes.
        if text.len() <= characters {
            return text;
        }
        let Some((end, _)) = text.char_indices().nth(characters) else { return text };
        self.altered = true;
        match text {
            Cow::Borrowed(text) => Cow::Borrowed(&text[..end]),
            Cow::Owned(mut text) => {
                text.truncate(end);
                Cow::Owned(text)
            }
        }
    }

    /// The text without any NUL.
    fn text<'a>(&mut self, text: &'a str) -> Cow<'a, str> {
        if !text.as_bytes().contains(&0) {
            return Cow::Borrowed(text);
        }
        self.altered = true;
        Cow::Owned(text.replace('\0', ""))
    }

    /// The JSON without any NUL in its strings, which can only be there as an escape.
    fn json<'a>(&mut self, json: &'a str) -> Cow<'a, str> {
        if !json.contains("\\u0000") {
            return self.text(json);
        }
        let mut kept = String::with_capacity(json.len());
        let mut rest = json;
        while let Some((before, after)) = rest.split_once('\\') {
            kept.push_str(before);
            // From here an escape begins: the backslash of one is never taken for the beginning of the next.
            if let Some(behind) = after.strip_prefix(NUL) {
                rest = behind;
                self.altered = true;
                continue;
            }
            let len = after.chars().next().map_or(0, char::len_utf8);
            kept.push('\\');
            kept.push_str(&after[..len]);
            rest = &after[len..];
        }
        kept.push_str(rest);
        if kept.len() == json.len() {
            return self.text(json);
        }
        Cow::Owned(self.text(&kept).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::row;
    use super::*;
    use crate::level::Level;
    use crate::sink::tests::entry;
    use crate::sink::{Batch, Entry, Held};

    /// What becomes of this row, from this domain.
    fn with<T>(row: &Row<'_>, domain: &str, look: impl FnOnce(Columns<'_>) -> T) -> T {
        let mut held = Held::default();
        held.push(&row.to_bytes(), Entry { time: 7, ..entry(Level::Critical) });
        let domains = [domain.to_owned()];
        let batch: Batch<'_> = held.batch(&domains);
        look(Columns::of(&batch.iter().next().unwrap()).unwrap())
    }

    fn json(text: &str) -> (String, bool) {
        let mut fit = Fit { altered: false };
        (fit.json(text).into_owned(), fit.altered)
    }

    #[test]
    fn an_ordinary_record_is_borrowed_as_it_is() {
        let row = row();
        with(&row, "app", |columns| {
            let text = |text: &str| Some(Cow::Borrowed(text)).map(|text: Cow<'_, str>| text.into_owned());
            assert_eq!((columns.time, columns.level, &*columns.logger_name), (7, "CRITICAL", "app"));
            assert_eq!((columns.process_id, columns.thread_id, columns.lineno), (100, 103, Some(42)));
            assert_eq!(columns.filename.as_deref().map(str::to_owned), text("module.rs"));
            assert_eq!(columns.pathname.as_deref(), Some("src/module.rs"));
            assert_eq!((&*columns.hostname, &*columns.message), ("host", "it's \"so\"\n"));
            assert_eq!(columns.extra_data.as_deref(), Some("{\"rows\":7}"));
            assert!(!columns.altered);
            let Columns { logger_name, hostname, message, .. } = columns;
            let all = [Some(logger_name), columns.thread_name, Some(hostname), Some(message)];
            let more = [columns.exception, columns.function_name, columns.module, columns.filename];
            let last = [columns.pathname, columns.extra_data];
            let mut texts = all.iter().chain(&more).chain(&last);
            assert!(texts.all(|text| matches!(text, Some(Cow::Borrowed(_)))));
        });
    }

    #[test]
    fn a_line_that_is_no_row_has_no_columns() {
        let mut held = Held::default();
        held.push(b"text\n", entry(Level::Info));
        assert_eq!(Columns::of(&held.batch(&[]).iter().next().unwrap()), None);
    }

    #[test]
    fn names_are_cut_on_a_character_and_texts_are_not() {
        let long = "ö".repeat(600);
        let path = format!("{long}/{long}");
        let whole = Row { thread: &long, message: &long, path: Some(&path), exception: Some(&long), ..row() };
        with(&whole, &long, |columns| {
            assert_eq!(columns.logger_name, "ö".repeat(255));
            assert_eq!(columns.thread_name.unwrap(), "ö".repeat(255));
            assert_eq!(columns.filename.unwrap(), "ö".repeat(500));
            assert_eq!(columns.pathname.unwrap(), path);
            assert_eq!((columns.message, columns.exception), ((&*long).into(), Some((&*long).into())));
            assert!(columns.altered);
        });
        let fits = "ö".repeat(255);
        with(&Row { thread: &fits, host: &fits, ..row() }, &fits, |columns| assert!(!columns.altered));
    }

    #[test]
    fn a_nul_is_taken_out_before_the_text_is_cut() {
        let long = "\0a".repeat(255);
        with(&Row { thread: &long, message: "a\0b", ..row() }, "app", |columns| {
            assert_eq!(columns.thread_name.unwrap(), "a".repeat(255));
            assert_eq!(columns.message, "ab");
            assert!(columns.altered);
        });
        with(&Row { thread: "", ..row() }, "app", |columns| {
            assert_eq!((columns.thread_name, columns.altered), (None, false));
        });
    }

    #[test]
    fn a_nul_in_json_is_known_from_a_backslash_that_stands_before_a_u() {
        for (given, fitted) in [
            (r#"{"a":"x\u0000y"}"#, r#"{"a":"xy"}"#),
            (r#"{"a\u0000":"\u0000\u0000"}"#, r#"{"a":""}"#),
            (r#"{"a":"\\\u0000"}"#, r#"{"a":"\\"}"#),
            (r#"{"a":"\"\u0000\u0041"}"#, r#"{"a":"\"\u0041"}"#),
            (r#"{"a":"\\u0000\u0000"}"#, r#"{"a":"\\u0000"}"#),
        ] {
            assert_eq!(json(given), (fitted.to_owned(), true), "{given}");
        }
        for kept in [
            r#"{"a":"\\u0000"}"#,
            r#"{"a":"\\\\u0000"}"#,
            r#"{"a":"\u00001"}"#.replace("0000", "0001").as_str(),
        ] {
            assert_eq!(json(kept), (kept.to_owned(), false));
        }
    }

    /// Texts in which what matters here is frequent.
    fn hostile() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            any::<char>().prop_map(String::from),
            Just("\0".to_owned()),
            Just("\\".to_owned()),
            Just("u0000".to_owned()),
            Just("\\u0000".to_owned()),
            Just("日本".repeat(100)),
        ];
        proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn whatever_the_texts_are_they_fit_and_json_stays_what_it_was_but_for_nul(
            text in hostile(), name in hostile(), domain in hostile(),
        ) {
            let fields = serde_json::json!({ &*name: [&text, &text], "n": 1.5 });
            let given = fields.to_string();
            let row = Row {
                thread: &name, host: &name, message: &text, exception: Some(&text), function: Some(&name),
                module: Some(&name), path: Some(&text), fields: Some(&given), ..row()
            };
            let (altered, extra) = with(&row, &domain, |columns| {
                let names = [
                    Some(&columns.logger_name), columns.thread_name.as_ref(), Some(&columns.hostname),
                    columns.function_name.as_ref(), columns.module.as_ref(),
                ];
                assert!(names.into_iter().flatten().all(|name| name.chars().count() <= NAME));
                assert!(columns.filename.as_ref().is_none_or(|name| name.chars().count() <= FILE));
                let texts = [Some(&columns.message), columns.exception.as_ref(), columns.pathname.as_ref()];
                let texts = names.into_iter().chain(texts).flatten();
                assert!(texts.clone().all(|text| !text.contains('\0')));
                assert_eq!(&*columns.message, text.replace('\0', ""));
                (columns.altered, columns.extra_data.unwrap().into_owned())
            });
            let found: serde_json::Value = serde_json::from_str(&extra).unwrap();
            let (clean, key) = (text.replace('\0', ""), name.replace('\0', ""));
            let expected = serde_json::json!({ &*key: [&clean, &clean], "n": 1.5 });
            prop_assert_eq!(found, expected);
            let long = |text: &str, most| text.chars().count() > most;
            let file = text.rsplit('/').next().unwrap();
            let is_changed = text.contains('\0') || name.contains('\0') || domain.contains('\0')
                || long(&name, NAME) || long(&domain, NAME) || long(file, FILE);
            prop_assert_eq!(altered, is_changed);
        }

        #[test]
        fn no_json_text_makes_it_panic(text in hostile()) {
            let (fitted, altered) = json(&text);
            prop_assert!(fitted.len() <= text.len());
            prop_assert_eq!(altered, fitted != text);
        }
    }
}
