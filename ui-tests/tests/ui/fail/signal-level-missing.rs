use miu_log::{Level, signal};

#[miu_log::log_domains(app, db)]
mod logs {}

fn main() {
    let repo = logs::repo();
    signal!(repo.app, "hello");
    signal!(repo.db, Level::Info, "done");
}
