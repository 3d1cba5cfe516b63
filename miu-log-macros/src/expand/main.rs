//! `main`: the user's function inside one of the same name, which begins and ends the program.
//!
//! The user's attributes stay with the inner one, so that a runtime's makes it a function that can be called. It keeps its name, which stands in the
//! records that it logs.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};

use crate::lower::main::{Main, Rejected};
use crate::parse::main::Function;

/// The program's function, complete. `path` is the crate's path, `::miu_log` as a rule.
pub(crate) fn expand(path: &TokenStream, model: &Main) -> TokenStream {
    let Main { outer, inner, function } = model;
    let Function { visibility, signature, body, .. } = function;
    let (name, output) = (&signature.ident, &signature.output);
    let p = quote!(#path::__private);
    // Where the function's name stands is what a record gives as the place of its end.
    let run = quote_spanned!(name.span()=> #p::program);
    quote! {
        #(#outer)*
        #visibility fn #name() #output {
            #(#inner)*
            #signature #body
            #[allow(unused_imports)]
            use #p::{EndsByError as _, EndsByOther as _, EndsBySource as _, EndsByText as _};
            #run(#name, |__miu_log_outcome| (&&&&#p::Outcome(__miu_log_outcome)).__miu_log_ending())
        }
    }
}

/// The function, never called, inside one that can be the program's.
pub(crate) fn stub(rejected: &Rejected) -> TokenStream {
    let Function { attributes, visibility, signature, body } = &rejected.function;
    let error = rejected.error.to_compile_error();
    if signature.ident != "main" {
        return quote!(#error #(#attributes)* #visibility #signature #body);
    }
    let name = &signature.ident;
    quote! {
        #error
        #visibility fn #name() {
            #[allow(dead_code)]
            #signature #body
        }
    }
}
