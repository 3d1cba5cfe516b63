//! fern: dispatches in front of files, which it flushes after each record.

use fern::{Dispatch, log_file};

use crate::Failure;
use crate::order::{Domain, Level};
use crate::peer::{Peer, Plan};
use crate::peers::facade_level;
use crate::stamp::Stamp;

pub(super) struct Fern;

impl Peer for Fern {
    fn setup(plan: &Plan) -> Result<Self, Failure> {
        let mut dispatch = Dispatch::new().level(facade_level(plan)).format(|out, message, record| {
            out.finish(format_args!(
                "{} | {} | {}:{} | {}",
                Stamp::now(),
                record.level(),
                record.module_path().unwrap_or_default(),
                record.line().unwrap_or_default(),
                message
            ));
        });
        if plan.routes() {
            for domain in Domain::ALL {
                dispatch = dispatch.chain(
                    Dispatch::new()
                        .filter(move |metadata| metadata.target() == domain.as_str())
                        .chain(log_file(plan.file(domain.as_str())?)?),
                );
            }
            for level in Level::ALL {
                dispatch = dispatch.chain(
                    Dispatch::new()
                        .filter(move |metadata| metadata.level() == level.for_log())
                        .chain(log_file(plan.file(level.as_str())?)?),
                );
            }
        } else {
            dispatch = dispatch.chain(log_file(plan.single_file()?)?);
        }
        dispatch.apply()?;
        Ok(Self)
    }

    log_through_facade!();

    fn finish(self) -> Result<(), Failure> {
        log::logger().flush();
        Ok(())
    }
}
