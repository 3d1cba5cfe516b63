//! slog with slog-async. slog leaves the line to its drain, so the drain here writes the common one.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::sync::{Arc, Mutex, PoisonError};

use slog::{Drain, Logger, OwnedKVList, Record, o};
use slog_async::{Async, AsyncGuard, OverflowStrategy};

use crate::Failure;
use crate::order::{Domain, Level, Order};
use crate::peer::{Peer, Plan};
use crate::stamp::Stamp;

/// Room for records in the queue; the default of 128 would make every caller wait for the other thread.
const QUEUE: usize = 8_192;

pub(super) struct Slog {
    logger: Logger,
    guard: AsyncGuard,
    files: Arc<Mutex<Files>>,
}

impl Peer for Slog {
    fn setup(plan: &Plan) -> Result<Self, Failure> {
        let files = Arc::new(Mutex::new(Files::create(plan)?));
        let (drain, guard) = Async::new(Lines(files.clone()).ignore_res())
            .chan_size(QUEUE)
            .overflow_strategy(OverflowStrategy::Block)
            .build_with_guard();
        let least = if plan.debug() { slog::Level::Debug } else { slog::Level::Info };
        let logger = Logger::root(drain.filter_level(least).ignore_res(), o!());
        Ok(Self { logger, guard, files })
    }

    #[inline(always)]
    fn log(&self, order: Order) {
        slog::info!(self.logger, "order {} filled at {} for {}", order.id, order.price, order.symbol);
    }

    #[inline(always)]
    fn log_routed(&self, order: Order) {
        macro_rules! emit {
            ($name:literal, $domain:ident, $level:ident, $order:ident) => {
                slog::$level!(
                    self.logger,
                    #$name,
                    "order {} filled at {} for {}",
                    $order.id,
                    $order.price,
                    $order.symbol
                )
            };
        }
        crate::by_domain_and_level!(order, emit);
    }

    #[inline(always)]
    fn log_disabled(&self, order: Order) {
        slog::debug!(self.logger, "order {} filled at {} for {}", order.id, order.price, order.symbol);
    }

    fn finish(self) -> Result<(), Failure> {
        drop(self.logger);
        drop(self.guard);
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        files.files.iter_mut().try_for_each(Write::flush)?;
        Ok(())
    }
}

struct Files {
    routes: bool,
    line: Vec<u8>,
    files: Vec<BufWriter<File>>,
}

impl Files {
    fn create(plan: &Plan) -> Result<Self, Failure> {
        let domains = Domain::ALL.map(Domain::as_str).into_iter();
        let stems: Vec<&str> =
            if plan.routes() { domains.chain(Level::ALL.map(Level::as_str)).collect() } else { vec!["app"] };
        let mut files = Vec::new();
        for stem in stems {
            files.push(BufWriter::new(File::create(plan.file(stem)?)?));
        }
        Ok(Self { routes: plan.routes(), line: Vec::new(), files })
    }

    fn put(&mut self, record: &Record<'_>) -> io::Result<()> {
        self.line.clear();
        writeln!(
            self.line,
            "{} | {} | {}:{} | {}",
            Stamp::now(),
            level_name(record.level()),
            record.module(),
            record.line(),
            record.msg()
        )?;
        if !self.routes {
            return self.files[0].write_all(&self.line);
        }
        if let Some(domain) = Domain::from_name(record.tag()) {
            self.files[domain as usize].write_all(&self.line)?;
        }
        let level = match record.level() {
            slog::Level::Trace | slog::Level::Debug => Level::Debug,
            slog::Level::Info => Level::Info,
            slog::Level::Warning => Level::Warning,
            slog::Level::Error | slog::Level::Critical => Level::Error,
        };
        self.files[4 + level as usize].write_all(&self.line)
    }
}

fn level_name(level: slog::Level) -> &'static str {
    match level {
        slog::Level::Warning => "WARN",
        slog::Level::Error => "ERROR",
        slog::Level::Debug => "DEBUG",
        _ => "INFO",
    }
}

struct Lines(Arc<Mutex<Files>>);

impl Drain for Lines {
    type Ok = ();
    type Err = io::Error;

    fn log(&self, record: &Record<'_>, _values: &OwnedKVList) -> io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).put(record)
    }
}
