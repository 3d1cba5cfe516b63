//! fast_log: the caller sends owned strings, one thread formats, one thread a file writes.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;

use fast_log::Config;
use fast_log::appender::{Command, FastLogRecord, LogAppender, RecordFormat};

use crate::Failure;
use crate::order::{Domain, Level};
use crate::peer::{Peer, Plan};
use crate::peers::facade_level;
use crate::stamp::Stamp;

pub(super) struct FastLog;

impl Peer for FastLog {
    fn setup(plan: &Plan) -> Result<Self, Failure> {
        let mut config = Config::new().level(facade_level(plan)).chan_len(Some(100_000)).format(Line);
        if plan.routes() {
            for domain in Domain::ALL {
                config = config.custom(Picking::create(plan, domain.as_str(), Pick::Domain(domain))?);
            }
            for level in Level::ALL {
                config = config.custom(Picking::create(plan, level.as_str(), Pick::Level(level.for_log()))?);
            }
        } else {
            config = config.file(&plan.single_file()?);
        }
        fast_log::init(config)?;
        Ok(Self)
    }

    log_through_facade!();

    fn finish(self) -> Result<(), Failure> {
        fast_log::flush()?.wait();
        Ok(())
    }
}

struct Line;

impl RecordFormat for Line {
    fn do_format(&self, record: &mut FastLogRecord) {
        if let Command::CommandRecord = record.command {
            let mut line = String::with_capacity(128);
            // Writing to a string does not fail.
            let _ = writeln!(
                line,
                "{} | {} | {}:{} | {}",
                Stamp::of(record.now),
                record.level,
                record.module_path,
                record.line.unwrap_or_default(),
                record.args
            );
            record.formated = line;
        }
    }
}

enum Pick {
    Domain(Domain),
    Level(log::Level),
}

/// fast_log hands every record to every appender, so routing is an appender that takes its own.
struct Picking {
    file: File,
    pick: Pick,
}

impl Picking {
    fn create(plan: &Plan, stem: &str, pick: Pick) -> Result<Self, Failure> {
        Ok(Self { file: File::create(plan.file(stem)?)?, pick })
    }
}

impl LogAppender for Picking {
    fn do_logs(&mut self, records: &[FastLogRecord]) {
        let mut lines = String::new();
        for record in records {
            let mine = match &self.pick {
                Pick::Domain(domain) => record.target == domain.as_str(),
                Pick::Level(level) => record.level == *level,
            };
            if mine && record.command == Command::CommandRecord {
                lines.push_str(&record.formated);
            }
        }
        // What is not written is missing in the files, and the check of the files reports it.
        let _ = self.file.write_all(lines.as_bytes());
    }
}
