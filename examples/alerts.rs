//! Errors of a service to a webhook: in batches, again where the server is busy, and without the one record that it does not take.
//!
//! The server is part of the example, and answers as such servers do.

#![allow(clippy::print_stdout, reason = "an example shows what has arrived")]

use std::error::Error;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::Duration;

use miu_log::{Batch, Deliver, DeliverError, Level, LogConfig, Pattern, Remote, Timeouts, log_domains};
use miu_log_examples::log_folder;

/// The areas of this service.
#[log_domains(app, db)]
pub mod logs {}

/// Posts a batch as text to a server in the same network, without TLS.
struct Webhook(SocketAddr);

impl Deliver for Webhook {
    fn deliver(&mut self, batch: &Batch<'_>, timeouts: Timeouts) -> Result<(), DeliverError> {
        let mut body = Vec::new();
        for line in batch.iter() {
            body.extend_from_slice(line.as_bytes());
        }
        let (status, retry_after) = post(self.0, &body, timeouts)
            .map_err(|error| DeliverError::retry(format!("the webhook: {error}")))?;
        match status {
            200..=299 => Ok(()),
            400 | 413 | 422 => Err(DeliverError::refused(format!("the webhook answers {status}"))),
            401 | 403 | 404 => Err(DeliverError::off(format!("the webhook answers {status}"))),
            _ => Err(DeliverError::retry_after(format!("the webhook answers {status}"), retry_after)),
        }
    }
}

/// The status, and how long the server asks to be left alone.
fn post(server: SocketAddr, body: &[u8], timeouts: Timeouts) -> io::Result<(u16, Duration)> {
    let mut stream = TcpStream::connect_timeout(&server, timeouts.connect)?;
    stream.set_read_timeout(Some(timeouts.request))?;
    stream.set_write_timeout(Some(timeouts.request))?;
    let length = body.len();
    write!(
        stream,
        "POST /alerts HTTP/1.1\r\nHost: {server}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    )?;
    stream.write_all(body)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    let seconds = answer.lines().find_map(|line| line.strip_prefix("Retry-After: ")?.parse().ok());
    let status = status.ok_or_else(|| io::Error::other("no answer that is one of HTTP"))?;
    Ok((status, Duration::from_secs(seconds.unwrap_or(0))))
}

/// A server that is busy at first, takes no message with an emoji, and hands on what it takes.
fn serve(listener: &TcpListener, arrived: &mpsc::Sender<String>) -> io::Result<()> {
    for (number, stream) in listener.incoming().enumerate() {
        let mut reader = BufReader::new(stream?);
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 || line == "\r\n" {
                break;
            }
            length =
                line.strip_prefix("Content-Length: ").map_or(length, |it| it.trim().parse().unwrap_or(0));
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let body = String::from_utf8_lossy(&body).into_owned();
        let answer = match number {
            0 => "429 Too Many Requests\r\nRetry-After: 1",
            _ if body.contains('🔥') => "400 Bad Request",
            _ => "204 No Content",
        };
        write!(reader.get_mut(), "HTTP/1.1 {answer}\r\nConnection: close\r\n\r\n")?;
        if answer.starts_with("204") && arrived.send(body).is_err() {
            break;
        }
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let server = listener.local_addr()?;
    let (sender, arrived) = mpsc::channel();
    std::thread::spawn(move || serve(&listener, &sender));

    let alerts = Remote::new("alerts", Webhook(server))
        .min_level(Level::Error)
        .layout(Pattern::parse("{level} {domain}: {message}")?)
        .batch_age(Duration::from_millis(50));
    let folder = log_folder();
    let repo = logs::Repository::open(LogConfig::new(&folder).console(false).sink(alerts))?;
    repo.app.info("service starting");
    for attempt in 1..=3 {
        miu_log::error!(repo.db, "connection lost, attempt {attempt}");
    }
    repo.app.error("the kitchen is on 🔥");
    repo.app.critical("giving up");

    let mut lines = 0;
    while lines < 4 {
        let body = arrived.recv_timeout(Duration::from_secs(60))?;
        lines += body.lines().count();
        print!("{body}");
    }
    repo.shutdown();
    let dead = std::fs::read_to_string(folder.join(".outbox/alerts/dead-letters"))?;
    println!("not taken: {}", dead.lines().last().unwrap_or_default());
    Ok(())
}
