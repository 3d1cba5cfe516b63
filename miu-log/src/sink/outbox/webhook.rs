//! Records as messages of a web service: a server of the user's own, Discord, Telegram.
//!
//! H1. No answer leads to another server: redirects are not followed, for the address, or the token in it, is a secret.
//! H2. What is shown of an address is its scheme and its host.
//! H3. A message of a batch that has arrived is not sent again while the process lives, nor is what it told told by another one (`offer`).
//! H4. What a service says is shown without anything of the address, or not at all.
//! H5. A fault of the service's is not taken for one of the records', however it is answered (`refusals`).
//!
//! Called by the outbox, on its thread, where the HTTP client works as well.

mod answer;
mod message;
mod offer;
mod refusals;
mod text;

use std::fmt;
use std::io::Read as _;
use std::time::Duration;

use ureq::http::HeaderMap;

use self::answer::Said;
use self::offer::Offer;
use self::refusals::Refusals;
use super::deliver::{Deliver, DeliverError, Kind, Timeouts};
use crate::clock::{Clock, nanos};
use crate::error::Error;
use crate::secret::Secret;
use crate::sink::Batch;

/// How much of an answer is read.
const ANSWER: u64 = 16 * 1024;

/// How long to wait where a service is too busy and does not say for how long.
const BUSY: Duration = Duration::from_secs(1);

/// A web service that takes messages, for [`Remote::webhook`](crate::Remote::webhook).
///
/// At most one batch (of at most three messages) is sent every 20 seconds, the first after 5 s, but for a flush and the end of the program, which send what waits at once: so a program that flushes
/// with each error sends a message with each. Equal records are told once with their number; what has no room is counted in the last message. A message has level, domain and text of a
/// record, and neither its fields nor its place; a [`layout`](crate::Remote::layout) of your own can show them.
///
/// The address is never shown but for its scheme and host. The HTTP client below, the crate `ureq`, logs it whole at TRACE, token included. Nothing of that gets into this library's own records, for what a sink's thread
/// logs is dropped and counted. Another logger in the program would take it: if you install one yourself, do not let it take the targets `ureq` and `ureq_proto` at TRACE.
///
/// `429` and `503` are waited for as long as the service asks, for an hour at most, also over a restart, and so is Discord's `X-RateLimit-Reset-After` where `X-RateLimit-Remaining` is 0.
/// `401`, `403`, `404` and `410` turn the sink off until the next start, and so does Telegram's `400` about the chat or what the bot may do there; other `400`, `413` and `422` refuse the message;
/// everything else may pass. Redirects are not followed: `301` and `308` turn the sink off, others may pass. An answer of Telegram with `"ok": false` means what its `error_code` says. The reason that the
/// service gives stands in the notice, and beside the dead letter, unless it tells something of the address.
///
/// Of a batch that was refused each part has the 20 seconds between it and the next one, and no record is told a second time. Once three records have been refused
/// by themselves in a row, with nothing between that arrived, each further one waits for a minute first, then for twice as long as the one before, up to an hour, and the sink counts as failing.
///
/// Once it is off, records go on into the spool until the next start, which sends them summed up, three messages a batch. Nothing offers a dead letter
/// again: who wants that logs it anew.
pub struct Webhook {
    service: Service,
    address: Secret,
    origin: String,
    agent: ureq::Agent,
    offer: Offer,
    refusals: Refusals,
    clock: Clock,
    /// Until when the service takes no message, on the monotonic clock.
    free: u64,
}

enum Service {
    Json,
    Discord,
    Telegram(String),
}

impl Webhook {
    /// A server of your own: each message is a `POST` of `{"records": [{"id", "unix_nanos", "count", "level", "domain", "text"}, …]}`.
    ///
    /// # Errors
    ///
    /// When the address is none of `https://`, or `http://` on this machine.
    pub fn json(address: impl Into<Secret>) -> Result<Webhook, Error> {
        Webhook::new(Service::Json, address.into())
    }

    /// Discord, by the address of a webhook: embeds coloured by level, which notify nobody.
    ///
    /// # Errors
    ///
    /// As of [`json`](Webhook::json).
    pub fn discord(address: impl Into<Secret>) -> Result<Webhook, Error> {
        Webhook::new(Service::Discord, address.into())
    }

    /// Telegram, by the token of a bot and the chat that it writes to: plain text, with a sign for the level. There is no parse mode, but Telegram makes links, names
    /// behind an `@` and commands out of plain text by itself.
    ///
    /// # Errors
    ///
    /// When the token is empty or has characters that none has, or the chat is neither a whole number such as `-1001234567890` nor a name such as `@alerts`.
    pub fn telegram(token: impl Into<Secret>, chat: impl fmt::Display) -> Result<Webhook, Error> {
        Webhook::telegram_at("https://api.telegram.org", token, chat)
    }

    /// The same by another server that speaks as Telegram's does.
    ///
    /// # Errors
    ///
    /// As of [`telegram`](Webhook::telegram) and [`json`](Webhook::json).
    pub fn telegram_at(
        server: &str,
        token: impl Into<Secret>,
        chat: impl fmt::Display,
    ) -> Result<Webhook, Error> {
        let (token, chat) = (token.into(), chat.to_string());
        let problems: Vec<String> =
            [check_token(&token), check_chat(&chat)].into_iter().filter_map(Result::err).collect();
        if !problems.is_empty() {
            return Err(Error::config(problems.join("; and ")));
        }
        let address = Secret::new(format!("{server}/bot{}/sendMessage", token.expose()));
        Webhook::new(Service::Telegram(chat), address)
    }

    fn new(service: Service, address: Secret) -> Result<Webhook, Error> {
        let (address, origin) = checked(&address).map_err(Error::config)?;
        let mut config = ureq::Agent::config_builder();
        if !origin.starts_with("https://") {
            // A proxy would read along.
            config = config.proxy(None);
        }
        let agent = config
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .build()
            .into();
        let (offer, refusals) = (Offer::default(), Refusals::default());
        Ok(Webhook { service, address, origin, agent, offer, refusals, clock: Clock::system(), free: 0 })
    }

    /// Sends one message. How long the service wants no other one.
    fn post(&self, body: &[u8], timeouts: Timeouts) -> Result<Option<Duration>, DeliverError> {
        let origin = &self.origin;
        // So that the time for all of it is over only where the server has been reached.
        let connect = timeouts.connect.min(timeouts.request - timeouts.request / 10);
        let answer = self
            .agent
            .post(self.address.expose())
            .config()
            .timeout_resolve(Some(connect))
            .timeout_connect(Some(connect))
            .timeout_global(Some(timeouts.request))
            .build()
            .header("content-type", "application/json")
            .send(body);
        let mut answer = answer.map_err(|error| DeliverError::retry(fault(origin, &error)))?;
        let mut status = answer.status().as_u16();
        let is_telegram = matches!(self.service, Service::Telegram(_));
        let mut said = Said::default();
        if is_telegram || !(200..=299).contains(&status) {
            let mut read = Vec::new();
            // What cannot be read says nothing.
            let _ = answer.body_mut().as_reader().take(ANSWER).read_to_end(&mut read);
            said = answer::said(&String::from_utf8_lossy(&read));
        }
        let mut text = format!("{origin} answers {status}");
        if is_telegram && (200..=299).contains(&status) && said.ok == Some(false) {
            // Without a code it may pass.
            status = said.code.filter(|code| (300..=599).contains(code)).unwrap_or(500);
            text = format!("{origin} answers with the error {status}");
        }
        let is_about_chat = is_telegram && said.reason.as_deref().is_some_and(answer::is_about_chat);
        if let Some(reason) = said.reason.and_then(|it| answer::shown(&it, self.address.expose())) {
            text.push_str(&format!(", \"{reason}\""));
        }
        let with = |what: &str| format!("{text}{what}");
        match status {
            200..=299 => Ok(pause(answer.headers())),
            301 | 308 => Err(DeliverError::off(with(
                ", has moved for good, which is not followed: put its new address into the configuration",
            ))),
            300..=399 => Err(DeliverError::retry(with(", leads elsewhere, which is not followed"))),
            400 if let Some(chat) = said.new_chat.filter(|_| is_telegram) => {
                let advice =
                    format!(": the group has another chat now, {chat}; put it into the configuration");
                Err(DeliverError::off(with(&advice)))
            }
            400 if is_about_chat => Err(DeliverError::off(with(
                ": check the chat, and see that the bot is in it and may write there",
            ))),
            400 | 413 | 422 => Err(DeliverError::refused(text)),
            401 | 403 | 404 | 410 => Err(DeliverError::off(with(self.advice(status)))),
            429 | 503 => {
                let header = |name| answer.headers().get(name).and_then(|it| it.to_str().ok());
                let asked = header("retry-after")
                    .and_then(|it| answer::retry_after(it, header("date"), self.clock.unix_now()));
                let asked = asked.or(said.retry_after).unwrap_or(BUSY);
                Err(DeliverError::retry_after(text, asked))
            }
            _ => Err(DeliverError::retry(text)),
        }
    }

    /// What to do where nothing gets there any more.
    fn advice(&self, status: u16) -> &'static str {
        match (&self.service, status) {
            (Service::Telegram(_), 403) => ": see that the bot is in the chat and may write there",
            (Service::Telegram(_), _) => ": check the token of the bot",
            (_, 401) => ": check the address and the token in it",
            (_, 403) => ": check the address and the token in it, and that it may be written to",
            (_, 404) => ": nothing is there; check the address and the token in it",
            _ => ": it is gone for good; put another address into the configuration",
        }
    }
}

/// What is wrong with a token of Telegram, without showing it.
pub(crate) fn check_token(token: &Secret) -> Result<(), String> {
    const EXPECTED: &str = "digits, a colon, letters are expected, as the BotFather gives them";
    let token = token.expose();
    let fits = |it: char| it.is_ascii_alphanumeric() || matches!(it, ':' | '-' | '_');
    if token.is_empty() {
        Err(format!("the token is empty; {EXPECTED}"))
    } else if token.contains(char::is_whitespace) {
        Err(format!("the token has a space or the end of a line in it; {EXPECTED}"))
    } else if !token.chars().all(fits) {
        Err(format!("the token is none of Telegram's; {EXPECTED}"))
    } else {
        Ok(())
    }
}

/// What is wrong with a chat of Telegram. It is not shown: a token may stand in its place.
pub(crate) fn check_chat(chat: &str) -> Result<(), String> {
    let is_number = chat.parse::<i64>().is_ok() && !chat.starts_with('+');
    let is_name = chat.strip_prefix('@').is_some_and(|name| {
        (5..=32).contains(&name.len()) && name.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_')
    });
    if is_number || is_name {
        return Ok(());
    }
    let what = if chat.is_empty() { "empty" } else { "none of Telegram's" };
    Err(format!(
        "the chat is {what}; a whole number such as -1001234567890, or a name of 5 to 32 letters, digits and _ such as @alerts is expected"
    ))
}

/// What is wrong with an address, without showing more of it than scheme and host.
pub(crate) fn check_address(address: &Secret) -> Result<(), String> {
    checked(address).map(drop)
}

/// The address with its scheme as it is usually written, and its origin.
fn checked(address: &Secret) -> Result<(Secret, String), String> {
    let address = match address.expose().split_once("://") {
        Some((scheme, rest)) => Secret::new(format!("{}://{rest}", scheme.to_ascii_lowercase())),
        None => address.clone(),
    };
    let origin = address.origin().filter(|_| address.expose().chars().all(|it| it.is_ascii_graphic()));
    let Some(origin) = origin else {
        return Err("a webhook's address is not accepted; one such as https://example.org/hook is expected"
            .to_owned());
    };
    let is_near = |host: &str| {
        let name = match host.rsplit_once(':') {
            Some((name, port)) if !port.contains(']') => name,
            _ => host,
        };
        matches!(name, "localhost" | "127.0.0.1" | "[::1]")
    };
    match origin.split_once("://") {
        Some(("https", _)) => Ok((address, origin)),
        Some(("http", host)) if is_near(host) => Ok((address, origin)),
        Some(("http", _)) => {
            Err(format!("the webhook at {origin} would be sent secrets in plain text; https:// is expected"))
        }
        _ => Err(format!(
            "the webhook at {origin} has a scheme that is not accepted; https:// is expected, or http:// on this machine"
        )),
    }
}

/// How long a service that has taken a message wants no other one.
fn pause(headers: &HeaderMap) -> Option<Duration> {
    let header = |name| headers.get(name).and_then(|it| it.to_str().ok());
    let is_used_up = header("x-ratelimit-remaining")?.trim() == "0";
    header("x-ratelimit-reset-after").filter(|_| is_used_up).and_then(answer::header_seconds)
}

/// An error of the client, without anything of an address. A server that was reached is told from one that was not.
fn fault(origin: &str, error: &ureq::Error) -> String {
    use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};

    let why = match error {
        ureq::Error::Timeout(ureq::Timeout::Resolve | ureq::Timeout::Connect) => {
            return format!("{origin} is not reached in time");
        }
        ureq::Error::Timeout(_) => return format!("{origin} does not answer in time"),
        ureq::Error::Io(error)
            if matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof) =>
        {
            return format!("{origin} broke the connection");
        }
        ureq::Error::Protocol(_) | ureq::Error::LargeResponseHeader(..) => {
            return format!("{origin} answers with something that is no HTTP");
        }
        ureq::Error::Io(error) => error.to_string(),
        ureq::Error::HostNotFound => "its name is not known".to_owned(),
        ureq::Error::ConnectionFailed => "it cannot be connected to".to_owned(),
        ureq::Error::Tls(problem) => (*problem).to_owned(),
        ureq::Error::Rustls(error) => error.to_string(),
        _ => "the request failed".to_owned(),
    };
    format!("{origin} is not reached: {why}")
}

impl Deliver for Webhook {
    fn deliver(&mut self, batch: &Batch<'_>, timeouts: Timeouts) -> Result<(), DeliverError> {
        let service = &self.service;
        self.offer.begin(batch, |groups| match service {
            Service::Json => message::json(groups),
            Service::Discord => message::discord(groups),
            Service::Telegram(chat) => message::telegram(groups, chat),
        });
        while let Some(body) = self.offer.next() {
            let wait = self.free.saturating_sub(self.clock.monotonic());
            if wait > 0 {
                let text = format!("{} has said that it takes no message for a while", self.origin);
                return Err(DeliverError::later(text, Duration::from_nanos(wait)));
            }
            match self.post(body, timeouts) {
                Ok(pause) => {
                    self.offer.arrived();
                    self.refusals.end();
                    if let Some(pause) = pause {
                        self.free = self.clock.monotonic().saturating_add(nanos(pause));
                    }
                }
                Err(error) => return Err(self.failed(batch, error)),
            }
        }
        self.offer.done();
        Ok(())
    }
}

impl Webhook {
    /// What a message that was not taken means for its batch, of which other messages may have arrived.
    fn failed(&mut self, batch: &Batch<'_>, error: DeliverError) -> DeliverError {
        if matches!(error.kind, Kind::Retry(_)) {
            // The batch comes again as it is.
            return error;
        }
        let told = self.offer.part();
        let mut rest = batch.iter().skip(told);
        if let (Kind::Refused, Some(line), None) = (error.kind, rest.next(), rest.next())
            && let Some((pause, before)) = self.refusals.pause(line.id())
        {
            let text = format!("{error}; so it was with the {before} records before it");
            return DeliverError::retry_after(text, pause).delivered(told);
        }
        error.delivered(told)
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").field("origin", &self.origin).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod pace_tests;
#[cfg(test)]
mod tests;
