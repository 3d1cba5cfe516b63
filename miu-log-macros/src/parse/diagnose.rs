//! `#[diagnose(fields…)]` on a function.

use proc_macro2::{Span, TokenStream};
use syn::parse::Parser as _;
use syn::{ItemFn, Token};

use super::record::{self, Field};

/// The function, and what is captured in it.
pub(crate) struct Diagnose {
    pub(crate) function: ItemFn,
    pub(crate) fields: Vec<Field>,
}

/// What is wrong, and the item as it was.
pub(crate) struct Refused {
    pub(crate) error: syn::Error,
    pub(crate) item: TokenStream,
}

/// Reads the attribute's arguments and the item it stands on.
pub(crate) fn parse(arguments: TokenStream, item: TokenStream) -> Result<Diagnose, Refused> {
    let refused = |error: syn::Error| Refused { error, item: item.clone() };
    let function: ItemFn = syn::parse2(item.clone()).map_err(|error| {
        refused(syn::Error::new(error.span(), "`#[diagnose]` belongs on a function with a body"))
    })?;
    if let Some(token) = function.sig.constness {
        return Err(refused(const_function(token)));
    }
    let fields = record::fields.parse2(arguments).map_err(refused)?;
    if fields.is_empty() {
        let what = "what is to be shown with errors is missing; write `#[diagnose(argument, name = ?value)]`";
        return Err(refused(syn::Error::new(Span::call_site(), what)));
    }
    Ok(Diagnose { function, fields })
}

fn const_function(token: Token![const]) -> syn::Error {
    syn::Error::new(token.span, "a `const fn` cannot be diagnosed: nothing is logged while it is compiled")
}
