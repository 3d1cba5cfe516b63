//! `log_domains`: the module with its own content, and after it the generated items.
//!
//! The two types stand in the user's module, so that messages name them as the user does. All code
//! stands in a module of its own inside: there a parameter is a parameter, also where the user's
//! module has a `static` or `const` of the same name, which the pattern would mean otherwise. No kind
//! of hygiene that a macro has on stable Rust keeps the two apart.

use proc_macro2::{Literal, TokenStream};
use quote::{ToTokens, quote};

use crate::lower::domains::{Domain, Domains};
use crate::words::Level;

/// The module, complete. `path` is the crate's path, `::miu_log` as a rule.
pub(crate) fn expand(path: &TokenStream, model: &Domains) -> TokenStream {
    let Domains { attributes, visibility, keyword, module, body, .. } = model;
    let p = quote!(#path::__private);
    let domain = domain(&p, &model.domains);
    let domain_impls = domain_impls(&p, &model.domains);
    let repository = repository(&p, &model.domains);
    let repository_impls = repository_impls(&p, &model.domains);
    let lints = lints();
    let process_wide = process_wide(&p);
    let docs = model_docs(model);
    quote! {
        #(#attributes)*
        #docs
        #visibility #keyword #module {
            #body
            #domain
            #repository
            #lints
            #[allow(unused_imports)]
            pub use self::__miu_log::{init, repo};

            #[doc(hidden)]
            #lints
            mod __miu_log {
                use super::{Domain, Repository};
                #domain_impls
                #repository_impls
                #process_wide
            }
        }
    }
}

/// A module that the user has not documented gets a line, for the editor and for `missing_docs`.
fn model_docs(model: &Domains) -> Option<TokenStream> {
    let has_docs =
        model.attributes.iter().any(|attribute| attribute.path().is_ident("doc")) || inner_docs(&model.body);
    let text = format!("The log domains {}.", sentence(&model.domains));
    (!has_docs).then(|| quote!(#[doc = #text]))
}

/// Whether the body begins with documentation of its own module, `//!`.
fn inner_docs(body: &TokenStream) -> bool {
    let mut start = body.clone().into_iter().take(3).map(|token| token.to_string());
    start.next().as_deref() == Some("#")
        && start.next().as_deref() == Some("!")
        && start.next().is_some_and(|group| group.trim_start_matches(['[', ' ']).starts_with("doc"))
}

/// "`app`, `db` and `task`".
fn sentence(domains: &[Domain]) -> String {
    let names: Vec<String> = domains.iter().map(|domain| format!("`{}`", domain.name)).collect();
    match names.as_slice() {
        [] => "(none)".to_owned(),
        [one] => one.clone(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}

/// What generated items may look like without the user's lints having a say. `missing_docs` is not
/// among them: everything generated is documented.
fn lints() -> TokenStream {
    quote!(#[allow(dead_code, unreachable_pub, unused_qualifications, clippy::all, clippy::pedantic, clippy::nursery)])
}

fn level(p: &TokenStream, level: Option<Level>) -> TokenStream {
    match level {
        Some(level) => {
            let variant = quote::format_ident!("{}", level.variant());
            quote!(#p::core::option::Option::Some(#p::Level::#variant))
        }
        None => quote!(#p::core::option::Option::None),
    }
}

fn domain(p: &TokenStream, domains: &[Domain]) -> TokenStream {
    let lints = lints();
    let core = quote!(#p::core);
    let variants = domains.iter().map(|domain| &domain.variant);
    let docs =
        domains.iter().map(|domain| format!("The `{}` domain, file `{}.log`.", domain.name, domain.file));
    let about = format!("A log domain of this program: {}.", sentence(domains));
    quote! {
        #[doc = #about]
        #[derive(
            #core::clone::Clone,
            #core::marker::Copy,
            #core::fmt::Debug,
            #core::cmp::PartialEq,
            #core::cmp::Eq,
            #core::hash::Hash,
            #core::cmp::PartialOrd,
            #core::cmp::Ord,
        )]
        #lints
        pub enum Domain {
            #(
                #[doc = #docs]
                #variants,
            )*
        }
    }
}

fn domain_impls(p: &TokenStream, domains: &[Domain]) -> TokenStream {
    let core = quote!(#p::core);
    let variants: Vec<_> = domains.iter().map(|domain| &domain.variant).collect();
    let names: Vec<_> = domains.iter().map(|domain| &domain.name).collect();
    let numbers = (0..domains.len()).map(Literal::usize_unsuffixed);
    let specs = domains.iter().map(|domain| {
        let Domain { name, file, .. } = domain;
        let level = level(p, domain.level);
        quote!(#p::DomainSpec { name: #name, file: #file, level: #level })
    });
    quote! {
        impl Domain {
            /// Every domain, in the order of their declaration.
            pub const ALL: &'static [Domain] = &[#(Domain::#variants),*];

            /// The domain's name, as it stands in a line and as `get` takes it.
            #[must_use]
            pub const fn as_str(self) -> &'static #core::primitive::str {
                match self {
                    #(Domain::#variants => #names,)*
                }
            }
        }

        #[automatically_derived]
        impl #core::fmt::Display for Domain {
            fn fmt(&self, f: &mut #core::fmt::Formatter<'_>) -> #core::fmt::Result {
                f.pad(Domain::as_str(*self))
            }
        }

        #[automatically_derived]
        impl #core::str::FromStr for Domain {
            type Err = #p::UnknownDomain;

            /// Reads a domain's name; the error lists the known ones.
            fn from_str(text: &#core::primitive::str) -> #core::result::Result<Self, #p::UnknownDomain> {
                match text {
                    #(#names => #core::result::Result::Ok(Domain::#variants),)*
                    _ => #core::result::Result::Err(#p::UnknownDomain::new(text, &[#(#names),*])),
                }
            }
        }

        #[automatically_derived]
        impl #p::DomainSet for Domain {
            const SPECS: &'static [#p::DomainSpec] = &[#(#specs),*];

            fn index(self) -> #core::primitive::usize {
                match self {
                    #(Domain::#variants => #numbers,)*
                }
            }
        }
    }
}

/// What an editor shows for `repo.db`.
fn field_docs(domain: &Domain) -> String {
    let mut docs = format!("Logger of the `{}` domain: writes `{}.log`.", domain.name, domain.file);
    if let Some(level) = domain.level {
        docs += &format!("\n\nStarts at level `{}`.", level.name());
    }
    if let Some(level) = domain.max_level.filter(|level| level.0 > 0) {
        docs += &format!("\n\nCalls below level `{}` are not compiled in.", level.name());
    }
    docs
}

fn repository(p: &TokenStream, domains: &[Domain]) -> TokenStream {
    let lints = lints();
    let fields = domains.iter().map(|domain| &domain.field);
    let docs = domains.iter().map(field_docs);
    let types = domains.iter().map(|domain| match domain.max_level {
        Some(level) => {
            let least = Literal::u8_unsuffixed(level.0);
            quote!(#p::CappedLogger<#least>)
        }
        None => quote!(#p::Logger),
    });
    let about = format!(
        "The log repository: one logger for each of the domains {}.\n\n\
         Made by `open` in the process that writes the files, by `worker` in a thread that logs through \
         another repository's queue. Dropping it does what `shutdown` does; below `#[miu_log::main]` its folder is given back later.",
        sentence(domains)
    );
    quote! {
        #[doc = #about]
        #lints
        pub struct Repository {
            #(
                #[doc = #docs]
                pub #fields: #types,
            )*
            __core: #p::Core,
        }
    }
}

fn repository_impls(p: &TokenStream, domains: &[Domain]) -> TokenStream {
    let core = quote!(#p::core);
    let fields: Vec<_> = domains.iter().map(|domain| &domain.field).collect();
    let variants = domains.iter().map(|domain| &domain.variant);
    let loggers = domains.iter().enumerate().map(|(index, domain)| {
        let index = Literal::usize_unsuffixed(index);
        match domain.max_level {
            Some(level) => {
                let least = Literal::u8_unsuffixed(level.0);
                quote!(#p::Core::capped_logger::<#least>(&core, #index))
            }
            None => quote!(#p::Core::logger(&core, #index)),
        }
    });
    let specs = quote!(<Domain as #p::DomainSet>::SPECS);
    let methods = methods(p, &core, &specs);
    quote! {
        impl Repository {
            #methods

            /// The logger of a domain that is known as a value.
            #[must_use]
            pub fn domain(&self, domain: Domain) -> &#p::Logger {
                match domain {
                    #(Domain::#variants => &self.#fields,)*
                }
            }

            fn __from_core(core: #p::Core) -> Self {
                Repository {
                    #(#fields: #loggers,)*
                    __core: core,
                }
            }
        }

        #[automatically_derived]
        impl #core::fmt::Debug for Repository {
            fn fmt(&self, f: &mut #core::fmt::Formatter<'_>) -> #core::fmt::Result {
                #core::fmt::DebugStruct::finish_non_exhaustive(
                    #core::fmt::DebugStruct::field(
                        &mut #core::fmt::Formatter::debug_struct(f, "Repository"),
                        "domains",
                        &Domain::ALL,
                    ),
                )
            }
        }
    }
}

/// The methods that are the same whatever the domains are.
fn methods(p: &TokenStream, core: &TokenStream, specs: &TokenStream) -> TokenStream {
    let result = |ok: TokenStream| quote!(#core::result::Result<#ok, #p::Error>);
    let repository = result(quote!(Self));
    let nothing = result(quote!(()));
    quote! {
        /// Opens the repository: makes the log folder, opens the files, starts the listener.
        ///
        /// # Errors
        ///
        /// Where the configuration contradicts itself, the folder or a file cannot be made or
        /// written, or another repository, of this process or of another one, is open on the folder.
        pub fn open(config: #p::LogConfig) -> #repository {
            match #p::Core::open(config, #specs) {
                #core::result::Result::Ok(core) => #core::result::Result::Ok(Repository::__from_core(core)),
                #core::result::Result::Err(error) => #core::result::Result::Err(error),
            }
        }

        /// A repository without a listener of its own: its records go through `queue`, which comes
        /// from [`queue`](Repository::queue).
        ///
        /// Domains are matched by name. One that the queue does not have logs to nowhere, and one
        /// warning in the files names all such domains;
        /// [`try_worker`](Repository::try_worker) makes that an error.
        #[must_use]
        #[track_caller]
        pub fn worker(queue: #p::QueueHandle) -> Self {
            Repository::__from_core(#p::Core::worker(queue, #specs))
        }

        /// As [`worker`](Repository::worker), for a caller whose domains all have to be the queue's.
        ///
        /// # Errors
        ///
        /// Where the queue does not have one of the domains; the error lists both sides.
        pub fn try_worker(queue: #p::QueueHandle) -> #repository {
            match #p::Core::try_worker(queue, #specs) {
                #core::result::Result::Ok(core) => #core::result::Result::Ok(Repository::__from_core(core)),
                #core::result::Result::Err(error) => #core::result::Result::Err(error),
            }
        }

        /// Joins the repository of another process: the one whose queue was shared with this process by
        /// `queue().share_with(&mut command)`. It opens no log file and starts no listener.
        ///
        /// # Errors
        ///
        /// Where there is no such repository, it belongs to another user, was made by another layout version,
        /// or does not have one of the domains; then the error lists both sides.
        pub fn connect() -> #repository {
            match #p::Core::connect(#specs) {
                #core::result::Result::Ok(core) => #core::result::Result::Ok(Repository::__from_core(core)),
                #core::result::Result::Err(error) => #core::result::Result::Err(error),
            }
        }

        /// As [`connect`](Repository::connect), to the repository at this endpoint: see `queue().endpoint()`.
        ///
        /// # Errors
        ///
        /// As for [`connect`](Repository::connect).
        pub fn connect_to(endpoint: impl #core::convert::Into<#p::Endpoint>) -> #repository {
            match #p::Core::connect_to(endpoint, #specs) {
                #core::result::Result::Ok(core) => #core::result::Result::Ok(Repository::__from_core(core)),
                #core::result::Result::Err(error) => #core::result::Result::Err(error),
            }
        }

        /// What was brought into the files when this repository was opened, from runs that did not end properly.
        #[must_use]
        pub fn recovery(&self) -> #p::Recovery {
            #p::Core::recovery(&self.__core)
        }

        /// The logger of a domain that is known by name.
        ///
        /// # Errors
        ///
        /// Where no domain has this name; the error lists those there are.
        pub fn get(
            &self,
            name: &#core::primitive::str,
        ) -> #core::result::Result<&#p::Logger, #p::UnknownDomain> {
            match <Domain as #core::str::FromStr>::from_str(name) {
                #core::result::Result::Ok(domain) => #core::result::Result::Ok(Repository::domain(self, domain)),
                #core::result::Result::Err(error) => #core::result::Result::Err(error),
            }
        }

        /// The queue into which this repository's records go: what a worker is made of. It can be
        /// cloned and sent to other threads.
        #[must_use]
        pub fn queue(&self) -> #p::QueueHandle {
            #p::Core::queue(&self.__core)
        }

        /// Waits until everything logged before this call has been handed to the operating system,
        /// for at most `timeout`.
        ///
        /// # Errors
        ///
        /// Where the time was not enough, or a sink refuses to write.
        pub fn flush(&self, timeout: #core::time::Duration) -> #nothing {
            #p::Core::flush(&self.__core, timeout)
        }

        /// Rotates every log file that is not empty, and waits until that is done: what was logged before this call is in the
        /// rotated files, what is logged after it in new ones.
        ///
        /// # Errors
        ///
        /// Where a file could not be rotated: the text names each, and why; the others are. Where it takes more than ten seconds, a sink refuses to
        /// write, or the files are another process's.
        pub fn rotate(&self) -> #nothing {
            #p::Core::rotate(&self.__core)
        }

        /// Writes what is queued, then stops the listener. Calling it again does nothing; records
        /// logged afterwards are counted as dropped.
        pub fn shutdown(&self) -> #p::ShutdownReport {
            #p::Core::shutdown(&self.__core)
        }

        /// Ends the process with this exit code. A last record in the default domain says why: `stopping: <reason>`, with the code, the
        /// program's name and how long it ran since this repository was opened, at INFO where the code is 0 and at CRITICAL otherwise, whatever level
        /// is in force. Everything logged before is written first, as [`shutdown`](Repository::shutdown) does it; functions registered
        /// for the exit run, destructors do not.
        ///
        /// Where logging has ended before, the reason is told on stderr.
        #[track_caller]
        pub fn exit(&self, code: #core::primitive::i32, reason: impl #core::fmt::Display) -> ! {
            #p::Core::exit(&self.__core, code, reason)
        }

        /// Turns debug and trace records on or off, in every domain and every worker; other levels
        /// stay as they are.
        pub fn set_debug_enabled(&self, enabled: #core::primitive::bool) {
            #p::Core::set_debug_enabled(&self.__core, enabled)
        }

        /// Whether debug and trace records are turned on.
        #[must_use]
        pub fn debug_enabled(&self) -> #core::primitive::bool {
            #p::Core::debug_enabled(&self.__core)
        }

        /// Sets the level of every domain, for good, or by `for_` for a limited time: `repo.set_level(level).for_(time)`. A single
        /// domain's is set on its logger.
        pub fn set_level(&self, level: #p::Level) -> #p::LevelChange {
            #p::Core::set_level(&self.__core, level)
        }

        /// Sets the lowest level that is taken of other crates' records whose target begins so: `repo.set_target_level("sqlx::query", Level::Debug)?`. For good, or by
        /// `for_` for a limited time: `repo.set_target_level(target, level)?.for_(time)`. It is in force at once, in all processes.
        ///
        /// It stands in place of the level of the domain that the records go to, as a `target_level` of the configuration does: the debug switch, and what
        /// `max_level` has removed from the program, count all the same. Of several targets that fit the longest counts, whether it was set here or in the
        /// configuration; of two that are the same, the one that was set here. It ends by `for_`, by `reset_target_level`, by another level for the same target,
        /// and with a new start of the repository. Records that are logged by this repository's own loggers have no target, and do not ask.
        ///
        /// # Errors
        ///
        /// When the text is not the path of a module, such as `sqlx` or `sqlx::query`, or is longer than 120 bytes; or when 32 levels of targets are set already.
        pub fn set_target_level(
            &self,
            target: &#core::primitive::str,
            level: #p::Level,
        ) -> #core::result::Result<#p::LevelChange, #p::Error> {
            #p::Core::set_target_level(&self.__core, target, level)
        }

        /// Takes the level of a target back that was set by `set_target_level`, with all that were set for it for a limited time: the configuration counts again,
        /// in all processes. `false` where there was none for this very target.
        pub fn reset_target_level(&self, target: &#core::primitive::str) -> #core::primitive::bool {
            #p::Core::reset_target_level(&self.__core, target)
        }

        /// What was logged before which stage of the start: before `early_init`, and before this repository was opened.
        #[must_use]
        pub fn startup_report(&self) -> #p::StartupReport {
            #p::Core::startup_report(&self.__core)
        }

        /// The pipeline's own counters: records accepted, written and dropped, queue depth, sink errors.
        #[must_use]
        pub fn stats(&self) -> #p::Stats {
            #p::Core::stats(&self.__core)
        }
    }
}

/// `init` and `repo`, and the one repository behind them.
fn process_wide(p: &TokenStream) -> impl ToTokens {
    let core = quote!(#p::core);
    quote! {
        static GLOBAL: #p::Global<Repository> = #p::Global::new();

        /// Opens the process-wide repository, which [`repo`] returns from then on. Records logged
        /// through [`repo`] before are kept and written first.
        ///
        /// # Errors
        ///
        /// Where it has been opened before, and whenever [`Repository::open`] fails; a failed start
        /// can be tried again.
        #[track_caller]
        pub fn init(config: #p::LogConfig) -> #core::result::Result<&'static Repository, #p::Error> {
            #p::Global::init(
                &GLOBAL,
                config,
                <Domain as #p::DomainSet>::SPECS,
                Repository::__from_core,
            )
        }

        /// The process-wide repository. Before [`init`] it keeps a bounded number of records, which
        /// [`init`] then writes.
        #[must_use]
        pub fn repo() -> &'static Repository {
            #p::Global::get(&GLOBAL, <Domain as #p::DomainSet>::SPECS, Repository::__from_core)
        }
    }
}
