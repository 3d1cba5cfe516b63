//! Texts that must not be shown: tokens, passwords, addresses that have them inside.
//!
//! K1. Neither `Debug` nor any error of the library shows more of it than scheme and host. It has no `Display`.
//!
//! Used by sinks whose destination wants to know who calls; imports nothing.

use std::fmt;

/// A text that is never shown: a token, a password, or an address that has one inside.
///
/// `Debug` gives `[secret]`; there is no `Display`. Only [`expose`](Secret::expose) gives the text. What is replaced in fields of records without being told is
/// another matter: see [`info!`](crate::info).
///
/// # Examples
///
/// ```
/// use miu_log::Secret;
///
/// let address = Secret::new("https://ann:pass@example.org:8443/hook/token?key=1");
/// assert_eq!(format!("{address:?}"), "[secret]");
/// assert_eq!(address.origin().unwrap(), "https://example.org:8443");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps the text to itself.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The text. Whoever asks sees to it that it gets nowhere else.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Of an address with a host: scheme, host and port, which may be shown. None for anything else.
    pub fn origin(&self) -> Option<String> {
        let (scheme, rest) = self.0.split_once("://")?;
        let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or(rest);
        // A password with a `/` in it looks like a host, unless it is known that another `@` comes: in a database's address nothing else has one.
        let is_web = matches!(scheme, "http" | "https");
        if !is_web && rest[authority.len()..].contains('@') {
            return None;
        }
        let host = authority.rsplit('@').next().unwrap_or(authority);
        let of_scheme = |it: char| it.is_ascii_alphanumeric() || matches!(it, '+' | '-' | '.');
        let of_host =
            |it: char| it.is_ascii_alphanumeric() || matches!(it, '-' | '.' | ':' | '[' | ']' | '_');
        let port = host.rsplit_once(':').map_or("", |(_, port)| port);
        let has_port = port.contains(']') || port.bytes().all(|it| it.is_ascii_digit());
        let fits = has_port && !scheme.is_empty() && scheme.chars().all(of_scheme) && !host.is_empty();
        (fits && host.chars().all(of_host)).then(|| format!("{scheme}://{host}"))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Secret {
        Secret(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Secret {
        Secret(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_no_part_that_is_secret() {
        for (address, origin) in [
            ("https://discord.com/api/webhooks/1/canary", Some("https://discord.com")),
            ("https://canary@example.org/x", Some("https://example.org")),
            ("https://a:canary@[::1]:80?canary", Some("https://[::1]:80")),
            ("http://example.org#canary", Some("http://example.org")),
            ("https://example.org\\canary", Some("https://example.org")),
            ("canary", None),
            ("https://", None),
            ("https:///canary", None),
            ("postgres://ann:p@canary/x@example.org/orders", None),
            ("postgres://ann:canary/x@example.org/orders", None),
            ("https://ann:canary/x@example.org/", None),
            ("https://example.org/@ann", Some("https://example.org")),
            ("https://can ary/", None),
            ("can ary://example.org/", None),
        ] {
            assert_eq!(Secret::from(address).origin().as_deref(), origin, "{address}");
        }
    }
}
