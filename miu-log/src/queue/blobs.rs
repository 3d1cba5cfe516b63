//! Records that are too long for a ring: their arguments in a file of their own, and a short record in the ring that names it.
//!
//! Where the listener is in the same process it is given the arguments in memory; the file is for whoever recovers them. Called by
//! `queue::slow`.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use super::membership::{Membership, private};
use super::slow::{LOOK_AGAIN, Slow};
use super::{Blob, OverflowPolicy, Queue, RUNNING, Settings, lock};
use crate::codec::{FLAG_BLOB, HEADER, Head};
use crate::encode::{MAX_RECORD, Out};
use crate::failpoint;
use crate::ring::segment::file_may_have;
use crate::stats::DropReason;
use crate::sync::Ordering;

/// Bytes of blobs that may wait for the listener.
const MAX_BLOBS: u64 = 4 * MAX_RECORD as u64;
/// What the names of long records' files begin with.
pub(crate) const BLOB_PREFIX: &str = "blob-";

impl Queue {
    /// Hands a long record over: the arguments as a blob, and a short record in the ring that names it.
    pub(super) fn send_blob(self: &Arc<Queue>, record: Slow, bytes: Vec<u8>) -> Result<(), DropReason> {
        let Slow { level, domain, callsite, flags, .. } = record;
        let settings = self.settings();
        let local = self.local();
        let size = bytes.len() as u64;
        let number = local.next_blob.fetch_add(1, Ordering::Relaxed);
        if local.blob_bytes.fetch_add(size, Ordering::Relaxed) + size > MAX_BLOBS
            && !self.wait_for_blobs(settings)
        {
            local.blob_bytes.fetch_sub(size, Ordering::Relaxed);
            return Err(DropReason::Full);
        }
        let member = self.membership().map_or(0, Membership::number);
        // Of a process that has no number nothing can be recovered.
        let folder = settings.folder.as_ref().filter(|_| member != 0);
        let path = folder.map(|folder| folder.join(format!("{BLOB_PREFIX}{member}-{number}")));
        // The file is what survives this process. Without room for it the record is still written while the process lives, if
        // the listener is here.
        let path = path.filter(|path| write_private(path, &bytes));
        failpoint::reach("blob-written");
        let is_guest = self.is_guest();
        if path.is_none() && is_guest {
            local.blob_bytes.fetch_sub(size, Ordering::Relaxed);
            return Err(DropReason::NoMemory);
        }
        let bytes = if is_guest { Vec::new() } else { bytes };
        lock(&local.blobs).insert(number, Blob { bytes, size, path });
        let write = |slot: &mut [u8], sequence: u64| {
            let head = Head {
                len: (HEADER + 8) as u32,
                callsite,
                ticks: self.clock.ticks(),
                sequence: sequence as u32,
                domain,
                level: level as u8,
                flags: flags | FLAG_BLOB,
            };
            let mut out = Out::new(slot);
            out.put(&head.to_bytes());
            out.put(&number.to_le_bytes());
        };
        let outcome = self.admit_and_write(level, HEADER + 8, &write);
        if outcome.is_err()
            && let Some(path) = self.take_blob(number).and_then(|blob| blob.path)
        {
            // Its record was dropped: there is nothing to recover.
            let _ = std::fs::remove_file(path);
        }
        outcome
    }

    fn wait_for_blobs(&self, settings: &Settings) -> bool {
        let until = match settings.policy {
            OverflowPolicy::DropNewest if !self.is_guest() => return false,
            OverflowPolicy::DropNewest => Some(Instant::now()),
            OverflowPolicy::BlockThenShed(limit) => Instant::now().checked_add(limit),
            OverflowPolicy::Block => None,
        };
        self.page().space.wait(|| {
            if self.state() != RUNNING {
                return Ok(false);
            }
            if self.is_guest() {
                self.forget_read_blobs();
            }
            if self.local().blob_bytes.load(Ordering::Relaxed) <= MAX_BLOBS {
                return Ok(true);
            }
            let left = until.map_or(LOOK_AGAIN, |until| until.saturating_duration_since(Instant::now()));
            if left.is_zero() || !self.has_listener() {
                return Ok(false);
            }
            self.wake();
            Err(left.min(LOOK_AGAIN))
        })
    }

    /// In a guest: the listener removes the file of a long record that is written.
    fn forget_read_blobs(&self) {
        let local = self.local();
        let mut freed = 0;
        lock(&local.blobs).retain(|_, blob| {
            let waits = blob.path.as_ref().is_some_and(|path| path.exists());
            freed += if waits { 0 } else { blob.size };
            waits
        });
        local.blob_bytes.fetch_sub(freed, Ordering::Relaxed);
    }
}

/// Writes a new file of mode 0600. Where that fails nothing is left of it: false.
fn write_private(path: &Path, bytes: &[u8]) -> bool {
    if !file_may_have(bytes.len() as u64) {
        return false;
    }
    let Ok(mut file) = private(path) else { return false };
    let written = file.write_all(bytes).is_ok();
    if !written {
        // Half of a record's arguments are of no use to anybody.
        let _ = std::fs::remove_file(path);
    }
    written
}
