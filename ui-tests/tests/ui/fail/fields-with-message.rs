use miu_log::fields;

fn main() {
    let _ = fields!(rows = 1, "message");
}
