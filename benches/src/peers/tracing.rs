//! tracing with tracing-subscriber and the non-blocking writer of tracing-appender.

use std::fmt;
use std::fs::File;

use tracing::{Event, Metadata, Subscriber};
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::{FilterFn, LevelFilter, filter_fn};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, Registry};

use crate::Failure;
use crate::order::{Domain, Level, Order};
use crate::peer::{Peer, Plan, Workload};
use crate::stamp::Stamp;

pub(super) struct Tracing {
    guards: Vec<WorkerGuard>,
}

impl Peer for Tracing {
    fn setup(plan: &Plan) -> Result<Self, Failure> {
        let mut guards = Vec::new();
        let mut layers = Vec::new();
        if plan.routes() {
            for domain in Domain::ALL {
                let (writer, guard) = file(plan, domain.as_str())?;
                guards.push(guard);
                layers.push(layer(writer, move |metadata| metadata.target() == domain.as_str()));
            }
            for level in Level::ALL {
                let (writer, guard) = file(plan, level.as_str())?;
                guards.push(guard);
                let level = level_of(level);
                layers.push(layer(writer, move |metadata| *metadata.level() == level));
            }
            tracing::subscriber::set_global_default(Registry::default().with(layers))?;
        } else if plan.workload == Workload::Json {
            let (writer, guard) = file(plan, "app")?;
            guards.push(guard);
            let lines = tracing_subscriber::fmt::layer()
                .json()
                .with_current_span(false)
                .with_span_list(false)
                .with_writer(writer);
            tracing::subscriber::set_global_default(Registry::default().with(LevelFilter::INFO).with(lines))?;
        } else {
            let (writer, guard) = file(plan, "app")?;
            guards.push(guard);
            // The layers of a vector would hide the level from the check at the call site, so one file is set
            // up without one.
            let lines =
                tracing_subscriber::fmt::layer().event_format(Line).with_ansi(false).with_writer(writer);
            tracing::subscriber::set_global_default(Registry::default().with(LevelFilter::INFO).with(lines))?;
        }
        Ok(Self { guards })
    }

    #[inline(always)]
    fn log(&self, order: Order) {
        tracing::info!("order {} filled at {} for {}", order.id, order.price, order.symbol);
    }

    #[inline(always)]
    fn log_routed(&self, order: Order) {
        macro_rules! emit {
            ($name:literal, $domain:ident, $level:ident, $order:ident) => {
                tracing::$level!(
                    target: $name,
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
        tracing::info!(id = order.id, price = order.price, symbol = order.symbol, "order filled");
    }

    #[inline(always)]
    fn log_disabled(&self, order: Order) {
        tracing::debug!("order {} filled at {} for {}", order.id, order.price, order.symbol);
    }

    fn finish(self) -> Result<(), Failure> {
        // A guard waits a second at most for its thread; what it leaves behind shows as lost.
        drop(self.guards);
        Ok(())
    }
}

type BoxedLayer = Box<dyn Layer<Registry> + Send + Sync>;

fn file(plan: &Plan, stem: &str) -> Result<(NonBlocking, WorkerGuard), Failure> {
    let file = File::create(plan.file(stem)?)?;
    Ok(NonBlockingBuilder::default().lossy(false).finish(file))
}

fn layer(writer: NonBlocking, wanted: impl Fn(&Metadata<'_>) -> bool + Send + Sync + 'static) -> BoxedLayer {
    let lines = tracing_subscriber::fmt::layer().event_format(Line).with_ansi(false).with_writer(writer);
    let filter: FilterFn<_> = filter_fn(wanted);
    lines.with_filter(filter).boxed()
}

fn level_of(level: Level) -> tracing::Level {
    [tracing::Level::DEBUG, tracing::Level::INFO, tracing::Level::WARN, tracing::Level::ERROR][level as usize]
}

struct Line;

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let metadata = event.metadata();
        write!(
            writer,
            "{} | {} | {}:{} | ",
            Stamp::now(),
            metadata.level(),
            metadata.module_path().unwrap_or_default(),
            metadata.line().unwrap_or_default()
        )?;
        context.format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}
