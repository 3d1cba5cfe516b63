//! Errors of a service to a webhook: equal ones in one message, again where the server is busy, and without the one record that it does not take.
//!
//! The server is part of the example, and answers as such servers do.

#![allow(clippy::print_stdout, reason = "an example shows what has arrived")]

use std::error::Error;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc;
use std::time::Duration;

use miu_log::{LogConfig, Remote, Webhook, log_domains};
use miu_log_examples::log_folder;

/// The areas of this service.
#[log_domains(app, db)]
pub mod logs {}

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
            let line = line.to_ascii_lowercase();
            length =
                line.strip_prefix("content-length: ").map_or(length, |it| it.trim().parse().unwrap_or(0));
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

    let hook = Webhook::json(format!("http://{server}/alerts/secret-token"))?;
    let alerts = Remote::webhook("alerts", hook)
        .batch_age(Duration::from_millis(50))
        .batch_interval(Duration::from_millis(50));
    let folder = log_folder();
    let repo = logs::Repository::open(LogConfig::new(&folder).console(false).sink(alerts))?;
    repo.app.info("service starting");
    for _ in 0..300 {
        repo.db.error("connection lost");
    }
    repo.app.error("the kitchen is on 🔥");
    repo.app.critical("giving up");

    let mut records = 0;
    while records < 301 {
        let message = arrived.recv_timeout(Duration::from_secs(60))?;
        let message: serde_json::Value = serde_json::from_str(&message)?;
        for record in message["records"].as_array().into_iter().flatten() {
            let count = record["count"].as_u64().unwrap_or_default();
            println!("{count} × {}", record["text"].as_str().unwrap_or_default());
            records += count;
        }
    }
    repo.shutdown();
    let dead = std::fs::read_to_string(folder.join(".outbox/alerts/dead-letters"))?;
    println!("not taken: {}", dead.lines().last().unwrap_or_default());
    Ok(())
}
