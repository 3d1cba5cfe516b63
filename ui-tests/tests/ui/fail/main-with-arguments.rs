#[miu_log::main(logs)]
fn main(arguments: Vec<String>) {
    drop(arguments);
}
