//! Which texts have the shape of a well-known secret, whatever the field is called.
//!
//! H1. Only what cannot be meant otherwise counts: a known prefix with enough of a token behind it, or an address with a password. A text is judged by how
//!     it begins; what stands in its middle is not looked for.
//! H2. An ordinary text costs a look at its first bytes, 32 at most, and nothing is allocated.
//!
//! Called for texts that are values of fields, on the thread that logs.

/// Bytes of a scheme and the colon behind it.
const LONGEST_SCHEME: usize = 32;

/// The first three bytes of what may be a token, as groups of prefixes: a text that begins so is looked at again.
const PREFIXES: [[&[u8]; 3]; 8] = [
    [b"-", b"-", b"-"],
    [b"A", b"KS", b"I"],
    [b"bB", b"eEaA", b"aAsS"],
    [b"e", b"y", b"J"],
    [b"g", b"h", b"oprsu"],
    [b"g", b"il", b"abcdefimoprst"],
    [b"rs", b"k", b"_"],
    [b"wx", b"aho", b"psx"],
];

/// For each of the first three bytes: in which groups it stands there, a bit each.
static BEGINNINGS: [[u8; 256]; 3] = {
    let mut groups = [[0; 256]; 3];
    let mut group = 0;
    while group < PREFIXES.len() {
        let mut at = 0;
        while at < groups.len() {
            let mut bytes = PREFIXES[group][at];
            while let [byte, rest @ ..] = bytes {
                groups[at][*byte as usize] |= 1 << group;
                bytes = rest;
            }
            at += 1;
        }
        group += 1;
    }
    groups
};

/// Whether the text is a secret by its shape.
#[inline]
pub(crate) fn is_secret(text: &str) -> bool {
    is_candidate(text.as_bytes()) && is_token_or_address(text)
}

/// The same of a text as bytes, which may stand in quotes, as `Debug` writes it.
#[inline]
pub(crate) fn is_secret_in_quotes(text: &[u8]) -> bool {
    let bare = text.strip_prefix(b"\"").unwrap_or(text);
    is_candidate(bare) && str::from_utf8(bare).is_ok_and(is_token_or_address)
}

/// Whether the text begins like a secret (H2).
#[inline]
fn is_candidate(text: &[u8]) -> bool {
    // The shortest is longer.
    let Some(first) = text.first_chunk::<8>() else { return false };
    let [one, two, three] = [0, 1, 2].map(|at| BEGINNINGS[at][usize::from(first[at])]);
    one & two & three != 0 || has_early_colon(text, *first)
}

#[inline(never)]
fn is_token_or_address(text: &str) -> bool {
    is_address_with_password(text) || is_token(text)
}

/// Whether there is a colon among the first bytes.
#[inline]
fn has_early_colon(bytes: &[u8], first: [u8; 8]) -> bool {
    let has_colon = |eight: [u8; 8]| {
        // Borrows only where a byte is zero.
        let word = u64::from_le_bytes(eight) ^ 0x3a3a_3a3a_3a3a_3a3a;
        word.wrapping_sub(0x0101_0101_0101_0101) & !word & 0x8080_8080_8080_8080 != 0
    };
    let rest = &bytes[8..bytes.len().min(LONGEST_SCHEME)];
    has_colon(first)
        || rest.as_chunks::<8>().0.iter().any(|eight| has_colon(*eight))
        || (!rest.len().is_multiple_of(8) && bytes.last_chunk::<8>().is_some_and(|last| has_colon(*last)))
}

const OF_GITLAB: [&str; 10] =
    ["glpat-", "glrt-", "gldt-", "glptt-", "glcbt-", "glsoat-", "glft-", "glimt-", "glagent-", "gloas-"];

/// Whether the text begins with a token.
fn is_token(text: &str) -> bool {
    let alphanumeric = |byte: u8| byte.is_ascii_alphanumeric();
    let word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let capital = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    // Of every prefix: how many bytes of which kind follow at least.
    let follows = |prefixes: &[&str], least: usize, kind: &dyn Fn(u8) -> bool| {
        let mut rests = prefixes.iter().filter_map(|prefix| text.strip_prefix(prefix));
        rests.any(|rest| rest.len() >= least && rest.bytes().take(least).all(kind))
    };
    match text.as_bytes().first() {
        Some(b'A') => {
            follows(&["AKIA", "ASIA"], 16, &capital)
                && !text.as_bytes().get(20).is_some_and(|byte| word(*byte))
        }
        Some(b'g') => {
            follows(&["ghp_", "gho_", "ghu_", "ghs_", "ghr_"], 16, &alphanumeric)
                || follows(&["github_pat_"], 16, &word)
                || follows(&OF_GITLAB, 16, &word)
        }
        Some(b'r' | b's') => follows(&["sk_live_", "sk_test_", "rk_live_", "rk_test_"], 8, &alphanumeric),
        Some(b'x') => {
            follows(&["xoxa-", "xoxb-", "xoxc-", "xoxd-", "xoxe-", "xoxp-", "xoxr-", "xoxs-"], 8, &word)
                || follows(&["xoxe.xoxp-", "xoxe.xoxb-", "xapp-"], 8, &word)
        }
        Some(b'w') => follows(&["whsec_"], 16, &alphanumeric),
        Some(b'e') => is_json_token(text),
        Some(b'-') => is_private_key(text),
        Some(b'B' | b'b') => is_authorization(text),
        _ => false,
    }
}

/// `eyJ….….…`: a JSON object in base64, and two more parts.
fn is_json_token(text: &str) -> bool {
    const SHORTEST_HEADER: usize = 12;
    let mut parts = text.splitn(3, '.');
    let of_token =
        |part: &str| part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    match (parts.next(), parts.next(), parts.next()) {
        (Some(header), Some(payload), Some(_)) => {
            header.starts_with("eyJ")
                && header.len() >= SHORTEST_HEADER
                && of_token(header)
                && of_token(payload)
        }
        _ => false,
    }
}

/// `-----BEGIN … PRIVATE KEY-----`.
fn is_private_key(text: &str) -> bool {
    let kind = text.strip_prefix("-----BEGIN ").and_then(|rest| rest.split_once("-----"));
    // That of PGP is a block.
    kind.is_some_and(|(kind, _)| kind.ends_with("PRIVATE KEY") || kind.ends_with("PRIVATE KEY BLOCK"))
}

/// `Bearer …` and `Basic …`, as in the header `Authorization`.
fn is_authorization(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(' ') else { return false };
    // The quotes of `Debug` may end it.
    let end = |it: char| it.is_ascii_whitespace() || matches!(it, '"' | ',' | ';');
    let given = rest.trim_start_matches(' ').split(end).next().unwrap_or_default();
    (scheme.eq_ignore_ascii_case("bearer") && is_bearer(given))
        || (scheme.eq_ignore_ascii_case("basic") && is_name_and_password(given.as_bytes()))
}

/// Whether it is no word of a sentence: words have no digits, and capitals at their beginning only.
fn is_bearer(given: &str) -> bool {
    const SHORTEST: usize = 8;
    let of_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    let of_no_word = |byte: u8| byte.is_ascii_digit() || byte.is_ascii_uppercase();
    given.len() >= SHORTEST && given.bytes().all(of_token) && given.bytes().skip(1).any(of_no_word)
}

/// Whether it is base64 with a colon inside. Words of a sentence have none.
fn is_name_and_password(given: &[u8]) -> bool {
    let digits = given.iter().position(|byte| *byte == b'=').unwrap_or(given.len());
    let (mut bits, mut held, mut has_colon) = (0_u32, 0_u32, false);
    for byte in &given[..digits] {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return false,
        };
        bits = bits << 6 | u32::from(digit);
        held += 6;
        if held >= 8 {
            held -= 8;
            has_colon = has_colon || (bits >> held) as u8 == b':';
        }
    }
    has_colon
}

/// `scheme://user:password@…`.
fn is_address_with_password(text: &str) -> bool {
    let text = text.strip_prefix("jdbc:").unwrap_or(text);
    let Some(colon) = text.bytes().take(LONGEST_SCHEME).position(|byte| byte == b':') else { return false };
    let (scheme, rest) = text.split_at(colon);
    let Some(rest) = rest.strip_prefix("://").filter(|rest| rest.as_bytes().contains(&b'@')) else {
        return false;
    };
    let of_scheme = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    if scheme.is_empty() || !scheme.bytes().all(of_scheme) {
        return false;
    }
    let address = rest.split(|it: char| it.is_ascii_whitespace() || it == '"').next().unwrap_or_default();
    let authority = address.split(['/', '?', '#']).next().unwrap_or_default();
    if let Some((user, _)) = authority.rsplit_once('@') {
        // A token may stand for the user.
        return user.split_once(':').is_some_and(|(_, password)| !password.is_empty()) || is_token(user);
    }
    // A password with a slash in it looks like a host and a port. A port has digits alone.
    let port = authority.rsplit_once(':').map_or("", |(_, port)| port);
    let is_port = port.bytes().all(|byte| byte.is_ascii_digit()) || port.contains(']');
    !is_port && address[authority.len()..].contains('@')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A text that no scanner of repositories takes for a real one.
    fn made(prefix: &str, rest: usize) -> String {
        prefix.chars().chain("a1B2c3D4".chars().cycle().take(rest)).collect()
    }

    #[test]
    fn well_known_secrets_are_known_by_their_shape() {
        let header = made("eyJ", 17);
        for secret in [
            "Bearer a1b2c3d4",
            "bearer abcdefgHij.klm",
            "BEARER a1b2c3d4 was refused",
            "Basic YW5uOnNlY3JldA==",
            "basic YTpi",
            &made("ghp_", 36),
            &made("gho_", 36),
            &made("github_pat_", 60),
            &made("glpat-", 20),
            &made("xoxb-", 30),
            &made("xoxp-", 30),
            &made("sk_live_", 24),
            &format!("AKIA{}", "A1B2".repeat(4)),
            &format!("{header}.{header}.c2ln"),
            &format!("{header}.{header}."),
            "-----BEGIN PRIVATE KEY-----\nMIIE",
            "-----BEGIN RSA PRIVATE KEY-----",
            "-----BEGIN PGP PRIVATE KEY BLOCK-----",
            &made("glrt-", 20),
            &made("glsoat-", 20),
            &made("xapp-1-", 20),
            &made("xoxe.xoxp-", 20),
            &made("whsec_", 20),
            "postgresql+asyncpg://ann:canary@example.org/orders",
            "jdbc:postgresql://ann:canary@example.org/orders",
            "postgres://ann:canary@example.org/orders",
            "a://b:c@d",
            "https://ann:p%40ss@example.org:8443/x?y=z",
            "redis://:canary@localhost:6379",
            "mongodb+srv://ann:canary@cluster.example.org",
            "postgres://ann:can/ary@example.org/orders",
            &format!("https://{}@example.org/x.git", made("ghp_", 36)),
        ] {
            assert!(is_secret(secret), "{secret}");
            assert!(is_secret_in_quotes(format!("{secret:?}").as_bytes()), "{secret}");
            assert!(!is_secret(&format!("{secret:?}")), "{secret}");
        }
    }

    #[test]
    fn ordinary_texts_are_none() {
        for text in [
            "",
            "a",
            "ordinary",
            "Bearer",
            "Bearer ",
            "Bearer of bad news",
            "Bearer authentication failed",
            "Bearer Authentication failed",
            "Basic settings",
            "Basic features and more",
            "Basic authentication",
            "basically all",
            "beautiful weather",
            "ghp_short",
            "ghost story, a long one",
            "git push origin main",
            "github_pat_",
            "xoxo and many kisses",
            "sk_live_",
            "sk_SK.UTF-8 is a locale",
            "AKIA is a prefix of theirs",
            &format!("AKIA{}", "A1B2".repeat(5)),
            "eyJust a word. And another. And",
            "eyJhbGciOiJub25lIn0",
            "-----BEGIN CERTIFICATE-----\nMIIE",
            "-----BEGIN PUBLIC KEY-----\nMIIE",
            "--------------------",
            "https://example.org/a:b@c",
            "https://example.org:8443/@ann",
            "https://ann@example.org/",
            "https://ann:@example.org/",
            "https://[::1]:80/@ann",
            "https://[::1]/@ann",
            "mailto:ann@example.org",
            "://ann:canary@example.org",
            "see https://ann:canary@example.org",
            "12:30:00 and later",
            "std::vec::Vec<u8>",
            "ключ://ann:canary@example.org",
            "ö:ö:ö:ö:ö:ö:ö:ö",
        ] {
            assert!(!is_secret(text), "{text}");
        }
    }

    #[test]
    fn a_colon_among_the_first_bytes_is_found_wherever_it_is() {
        for len in 8..45 {
            let plain = "x".repeat(len).into_bytes();
            let first = |bytes: &[u8]| *bytes.first_chunk::<8>().unwrap();
            assert!(!has_early_colon(&plain, first(&plain)));
            for place in 0..len {
                let mut bytes = plain.clone();
                bytes[place] = b':';
                assert_eq!(
                    has_early_colon(&bytes, first(&bytes)),
                    place < LONGEST_SCHEME,
                    "{place} of {len}"
                );
            }
        }
    }

    #[test]
    fn random_texts_never_panic() {
        use proptest::prelude::*;
        let begins = "(|Bearer |basic |ghp_|eyJ|AKIA|-----BEGIN |a://|ab://x:)";
        let texts = format!("{begins}[ -~ö]{{0,60}}");
        proptest!(|(text in texts.as_str())| {
            is_secret(&text);
            is_secret_in_quotes(text.as_bytes());
        });
    }
}
