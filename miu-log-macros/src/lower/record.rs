//! A logging statement: the message is matched with its arguments, and every placeholder is told
//! how its value is encoded.

use std::collections::HashMap;

use proc_macro2::{Delimiter, Ident, Span, TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::ext::IdentExt as _;
use syn::{Expr, LitStr};

use super::Mistakes;
use crate::parse::record::{Argument, Field, Form, Statement, StatementLevel, is_unfinished};
use crate::secret_names;
use crate::template::{self, Count, Kind, Piece, Placeholder, Reference};
use crate::words;

/// A statement that can be expanded: every number in it is an index into `values`.
pub(crate) struct Record {
    pub(crate) path: TokenStream,
    pub(crate) level: StatementLevel,
    pub(crate) logger: Value,
    /// Everything that is evaluated once, in the order it was written; captured names come last.
    pub(crate) values: Vec<Value>,
    /// The message in the normal form that the listener reads.
    pub(crate) template: String,
    /// One for each placeholder of `template`.
    pub(crate) arguments: Vec<Staged>,
    pub(crate) fields: Vec<(String, Staged)>,
    /// Whether it is for signal handlers: then there are no fields, and no argument is formatted at once.
    pub(crate) in_handler: bool,
}

/// An expression of the user, and where it begins and ends.
pub(crate) struct Value {
    pub(crate) tokens: TokenStream,
    pub(crate) first: Span,
    pub(crate) last: Span,
    /// Whether a name is missing in it after a dot, which the compiler reports.
    pub(crate) is_unfinished: bool,
}

/// How a value gets into the record.
pub(crate) enum Staged {
    /// Encoded raw where its type allows, else formatted at once with this placeholder.
    Display { value: usize, placeholder: String },
    /// The same for `{:?}`.
    Debug { value: usize, placeholder: String },
    /// The same for `{:x}` and its kin.
    Number { value: usize, placeholder: String },
    /// Always formatted at once; the placeholder's numbers count from `values[0]`.
    Eager { values: Vec<usize>, placeholder: String },
    /// A field without `%` or `?`.
    Typed { value: usize, is_secret: bool },
    /// A field with `%`: as `Display`, and looked at as a field.
    FieldDisplay { value: usize, is_secret: bool },
    /// A field with `?`. It has no spec that could tell the listener to quote and escape a raw string, so its text is made at once.
    FieldDebug { value: usize, is_secret: bool },
}

impl Value {
    pub(crate) fn new(expr: &Expr) -> Value {
        let tokens = expr.to_token_stream();
        let (first, last) = ends(&tokens);
        Value { tokens, first, last, is_unfinished: is_unfinished(expr) }
    }
}

/// The spans of the first and the last token, through invisible brackets.
fn ends(tokens: &TokenStream) -> (Span, Span) {
    let end = |token: Option<TokenTree>, first: bool| match token {
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::None => {
            let (start, end) = ends(&group.stream());
            if first { start } else { end }
        }
        Some(TokenTree::Group(group)) if first => group.span_open(),
        Some(TokenTree::Group(group)) => group.span_close(),
        Some(token) => token.span(),
        None => Span::call_site(),
    };
    (end(tokens.clone().into_iter().next(), true), end(tokens.clone().into_iter().last(), false))
}

/// Mistakes, and the statement's expressions.
pub(crate) struct Rejected {
    /// None where the compiler itself reports what is wrong: an unfinished expression.
    pub(crate) error: Option<syn::Error>,
    pub(crate) path: TokenStream,
    pub(crate) level: StatementLevel,
    pub(crate) logger: Value,
    /// What the user wrote out: no captured names.
    pub(crate) values: Vec<Value>,
}

/// Checks a statement and prepares it for expansion.
pub(crate) fn lower(statement: Statement) -> Result<Record, Box<Rejected>> {
    let mut mistakes = Mistakes::default();
    // Who has yet to name the domain has not come to the message.
    let is_due = !is_unfinished(&statement.logger);
    if statement.template.is_none() && statement.fields.is_empty() && is_due {
        let missing = match &statement.level {
            StatementLevel::Missing => "the level and the message are missing",
            StatementLevel::Fixed(_) | StatementLevel::Dynamic(_) => "the message is missing",
        };
        mistakes.on(&statement.logger, format!("{missing}; write `{}`", statement.example));
    }
    let mut values: Vec<Value> = Vec::new();
    let fields = fields(&statement.fields, None, &mut values, &mut mistakes);
    let (template, arguments) = match &statement.template {
        Some(text) => {
            let message = Message::new(text, &statement.arguments, &mut values, &mut mistakes);
            match template::parse(&text.value()) {
                Ok(template) => message.place(&template.pieces),
                Err(faults) => {
                    for fault in faults {
                        message.mistakes.at(text.span(), located(&fault.what, fault.column));
                    }
                    (String::new(), Vec::new())
                }
            }
        }
        None => (String::new(), Vec::new()),
    };
    let in_handler = statement.in_handler;
    if in_handler {
        fit_for_handlers(&statement, &arguments, &mut mistakes);
    }
    let Statement { path, level, .. } = statement;
    let logger = Value::new(&statement.logger);
    let has_unfinished = logger.is_unfinished
        || matches!(&level, StatementLevel::Dynamic(level) if is_unfinished(level))
        || values.iter().any(|value| value.is_unfinished);
    match mistakes.into_error() {
        None if !has_unfinished => {
            Ok(Record { path, level, logger, values, template, arguments, fields, in_handler })
        }
        error => {
            values.truncate(statement.fields.len() + statement.arguments.len());
            Err(Box::new(Rejected { error, path, level, logger, values }))
        }
    }
}

/// Fields alone, ready to be expanded.
pub(crate) struct Fields {
    pub(crate) path: TokenStream,
    pub(crate) values: Vec<Value>,
    pub(crate) fields: Vec<(String, Staged)>,
    /// Instead of the fields, if there are any.
    pub(crate) mistakes: Option<syn::Error>,
}

/// Checks fields that stand without a statement. The function that they are captured in stands before their names.
pub(crate) fn lower_fields(path: TokenStream, given: &[Field], function: Option<&Ident>) -> Fields {
    let mut mistakes = Mistakes::default();
    let mut values = Vec::new();
    let fields = fields(given, function, &mut values, &mut mistakes);
    Fields { path, values, fields, mistakes: mistakes.into_error() }
}

/// What `signal!` cannot do: fields, which have no place in its record, and formatting, which would
/// allocate.
fn fit_for_handlers(statement: &Statement, arguments: &[Staged], mistakes: &mut Mistakes) {
    for field in &statement.fields {
        let text = "a record of `signal!` has no fields; write the value into the message and behind it";
        mistakes.at(field.span, text);
    }
    if let Some(text) = &statement.template
        && arguments.iter().any(|staged| matches!(staged, Staged::Eager { .. }))
    {
        let what = "`signal!` formats nothing in the handler: `{:p}`, `{:#?}` and widths and precisions that are arguments cannot be used; write them as numbers";
        mistakes.at(text.span(), what);
    }
}

/// A mistake inside the message: stable Rust cannot mark a part of a literal, so it is counted.
fn located(what: &str, column: usize) -> String {
    format!("{what} (character {column} of the message)")
}

fn fields(
    fields: &[Field],
    function: Option<&Ident>,
    values: &mut Vec<Value>,
    mistakes: &mut Mistakes,
) -> Vec<(String, Staged)> {
    let mut seen: HashMap<&str, Span> = HashMap::new();
    let mut staged = Vec::new();
    for field in fields {
        let name = match function {
            Some(function) => format!("{function}.{}", field.name),
            None => field.name.clone(),
        };
        if let Some(first) = seen.insert(&field.name, field.span) {
            mistakes.at(field.span, format!("the field `{name}` is given twice; remove one of them"));
            mistakes.at(first, format!("the field `{name}` is given here first"));
        }
        let value = values.len();
        values.push(Value::new(&field.value));
        // The name of a function says nothing about its arguments.
        let is_secret = secret_names::is_secret(&field.name);
        let how = match field.form {
            Form::Value => Staged::Typed { value, is_secret },
            Form::Display => Staged::FieldDisplay { value, is_secret },
            Form::Debug => Staged::FieldDebug { value, is_secret },
        };
        staged.push((name, how));
    }
    staged
}

/// A message and the arguments it can refer to.
struct Message<'a> {
    text: &'a LitStr,
    values: &'a mut Vec<Value>,
    mistakes: &'a mut Mistakes,
    /// The positional arguments: index into `values`, and whether the message uses it.
    positional: Vec<(usize, bool)>,
    named: Vec<Named>,
    /// Names that are not among the arguments, by the value they became.
    captured: HashMap<String, usize>,
    /// The next positional argument that `{}` means.
    next: usize,
    /// The most positional arguments that the message asks for, and the placeholder that does.
    asked: (usize, String),
}

struct Named {
    name: Ident,
    text: String,
    value: usize,
    used: bool,
}

impl<'a> Message<'a> {
    fn new(
        text: &'a LitStr,
        arguments: &[Argument],
        values: &'a mut Vec<Value>,
        mistakes: &'a mut Mistakes,
    ) -> Message<'a> {
        let mut positional = Vec::new();
        let mut named: Vec<Named> = Vec::new();
        for argument in arguments {
            let value = values.len();
            let new = Value::new(&argument.value);
            let first = new.first;
            values.push(new);
            match &argument.name {
                None => {
                    if let Some(before) = named.last() {
                        mistakes.at(
                            first,
                            format!(
                                "positional arguments come before named ones; write it before `{} = …`",
                                before.name
                            ),
                        );
                    }
                    // One mistake is enough: an argument in the wrong place is not also unused.
                    positional.push((value, !named.is_empty()));
                }
                Some(name) => {
                    let text = name.unraw().to_string();
                    if named.iter().any(|other| other.text == text) {
                        mistakes.at(
                            name.span(),
                            format!("the argument `{text}` is given twice; remove one of them"),
                        );
                    } else {
                        named.push(Named { name: name.clone(), text, value, used: false });
                    }
                }
            }
        }
        Message {
            text,
            values,
            mistakes,
            positional,
            named,
            captured: HashMap::new(),
            next: 0,
            asked: (0, String::new()),
        }
    }

    /// Matches every placeholder with its argument; gives the normal form and what is encoded for it.
    fn place(mut self, pieces: &[Piece]) -> (String, Vec<Staged>) {
        let mut normal = String::new();
        let mut staged = Vec::new();
        for piece in pieces {
            match piece {
                Piece::Text(text) => normal.push_str(&template::escape(text)),
                Piece::Use(placeholder) => {
                    if let Some(how) = self.staged(placeholder) {
                        match &how {
                            Staged::Display { placeholder, .. }
                            | Staged::Debug { placeholder, .. }
                            | Staged::Number { placeholder, .. } => normal.push_str(placeholder),
                            // The others are fields.
                            _ => normal.push_str("{}"),
                        }
                        staged.push(how);
                    }
                }
            }
        }
        self.check_use();
        (normal, staged)
    }

    /// How the value of this placeholder is encoded. `None` where an argument is missing, which has
    /// been noted then.
    fn staged(&mut self, placeholder: &Placeholder) -> Option<Staged> {
        let spec = &placeholder.spec;
        // `std` takes the argument of `.*` before the value, and that of a width by number or name.
        let precision_first = match &spec.precision {
            Count::Argument(Reference::Next) => Some(self.resolve(&Reference::Next, placeholder)),
            _ => None,
        };
        let value = self.resolve(&placeholder.argument, placeholder);
        let width = match &spec.width {
            Count::Argument(reference) => Some(self.resolve(reference, placeholder)),
            _ => None,
        };
        let precision = match &spec.precision {
            Count::Argument(reference) => Some(match precision_first {
                Some(resolved) => resolved,
                None => self.resolve(reference, placeholder),
            }),
            _ => None,
        };
        // All are resolved before the first missing one ends this, so that all are counted as used.
        let value = value?;
        let width = width.map_or(Some(None), |width| width.map(Some))?;
        let precision = precision.map_or(Some(None), |precision| precision.map(Some))?;

        if spec.is_deferrable() {
            let placeholder = template::positional(&spec.render(None, None));
            return Some(match spec.kind {
                Kind::Display => Staged::Display { value, placeholder },
                Kind::Debug => Staged::Debug { value, placeholder },
                _ => Staged::Number { value, placeholder },
            });
        }
        let mut values = vec![value];
        let mut operand = |value: usize| {
            values.iter().position(|known| *known == value).unwrap_or_else(|| {
                values.push(value);
                values.len() - 1
            })
        };
        let width = width.map(&mut operand);
        let precision = precision.map(&mut operand);
        let placeholder = template::positional(&spec.render(width, precision));
        Some(Staged::Eager { values, placeholder })
    }

    /// The value that a reference means.
    fn resolve(&mut self, reference: &Reference, placeholder: &Placeholder) -> Option<usize> {
        match reference {
            Reference::Next => {
                self.next += 1;
                self.positional(self.next - 1, placeholder)
            }
            Reference::Index(index) => self.positional(*index, placeholder),
            Reference::Name(name) => {
                if let Some(named) = self.named.iter_mut().find(|named| named.text == *name) {
                    named.used = true;
                    return Some(named.value);
                }
                if let Some(value) = self.captured.get(name) {
                    return Some(*value);
                }
                let Some(ident) = captured_name(name, self.text.span()) else {
                    let what = format!("`{}`: `{name}` is not a name in Rust", placeholder.source);
                    self.mistakes.at(self.text.span(), located(&what, placeholder.column));
                    return None;
                };
                let value = self.values.len();
                let span = self.text.span();
                let tokens = ident.into_token_stream();
                self.values.push(Value { tokens, first: span, last: span, is_unfinished: false });
                self.captured.insert(name.clone(), value);
                Some(value)
            }
        }
    }

    fn positional(&mut self, index: usize, placeholder: &Placeholder) -> Option<usize> {
        if index >= self.asked.0 {
            self.asked = (index + 1, placeholder.source.clone());
        }
        // A number past the positional arguments means the named ones, as in `std`.
        let past = index.checked_sub(self.positional.len());
        if let Some(named) = past.and_then(|past| self.named.get_mut(past)) {
            named.used = true;
            return Some(named.value);
        }
        let (value, used) = self.positional.get_mut(index)?;
        *used = true;
        Some(*value)
    }

    /// Every argument must be used, and every placeholder must have had one.
    fn check_use(&mut self) {
        let given = self.positional.len() + self.named.len();
        let (asked, source) = &self.asked;
        if *asked > given {
            let given = match self.positional.len() {
                0 => "none is given".to_owned(),
                1 => "1 is given".to_owned(),
                count => format!("{count} are given"),
            };
            let arguments = if *asked == 1 { "1 argument" } else { &format!("{asked} arguments") };
            self.mistakes.at(
                self.text.span(),
                format!("the message asks for {arguments} (up to `{source}`), but {given}; add the missing ones after the message"),
            );
            return;
        }
        for (value, used) in &self.positional {
            if !used {
                let value = &self.values[*value];
                self.mistakes
                    .on(&value.tokens, "this argument is not used; write `{}` in the message, or remove it");
            }
        }
        for named in &self.named {
            if named.used {
                continue;
            }
            // A captured name that is nearly this one is the likelier mistake.
            let captured = self.captured.keys().map(String::as_str);
            let hint = match words::nearest(&named.text, captured) {
                Some(meant) => format!("the message has `{{{meant}}}`, did you mean `{{{}}}`?", named.text),
                None => format!(
                    "write `{{{name}}}` in the message, or `{name} = …` before the message to make it a field",
                    name = named.text
                ),
            };
            self.mistakes
                .at(named.name.span(), format!("the named argument `{}` is not used; {hint}", named.text));
        }
    }
}

/// The variable that a captured name means; a keyword can only be meant as a raw name.
fn captured_name(name: &str, span: Span) -> Option<Ident> {
    if name == "self" || syn::parse_str::<Ident>(name).is_ok() {
        Some(Ident::new(name, span))
    } else {
        words::is_keyword(name).then(|| Ident::new_raw(name, span))
    }
}
