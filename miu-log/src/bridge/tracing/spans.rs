//! Spans: their fields, kept in the wire format, are the context of the events inside; their begin and end are records of their own where that is asked for.
//!
//! What is kept of a span is changed under its own lock, which the registry has for it; no code of others runs under that.

use std::time::{Duration, Instant};

use tracing_core::Subscriber;
use tracing_core::span::{Attributes, Id, Record};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, Scope, SpanRef};

use super::{Of, Visitor, add_target, origin};
use crate::bridge::fields::updated;
use crate::bridge::receiver;
use crate::bridge::staging::Staging;

/// How deep spans nest whose references are kept without an allocation.
const USUAL_DEPTH: usize = 16;

/// What is kept of a span.
#[derive(Debug, Default)]
pub(super) struct SpanFields {
    /// As `record::Extra` reads them.
    encoded: Vec<u8>,
    count: usize,
    /// Where its end is to be told.
    times: Option<Times>,
}

/// How long a span was entered, and how long it was not.
#[derive(Debug)]
struct Times {
    busy: Duration,
    idle: Duration,
    since: Instant,
    /// How often it is entered at this moment: by several threads, or within itself.
    entered: u32,
}

impl Times {
    fn step(&mut self, entered: u32) {
        let now = Instant::now();
        let passed = now.saturating_duration_since(self.since);
        if self.entered > 0 {
            self.busy += passed;
        } else {
            self.idle += passed;
        }
        self.since = now;
        self.entered = entered;
    }
}

/// A span begins.
pub(super) fn begin<S>(attributes: &Attributes<'_>, id: &Id, context: &Context<'_, S>)
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let Some(span) = context.span(id) else { return };
    let mut fields = SpanFields::default();
    // A span that cannot be written down, nested too deep, gives no context.
    let _ = Staging::with(
        |staging| attributes.record(&mut Visitor { staging, of: Of::Span }),
        |staged| (fields.encoded, fields.count) = staged.kept_fields(),
    );
    if receiver::wants_steps() {
        fields.times =
            Some(Times { busy: Duration::ZERO, idle: Duration::ZERO, since: Instant::now(), entered: 0 });
    }
    let is_told = fields.times.is_some();
    span.extensions_mut().replace(fields);
    if is_told {
        tell(&span, "new", None);
    }
}

/// Fields of a span are given values.
pub(super) fn record<S>(id: &Id, values: &Record<'_>, context: &Context<'_, S>)
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let Some(span) = context.span(id) else { return };
    let _ = Staging::with(
        |staging| values.record(&mut Visitor { staging, of: Of::Span }),
        |staged| {
            let (new, _) = staged.kept_fields();
            if let Some(fields) = span.extensions_mut().get_mut::<SpanFields>() {
                (fields.encoded, fields.count) = updated(&fields.encoded, &new);
            }
        },
    );
}

pub(super) fn enter<S>(id: &Id, context: &Context<'_, S>)
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    step(id, context, |entered| entered.saturating_add(1));
}

pub(super) fn exit<S>(id: &Id, context: &Context<'_, S>)
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    step(id, context, |entered| entered.saturating_sub(1));
}

fn step<S>(id: &Id, context: &Context<'_, S>, change: impl FnOnce(u32) -> u32)
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    if !receiver::wants_steps() {
        return;
    }
    let Some(span) = context.span(id) else { return };
    let mut extensions = span.extensions_mut();
    if let Some(times) = extensions.get_mut::<SpanFields>().and_then(|fields| fields.times.as_mut()) {
        times.step(change(times.entered));
    }
}

/// A span ends.
pub(super) fn close<S>(id: &Id, context: &Context<'_, S>)
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    if !receiver::wants_steps() {
        return;
    }
    let Some(span) = context.span(id) else { return };
    let times = {
        let mut extensions = span.extensions_mut();
        let times = extensions.get_mut::<SpanFields>().and_then(|fields| fields.times.as_mut());
        times.map(|times| {
            times.step(0);
            (times.busy, times.idle)
        })
    };
    if times.is_some() {
        tell(&span, "close", times);
    }
}

/// Makes a record of a span's step.
fn tell<S>(span: &SpanRef<'_, S>, step: &str, times: Option<(Duration, Duration)>)
where
    S: for<'a> LookupSpan<'a>,
{
    let origin = origin(span.metadata());
    receiver::receive(&origin, |staging| {
        staging.message(format_args!("{}: {step}", span.name()));
        if let Some((busy, idle)) = times {
            staging.field("busy", &busy);
            staging.field("idle", &idle);
        }
        add_target(&origin, staging);
        add_context(Some(span.scope()), staging);
    });
}

/// Adds the fields of these spans, outermost first.
#[inline]
pub(super) fn add_context<S>(scope: Option<Scope<'_, S>>, staging: &mut Staging)
where
    S: for<'a> LookupSpan<'a>,
{
    let Some(scope) = scope else { return };
    let mut usual = [const { None }; USUAL_DEPTH];
    let mut rest: Vec<SpanRef<'_, S>> = Vec::new();
    for (depth, span) in scope.enumerate() {
        match usual.get_mut(depth) {
            Some(place) => *place = Some(span),
            None => rest.push(span),
        }
    }
    for span in rest.iter().rev().chain(usual.iter().rev().flatten()) {
        let extensions = span.extensions();
        if let Some(fields) = extensions.get::<SpanFields>().filter(|fields| fields.count > 0) {
            staging.add_context(&fields.encoded, fields.count);
        }
    }
}
