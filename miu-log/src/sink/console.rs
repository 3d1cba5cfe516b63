//! The console sink: writes lines to stdout or stderr.
//!
//! It writes to the descriptor itself, so that it takes no lock the program may hold, and it waits
//! where the terminal is stopped: it belongs behind `queued`, whose thread may wait. Made by the
//! configuration.

use std::io;
#[cfg(test)]
use std::os::fd::OwnedFd;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use super::{Batch, Sink, SinkError};

/// The two streams of a process that a person may be looking at.
#[derive(Debug)]
pub(crate) enum Stream {
    Stdout,
    Stderr,
    /// Stands for a terminal in tests.
    #[cfg(test)]
    Other(OwnedFd),
}

/// Writes lines to stdout or stderr.
///
/// - **When its queue is full:** a stopped terminal stops this sink's thread only; its queue keeps
///   4 MiB of lines, and 1 MiB more for ERROR and CRITICAL, then drops and counts new records.
/// - **When the destination fails:** where nobody can read the stream any more (`EPIPE`), the console
///   is off for good, and every record from then on is counted as dropped; it is said once.
///   Any other error costs the rest of the batch, counted.
/// - **Durability:** none; a console keeps nothing.
#[derive(Debug)]
pub(crate) struct Console {
    stream: Stream,
    closed: bool,
}

impl Console {
    pub(crate) fn new(stream: Stream) -> Console {
        Console { stream, closed: false }
    }

    fn name(&self) -> &'static str {
        match self.stream {
            Stream::Stdout => "stdout",
            Stream::Stderr => "stderr",
            #[cfg(test)]
            Stream::Other(_) => "the test's stream",
        }
    }

    /// Writes all of it, waiting where the stream is full. On an error, how much was written.
    fn put(&self, bytes: &[u8]) -> Result<(), (usize, Errno)> {
        let (stdout, stderr);
        let fd: BorrowedFd<'_> = match &self.stream {
            Stream::Stdout => {
                stdout = io::stdout();
                stdout.as_fd()
            }
            Stream::Stderr => {
                stderr = io::stderr();
                stderr.as_fd()
            }
            #[cfg(test)]
            Stream::Other(fd) => fd.as_fd(),
        };
        let mut sent = 0;
        while sent < bytes.len() {
            match rustix::io::write(fd, &bytes[sent..]) {
                Ok(0) => return Err((sent, Errno::IO)),
                Ok(count) => sent += count,
                Err(Errno::INTR) => {}
                // Another program may have made the shared terminal or pipe non-blocking.
                Err(Errno::AGAIN) => match poll(&mut [PollFd::from_borrowed_fd(fd, PollFlags::OUT)], None) {
                    Ok(_) | Err(Errno::INTR) => {}
                    Err(errno) => return Err((sent, errno)),
                },
                Err(errno) => return Err((sent, errno)),
            }
        }
        Ok(())
    }
}

impl Sink for Console {
    fn write(&mut self, batch: &Batch<'_>) -> Result<(), SinkError> {
        if self.closed {
            return Err(SinkError::fatal(
                format!("nobody reads {} any more; the console is off", self.name()),
                0,
            ));
        }
        let mut delivered = 0;
        for run in batch.runs() {
            if let Err((sent, errno)) = self.put(run.text) {
                delivered += run.whole(sent).0;
                self.closed = matches!(errno, Errno::PIPE | Errno::BADF);
                let text = format!("cannot write to {}: {errno}", self.name());
                return Err(SinkError::fatal(text, delivered).with_source(io::Error::from(errno)));
            }
            delivered += run.entries.len();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::super::tests::held;
    use super::*;

    #[test]
    fn lines_arrive_as_they_are() {
        let (mut reader, writer) = io::pipe().unwrap();
        let mut console = Console::new(Stream::Other(writer.into()));
        console.write(&held(&["one\n", "two\n"]).batch(&[])).unwrap();
        drop(console);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "one\ntwo\n");
    }

    #[test]
    fn a_closed_pipe_turns_the_console_off_without_a_panic() {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let mut console = Console::new(Stream::Other(writer.into()));
        let held = held(&["one\n", "two\n"]);
        for _ in 0..2 {
            let error = console.write(&held.batch(&[])).unwrap_err();
            assert!(!error.may_retry() && error.delivered() == 0, "{error}");
        }
        assert!(console.closed);
    }

    #[test]
    fn a_full_nonblocking_pipe_is_waited_for() {
        let (mut reader, writer) = io::pipe().unwrap();
        rustix::io::ioctl_fionbio(&writer, true).unwrap();
        let line = "x".repeat(200_000) + "\n";
        let mut console = Console::new(Stream::Other(writer.into()));
        let writing = std::thread::spawn(move || console.write(&held(&[&line]).batch(&[])).is_ok());
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).unwrap();
        assert!(writing.join().unwrap());
        assert_eq!(bytes.len(), 200_001);
    }
}
