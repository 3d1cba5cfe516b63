//! Everywhere a statement can stand, and everything its values can be.
#![deny(warnings)]

use std::fmt::{self, Debug, Display};
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use miu_log::{Level, Logger, info, log};

#[miu_log::log_domains(app, db(max_level = "info"))]
mod logs {}

struct Celsius(f64);

impl Display for Celsius {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} °C", self.0)
    }
}

fn generic<T: Display + ?Sized, U: Debug>(logger: &Logger, t: &T, u: U) {
    info!(logger, "{t} {t:>8} {u:?} {:#?}", u);
    info!(logger, %t, ?u, "generic");
}

fn dynamic(logger: &Logger, value: &dyn Display, slice: &[u8], text: &str) {
    info!(logger, "{value} {slice:?} {text:?}");
}

fn fallible(repo: &logs::Repository, text: &str) -> Result<(), Box<dyn std::error::Error>> {
    info!(repo.app, number = text.parse::<u8>()?, "{}", text.parse::<u32>()?);
    Ok(())
}

async fn asynchronous(repo: &logs::Repository) {
    async fn later(n: u8) -> u8 {
        n
    }
    info!(repo.app, field = later(1).await, "{} {:?}", later(2).await, later(3).await);
}

fn sent<F: Send>(_: F) {}

async fn asynchronous_and_fallible(repo: logs::Repository, name: String) -> Result<usize, std::fmt::Error> {
    async fn checked(text: &str) -> Result<usize, std::fmt::Error> {
        Ok(text.len())
    }
    log!(repo.db, Level::Info, length = checked(&name).await?, "{name} {:?}", checked("x").await?);
    info!(repo.app, "{}", std::cell::Cell::new(1).get());
    checked(&name).await
}

/// What leaves the function or the loop from within a value leaves it, and nothing is logged.
fn leaving(repo: &logs::Repository, numbers: &[Option<u8>]) -> u8 {
    let mut seen = 0;
    'outer: loop {
        for number in numbers {
            info!(repo.app, number = match number { Some(n) => *n, None => continue }, "a number");
            log!(repo.app, Level::Info, "{}", if *number == Some(9) { break 'outer } else { seen });
            info!(repo.app, "{}", if *number == Some(7) { return 7 } else { "less" });
            seen += 1;
        }
        break;
    }
    seen
}

macro_rules! wrapped {
    ($logger:expr, $text:literal $(, $value:expr)*) => {
        info!($logger, $text $(, $value)*)
    };
}

macro_rules! with_field {
    ($logger:expr, $name:ident = $value:expr, $text:expr) => {
        info!($logger, $name = $value, kind = %$value, $text)
    };
}

struct Service {
    logger: Arc<Logger>,
}

mod own {
    //! A crate's own functions of the same names as the macro's items.
    pub(super) fn here() -> u8 {
        1
    }
}

fn chosen(repo: &logs::Repository, first: bool) -> &Logger {
    if first { &repo.app } else { &repo.db }
}

fn main() {
    let repo = logs::repo();
    generic(&repo.app, "text", vec![1, 2]);
    generic(&repo.db, &Celsius(36.6), Some("x"));
    dynamic(&repo.app, &3, &[1, 2], "text");
    assert!(fallible(repo, "7").is_ok());
    assert!(fallible(repo, "x").is_err());
    sent(asynchronous(repo));
    sent(|repo, name| sent(asynchronous_and_fallible(repo, name)));
    assert!(leaving(repo, &[None, Some(1), Some(9)]) <= 3);

    let shared = Mutex::new(5);
    info!(repo.app, "{}", shared.lock().map(|guard| *guard).unwrap_or_default());
    info!(repo.app, "{} {}", *shared.lock().unwrap(), String::from("temporary").as_str());
    info!(chosen(repo, true), "{}", Celsius(1.0));
    info!(*chosen(repo, false), "{}", { 1 + 2 });
    let closure = |n: u8| info!(repo.app, "{n}");
    closure(1);
    match 3 {
        3 => info!(repo.app, "arm {}", if true { "a" } else { "b" }),
        _ => info!(repo.app, "other arm"),
    }
    let unit: () = info!(repo.app, "an expression {}", own::here());
    assert_eq!(unit, ());
    if true { info!(repo.app, "no semicolon") } else { info!(repo.app, "either") }

    // Each value is evaluated once, however often the message shows it.
    let mut count = 0;
    let mut next = || {
        count += 1;
        count
    };
    info!(repo.app, "{0} {0} {0:?} {n} {n}", next(), n = 1);
    assert!(count <= 1);

    wrapped!(repo.app, "no values");
    wrapped!(repo.app, "{} {}", 1 + 1, Celsius(2.0));
    with_field!(repo.app, name = 1 + 1, "message");
    let service = Service { logger: Arc::new(repo_logger(repo)) };
    info!(service.logger, "behind an Arc");
    info!(Rc::new(&repo.app), "behind an Rc");
    log!(service.logger, Level::Warning, "{:?}", Some(Level::Info));
    let moved = String::from("still here");
    info!(repo.app, moved, "{moved} {}", moved);
    assert_eq!(moved, "still here");
}

fn repo_logger(repo: &logs::Repository) -> Logger {
    repo.app.clone()
}
