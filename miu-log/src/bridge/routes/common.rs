//! Crates that many services have: where their records belong, if the service has such a domain, and below which level they are noise.
//!
//! A service overrides any of it by naming the crate itself.

use crate::level::Level;

/// Crates of one kind.
pub(super) struct Common {
    /// Names as they stand at the beginning of a target.
    pub(super) names: &'static [&'static str],
    /// The first of these that the service has.
    pub(super) domains: &'static [&'static str],
    /// Records below this are left out.
    pub(super) least: Option<Level>,
}

pub(super) const CRATES: &[Common] = &[
    // What runs everything else: what it has to say below INFO is for its own authors.
    Common {
        names: &["tokio", "tokio_util", "mio", "polling", "async_io", "want", "signal_hook"],
        domains: &["runtime"],
        least: Some(Level::Info),
    },
    // The web, as client and as server.
    Common {
        names: &[
            "hyper",
            "hyper_util",
            "h2",
            "h3",
            "quinn",
            "reqwest",
            "ureq",
            "isahc",
            "tungstenite",
            "tokio_tungstenite",
            "tonic",
            "tower",
            "axum",
            "actix_http",
            "actix_web",
            "actix_server",
            "rocket",
            "warp",
        ],
        domains: &["http", "web", "net", "network"],
        least: Some(Level::Info),
    },
    // Its traces of requests are at DEBUG, and are asked for by adding the layer that makes them.
    Common { names: &["tower_http"], domains: &["http", "web", "net", "network"], least: None },
    Common {
        names: &[
            "rustls",
            "tokio_rustls",
            "native_tls",
            "openssl",
            "hickory_resolver",
            "hickory_proto",
            "trust_dns_resolver",
        ],
        domains: &["tls", "net", "network", "http", "web"],
        least: Some(Level::Info),
    },
    Common {
        names: &[
            "sqlx",
            "sea_orm",
            "diesel",
            "tokio_postgres",
            "postgres",
            "mysql_async",
            "mysql",
            "rusqlite",
            "mongodb",
            "deadpool",
            "deadpool_postgres",
            "bb8",
        ],
        domains: &["db", "database", "sql"],
        least: None,
    },
    Common { names: &["redis", "fred", "deadpool_redis"], domains: &["redis", "cache"], least: None },
    Common {
        names: &[
            "serenity",
            "songbird",
            "poise",
            "twilight_gateway",
            "twilight_gateway_queue",
            "twilight_http",
            "twilight_http_ratelimiting",
            "twilight_standby",
            "twilight_lavalink",
            "twilight_cache_inmemory",
        ],
        domains: &["discord", "bot"],
        least: Some(Level::Info),
    },
    Common {
        names: &["async_nats", "rdkafka", "lapin", "rumqttc"],
        domains: &["queue", "mq", "events"],
        least: Some(Level::Info),
    },
    // The steps of spans, which `tracing` tells the `log` facade of where it has nobody else to tell.
    Common { names: &["tracing::span"], domains: &[], least: Some(Level::Critical) },
];
