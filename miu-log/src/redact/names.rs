//! Which names of fields say that the value is a secret.
//!
//! N1. A name is cut into words at everything that is no letter and no digit, and where a capital follows a small letter or a digit. Digits at a word's end and case
//!     mean nothing.
//! N2. A name says so if one of its words ends like one of [`SECRETS`], or is `key` behind one of [`OF_KEYS`], unless its last word is one of [`ABOUT`]:
//!     `token_count` is about a token.
//!
//! This text is part of two crates: the macros ask it about the names that a program writes, while it is compiled; the library about names that it learns at run
//! time. It stands in `miu-log/src/redact/names.rs`, and the other place is a link to it.

/// What secrets are called. `tokens` is not among them: it is a count nearly always.
const SECRETS: [&str; 18] = [
    "password",
    "passwords",
    "passwd",
    "pwd",
    "passphrase",
    "passcode",
    "secret",
    "secrets",
    "token",
    "jwt",
    "bearer",
    "authorization",
    "cookie",
    "cookies",
    "credential",
    "credentials",
    "apikey",
    "privatekey",
];

/// What keys are secret.
const OF_KEYS: [&str; 7] = ["api", "private", "access", "signing", "encryption", "master", "session"];

/// What a name ends with that tells about a secret, and does not have it as its value.
#[rustfmt::skip]
const ABOUT: [&str; 47] = [
    // How much of it there is.
    "count", "counts", "len", "length", "size", "bytes", "chars", "limit", "limits", "max", "min", "total", "used", "usage", "left", "remaining",
    "budget", "rate", "index", "position", "attempts", "failures", "retries",
    // How long it holds.
    "ttl", "age", "lifetime", "expiry", "expires", "expired", "expiration", "at", "in", "ms", "secs", "seconds",
    // What it is, and where.
    "kind", "type", "state", "status", "valid", "version", "present", "required", "enabled", "name", "path", "file",
];

/// Whether a field of this name has a secret as its value.
pub(crate) fn is_secret(name: &str) -> bool {
    let (mut found, mut last): (bool, &[u8]) = (false, &[]);
    for word in Words(name.as_bytes()) {
        found = found || is_secret_word(word, last);
        last = word;
    }
    found && !ABOUT.iter().any(|about| last.eq_ignore_ascii_case(about.as_bytes()))
}

/// Whether this word, behind this one, makes a name that of a secret. Nearly all words end here with a look at their last letter.
fn is_secret_word(word: &[u8], before: &[u8]) -> bool {
    let of = |list: &[&str]| list.iter().any(|secret| ends_with(word, secret.as_bytes()));
    match word.last().map(u8::to_ascii_lowercase) {
        Some(b'd' | b'e' | b't' | b'n' | b's' | b'r' | b'l') => word.len() >= 3 && of(&SECRETS),
        Some(b'y') => {
            of(&SECRETS)
                || word.eq_ignore_ascii_case(b"key")
                    && OF_KEYS.iter().any(|kind| before.eq_ignore_ascii_case(kind.as_bytes()))
        }
        _ => false,
    }
}

fn ends_with(word: &[u8], end: &[u8]) -> bool {
    let start = word.len().checked_sub(end.len());
    start.is_some_and(|start| word[start..].eq_ignore_ascii_case(end))
}

/// The words of a name (N1).
struct Words<'a>(&'a [u8]);

impl<'a> Iterator for Words<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        // Letters beyond ASCII are letters, and no capitals.
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || !byte.is_ascii();
        let start = self.0.iter().position(is_part)?;
        let rest = &self.0[start..];
        let ends =
            |pair: &[u8]| !is_part(&pair[1]) || pair[1].is_ascii_uppercase() && !pair[0].is_ascii_uppercase();
        let end = rest.windows(2).position(ends).map_or(rest.len(), |last| last + 1);
        let (word, rest) = rest.split_at(end);
        self.0 = rest;
        let letters = word.iter().rposition(|byte| !byte.is_ascii_digit()).map_or(0, |last| last + 1);
        Some(&word[..letters])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_known_in_every_spelling() {
        for name in [
            "password",
            "PASSWORD",
            "db_password",
            "password2",
            "newPassword",
            "dbpassword",
            "user.passwd",
            "pwd",
            "passphrase",
            "client_secret",
            "aws.secret.key",
            "token",
            "x-csrf-token",
            "accessToken",
            "authtoken",
            "token_id",
            "token.0",
            "authorization",
            "http.request.header.Proxy-Authorization",
            "cookie",
            "Set-Cookie",
            "setCookie",
            "credentials",
            "api_key",
            "apiKey",
            "apikey",
            "x-api-key",
            "API_KEY",
            "APIKEY",
            "ssh.private_key",
            "privateKey",
            "access_key_id",
            "password_hash",
            "password_hint",
            "jwt",
            "ключ_token",
        ] {
            assert!(is_secret(name), "{name}");
        }
    }

    #[test]
    fn other_names_and_those_that_tell_about_a_secret_are_none() {
        for name in [
            "",
            "_",
            "...",
            "7",
            "rows",
            "user",
            "key",
            "public_key",
            "cache_key",
            "primary_key",
            "key_id",
            "api",
            "api_version",
            "pass",
            "passed",
            "author",
            "authority",
            "secretary",
            "tokens",
            "tokenizer",
            "prompt_tokens",
            "token_count",
            "tokenCount",
            "token_limit",
            "max.token.length",
            "password_length",
            "password_len",
            "password_expires_at",
            "expires_in",
            "token_type",
            "token_ttl",
            "cookie_name",
            "secrets_count",
            "private_key_path",
            "credential_file",
            "cwd",
            "bearers",
            "ö",
        ] {
            assert!(!is_secret(name), "{name}");
        }
    }

    #[test]
    fn every_word_of_the_list_is_found() {
        for name in SECRETS {
            assert!(is_secret(name), "{name}");
            assert!(is_secret(&format!("a.{}_b", name.to_uppercase())), "{name}");
            for about in ABOUT {
                assert!(!is_secret(&format!("{name}_{about}")), "{name}_{about}");
            }
        }
        for kind in OF_KEYS {
            assert!(is_secret(&format!("{kind}_key")), "{kind}");
            assert!(!is_secret(kind), "{kind}");
        }
    }
}
