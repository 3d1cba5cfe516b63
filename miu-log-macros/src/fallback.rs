//! What is emitted for input with mistakes: the mistakes, and a stub of the shape that was wanted,
//! so that code which uses it compiles and no second error follows from the first.

use proc_macro2::TokenStream;
use quote::quote;

use crate::expand;
use crate::lower::domains::Rejected;
use crate::parse::domains::NotAModule;

/// The mistakes of a `log_domains`, and the module with every domain that could be understood.
///
/// The stub is what `expand` makes of that model: it is never run, and so cannot have a shape of
/// its own that some use does not fit.
pub(crate) fn domains(path: &TokenStream, rejected: Rejected) -> TokenStream {
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

/// The mistakes of a logging statement, as an expression of the type that the statement has.
pub(crate) fn record(errors: &syn::Error) -> TokenStream {
    let errors = errors.to_compile_error();
    quote!({ #errors })
}
