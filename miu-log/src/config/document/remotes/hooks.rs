//! Services that take messages in a document: Discord, Telegram, a server of one's own.
//!
//! O1. Each mistake is told at the key where it is, all of them at once, and none of one that is not enabled.
//! O2. One with a mistake is none: no message goes anywhere else instead.
//!
//! Called by `keys`, through the module above.

#[cfg(feature = "webhook")]
use super::checked;
use super::secret;
use crate::config::AnySink;
#[cfg(feature = "webhook")]
use crate::config::Remote;
use crate::config::document::kind::{Closed, FLAG, Key, Kind, LevelName, Table, key, text_or_number};
use crate::config::document::node::Node;
#[cfg(feature = "webhook")]
use crate::config::document::node::{Value, joined};
use crate::config::document::problems::Problems;
use crate::config::document::schema::Json;
use crate::config::document::values::some_text;
use crate::level::Level;
use crate::secret::Secret;
#[cfg(feature = "webhook")]
use crate::sink::outbox::webhook::{Webhook, check_address, check_chat, check_token};

/// A service that takes messages.
#[derive(Clone, Copy, Debug)]
enum Service {
    Discord,
    Telegram,
    Own,
}

/// What a document says of one.
#[derive(Debug)]
#[cfg_attr(not(feature = "webhook"), allow(dead_code, reason = "without webhooks nobody asks"))]
pub(in crate::config::document) struct HookDraft {
    service: Service,
    enabled: bool,
    level: Option<Level>,
    secret: Option<Secret>,
    chat: Option<String>,
    server: Option<String>,
}

/// What a key was given.
#[cfg(feature = "webhook")]
struct Given {
    key: &'static str,
    /// What is expected where it cannot be left out.
    needed: Option<&'static str>,
    /// What is wrong with it. None: it has no value.
    checked: Option<Result<(), String>>,
}

impl HookDraft {
    fn of(service: Service) -> HookDraft {
        HookDraft { service, enabled: true, level: None, secret: None, chat: None, server: None }
    }

    /// The sink; None where it is not wanted, or cannot be.
    pub(in crate::config::document) fn into_sink(self) -> Option<AnySink> {
        if self.enabled { self.sink().ok() } else { None }
    }

    #[cfg(feature = "webhook")]
    fn given(&self) -> Vec<Given> {
        let (key, expected) = match self.service {
            Service::Discord => ("webhook_url", "the address that Discord gives a webhook"),
            Service::Own => ("url", "the server's address"),
            Service::Telegram => ("bot_token", "the token of a bot"),
        };
        let is_telegram = matches!(self.service, Service::Telegram);
        let check = if is_telegram { check_token } else { check_address };
        let mut given = vec![Given { key, needed: Some(expected), checked: self.secret.as_ref().map(check) }];
        if is_telegram {
            let server = self.server.as_deref().map(Secret::from);
            given.push(Given {
                key: "chat_id",
                needed: Some("the number of a chat"),
                checked: self.chat.as_deref().map(check_chat),
            });
            given.push(Given { key: "server", needed: None, checked: server.as_ref().map(check_address) });
        }
        given
    }

    /// Whether a sink can be made of it; what is wrong is told with its place.
    #[cfg(feature = "webhook")]
    fn is_whole(&self, node: &Node, path: &str, problems: &mut Problems) -> bool {
        let entries = if let Value::Table(entries) = &node.value { &**entries } else { &[] };
        let mut is_whole = true;
        for Given { key, needed, checked } in self.given() {
            let entry = entries.iter().rfind(|entry| entry.key == key);
            match (checked, entry, needed) {
                (Some(Ok(())), ..) | (None, None, None) => continue,
                (Some(Err(problem)), entry, _) => {
                    problems.add(entry.map_or(node.at, |it| it.node.at), &joined(path, key), problem);
                }
                (None, None, Some(expected)) => {
                    problems.add(node.at, path, format_args!("{key} is missing; {expected} is expected"));
                }
                // It is of another kind, which has been told.
                (None, Some(_), _) => {}
            }
            is_whole = false;
        }
        if is_whole && let Err(problem) = self.sink() {
            problems.add(node.at, path, problem);
            is_whole = false;
        }
        is_whole
    }

    #[cfg(feature = "webhook")]
    fn sink(&self) -> Result<AnySink, String> {
        let secret = self.secret.clone().ok_or("here is no address and no token")?;
        let (name, webhook) = match (self.service, &self.server, self.chat.as_deref().unwrap_or_default()) {
            (Service::Discord, ..) => ("discord", Webhook::discord(secret)),
            (Service::Own, ..) => ("webhook", Webhook::json(secret)),
            (Service::Telegram, Some(server), chat) => {
                ("telegram", Webhook::telegram_at(server, secret, chat))
            }
            (Service::Telegram, None, chat) => ("telegram", Webhook::telegram(secret, chat)),
        };
        let mut remote = Remote::webhook(name, webhook.map_err(|error| error.to_string())?);
        if let Some(level) = self.level {
            remote = remote.min_level(level);
        }
        checked(remote)
    }

    #[cfg(not(feature = "webhook"))]
    fn is_whole(&self, node: &Node, path: &str, problems: &mut Problems) -> bool {
        self.sink().map_err(|problem| problems.add(node.at, path, problem)).is_ok()
    }

    #[cfg(not(feature = "webhook"))]
    fn sink(&self) -> Result<AnySink, String> {
        Err("this program's miu-log is built without webhooks; switch on its cargo feature \"webhook\""
            .to_owned())
    }
}

/// The section of one of them.
struct Hook(Closed<HookDraft>);

impl Kind for Hook {
    type Value = HookDraft;

    fn read(&self, node: &Node, path: &str, problems: &mut Problems) -> Option<HookDraft> {
        let draft = self.0.read(node, path, problems)?;
        (!draft.enabled || draft.is_whole(node, path, problems)).then_some(draft)
    }

    fn schema(&self) -> Json {
        self.0.schema()
    }
}

/// What all services have in common, and these keys.
fn hook(begin: fn() -> HookDraft, own: Vec<Key<HookDraft>>) -> impl Kind<Value = HookDraft> {
    type Draft = HookDraft;
    let mut keys = vec![
        key("enabled", "true", "Whether records go there.", FLAG, |it: &mut Draft, wanted| {
            it.enabled = wanted;
        }),
        key("level", "error", "The lowest level that goes there.", LevelName, |it: &mut Draft, level| {
            it.level = Some(level);
        })
        .or("min_level"),
    ];
    keys.splice(0..0, own);
    Hook(Closed(Table { keys, begin, check: |_| Ok(()) }))
}

fn secret_key(name: &'static str, about: &'static str, expected: &'static str) -> Key<HookDraft> {
    key(name, "", about, secret(expected), |it: &mut HookDraft, secret| it.secret = Some(secret))
}

/// Discord.
pub(in crate::config::document) fn discord() -> impl Kind<Value = HookDraft> {
    let own = secret_key("webhook_url", "The address of a webhook of Discord.", "an address");
    hook(|| HookDraft::of(Service::Discord), vec![own])
}

/// Telegram.
pub(in crate::config::document) fn telegram() -> impl Kind<Value = HookDraft> {
    type Draft = HookDraft;
    let chat = text_or_number("the number of a chat", |text| Ok(text.to_owned()));
    let own = vec![
        secret_key("bot_token", "The token of a bot of Telegram.", "a token"),
        key(
            "chat_id",
            "",
            "The chat that it writes to: its number, or its name such as @alerts.",
            chat,
            |it: &mut Draft, chat| it.chat = Some(chat),
        ),
        key(
            "server",
            "https://api.telegram.org",
            "Another server that speaks as Telegram's does.",
            some_text("an address"),
            |it: &mut Draft, server| it.server = Some(server),
        ),
    ];
    hook(|| HookDraft::of(Service::Telegram), own)
}

/// A server of one's own.
pub(in crate::config::document) fn webhook() -> impl Kind<Value = HookDraft> {
    let own = secret_key("url", "The address that messages are sent to.", "an address");
    hook(|| HookDraft::of(Service::Own), vec![own])
}
