//! `main`: the function, its body kept as it is and never parsed.

use proc_macro2::{Group, Span, TokenStream, TokenTree};
use syn::parse::{ParseStream, Parser as _};
use syn::{Attribute, Signature, Visibility};

/// A function without its body, and its body.
pub(crate) struct Function {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) signature: Signature,
    pub(crate) body: Group,
}

/// An item that `main` cannot be put on.
pub(crate) struct NotAFunction {
    pub(crate) item: TokenStream,
    pub(crate) error: syn::Error,
}

/// Takes the item apart, if it is a function.
pub(crate) fn function(item: TokenStream) -> Result<Function, NotAFunction> {
    head.parse2(item.clone()).map_err(|_| {
        let place = item.clone().into_iter().next().as_ref().map_or_else(Span::call_site, TokenTree::span);
        let error = syn::Error::new(
            place,
            "`main` goes on the function `main`; write `#[miu_log::main] fn main() { … }`",
        );
        NotAFunction { item, error }
    })
}

fn head(input: ParseStream<'_>) -> syn::Result<Function> {
    Ok(Function {
        attributes: input.call(Attribute::parse_outer)?,
        visibility: input.parse()?,
        signature: input.parse()?,
        body: input.parse()?,
    })
}
