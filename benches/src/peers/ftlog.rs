//! ftlog: formats in the caller, writes in its own thread. A record goes to one appender only, so it does not
//! route.

use std::fmt::{self, Display};

use ftlog::appender::FileAppender;
use ftlog::{FtLogFormat, LoggerGuard};

use crate::Failure;
use crate::peer::{Peer, Plan};
use crate::peers::facade_level;

pub(super) struct Ftlog(LoggerGuard);

impl Peer for Ftlog {
    fn setup(plan: &Plan) -> Result<Self, Failure> {
        let stamp = time::format_description::parse_owned::<2>(
            "[year]-[month]-[day] [hour]:[minute]:[second].[subsecond digits:3]",
        )?;
        let logger = ftlog::builder()
            .max_log_level(facade_level(plan))
            .bounded(100_000, true)
            .time_format(stamp)
            .utc()
            .format(Line)
            .root(FileAppender::builder().path(plan.single_file()?).build())
            .build()?;
        Ok(Self(logger.init()?))
    }

    log_through_facade!();

    fn finish(self) -> Result<(), Failure> {
        // Dropping the guard writes and flushes all that is in the queue.
        drop(self.0);
        Ok(())
    }
}

struct Line;

impl FtLogFormat for Line {
    fn msg(&self, record: &log::Record<'_>) -> Box<dyn Send + Sync + Display> {
        Box::new(Message {
            level: record.level(),
            module: record.module_path_static().unwrap_or_default(),
            line: record.line().unwrap_or_default(),
            text: record.args().to_string(),
        })
    }
}

struct Message {
    level: log::Level,
    module: &'static str,
    line: u32,
    text: String,
}

impl Display for Message {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "| {} | {}:{} | {}", self.level, self.module, self.line, self.text)
    }
}
