//! What `signal!` does once the level is enabled and the values are known, in the frame that every
//! statement has:
//!
//! ```text
//! if false {
//!     let _ = format_args!("{:x}", *__v0); // for each `{:x}`, `{:o}`, `{:b}`, `{:e}`
//! }
//! const SITE: SignalSite = SignalSite::new("…", file!(), line!(), module_path!());
//! submit_signal(as_logger(__logger), Level, &SITE, &(signal_value(__v0), ()));
//! ```
//!
//! - No `static` that is filled in later, no closure, no buffer: it runs in a signal handler.
//! - The format arguments are made in a place that is never reached. They let the compiler check that a value is a number
//!   where the placeholder wants one; every type that `signal!` takes has `Display` and `Debug`.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};

use super::record::{Frame, format_args, local, typed};
use crate::lower::record::{Record, Staged};

/// The statement's inner part.
pub(super) fn body(record: &Record, frame: &Frame<'_>) -> TokenStream {
    let Frame { p, level, .. } = frame;
    let site = Span::mixed_site();
    let template = &record.template;
    let logger = local("logger", site);
    let checks = record.arguments.iter().filter_map(|staged| match staged {
        Staged::Number { value, placeholder } => {
            let text = format_args(p, &record.values, &[*value], placeholder);
            Some(quote_spanned!(site=> let _ = #text;))
        }
        _ => None,
    });
    let values: Vec<TokenStream> = record
        .arguments
        .iter()
        .filter_map(|staged| match staged {
            Staged::Display { value, .. } | Staged::Debug { value, .. } | Staged::Number { value, .. } => {
                Some(typed(&record.values, p, "signal_value", *value))
            }
            _ => None,
        })
        .collect();
    let nested = values.iter().rev().fold(quote!(()), |rest, value| quote!((#value, #rest)));
    quote_spanned!(site=>
        const SITE: #p::SignalSite = #p::SignalSite::new(
            #template,
            #p::core::file!(),
            #p::core::line!(),
            #p::core::module_path!(),
        );
        if false { #(#checks)* }
        #p::submit_signal(#p::AsLogger::as_logger(#logger), #level, &SITE, &#nested);
    )
}
