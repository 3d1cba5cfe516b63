//! Records of the `log` facade that tell once more what `tracing` has told already.
//!
//! With its feature `log-always` `tracing` logs each of its events a second time, on the same thread, from the same place, at the same level, with the message
//! and behind it the fields as text: right behind the event, or right before it where the event names its parent. Of spans it logs where they begin.
//!
//! E1. A place alone says nothing: one line may hold statements of both facades, so a record of another level is never a repetition, and until it is known that the
//!     program has that feature its text has to begin as the event's.
//! E2. Once that is known nothing is written down to be compared: values may log themselves.
//! E3. What comes before its event is taken for a repetition only from a statement whose events are not repeated behind them.
//!
//! Called by `routes` and `receiver`, for every record.

use std::cell::Cell;

use super::receiver::{Facade, Origin};
use super::sites::Site;
use crate::level::Level;
use crate::sync::{AtomicBool, Ordering, thread_local};

thread_local! {
    /// The event that came last. Has no destructor, so that it is there as long as the thread logs.
    static LAST: Cell<Option<Event>> = const { Cell::new(None) };
}

/// How records about spans begin, before the span's name; those of new values have nothing there.
const OF_SPANS: [&[u8]; 4] = [b"++ ", b"-> ", b"<- ", b"-- "];

/// What is kept in mind of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Event {
    place: Place,
    /// None where it was not written down.
    message: Option<Message>,
}

/// The length of the file's name and how it ends, the line, and the level.
type Place = (usize, [u8; 8], u32, Level);
/// The length of a text, how it begins, and how it ends.
type Message = (usize, [u8; 8], [u8; 8]);

/// Events have been repeated in this process.
static REPEATED: AtomicBool = AtomicBool::new(false);

/// Whether a record is a repetition, as far as can be said before it is written down.
#[inline]
pub(super) fn repeats(origin: &Origin<'_>, site: Option<&Site>) -> bool {
    origin.facade == Facade::Log && REPEATED.load(Ordering::Relaxed) && is_repeated(origin, site)
}

#[cold]
fn is_repeated(origin: &Origin<'_>, site: Option<&Site>) -> bool {
    if event_before(origin).is_some() {
        forget(site);
        return true;
    }
    site.is_some_and(|site| site.is_repeated_before(origin.level)) && super::events_come_here()
}

/// The same, where it has been written down. An event is kept in mind, also one that is not written down.
#[inline]
pub(super) fn tells_once_more(origin: &Origin<'_>, site: Option<&Site>, text: Option<&[u8]>) -> bool {
    if origin.facade == Facade::Tracing {
        let event = Event { place: place(origin), message: text.map(message) };
        let _ = LAST.try_with(|last| last.set(Some(event)));
        return false;
    }
    let Some(text) = text else { return false };
    if site.and_then(Site::span).is_some_and(|name| is_about(name, text)) {
        return true;
    }
    let Some(event) = event_before(origin) else { return false };
    let told = event.message.and_then(|told| Some((told, message(text.get(..told.0)?))));
    let is_same = told.is_some_and(|(told, here)| told == here);
    if is_same {
        REPEATED.store(true, Ordering::Relaxed);
        forget(site);
    }
    is_same
}

/// Whether a text is what `tracing` logs about a span of this name.
fn is_about(name: &str, text: &[u8]) -> bool {
    let text = OF_SPANS.iter().find_map(|begin| text.strip_prefix(*begin)).unwrap_or(text);
    text.strip_prefix(name.as_bytes()).is_some_and(|rest| rest.is_empty() || rest.starts_with(b";"))
}

/// The event that came last on this thread, if it came from the same place.
#[inline]
fn event_before(origin: &Origin<'_>) -> Option<Event> {
    LAST.try_with(Cell::get).ok().flatten().filter(|event| event.place == place(origin))
}

/// It has been repeated.
fn forget(site: Option<&Site>) {
    if let Some(site) = site {
        site.is_repeated_behind();
    }
    let _ = LAST.try_with(|last| last.set(None));
}

fn place(origin: &Origin<'_>) -> Place {
    let file = origin.file.text().as_bytes();
    (file.len(), end(file), origin.line, origin.level)
}

fn message(text: &[u8]) -> Message {
    (text.len(), text.first_chunk().copied().unwrap_or_else(|| short(text)), end(text))
}

fn end(text: &[u8]) -> [u8; 8] {
    text.last_chunk().copied().unwrap_or_else(|| short(text))
}

/// A text of less than eight bytes.
fn short(text: &[u8]) -> [u8; 8] {
    let mut all = [0; 8];
    for (to, from) in all.iter_mut().zip(text) {
        *to = *from;
    }
    all
}
