//! Secrets in fields: what is replaced by `***` before it is in a ring, and how often that was.
//!
//! Two things tell a secret: the field's name ([`names`]), and the shape of a text ([`shapes`]). The macros ask about names while the program is compiled; texts are
//! looked at where they are staged (`encode::checked`, `bridge::staging`). What is in a ring, and so in a sink, a capture, a spool or in what a crash leaves, has been
//! through here. Messages are not looked at.
//!
//! X1. A value that its name makes a secret is neither formatted nor copied.
//! X2. Nothing is counted, and nothing that threads share is touched, where nothing is replaced.
//!
//! Called by `encode`, `context` and `bridge`; `stats` reads the count.

pub(crate) mod names;
pub(crate) mod shapes;

use std::fmt;

use crate::sync::{AtomicU64, Ordering};

/// What stands for a secret.
pub(crate) const REPLACEMENT: &str = "***";

/// How many values this process has replaced.
static REPLACED: AtomicU64 = AtomicU64::new(0);

/// Counts a value that is replaced.
#[cold]
pub(crate) fn count() {
    REPLACED.fetch_add(1, Ordering::Relaxed);
}

/// How many values this process has replaced.
pub(crate) fn replaced() -> u64 {
    REPLACED.load(Ordering::Relaxed)
}

/// A value that is logged as it is, although its field's name or its own shape says that it is a secret:
/// `info!(repo.app, password_hint = NotSecret("the usual"), "asked again")`.
///
/// Of a field that is called like a secret (`password`, `db_password`, `access_token`, `api_key`, `Set-Cookie`, …) only `***` is logged, and so of a text
/// with the shape of a well-known one (`Bearer …`, a token of GitHub, an address with a password, …). This wrapper says that this value is none. It
/// takes whatever a field takes, and with `%` and `?` whatever these take: `token_id = %NotSecret(id)`.
///
/// It is for the fields of this crate's macros, and has to be the outermost type of the value. `Display` and `Debug` are those of the value.
///
/// # Examples
///
/// ```
/// use miu_log::{NotSecret, fields};
///
/// let fields = fields!(password = "canary", password_hint = NotSecret("the usual"), page_token = %NotSecret(17));
/// assert_eq!(fields.get("password").unwrap().to_string(), "***");
/// assert_eq!(fields.get("password_hint").unwrap().to_string(), "the usual");
/// assert_eq!(fields.get("page_token").unwrap().to_string(), "17");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct NotSecret<T: ?Sized>(pub T);

impl<T: fmt::Display + ?Sized> fmt::Display for NotSecret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T: fmt::Debug + ?Sized> fmt::Debug for NotSecret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
