//! A logging statement: `logger, fields…, "template", arguments…`.
//!
//! The input begins with what the calling `macro_rules` knows and the user does not write: the
//! crate's path in brackets, the level, a semicolon. For the level stands `_` where it is an
//! expression after the logger, and `signal` where moreover the statement is for signal handlers.
//!
//! A statement is often seen half written. An expression that lacks a name after a dot is kept as it
//! is, so that an editor finds in the expansion what stands before the dot.

use proc_macro2::{Delimiter, Ident, Span, TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::ext::IdentExt as _;
use syn::parse::discouraged::Speculative as _;
use syn::parse::{Parse, ParseStream};
use syn::{Expr, ExprLit, Lit, LitStr, Member, Token};

use crate::words::Level;

/// A statement as written.
pub(crate) struct Statement {
    /// How expansions name miu-log: `$crate`.
    pub(crate) path: TokenStream,
    pub(crate) level: StatementLevel,
    pub(crate) logger: Expr,
    pub(crate) fields: Vec<Field>,
    /// Missing where the fields say everything.
    pub(crate) template: Option<LitStr>,
    pub(crate) arguments: Vec<Argument>,
    /// How a statement with this logger is written, for messages.
    pub(crate) example: String,
    /// Whether it is `signal!`, which may stand in a signal handler.
    pub(crate) in_handler: bool,
}

/// The level of a statement.
pub(crate) enum StatementLevel {
    /// `info!` and its siblings.
    Fixed(Level),
    /// `log!`, whose second argument it is.
    Dynamic(Expr),
    /// `log!` with nothing but a logger yet.
    Missing,
}

/// A value with a name, before the message.
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) span: Span,
    pub(crate) form: Form,
    pub(crate) value: Expr,
}

/// How a field's value is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// As the type it is.
    Value,
    /// `%`: with `Display`.
    Display,
    /// `?`: with `Debug`.
    Debug,
}

/// A value after the message.
pub(crate) struct Argument {
    pub(crate) name: Option<Ident>,
    pub(crate) value: Expr,
}

/// Fields alone: what `fields!` and `#[diagnose]` are given.
pub(crate) struct FieldSet {
    pub(crate) path: TokenStream,
    pub(crate) fields: Vec<Field>,
}

impl Parse for FieldSet {
    /// Reads `[crate path] fields…`.
    fn parse(input: ParseStream<'_>) -> syn::Result<FieldSet> {
        let path;
        syn::bracketed!(path in input);
        let path = path.parse()?;
        Ok(FieldSet { path, fields: fields(input)? })
    }
}

/// The crate's path, which stands first.
pub(crate) fn path_of(input: &TokenStream) -> TokenStream {
    match input.clone().into_iter().next() {
        Some(TokenTree::Group(path)) => path.stream(),
        _ => TokenStream::new(),
    }
}

/// Fields with commas between them.
pub(crate) fn fields(input: ParseStream<'_>) -> syn::Result<Vec<Field>> {
    let mut fields = Vec::new();
    while !input.is_empty() {
        match item(input)? {
            Item::Field(field) => fields.push(field),
            Item::Template(text) => {
                return Err(syn::Error::new(
                    text.span(),
                    "there is no message here; write `name = value` for a field with this text",
                ));
            }
        }
        comma(input, "this")?;
    }
    Ok(fields)
}

/// What stands between two commas before the message is known.
enum Item {
    Field(Field),
    Template(LitStr),
}

impl Parse for Statement {
    fn parse(input: ParseStream<'_>) -> syn::Result<Statement> {
        let path;
        syn::bracketed!(path in input);
        let path: TokenStream = path.parse()?;
        let mut usage = Usage { fixed: None, in_handler: false };
        if input.peek(Token![_]) {
            input.parse::<Token![_]>()?;
        } else {
            let variant: Ident = input.parse()?;
            let unknown = || syn::Error::new(variant.span(), format!("there is no level `{variant}`"));
            usage.in_handler = variant == "signal";
            if !usage.in_handler {
                usage.fixed = Some(Level::of_variant(&variant.to_string()).ok_or_else(unknown)?);
            }
        }
        input.parse::<Token![;]>()?;

        let logger = usage.logger(input)?;
        let level = match usage.fixed {
            Some(level) => StatementLevel::Fixed(level),
            None if input.is_empty() => StatementLevel::Missing,
            None => StatementLevel::Dynamic(usage.level(input, &logger)?),
        };
        let mut fields = Vec::new();
        let mut template = None;
        while template.is_none() && !input.is_empty() {
            match item(input)? {
                Item::Field(field) => fields.push(field),
                Item::Template(text) => template = Some(text),
            }
            comma(input, "this")?;
        }
        let mut arguments = Vec::new();
        while !input.is_empty() {
            arguments.push(argument(input)?);
            comma(input, "this argument")?;
        }
        let example = usage.example(&logger);
        let in_handler = usage.in_handler;
        Ok(Statement { path, level, logger, fields, template, arguments, example, in_handler })
    }
}

/// How the statement is written, for messages.
struct Usage {
    fixed: Option<Level>,
    in_handler: bool,
}

impl Usage {
    fn example(&self, logger: impl quote::ToTokens) -> String {
        let logger = source_text(&logger.into_token_stream());
        match self.fixed {
            Some(level) => format!("{}!({logger}, \"…\")", level.name()),
            None if self.in_handler => format!("signal!({logger}, level, \"…\")"),
            None => format!("log!({logger}, level, \"…\")"),
        }
    }

    fn logger(&self, input: ParseStream<'_>) -> syn::Result<Expr> {
        let example = || self.example(quote::quote!(repo.app));
        if input.is_empty() {
            return Err(syn::Error::new(
                Span::call_site(),
                format!("a logger and a message are missing; write `{}`", example()),
            ));
        }
        if input.peek(Token![,]) {
            return Err(
                input.error(format!("the logger is missing before this comma; write `{}`", example()))
            );
        }
        let logger = expression(input)?;
        if literal(&logger).is_some() {
            return Err(syn::Error::new_spanned(
                &logger,
                format!("the logger comes first; write `{}`", example()),
            ));
        }
        comma(input, "the logger")?;
        Ok(logger)
    }

    fn level(&self, input: ParseStream<'_>, logger: &Expr) -> syn::Result<Expr> {
        let level = expression(input)?;
        if literal(&level).is_some() {
            return Err(syn::Error::new_spanned(
                &level,
                format!("the level comes second, as in `Level::Info`; write `{}`", self.example(logger)),
            ));
        }
        comma(input, "the level")?;
        Ok(level)
    }
}

/// A field, or the message.
fn item(input: ParseStream<'_>) -> syn::Result<Item> {
    if input.peek(Token![%]) || input.peek(Token![?]) {
        let form = form(input)?;
        let value = expression(input)?;
        let Some(name) = chain(&value) else {
            let sign = if form == Form::Display { '%' } else { '?' };
            return Err(syn::Error::new_spanned(
                &value,
                format!(
                    "this field needs a name; write `name = {sign}{}`",
                    source_text(&value.to_token_stream())
                ),
            ));
        };
        return Ok(Item::Field(Field { name, span: first_span(&value), form, value }));
    }
    if let Some((name, span)) = assigned_name(input)? {
        let form = if input.peek(Token![%]) || input.peek(Token![?]) { form(input)? } else { Form::Value };
        if input.is_empty() || input.peek(Token![,]) {
            return Err(syn::Error::new(
                span,
                format!("the field `{name}` has no value; write `{name} = value`"),
            ));
        }
        let value = expression(input)?;
        return Ok(Item::Field(Field { name, span, form, value }));
    }
    if input.peek(Token![,]) {
        return Err(input.error("a field or the message is missing before this comma; remove the comma"));
    }
    let value = expression(input)?;
    match literal(&value) {
        Some(Lit::Str(text)) if text.suffix().is_empty() => {
            return Ok(Item::Template(text.clone()));
        }
        Some(other) => {
            return Err(syn::Error::new(
                other.span(),
                format!(
                    "the message is a string literal; write `\"{{}}\", {}`",
                    source_text(&other.to_token_stream())
                ),
            ));
        }
        None => {}
    }
    if let Expr::Assign(assign) = &value {
        return Err(syn::Error::new_spanned(
            &assign.left,
            "a field's name is made of plain names with dots between them, without quotes: `name = value`",
        ));
    }
    match chain(&value) {
        Some(name) => Ok(Item::Field(Field { name, span: first_span(&value), form: Form::Value, value })),
        None => {
            let text = source_text(&value.to_token_stream());
            Err(syn::Error::new_spanned(
                &value,
                format!(
                    "the message is a string literal; write `\"{{}}\", {text}`, or `name = {text}` for a field"
                ),
            ))
        }
    }
}

/// `%` or `?`, whichever is there.
fn form(input: ParseStream<'_>) -> syn::Result<Form> {
    if input.peek(Token![%]) {
        input.parse::<Token![%]>()?;
        Ok(Form::Display)
    } else {
        input.parse::<Token![?]>()?;
        Ok(Form::Debug)
    }
}

/// `http.status =`, taken from the input if it is there.
fn assigned_name(input: ParseStream<'_>) -> syn::Result<Option<(String, Span)>> {
    let ahead = input.fork();
    if !ahead.peek(Ident::peek_any) {
        return Ok(None);
    }
    let first = ahead.call(Ident::parse_any)?;
    let mut name = first.unraw().to_string();
    while ahead.peek(Token![.]) && ahead.peek2(Ident::peek_any) {
        ahead.parse::<Token![.]>()?;
        name.push('.');
        name.push_str(&ahead.call(Ident::parse_any)?.unraw().to_string());
    }
    if !ahead.peek(Token![=]) || ahead.peek(Token![==]) || ahead.peek(Token![=>]) {
        return Ok(None);
    }
    ahead.parse::<Token![=]>()?;
    input.advance_to(&ahead);
    if name == "_" {
        return Err(syn::Error::new(first.span(), "a field needs a name; `_` is none"));
    }
    Ok(Some((name, first.span())))
}

/// An argument after the message.
fn argument(input: ParseStream<'_>) -> syn::Result<Argument> {
    if input.peek(Token![%]) || input.peek(Token![?]) {
        return Err(input.error("`%` and `?` mark fields, and fields come before the message; write `{}` or `{:?}` in the message"));
    }
    if input.peek(Token![,]) {
        return Err(input.error("an argument is missing before this comma; remove the comma"));
    }
    let is_named = input.peek(Ident::peek_any)
        && input.peek2(Token![=])
        && !input.peek2(Token![==])
        && !input.peek2(Token![=>]);
    let name = if is_named {
        let name = input.call(Ident::parse_any)?;
        input.parse::<Token![=]>()?;
        if input.peek(Token![%]) || input.peek(Token![?]) {
            return Err(syn::Error::new(
                name.span(),
                format!(
                    "`{name}` is a field, and fields come before the message; write it before the message"
                ),
            ));
        }
        if input.is_empty() || input.peek(Token![,]) {
            return Err(syn::Error::new(name.span(), format!("the argument `{name}` has no value")));
        }
        Some(name)
    } else {
        None
    };
    Ok(Argument { name, value: expression(input)? })
}

/// An expression. One that is none because a name is missing after a dot comes as
/// [`Expr::Verbatim`]; its mistake is left to the compiler, which finds it in the expansion.
fn expression(input: ParseStream<'_>) -> syn::Result<Expr> {
    let ahead = input.fork();
    let error = match ahead.parse::<Expr>() {
        Ok(expr) => {
            input.advance_to(&ahead);
            return Ok(expr);
        }
        Err(error) => error,
    };
    let ahead = input.fork();
    let mut tokens = Vec::new();
    while !ahead.is_empty() && !ahead.peek(Token![,]) {
        tokens.push(ahead.parse::<TokenTree>()?);
    }
    if !dangles(&tokens) {
        return Err(error);
    }
    input.advance_to(&ahead);
    Ok(Expr::Verbatim(tokens.into_iter().collect()))
}

/// Whether this expression was left to the compiler by [`expression`].
pub(crate) fn is_unfinished(expr: &Expr) -> bool {
    matches!(expr, Expr::Verbatim(tokens) if dangles(&tokens.clone().into_iter().collect::<Vec<_>>()))
}

/// Whether a name is missing after a dot somewhere, so that no compiler can take the tokens for an
/// expression. What a macro inside it is given is that macro's matter.
fn dangles(tokens: &[TokenTree]) -> bool {
    let is = |index: Option<usize>, c: char| {
        let token = index.and_then(|index| tokens.get(index));
        matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == c)
    };
    tokens.iter().enumerate().any(|(index, token)| {
        let before = index.checked_sub(1);
        let after = Some(index + 1);
        match token {
            TokenTree::Group(group) => {
                !is(before, '!') && dangles(&group.stream().into_iter().collect::<Vec<_>>())
            }
            // Two dots are a range.
            TokenTree::Punct(punct) if punct.as_char() == '.' && !is(before, '.') && !is(after, '.') => {
                match tokens.get(index + 1) {
                    None | Some(TokenTree::Punct(_)) => true,
                    Some(TokenTree::Group(group)) => group.delimiter() != Delimiter::None,
                    Some(TokenTree::Ident(_) | TokenTree::Literal(_)) => false,
                }
            }
            _ => false,
        }
    })
}

/// The comma after a part, unless the statement ends there.
fn comma(input: ParseStream<'_>, part: &str) -> syn::Result<()> {
    if input.is_empty() {
        return Ok(());
    }
    if input.peek(Token![,]) {
        input.parse::<Token![,]>()?;
        return Ok(());
    }
    Err(input.error(format!("expected a comma after {part}")))
}

/// The literal that an expression is, through the invisible brackets of a `macro_rules` fragment.
fn literal(expr: &Expr) -> Option<&Lit> {
    match expr {
        Expr::Lit(ExprLit { lit, .. }) => Some(lit),
        Expr::Group(group) => literal(&group.expr),
        _ => None,
    }
}

/// The name of a field that is written without one: `user.name` for `user.name`, `x` for `self.x`.
/// `None` for what is no chain of plain names.
fn chain(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Path(path) if path.qself.is_none() => Some(path.path.get_ident()?.unraw().to_string()),
        Expr::Field(field) => {
            let member = match &field.member {
                Member::Named(name) => name.unraw().to_string(),
                Member::Unnamed(index) => index.index.to_string(),
            };
            Some(match chain(&field.base)?.as_str() {
                // Every field of a method would begin with `self.`, which says nothing.
                "self" => member,
                base => format!("{base}.{member}"),
            })
        }
        Expr::Group(group) => chain(&group.expr),
        // No listener will read this name, but that the field has none would be a second mistake.
        unfinished if is_unfinished(unfinished) => Some(source_text(&unfinished.to_token_stream())),
        _ => None,
    }
}

fn first_span(expr: &Expr) -> Span {
    expr.to_token_stream().into_iter().next().map_or_else(Span::call_site, |token| token.span())
}

/// Tokens as a person would write them, for messages; a long expression is cut.
fn source_text(tokens: &TokenStream) -> String {
    let text = tokens
        .clone()
        .into_iter()
        .next()
        .and_then(|first| first.span().source_text())
        .filter(|_| tokens.clone().into_iter().count() == 1)
        .unwrap_or_else(|| tidy(&tokens.to_string()));
    if text.chars().count() > 40 { "…".to_owned() } else { text }
}

/// Takes out the spaces that the printing of tokens puts around punctuation.
fn tidy(text: &str) -> String {
    let mut out = text.to_owned();
    for (wide, tight) in [
        (" . ", "."),
        (" (", "("),
        ("( ", "("),
        (" )", ")"),
        (" :: ", "::"),
        (" , ", ", "),
        (" ,", ","),
        ("& ", "&"),
        (" !", "!"),
        (" ?", "?"),
    ] {
        out = out.replace(wide, tight);
    }
    out
}
