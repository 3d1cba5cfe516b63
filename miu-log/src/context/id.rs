//! Short identities for requests, commands and downloads.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

use crate::sync::{AtomicU64, Ordering};

/// Identities begin anywhere, so that two processes hardly ever give the same ones in the same hour.
static FIRST: LazyLock<u32> = LazyLock::new(|| RandomState::new().hash_one(0_u8) as u32);
static GIVEN: AtomicU64 = AtomicU64::new(0);

/// An identity such as `cmd-1f0c99ab`: the prefix and eight hexadecimal digits. A process gives each of them once in four thousand million times; other
/// processes may give the same.
///
/// # Examples
///
/// ```
/// use miu_log::context::{REQUEST_ID, scope, short_id};
///
/// let _scope = scope(REQUEST_ID.with(short_id("req")));
/// assert_eq!(REQUEST_ID.get().len(), "req-1f0c99ab".len());
/// ```
#[must_use]
pub fn short_id(prefix: &str) -> String {
    let given = GIVEN.fetch_add(1, Ordering::Relaxed) as u32;
    format!("{prefix}-{:08x}", mixed(FIRST.wrapping_add(given)))
}

/// Another number for each number: multiplications with odd numbers and shifted copies can be undone.
fn mixed(number: u32) -> u32 {
    let number = (number ^ number >> 16).wrapping_mul(0x9e37_79b1);
    let number = (number ^ number >> 15).wrapping_mul(0x85eb_ca77);
    number ^ number >> 16
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn identities_are_distinct_and_have_their_form() {
        let ids: HashSet<String> = (0..100_000).map(|_| short_id("cmd")).collect();
        assert_eq!(ids.len(), 100_000);
        for id in ids {
            let digits = id.strip_prefix("cmd-").unwrap();
            assert!(digits.len() == 8 && digits.bytes().all(|digit| b"0123456789abcdef".contains(&digit)));
        }
    }
}
