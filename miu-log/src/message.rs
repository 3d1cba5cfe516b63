//! What a logging method accepts as its message: text, `format_args!`, or a closure that makes one of these.

use std::borrow::Cow;
use std::fmt;
use std::panic::Location;

use crate::callsite;
use crate::encode::{Encode, Plain, Rendered, Scratch};
use crate::level::Level;
use crate::logger::Logger;

/// Where a message goes: a logger and a level that is enabled, and where the call stands.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    pub(crate) logger: &'a Logger,
    pub(crate) level: Level,
    pub(crate) location: &'static Location<'static>,
    /// An exception's error chain and backtrace.
    pub(crate) detail: Option<&'a str>,
}

impl Target<'_> {
    fn send(self, scratch: &mut Scratch, message: impl Encode) {
        let Some(id) = callsite::of_location(self.location) else {
            return self.logger.drop_unregistered(self.level);
        };
        match self.detail {
            None => self.logger.submit(id, self.level, scratch, &(message, ())),
            Some(detail) => self.logger.submit(id, self.level, scratch, &(message, (Rendered(detail), ()))),
        }
    }

    fn send_text(self, text: &str) {
        self.send(&mut Scratch::new(), Plain::of(text));
    }
}

/// What a logging method takes: `&str`, `String`, `Cow<str>`, `format_args!(..)`, or a closure that returns one of these.
///
/// A closure is called, and `format_args!` is formatted, only where the level is enabled.
pub trait Message {
    /// Logs the message.
    #[doc(hidden)]
    fn send(self, target: Target<'_>);
}

impl Message for &str {
    #[inline]
    fn send(self, target: Target<'_>) {
        target.send_text(self);
    }
}

impl Message for String {
    fn send(self, target: Target<'_>) {
        target.send_text(&self);
    }
}

impl Message for &String {
    #[inline]
    fn send(self, target: Target<'_>) {
        target.send_text(self);
    }
}

impl Message for Box<str> {
    fn send(self, target: Target<'_>) {
        target.send_text(&self);
    }
}

impl Message for Cow<'_, str> {
    fn send(self, target: Target<'_>) {
        target.send_text(&self);
    }
}

impl Message for fmt::Arguments<'_> {
    fn send(self, target: Target<'_>) {
        match self.as_str() {
            Some(text) => target.send_text(text),
            None => {
                let mut scratch = Scratch::new();
                let text = scratch.eager(self);
                target.send(&mut scratch, text);
            }
        }
    }
}

impl<F: FnOnce() -> M, M: Message> Message for F {
    #[inline]
    fn send(self, target: Target<'_>) {
        self().send(target);
    }
}
