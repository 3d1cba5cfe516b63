//! What tells the runtime directories apart that a log folder has one after the other.
//!
//! A directory goes with a clean end, and in the next one the processes are counted from the beginning again: by the same numbers, and in a
//! container by the same number of the system's as well.
//!
//! V1. The number stays the same as long as the directory is there, over the death of any process.
//!
//! Called by the start and by `recover`.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::os::unix::fs::FileExt as _;

use super::{LIFE, RuntimeDir};

impl RuntimeDir {
    /// The number of this directory, drawn when it was new. Where it cannot be kept, records that are recovered get other identities.
    pub(crate) fn life(&self) -> u64 {
        let drawn = RandomState::new().build_hasher().finish();
        let Ok(file) = self.file(LIFE) else { return drawn };
        let mut bytes = [0; 8];
        if file.read_exact_at(&mut bytes, 0).is_ok() {
            return u64::from_le_bytes(bytes);
        }
        // Nothing has an identity yet.
        let _ = file.write_all_at(&drawn.to_le_bytes(), 0);
        drawn
    }
}
