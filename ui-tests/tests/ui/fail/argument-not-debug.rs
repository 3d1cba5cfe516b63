use miu_log::info;

#[miu_log::log_domains(app, db)]
mod logs {}

struct Opaque;

fn make(_: u8, _: u8) -> Opaque {
    Opaque
}

fn main() {
    let repo = logs::repo();
    info!(repo.app, "{0:?}", make(1, 2));
    info_after(repo);
}

// A sound statement after the wrong one gives no error.
fn info_after(repo: &logs::Repository) {
    miu_log::info!(repo.db, "done");
}
