//! Expansions as a person would read them, and mistakes as the user sees them.
//!
//! `cargo insta review` shows what a change to the macros does to the code they write.

use proc_macro2::{TokenStream, TokenTree};
use quote::quote;

/// The expansion of a `log_domains`, formatted.
fn domains(arguments: TokenStream, item: TokenStream) -> String {
    let expansion = crate::domains(&quote!(::miu_log), arguments, item);
    prettyplease::unparse(&syn::parse2(expansion).unwrap())
}

/// The expansion of a statement, formatted as the body of a function.
fn statement(level: TokenStream, input: TokenStream) -> String {
    let expansion = crate::statement(quote!([::miu_log] #level; #input));
    prettyplease::unparse(&syn::parse2(quote!(fn statement() { #expansion })).unwrap())
}

/// The texts of all `compile_error!` in an expansion.
fn mistakes(expansion: TokenStream) -> Vec<String> {
    let mut found = Vec::new();
    let tokens: Vec<TokenTree> = expansion.into_iter().collect();
    for window in tokens.windows(3) {
        if let [TokenTree::Ident(name), TokenTree::Punct(_), TokenTree::Group(text)] = window
            && name == "compile_error"
        {
            found.push(syn::parse2::<syn::LitStr>(text.stream()).unwrap().value());
        }
    }
    for token in tokens {
        if let TokenTree::Group(group) = token {
            found.extend(mistakes(group.stream()));
        }
    }
    found
}

fn domain_mistakes(arguments: TokenStream) -> Vec<String> {
    mistakes(crate::domains(
        &quote!(::miu_log),
        arguments,
        quote!(
            mod logs {}
        ),
    ))
}

fn statement_mistakes(input: TokenStream) -> Vec<String> {
    mistakes(crate::statement(quote!([::miu_log] Info; #input)))
}

#[test]
fn log_domains_expands() {
    insta::assert_snapshot!(domains(
        quote!(app, db(level = "warning", max_level = "info", file = "database")),
        quote! {
            /// The areas of this service.
            #[cfg(unix)]
            pub(crate) mod logs {
                /// The user's own.
                pub const ANSWER: u8 = 42;
            }
        },
    ));
}

#[test]
fn a_mistake_leaves_a_module_of_the_same_shape() {
    insta::assert_snapshot!(domains(
        quote!(app, Db, error, app),
        quote!(
            mod logs {}
        )
    ));
}

/// The expansion of `main`, formatted.
fn program(item: TokenStream) -> String {
    let expansion = crate::program(&quote!(::miu_log), TokenStream::new(), item);
    prettyplease::unparse(&syn::parse2(expansion).unwrap())
}

#[test]
fn main_expands() {
    insta::assert_snapshot!(program(quote! {
        /// The program.
        #[cfg(unix)]
        #[allow(unused)]
        fn main() -> Result<(), Failure> {
            serve()?;
            Ok(())
        }
    }));
}

#[test]
fn an_async_main_keeps_the_attribute_of_its_runtime() {
    insta::assert_snapshot!(program(quote! {
        #[tokio::main(flavor = "current_thread")]
        async fn main() {
            serve().await;
        }
    }));
}

#[test]
fn mistakes_about_main_are_told_together() {
    let item = quote!(
        async fn main(arguments: u8) {}
    );
    let expansion = crate::program(&quote!(::miu_log), quote!(app), item);
    insta::assert_snapshot!(mistakes(expansion).join("\n"));
}

#[test]
fn a_plain_message_expands() {
    insta::assert_snapshot!(statement(quote!(Info), quote!(repo.app, "hello")));
}

#[test]
fn fields_and_deferred_arguments_expand() {
    insta::assert_snapshot!(statement(
        quote!(Warning),
        quote!(repo.task, attempt = n + 1, user = %name, err = ?e, self.id, "took {:.1} ms for {name} {0:#x}", ms),
    ));
}

#[test]
fn dynamic_widths_and_pretty_debug_are_formatted_at_once() {
    insta::assert_snapshot!(statement(
        quote!(Debug),
        quote!(repo.app, "{:>w$} {:.*} {:#?} {:p} {w}", a, 2, b, c, &d, w = width),
    ));
}

#[test]
fn a_level_can_be_an_expression() {
    insta::assert_snapshot!(statement(quote!(_), quote!(&repo.app, level_of(x), "{x}")));
}

#[test]
fn a_statement_for_signal_handlers_expands() {
    insta::assert_snapshot!(statement(
        quote!(signal),
        quote!(repo.app, Level::Warning, "signal {} of {:#x} in {name}", number, mask),
    ));
}

#[test]
fn a_statement_for_signal_handlers_formats_nothing_and_has_no_fields() {
    let cases = [
        quote!(a, level, x = 1, "m"),
        quote!(a, level, %x),
        quote!(a, level, "{:w$}", 1, w = 2),
        quote!(a, level, "{:#?} {:p}", 1, 2),
        quote!(a, level, "{}"),
        quote!(a, level),
        quote!(a),
        quote!(),
    ];
    let report: Vec<String> = cases
        .into_iter()
        .map(|case| {
            let found = mistakes(crate::statement(quote!([::miu_log] signal; #case)));
            format!("{case}\n    {}", found.join("\n    "))
        })
        .collect();
    insta::assert_snapshot!(report.join("\n"));
}

#[test]
fn fields_alone_are_a_record() {
    insta::assert_snapshot!(statement(quote!(Error), quote!(repo.app, user.name, ?state)));
}

#[test]
fn a_module_that_log_domains_is_on_keeps_its_body_token_for_token() {
    let body = quote!(#![allow(dead_code)] pub fn f() -> u8 { 3 } impl X { fn g(self) {} });
    let expansion = crate::domains(&quote!(::miu_log), quote!(app), quote!(mod logs { #body }));
    assert!(expansion.to_string().contains(&body.to_string()));
}

#[test]
fn mistakes_in_a_list_are_all_reported() {
    let found = domain_mistakes(quote!(
        App,
        r#type,
        _,
        "db",
        a::b,
        error,
        con,
        get,
        x(levle = "info"),
        y(level = "wraning"),
        x,
        z(file = "error")
    ));
    assert_eq!(found.len(), 13, "{found:#?}");
}

#[test]
fn options_are_checked_together() {
    let found = domain_mistakes(quote!(
        a(level = "debug", max_level = "info"),
        b(level = warning, file = 3, file = "x", level),
        c(file = "d"),
        d,
        e(file = "../etc"),
        f(file = "f.log"),
        g = "x",
        h(,),
        i_1,
        i1,
        self_
    ));
    insta::assert_snapshot!(found.join("\n"));
}

#[test]
fn arguments_and_placeholders_are_matched() {
    let cases = [
        quote!(a, "{} {}", 1),
        quote!(a, "{}", 1, 2),
        quote!(a, "{nmae}", name = 3),
        quote!(a, "x", unused = 3),
        quote!(a, "{x}", x = 1, 2),
        quote!(a, "{x}", x = 1, x = 2),
        quote!(a, x = 1, x = 2, "m"),
        quote!(a, "{:d} {", 1),
        quote!(a, "{3}", 1),
        quote!(a),
        quote!(a, "x", %y),
        quote!(a, "x", y = %y),
        quote!(a, %f(x), "m"),
        quote!(a, format!("x")),
        quote!(a, concat!("x", "y"), 3),
        quote!(a, 42),
        quote!(a, b"bytes"),
        quote!(a, "name" = 3),
        quote!(a, x =, "m"),
        quote!("hello"),
        quote!(a "hello"),
        quote!(),
        quote!(,"x"),
        quote!(a, , "x"),
    ];
    let report: Vec<String> = cases
        .into_iter()
        .map(|case| format!("{case}\n    {}", statement_mistakes(case.clone()).join("\n    ")))
        .collect();
    insta::assert_snapshot!(report.join("\n"));
}

#[test]
fn a_sound_statement_has_no_mistakes() {
    let cases = [
        quote!(a, "{0} {} {}", 1, 2),
        quote!(a, "{0} {1} {x}", 1, x = 2),
        quote!(a, "{0}", x = 2),
        quote!(a, "{:1$} {:.2$}", 1, 2, 3),
        quote!(a, r#"raw "{}""#, 1,),
        quote!(a, x == y, "no"),
        quote!(a, "{type} {self}"),
    ];
    for (index, case) in cases.into_iter().enumerate() {
        let found = statement_mistakes(case.clone());
        // A comparison is an expression, not a field.
        assert_eq!(found.is_empty(), index != 5, "{case}: {found:?}");
    }
}

/// An editor looks for the place of the caret in two expansions: of the text as it is, and of the
/// text with a name put there.
#[test]
fn what_is_before_the_caret_expands_to_the_same_text_with_and_without_a_name() {
    let cases = [
        ("Info", "repo.", ""),
        ("Info", "repo.", ", \"m\""),
        ("Info", "repo.db, user = %request.", ", \"m\""),
        ("Info", "repo.db, %request.", ", \"m\""),
        ("Info", "repo.db, request.", ""),
        ("Info", "repo.db, \"{}\", request.", ""),
        ("Info", "repo.db, \"{} {x}\", a = request.", ""),
        ("Info", "repo.db, \"{} {}\", first, f(&request.", ")"),
        ("Info", "repo.db, \"{\", request.", ", second"),
        ("_", "repo.", ""),
        ("_", "repo.", ", level, \"m\""),
        ("_", "repo.db, self.", ""),
        ("_", "repo.db, level, request.", ", \"m\""),
        ("_", "repo.db, level, \"{}\", request.", ""),
    ];
    let expansion = |level: &str, text: String| {
        let input: TokenStream = format!("[miu_log] {level}; {text}").parse().unwrap();
        crate::statement(input).to_string()
    };
    for (level, before, behind) in cases {
        let named = expansion(level, format!("{before}caret{behind}"));
        let unfinished = expansion(level, format!("{before}{behind}"));
        let (same, _) = named.split_once("caret").unwrap();
        assert!(unfinished.starts_with(same.trim_end()), "{before}|{behind}\n{named}\n{unfinished}");
    }
}

#[test]
fn a_dot_without_a_name_is_left_to_the_compiler() {
    assert_eq!(statement_mistakes(quote!(repo.)), [""; 0]);
    assert_eq!(statement_mistakes(quote!(repo.db, "{}", f(request.))), [""; 0]);
    // A range is none, and what a macro is given is that macro's matter: these are told here.
    assert_ne!(statement_mistakes(quote!(repo.db, "{}", 1.. +)), [""; 0]);
    assert_ne!(statement_mistakes(quote!(repo.db, "{}", m!(a.) +)), [""; 0]);
}

/// The expansion of `fields!`, formatted as the body of a function.
fn field_set(input: TokenStream) -> String {
    let expansion = crate::field_set(quote!([::miu_log] #input));
    prettyplease::unparse(&syn::parse2(quote!(fn fields() { #expansion })).unwrap())
}

/// The expansion of a function with `#[diagnose(…)]`, formatted.
fn diagnosed(arguments: TokenStream, item: TokenStream) -> String {
    prettyplease::unparse(&syn::parse2(crate::diagnosed(&quote!(::miu_log), arguments, item)).unwrap())
}

#[test]
fn fields_that_are_secrets_by_their_name_are_staged_as_such() {
    insta::assert_snapshot!(statement(
        quote!(Info),
        quote!(repo.app, password, token = %token, jar.cookies = ?jar, token_count = n, "{token}"),
    ));
}

#[test]
fn the_name_of_a_function_makes_no_secret_of_its_arguments() {
    insta::assert_snapshot!(diagnosed(
        quote!(user, new_password),
        quote!(
            fn reset_password(user: &str, new_password: &str) {}
        )
    ));
}

#[test]
fn fields_alone_expand() {
    insta::assert_snapshot!(field_set(quote!(rows = n, %user, list = ?items)));
}

#[test]
fn a_function_whose_arguments_are_captured_expands() {
    insta::assert_snapshot!(diagnosed(
        quote!(order),
        quote!(
            pub fn fill(order: u32) -> bool {
                let found = order > 1;
                found
            }
        )
    ));
}

#[test]
fn an_async_function_has_its_values_wherever_it_is_polled() {
    insta::assert_snapshot!(diagnosed(
        quote!(order),
        quote!(
            async fn fill(order: u32) -> Result<u32, Error> {
                Ok(find(order).await?)
            }
        )
    ));
}

#[test]
fn what_cannot_be_diagnosed_is_refused() {
    let refused = |arguments, item| mistakes(crate::diagnosed(&quote!(::miu_log), arguments, item));
    let found = [
        refused(
            quote!(a),
            quote!(
                struct NoFunction;
            ),
        ),
        refused(
            quote!(a),
            quote!(
                const fn compiled(a: u8) {}
            ),
        ),
        refused(
            quote!(),
            quote!(
                fn nothing_named(a: u8) {}
            ),
        ),
        refused(
            quote!("a"),
            quote!(
                fn a_text(a: u8) {}
            ),
        ),
        refused(
            quote!(a, a),
            quote!(
                fn twice(a: u8) {}
            ),
        ),
    ];
    insta::assert_snapshot!(found.concat().join("\n"));
}
