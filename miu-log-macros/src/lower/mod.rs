//! Syntax to models that `expand` can turn into tokens without a way to fail: every check is here,
//! and every mistake of one input is reported together.

pub(crate) mod domains;
pub(crate) mod main;
mod names;
pub(crate) mod record;

/// Collects mistakes, so that one input reports all of them.
#[derive(Default)]
pub(crate) struct Mistakes(Option<syn::Error>);

impl Mistakes {
    /// Adds a mistake at `span`.
    pub(crate) fn at(&mut self, span: proc_macro2::Span, what: impl std::fmt::Display) {
        self.add(syn::Error::new(span, what));
    }

    /// Adds a mistake that covers all of `tokens`.
    pub(crate) fn on(&mut self, tokens: impl quote::ToTokens, what: impl std::fmt::Display) {
        self.add(syn::Error::new_spanned(tokens, what));
    }

    /// Adds mistakes that somebody else found.
    pub(crate) fn add(&mut self, error: syn::Error) {
        match &mut self.0 {
            Some(first) => first.combine(error),
            none => *none = Some(error),
        }
    }

    /// The mistakes, if there were any.
    pub(crate) fn into_error(self) -> Option<syn::Error> {
        self.0
    }
}
