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
//!                 use {ArgAny, ArgRaw};
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
use quote::{ToTokens as _, quote, quote_spanned};

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
            (quote!(#p::core::option::Option::None), quote!(#level), Some(expr.to_token_stream()))
        }
    };
    let (scrutinee, pattern) = match level_expr {
        None => {
            let logger_expr = reference(&record.logger.tokens);
            (logger_expr, quote!(#logger))
        }
        Some(expr) => {
            let logger_expr = reference(&record.logger.tokens);
            // Its type is written down here, where a mismatch is reported once.
            let checked = quote_spanned!(site=> { let #level: #p::Level = #expr; #level });
            (quote!((#logger_expr, #checked)), quote!((#logger, #level)))
        }
    };
    let is_enabled = enabled(&p, &record.logger, &level_value);
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
            #pattern => if #is_enabled { #body }
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
        #p::outline(|| {
            let mut #scratch = #p::Scratch::new();
            #(#stages)*
            #p::submit(#p::AsLogger::as_logger(#logger), &CALLSITE, #level, &mut #scratch, #nested);
        });
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
            // What is asked of the value's type is asked by `value` and again by `submit`. The compiler
            // takes both for one mistake as long as it marks the whole statement for both, and then
            // underlines the value in it: so the value's own mark must not have the origin of the path.
            let Value { first, .. } = record.values[*value];
            let (function, _) = function(p, "value", first);
            let name = value_name(*value, first);
            quote!(#function(#name))
        }
    }
}

/// `format_args!("{:spec}", *v0, …)`, every value with its own span.
fn format_args(p: &TokenStream, record: &Record, values: &[usize], placeholder: &str) -> TokenStream {
    let mut text = Literal::string(placeholder);
    text.set_span(Span::mixed_site().located_at(record.values[values[0]].first));
    let operands = values.iter().map(|index| {
        let value = &record.values[*index];
        let star = punct('*', value.first.resolved_at(Span::mixed_site()));
        let name = value_name(*index, value.last);
        quote!(#star #name)
    });
    quote!(#p::core::format_args!(#text, #(#operands),*))
}

/// `&(expr)`.
fn reference(expr: &TokenStream) -> TokenStream {
    quote_spanned!(Span::mixed_site()=> &(#expr))
}

/// `P::enabled(&*logger, level)`. Path and argument carry the span of the user's logger and the
/// origin of `$crate`: what is asked of the logger's type is then reported at the logger and not at
/// the whole statement.
fn enabled(p: &TokenStream, logger: &Value, level: &TokenStream) -> TokenStream {
    let (function, origin) = function(p, "enabled", logger.first);
    let ampersand = punct('&', origin);
    let star = punct('*', origin);
    let name = local("logger", logger.last.resolved_at(Span::mixed_site()));
    quote!(#function(#ampersand #star #name, #level))
}

/// `P::name`, shown at `place`, and the span of its first token, which tells its origin.
fn function(p: &TokenStream, name: &str, place: Span) -> (TokenStream, Span) {
    let name = local(name, Span::mixed_site());
    let mut origin = None;
    let path = quote!(#p::#name)
        .into_iter()
        .map(|mut token| {
            // Where the token is shown changes, what it means does not.
            token.set_span(token.span().located_at(place));
            origin.get_or_insert(token.span());
            token
        })
        .collect();
    (path, origin.unwrap_or(place))
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
    punct.set_span(span);
    TokenTree::Punct(punct)
}
