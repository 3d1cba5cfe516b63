//! spdlog-rs: file sinks behind its thread pool.

use std::sync::Arc;

use spdlog::formatter::{PatternFormatter, pattern};
use spdlog::sink::{AsyncPoolSink, FileSink};
use spdlog::{LevelFilter, Logger, ThreadPool};

use crate::Failure;
use crate::order::{Domain, Level, Order};
use crate::peer::{Peer, Plan, Workload};

pub(super) struct Spdlog {
    app: Arc<Logger>,
    db: Arc<Logger>,
    redis: Arc<Logger>,
    task: Arc<Logger>,
    /// One for all loggers: with one thread it keeps the order of records.
    pool: Arc<ThreadPool>,
    files: Vec<Arc<FileSink>>,
}

impl Peer for Spdlog {
    fn setup(plan: &Plan) -> Result<Self, Failure> {
        let pool = ThreadPool::builder().build_arc()?;
        let mut files = Vec::new();
        let mut domains = Vec::new();
        if plan.routes() {
            for level in Level::ALL {
                files.push(file(plan, level.as_str(), LevelFilter::Equal(level_of(level)))?);
            }
            let levels = files.clone();
            for domain in Domain::ALL {
                let own = file(plan, domain.as_str(), LevelFilter::All)?;
                files.push(own.clone());
                let mut sink = AsyncPoolSink::builder().thread_pool(pool.clone()).sink(own);
                for level in &levels {
                    sink = sink.sink(Arc::new(OnlyItsLevel(level.clone())));
                }
                domains.push(logger(sink.build_arc()?, LevelFilter::MoreSevereEqual(spdlog::Level::Debug))?);
            }
        } else {
            let own = file(plan, "app", LevelFilter::All)?;
            files.push(own.clone());
            let sink = AsyncPoolSink::builder().thread_pool(pool.clone()).sink(own).build_arc()?;
            let app = logger(sink, LevelFilter::MoreSevereEqual(spdlog::Level::Info))?;
            if plan.workload == Workload::End {
                // The library itself flushes its default logger when the process ends.
                spdlog::set_default_logger(app.clone());
            }
            domains = vec![app; 4];
        }
        let mut domains = domains.into_iter();
        let mut next = || domains.next().ok_or("four loggers were made");
        Ok(Self { app: next()?, db: next()?, redis: next()?, task: next()?, pool, files })
    }

    #[inline(always)]
    fn log(&self, order: Order) {
        spdlog::info!(logger: self.app, "order {} filled at {} for {}", order.id, order.price, order.symbol);
    }

    #[inline(always)]
    fn log_routed(&self, order: Order) {
        macro_rules! emit {
            ($name:literal, $domain:ident, $level:ident, $order:ident) => {
                spdlog::$level!(
                    logger: self.$domain,
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
        spdlog::debug!(logger: self.app, "order {} filled at {} for {}", order.id, order.price, order.symbol);
    }

    fn finish(self) -> Result<(), Failure> {
        use spdlog::sink::Sink;
        let Self { app, db, redis, task, pool, files } = self;
        // The loggers hold the pool through their sinks, and dropping the last holder waits for its queue.
        drop((app, db, redis, task));
        drop(pool);
        for file in files {
            file.flush()?;
        }
        Ok(())
    }
}

fn file(plan: &Plan, stem: &str, levels: LevelFilter) -> Result<Arc<FileSink>, Failure> {
    let line = pattern!("{date} {time}.{millisecond} | {level} | {module_path}:{line} | {payload}{eol}");
    Ok(FileSink::builder()
        .path(plan.file(stem)?)
        .level_filter(levels)
        .formatter(PatternFormatter::new(line))
        .build_arc()?)
}

fn logger(sink: Arc<AsyncPoolSink>, levels: LevelFilter) -> Result<Arc<Logger>, Failure> {
    Ok(Logger::builder().sink(sink).level_filter(levels).build_arc()?)
}

fn level_of(level: Level) -> spdlog::Level {
    [spdlog::Level::Debug, spdlog::Level::Info, spdlog::Level::Warn, spdlog::Level::Error][level as usize]
}

/// The asynchronous sink asks its inner sinks nothing, so each level's sink is asked here.
struct OnlyItsLevel(Arc<FileSink>);

impl spdlog::sink::Sink for OnlyItsLevel {
    fn log(&self, record: &spdlog::Record<'_>) -> spdlog::Result<()> {
        if self.0.should_log(record.level()) { self.0.log(record) } else { Ok(()) }
    }

    fn flush(&self) -> spdlog::Result<()> {
        self.0.flush()
    }
}

impl spdlog::sink::SinkPropAccess for OnlyItsLevel {
    fn level_filter(&self) -> LevelFilter {
        self.0.level_filter()
    }

    fn set_level_filter(&self, level_filter: LevelFilter) {
        self.0.set_level_filter(level_filter);
    }

    fn set_formatter(&self, formatter: Box<dyn spdlog::formatter::Formatter>) {
        self.0.set_formatter(formatter);
    }

    fn set_error_handler(&self, handler: spdlog::ErrorHandler) {
        self.0.set_error_handler(handler);
    }
}
