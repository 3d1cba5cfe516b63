#[miu_log::diagnose(order)]
async fn fill(order: u32) -> Result<u32, String> {
    let order = order.checked_sub(1).ok_or("none")?;
    order
}

fn main() {
    drop(fill(1));
}
