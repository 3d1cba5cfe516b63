#[miu_log::log_domains(app, flush, queue, set_target_level)]
mod logs {}

// What can be understood is there all the same: these lines must not add errors of their own.
fn main() {
    let repo: &logs::Repository = logs::repo();
    repo.flush.info("used");
    for domain in logs::Domain::ALL {
        repo.domain(*domain).error(domain.as_str());
    }
}
