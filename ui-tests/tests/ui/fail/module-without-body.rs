#[miu_log::log_domains(app)]
mod logs;

fn main() {
    logs::repo().app.info("used");
}
