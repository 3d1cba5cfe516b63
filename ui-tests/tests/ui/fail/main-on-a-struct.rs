#[miu_log::main]
struct Program;

fn main() {
    let _ = Program;
}
