//! Where a record of a facade is written down: message, fields and error chain become bytes in the wire format, in buffers of the thread.
//!
//! Code of others runs here (`Display`, `Debug`, a visitor of values) and nowhere else on the way. It may panic and it may log, which takes other
//! buffers; how deep that nests is bounded, together with the macros' own.
//!
//! J1. The thread's buffers are taken, and put back, under `STATE`, as `encode::scratch` does it (B1): what comes in between, on the same thread, makes its
//!     own. In a signal handler nothing is made and nothing grows: the record is dropped.
//! J2. What its name or its shape makes a secret is replaced here, where all of the facades' fields come through, those of spans included. What its name
//!     makes one is not formatted.
//!
//! Called by `receiver` and `routes`; the facades write into it.

use std::cell::Cell;
use std::error::Error;
use std::fmt::{self, Write};

use super::receiver::{ForeignRecord, Origin};
use super::{fields, sites};
use crate::chain::causes;
use crate::codec::tag;
use crate::context::current;
use crate::context::fields::MOST_FIELDS;
use crate::encode::{Cut, MAX_RECORD, Nesting, REPLACED, Raw, TEXT_HEAD};
use crate::reading::put_counted;
use crate::redact::{self, names, shapes};
use crate::ring::signal_frame::in_signal_handler;
use crate::sync::{AtomicU8, Ordering, compiler_fence, thread_local};

/// A buffer that has grown beyond this is not kept.
const KEEP: usize = 64 * 1024;
/// Most fields from elsewhere: far fewer than a record may have.
const MOST_IN_CONTEXT: usize = 320;
/// Of fields that are kept, as those of a span: the longest text, and how many bytes they may be before the last one, which are in each record.
const LONGEST_KEPT: usize = 4096;
const MOST_KEPT: usize = 16 * 1024;
/// As long a text, and one more such piece, is certainly below `MAX_RECORD`.
const USUAL: usize = 1024 * 1024;
/// What a buffer begins with.
const FIRST: usize = 256;

/// No buffers have been kept yet. Touching `BUFFERS` for the first time allocates.
const NONE: u8 = 0;
/// They are in `BUFFERS`.
const AT_REST: u8 = 1;
/// A record has them, or is about to take them or to put them back.
const TAKEN: u8 = 2;

thread_local! {
    static BUFFERS: Cell<Option<Box<Staging>>> = const { Cell::new(None) };
    /// Where the buffers are (J1). Has no destructor.
    static STATE: AtomicU8 = const { AtomicU8::new(NONE) };
}

/// The parts of a record, as [`ForeignRecord`] describes them.
#[derive(Debug, Default)]
pub(crate) struct Staging {
    names: Vec<u8>,
    message: Vec<u8>,
    fields: Vec<u8>,
    detail: Vec<u8>,
    /// Fields from elsewhere, as `record::Extra` reads them: of the thread's context, then of spans, outermost first. Of a name that comes twice the later
    /// counts, and a field of the record itself before both.
    context: Vec<u8>,
    /// How many those are.
    in_context: usize,
    /// What is given for the diagnosis of errors, in the same form.
    captured: Vec<u8>,
    /// Why something is missing, if something is.
    cut: Option<Cut>,
}

impl Staging {
    /// Has a record written down, and then used. The error says why it could not be: then it was not used.
    #[inline]
    pub(super) fn with(stage: impl FnOnce(&mut Staging), then: impl FnOnce(&mut Staging)) -> Result<(), Cut> {
        let nesting = Nesting::enter().ok_or(Cut::TooDeep)?;
        let mut taken = Taken::new()?;
        let Some(staging) = &mut taken.staging else { return Err(Cut::InHandler) };
        if current::is_any() {
            current::with_current(|fields, captured| staging.take_context(fields, captured));
        }
        stage(staging);
        staging.finish();
        drop(nesting);
        match staging.cut {
            None => {
                then(staging);
                Ok(())
            }
            Some(cut) => Err(cut),
        }
    }

    /// The message, as it was written down.
    #[inline]
    pub(super) fn text(&self) -> &[u8] {
        self.message.get(TEXT_HEAD..).unwrap_or_default()
    }

    /// The names of the record's own fields.
    #[inline]
    pub(super) fn names(&self) -> &[u8] {
        &self.names
    }

    /// The record, from here.
    pub(super) fn record<'a>(&'a self, origin: &Origin<'a>) -> ForeignRecord<'a> {
        let Staging { names, message, fields, detail, .. } = self;
        ForeignRecord { origin: *origin, names, message, fields, detail }
    }

    /// The message. Given twice, the last one counts.
    pub(crate) fn message(&mut self, formatted: fmt::Arguments<'_>) {
        self.message.clear();
        write_text(&mut self.message, &mut self.cut, formatted);
    }

    /// A field with a value that is kept as it is.
    #[inline]
    pub(crate) fn field<T: Raw + ?Sized>(&mut self, name: &str, value: &T) {
        if value.raw_looks_secret() || value.raw_can_be_secret() && names::is_secret(name) {
            self.secret(name);
        } else if make_room(&mut self.fields, &mut self.cut, value.raw_size().min(MAX_RECORD)) {
            self.name(name);
            value.raw_put_long(MAX_RECORD, &mut self.fields);
        }
    }

    /// A field without a value.
    pub(crate) fn nothing(&mut self, name: &str) {
        if make_room(&mut self.fields, &mut self.cut, 1) {
            self.name(name);
            self.fields.push(tag::NONE);
        }
    }

    /// A field whose value is a secret (J2).
    #[cold]
    fn secret(&mut self, name: &str) {
        redact::count();
        if make_room(&mut self.fields, &mut self.cut, REPLACED.len()) {
            self.name(name);
            self.fields.extend_from_slice(&REPLACED);
        }
    }

    /// A field whose value is the text that this makes. False where that is a secret.
    pub(crate) fn formatted(&mut self, name: &str, formatted: fmt::Arguments<'_>) -> bool {
        if names::is_secret(name) {
            self.secret(name);
            return false;
        }
        let (names, start) = (self.names.len(), self.fields.len());
        self.name(name);
        write_text(&mut self.fields, &mut self.cut, formatted);
        // It was written just now, and is whole; or there is none.
        let text = self.fields.get(start + TEXT_HEAD..).unwrap_or_default();
        if !shapes::is_secret_in_quotes(text) {
            return true;
        }
        self.names.truncate(names);
        self.fields.truncate(start);
        self.secret(name);
        false
    }

    /// A field that is an error: its text. The first one's chain of causes is the record's, unless the text is a secret.
    pub(crate) fn error(&mut self, name: &str, error: &(dyn Error + 'static)) {
        let is_shown = self.formatted(name, format_args!("{error}"));
        if is_shown && self.detail.is_empty() && make_room(&mut self.detail, &mut self.cut, FIRST) {
            write_text(&mut self.detail, &mut self.cut, format_args!("{}", causes(error)));
        }
    }

    /// Adds so many fields from elsewhere, encoded. Past [`MOST_IN_CONTEXT`] they are left out, all of them.
    #[inline]
    pub(super) fn add_context(&mut self, encoded: &[u8], count: usize) {
        if self.in_context + count <= MOST_IN_CONTEXT
            && make_room(&mut self.context, &mut self.cut, encoded.len())
        {
            self.context.extend_from_slice(encoded);
            self.in_context += count;
        }
    }

    #[cold]
    fn take_context(&mut self, fields: &[u8], captured: &[u8]) {
        self.add_context(fields, MOST_FIELDS.min(fields.len()));
        if make_room(&mut self.captured, &mut self.cut, captured.len()) {
            self.captured.extend_from_slice(captured);
        }
    }

    /// Fields from elsewhere, and captured values.
    #[inline]
    pub(super) fn context(&self) -> (&[u8], &[u8]) {
        (&self.context, &self.captured)
    }

    /// Makes the fields from elsewhere the record's own.
    #[cold]
    fn fold_context(&mut self) {
        let context = std::mem::take(&mut self.context);
        let own: Vec<String> = sites::listed(&self.names).map(str::to_owned).collect();
        for (name, value) in fields::latest(&context) {
            if !own.iter().any(|own| own == name) && make_room(&mut self.fields, &mut self.cut, value.len()) {
                self.name(name);
                self.fields.extend_from_slice(value);
            }
        }
    }

    /// The record with the fields from elsewhere among its own.
    pub(super) fn with_context<R>(
        &mut self,
        origin: &Origin<'_>,
        run: impl FnOnce(&ForeignRecord<'_>) -> R,
    ) -> R {
        if !self.context.is_empty() {
            self.fold_context();
        }
        run(&self.record(origin))
    }

    /// The fields, encoded as those from elsewhere, and how many they are: for keeping. Texts are cut to a length that does no harm in each record.
    pub(super) fn kept_fields(&self) -> (Vec<u8>, usize) {
        let (mut encoded, mut count) = (Vec::new(), 0);
        for (name, value) in fields::pairs(&self.names, &self.fields) {
            if count < MOST_FIELDS && encoded.len() < MOST_KEPT {
                fields::put(name, value, LONGEST_KEPT, &mut encoded);
                count += 1;
            }
        }
        (encoded, count)
    }

    #[inline]
    fn name(&mut self, name: &str) {
        if make_room(&mut self.names, &mut self.cut, 4 + name.len()) {
            put_counted(&mut self.names, name.as_bytes());
        }
    }

    /// A record without a message has an empty one.
    #[inline]
    fn finish(&mut self) {
        if self.message.is_empty() && make_room(&mut self.message, &mut self.cut, TEXT_HEAD) {
            self.message.extend_from_slice(&[tag::RENDERED, 0, 0, 0, 0]);
        }
    }

    fn clear(&mut self) {
        let Staging { names, message, fields, detail, context, captured, .. } = self;
        for buffer in [names, message, fields, detail, context, captured] {
            if buffer.capacity() > KEEP {
                *buffer = Vec::new();
            }
            buffer.clear();
        }
        self.in_context = 0;
        self.cut = None;
    }
}

/// The buffers, taken out for one record.
struct Taken {
    /// There until it is dropped.
    staging: Option<Box<Staging>>,
    /// They come from the thread's place and go back there.
    of_thread: bool,
}

impl Taken {
    #[inline]
    fn new() -> Result<Taken, Cut> {
        if state() == AT_REST {
            set_state(TAKEN);
            if let Ok(staging @ Some(_)) = BUFFERS.try_with(Cell::take) {
                return Ok(Taken { staging, of_thread: true });
            }
        }
        Taken::make()
    }

    #[cold]
    fn make() -> Result<Taken, Cut> {
        if in_signal_handler() {
            return Err(Cut::InHandler);
        }
        Ok(Taken { staging: Some(Box::default()), of_thread: false })
    }
}

impl Drop for Taken {
    #[inline]
    fn drop(&mut self) {
        // Those made by a nested record become the thread's only if it has none at the end.
        if !self.of_thread && state() != NONE {
            return;
        }
        set_state(TAKEN);
        if let Some(staging) = &mut self.staging {
            staging.clear();
        }
        let staging = self.staging.take();
        if BUFFERS.try_with(|buffers| buffers.set(staging)).is_ok() {
            set_state(AT_REST);
        }
    }
}

fn state() -> u8 {
    STATE.with(|state| state.load(Ordering::Relaxed))
}

fn set_state(new: u8) {
    compiler_fence(Ordering::SeqCst);
    STATE.with(|state| state.store(new, Ordering::Relaxed));
    compiler_fence(Ordering::SeqCst);
}

/// Makes room for so many bytes, except in a signal handler (J1).
#[inline]
fn make_room(buffer: &mut Vec<u8>, cut: &mut Option<Cut>, len: usize) -> bool {
    len <= buffer.capacity() - buffer.len() || grow(buffer, cut, len)
}

#[cold]
fn grow(buffer: &mut Vec<u8>, cut: &mut Option<Cut>, len: usize) -> bool {
    if in_signal_handler() {
        *cut = Some(Cut::InHandler);
        return false;
    }
    buffer.reserve(len.max(FIRST));
    true
}

/// Appends the text that this makes, in the wire format.
fn write_text(buffer: &mut Vec<u8>, cut: &mut Option<Cut>, formatted: fmt::Arguments<'_>) {
    if !make_room(buffer, cut, TEXT_HEAD) {
        return;
    }
    buffer.extend_from_slice(&[tag::RENDERED, 0, 0, 0, 0]);
    let start = buffer.len();
    let mut text = Text { buffer, cut, start, given: 0 };
    match formatted.as_str() {
        Some(plain) => _ = text.write_str(plain),
        // An implementation that reports an error has written what it could: that much is kept, with a mark.
        None if text.write_fmt(formatted).is_err() => _ = text.write_str("… [formatting failed]"),
        None => {}
    }
    let given = text.given;
    if given > buffer.len() - start {
        buffer.extend_from_slice(format!("… [cut, {given} bytes]").as_bytes());
    }
    let len = (buffer.len() - start) as u32;
    buffer[start - 4..start].copy_from_slice(&len.to_le_bytes());
}

/// Keeps the first `MAX_RECORD` bytes and counts all.
struct Text<'a> {
    buffer: &'a mut Vec<u8>,
    cut: &'a mut Option<Cut>,
    start: usize,
    given: usize,
}

impl Write for Text<'_> {
    #[inline]
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // The usual piece is short and fits.
        if text.len() <= self.buffer.capacity() - self.buffer.len()
            && self.given < USUAL
            && text.len() < USUAL
        {
            self.given += text.len();
            self.buffer.extend_from_slice(text.as_bytes());
            return Ok(());
        }
        self.write_slowly(text)
    }
}

impl Text<'_> {
    #[cold]
    fn write_slowly(&mut self, text: &str) -> fmt::Result {
        let written = self.buffer.len() - self.start;
        let full = self.given > written;
        self.given = self.given.saturating_add(text.len());
        if full {
            return Ok(());
        }
        let kept = &text[..text.floor_char_boundary(MAX_RECORD.saturating_sub(written))];
        if !make_room(self.buffer, self.cut, kept.len()) {
            return Err(fmt::Error);
        }
        self.buffer.extend_from_slice(kept.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::sites::listed;
    use super::*;
    use crate::codec::Args;

    /// What is written down, as names and values.
    fn staged(stage: impl FnOnce(&mut Staging)) -> (Vec<String>, Vec<String>) {
        let mut found = (Vec::new(), Vec::new());
        let outcome = Staging::with(stage, |staging| {
            let bytes = [&*staging.message, &staging.fields, &staging.detail].concat();
            let mut args = Args::new(&bytes);
            while let Ok(value) = args.next() {
                found.1.push(format!("{value:?}"));
            }
            assert!(args.is_empty());
            found.0 = listed(&staging.names).map(str::to_owned).collect();
        });
        assert_eq!(outcome, Ok(()));
        found
    }

    #[test]
    fn values_keep_their_types_and_the_message_comes_first() {
        let (names, values) = staged(|staging| {
            staging.field("rows", &7u64);
            staging.formatted("user", format_args!("{:>3}", 1));
            staging.message(format_args!("took {} ms", 2));
            staging.field("name", "x");
            staging.nothing("gone");
        });
        assert_eq!(names, ["rows", "user", "name", "gone"]);
        let expected = [r#"Rendered("took 2 ms")"#, "U64(7)", r#"Rendered("  1")"#, r#"Str("x")"#, "None"];
        assert_eq!(values, expected);
    }

    #[test]
    fn a_record_without_a_message_has_an_empty_one() {
        assert_eq!(staged(|_| ()).1, [r#"Rendered("")"#]);
    }

    #[test]
    fn an_error_is_a_field_and_a_chain() {
        let error = std::io::Error::other(std::io::Error::other("inner"));
        let (names, values) = staged(|staging| staging.error("cause", &error));
        assert_eq!(names, ["cause"]);
        assert_eq!(values[1], r#"Rendered("inner")"#);
        assert!(values[2].starts_with(r#"Rendered("error: inner"#), "{values:?}");
    }

    #[test]
    fn secrets_are_replaced_by_their_name_and_by_their_shape() {
        struct Untouchable;
        impl fmt::Display for Untouchable {
            fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
                panic!("formatted");
            }
        }
        let before = redact::replaced();
        let address = "postgres://ann:canary@example.org";
        let fields = |staging: &mut Staging| {
            staging.field("password", "canary");
            staging.field("Set-Cookie", &17u64);
            staging.field("token", &true);
            staging.nothing("a.token");
            staging.formatted("accessToken", format_args!("{Untouchable}"));
            staging.error("secret", &std::io::Error::other(std::io::Error::other("canary")));
            staging.error("cause", &std::io::Error::other(std::io::Error::other(address)));
            staging.field("db", address);
            staging.formatted("shown", format_args!("{address}"));
            staging.formatted("debugged", format_args!("{address:?}"));
            staging.field("last", "x");
        };
        let (names, values) = staged(fields);
        let in_order = [
            "password",
            "Set-Cookie",
            "token",
            "a.token",
            "accessToken",
            "secret",
            "cause",
            "db",
            "shown",
            "debugged",
            "last",
        ];
        assert_eq!(names, in_order);
        let secret = r#"Str("***")"#;
        let last = [secret, secret, secret, secret, secret, secret, r#"Str("x")"#];
        assert_eq!(values[..5], [r#"Rendered("")"#, secret, secret, "Bool(true)", "None"]);
        assert_eq!(values[5..], last, "there is no chain of causes behind them");
        assert!(redact::replaced() >= before + 8);
    }

    #[test]
    fn a_record_within_a_record_has_buffers_of_its_own_and_a_panic_gives_them_back() {
        struct Logs;
        impl fmt::Display for Logs {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                assert_eq!(
                    staged(|staging| staging.message(format_args!("inner"))).1,
                    [r#"Rendered("inner")"#]
                );
                f.write_str("outer")
            }
        }
        for _ in 0..20 {
            let outcome = std::panic::catch_unwind(|| {
                Staging::with(|staging| staging.message(format_args!("{}", panics())), |_| ())
            });
            assert!(outcome.is_err());
        }
        assert_eq!(staged(|staging| staging.message(format_args!("{Logs}"))).1, [r#"Rendered("outer")"#]);
    }

    fn panics() -> String {
        panic!("as the test wants it")
    }

    #[test]
    fn records_that_log_records_without_end_are_cut_off() {
        fn nest(depth: u32) -> u32 {
            let mut deepest = depth;
            let outcome = Staging::with(|_| deepest = nest(depth + 1), |_| ());
            assert!(outcome.is_ok() || depth == 8);
            deepest
        }
        assert_eq!(nest(0), 8);
    }
}
