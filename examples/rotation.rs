//! Log files that stay small: rotated by size and on demand, compressed, the oldest deleted.
//!
//! ```sh
//! cargo run --example rotation            # writes to the folder `logs`
//! ```

#![allow(clippy::print_stdout, reason = "an example shows what it has written")]

use std::error::Error;
use std::fs;

use miu_log::{Compression, File, LogConfig, Retention, Rotation, log_domains};
use miu_log_examples::{Numbers, log_folder};

/// The areas of this service.
#[log_domains(app, db)]
pub mod logs {}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = log_folder();
    // Small, so that something is to be seen: a service takes "100 MB", or leaves the 10 MB it has by default.
    let config = LogConfig::new(&folder)
        .console(false)
        .level_files(false)
        .rotation(Rotation::AnyOf([Rotation::Size("20 kB"), Rotation::DailyAt("00:00")]))
        .retention(Retention::Count(3))
        .compression(Compression::Gz)
        // One file has rules of its own, and is rotated on demand only.
        .sink(
            File::new("audit.log")
                .domain("app")
                .rotation(Rotation::Never)
                .compression(Compression::None)
                .mode(0o600),
        );
    let repo = logs::Repository::open(config)?;
    let mut numbers = Numbers::new(1);
    for order in 0..1000 {
        miu_log::info!(repo.db, order, rows = numbers.below(100), "order saved");
    }
    repo.app.success("1000 orders are saved");
    // What was logged up to here is in rotated files, for whoever takes them away.
    repo.rotate()?;
    repo.app.info("going on in new files");
    repo.shutdown();

    let mut names = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let entry = entry?;
        names.push((entry.file_name().to_string_lossy().into_owned(), entry.metadata()?.len()));
    }
    names.sort();
    for (name, bytes) in names {
        println!("{bytes:>8} bytes  {name}");
    }
    Ok(())
}
