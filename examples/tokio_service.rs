//! A service with async tasks on several threads of tokio.
//!
//! A logging call does not block on files and needs no `await`, so that tasks log as any other code does. A task moves
//! between threads; fields, not the thread's name, tell which task a record is from.

#![allow(clippy::print_stdout, reason = "an example shows what it has written")]

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use miu_log::{LogConfig, log_domains};
use miu_log_examples::{log_folder, tree};
use tokio::sync::{Mutex, mpsc};

/// The areas of the service.
#[log_domains(app, db, task)]
pub mod logs {}

const TASKS: u32 = 8;
const ORDERS: u32 = 100;

/// Takes orders from the channel until it is closed.
async fn serve(repo: Arc<logs::Repository>, task: u32, orders: Arc<Mutex<mpsc::Receiver<u32>>>) -> u32 {
    miu_log::debug!(repo.task, task, "task started");
    let mut served = 0;
    loop {
        let next = orders.lock().await.recv().await;
        let Some(order) = next else { break };
        miu_log::info!(repo.app, task, order, "order taken");
        tokio::time::sleep(Duration::from_millis(1)).await;
        miu_log::debug!(repo.db, task, order, "insert took {:.1} ms", f64::from(order) / 10.0);
        served += 1;
    }
    miu_log::debug!(repo.task, task, served, "task stopped");
    served
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = log_folder();
    let repo = Arc::new(logs::Repository::open(LogConfig::new(&folder).console(false))?);

    let (sender, receiver) = mpsc::channel(16);
    let orders = Arc::new(Mutex::new(receiver));
    let tasks: Vec<_> =
        (0..TASKS).map(|task| tokio::spawn(serve(repo.clone(), task, orders.clone()))).collect();
    for order in 1..=ORDERS {
        sender.send(order).await?;
    }
    drop(sender);
    let mut served = 0;
    for task in tasks {
        served += task.await?;
    }
    miu_log::success!(repo.app, served, "all orders served");

    // `flush` and `shutdown` wait for the listener, so they do not belong on a thread of the runtime.
    let ending = repo.clone();
    let report = tokio::task::spawn_blocking(move || ending.shutdown()).await?;
    println!("{} records written, {} dropped", report.written, report.dropped);
    print!("{}", tree(&folder)?);
    Ok(())
}
