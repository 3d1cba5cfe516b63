use miu_log::fields;

#[derive(Debug)]
struct Opaque;

fn main() {
    let opaque = Opaque;
    let _ = fields!(rows = 1, opaque);
}
