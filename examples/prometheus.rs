//! What the logger counts, for Prometheus: the crate `metrics` in the middle, and a page that Prometheus asks for.
//!
//! The page is served by a few lines of the example. It asks for it itself, once, and prints some of what it says.

#![allow(clippy::print_stdout, reason = "an example shows what the page says")]

use std::error::Error;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use miu_log::{LogConfig, log_domains};
use miu_log_examples::log_folder;

/// The areas of this service.
#[log_domains(app, db)]
pub mod logs {}

/// Answers every request with the page.
fn serve(listener: &TcpListener, page: &PrometheusHandle) -> io::Result<()> {
    for stream in listener.incoming() {
        let mut reader = BufReader::new(stream?);
        let mut line = String::new();
        while reader.read_line(&mut line)? > 2 {
            line.clear();
        }
        let (head, page) = ("HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4", page.render());
        let length = page.len();
        write!(reader.get_mut(), "{head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{page}")?;
    }
    Ok(())
}

/// What Prometheus does every few seconds.
fn ask(server: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect(server)?;
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn main() -> Result<(), Box<dyn Error>> {
    let page = PrometheusBuilder::new().install_recorder()?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let server = listener.local_addr()?;
    std::thread::spawn(move || serve(&listener, &page));

    let repo = logs::Repository::open(LogConfig::new(log_folder()).console(false))?;
    repo.app.info("service starting");
    for row in 0..250 {
        miu_log::debug!(repo.db, row, "row read");
    }
    repo.db.error("connection lost");
    // The counters are told once a second by themselves; and now.
    repo.flush(Duration::from_secs(10))?;

    let answer = ask(server)?;
    let shown = ["records_total{domain=\"db\"", "dropped_total{domain=\"app\"", "sink_written_total"];
    let mut lines: Vec<&str> = answer
        .lines()
        .filter(|line| line.starts_with("miu_log") && shown.iter().any(|it| line.contains(it)))
        .collect();
    lines.sort_unstable();
    for line in lines.into_iter().filter(|line| !line.ends_with(" 0") || line.contains("\"full\"")) {
        println!("{line}");
    }
    Ok(())
}
