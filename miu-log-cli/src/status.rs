//! `miu-log status`: an inspection of a log folder, as text.
//!
//! Called by `main`.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use miu_log::{Holder, Inspection, RingState, SpoolState};

use crate::Outcome;
use crate::text::{Side, escaped, table};

/// Exit code where nobody has the folder.
const NOBODY: u8 = 3;

pub(crate) fn run(log_folder: &Path) -> anyhow::Result<Outcome> {
    let found = miu_log::inspect(log_folder)?;
    let mut is_held = found.is_held();
    let mut text = shown(&found);
    for app in &found.apps {
        let of_app = miu_log::inspect_app(log_folder, app)?;
        is_held |= of_app.is_held();
        // Names of programs are plain, or they would not be taken for such.
        text.push_str(&format!(
            "\nof the app {app}, which shares the folder with others:\n{}",
            shown(&of_app)
        ));
    }
    Ok(Outcome { code: if is_held { 0 } else { NOBODY }, text })
}

fn shown(found: &Inspection) -> String {
    let mut out = format!("log folder         {:?}\n", found.log_folder);
    // Writing to a string cannot fail.
    let is_shared = found.holder.is_none() && !found.apps.is_empty();
    let in_use = if is_shared { "see its apps, below".to_owned() } else { in_use(found.holder.as_ref()) };
    let _ = writeln!(out, "in use             {in_use}");
    match &found.runtime_directory {
        Some(path) => _ = writeln!(out, "runtime directory  {path:?}"),
        None if is_shared => {}
        None => out.push_str("runtime directory  none was found\n"),
    }
    if !found.rings.is_empty() {
        let unread: u64 = found.rings.iter().map(|ring| ring.unread_bytes).fold(0, u64::saturating_add);
        let _ = writeln!(out, "unread             {unread} bytes in {} rings\n", found.rings.len());
        out.push_str(&rings(&found.rings));
    }
    if !found.left_behind.is_empty() {
        out.push_str("\nleft by runs that did not end properly:\n");
        for left in &found.left_behind {
            let _ = writeln!(out, "  {:?}: {} rings", left.path, left.rings);
        }
    }
    if !found.spools.is_empty() {
        out.push_str("\nwaiting for destinations of remote sinks:\n");
        out.push_str(&spools(&found.spools, SystemTime::now()));
    }
    let refused: Vec<_> = found.spools.iter().filter(|spool| spool.dead_letters > 0).collect();
    if !refused.is_empty() {
        out.push_str("\nrefused by their destinations, and offered no more:\n");
        for spool in refused {
            let (path, count) = (spool.path.join("dead-letters"), spool.dead_letters);
            let _ = writeln!(out, "  {path:?}: {count} {}", if count == 1 { "record" } else { "records" });
        }
    }
    if !found.unreadable.is_empty() {
        out.push_str("\ncould not be read:\n");
        for it in &found.unreadable {
            let _ = writeln!(out, "  {:?}: {}", it.path, escaped(&it.reason));
        }
    }
    out
}

fn in_use(holder: Option<&Holder>) -> String {
    let Some(holder) = holder else { return "no".to_owned() };
    let who = match (holder.process_id, &holder.since) {
        (Some(process_id), Some(since)) => format!("process {process_id} since {}", escaped(since)),
        _ => "a process that could not be found out".to_owned(),
    };
    if holder.alive { format!("yes, by {who}") } else { format!("no; the last was {who}") }
}

fn rings(rings: &[RingState]) -> String {
    let columns = [
        ("PROCESS", Side::Right),
        ("RING", Side::Right),
        ("TID", Side::Right),
        ("CAPACITY", Side::Right),
        ("UNREAD", Side::Right),
        ("ACCEPTED", Side::Right),
        ("STATE", Side::Left),
        // Last, since a name is any text, and as wide as a terminal makes it.
        ("THREAD", Side::Left),
    ];
    let rows: Vec<_> = rings
        .iter()
        .map(|ring| {
            let state = if ring.ended { "ended" } else { "open" };
            [
                ring.process_id.to_string(),
                format!("{}.{}", ring.ring, ring.generation),
                ring.thread_id.to_string(),
                ring.capacity.to_string(),
                ring.unread_bytes.to_string(),
                ring.accepted.to_string(),
                state.to_owned(),
                escaped(&ring.thread_name),
            ]
        })
        .collect();
    table(columns, &rows)
}

fn spools(spools: &[SpoolState], now: SystemTime) -> String {
    let columns = [
        ("RECORDS", Side::Right),
        ("BYTES", Side::Right),
        ("OLDEST", Side::Right),
        ("REFUSED", Side::Right),
        // Last, since the name of a folder is any text.
        ("SINK", Side::Left),
    ];
    let rows: Vec<_> = spools
        .iter()
        .map(|spool| {
            // A clock that has been put back makes no record come from the future.
            let age = spool.oldest.map(|oldest| now.duration_since(oldest).unwrap_or_default());
            [
                spool.records.to_string(),
                spool.bytes.to_string(),
                age.map_or("-".to_owned(), shown_age),
                spool.dead_letters.to_string(),
                named(spool),
            ]
        })
        .collect();
    table(columns, &rows)
}

/// A sink as its folder is called: with the program before it, where several share the log folder.
fn named(spool: &SpoolState) -> String {
    let name = escaped(&spool.name);
    spool.app.as_ref().map_or(name.clone(), |app| format!("{}@{name}", escaped(app)))
}

/// An age in its two largest units.
fn shown_age(age: Duration) -> String {
    let seconds = age.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, minutes) => format!("{minutes}m{}s", seconds % 60),
        (0, hours, minutes) => format!("{hours}h{minutes}m"),
        (days, hours, _) => format!("{days}d{hours}h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_has_two_units_at_most() {
        let shown =
            [0, 59, 60, 3599, 3600, 86_399, 86_400, 1_000_000].map(|it| shown_age(Duration::from_secs(it)));
        assert_eq!(shown, ["0s", "59s", "1m0s", "59m59s", "1h0m", "23h59m", "1d0h", "11d13h"]);
    }
}
