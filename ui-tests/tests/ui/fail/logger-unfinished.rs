//! The domain is yet to be named: Rust's own message, and nothing else.
use miu_log::info;

#[miu_log::log_domains(app)]
mod logs {}

fn main() {
    let repo = logs::repo();
    info!(repo.);
    info!(repo., "hello");
}
