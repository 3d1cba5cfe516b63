//! A logging statement as an expression of type `()`.
//!
//! The shape, for `info!(repo.db, rows = n, "took {} ms", ms)`:
//!
//! ```text
//! match &(repo.db) {
//!     logger => if enabled(logger, Level::Info) {
//!         match (&(n), &(ms)) {
//!             (v0, v1) => {
//!                 fn here() {}
//!                 static CALLSITE: Callsite = …;
//!                 use {ArgRaw, ArgAny};
//!                 let mut scratch = Scratch::new();
//!                 let s0 = Arg(v1).display(&mut scratch, format_args!("{}", *v1));
//!                 let s1 = value(v0);
//!                 submit(logger, &CALLSITE, Level::Info, &mut scratch, (s0, (s1, ())));
//! ```
//!
//! - The user's expressions stand outside the block that has items in it: they cannot see `here` or
//!   `CALLSITE`. The locals are of mixed-site hygiene: they cannot be seen either.
//! - `match` instead of `let` keeps temporaries in the user's expressions alive until the record is
//!   submitted.
//! - Every use of a value carries the span of the user's expression, so that a missing trait is
//!   reported there, in `std`'s own words.
//! - All of the user's code has run before the first byte is staged.

use proc_macro2::{Ident, Literal, Punct, Spacing, Span, TokenStream, TokenTree};
use quote::{quote, quote_spanned};

use crate::lower::record::{Record, Staged, Value};
use crate::parse::record::StatementLevel;

/// The statement.
pub(crate) fn expand(record: &Record) -> TokenStream {
    let path = &record.path;
    let p = quote!(#path::__private);
    let site = Span::mixed_site();
    let logger = local("logger", site);
    let level = local("level", site);

    let (static_level, level_value, level_expr) = match &record.level {
        StatementLevel::Fixed(fixed) => {
            let variant = Ident::new(fixed.variant(), site);
            let value = quote!(#p::Level::#variant);
            (quote!(#p::core::option::Option::Some(#value)), value, None)
        }
        StatementLevel::Dynamic(expr) => {
            let value = Value::new(expr);
            let named = local("level", value.first.resolved_at(site));
            (quote!(#p::core::option::Option::None), quote!(#named), Some(value.tokens))
        }
    };
    let (scrutinee, pattern) = match level_expr {
        None => {
            let logger_expr = reference(&record.logger.tokens);
            (logger_expr, quote!(#logger))
        }
        Some(expr) => {
            let logger_expr = reference(&record.logger.tokens);
            (quote!((#logger_expr, #expr)), quote!((#logger, #level)))
        }
    };
    let enabled_logger = reborrow(&record.logger, "logger");
    let body = body(record, &p, &static_level, &level_value);
    let body = if record.values.is_empty() {
        body
    } else {
        let references = record.values.iter().map(|value| reference(&value.tokens));
        let names = (0..record.values.len()).map(|index| local(&format!("v{index}"), site));
        quote_spanned!(site=>
            match (#(#references,)*) {
                (#(#names,)*) => { #body }
            }
        )
    };
    quote_spanned!(site=>
        match #scrutinee {
            #pattern => if #p::enabled(#enabled_logger, #level_value) { #body }
        }
    )
}

/// What happens when the level is enabled and the values are known.
fn body(record: &Record, p: &TokenStream, static_level: &TokenStream, level: &TokenStream) -> TokenStream {
    let site = Span::mixed_site();
    let template = &record.template;
    let field_names = record.fields.iter().map(|(name, _)| name);
    let logger = local("logger", site);
    let scratch = local("scratch", site);

    let staged: Vec<&Staged> =
        record.arguments.iter().chain(record.fields.iter().map(|(_, staged)| staged)).collect();
    let names: Vec<Ident> = (0..staged.len()).map(|index| local(&format!("s{index}"), site)).collect();
    let stages = staged.iter().zip(&names).map(|(staged, name)| {
        let value = stage(record, p, staged, &scratch);
        quote_spanned!(site=> let #name = #value;)
    });
    let nested = names.iter().rev().fold(quote!(()), |rest, name| quote!((#name, #rest)));
    let uses_traits = staged.iter().any(|staged| {
        matches!(staged, Staged::Display { .. } | Staged::Debug { .. } | Staged::Number { .. })
    });
    let traits = uses_traits.then(|| {
        quote_spanned!(site=>
            #[allow(unused_imports)]
            use #p::{ArgAny as _, ArgRaw as _};
        )
    });
    quote_spanned!(site=>
        fn here() {}
        static CALLSITE: #p::Callsite = #p::Callsite::new(
            #static_level,
            #template,
            &[#(#field_names),*],
            #p::core::file!(),
            #p::core::line!(),
            #p::core::column!(),
            #p::core::module_path!(),
            || #p::enclosing_function(#p::core::any::type_name_of_val(&here)),
        );
        #traits
        let mut #scratch = #p::Scratch::new();
        #(#stages)*
        #p::submit(#p::AsLogger::as_logger(#logger), &CALLSITE, #level, &mut #scratch, #nested);
    )
}

/// The expression that stages one value.
fn stage(record: &Record, p: &TokenStream, staged: &Staged, scratch: &Ident) -> TokenStream {
    let raw = |method: &str, index: usize, placeholder: &str| {
        let value = &record.values[index];
        let name = value_name(index, value.last);
        let method = Ident::new(method, Span::mixed_site());
        let text = format_args(p, record, &[index], placeholder);
        quote!(#p::Arg(#name).#method(&mut #scratch, #text))
    };
    match staged {
        Staged::Display { value, placeholder } => raw("display", *value, placeholder),
        Staged::Debug { value, placeholder } => raw("debug", *value, placeholder),
        Staged::Number { value, placeholder } => raw("number", *value, placeholder),
        Staged::Eager { values, placeholder } => {
            let text = format_args(p, record, values, placeholder);
            quote!(#scratch.eager(#text))
        }
        Staged::Typed { value } => {
            let value = reborrow(&record.values[*value], &format!("v{value}"));
            quote!(#p::value(#value))
        }
    }
}

/// `format_args!("{:spec}", *v0, …)`, every value with its own span.
fn format_args(p: &TokenStream, record: &Record, values: &[usize], placeholder: &str) -> TokenStream {
    let mut text = Literal::string(placeholder);
    text.set_span(Span::mixed_site().located_at(record.values[values[0]].first));
    let operands = values.iter().map(|index| {
        let value = &record.values[*index];
        let star = punct('*', value.first);
        let name = value_name(*index, value.last);
        quote!(#star #name)
    });
    quote!(#p::core::format_args!(#text, #(#operands),*))
}

/// `&(expr)`.
fn reference(expr: &TokenStream) -> TokenStream {
    quote_spanned!(Span::mixed_site()=> &(#expr))
}

/// `&*name`, with the span of the user's expression from its first token to its last, so that a
/// compiler error about the value marks all of the expression.
fn reborrow(value: &Value, name: &str) -> TokenStream {
    let ampersand = punct('&', value.first);
    let star = punct('*', value.first);
    let name = local(name, value.last.resolved_at(Span::mixed_site()));
    quote!(#ampersand #star #name)
}

fn value_name(index: usize, span: Span) -> Ident {
    local(&format!("v{index}"), span.resolved_at(Span::mixed_site()))
}

/// A local variable of the expansion.
fn local(name: &str, span: Span) -> Ident {
    Ident::new(name, span)
}

fn punct(c: char, span: Span) -> TokenTree {
    let mut punct = Punct::new(c, Spacing::Alone);
    punct.set_span(span.resolved_at(Span::mixed_site()));
    TokenTree::Punct(punct)
}
