//! A name is missing after a dot: Rust's own message, and nothing else.
use miu_log::info;

#[miu_log::log_domains(app)]
mod logs {}

struct Request {
    user: &'static str,
}

fn main() {
    let repo = logs::repo();
    let request = Request { user: "x" };
    info!(repo.app, user = %request., "hello");
    info!(repo.app, "{} {}", request.user, request.);
    info!(repo.app, "{}", size_of_val(&request.));
}
