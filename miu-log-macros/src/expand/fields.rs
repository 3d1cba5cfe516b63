//! Fields alone, as an expression of type `Fields`:
//!
//! ```text
//! match (&(n), &(user)) {
//!     (__v0, __v1) => {
//!         let mut __scratch = Scratch::new();
//!         let mut __fields = FieldsBuilder::new();
//!         add_field(&mut __fields, "n", __v0);
//!         let __s1 = FieldArg(__v1).display(&mut __scratch, format_args!("{}", *__v1));
//!         FieldsBuilder::add(&mut __fields, "user", &__scratch, &__s1);
//!         FieldsBuilder::finish(__fields)
//! ```
//!
//! What holds for the values of a statement (`record`) holds here.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};

use super::record::{function, local, reference, stage, traits, value_name, values};
use crate::lower::record::{Fields, Staged};

/// The expression; where there are mistakes these, and no fields.
pub(crate) fn expand(model: &Fields) -> TokenStream {
    let path = &model.path;
    let p = quote!(#path::__private);
    let site = Span::mixed_site();
    if let Some(mistakes) = &model.mistakes {
        let errors = mistakes.to_compile_error();
        let references = model.values.iter().map(reference);
        return quote_spanned!(site=> {
            if false { #(let _ = #references;)* }
            #errors
            #p::Fields::new()
        });
    }
    if model.values.is_empty() {
        return quote_spanned!(site=> #p::Fields::new());
    }
    let (fields, scratch) = (local("fields", site), local("scratch", site));
    let adds = model.fields.iter().enumerate().map(|(index, (name, staged))| {
        if let Staged::Typed { value, is_secret } = staged {
            // In one call, so that a type which is no field's is reported once.
            let first = model.values[*value].first;
            let (add, _) = function(&p, if *is_secret { "add_secret_field" } else { "add_field" }, first);
            let value = value_name(*value, first);
            return quote_spanned!(site=> #add(&mut #fields, #name, #value););
        }
        let value = stage(&model.values, &p, staged, &scratch);
        let stage = local(&format!("s{index}"), site);
        quote_spanned!(site=>
            let #stage = #value;
            #p::FieldsBuilder::add(&mut #fields, #name, &#scratch, &#stage);
        )
    });
    let traits = traits(&p, &model.fields.iter().map(|(_, staged)| staged).collect::<Vec<_>>());
    let body = quote_spanned!(site=>
        #traits
        #[allow(unused_mut, unused_variables)]
        let mut #scratch = #p::Scratch::new();
        let mut #fields = #p::FieldsBuilder::new();
        #(#adds)*
        #p::FieldsBuilder::finish(#fields)
    );
    let names = (0..model.values.len()).map(|index| local(&format!("v{index}"), site));
    values(&model.values, &quote!((#(#names,)*)), &body)
}
