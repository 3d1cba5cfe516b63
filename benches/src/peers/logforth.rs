//! logforth: its file appender behind its asynchronous one.

use std::fmt::Write as _;

use logforth::append::asynchronous::{Async, AsyncBuilder};
use logforth::append::file::FileBuilder;
use logforth::bridge::log::LogBridge;
use logforth::filter::FilterResult;
use logforth::record::{FilterCriteria, LevelFilter, Record};
use logforth::{Diagnostic, Filter, Layout};

use crate::Failure;
use crate::order::{Domain, Level};
use crate::peer::{Peer, Plan};
use crate::peers::facade_level;
use crate::stamp::Stamp;

pub(super) struct Logforth;

impl Peer for Logforth {
    fn setup(plan: &Plan) -> Result<Self, Failure> {
        let mut logger = logforth::core::builder();
        if plan.routes() {
            for domain in Domain::ALL {
                let file = file(plan, domain.as_str())?;
                logger = logger.dispatch(|dispatch| dispatch.filter(OnlyDomain(domain)).append(file));
            }
            for level in Level::ALL {
                let file = file(plan, level.as_str())?;
                let only = LevelFilter::Equal(level_of(level));
                logger = logger.dispatch(|dispatch| dispatch.filter(only).append(file));
            }
        } else {
            let file = file(plan, "app")?;
            logger = logger.dispatch(|dispatch| dispatch.append(file));
        }
        log::set_boxed_logger(Box::new(LogBridge::new(logger.build())))?;
        log::set_max_level(facade_level(plan));
        Ok(Self)
    }

    log_through_facade!();

    fn finish(self) -> Result<(), Failure> {
        log::logger().flush();
        Ok(())
    }
}

fn file(plan: &Plan, stem: &str) -> Result<Async, Failure> {
    let file = FileBuilder::new(&plan.dir, stem).filename_suffix("log").layout(Line).build()?;
    Ok(AsyncBuilder::new(stem).overflow_block().append(file).build())
}

fn level_of(level: Level) -> logforth::record::Level {
    use logforth::record::Level as Theirs;
    [Theirs::Debug, Theirs::Info, Theirs::Warn, Theirs::Error][level as usize]
}

#[derive(Debug)]
struct OnlyDomain(Domain);

impl Filter for OnlyDomain {
    fn enabled(&self, criteria: &FilterCriteria<'_>, _: &[Box<dyn Diagnostic>]) -> FilterResult {
        if criteria.target() == self.0.as_str() { FilterResult::Neutral } else { FilterResult::Reject }
    }
}

#[derive(Debug)]
struct Line;

impl Layout for Line {
    fn format(&self, record: &Record<'_>, _: &[Box<dyn Diagnostic>]) -> Result<Vec<u8>, logforth::Error> {
        let mut line = String::with_capacity(128);
        // Writing to a string does not fail; the appender adds the end of line.
        let _ = write!(
            line,
            "{} | {} | {}:{} | {}",
            Stamp::of(record.time()),
            record.level().name(),
            record.module_path().unwrap_or_default(),
            record.line().unwrap_or_default(),
            record.payload()
        );
        Ok(line.into_bytes())
    }
}
