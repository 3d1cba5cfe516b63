//! `main`: whether the function can be the program's, and which of its attributes belong to whom.

use proc_macro2::TokenStream;
use syn::Attribute;
use syn::spanned::Spanned as _;

use super::Mistakes;
use crate::parse::main::Function;

/// The program's function, as it is and as it is called.
pub(crate) struct Main {
    /// What decides whether the function is there at all, and what it is for.
    pub(crate) outer: Vec<Attribute>,
    /// Everything else, a runtime's attribute above all: it changes the function that it stands on.
    pub(crate) inner: Vec<Attribute>,
    pub(crate) function: Function,
}

/// Mistakes, and the function.
pub(crate) struct Rejected {
    pub(crate) error: syn::Error,
    pub(crate) function: Function,
}

/// Attributes that are about the item, and not about its code.
const OF_THE_ITEM: [&str; 2] = ["cfg", "doc"];
/// Attributes that make no runtime.
const NO_RUNTIME: [&str; 6] = ["allow", "expect", "warn", "deny", "forbid", "inline"];

/// Checks the function.
pub(crate) fn lower(arguments: TokenStream, function: Function) -> Result<Main, Box<Rejected>> {
    let mut mistakes = Mistakes::default();
    if !arguments.is_empty() {
        mistakes.on(&arguments, "`miu_log::main` takes no arguments: the repository is opened in `main`");
    }
    let signature = &function.signature;
    if signature.ident != "main" {
        mistakes.at(
            signature.ident.span(),
            format!(
                "`miu_log::main` goes on the function `main`, where the program begins, not on `{}`",
                signature.ident
            ),
        );
    }
    if !signature.inputs.is_empty() {
        mistakes.on(&signature.inputs, "`main` takes no arguments; `std::env::args()` has the program's");
    }
    if !signature.generics.params.is_empty() {
        mistakes.on(&signature.generics, "`main` cannot be generic");
    }
    let is = |attribute: &Attribute, names: &[&str]| names.iter().any(|name| attribute.path().is_ident(name));
    let makes_no_runtime = |attribute: &Attribute| is(attribute, &OF_THE_ITEM) || is(attribute, &NO_RUNTIME);
    if let Some(keyword) = &signature.asyncness
        && function.attributes.iter().all(makes_no_runtime)
    {
        mistakes.at(
            keyword.span(),
            "an `async fn main` needs a runtime, whose attribute stands below this one, such as `#[tokio::main]`",
        );
    }
    match mistakes.into_error() {
        Some(error) => Err(Box::new(Rejected { error, function })),
        None => {
            let (outer, inner) =
                function.attributes.iter().cloned().partition(|attribute| is(attribute, &OF_THE_ITEM));
            Ok(Main { outer, inner, function })
        }
    }
}
