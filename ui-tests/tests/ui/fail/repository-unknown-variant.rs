#[miu_log::log_domains(app, db)]
mod logs {}

fn main() {
    let repo = logs::repo();
    repo.domain(logs::Domain::Bd).info("misspelt");
}
