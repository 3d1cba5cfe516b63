use miu_log::{Level, signal};

#[miu_log::log_domains(app, db)]
mod logs {}

fn main() {
    let repo = logs::repo();
    let name = String::from("miu");
    signal!(repo.app, Level::Warning, "got {}", name.as_str());
    signal!(repo.db, Level::Info, "done");
}
