//! What is emitted for input with mistakes: the mistakes, and a stub of the shape that was wanted,
//! so that code which uses it compiles and no second error follows from the first.

use proc_macro2::TokenStream;
use quote::quote;

use crate::expand;
use crate::lower::{domains, record};
use crate::parse::diagnose::Refused;
use crate::parse::domains::NotAModule;
use crate::parse::main::NotAFunction;

/// The mistakes of a `log_domains`, and the module with every domain that could be understood.
///
/// The stub is what `expand` makes of that model: it is never run, and so cannot have a shape of
/// its own that some use does not fit.
pub(crate) fn domains(path: &TokenStream, rejected: domains::Rejected) -> TokenStream {
    let errors = rejected.error.to_compile_error();
    let stub = expand::domains::expand(path, &rejected.stub);
    quote!(#errors #stub)
}

/// The item that `log_domains` does not belong on, as it was.
pub(crate) fn not_a_module(refused: NotAModule) -> TokenStream {
    let errors = refused.error.to_compile_error();
    let item = refused.item;
    quote!(#errors #item)
}

/// The item that `main` does not belong on, as it was.
pub(crate) fn not_a_function(refused: NotAFunction) -> TokenStream {
    let errors = refused.error.to_compile_error();
    let item = refused.item;
    quote!(#errors #item)
}

/// Tokens that are no fields: the mistakes, and no fields.
pub(crate) fn not_fields(path: &TokenStream, error: &syn::Error) -> TokenStream {
    let errors = error.to_compile_error();
    quote!({ #errors #path::__private::Fields::new() })
}

/// A function that `diagnose` cannot take, or with arguments that make no sense: the mistakes, and the function as it was.
pub(crate) fn not_diagnosed(refused: &Refused) -> TokenStream {
    let errors = refused.error.to_compile_error();
    let item = &refused.item;
    quote!(#errors #item)
}

/// Tokens that are no logging statement: the mistakes, as an expression of the type that one has.
pub(crate) fn not_a_statement(error: &syn::Error) -> TokenStream {
    let errors = error.to_compile_error();
    quote!({ #errors })
}

/// The mistakes of a logging statement, with its expressions in use where the expansion has them:
/// none of their variables is called unused on top of the mistake, and an editor, which expands the
/// statement with and without the name that is being typed, finds both at the same place.
pub(crate) fn record(rejected: &record::Rejected) -> TokenStream {
    let errors = rejected.error.as_ref().map(syn::Error::to_compile_error);
    expand::record::stub(rejected, errors)
}
