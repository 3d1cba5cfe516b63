//! A runtime's attribute below makes an async `main` one that can be called; stands for `#[tokio::main]`, whose expansion is of this shape.

macro_rules! block_on {
    ($future:expr) => {{
        let mut future = std::pin::pin!($future);
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match future.as_mut().poll(&mut context) {
            std::task::Poll::Ready(output) => output,
            std::task::Poll::Pending => unreachable!(),
        }
    }};
}

#[miu_log::main]
#[inline(never)]
fn main() -> Result<std::process::ExitCode, Box<dyn std::error::Error>> {
    use std::future::Future as _;
    let text: String = block_on!(async { std::future::ready("1").await.to_owned() });
    let code: u8 = text.parse()?;
    Ok(std::process::ExitCode::from(code - 1))
}
