#[miu_log::log_domains()]
mod logs {}

fn main() {
    let repo: &logs::Repository = logs::repo();
    repo.set_debug_enabled(true);
}
