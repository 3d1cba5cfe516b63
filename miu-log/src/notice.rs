//! The one place that writes to stderr: short notices about the logger itself.
//!
//! A notice is one line, `miu-log: ...`, with control characters escaped. It is written with one
//! call whose result is ignored, and only where stderr takes it at once: a closed or stopped stderr
//! neither panics nor delays the listener. Each key gets at most one line a second; what is held
//! back is counted and said with the key's next line. Early records are shown by it as well, as whole lines of
//! their own. Called by the router, the sinks and the lifecycle; imports nothing of the crate.

use std::fmt::Write as _;
use std::io::Write as _;
use std::os::fd::AsFd;
use std::sync::{Mutex, TryLockError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Shortest time between two lines of one key.
const INTERVAL: Duration = Duration::from_secs(1);

/// How often the lock is tried. Whoever has it keeps it for some hundred nanoseconds.
const PATIENCE: usize = 10_000;

/// Keys remembered at most; past it the one longest silent is forgotten, so that memory is bounded.
const MOST_KEYS: usize = 64;

/// Longest line in bytes. Below `PIPE_BUF`, so that a pipe which polls as writable takes it whole.
const LONGEST: usize = 2048;

/// `PIPE_BUF`: a pipe that polls as writable takes so much without waiting.
const AT_ONCE: usize = 4096;

static LIMITER: Mutex<Limiter> = Mutex::new(Limiter::new());

/// Says `text` on stderr, unless `key` has spoken within the last second.
pub(crate) fn notice(key: &str, text: &str) {
    // Not waited for without end: in a forked child the lock may be held by a thread that the child does not have.
    let mut admitted = Some(0);
    for _ in 0..PATIENCE {
        match LIMITER.try_lock() {
            Ok(mut limiter) => admitted = limiter.admit(key, Instant::now()),
            Err(TryLockError::Poisoned(limiter)) => {
                admitted = limiter.into_inner().admit(key, Instant::now());
            }
            Err(TryLockError::WouldBlock) => {
                std::thread::yield_now();
                continue;
            }
        }
        break;
    }
    if let Some(suppressed) = admitted {
        emit(&line(text, suppressed));
    }
}

/// A number of records in words: `1 record`, `2 records`.
pub(crate) fn records(count: u64) -> String {
    format!("{count} {}", if count == 1 { "record" } else { "records" })
}

/// Says why the program ends, a line for each reason, in the look of a log: with the time in UTC, a level and the place in the program. Waits for stderr, if
/// it has to: nothing comes after it.
pub(crate) fn last_words(level: &str, place: &std::panic::Location<'_>, reasons: &[String]) {
    let now = time::OffsetDateTime::now_utc();
    for reason in reasons {
        let stamp = format!(
            "{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:03} UTC",
            now.year(),
            u8::from(now.month()),
            now.day(),
            now.hour(),
            now.minute(),
            now.second(),
            now.millisecond()
        );
        let text = format!("{stamp} | {level:<8} | {}:{} | {reason}", place.file(), place.line());
        // There is nobody left to be told that this could not be said.
        let _ = std::io::stderr().write_all(escaped(&text).as_bytes());
    }
}

/// The notice as it is written, line end included.
fn line(text: &str, suppressed: u64) -> String {
    let mut line = String::with_capacity(text.len() + 48);
    line.push_str("miu-log: ");
    push_escaped(&mut line, text);
    if suppressed > 0 {
        // Writing to a String cannot fail.
        let _ = write!(line, " ({suppressed} more like this were not shown)");
    }
    line.push('\n');
    line
}

/// A line of its own, without the name of the library.
fn escaped(text: &str) -> String {
    let mut line = String::with_capacity(text.len() + 48);
    push_escaped(&mut line, text);
    line.push('\n');
    line
}

fn push_escaped(line: &mut String, text: &str) {
    for character in text.chars() {
        if line.len() > LONGEST - 100 {
            line.push_str("...");
            break;
        }
        if is_harmless(character) {
            line.push(character);
        } else {
            line.extend(character.escape_default());
        }
    }
}

/// Whether a character neither steers a terminal nor changes how its neighbours are read.
fn is_harmless(character: char) -> bool {
    !character.is_control()
        && !matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// One write, and only if it will not wait: losing a notice is better than hanging the listener.
fn emit(line: &str) {
    let stderr = std::io::stderr();
    let mut polled = [PollFd::from_borrowed_fd(stderr.as_fd(), PollFlags::OUT)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    if matches!(poll(&mut polled, Some(&now)), Ok(1)) && polled[0].revents().contains(PollFlags::OUT) {
        let _ = rustix::io::write(stderr.as_fd(), line.as_bytes());
    }
}

/// Writes whole lines of the program's own to stderr: as much as it takes at once, or within this time. False where it did not take all.
pub(crate) fn show(text: &[u8], patience: Duration) -> bool {
    let stderr = std::io::stderr();
    let deadline = Instant::now() + patience;
    let mut rest = text;
    while !rest.is_empty() {
        let left = deadline.saturating_duration_since(Instant::now());
        let time = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) };
        let mut polled = [PollFd::from_borrowed_fd(stderr.as_fd(), PollFlags::OUT)];
        let ready = poll(&mut polled, Some(&time));
        if !matches!(ready, Ok(1)) || !polled[0].revents().contains(PollFlags::OUT) {
            return false;
        }
        // As much as a pipe takes whole.
        match rustix::io::write(stderr.as_fd(), &rest[..rest.len().min(AT_ONCE)]) {
            Ok(written) => rest = &rest[written..],
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return false,
        }
    }
    true
}

/// When each key spoke last, and how much of it was held back since.
struct Limiter {
    keys: Vec<Spoken>,
}

struct Spoken {
    key: String,
    at: Instant,
    suppressed: u64,
}

impl Limiter {
    const fn new() -> Limiter {
        Limiter { keys: Vec::new() }
    }

    /// How many lines of this key were held back, if it may speak now.
    fn admit(&mut self, key: &str, now: Instant) -> Option<u64> {
        if let Some(spoken) = self.keys.iter_mut().find(|spoken| spoken.key == key) {
            if now.saturating_duration_since(spoken.at) < INTERVAL {
                spoken.suppressed += 1;
                return None;
            }
            spoken.at = now;
            return Some(std::mem::take(&mut spoken.suppressed));
        }
        if self.keys.len() >= MOST_KEYS
            && let Some(oldest) = (0..self.keys.len()).min_by_key(|&index| self.keys[index].at)
        {
            self.keys.swap_remove(oldest);
        }
        self.keys.push(Spoken { key: key.to_owned(), at: now, suppressed: 0 });
        Some(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_speaks_once_a_second_and_counts_what_it_held_back() {
        let mut limiter = Limiter::new();
        let start = Instant::now();
        assert_eq!(limiter.admit("app.log", start), Some(0));
        assert_eq!(limiter.admit("app.log", start + Duration::from_millis(10)), None);
        assert_eq!(limiter.admit("app.log", start + Duration::from_millis(999)), None);
        assert_eq!(limiter.admit("db.log", start + Duration::from_millis(999)), Some(0));
        assert_eq!(limiter.admit("app.log", start + Duration::from_millis(1000)), Some(2));
        assert_eq!(limiter.admit("app.log", start + Duration::from_millis(2000)), Some(0));
    }

    #[test]
    fn keys_are_bounded() {
        let mut limiter = Limiter::new();
        let start = Instant::now();
        for number in 0..1000 {
            limiter.admit(&number.to_string(), start + Duration::from_millis(number));
        }
        assert_eq!(limiter.keys.len(), MOST_KEYS);
    }

    #[test]
    fn a_notice_is_one_line_without_control_characters() {
        let line = line("bad \x1b[2J\r\n\u{202e}name é", 3);
        let expected = "miu-log: bad \\u{1b}[2J\\r\\n\\u{202e}name é (3 more like this were not shown)\n";
        assert_eq!(line, expected);
    }

    #[test]
    fn a_long_notice_is_cut() {
        let line = line(&"\u{1b}é".repeat(5000), u64::MAX);
        assert!(line.len() <= LONGEST && line.ends_with('\n'), "{}", line.len());
    }
}
