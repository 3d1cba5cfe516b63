use miu_log::context::REQUEST_ID;

fn main() {
    let _ = REQUEST_ID.with(17);
}
