//! A program with `#[miu_log::main]` around a runtime's: `program_async <log folder>`.

use miu_log::LogConfig;
use miu_log_tests::logs;

#[miu_log::main]
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), String> {
    let folder = std::env::args().nth(1).unwrap_or_default();
    log::info!("early");
    let repo = logs::Repository::open(LogConfig::new(folder).console(false)).map_err(|e| e.to_string())?;
    let worker = logs::Repository::worker(repo.queue());
    let task = tokio::spawn(async move {
        miu_log::info!(worker.db, "in a task");
        tokio::task::yield_now().await;
        panic!("of a task");
    });
    miu_log::info!(repo.db, "in main");
    match task.await {
        Ok(()) => Ok(()),
        Err(error) => Err(error.to_string().replace(char::is_numeric, "n")),
    }
}
