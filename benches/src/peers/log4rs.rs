//! log4rs: file appenders with a pattern. They flush after each record, which no setting changes.

use log4rs::append::file::FileAppender;
use log4rs::config::{Appender, Config, Logger, Root};
use log4rs::encode::pattern::PatternEncoder;
use log4rs::filter::{Filter, Response};

use crate::Failure;
use crate::order::{Domain, Level};
use crate::peer::{Peer, Plan};
use crate::peers::facade_level;

pub(super) struct Log4rs;

impl Peer for Log4rs {
    fn setup(plan: &Plan) -> Result<Self, Failure> {
        let level = facade_level(plan);
        let config = if plan.routes() {
            let mut config = Config::builder();
            for domain in Domain::ALL.map(Domain::as_str) {
                config = config
                    .appender(Appender::builder().build(domain, Box::new(file(plan, domain)?)))
                    .logger(Logger::builder().appender(domain).build(domain, level));
            }
            for level in Level::ALL {
                config = config.appender(
                    Appender::builder()
                        .filter(Box::new(Exactly(level.for_log())))
                        .build(level.as_str(), Box::new(file(plan, level.as_str())?)),
                );
            }
            config.build(Root::builder().appenders(Level::ALL.map(Level::as_str)).build(level))?
        } else {
            Config::builder()
                .appender(Appender::builder().build("app", Box::new(file(plan, "app")?)))
                .build(Root::builder().appender("app").build(level))?
        };
        log4rs::init_config(config)?;
        Ok(Self)
    }

    log_through_facade!();

    fn finish(self) -> Result<(), Failure> {
        log::logger().flush();
        Ok(())
    }
}

fn file(plan: &Plan, stem: &str) -> Result<FileAppender, Failure> {
    let pattern = "{d(%Y-%m-%d %H:%M:%S%.3f)(utc)} | {l} | {M}:{L} | {m}{n}";
    Ok(FileAppender::builder().encoder(Box::new(PatternEncoder::new(pattern))).build(plan.file(stem)?)?)
}

#[derive(Debug)]
struct Exactly(log::Level);

impl Filter for Exactly {
    fn filter(&self, record: &log::Record<'_>) -> Response {
        if record.level() == self.0 { Response::Neutral } else { Response::Reject }
    }
}
