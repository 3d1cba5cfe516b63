use miu_log::{Level, signal};

#[miu_log::log_domains(app, db)]
mod logs {}

#[derive(Debug)]
struct Opaque;

fn main() {
    let repo = logs::repo();
    let opaque = Opaque;
    signal!(repo.app, Level::Warning, "got {opaque:?}");
    signal!(repo.db, Level::Info, "done");
}
