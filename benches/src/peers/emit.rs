//! emit with emit_file. Its queue holds 10,000 events and is cleared when it is full; there is no setting to
//! wait instead.

use std::io::{self, Write};
use std::time::Duration;

use emit::Props as _;

use crate::Failure;
use crate::order::Order;
use crate::peer::{Peer, Plan};
use crate::stamp::Stamp;

/// How long the last flush may take.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Emit {
    flush: Box<dyn Fn() -> bool + Sync>,
}

impl Peer for Emit {
    fn setup(plan: &Plan) -> Result<Self, Failure> {
        let least = if plan.debug() { emit::Level::Debug } else { emit::Level::Info };
        let file = emit_file::set_with_writer(plan.single_file()?, line, b"\n")
            .max_file_size_bytes(usize::MAX)
            .spawn();
        let started = emit::setup().emit_when(emit::level::min_filter(least)).emit_to(file).init();
        Ok(Self { flush: Box::new(move || started.blocking_flush(PATIENCE)) })
    }

    #[inline(always)]
    fn log(&self, order: Order) {
        let Order { id, price, symbol } = order;
        // An event knows its module but not its line, so the line travels as a property.
        emit::info!("order {id} filled at {price} for {symbol}", line: line!());
    }

    fn log_routed(&self, _order: Order) {}

    #[inline(always)]
    fn log_disabled(&self, order: Order) {
        let Order { id, price, symbol } = order;
        emit::debug!("order {id} filled at {price} for {symbol}", line: line!());
    }

    fn finish(self) -> Result<(), Failure> {
        if (self.flush)() { Ok(()) } else { Err("emit did not flush in time".into()) }
    }
}

fn line(
    out: &mut emit_file::FileBuf,
    event: &emit::Event<'_, &dyn emit::props::ErasedProps>,
) -> io::Result<()> {
    let time = event.ts().map_or(Stamp::now(), |time| Stamp::since_epoch(time.to_unix()));
    let level = event.props().pull::<emit::Level, _>("lvl").unwrap_or_default();
    let level = if level == emit::Level::Debug { "DEBUG" } else { "INFO" };
    let number = event.props().pull::<u32, _>("line").unwrap_or_default();
    write!(out, "{time} | {level} | {}:{number} | {}", event.mdl(), event.msg())
}
