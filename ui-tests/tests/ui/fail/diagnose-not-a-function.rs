#[miu_log::diagnose(order)]
struct Order {
    order: u32,
}

fn main() {
    let _ = Order { order: 1 }.order;
}
