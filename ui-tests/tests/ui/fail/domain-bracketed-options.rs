#[miu_log::log_domains(app, db[level = "info"])]
mod logs {}

// What can be understood is there all the same: these lines must not add errors of their own.
fn main() {
    let repo: &logs::Repository = logs::repo();
    repo.db.info("used");
    for domain in logs::Domain::ALL {
        repo.domain(*domain).error(domain.as_str());
    }
}
