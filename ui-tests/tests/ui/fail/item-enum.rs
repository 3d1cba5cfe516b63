#[miu_log::log_domains(app, db)]
pub enum Logs {
    App,
    Db,
}

fn main() {
    let _ = (Logs::App, Logs::Db);
}
