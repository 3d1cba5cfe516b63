#[miu_log::log_domains(app)]
mod logs {
    pub struct Repository;

    pub fn init() {}

    pub use std::path::Path as Domain;

    pub fn mine() {}
}

fn main() {
    logs::mine();
    logs::repo().app.info("used");
}
