//! Names that mean something: levels, keywords, the repository's methods, device names, and how to
//! guess which one was meant.
//!
//! Pure tables and string functions; called by `lower`.

/// A level by its number, 0 is trace. The runtime's `Level` has the same order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Level(pub(crate) u8);

/// The levels' names as options write them, and their variants in the runtime's `Level`.
const LEVELS: [(&str, &str); 7] = [
    ("trace", "Trace"),
    ("debug", "Debug"),
    ("info", "Info"),
    ("success", "Success"),
    ("warning", "Warning"),
    ("error", "Error"),
    ("critical", "Critical"),
];

impl Level {
    /// The level of this lower-case name.
    pub(crate) fn named(name: &str) -> Option<Level> {
        (0u8..).zip(LEVELS).find(|(_, (known, _))| *known == name).map(|(number, _)| Level(number))
    }

    /// The level of this variant, `Info` for example.
    pub(crate) fn of_variant(variant: &str) -> Option<Level> {
        (0u8..).zip(LEVELS).find(|(_, (_, known))| *known == variant).map(|(number, _)| Level(number))
    }

    fn entry(self) -> (&'static str, &'static str) {
        LEVELS.get(usize::from(self.0)).copied().unwrap_or(LEVELS[0])
    }

    /// The lower-case name, which is also the macro's and the method's.
    pub(crate) fn name(self) -> &'static str {
        self.entry().0
    }

    /// The variant of the runtime's `Level`.
    pub(crate) fn variant(self) -> &'static str {
        self.entry().1
    }
}

/// The level names, for messages and guesses.
pub(crate) fn level_names() -> impl Iterator<Item = &'static str> {
    LEVELS.iter().map(|(name, _)| *name)
}

/// All level names in one sentence.
pub(crate) const LEVELS_SENTENCE: &str =
    "`trace`, `debug`, `info`, `success`, `warning`, `error` and `critical`";

/// The options a domain may have.
pub(crate) const OPTIONS: [&str; 3] = ["level", "max_level", "file"];

/// What a repository has of its own, so that a domain of this name would read as something else.
pub(crate) const RESERVED: [&str; 23] = [
    "open",
    "worker",
    "try_worker",
    "connect",
    "connect_to",
    "recovery",
    "get",
    "domain",
    "queue",
    "flush",
    "rotate",
    "shutdown",
    "exit",
    "set_debug_enabled",
    "debug_enabled",
    "set_level",
    "set_target_level",
    "reset_target_level",
    "startup_report",
    "stats",
    "init",
    "repo",
    "core",
];

/// Keywords of every edition, reserved ones included. `union` and the like are not: they are names.
const KEYWORDS: [&str; 53] = [
    "Self", "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate", "do",
    "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop",
    "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return", "self", "static",
    "struct", "super", "trait", "true", "try", "type", "typeof", "unsafe", "unsized", "use", "virtual",
    "where", "while", "yield", "_",
];

/// Whether `name` is a keyword in some edition.
pub(crate) fn is_keyword(name: &str) -> bool {
    KEYWORDS.contains(&name)
}

/// Whether Windows takes a file of this name, with any extension, for a device.
pub(crate) fn is_device(stem: &str) -> bool {
    matches!(stem, "con" | "prn" | "aux" | "nul")
        || matches!(
            stem.strip_prefix("com").or_else(|| stem.strip_prefix("lpt")),
            Some(number) if matches!(number.as_bytes(), [b'1'..=b'9'])
        )
}

/// Whether `name` follows the rule for domains, `[a-z][a-z0-9_]{0,63}`.
pub(crate) fn is_domain_name(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_'))
}

/// Whether `stem` follows the rule for files, `[a-z0-9][a-z0-9_-]{0,63}`.
pub(crate) fn is_file_stem(stem: &str) -> bool {
    stem.len() <= 64
        && stem.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && stem.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'))
}

/// A name in the form the rule asks for, where one can be made of `text`: `MyDb` gives `my_db`.
pub(crate) fn as_domain_name(text: &str) -> Option<String> {
    let mut name = String::new();
    let mut after_lower = false;
    for c in text.chars() {
        if c.is_ascii_uppercase() && after_lower {
            name.push('_');
        }
        after_lower = c.is_ascii_lowercase() || c.is_ascii_digit();
        match c {
            'a'..='z' | '0'..='9' | '_' => name.push(c),
            'A'..='Z' => name.push(c.to_ascii_lowercase()),
            '-' | ' ' | '.' | '/' | ':' => name.push('_'),
            _ => return None,
        }
    }
    let name = name.trim_start_matches('_').to_owned();
    (is_domain_name(&name) && problem_with_word(&name).is_none()).then_some(name)
}

/// What else a well-formed name means, if it cannot be a domain's.
pub(crate) fn problem_with_word(name: &str) -> Option<String> {
    if is_keyword(name) {
        Some(format!("`{name}` is a keyword of Rust"))
    } else if Level::named(name).is_some() {
        Some(format!("`{name}` is a level, and `{name}.log` is that level's file"))
    } else if name == "exception" {
        Some("`exception` is a logging method".to_owned())
    } else if RESERVED.contains(&name) {
        Some(format!("`{name}` already means something on a repository or its module"))
    } else if is_device(name) {
        Some(format!("`{name}` is a device on Windows, where no file can be called `{name}.log`"))
    } else {
        None
    }
}

/// The enum variant of a domain: `cache_l2` gives `CacheL2`.
pub(crate) fn variant(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for part in name.split('_') {
        let mut letters = part.chars();
        out.extend(letters.next().map(|c| c.to_ascii_uppercase()));
        out.push_str(letters.as_str());
    }
    out
}

/// The known word that `given` was most likely meant to be, if any is near enough.
pub(crate) fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let given = given.to_lowercase();
    let limit = (given.chars().count() / 3).max(1);
    known
        .into_iter()
        .filter_map(|word| {
            let short_form = given.len() >= 3 && (word.starts_with(&given) || given.starts_with(word));
            let distance = if short_form { 1 } else { distance(&given, word) };
            (distance <= limit).then_some((distance, word))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// How many letters to insert, remove, replace or swap to turn one word into the other.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replace = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replace.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variants_are_camel_case() {
        assert_eq!(variant("cache_l2"), "CacheL2");
        assert_eq!(variant("a_1"), variant("a1"));
        assert_eq!(variant("self_"), "Self");
    }

    #[test]
    fn only_whole_device_names_are_devices() {
        assert!(is_device("con") && is_device("com1") && is_device("lpt9"));
        assert!(!is_device("connections") && !is_device("com0") && !is_device("com10") && !is_device("com"));
    }

    #[test]
    fn a_near_word_is_found_and_a_far_one_is_not() {
        assert_eq!(nearest("wraning", level_names()), Some("warning"));
        assert_eq!(nearest("warn", level_names()), Some("warning"));
        assert_eq!(nearest("ERROR", level_names()), Some("error"));
        assert_eq!(nearest("maxlevel", OPTIONS), Some("max_level"));
        assert_eq!(nearest("colour", OPTIONS), None);
    }

    #[test]
    fn names_are_brought_into_the_form_of_the_rule() {
        assert_eq!(as_domain_name("MyDb").as_deref(), Some("my_db"));
        assert_eq!(as_domain_name("DB").as_deref(), Some("db"));
        assert_eq!(as_domain_name("Größe"), None);
        assert_eq!(as_domain_name("Error"), None);
    }

    #[test]
    fn stems_are_bounded_and_stay_in_the_folder() {
        assert!(is_file_stem("0-a_b") && is_file_stem(&"a".repeat(64)));
        for bad in ["", ".", "..", "../x", "a/b", "-rf", "App", "a.b", "a ", "app\n", "a\0"] {
            assert!(!is_file_stem(bad), "{bad:?}");
        }
        assert!(!is_file_stem(&"a".repeat(65)));
    }
}
