use miu_log::{Level, signal};

#[miu_log::log_domains(app, db)]
mod logs {}

fn main() {
    let repo = logs::repo();
    signal!(repo.app, Level::Warning, rows = 3, "took {:w$}", 1, w = 2);
    signal!(repo.db, Level::Info, "done");
}
