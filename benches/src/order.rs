//! The message that every logger writes, made from a number so that a reader of the file can tell which
//! record it is.
//!
//! An id holds the thread and the position in that thread's sequence; price, symbol, domain and level all
//! follow from it. The measured loops make orders from ids; `verify` makes the expected text from the id it
//! finds in a line.

/// Ids of two threads are this far apart, so no run may log more records in one thread.
pub const IDS_PER_THREAD: u64 = 10_000_000;

/// The short strings that are logged; all of one length, so that all lines of a run have about the same.
const SYMBOLS: [&str; 4] = ["BTC", "ETH", "SOL", "XRP"];

/// Prices repeat after this many orders.
pub const PRICES: u64 = 4_000;

/// One message: `order {id} filled at {price} for {symbol}`.
#[derive(Debug, Clone, Copy)]
pub struct Order {
    /// Thread and position.
    pub id: u64,
    /// A price with at most two decimals.
    pub price: f64,
    /// What was traded.
    pub symbol: &'static str,
}

impl Order {
    /// The order of this id.
    #[inline]
    #[must_use]
    pub fn new(id: u64) -> Self {
        Self { id, price: price(id), symbol: SYMBOLS[(id & 3) as usize] }
    }

    /// The id of the record at `position` of `thread`, both counted from zero.
    #[inline]
    #[must_use]
    pub fn id(thread: u64, position: u64) -> u64 {
        (thread + 1) * IDS_PER_THREAD + position
    }

    /// The domain this order belongs to when records are routed.
    #[inline]
    #[must_use]
    pub fn domain(&self) -> Domain {
        Domain::ALL[(self.id & 3) as usize]
    }

    /// The level this order is logged at when records are routed.
    #[inline]
    #[must_use]
    pub fn level(&self) -> Level {
        Level::ALL[((self.id >> 2) & 3) as usize]
    }
}

#[inline]
fn price(id: u64) -> f64 {
    100.0 + (id % PRICES) as f64 * 0.25
}

/// The four domains of the routing workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Domain {
    /// The application itself.
    App,
    /// Its database.
    Db,
    /// Its cache.
    Redis,
    /// Its background work.
    Task,
}

impl Domain {
    /// All of them, in the order of their files.
    pub const ALL: [Self; 4] = [Self::App, Self::Db, Self::Redis, Self::Task];

    /// The name, which is also the stem of the file and the `target` of loggers that have targets.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        ["app", "db", "redis", "task"][self as usize]
    }

    /// The domain of this name.
    #[inline]
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|domain| domain.as_str() == name)
    }
}

/// The four levels of the routing workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// For developers.
    Debug,
    /// For operators.
    Info,
    /// Something to look at.
    Warning,
    /// Something failed.
    Error,
}

impl Level {
    /// All of them, in the order of their files.
    pub const ALL: [Self; 4] = [Self::Debug, Self::Info, Self::Warning, Self::Error];

    /// The stem of the level's file.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        ["debug", "info", "warning", "error"][self as usize]
    }

    /// The same level of the `log` crate.
    #[must_use]
    pub fn for_log(self) -> log::Level {
        [log::Level::Debug, log::Level::Info, log::Level::Warn, log::Level::Error][self as usize]
    }
}

/// Expands to a match with one arm, and so one call site, per domain and level, as a program would have them.
///
/// `$emit` is a macro that takes the domain's name, the domain as identifier, the level as the `log` crate
/// calls it, and the order.
#[macro_export]
macro_rules! by_domain_and_level {
    ($order:ident, $emit:ident) => {
        match $order.domain() {
            $crate::order::Domain::App => $crate::by_domain_and_level!(@level $order, $emit, "app", app),
            $crate::order::Domain::Db => $crate::by_domain_and_level!(@level $order, $emit, "db", db),
            $crate::order::Domain::Redis => $crate::by_domain_and_level!(@level $order, $emit, "redis", redis),
            $crate::order::Domain::Task => $crate::by_domain_and_level!(@level $order, $emit, "task", task),
        }
    };
    (@level $order:ident, $emit:ident, $name:literal, $domain:ident) => {
        match $order.level() {
            $crate::order::Level::Debug => $emit!($name, $domain, debug, $order),
            $crate::order::Level::Info => $emit!($name, $domain, info, $order),
            $crate::order::Level::Warning => $emit!($name, $domain, warn, $order),
            $crate::order::Level::Error => $emit!($name, $domain, error, $order),
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixteen_neighbours_meet_every_domain_and_level_once() {
        let mut seen = std::collections::HashSet::new();
        for position in 0..16 {
            let order = Order::new(Order::id(0, position));
            seen.insert((order.domain().as_str(), order.level().as_str()));
        }
        assert_eq!(seen.len(), 16);
    }
}
