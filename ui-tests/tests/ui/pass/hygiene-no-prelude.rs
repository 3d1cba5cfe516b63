//! A crate without a prelude.
#![no_implicit_prelude]
#![deny(warnings)]

#[::miu_log::log_domains(app, db(max_level = "info"))]
mod logs {}

fn main() {
    let repo = logs::repo();
    ::miu_log::trace!(repo.app, "plain");
    ::miu_log::critical!(repo.db, rows = 3, name = %"x", e = ?(1, 2), "{0} {0:?} {0:#x} {w:>w$}", 5, w = 4usize);
    ::miu_log::signal!(repo.app, ::miu_log::Level::Info, "{} {:x}", "x", 5);
    repo.app.info("method");
}
