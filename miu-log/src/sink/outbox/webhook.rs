//! Records as messages of a web service: a server of the user's own, Discord, Telegram.
//!
//! H1. No answer leads to another server: redirects are not followed, for the address, or the token in it, is a secret.
//! H2. What is shown of an address is its scheme and its host.
//! H3. A message of a batch that has arrived is not sent again while the process lives.
//!
//! Called by the outbox, on its thread, where the HTTP client works as well.

mod message;
mod text;

use std::fmt;
use std::io::Read as _;
use std::time::Duration;

use super::deliver::{Deliver, DeliverError, Timeouts};
use crate::error::Error;
use crate::record::RecordId;
use crate::secret::Secret;
use crate::sink::Batch;

/// How much of an answer is read.
const ANSWER: u64 = 16 * 1024;

/// How long to wait where a service is too busy and does not say for how long.
const BUSY: Duration = Duration::from_secs(1);

/// A web service that takes messages, for [`Remote::webhook`](crate::Remote::webhook).
///
/// Records of one burst make one message, or three at most, equal ones once with their number; what has no room is counted in the last one. The address
/// is never shown but for its scheme and host.
///
/// `429` and `503` are waited for as long as the service asks; `401`, `403`, `404` and `410` turn the sink off until the next start; `400`, `413` and `422` refuse the
/// message; everything else may pass. Redirects are not followed: `301` and `308` turn the sink off, others may pass.
pub struct Webhook {
    service: Service,
    address: Secret,
    origin: String,
    agent: ureq::Agent,
    /// Of the batch at hand: its first record, its length, how many messages have arrived.
    sent: (Option<RecordId>, usize, usize),
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

    /// Telegram, by the token of a bot and the chat that it writes to: plain text, with a sign for the level.
    ///
    /// # Errors
    ///
    /// When the token has characters that none has.
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
        let token = token.into();
        let fits = |it: char| it.is_ascii_alphanumeric() || matches!(it, ':' | '-' | '_');
        if token.expose().is_empty() || !token.expose().chars().all(fits) {
            return Err(Error::config(
                "the token is none of Telegram's; digits, a colon, letters are expected",
            ));
        }
        let address = Secret::new(format!("{server}/bot{}/sendMessage", token.expose()));
        Webhook::new(Service::Telegram(chat.to_string()), address)
    }

    fn new(service: Service, address: Secret) -> Result<Webhook, Error> {
        let origin = address.origin().filter(|_| address.expose().chars().all(|it| it.is_ascii_graphic()));
        let origin = origin.ok_or_else(|| {
            Error::config(
                "a webhook's address is not accepted; one such as https://example.org/hook is expected",
            )
        })?;
        let is_near = |host: &str| {
            let name = host.rsplit_once(':').map_or(
                host,
                |(name, port)| {
                    if port.contains(']') { host } else { name }
                },
            );
            matches!(name, "localhost" | "127.0.0.1" | "[::1]")
        };
        let is_safe = origin.starts_with("https://") || origin.strip_prefix("http://").is_some_and(is_near);
        if !is_safe {
            return Err(Error::config(format!(
                "the webhook at {origin} would be sent secrets in plain text; https:// is expected"
            )));
        }
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
        Ok(Webhook { service, address, origin, agent, sent: (None, 0, 0) })
    }

    /// Sends one message.
    fn post(&self, body: &[u8], timeouts: Timeouts) -> Result<(), DeliverError> {
        let origin = &self.origin;
        let answer = self
            .agent
            .post(self.address.expose())
            .config()
            .timeout_connect(Some(timeouts.connect))
            .timeout_global(Some(timeouts.request))
            .build()
            .header("content-type", "application/json")
            .send(body);
        let mut answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                return Err(DeliverError::retry(format!("{origin} is not reached: {}", shown(&error))));
            }
        };
        let status = answer.status().as_u16();
        let text = |what: &str| format!("{origin} answers {status}{what}");
        match status {
            200..=299 => Ok(()),
            301 | 308 => Err(DeliverError::off(text(" and has moved for good, which is not followed"))),
            300..=399 => Err(DeliverError::retry(text(" and leads elsewhere, which is not followed"))),
            400 | 413 | 422 => Err(DeliverError::refused(text(""))),
            401 | 403 | 404 | 410 => Err(DeliverError::off(text(""))),
            429 | 503 => {
                let header = answer.headers().get("retry-after").and_then(|it| it.to_str().ok());
                let asked = header.and_then(seconds).or_else(|| {
                    let mut read = String::new();
                    // What cannot be read says nothing.
                    let _ = answer.body_mut().as_reader().take(ANSWER).read_to_string(&mut read);
                    seconds(read.split_once("\"retry_after\":")?.1.trim_start())
                });
                Err(DeliverError::retry_after(text(""), asked.unwrap_or(BUSY)))
            }
            _ => Err(DeliverError::retry(text(""))),
        }
    }
}

/// The number that a text begins with, as seconds.
fn seconds(text: &str) -> Option<Duration> {
    let end = text.find(|it: char| !it.is_ascii_digit() && it != '.').unwrap_or(text.len());
    Duration::try_from_secs_f64(text[..end].parse().ok()?).ok()
}

/// An error of the client, without anything of an address.
fn shown(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(_) => "it took too long".to_owned(),
        ureq::Error::Io(error) => error.to_string(),
        ureq::Error::HostNotFound => "its name is not known".to_owned(),
        ureq::Error::ConnectionFailed => "it cannot be connected to".to_owned(),
        ureq::Error::Tls(problem) => (*problem).to_owned(),
        ureq::Error::Rustls(error) => error.to_string(),
        _ => "the request failed".to_owned(),
    }
}

impl Deliver for Webhook {
    fn deliver(&mut self, batch: &Batch<'_>, timeouts: Timeouts) -> Result<(), DeliverError> {
        let groups = text::groups(batch);
        let bodies = match &self.service {
            Service::Json => message::json(&groups),
            Service::Discord => message::discord(&groups),
            Service::Telegram(chat) => message::telegram(&groups, chat),
        };
        let this = (batch.iter().next().map(|line| line.id()), batch.len());
        if (self.sent.0, self.sent.1) != this {
            self.sent = (this.0, this.1, 0);
        }
        for body in bodies.iter().skip(self.sent.2) {
            self.post(body, timeouts)?;
            self.sent.2 += 1;
        }
        self.sent = (None, 0, 0);
        Ok(())
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").field("origin", &self.origin).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
