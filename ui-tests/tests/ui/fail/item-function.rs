/// Documented.
#[miu_log::log_domains(app, db)]
pub const fn logs() {}

fn main() {
    logs();
}
