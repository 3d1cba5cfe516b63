//! A documented crate that denies what it can.
#![forbid(unsafe_code)]
#![deny(missing_docs, warnings, unused, future_incompatible, nonstandard_style, rust_2018_idioms)]
#![deny(unreachable_pub, unused_qualifications, missing_debug_implementations, unused_results)]
#![deny(unused_lifetimes, single_use_lifetimes, elided_lifetimes_in_paths, explicit_outlives_requirements)]
#![deny(trivial_casts, trivial_numeric_casts, variant_size_differences, unit_bindings)]

/// Its own documentation.
#[miu_log::log_domains(app, db(level = "warning", max_level = "info", file = "database"), task)]
mod logs {}

// Nothing of this one is ever used, and nothing of it is documented by hand.
#[miu_log::log_domains(one)]
pub mod unused {}

fn main() {
    let repo = logs::repo();
    let rows = 3;
    miu_log::info!(repo.app, rows, "took {:.1} ms", 2.5);
    miu_log::debug!(repo.db, "{rows:>5}");
    miu_log::signal!(repo.db, miu_log::Level::Error, "{rows:>5} {:#x}", rows);
}
