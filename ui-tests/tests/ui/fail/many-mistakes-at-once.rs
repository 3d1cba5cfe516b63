#[miu_log::log_domains(
    App,
    type,
    app(levle = "info", file = "x/y"),
    db(level = "debug", max_level = "error"),
    db,
    "cache",
    warning,
)]
mod logs {}

fn main() {
    let repo = logs::repo();
    repo.app.info("used");
    repo.db.info("used");
    repo.cache.info("used");
    repo.warning.info("used");
}
