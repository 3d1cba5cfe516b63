//! What is wrong with a document: everything, each with its place.

use super::node::At;
use crate::error::Error;

/// More than these are not listed: a document that is none at all would fill a screen.
const MOST: usize = 20;

/// The problems of one document.
#[derive(Debug)]
pub(super) struct Problems {
    /// What the document is called.
    file: String,
    found: Vec<Problem>,
}

#[derive(Debug)]
struct Problem {
    /// None: of the whole document.
    at: Option<At>,
    text: String,
    /// What holds instead, for those that are lenient.
    default: Option<&'static str>,
}

impl Problems {
    pub(super) fn of(file: impl Into<String>) -> Problems {
        Problems { file: file.into(), found: Vec::new() }
    }

    /// A place in words: `config.yml:3:8: domains.db`.
    pub(super) fn place(&self, at: At, path: &str) -> String {
        let At { line, column } = at;
        if path.is_empty() {
            format!("{}:{line}:{column}", self.file)
        } else {
            format!("{}:{line}:{column}: {path}", self.file)
        }
    }

    pub(super) fn add(&mut self, at: At, path: &str, problem: impl std::fmt::Display) {
        let text = format!("{}: {problem}", self.place(at, path));
        self.found.push(Problem { at: Some(at), text, default: None });
    }

    /// One about the whole document.
    pub(super) fn add_general(&mut self, problem: impl std::fmt::Display) {
        self.found.push(Problem { at: None, text: format!("{}: {problem}", self.file), default: None });
    }

    /// One that is not about the document, but in the same list.
    pub(super) fn add_other(&mut self, problem: String) {
        self.found.push(Problem { at: None, text: problem, default: None });
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.found.len()
    }

    /// What holds instead of a value that was wrong, where nothing more particular is known: for those that are lenient.
    pub(super) fn note_default(&mut self, since: usize, default: &'static str) {
        for problem in self.found.iter_mut().skip(since).filter(|problem| problem.default.is_none()) {
            problem.default = Some(default);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// In the order of the document.
    pub(super) fn into_texts(self) -> Vec<String> {
        self.into_sorted().into_iter().map(|problem| problem.text).collect()
    }

    /// The same, each with what holds instead.
    pub(super) fn into_remarks(self) -> Vec<String> {
        let remark = |Problem { text, default, .. }: Problem| match default {
            Some(default) => format!("{text}; the default is taken: {default}"),
            None => format!("{text}; it is left out"),
        };
        self.into_sorted().into_iter().map(remark).collect()
    }

    fn into_sorted(mut self) -> Vec<Problem> {
        self.found.sort_by_key(|problem| problem.at.map_or((1, At::default()), |at| (0, at)));
        self.found
    }

    /// All of it as one error, a line each.
    pub(super) fn into_error(self) -> Error {
        let mut texts = self.into_texts();
        let more = texts.len().saturating_sub(MOST);
        texts.truncate(MOST);
        if more > 0 {
            texts.push(format!("and {more} more"));
        }
        Error::config(texts.join("\n"))
    }
}
