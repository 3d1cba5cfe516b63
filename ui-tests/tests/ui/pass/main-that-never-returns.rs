//! A `main` may be of any type that the compiler takes.

mod hidden {
    #[miu_log::main]
    pub(crate) fn main() -> impl std::process::Termination {
        std::process::ExitCode::SUCCESS
    }
}

#[miu_log::main]
fn main() -> ! {
    let _ = hidden::main();
    std::process::exit(0)
}
