//! A function whose chosen arguments are shown with the errors inside it: the function, and as its first statement
//!
//! ```text
//! let __diagnosis = diagnosis(if is_diagnosing() { fields } else { Fields::new() });
//! ```
//!
//! An async function's body becomes a future that has them in force while it is polled. The statement before it that is never reached tells the
//! compiler the type of its `return` and `?`.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens as _, quote, quote_spanned};
use syn::{ItemFn, ReturnType};

use super::record::local;

/// The function. `fields` is an expression, `p` the path of `__private`.
pub(crate) fn expand(p: &TokenStream, function: &ItemFn, fields: &TokenStream) -> TokenStream {
    let ItemFn { attrs, vis, sig, block, .. } = function;
    let site = Span::mixed_site();
    let captured = quote_spanned!(site=> if #p::is_diagnosing() { #fields } else { #p::Fields::new() });
    if sig.asyncness.is_none() {
        let statements = &block.stmts;
        let scope = local("diagnosis", site);
        return quote! {
            #(#attrs)* #vis #sig {
                let #scope = #p::diagnosis(#captured);
                #(#statements)*
            }
        };
    }
    let returned = match &sig.output {
        ReturnType::Default => quote!(()),
        ReturnType::Type(_, kind) => kind.to_token_stream(),
    };
    let value = local("never", site);
    let hint = (!names_a_trait(&returned)).then(|| {
        quote_spanned!(site=>
            #[allow(unreachable_code, clippy::diverging_sub_expression, clippy::let_unit_value, clippy::empty_loop)]
            if false {
                let #value: #returned = loop {};
                return #value;
            }
        )
    });
    quote! {
        #(#attrs)* #vis #sig {
            #p::diagnosed(#captured, async move {
                #hint
                #block
            }).await
        }
    }
}

/// Whether `impl Trait` stands in the type: no variable can have it.
fn names_a_trait(kind: &TokenStream) -> bool {
    kind.clone().into_iter().any(|token| match token {
        proc_macro2::TokenTree::Ident(name) => name == "impl",
        proc_macro2::TokenTree::Group(group) => names_a_trait(&group.stream()),
        _ => false,
    })
}
