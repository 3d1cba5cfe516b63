#[miu_log::log_domains(app, db)]
mod logs {}

fn main() {
    let repo = logs::repo();
    repo.bd.error("misspelt");
    miu_log::error!(repo.bd, "misspelt");
}
