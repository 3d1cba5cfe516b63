//! The macros of miu-log: `log_domains`, `main` and the logging statements.
//!
//! This file holds the entry points only. What they do is four steps, each in its own module, all
//! on `proc_macro2` so that they run in unit tests:
//!
//! - [`parse`]: tokens to syntax, every user's span kept;
//! - [`lower`]: all checks, all mistakes collected, syntax to a model that is right by construction;
//! - [`expand`]: model to tokens, cannot fail;
//! - [`fallback`]: mistakes plus a stub of the same shape, so that one mistake shows one error.
//!
//! [`template`] is the grammar of format strings, [`words`] the names that mean something, and [`secret_names`] those of fields whose
//! values are secrets.
//!
//! Expansions name `<crate path>::__private` and nothing else: they work in a crate that shadows
//! `std`, `core` or `Option`, that has no prelude, or that renamed miu-log.

#![forbid(unsafe_code)]

mod expand;
mod fallback;
mod lower;
mod parse;
mod secret_names;
#[cfg(test)]
mod snapshots;
mod template;
mod words;

use proc_macro::TokenStream;

/// Generates a typed log repository inside a module: one logger field per domain.
///
/// Inside the module appear `Repository` (one public field per domain), `Domain` (an enum of the
/// domains), `init` and `repo` (a process-wide repository). The module keeps its own content,
/// visibility, documentation and attributes.
///
/// A domain's name is also its file's name, so it is `[a-z][a-z0-9_]{0,63}`, is not a keyword, a
/// level, or a method of the repository. Options stand in parentheses after the name:
///
/// | option | meaning | default |
/// |---|---|---|
/// | `level = "warning"` | the level the domain starts with | the configuration's |
/// | `max_level = "info"` | the most detailed level that is compiled in | everything is |
/// | `file = "database"` | the domain's file, without `.log` | the domain's name |
///
/// # Examples
///
/// ```ignore
/// use miu_log::log_domains;
///
/// /// The areas of this service.
/// #[log_domains(app, db(level = "warning", max_level = "info", file = "database"), task)]
/// pub mod logs {}
/// ```
#[proc_macro_attribute]
pub fn log_domains(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let path = crate_path();
    domains(&path, arguments.into(), item.into()).into()
}

/// Begins and ends the program around `main`, sync or async: everything that is logged, and every way to end, is recorded.
///
/// - Its first statement is `early_init()`: what other crates log before a repository is opened is kept for it, and so are panics. Where that fails,
///   because another logger was installed, a line on stderr says so.
/// - An `Err` that `main` returns is a CRITICAL record of the default domain, with its causes, and so is an exit code other than that of success. The
///   error is anything that `main` can return: an error, a boxed error or a type that dereferences to one, or whatever has `Debug`.
/// - Repositories that `main` opened, or joined, and drops when it returns are still there for that record: dropping one writes all of its
///   records and takes no more, but its folder is given back when the program ends, or another repository is opened. `shutdown` gives it back at once.
///
/// A runtime's attribute stands below this one. `main` takes no arguments and may return what any `main` may.
///
/// # Examples
///
/// ```ignore
/// #[miu_log::main]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let repo = logs::Repository::open(LogConfig::new("logs"))?;
///     serve(&repo)?;
///     Ok(())
/// }
///
/// #[miu_log::main]
/// #[tokio::main]
/// async fn main() -> Result<(), Failure> {
///     serve().await
/// }
/// ```
#[proc_macro_attribute]
pub fn main(arguments: TokenStream, item: TokenStream) -> TokenStream {
    program(&crate_path(), arguments.into(), item.into()).into()
}

/// One logging statement; what `info!` and its siblings hand their input to.
///
/// The input is `[crate path] Level ; logger, fields…, "template", arguments…`, where `_` for the
/// level means that the level is an expression after the logger, and `signal` that moreover the
/// statement is for signal handlers.
#[doc(hidden)]
#[proc_macro]
pub fn record(input: TokenStream) -> TokenStream {
    statement(input.into()).into()
}

/// Fields alone; what `fields!` hands its input to, with the crate's path in brackets before it.
#[doc(hidden)]
#[proc_macro]
pub fn fields(input: TokenStream) -> TokenStream {
    field_set(input.into()).into()
}

/// Shows chosen arguments of a function with the errors that are logged inside it.
///
/// Records of level ERROR and CRITICAL that are logged while the function runs, by whomever, have the fields that stand in parentheses, under the
/// function's name: `fill.order=17`. Only files and sinks that ask for them show them: see `LogConfig::diagnose` and
/// `Console::diagnose`. They are written as those of `info!`: `order`, `user = %user`, `items = ?items`, `self.id`.
///
/// They are encoded when the function begins, if any repository of the process asks for them, else nothing is done with them. What is more than
/// 4 KiB is cut, as in `Fields`. Secrets are replaced by `***`, by the argument's name and not by the function's. An `async fn` has them wherever it is polled; a function that returns a future has them only until it
/// returns. A task or thread that the function spawns is not inside it.
///
/// # Examples
///
/// ```ignore
/// #[miu_log::diagnose(order, items = ?items)]
/// fn fill(repo: &logs::Repository, order: u32, items: &[&str]) {
///     repo.db.error("out of stock"); // … | out of stock | fill.order=17 fill.items=["book"]
/// }
/// ```
#[proc_macro_attribute]
pub fn diagnose(arguments: TokenStream, item: TokenStream) -> TokenStream {
    diagnosed(&crate_path(), arguments.into(), item.into()).into()
}

/// `log_domains` on testable tokens.
fn domains(
    path: &proc_macro2::TokenStream,
    arguments: proc_macro2::TokenStream,
    item: proc_macro2::TokenStream,
) -> proc_macro2::TokenStream {
    let head = match parse::domains::module(item) {
        Ok(head) => head,
        Err(refused) => return fallback::not_a_module(refused),
    };
    match lower::domains::lower(parse::domains::arguments(arguments), head) {
        Ok(model) => expand::domains::expand(path, &model),
        Err(rejected) => fallback::domains(path, *rejected),
    }
}

/// `main` on testable tokens.
fn program(
    path: &proc_macro2::TokenStream,
    arguments: proc_macro2::TokenStream,
    item: proc_macro2::TokenStream,
) -> proc_macro2::TokenStream {
    let function = match parse::main::function(item) {
        Ok(function) => function,
        Err(refused) => return fallback::not_a_function(refused),
    };
    match lower::main::lower(arguments, function) {
        Ok(model) => expand::main::expand(path, &model),
        Err(rejected) => expand::main::stub(&rejected),
    }
}

/// `record` on testable tokens.
fn statement(input: proc_macro2::TokenStream) -> proc_macro2::TokenStream {
    let syntax = match syn::parse2::<parse::record::Statement>(input) {
        Ok(syntax) => syntax,
        Err(error) => return fallback::not_a_statement(&error),
    };
    match lower::record::lower(syntax) {
        Ok(model) => expand::record::expand(&model),
        Err(rejected) => fallback::record(&rejected),
    }
}

/// `fields` on testable tokens.
fn field_set(input: proc_macro2::TokenStream) -> proc_macro2::TokenStream {
    let path = parse::record::path_of(&input);
    match syn::parse2::<parse::record::FieldSet>(input) {
        Ok(set) => expand::fields::expand(&lower::record::lower_fields(set.path, &set.fields, None)),
        Err(error) => fallback::not_fields(&path, &error),
    }
}

/// `diagnose` on testable tokens.
fn diagnosed(
    path: &proc_macro2::TokenStream,
    arguments: proc_macro2::TokenStream,
    item: proc_macro2::TokenStream,
) -> proc_macro2::TokenStream {
    match parse::diagnose::parse(arguments, item) {
        Ok(parsed) => {
            let function = &parsed.function.sig.ident;
            let fields = lower::record::lower_fields(path.clone(), &parsed.fields, Some(function));
            expand::diagnose::expand(
                &quote::quote!(#path::__private),
                &parsed.function,
                &expand::fields::expand(&fields),
            )
        }
        Err(refused) => fallback::not_diagnosed(&refused),
    }
}

/// The path by which the user's crate knows miu-log, whatever name its Cargo.toml gives it.
fn crate_path() -> proc_macro2::TokenStream {
    use proc_macro_crate::{FoundCrate, crate_name};

    // `Itself` is seen by the tests, examples and doc tests of miu-log's own package, which know
    // it as `miu_log` like everybody else. Where Cargo.toml cannot be read (another build tool),
    // the usual name is the best guess.
    let name = match crate_name("miu-log") {
        Ok(FoundCrate::Name(name)) => name,
        Ok(FoundCrate::Itself) | Err(_) => "miu_log".to_owned(),
    };
    let name = proc_macro2::Ident::new(&name, proc_macro2::Span::call_site());
    quote::quote!(::#name)
}
