//! What the operating system knows about this process, and how to be timed undisturbed.
//!
//! All figures come from `/proc`, so on systems without it they read as zero.

use std::fs;

/// Leaves the session of the shell and asks the scheduler to favour this process over other sessions.
///
/// Without it a build in another terminal halves the figures. Both steps need rights or kernel settings that
/// may be missing, and then the measurement goes on without them.
pub fn stand_apart() {
    let _ = rustix::process::setsid();
    let _ = fs::write("/proc/self/autogroup", "-20");
}

/// The highest memory in use so far, in KiB (`VmHWM`).
#[must_use]
pub fn peak_memory_kib() -> u64 {
    status("VmHWM:")
}

/// The memory in use now, in KiB (`VmRSS`).
#[must_use]
pub fn memory_kib() -> u64 {
    status("VmRSS:")
}

fn status(key: &str) -> u64 {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    text.lines()
        .find_map(|line| line.strip_prefix(key))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}

/// Processor time that the living threads of this process have used, in seconds.
///
/// `schedstat` counts nanoseconds; `stat` counts in hundredths of a second, too coarse for an idle listener.
#[must_use]
pub fn processor_seconds() -> f64 {
    let Ok(threads) = fs::read_dir("/proc/self/task") else { return 0.0 };
    threads
        .flatten()
        .filter_map(|thread| fs::read_to_string(thread.path().join("schedstat")).ok())
        .filter_map(|text| text.split_whitespace().next()?.parse::<f64>().ok())
        .sum::<f64>()
        / 1e9
}

/// Processor time of the whole process, threads that have ended included, in seconds and to a hundredth.
#[must_use]
pub fn total_processor_seconds() -> f64 {
    let text = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The second field is the program's name in parentheses and may hold anything, so counting starts behind
    // it.
    let after_name = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: f64 =
        after_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
    ticks / rustix::param::clock_ticks_per_second() as f64
}

/// The machine in one line: processor, number of processors, system.
#[must_use]
pub fn machine() -> String {
    let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processor
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown processor", |(_, model)| model);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{model}, {cores} processors, {} {}", std::env::consts::OS, kernel.trim())
}
