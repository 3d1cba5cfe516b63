//! What a program writes for a destination of its own: how one batch is delivered, and what its errors mean.
//!
//! Called by the outbox, on its thread.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use crate::sink::{Batch, Line};

/// How records get to a destination: one batch at a time. Everything else (waiting, retrying, spooling, giving up) is done by [`Remote`](crate::Remote).
///
/// It is called on the sink's own thread, which it may hold up no longer than the [`Timeouts`] say; what it, or a crate that it uses, logs
/// on that thread is dropped and counted ([`DropReason::OwnThread`](crate::DropReason::OwnThread)). A panic counts as an error that may pass. From the third one with a
/// batch on its halves are offered, until the record is found that makes it panic, which is put aside; where the next one does so as well, the destination is left alone.
/// At the end it is dropped there, within the time for the end.
///
/// A batch can come a second time where the answer to the first got lost, also after a restart: a receiver that must have each record once compares
/// [`Line::id`](crate::Line::id).
pub trait Deliver: Send {
    /// Delivers the batch: after `Ok` none of its records is offered again.
    ///
    /// # Errors
    ///
    /// [`DeliverError`] says whether to try again, and what arrived all the same.
    fn deliver(&mut self, batch: &Batch<'_>, timeouts: Timeouts) -> Result<(), DeliverError>;

    /// Reaches the destination while there is nothing to deliver: right after the start, so that what is wrong is told before the first record comes, and after a fault, with
    /// pauses of up to a minute, until it says `Ok`: so that the fault counts as over without a record. Default: does nothing, and a fault lasts until a batch arrives.
    ///
    /// # Errors
    ///
    /// As [`deliver`](Deliver::deliver), which is called all the same when there is something, but after [`DeliverError::off`].
    fn connect(&mut self, timeouts: Timeouts) -> Result<(), DeliverError> {
        let _ = timeouts;
        Err(DeliverError::new("whether it is reached is not known", Kind::Unknown))
    }

    /// How a line is shown to people, on the console and among the dead letters, where it gets no further. Default: as it is.
    fn show<'a>(&self, line: &Line<'a>) -> Cow<'a, [u8]> {
        Cow::Borrowed(line.as_bytes())
    }

    /// What its sink is called, said once before anything else: for notices of its own.
    #[doc(hidden)]
    fn set_name(&mut self, name: &str) {
        let _ = name;
    }

    /// Records of which it had to change something so that the destination takes them, such as a text that was too long. The number never falls.
    fn altered(&self) -> u64 {
        0
    }
}

/// How long a delivery may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// For reaching the destination.
    pub connect: Duration,
    /// For all of it.
    pub request: Duration,
}

impl Timeouts {
    pub(crate) fn new(connect: Duration, request: Duration) -> Timeouts {
        Timeouts { connect, request }
    }

    /// The same where no more than `left` is left.
    pub(super) fn within(self, left: Duration) -> Timeouts {
        Timeouts { connect: self.connect.min(left), request: self.request.min(left) }
    }
}

/// Why a batch was not delivered. Its text goes to stderr: it must name no secret.
#[derive(Debug)]
pub struct DeliverError {
    message: String,
    pub(super) kind: Kind,
    pub(super) delivered: usize,
    pub(super) is_too_much: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Retry(Option<Duration>),
    /// No fault: it works, and wants the rest of the batch after this time.
    #[cfg_attr(not(feature = "webhook"), allow(dead_code, reason = "only webhooks are told so beforehand"))]
    Later(Duration),
    Refused,
    Off,
    /// Nobody can tell: of a destination that is reached with records only.
    Unknown,
}

impl DeliverError {
    fn new(message: impl Into<String>, kind: Kind) -> DeliverError {
        DeliverError { message: message.into(), kind, delivered: 0, is_too_much: false }
    }

    /// It may pass: the destination is not reached, overloaded, or does not answer.
    pub fn retry(message: impl Into<String>) -> DeliverError {
        DeliverError::new(message, Kind::Retry(None))
    }

    /// It may pass, but not before this time: the destination has asked for it. At most an hour counts. Where there is a spool a new start keeps to it as well.
    pub fn retry_after(message: impl Into<String>, pause: Duration) -> DeliverError {
        DeliverError::new(message, Kind::Retry(Some(pause)))
    }

    /// The destination works, and has said beforehand for how long it takes nothing: the batch is offered again after that, as it is, which counts neither as
    /// an error nor as a retry.
    #[cfg(feature = "webhook")]
    pub(super) fn later(message: impl Into<String>, pause: Duration) -> DeliverError {
        DeliverError::new(message, Kind::Later(pause))
    }

    /// The destination works, but does not take this batch as it is. Its halves are offered, until the record is found that cannot be delivered.
    pub fn refused(message: impl Into<String>) -> DeliverError {
        DeliverError::new(message, Kind::Refused)
    }

    /// Nothing will get there before somebody changes something, such as a wrong token. The sink is off until the next `open`.
    pub fn off(message: impl Into<String>) -> DeliverError {
        DeliverError::new(message, Kind::Off)
    }

    /// The first so many records of the batch have arrived all the same: they are not offered again.
    #[must_use]
    pub fn delivered(self, records: usize) -> DeliverError {
        DeliverError { delivered: records, ..self }
    }

    /// It was too much at once, such as a batch that the destination did not get done within the time of a request: half as many records are offered next time, down to a
    /// single one, and more again when those arrive. That counts as an error, and not as one of the retries while it leads to fewer records. A single record
    /// is offered again as after any other error that may pass: it is never refused for that.
    ///
    /// For [`retry`](DeliverError::retry) and [`retry_after`](DeliverError::retry_after); with others it changes nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use miu_log::DeliverError;
    ///
    /// let error = DeliverError::retry("no answer within 15 s").smaller();
    /// assert_eq!(error.to_string(), "no answer within 15 s");
    /// ```
    #[must_use]
    pub fn smaller(self) -> DeliverError {
        DeliverError { is_too_much: true, ..self }
    }
}

impl fmt::Display for DeliverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for DeliverError {}
