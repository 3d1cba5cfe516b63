//! miu-log, through its public face only.

use std::time::Duration;

use miu_log::{AnyLayout, File, Json, LogConfig, OverflowPolicy, Pattern, Retention, Rotation, log_domains};

use crate::Failure;
use crate::order::Order;
use crate::peer::{Peer, Plan, Workload};

/// The domains of the routing workload.
#[log_domains(app, db, redis, task)]
mod logs {}

/// How long a flush may take before the measurement counts as failed.
const PATIENCE: Duration = Duration::from_secs(120);

/// `WAITS` is for the overflow policy: wait for room as the peers do, or the default of waiting a little and then
/// shedding.
pub(crate) struct Miu<const WAITS: bool> {
    repo: logs::Repository,
}

impl<const WAITS: bool> Miu<WAITS> {
    /// Where worker processes can join, as text.
    pub(crate) fn endpoint(&self) -> String {
        self.repo.queue().endpoint().to_string()
    }

    /// A worker process of the repository at this endpoint.
    pub(crate) fn join(endpoint: &str) -> Result<Self, Failure> {
        Ok(Self { repo: logs::Repository::connect_to(endpoint)? })
    }
}

impl<const WAITS: bool> Peer for Miu<WAITS> {
    fn setup(plan: &Plan) -> Result<Self, Failure> {
        let level = if plan.debug() { miu_log::Level::Debug } else { miu_log::Level::Info };
        let overflow = if WAITS { OverflowPolicy::Block } else { OverflowPolicy::default() };
        let layout = match plan.workload {
            Workload::Json => AnyLayout::from(Json::new()),
            _ => Pattern::parse("{time} | {level} | {module}:{line} | {message}")?.into(),
        };
        let config = match plan.workload {
            // Everything is kept, so that it can be read back.
            Workload::Production => LogConfig::new(&plan.dir)
                .rotation(Rotation::Size("10 MB"))
                .retention(Retention::Forever)
                .compression("gz")
                .sink(File::new("events.jsonl").layout(Json::new())),
            _ => LogConfig::new(&plan.dir).rotation(Rotation::Never),
        };
        let config = config
            .console(false)
            .level(level)
            .overflow(overflow)
            .level_files(plan.routes())
            .handle_signals(plan.workload == Workload::End)
            .layout(layout);
        Ok(Self { repo: logs::Repository::open(config)? })
    }

    #[inline(always)]
    fn log(&self, order: Order) {
        miu_log::info!(self.repo.app, "order {} filled at {} for {}", order.id, order.price, order.symbol);
    }

    #[inline(always)]
    fn log_routed(&self, order: Order) {
        macro_rules! emit {
            ($name:literal, $domain:ident, warn, $order:ident) => {
                emit!($name, $domain, warning, $order)
            };
            ($name:literal, $domain:ident, $level:ident, $order:ident) => {
                miu_log::$level!(
                    self.repo.$domain,
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
    fn log_fields(&self, order: Order) {
        miu_log::info!(
            self.repo.app,
            id = order.id,
            price = order.price,
            symbol = order.symbol,
            "order filled"
        );
    }

    #[inline(always)]
    fn log_disabled(&self, order: Order) {
        miu_log::debug!(self.repo.app, "order {} filled at {} for {}", order.id, order.price, order.symbol);
    }

    fn finish(self) -> Result<(), Failure> {
        self.repo.flush(PATIENCE)?;
        self.repo.shutdown();
        Ok(())
    }
}

/// Called by the macros of the `log` facade.
pub(super) struct ByLog(Miu<true>);

impl Peer for ByLog {
    fn setup(plan: &Plan) -> Result<Self, Failure> {
        Ok(Self(Miu::setup(plan)?))
    }

    log_through_facade!();

    fn finish(self) -> Result<(), Failure> {
        self.0.finish()
    }
}

/// Called by the macros of the `tracing` facade.
pub(super) struct ByTracing(Miu<true>);

impl Peer for ByTracing {
    fn setup(plan: &Plan) -> Result<Self, Failure> {
        Ok(Self(Miu::setup(plan)?))
    }

    #[inline(always)]
    fn log(&self, order: Order) {
        tracing::info!("order {} filled at {} for {}", order.id, order.price, order.symbol);
    }

    fn log_routed(&self, order: Order) {
        self.log(order);
    }

    #[inline(always)]
    fn log_disabled(&self, order: Order) {
        tracing::debug!("order {} filled at {} for {}", order.id, order.price, order.symbol);
    }

    fn finish(self) -> Result<(), Failure> {
        self.0.finish()
    }
}
