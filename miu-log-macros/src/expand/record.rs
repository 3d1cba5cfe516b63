//! A logging statement as an expression of type `()`.
//!
//! The shape, for `info!(repo.db, rows = n, "took {} ms", ms)`:
//!
//! ```text
//! match &(repo.db) {
//!     __logger => if enabled(__logger, Level::Info) {
//!         match (&(n), &(ms)) {
//!             (__v0, __v1) => {
//!                 fn here() {}
//!                 static CALLSITE: Callsite = …;
//!                 use {ArgAny, ArgRaw};
//!                 outline(|| {
//!                     let mut __scratch = Scratch::new();
//!                     let __s0 = Arg(__v1).display(&mut __scratch, format_args!("{}", *__v1));
//!                     let __s1 = value(__v0);
//!                     submit(__logger, &CALLSITE, Level::Info, &mut __scratch, (__s0, (__s1, ())));
//!                 });
//! ```
//!
//! - The user's expressions stand outside the block that has items in it: they cannot see `here` or
//!   `CALLSITE`. They stand outside the closure too, so `?`, `return`, `break` and `.await` in them
//!   mean what they mean around the statement.
//! - What is in the closure runs in a function that is never inlined: a statement that is disabled
//!   costs its function the check and no registers.
//! - Across an `.await` in a value live references to the logger and to the values before it, and
//!   nothing else: the future is `Send` where those are `Sync`.
//! - The locals are of mixed-site hygiene: the user's expressions cannot see them. That does not
//!   keep them apart from the user's `static` and `const` items, which a pattern of the same name
//!   would mean, so their names are none that a user has.
//! - `match` instead of `let` keeps temporaries in the user's expressions alive until the record is
//!   submitted.
//! - Every use of a value carries the span of the user's expression, so that a missing trait is
//!   reported there, in `std`'s own words.
//! - All of the user's code has run before the first byte is staged.
//! - A field whose name says that it is a secret is staged by `secret_value` or `SecretArg`, which put `***` in its place. The
//!   expression has been evaluated then, and is neither formatted nor copied.
//! - A statement with a mistake expands to the same text as a sound one, up to the last of the user's
//!   expressions or the first one that is unfinished. An editor expands what is there and the same
//!   with a name at the caret, and completes only where the text before the caret is one.

use proc_macro2::{Delimiter, Group, Ident, Literal, Punct, Spacing, Span, TokenStream, TokenTree};
use quote::{quote, quote_spanned};

use super::signal;
use crate::lower::record::{Record, Rejected, Staged, Value};
use crate::parse::record::{StatementLevel, is_unfinished};

/// The statement.
pub(crate) fn expand(record: &Record) -> TokenStream {
    let site = Span::mixed_site();
    let frame = Frame::new(&record.path, &record.level, &record.logger);
    let body = if record.in_handler { signal::body(record, &frame) } else { body(record, &frame) };
    let body = if record.values.is_empty() {
        body
    } else {
        let names = (0..record.values.len()).map(|index| local(&format!("v{index}"), site));
        values(&record.values, &quote!((#(#names,)*)), &body)
    };
    frame.around(&body)
}

/// A statement with mistakes: its expressions, checked as far as they can be, and the errors.
pub(crate) fn stub(rejected: &Rejected, errors: Option<TokenStream>) -> TokenStream {
    let site = Span::mixed_site();
    let Rejected { path, level, logger, values: given, .. } = rejected;
    let frame = Frame::new(path, level, logger);
    let level_is_unfinished = matches!(level, StatementLevel::Dynamic(level) if is_unfinished(level));
    if logger.is_unfinished || level_is_unfinished || given.is_empty() {
        let scrutinee = &frame.scrutinee;
        let references = given.iter().map(reference);
        return quote_spanned!(site=>
            match #scrutinee {
                _ => {
                    if false { #(let _ = #references;)* }
                    #errors
                }
            }
        );
    }
    frame.around(&values(given, &quote!(_), &quote!(#errors)))
}

/// The outer part of a statement: the logger, the level, and the check.
pub(super) struct Frame<'a> {
    pub(super) p: TokenStream,
    logger: &'a Value,
    scrutinee: TokenStream,
    pattern: TokenStream,
    /// The level as the call site knows it: an `Option`.
    static_level: TokenStream,
    pub(super) level: TokenStream,
}

impl<'a> Frame<'a> {
    fn new(path: &TokenStream, given: &StatementLevel, logger: &'a Value) -> Frame<'a> {
        let p = quote!(#path::__private);
        let site = Span::mixed_site();
        let name = local("logger", site);
        let logger_expr = reference(logger);
        match given {
            StatementLevel::Fixed(fixed) => {
                let variant = Ident::new(fixed.variant(), site);
                let level = quote!(#p::Level::#variant);
                let static_level = quote!(#p::core::option::Option::Some(#level));
                Frame { p, logger, scrutinee: logger_expr, pattern: quote!(#name), static_level, level }
            }
            StatementLevel::Dynamic(_) | StatementLevel::Missing => {
                let level = local("level", site);
                let checked = match given {
                    // Its type is written down here, where a mismatch is reported once.
                    StatementLevel::Dynamic(expr) => {
                        quote_spanned!(site=> { let #level: #p::Level = #expr; #level })
                    }
                    _ => quote!(()),
                };
                Frame {
                    scrutinee: quote!((#logger_expr, #checked)),
                    pattern: quote!((#name, #level)),
                    static_level: quote!(#p::core::option::Option::None),
                    level: quote!(#level),
                    p,
                    logger,
                }
            }
        }
    }

    fn around(&self, body: &TokenStream) -> TokenStream {
        let Frame { p, logger, scrutinee, pattern, level, .. } = self;
        let is_enabled = enabled(p, logger, level);
        quote_spanned!(Span::mixed_site()=>
            match #scrutinee {
                #pattern => if #is_enabled { #body }
            }
        )
    }
}

/// The values, evaluated once and in order, around what is done with them.
pub(super) fn values(values: &[Value], pattern: &TokenStream, body: &TokenStream) -> TokenStream {
    let references = values.iter().map(reference);
    quote_spanned!(Span::mixed_site()=>
        match (#(#references,)*) {
            #pattern => { #body }
        }
    )
}

/// What happens when the level is enabled and the values are known.
fn body(record: &Record, frame: &Frame<'_>) -> TokenStream {
    let Frame { p, static_level, level, .. } = frame;
    let site = Span::mixed_site();
    let template = &record.template;
    let field_names = record.fields.iter().map(|(name, _)| name);
    let logger = local("logger", site);
    let scratch = local("scratch", site);

    let staged: Vec<&Staged> =
        record.arguments.iter().chain(record.fields.iter().map(|(_, staged)| staged)).collect();
    let names: Vec<Ident> = (0..staged.len()).map(|index| local(&format!("s{index}"), site)).collect();
    let stages = staged.iter().zip(&names).map(|(staged, name)| {
        let value = stage(&record.values, p, staged, &scratch);
        quote_spanned!(site=> let #name = #value;)
    });
    let nested = names.iter().rev().fold(quote!(()), |rest, name| quote!((#name, #rest)));
    let traits = traits(p, &staged);
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

/// The traits that stage these values.
pub(super) fn traits(p: &TokenStream, staged: &[&Staged]) -> TokenStream {
    let site = Span::mixed_site();
    let uses = |of: fn(&Staged) -> bool| staged.iter().any(|staged| of(staged));
    let of_arguments =
        uses(|it| matches!(it, Staged::Display { .. } | Staged::Debug { .. } | Staged::Number { .. })).then(
            || {
                quote_spanned!(site=>
                    #[allow(unused_imports)]
                    use #p::{ArgAny as _, ArgRaw as _};
                )
            },
        );
    let of_fields =
        uses(|it| matches!(it, Staged::FieldDisplay { .. } | Staged::FieldDebug { .. })).then(|| {
            quote_spanned!(site=>
                #[allow(unused_imports)]
                use #p::{FieldArgAny as _, FieldArgRaw as _};
            )
        });
    quote!(#of_arguments #of_fields)
}

/// The expression that stages one value.
pub(super) fn stage(all: &[Value], p: &TokenStream, staged: &Staged, scratch: &Ident) -> TokenStream {
    let raw = |wrapper: &str, method: &str, index: usize, placeholder: &str| {
        let value = &all[index];
        let name = value_name(index, value.last);
        let (wrapper, method) =
            (Ident::new(wrapper, Span::mixed_site()), Ident::new(method, Span::mixed_site()));
        let text = format_args(p, all, &[index], placeholder);
        quote!(#p::#wrapper(#name).#method(&mut #scratch, #text))
    };
    let of_field = |is_secret: bool| if is_secret { "SecretArg" } else { "FieldArg" };
    match staged {
        Staged::Display { value, placeholder } => raw("Arg", "display", *value, placeholder),
        Staged::Debug { value, placeholder } => raw("Arg", "debug", *value, placeholder),
        Staged::Number { value, placeholder } => raw("Arg", "number", *value, placeholder),
        Staged::FieldDisplay { value, is_secret } => raw(of_field(*is_secret), "display", *value, "{}"),
        Staged::FieldDebug { value, is_secret } => raw(of_field(*is_secret), "debug", *value, "{:?}"),
        Staged::Eager { values, placeholder } => {
            let text = format_args(p, all, values, placeholder);
            quote!(#scratch.eager(#text))
        }
        Staged::Typed { value, is_secret } => {
            // What is asked of the value's type is asked by `value` and again by `submit`. The compiler
            // takes both for one mistake as long as it marks the whole statement for both, and then
            // underlines the value in it: so the value's own mark must not have the origin of the path.
            typed(all, p, if *is_secret { "secret_value" } else { "value" }, *value)
        }
    }
}

/// `P::function(v0)`, shown at the value.
pub(super) fn typed(all: &[Value], p: &TokenStream, staging: &str, value: usize) -> TokenStream {
    let Value { first, .. } = all[value];
    let (function, _) = function(p, staging, first);
    let name = value_name(value, first);
    quote!(#function(#name))
}

/// `format_args!("{:spec}", *v0, …)`, every value with its own span.
pub(super) fn format_args(
    p: &TokenStream,
    all: &[Value],
    values: &[usize],
    placeholder: &str,
) -> TokenStream {
    let mut text = Literal::string(placeholder);
    text.set_span(Span::mixed_site().located_at(all[values[0]].first));
    let operands = values.iter().map(|index| {
        let value = &all[*index];
        let star = punct('*', value.first.resolved_at(Span::mixed_site()));
        let name = value_name(*index, value.last);
        quote!(#star #name)
    });
    quote!(#p::core::format_args!(#text, #(#operands),*))
}

/// `&(expr)`.
pub(super) fn reference(expr: &Value) -> TokenStream {
    let tokens = &expr.tokens;
    // The compiler misses the name of an unfinished expression where the bracket closes.
    let place = if expr.is_unfinished { expr.last } else { Span::call_site() };
    let mut group = Group::new(Delimiter::Parenthesis, tokens.clone());
    group.set_span(Span::mixed_site().located_at(place));
    quote_spanned!(Span::mixed_site()=> &#group)
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
pub(super) fn function(p: &TokenStream, name: &str, place: Span) -> (TokenStream, Span) {
    let name = Ident::new(name, Span::mixed_site());
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

pub(super) fn value_name(index: usize, span: Span) -> Ident {
    local(&format!("v{index}"), span.resolved_at(Span::mixed_site()))
}

/// A local variable of the expansion.
pub(super) fn local(name: &str, span: Span) -> Ident {
    Ident::new(&format!("__{name}"), span)
}

fn punct(c: char, span: Span) -> TokenTree {
    let mut punct = Punct::new(c, Spacing::Alone);
    punct.set_span(span);
    TokenTree::Punct(punct)
}
