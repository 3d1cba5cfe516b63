//! A sink of one's own for a destination that is far away: lines over TCP to a collector that says when it has them.
//!
//! The collector is part of the example. It answers late at first, so that the same batch comes again, and leaves out what it has.

#![allow(clippy::print_stdout, reason = "an example shows what has arrived")]

use std::collections::HashSet;
use std::error::Error;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::Duration;

use miu_log::{Batch, Deliver, DeliverError, Level, LogConfig, Pattern, Remote, Timeouts, log_domains};
use miu_log_examples::log_folder;

/// The areas of this service.
#[log_domains(app, db)]
pub mod logs {}

/// A collector that takes batches of lines over one connection: the number of lines, then each as `id text`. It answers with a byte: `y` when it has
/// them, `n` when it never will, anything else when it is busy.
struct Collector {
    address: SocketAddr,
    stream: Option<TcpStream>,
}

impl Collector {
    fn new(address: SocketAddr) -> Collector {
        Collector { address, stream: None }
    }

    /// Sends the batch over the connection, which is made where there is none; the answer.
    fn send(&mut self, batch: &Batch<'_>, timeouts: Timeouts) -> io::Result<u8> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => none.insert(TcpStream::connect_timeout(&self.address, timeouts.connect)?),
        };
        stream.set_write_timeout(Some(timeouts.request))?;
        stream.set_read_timeout(Some(timeouts.request))?;
        let mut text = format!("{}\n", batch.len()).into_bytes();
        for line in batch.iter() {
            write!(text, "{} ", line.id())?;
            // It ends with its line feed, and has no other.
            text.extend_from_slice(line.as_bytes());
        }
        stream.write_all(&text)?;
        let mut answer = [0];
        stream.read_exact(&mut answer)?;
        Ok(answer[0])
    }
}

impl Deliver for Collector {
    fn deliver(&mut self, batch: &Batch<'_>, timeouts: Timeouts) -> Result<(), DeliverError> {
        match self.send(batch, timeouts) {
            Ok(b'y') => Ok(()),
            Ok(b'n') => Err(DeliverError::refused("the collector does not take this")),
            Ok(_) => Err(DeliverError::retry("the collector is busy")),
            Err(error) => {
                // Whether it has the batch is not known. It comes again, over a new connection, with the same ids.
                self.stream = None;
                let text = format!("collector at {}: {error}", self.address);
                match error.kind() {
                    ErrorKind::PermissionDenied => Err(DeliverError::off(text)),
                    _ => Err(DeliverError::retry(text)),
                }
            }
        }
    }
}

/// One connection of the collector: hands on what is new. Of the first batch it keeps what it got, and hangs up without an answer.
fn take(
    stream: TcpStream,
    seen: &mut HashSet<String>,
    first: &mut bool,
    arrived: &mpsc::Sender<String>,
) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut count = String::new();
        if reader.read_line(&mut count)? == 0 {
            return Ok(());
        }
        let mut lines = Vec::new();
        for _ in 0..count.trim().parse::<usize>().map_err(io::Error::other)? {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            lines.push(line.trim_end().to_owned());
        }
        if lines.len() > 1 && lines.iter().any(|line| line.contains("poison")) || lines[0].contains("poison")
        {
            reader.get_mut().write_all(b"n")?;
            continue;
        }
        for line in &lines {
            let (id, text) = line.split_once(' ').unwrap_or((line, ""));
            let text = if seen.insert(id.to_owned()) { text } else { "(has it already)" };
            let _ = arrived.send(text.to_owned());
        }
        if std::mem::take(first) {
            return Ok(());
        }
        reader.get_mut().write_all(b"y")?;
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let (sender, arrived) = mpsc::channel();
    std::thread::spawn(move || {
        let (mut seen, mut first) = (HashSet::new(), true);
        for stream in listener.incoming().flatten() {
            let _ = take(stream, &mut seen, &mut first, &sender);
        }
    });

    let collector = Remote::new("collector", Collector::new(address))
        .min_level(Level::Warning)
        .layout(Pattern::parse("{level} {message}")?)
        .batch_records(2)
        .first_pause(Duration::from_millis(10))
        .batch_age(Duration::from_secs(3600));
    let folder = log_folder();
    let repo = logs::Repository::open(LogConfig::new(&folder).console(false).sink(collector))?;
    repo.app.warning("disk almost full");
    repo.db.error("connection lost");
    // Two warnings make a batch. The first time nobody answers; the second time the collector knows them.
    for _ in 0..4 {
        println!("{}", arrived.recv_timeout(Duration::from_secs(60))?);
    }
    repo.app.error("poison");
    repo.app.critical("giving up");
    println!("{}", arrived.recv_timeout(Duration::from_secs(60))?);
    repo.flush(Duration::from_secs(10))?;
    if let Some(sink) = repo.stats().sinks.iter().find(|sink| sink.name == "collector") {
        println!("retries={} dead_letters={} held={}", sink.retries, sink.dead_letters, sink.held);
    }
    Ok(())
}
