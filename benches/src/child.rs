//! Runs a measuring child process and takes the figures it prints.

use std::io::Read as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::Failure;
use crate::peer::Sample;

/// A measurement that takes longer than this counts as failed.
const PATIENCE: Duration = Duration::from_secs(300);

const MARK: &str = "figures ";

/// The line that a child prints: its figures as `name=value` pairs.
#[must_use]
pub fn line(sample: &Sample) -> String {
    let figures: Vec<String> = sample.iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!("{MARK}{}", figures.join(" "))
}

/// Runs the command to its end and reads the figures from its output.
///
/// # Errors
///
/// When the command cannot be run, takes too long, or ends without figures.
pub fn figures(mut command: Command) -> Result<Sample, Failure> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let start = Instant::now();
    let status = loop {
        match child.try_wait()? {
            Some(status) => break status,
            None if start.elapsed() > PATIENCE => {
                child.kill()?;
                child.wait()?;
                return Err(format!("stopped after {} s", PATIENCE.as_secs()).into());
            }
            None => std::thread::sleep(Duration::from_millis(10)),
        }
    };
    let mut text = String::new();
    if let Some(mut output) = child.stdout.take() {
        output.read_to_string(&mut text)?;
    }
    let figures = text.lines().find_map(|line| line.strip_prefix(MARK));
    let figures = figures.ok_or_else(|| format!("ended without figures ({status})"))?;
    Ok(figures
        .split_whitespace()
        .filter_map(|pair| pair.split_once('='))
        .filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?)))
        .collect())
}
