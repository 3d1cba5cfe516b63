//! Which names of fields say that the value is a secret.
//!
//! N1. A name is cut into words at everything that is no letter and no digit, and where a capital follows a small letter or a digit. Digits at a word's end and case
//!     mean nothing.
//! N2. A name says so if one of its words ends like what secrets are called, or is `key` behind one of [`OF_KEYS`], unless its last word is one of
//!     [`ABOUT`]: `token_count` is about a token.
//!
//! This text is part of two crates: the macros ask it about the names that a program writes, while it is compiled; the library about names that it learns at run
//! time. It stands in `miu-log/src/redact/names.rs`, and the other place is a link to it.

/// What keys are secret.
const OF_KEYS: [&str; 7] = ["api", "private", "access", "signing", "encryption", "master", "session"];

/// What a name ends with that tells about a secret, and does not have it as its value.
#[rustfmt::skip]
const ABOUT: [&str; 71] = [
    // How much of it there is.
    "count", "counts", "len", "length", "size", "bytes", "chars", "limit", "limits", "max", "min", "total", "used", "usage", "left", "remaining",
    "budget", "rate", "index", "position", "pos", "offset", "num", "number", "hits", "attempts", "failures", "retries", "strength",
    // How long it holds.
    "ttl", "age", "lifetime", "exp", "expiry", "expires", "expired", "expiration", "at", "in", "ms", "secs", "seconds", "time", "date", "created", "updated",
    "changed",
    // What it is, and where.
    "kind", "type", "class", "mode", "alg", "algorithm", "state", "status", "valid", "version", "present", "required", "enabled", "consent", "accepted",
    "error", "name", "path", "file", "issuer", "endpoint", "domain", "arn", "kid",
];

/// Whether a field of this name has a secret as its value.
pub(crate) fn is_secret(name: &str) -> bool {
    let bytes = name.as_bytes();
    let (mut found, mut last): (bool, &[u8]) = (false, &[]);
    let (mut start, mut before) = (0, Kind::Gap);
    for end in 0..=bytes.len() {
        let kind = bytes.get(end).map_or(Kind::Gap, |byte| Kind::of(*byte));
        let is_end = kind == Kind::Gap || (kind == Kind::Capital && before == Kind::Small);
        before = kind;
        if !is_end {
            continue;
        }
        let word = without_number(&bytes[start..end]);
        start = end + usize::from(kind == Kind::Gap);
        if !word.is_empty() {
            found = found || is_secret_word(word, last);
            last = word;
        }
    }
    found && !ABOUT.iter().any(|about| last.eq_ignore_ascii_case(about.as_bytes()))
}

/// What a byte of a name is (N1).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Gap,
    Capital,
    /// A small letter, a digit, or a part of a letter beyond ASCII.
    Small,
}

impl Kind {
    fn of(byte: u8) -> Kind {
        match byte {
            b'A'..=b'Z' => Kind::Capital,
            b'a'..=b'z' | b'0'..=b'9' | 128.. => Kind::Small,
            _ => Kind::Gap,
        }
    }
}

/// The word without the digits at its end.
fn without_number(mut word: &[u8]) -> &[u8] {
    while let [rest @ .., b'0'..=b'9'] = word {
        word = rest;
    }
    word
}

/// Whether this word, behind this one, makes a name that of a secret (N2). `tokens` does not: it is a count nearly always.
fn is_secret_word(word: &[u8], before: &[u8]) -> bool {
    let Some(end) = word.last_chunk::<3>() else { return false };
    // Nearly all words end with the look at their last letters.
    let secrets: &[&str] = match &end.map(|byte| byte.to_ascii_lowercase()) {
        b"key" => return is_secret_key(word, before),
        b"eys" => return is_secret_key(&word[..word.len() - 1], before),
        b"ord" => &["password"],
        b"rds" => &["passwords"],
        b"swd" => &["passwd"],
        b"pwd" => &["pwd"],
        b"wds" => &["pwds"],
        b"ase" => &["passphrase"],
        b"ode" => &["passcode"],
        b"ret" => &["secret"],
        b"ets" => &["secrets"],
        b"ken" => &["token"],
        b"jwt" => &["jwt"],
        b"wts" => &["jwts"],
        b"rer" => &["bearer"],
        b"ion" => &["authorization"],
        b"kie" => &["cookie"],
        b"ies" => &["cookies"],
        b"ial" => &["credential"],
        b"als" => &["credentials"],
        _ => return false,
    };
    secrets.iter().any(|secret| ends_with(word, secret.as_bytes()))
}

/// Whether this word, which ends with `key`, says itself or by the one before it which key it is, and that is a secret one.
fn is_secret_key(word: &[u8], before: &[u8]) -> bool {
    let which = &word[..word.len() - b"key".len()];
    match which {
        b"" => OF_KEYS.iter().any(|kind| before.eq_ignore_ascii_case(kind.as_bytes())),
        _ => ends_with(which, b"secret") || OF_KEYS.iter().any(|kind| ends_with(which, kind.as_bytes())),
    }
}

fn ends_with(word: &[u8], end: &[u8]) -> bool {
    let start = word.len().checked_sub(end.len());
    start.is_some_and(|start| word[start..].eq_ignore_ascii_case(end))
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
            "SECRETKEY",
            "accesskey",
            "signing_keys",
            "apikeys",
            "pwds",
            "JWTs",
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
            "jwt_exp",
            "token_offset",
            "token_issuer",
            "password_changed",
            "monkeys",
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
    fn every_word_that_is_listed_is_found() {
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
