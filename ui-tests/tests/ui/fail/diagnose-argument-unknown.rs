#[miu_log::diagnose(ordr)]
fn fill(order: u32) -> u32 {
    order
}

fn main() {
    fill(1);
}
