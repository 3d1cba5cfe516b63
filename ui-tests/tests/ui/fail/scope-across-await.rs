use miu_log::context::{self, REQUEST_ID};

async fn serve() {
    let _scope = context::scope(REQUEST_ID.with("r-17"));
    std::future::ready(()).await;
}

fn spawn(_: impl Future + Send) {}

fn main() {
    spawn(serve());
}
