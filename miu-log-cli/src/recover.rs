//! `miu-log recover`: brings what runs that did not end properly have logged into the files, and says what it was.
//!
//! Called by `main`.

use std::fmt::Write as _;
use std::path::Path;

use miu_log::Recovery;

use crate::Outcome;
use crate::text::{Side, escaped, table};

/// Exit code where something could not be read.
const INCOMPLETE: u8 = 3;

pub(crate) fn run(log_folder: &Path) -> anyhow::Result<Outcome> {
    let recovery = miu_log::recover(log_folder)?;
    Ok(Outcome { code: if recovery.corrupt == 0 { 0 } else { INCOMPLETE }, text: shown(&recovery) })
}

fn shown(recovery: &Recovery) -> String {
    if recovery.is_empty() {
        return "nothing to recover: every run has ended properly\n".to_owned();
    }
    let mut out = format!(
        "recovered          {} records of {} processes\n",
        recovery.records,
        recovery.processes.len()
    );
    if recovery.corrupt > 0 {
        // Writing to a string cannot fail.
        let _ =
            writeln!(out, "could not be read  {} rings or records; their files are kept", recovery.corrupt);
    }
    if !recovery.processes.is_empty() {
        out.push('\n');
        out.push_str(&processes(recovery));
    }
    out
}

fn processes(recovery: &Recovery) -> String {
    let columns = [("PROCESS", Side::Right), ("RECORDS", Side::Right), ("NAME", Side::Left)];
    let rows: Vec<_> = recovery
        .processes
        .iter()
        .map(|process| [process.process_id.to_string(), process.records.to_string(), escaped(&process.name)])
        .collect();
    table(columns, &rows)
}
