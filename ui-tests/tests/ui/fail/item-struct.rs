#[miu_log::log_domains(app, db)]
#[derive(Default)]
pub struct Logs;

fn main() {
    let _ = Logs;
}
