use miu_log::context::{self, REQUEST_ID};

fn main() {
    let scope = context::scope(REQUEST_ID.with("r-17"));
    std::thread::spawn(move || drop(scope));
}
