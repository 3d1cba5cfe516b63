#[miu_log::main]
fn start() {}

fn main() {
    start();
}
