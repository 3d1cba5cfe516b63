//! The main job.
use miu_log::{LogConfig, log_domains};

/// The areas of this service.
#[log_domains(app, db, redis, task(max_level = "info"))]
pub mod logs {}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let repo = logs::Repository::open(LogConfig::new("logs"))?;
    repo.app.info("service starting");
    let (n, name) = (12, "joe");
    miu_log::warning!(repo.db, rows = n, user = %name, name, "query took {:.1} ms for {name} {:?}", 81.25, Some(1));
    repo.task.debug("never");
    repo.db.exception("oops", &std::io::Error::other("disk"));
    let queue = repo.queue();
    std::thread::spawn(move || {
        let repo = logs::Repository::worker(queue);
        repo.task.info("worker started");
    })
    .join()
    .unwrap();
    repo.get("db")?.warning("by name");
    repo.domain(logs::Domain::Db).info("by value");
    repo.flush(std::time::Duration::from_secs(5))?;
    println!("{:?}", repo.stats());
    Ok(())
}
