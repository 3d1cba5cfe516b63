use miu_log::info;

#[miu_log::log_domains(app, db)]
mod logs {}

fn main() {
    let repo = logs::repo();
    let ids = [1, 2, 3];
    info!(repo.app, ids, "message");
    info_after(repo);
}

// A sound statement after the wrong one gives no error.
fn info_after(repo: &logs::Repository) {
    miu_log::info!(repo.db, "done");
}
