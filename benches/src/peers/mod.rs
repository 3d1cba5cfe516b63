//! One module per logger, and the table of them.
//!
//! Every module configures its logger as its documentation advises for speed, with two rules for all: the
//! line is `YYYY-MM-DD HH:MM:SS.mmm | LEVEL | module:line | message`, and where the logger can wait instead
//! of dropping, it waits.

use crate::peer::{Entry, Facade};
use crate::workload;

/// One call site of the `log` crate, for `by_domain_and_level`.
macro_rules! routed_through_facade {
    ($name:literal, $domain:ident, $level:ident, $order:ident) => {
        ::log::$level!(
            target: $name,
            "order {} filled at {} for {}",
            $order.id,
            $order.price,
            $order.symbol
        )
    };
}

/// The three ways to log that all back ends of the `log` crate share.
macro_rules! log_through_facade {
    () => {
        #[inline(always)]
        fn log(&self, order: $crate::order::Order) {
            ::log::info!("order {} filled at {} for {}", order.id, order.price, order.symbol);
        }

        #[inline(always)]
        fn log_routed(&self, order: $crate::order::Order) {
            $crate::by_domain_and_level!(order, routed_through_facade);
        }

        #[inline(always)]
        fn log_disabled(&self, order: $crate::order::Order) {
            ::log::debug!("order {} filled at {} for {}", order.id, order.price, order.symbol);
        }
    };
}

mod emit;
mod fast_log;
mod fern;
mod flexi_logger;
mod floor;
mod ftlog;
mod log4rs;
mod logforth;
mod miu;
mod slog;
mod spdlog;
mod tracing;

pub(crate) use floor::Line;
pub(crate) use miu::Miu;

/// All that can be measured, miu-log first, the floor last.
pub const ALL: &[Entry] = &[
    Entry {
        name: "miu-log",
        setup: "`OverflowPolicy::Block`, no console; the level files for W3 only; W8: `Json`",
        lossless: true,
        routes: true,
        json: true,
        facade: None,
        facade_alone: false,
        floor: false,
        run: workload::run::<Miu<true>>,
    },
    Entry {
        name: "miu-log-default",
        setup: "as miu-log, with the default overflow policy: wait a little, then shed by level and count",
        lossless: false,
        routes: true,
        json: false,
        facade: None,
        facade_alone: false,
        floor: false,
        run: workload::run::<Miu<false>>,
    },
    Entry {
        name: "miu-log-tracing",
        setup: "as miu-log, called by the macros of `tracing`: the subscriber that `open` installs",
        lossless: true,
        routes: false,
        json: false,
        facade: Some(Facade::Tracing),
        facade_alone: true,
        floor: false,
        run: workload::run::<miu::ByTracing>,
    },
    Entry {
        name: "miu-log-log",
        setup: "as miu-log, called by the macros of `log`",
        lossless: true,
        routes: false,
        json: false,
        facade: Some(Facade::Log),
        facade_alone: true,
        floor: false,
        run: workload::run::<miu::ByLog>,
    },
    Entry {
        name: "tracing-appender",
        setup: "tracing-subscriber with a fmt layer into `non_blocking` with `lossy(false)`; W3: eight filtered layers; W8: its `json()`, without spans",
        lossless: true,
        routes: true,
        json: true,
        facade: Some(Facade::Tracing),
        facade_alone: false,
        floor: false,
        run: workload::run::<tracing::Tracing>,
    },
    Entry {
        name: "log4rs",
        setup: "file appenders (which flush each record); W3: one logger a domain, root with four filtered appenders",
        lossless: true,
        routes: true,
        json: false,
        facade: Some(Facade::Log),
        facade_alone: false,
        floor: false,
        run: workload::run::<log4rs::Log4rs>,
    },
    Entry {
        name: "flexi_logger",
        setup: "`WriteMode::Async`, an unbounded channel; W3: a writer that routes to eight file writers",
        lossless: true,
        routes: true,
        json: false,
        facade: Some(Facade::Log),
        facade_alone: false,
        floor: false,
        run: workload::run::<flexi_logger::Flexi>,
    },
    Entry {
        name: "flexi_logger-buffer",
        setup: "`WriteMode::BufferAndFlush`: the caller formats and writes into a locked buffer",
        lossless: true,
        routes: true,
        json: false,
        facade: Some(Facade::Log),
        facade_alone: false,
        floor: false,
        run: workload::run::<flexi_logger::FlexiBuffered>,
    },
    Entry {
        name: "spdlog-rs",
        setup: "`AsyncPoolSink` over file sinks, blocking; W3: one logger a domain, level sinks shared",
        lossless: true,
        routes: true,
        json: false,
        facade: None,
        facade_alone: false,
        floor: false,
        run: workload::run::<spdlog::Spdlog>,
    },
    Entry {
        name: "fern",
        setup: "`fern::log_file` (flushes each record); W3: eight filtered dispatches",
        lossless: true,
        routes: true,
        json: false,
        facade: Some(Facade::Log),
        facade_alone: false,
        floor: false,
        run: workload::run::<fern::Fern>,
    },
    Entry {
        name: "slog-async",
        setup: "`OverflowStrategy::Block`, queue of 8192, a drain that writes the line; W3: the drain picks the files by tag",
        lossless: true,
        routes: true,
        json: false,
        facade: None,
        facade_alone: false,
        floor: false,
        run: workload::run::<slog::Slog>,
    },
    Entry {
        name: "ftlog",
        setup: "bounded queue of 100,000 that blocks; it always adds its delay (`0ms`) to the line; a record goes to one file only",
        lossless: true,
        routes: false,
        json: false,
        facade: Some(Facade::Log),
        facade_alone: false,
        floor: false,
        run: workload::run::<ftlog::Ftlog>,
    },
    Entry {
        name: "fast_log",
        setup: "queue of 100,000 as in its README; W3: eight appenders that pick their records",
        lossless: true,
        routes: true,
        json: false,
        facade: Some(Facade::Log),
        facade_alone: false,
        floor: false,
        run: workload::run::<fast_log::FastLog>,
    },
    Entry {
        name: "logforth",
        setup: "`Async` over the file appender, its queue unbounded as by default; W3: eight filtered dispatches",
        lossless: true,
        routes: true,
        json: false,
        facade: Some(Facade::Log),
        facade_alone: false,
        floor: false,
        run: workload::run::<logforth::Logforth>,
    },
    Entry {
        name: "emit_file",
        setup: "writer for the common line; clears its queue of 10,000 when it is full, and cannot wait",
        lossless: false,
        routes: false,
        json: false,
        facade: None,
        facade_alone: false,
        floor: false,
        run: workload::run::<emit::Emit>,
    },
    Entry {
        name: "floor",
        setup: "what the machine can do: W1 TSC and memcpy of the line; W2, W3 one thread, itoa and zmij, 64 KiB writes, nothing shared",
        lossless: true,
        routes: true,
        json: false,
        facade: None,
        facade_alone: false,
        floor: true,
        run: floor::run,
    },
];

/// The entry of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Entry> {
    ALL.iter().find(|entry| entry.name == name)
}

/// The level that a back end of the `log` crate is started with.
fn facade_level(plan: &crate::peer::Plan) -> ::log::LevelFilter {
    if plan.debug() { ::log::LevelFilter::Debug } else { ::log::LevelFilter::Info }
}
