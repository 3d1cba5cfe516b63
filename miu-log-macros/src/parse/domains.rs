//! `log_domains`: the list of domains, and the module they are put in.
//!
//! The list is cut at its commas before any part is parsed, so that a mistake in one part does not
//! hide the mistakes in the others. The module's body is kept as it is and never parsed to be
//! written again: syntax that this version of syn does not know passes through.

use proc_macro2::{Delimiter, Group, Ident, Literal, Span, TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::parse::{ParseStream, Parser as _};
use syn::{Attribute, Token, Visibility};

/// One part of the list between commas.
pub(crate) enum Entry {
    /// A name with its options. The name may still break every rule of names.
    Domain { name: Ident, options: Vec<RawOption> },
    /// Something that is no domain at all.
    Other(Other),
}

/// What stands where a domain should.
pub(crate) enum Other {
    /// Two commas in a row; the second one.
    Nothing(Span),
    /// `"db"`, `1`.
    Literal(Literal),
    /// `a::b`; the whole, and its last name.
    Path(TokenStream, Ident),
    /// `db = "x"`: options outside parentheses; the name, and all from the `=` on.
    Assignment(Ident, TokenStream),
    /// Anything else, with the name it begins with, if it does.
    Tokens(TokenStream, Option<Ident>),
}

/// One option as written; its value may be of any type.
pub(crate) enum RawOption {
    /// `key = value`.
    Pair { key: Ident, value: TokenStream, equals: Span },
    /// Anything else, its key if it has one.
    Other(TokenStream, Option<Ident>),
}

/// A module without its body, and its body.
pub(crate) struct Module {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) keyword: Token![mod],
    pub(crate) name: Ident,
    /// `None` for `mod name;`.
    pub(crate) body: Option<TokenStream>,
}

/// An item that `log_domains` cannot be put on.
pub(crate) struct NotAModule {
    pub(crate) item: TokenStream,
    pub(crate) error: syn::Error,
}

/// Cuts the attribute's arguments into entries.
pub(crate) fn arguments(tokens: TokenStream) -> Vec<Entry> {
    split_at_commas(tokens)
        .into_iter()
        .map(|part| match part {
            Part::Empty(comma) => Entry::Other(Other::Nothing(comma)),
            Part::Tokens(tokens) => entry(tokens),
        })
        .collect()
}

/// Takes the item apart, if it is a module.
pub(crate) fn module(item: TokenStream) -> Result<Module, NotAModule> {
    head.parse2(item.clone()).map_err(|_| {
        let error = not_a_module(&item);
        NotAModule { item, error }
    })
}

fn head(input: ParseStream<'_>) -> syn::Result<Module> {
    let attributes = input.call(Attribute::parse_outer)?;
    let visibility = input.parse()?;
    let keyword = input.parse()?;
    let name = input.parse()?;
    let body = if input.peek(Token![;]) {
        input.parse::<Token![;]>()?;
        None
    } else {
        let content;
        syn::braced!(content in input);
        Some(content.parse()?)
    };
    Ok(Module { attributes, visibility, keyword, name, body })
}

/// Says what the item is, on the keyword that says so.
fn not_a_module(item: &TokenStream) -> syn::Error {
    let words: Vec<Ident> = item
        .clone()
        .into_iter()
        .take_while(
            |token| !matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace),
        )
        .filter_map(|token| match token {
            TokenTree::Ident(word) => Some(word),
            _ => None,
        })
        .collect();
    let kinds = [
        ("fn", "a function"),
        ("enum", "an enum"),
        ("struct", "a struct"),
        ("union", "a union"),
        ("trait", "a trait"),
        ("impl", "an impl"),
        ("type", "a type alias"),
        ("static", "a static"),
        ("const", "a constant"),
        ("use", "an import"),
        ("macro_rules", "a macro"),
        ("extern", "a foreign item"),
    ];
    let found = kinds.iter().find_map(|(keyword, kind)| {
        words.iter().find(|word| *word == keyword).map(|word| (word.span(), *kind))
    });
    let (span, kind) = found.unwrap_or((Span::call_site(), "something else"));
    syn::Error::new(
        span,
        format!(
            "`log_domains` goes on a module, not on {kind}; write `#[log_domains(app)] pub mod logs {{}}`"
        ),
    )
}

enum Part {
    /// Nothing before this comma.
    Empty(Span),
    Tokens(TokenStream),
}

/// Cuts at the commas that are not inside brackets. A trailing comma opens no part.
fn split_at_commas(tokens: TokenStream) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut part = TokenStream::new();
    for token in flatten(tokens) {
        match &token {
            TokenTree::Punct(punct) if punct.as_char() == ',' => {
                let tokens = std::mem::take(&mut part);
                parts.push(if tokens.is_empty() { Part::Empty(punct.span()) } else { Part::Tokens(tokens) });
            }
            _ => part.extend([token]),
        }
    }
    if !part.is_empty() {
        parts.push(Part::Tokens(part));
    }
    parts
}

/// Removes the invisible brackets that a `macro_rules` fragment comes in.
fn flatten(tokens: TokenStream) -> Vec<TokenTree> {
    tokens
        .into_iter()
        .flat_map(|token| match token {
            TokenTree::Group(group) if group.delimiter() == Delimiter::None => flatten(group.stream()),
            token => vec![token],
        })
        .collect()
}

fn entry(part: TokenStream) -> Entry {
    let tokens = flatten(part.clone());
    match tokens.as_slice() {
        [TokenTree::Ident(name)] => Entry::Domain { name: name.clone(), options: Vec::new() },
        [TokenTree::Ident(name), TokenTree::Group(group)] if group.delimiter() == Delimiter::Parenthesis => {
            Entry::Domain { name: name.clone(), options: options(group) }
        }
        [TokenTree::Literal(literal)] => Entry::Other(Other::Literal(literal.clone())),
        [TokenTree::Ident(name), TokenTree::Punct(equals), ..] if equals.as_char() == '=' => {
            Entry::Other(Other::Assignment(name.clone(), tokens[1..].iter().cloned().collect()))
        }
        [first, rest @ ..] => {
            if let Ok(path) = syn::parse2::<syn::Path>(part.clone())
                && let Some(last) = path.segments.last()
                && path.segments.iter().all(|segment| segment.arguments.is_none())
            {
                return Entry::Other(Other::Path(part, last.ident.clone()));
            }
            let name = match first {
                TokenTree::Ident(name) if !rest.is_empty() => Some(name.clone()),
                _ => None,
            };
            Entry::Other(Other::Tokens(part, name))
        }
        [] => Entry::Other(Other::Tokens(part, None)),
    }
}

fn options(group: &Group) -> Vec<RawOption> {
    split_at_commas(group.stream())
        .into_iter()
        .map(|part| match part {
            Part::Empty(comma) => {
                let mut comma_token = proc_macro2::Punct::new(',', proc_macro2::Spacing::Alone);
                comma_token.set_span(comma);
                RawOption::Other(comma_token.into_token_stream(), None)
            }
            Part::Tokens(tokens) => option(tokens),
        })
        .collect()
}

fn option(part: TokenStream) -> RawOption {
    let tokens = flatten(part.clone());
    match tokens.as_slice() {
        [TokenTree::Ident(key), TokenTree::Punct(equals), value @ ..]
            if equals.as_char() == '=' && !value.is_empty() =>
        {
            RawOption::Pair {
                key: key.clone(),
                value: value.iter().cloned().collect(),
                equals: equals.span(),
            }
        }
        [TokenTree::Ident(key), ..] => RawOption::Other(part, Some(key.clone())),
        _ => RawOption::Other(part, None),
    }
}

impl RawOption {
    /// The tokens of the whole option.
    pub(crate) fn tokens(&self) -> TokenStream {
        match self {
            RawOption::Pair { key, value, equals } => {
                let equals = Token![=](*equals);
                quote::quote!(#key #equals #value)
            }
            RawOption::Other(tokens, _) => tokens.clone(),
        }
    }
}
