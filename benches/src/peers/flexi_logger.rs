//! flexi_logger, in its asynchronous and in its buffered mode.

use std::io::{self, Write};

use flexi_logger::writers::{FileLogWriter, LogWriter};
use flexi_logger::{DeferredNow, FileSpec, Logger, LoggerHandle, WriteMode};
use log::Record;

use crate::Failure;
use crate::order::{Domain, Level};
use crate::peer::{Peer, Plan};
use crate::peers::facade_level;

/// `WriteMode::Async`.
pub(super) struct Flexi(LoggerHandle);

/// `WriteMode::BufferAndFlush`.
pub(super) struct FlexiBuffered(LoggerHandle);

impl Peer for Flexi {
    fn setup(plan: &Plan) -> Result<Self, Failure> {
        Ok(Self(start(plan, WriteMode::Async)?))
    }

    log_through_facade!();

    fn finish(self) -> Result<(), Failure> {
        stop(&self.0);
        Ok(())
    }
}

impl Peer for FlexiBuffered {
    fn setup(plan: &Plan) -> Result<Self, Failure> {
        Ok(Self(start(plan, WriteMode::BufferAndFlush)?))
    }

    log_through_facade!();

    fn finish(self) -> Result<(), Failure> {
        stop(&self.0);
        Ok(())
    }
}

fn start(plan: &Plan, mode: WriteMode) -> Result<LoggerHandle, Failure> {
    let logger = Logger::with(facade_level(plan)).use_utc();
    let logger = if plan.routes() {
        let mut domains = Vec::new();
        for domain in Domain::ALL {
            domains.push(writer(plan, domain.as_str(), mode)?);
        }
        let mut levels = Vec::new();
        for level in Level::ALL {
            levels.push(writer(plan, level.as_str(), mode)?);
        }
        logger.log_to_writer(Box::new(Router { domains, levels }))
    } else {
        logger.log_to_file(FileSpec::try_from(plan.single_file()?)?).format(line).write_mode(mode)
    };
    Ok(logger.start()?)
}

fn stop(handle: &LoggerHandle) {
    handle.flush();
    handle.shutdown();
}

fn writer(plan: &Plan, stem: &str, mode: WriteMode) -> Result<FileLogWriter, Failure> {
    let file = FileSpec::try_from(plan.file(stem)?)?;
    Ok(FileLogWriter::builder(file).format(line).write_mode(mode).try_build()?)
}

fn line(out: &mut dyn Write, now: &mut DeferredNow, record: &Record<'_>) -> io::Result<()> {
    write!(
        out,
        "{} | {} | {}:{} | {}",
        now.format("%Y-%m-%d %H:%M:%S%.3f"),
        record.level(),
        record.module_path().unwrap_or_default(),
        record.line().unwrap_or_default(),
        record.args()
    )
}

struct Router {
    domains: Vec<FileLogWriter>,
    levels: Vec<FileLogWriter>,
}

impl LogWriter for Router {
    fn write(&self, now: &mut DeferredNow, record: &Record<'_>) -> io::Result<()> {
        if let Some(domain) = Domain::from_name(record.target()) {
            self.domains[domain as usize].write(now, record)?;
        }
        if let Some(level) = Level::ALL.into_iter().find(|level| level.for_log() == record.level()) {
            self.levels[level as usize].write(now, record)?;
        }
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        self.domains.iter().chain(&self.levels).try_for_each(LogWriter::flush)
    }

    fn shutdown(&self) {
        self.domains.iter().chain(&self.levels).for_each(LogWriter::shutdown);
    }
}
