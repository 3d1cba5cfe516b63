use miu_log::info;

#[miu_log::log_domains(app, db)]
mod logs {}

fn main() {
    let repo = logs::repo();
    info!(repo.app, concat!("a", "b"), 1);
    info_after(repo);
}

// A sound statement after the wrong one gives no error.
fn info_after(repo: &logs::Repository) {
    miu_log::info!(repo.db, "done");
}
