//! The rules for the names of domains and their files, each with what to write instead.

use proc_macro2::Ident;
use syn::ext::IdentExt as _;

use crate::words;

/// What is wrong with `name` as a domain's name, by itself. `known` are all names of the list.
pub(crate) fn domain(name: &Ident, known: &[String]) -> Option<String> {
    let written = name.to_string();
    let text = name.unraw().to_string();
    if written == "_" {
        return Some("`_` is not a name; write the domain's name, such as `app`".to_owned());
    }
    if written != text {
        return Some(match words::problem_with_word(&text) {
            Some(_) => format!(
                "`{written}` cannot be a domain: `{text}` is a keyword of Rust; write another name, such as `{text}_log`"
            ),
            None => format!("a domain's name is written without `r#`; write `{text}`"),
        });
    }
    if let Some(problem) = words::problem_with_word(&text) {
        return Some(format!("{problem}; write another name, such as `{text}_log`"));
    }
    if words::is_domain_name(&text) {
        return None;
    }
    let lower = text.to_lowercase();
    if lower != text && known.contains(&lower) {
        return Some(format!(
            "`{text}` differs from `{lower}` only by case, and both would write `{lower}.log`; remove one of them"
        ));
    }
    if text.len() > 64 {
        return Some(format!(
            "a domain's name has at most 64 characters, this one has {}",
            text.chars().count()
        ));
    }
    let instead = words::as_domain_name(&text).map_or(String::new(), |name| format!("; write `{name}`"));
    Some(format!(
        "a domain's name is made of `a` to `z`, `0` to `9` and `_`, and begins with a letter: `{text}` is not{instead}"
    ))
}

/// What is wrong with `stem` as the name of a domain's file, by itself.
pub(crate) fn file(stem: &str) -> Option<String> {
    if !words::is_file_stem(stem) {
        let bare = stem.strip_suffix(".log").filter(|bare| words::is_file_stem(bare));
        let instead = match bare {
            Some(bare) => format!("; `.log` is added by itself, write `{bare}`"),
            None => words::as_domain_name(stem).map_or(String::new(), |name| format!("; write `{name}`")),
        };
        return Some(format!(
            "a file's name is `[a-z0-9][a-z0-9_-]{{0,63}}`, without folder and extension: {stem:?} is not{instead}"
        ));
    }
    if words::Level::named(stem).is_some() {
        return Some(format!(
            "`{stem}.log` is the file of the level `{stem}`; write another name, such as \"{stem}_domain\""
        ));
    }
    if words::is_device(stem) {
        return Some(format!(
            "`{stem}` is a device on Windows, where no file can be called `{stem}.log`; write another name, such as \"{stem}_log\""
        ));
    }
    None
}
