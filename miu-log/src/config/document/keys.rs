//! Every key of a document. [`root`] is the one list of them: it reads documents, makes the schema, and says what can be changed while the program runs.

use std::path::PathBuf;
use std::time::Duration;

use super::kind::{FLAG, Kind, LevelName, ListOf, MapOf, Table, key, text};
use super::layouts::layout;
use super::node::shown;
use super::remotes::{DatabaseDraft, HookDraft, database, discord, telegram, webhook};
use super::sinks::{ConsoleDraft, SinkDraft, console, sink};
use super::values::{
    app, compression, durability, duration, file_name, file_prefix, mode, overflow, retention, ring_limit,
    rotation, some_text, zone,
};
use crate::config::levels::DomainLevel;
use crate::config::other_crates::RouteOption;
use crate::config::{LogConfig, SHORTEST_HEARTBEAT};
use crate::layout::Pattern;
use crate::level::Level;

/// What a document says, on its way to a configuration.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) config: LogConfig,
    /// What was said of the console.
    pub(super) console: Option<ConsoleDraft>,
    pub(super) has_layout: bool,
    /// What was said of a database.
    pub(super) database: DatabaseDraft,
    pub(super) reload: bool,
}

/// The folder of log files where nothing else is said.
pub(super) const FOLDER: &str = "logs";

impl Draft {
    pub(super) fn new() -> Draft {
        Draft {
            config: LogConfig::new(FOLDER),
            console: None,
            has_layout: false,
            database: DatabaseDraft::default(),
            reload: true,
        }
    }
}

/// Keys that can be changed while the program runs: what begins with these.
pub(crate) const LIVE: [&str; 5] = ["level", "debug_enabled", "domains", "console.level", "reload"];

/// The document, or its section `logging`.
pub(super) fn root() -> Table<Draft> {
    let mut keys = files();
    keys.splice(0..0, levels());
    keys.extend(other_crates());
    keys.extend(behaviour());
    Table { keys, begin: Draft::new, check: |_| Ok(()) }
}

type Keys = Vec<super::kind::Key<Draft>>;

fn levels() -> Keys {
    let domains = |draft: &mut Draft, levels: Vec<(String, String, Level)>| {
        let level = |(domain, origin, level)| DomainLevel { domain, level, origin };
        draft.config.domain_levels.extend(levels.into_iter().map(level));
    };
    vec![
        key(
            "level",
            "debug",
            "The lowest level that is taken. Can be changed while the program runs.",
            LevelName,
            |draft: &mut Draft, level| {
                draft.config.level = level;
            },
        ),
        key(
            "debug_enabled",
            "true",
            "Whether DEBUG and TRACE are taken. Can be changed while the program runs.",
            FLAG,
            |draft: &mut Draft, wanted| {
                draft.config.debug_enabled = wanted;
            },
        ),
        key(
            "domains",
            "",
            "The lowest level of single domains. Can be changed while the program runs.",
            MapOf(LevelName),
            domains,
        )
        .or("components")
        .by_method("domain_level"),
        key(
            "console",
            "stdout, every level",
            "The console: a table, or true, false, stdout or stderr.",
            console(),
            |draft: &mut Draft, console| {
                draft.console = Some(console);
            },
        ),
    ]
}

fn files() -> Keys {
    vec![
        key(
            "folder",
            FOLDER,
            "The folder of the log files, from where the program is started.",
            folder(),
            |draft: &mut Draft, folder| {
                draft.config.folder = folder;
            },
        ),
        key(
            "domain_files",
            "true",
            "Whether there are files per domain.",
            FLAG,
            |draft: &mut Draft, wanted| {
                draft.config.domain_files = wanted;
            },
        ),
        key(
            "level_files",
            "true",
            "Whether there are files per level.",
            FLAG,
            |draft: &mut Draft, wanted| {
                draft.config.level_files = wanted;
            },
        ),
        key(
            "domain_file_name",
            "{domain}.log",
            "What the files per domain are called.",
            file_name(true, false),
            |draft: &mut Draft, name| {
                draft.config.domain_file = name;
            },
        ),
        key(
            "level_file_name",
            "{level}.log",
            "What the files per level are called.",
            file_name(false, true),
            |draft: &mut Draft, name| {
                draft.config.level_file = name;
            },
        ),
        key(
            "file_prefix",
            "none",
            "What all file names begin with.",
            file_prefix(),
            |draft: &mut Draft, prefix| {
                draft.config.file_prefix = Some(prefix);
            },
        ),
        key(
            "app",
            "the executable's name",
            "What stands for {app} in file names.",
            app(),
            |draft: &mut Draft, app| {
                draft.config.app = Some(app);
            },
        ),
        key(
            "isolated",
            "false",
            "Whether other programs may have the same log folder.",
            FLAG,
            |draft: &mut Draft, wanted| {
                draft.config.isolated = wanted;
            },
        ),
        key(
            "file_mode",
            "0640 or stricter",
            "The mode of log files, in octal digits.",
            mode(),
            |draft: &mut Draft, mode| {
                draft.config.file_mode = Some(mode);
            },
        ),
        key(
            "layout",
            Pattern::DEFAULT,
            "What a line looks like: a pattern, a preset's name, json, logfmt or otel, or a table. In a section `logging` without it the console has the \
             preset classic.",
            layout(),
            |draft: &mut Draft, layout| {
                draft.config.layout = layout;
                draft.has_layout = true;
            },
        )
        .or("format"),
        key(
            "diagnose",
            "false",
            "Whether log files show what functions with #[diagnose] capture for errors.",
            FLAG,
            |draft: &mut Draft, wanted| draft.config.diagnose = wanted,
        ),
        key("zone", "local", "The time zone of lines and of rotation.", zone(), |draft: &mut Draft, zone| {
            draft.config.zone = zone;
        }),
        key(
            "rotation",
            "10 MB",
            "When files are rotated: a size, a time of day, a duration, hourly, daily, on start or never; or a list of these.",
            rotation(),
            |draft: &mut Draft, rotation| {
                draft.config.rotation = rotation;
            },
        ),
        key(
            "retention",
            "5 files",
            "How long rotated files are kept: files, days, bytes or a share of the disk; or a list of these.",
            retention(),
            |draft: &mut Draft, retention| {
                draft.config.retention = retention;
            },
        ),
        key(
            "compression",
            "gz",
            "How rotated files are compressed: gz, zstd or none.",
            compression(),
            |draft: &mut Draft, compression| {
                draft.config.compression = compression.into();
            },
        ),
        key(
            "sinks",
            "",
            "Further files and consoles.",
            ListOf(sink()),
            |draft: &mut Draft, sinks: Vec<SinkDraft>| {
                draft.config.sinks.extend(sinks.into_iter().filter_map(SinkDraft::into_sink));
            },
        )
        .by_method("sink"),
    ]
}

fn other_crates() -> Keys {
    let route = |prefix: String, domain, level, origin| RouteOption { prefix, domain, level, origin };
    vec![
        key(
            "intercept",
            "true, if nobody else has them",
            "Whether records of other crates, by log and tracing, are taken.",
            FLAG,
            |draft: &mut Draft, wanted| draft.config.other_crates.intercept = Some(wanted),
        ),
        key(
            "routes",
            "",
            "The domains of other crates' records, by the beginning of their target: sqlx: db.",
            MapOf(some_text("a domain's name")),
            move |draft: &mut Draft, routes: Vec<(String, String, String)>| {
                let option = |(prefix, origin, domain)| route(prefix, Some(domain), None, origin);
                draft.config.other_crates.routes.extend(routes.into_iter().map(option));
            },
        )
        .by_method("route"),
        key(
            "target_levels",
            "",
            "The lowest levels of other crates' records, by the beginning of their target: sqlx::query: warning.",
            MapOf(LevelName),
            move |draft: &mut Draft, levels: Vec<(String, String, Level)>| {
                let option = |(prefix, origin, level)| route(prefix, None, Some(level), origin);
                draft.config.other_crates.routes.extend(levels.into_iter().map(option));
            },
        )
        .by_method("target_level"),
        key(
            "default_route",
            "the first domain",
            "The domain of other crates' records that no route is for.",
            some_text("a domain's name"),
            |draft: &mut Draft, domain| draft.config.other_crates.default = Some(domain),
        ),
        key(
            "span_events",
            "false",
            "Whether the begin and the end of tracing's spans are records.",
            FLAG,
            |draft: &mut Draft, wanted| draft.config.other_crates.span_events = wanted,
        ),
    ]
}

fn behaviour() -> Keys {
    vec![
        key(
            "durability",
            "os",
            "When files are made durable against a loss of power: os, sync on error, or sync every 1 s.",
            durability(),
            |draft: &mut Draft, durability| {
                draft.config.durability = durability;
            },
        ),
        key(
            "overflow",
            "shed after 100 ms",
            "What happens when a thread's queue is full: block, drop newest, or shed after 100 ms.",
            overflow(),
            |draft: &mut Draft, policy| {
                draft.config.overflow = policy;
            },
        ),
        key(
            "ring_limit",
            "2 MiB",
            "How large a thread's queue may become: a power of two from 64 KiB to 1 GiB.",
            ring_limit(),
            |draft: &mut Draft, limit| {
                draft.config.ring_limit = limit;
            },
        ),
        key(
            "sink_timeout",
            "2 s",
            "How long a sink without progress may hold up a flush or the end.",
            duration(Duration::from_nanos(1)),
            |draft: &mut Draft, timeout| {
                draft.config.sink_timeout = timeout;
            },
        ),
        key(
            "heartbeat",
            "60 s",
            "How often a worker process shows that it is well.",
            duration(SHORTEST_HEARTBEAT),
            |draft: &mut Draft, interval| {
                draft.config.heartbeat = interval;
            },
        ),
        key(
            "handle_signals",
            "false",
            "Whether SIGTERM and SIGINT end the program only after everything is written, and SIGHUP has files looked at.",
            FLAG,
            |draft: &mut Draft, wanted| {
                draft.config.handle_signals = wanted;
            },
        ),
        key("panic_hook", "true", "Whether panics are records.", FLAG, |draft: &mut Draft, wanted| {
            draft.config.panic_hook = Some(wanted);
        }),
        key(
            "take_over",
            "false",
            "Whether another process that has the log folder is asked for it.",
            FLAG,
            |draft: &mut Draft, wanted| {
                draft.config.take_over = wanted;
            },
        ),
        key(
            "reload",
            "true",
            "Whether this document is read again when it changes. Can be changed while the program runs.",
            FLAG,
            |draft: &mut Draft, wanted| {
                draft.reload = wanted;
            },
        ),
        key(
            "database",
            "",
            "Whether records go to a database, that of the section `database` unless `url` says another one, and how.",
            database(),
            |draft: &mut Draft, database| {
                draft.database = database;
            },
        ),
        key("discord", "", "Messages to Discord.", discord(), |draft: &mut Draft, hook: HookDraft| {
            draft.config.sinks.extend(hook.into_sink());
        }),
        key("telegram", "", "Messages to Telegram.", telegram(), |draft: &mut Draft, hook: HookDraft| {
            draft.config.sinks.extend(hook.into_sink());
        }),
        key("webhook", "", "Messages to a server.", webhook(), |draft: &mut Draft, hook: HookDraft| {
            draft.config.sinks.extend(hook.into_sink());
        }),
    ]
}

fn folder() -> impl Kind<Value = PathBuf> {
    text("a folder's path such as \"logs\"", |text| match text {
        "" => Err("the path is empty; a path such as \"logs\" is expected".to_owned()),
        text if text.contains('\0') => Err(format!("{}: a path has no NUL in it", shown(text))),
        text => Ok(PathBuf::from(text)),
    })
}
