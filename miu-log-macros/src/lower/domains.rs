//! `log_domains`: every check on names, options, files and the module's own content.

use std::collections::HashMap;

use proc_macro2::{Ident, Span, TokenStream};
use quote::ToTokens as _;
use syn::ext::IdentExt as _;
use syn::{Attribute, Item, LitStr, Token, UseTree, Visibility};

use super::{Mistakes, names};
use crate::parse::domains::{Entry, Module, Other, RawOption};
use crate::words::{self, Level};

/// A module with its domains, all rules kept: names and variants are unique and are identifiers.
pub(crate) struct Domains {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) keyword: Token![mod],
    pub(crate) module: Ident,
    pub(crate) body: TokenStream,
    pub(crate) domains: Vec<Domain>,
}

/// One domain.
#[derive(Clone)]
pub(crate) struct Domain {
    /// The field, with the user's span.
    pub(crate) field: Ident,
    /// The variant, with the user's span.
    pub(crate) variant: Ident,
    pub(crate) name: String,
    pub(crate) file: String,
    /// The level the domain starts with.
    pub(crate) level: Option<Level>,
    /// The least level that is compiled in.
    pub(crate) max_level: Option<Level>,
}

/// Mistakes, and what could be understood in spite of them: a model like any other, for the stub.
pub(crate) struct Rejected {
    pub(crate) error: syn::Error,
    pub(crate) stub: Domains,
}

/// Checks everything.
pub(crate) fn lower(entries: Vec<Entry>, module: Module) -> Result<Domains, Box<Rejected>> {
    let mut mistakes = Mistakes::default();
    if entries.is_empty() {
        mistakes.at(
            Span::call_site(),
            "no domain is listed; write the areas of the program, as in `#[log_domains(app, db)]`",
        );
    }
    let body = body(&module, &mut mistakes);
    let known: Vec<String> = entries
        .iter()
        .filter_map(|entry| match entry {
            Entry::Domain { name, .. } => Some(name.unraw().to_string()),
            Entry::Other(_) => None,
        })
        .collect();

    let mut all = Checked::default();
    for entry in entries {
        match entry {
            Entry::Domain { name, options } => all.domain(&name, &options, &known, &mut mistakes),
            Entry::Other(other) => all.other(other, &mut mistakes),
        }
    }
    all.files(&mut mistakes);

    let model = Domains {
        attributes: module.attributes,
        visibility: module.visibility,
        keyword: module.keyword,
        module: module.name,
        body,
        domains: all.domains,
    };
    match mistakes.into_error() {
        None => Ok(model),
        Some(error) => Err(Box::new(Rejected { error, stub: model })),
    }
}

/// The domains so far. Fields and variants in it are unique: a second one is a mistake and is left out.
#[derive(Default)]
struct Checked {
    domains: Vec<Domain>,
    /// Where each domain's file was given, beside `domains`: the option's value, or the name.
    file_spans: Vec<(Span, bool)>,
    /// The names so far; false where the name was only guessed from something that is no domain.
    by_name: HashMap<String, (Ident, bool)>,
    /// The variants so far; false where the domain is one of a stub only.
    by_variant: HashMap<String, (Ident, bool)>,
}

impl Checked {
    fn domain(&mut self, name: &Ident, options: &[RawOption], known: &[String], mistakes: &mut Mistakes) {
        let text = name.unraw().to_string();
        let problem = names::domain(name, known);
        let is_sound = problem.is_none();
        if let Some(problem) = problem {
            mistakes.at(name.span(), problem);
        }
        let options = Options::read(&text, options, mistakes);

        match self.by_name.get(&text) {
            Some((first, true)) => {
                // Both places are marked, whichever of them the user wants to keep.
                mistakes.at(name.span(), format!("the domain `{text}` is listed twice; remove one of them"));
                mistakes.at(first.span(), format!("the domain `{text}` is listed here first"));
                return;
            }
            // The name was guessed from something else, which is a mistake already.
            Some((_, false)) => return,
            None => {}
        }
        self.by_name.insert(text.clone(), (name.clone(), true));

        let variant = words::variant(&text);
        if !is_sound {
            self.keep(name, text, options, false);
            return;
        }
        match self.by_variant.get(&variant) {
            Some((first, true)) => mistakes.at(
                name.span(),
                format!("`{text}` and `{first}` would both be `Domain::{variant}`; write names that differ in more than their `_`"),
            ),
            Some((_, false)) => {}
            None if words::is_keyword(&variant) => mistakes.at(
                name.span(),
                format!("`{text}` would be `Domain::{variant}`, and `{variant}` is a keyword of Rust; write another name, such as `{text}log`"),
            ),
            None if variant == "ALL" => mistakes.at(
                name.span(),
                format!("`{text}` would be `Domain::ALL`, which is the list of all domains; write another name, such as `{text}_log`"),
            ),
            None => {}
        }
        self.keep(name, text, options, true);
    }

    /// Takes a domain into the model, or what is left of one, if it can be a field at all.
    fn keep(&mut self, name: &Ident, text: String, options: Options, is_sound: bool) {
        let Some(field) = field(&text, name.span()) else { return };
        let mut variant = words::variant(&text);
        // Only in a stub: a sound list has no variant that is taken.
        while self.by_variant.contains_key(&variant)
            || syn::parse_str::<Ident>(&variant).is_err()
            || variant == "ALL"
        {
            variant.push('_');
        }
        self.by_variant.insert(variant.clone(), (name.clone(), is_sound));
        let (file, span, is_option) = match options.file {
            Some((file, span)) => (file, span, true),
            None => (text.clone(), name.span(), false),
        };
        self.file_spans.push((span, is_option));
        self.domains.push(Domain {
            field,
            variant: Ident::new(&variant, name.span()),
            name: text,
            file,
            level: options.level,
            max_level: options.max_level,
        });
    }

    /// Says why something is no domain, and keeps the name it may have meant for the stub.
    fn other(&mut self, other: Other, mistakes: &mut Mistakes) {
        let meant = match other {
            Other::Nothing(comma) => {
                mistakes.at(comma, "a domain's name is missing before this comma; remove the comma");
                None
            }
            Other::Literal(literal) => {
                let text = syn::parse_str::<LitStr>(&literal.to_string()).ok().map(|text| text.value());
                let name = text.as_deref().and_then(words::as_domain_name);
                let instead = instead(name.as_deref());
                mistakes.at(literal.span(), format!("a domain is a name, not a literal; {instead}"));
                name.map(|name| Ident::new(&name, literal.span()))
            }
            Other::Path(path, last) => {
                let instead = instead(words::as_domain_name(&last.to_string()).as_deref());
                mistakes.on(path, format!("a domain is a single name, not a path; {instead}"));
                Some(last)
            }
            Other::Assignment(name, rest) => {
                mistakes.on(
                    rest,
                    format!(
                        "a domain's options stand in parentheses after its name; write `{name}(file = \"…\")`"
                    ),
                );
                Some(name)
            }
            Other::Tokens(tokens, name) => {
                mistakes.on(
                    tokens,
                    "expected a domain: a name such as `db`, or a name with options such as `db(level = \"warning\")`",
                );
                name
            }
        };
        if let Some(name) = meant {
            let text = name.unraw().to_string();
            if !self.by_name.contains_key(&text) {
                self.by_name.insert(text.clone(), (name.clone(), false));
                self.keep(&name, text, Options::default(), false);
            }
        }
    }

    /// No two domains may write the same file.
    fn files(&self, mistakes: &mut Mistakes) {
        for (later, domain) in self.domains.iter().enumerate() {
            let Some(earlier) = self.domains[..later].iter().position(|other| other.file == domain.file)
            else {
                continue;
            };
            // At least one of the two has the option, or the names would be the same. The mistake
            // is marked on the option, the later one where both have it.
            let (guilty, other) = if self.file_spans[later].1 { (later, earlier) } else { (earlier, later) };
            mistakes.at(
                self.file_spans[guilty].0,
                format!(
                    "the domains `{}` and `{}` would both write `{}.log`; write another `file` for one of them",
                    self.domains[guilty].name, self.domains[other].name, domain.file
                ),
            );
        }
    }
}

/// What to write where the name is known that was meant, or where it is not.
fn instead(meant: Option<&str>) -> String {
    meant.map_or("write a name such as `cache`".to_owned(), |name| format!("write `{name}`"))
}

/// A field of this name, raw where it has to be. `None` for what cannot be a field.
fn field(text: &str, span: Span) -> Option<Ident> {
    if matches!(text, "_" | "self" | "Self" | "super" | "crate") {
        return None;
    }
    syn::parse_str::<Ident>(text)
        .map(|_| Ident::new(text, span))
        .ok()
        .or_else(|| words::is_keyword(text).then(|| Ident::new_raw(text, span)))
}

/// A domain's options, those of them that are right.
#[derive(Default)]
struct Options {
    level: Option<Level>,
    max_level: Option<Level>,
    file: Option<(String, Span)>,
}

impl Options {
    fn read(domain: &str, raw: &[RawOption], mistakes: &mut Mistakes) -> Options {
        let mut options = Options::default();
        let mut seen: HashMap<String, Ident> = HashMap::new();
        let mut max_level_value = None;
        for option in raw {
            let (key, value) = match option {
                RawOption::Pair { key, value, .. } => (key, Some(value)),
                RawOption::Other(_, Some(key)) => (key, None),
                RawOption::Other(tokens, None) => {
                    mistakes.on(
                        tokens,
                        "expected an option: `level = \"…\"`, `max_level = \"…\"` or `file = \"…\"`",
                    );
                    continue;
                }
            };
            let name = key.to_string();
            if !words::OPTIONS.contains(&name.as_str()) {
                let guess = words::nearest(&name, words::OPTIONS)
                    .map_or(String::new(), |known| format!(", did you mean `{known}`?"));
                let guess = if guess.is_empty() {
                    "; the options are `level`, `max_level` and `file`".to_owned()
                } else {
                    guess
                };
                mistakes.at(key.span(), format!("a domain has no option `{name}`{guess}"));
                continue;
            }
            let example = example(&name, domain);
            let Some(value) = value else {
                mistakes.on(
                    option.tokens(),
                    format!("the option `{name}` needs a text; write `{name} = \"{example}\"`"),
                );
                continue;
            };
            if let Some(first) = seen.insert(name.clone(), key.clone()) {
                mistakes.at(key.span(), format!("the option `{name}` is given twice; remove one of them"));
                mistakes.at(first.span(), format!("the option `{name}` is given here first"));
                continue;
            }
            let Ok(text) = syn::parse2::<LitStr>(value.clone()) else {
                let meant = match name.as_str() {
                    "file" => words::as_domain_name(&value.to_string()),
                    _ => words::nearest(&value.to_string(), words::level_names()).map(str::to_owned),
                };
                let meant = meant.unwrap_or(example);
                mistakes.on(
                    value,
                    format!("the value of `{name}` is a text in quotes; write `{name} = \"{meant}\"`"),
                );
                continue;
            };
            match name.as_str() {
                "level" => options.level = level(&text, mistakes),
                "max_level" => {
                    options.max_level = level(&text, mistakes);
                    max_level_value = Some(text);
                }
                _ => match names::file(&text.value()) {
                    Some(problem) => mistakes.at(text.span(), problem),
                    None => options.file = Some((text.value(), text.span())),
                },
            }
        }
        if let (Some(level), Some(max_level), Some(value)) =
            (options.level, options.max_level, max_level_value)
            && level < max_level
        {
            mistakes.at(
                value.span(),
                format!(
                    "`max_level = \"{max}\"` compiles out what `level = \"{level}\"` asks for; write `max_level = \"{level}\"`, or `level = \"{max}\"`",
                    max = max_level.name(),
                    level = level.name(),
                ),
            );
            options.max_level = None;
        }
        options
    }
}

fn example(option: &str, domain: &str) -> String {
    match option {
        "level" => "warning".to_owned(),
        "max_level" => "info".to_owned(),
        _ => domain.to_lowercase(),
    }
}

fn level(text: &LitStr, mistakes: &mut Mistakes) -> Option<Level> {
    let given = text.value();
    let level = Level::named(&given);
    if level.is_none() {
        let meant = match given.to_lowercase().as_str() {
            "fatal" => Some("critical"),
            _ => words::nearest(&given, words::level_names()),
        };
        let hint = match meant {
            Some(known) => format!("did you mean \"{known}\"?"),
            None => format!("the levels are {}", words::LEVELS_SENTENCE),
        };
        mistakes.at(text.span(), format!("unknown level {given:?}; {hint}"));
    }
    level
}

/// What `log_domains` makes in the module: two types and two functions.
const TYPES: [&str; 2] = ["Repository", "Domain"];
const FUNCTIONS: [&str; 2] = ["init", "repo"];

/// The module must have a body, and must not have what is going to be made in it. Returns the body,
/// which is the user's own tokens where all is well, and else is without what was in the way.
fn body(module: &Module, mistakes: &mut Mistakes) -> TokenStream {
    let Some(body) = &module.body else {
        mistakes.at(
            module.name.span(),
            format!("`log_domains` needs the module's body here; write `mod {} {{}}`", module.name),
        );
        return TokenStream::new();
    };
    // What does not parse here is for the compiler to judge, which knows more syntax than this.
    let Ok(mut file) = syn::parse2::<syn::File>(body.clone()) else { return body.clone() };
    let mut in_the_way = false;
    file.items.retain(|item| {
        let names = in_the_way_of(item);
        for name in &names {
            mistakes.at(
                name.span(),
                format!("`{name}` is made by `log_domains` in this module; rename this one, or move it out"),
            );
        }
        in_the_way |= !names.is_empty();
        names.is_empty()
    });
    if in_the_way { file.into_token_stream() } else { body.clone() }
}

/// The names in `item` that would meet one of the generated items.
fn in_the_way_of(item: &Item) -> Vec<Ident> {
    let (name, made): (&Ident, &[&str]) = match item {
        Item::Enum(item) => (&item.ident, &TYPES),
        Item::Struct(item) => (&item.ident, &TYPES),
        Item::Trait(item) => (&item.ident, &TYPES),
        Item::Type(item) => (&item.ident, &TYPES),
        Item::Union(item) => (&item.ident, &TYPES),
        Item::Mod(item) => (&item.ident, &TYPES),
        Item::Fn(item) => (&item.sig.ident, &FUNCTIONS),
        Item::Const(item) => (&item.ident, &FUNCTIONS),
        Item::Static(item) => (&item.ident, &FUNCTIONS),
        Item::Use(item) => {
            let mut names = Vec::new();
            imported(&item.tree, &mut names);
            // Whether an imported `init` is a function or a module is not known here.
            names.retain(|name| TYPES.iter().any(|made| name == made));
            return names;
        }
        _ => return Vec::new(),
    };
    made.iter().filter(|made| name == *made).map(|_| name.clone()).collect()
}

/// The names that an import brings into its module.
fn imported(tree: &UseTree, out: &mut Vec<Ident>) {
    match tree {
        UseTree::Path(path) => imported(&path.tree, out),
        UseTree::Name(name) => out.push(name.ident.clone()),
        UseTree::Rename(rename) => out.push(rename.rename.clone()),
        UseTree::Group(group) => group.items.iter().for_each(|tree| imported(tree, out)),
        _ => {}
    }
}
