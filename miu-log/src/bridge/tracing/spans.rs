//! Spans: their fields, kept in the wire format, are the context of the events inside; their begin and end are records of their own where that is asked for.
//!
//! What is kept of a span is changed under its own lock, which the registry has for it; no code of others runs under that.

use std::time::{Duration, Instant};

use tracing_core::Subscriber;
use tracing_core::span::{Attributes, Id, Record};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, Scope, SpanRef};

use super::{Visitor, add_target, origin};
use crate::bridge::receiver;
use crate::bridge::staging::{Staging, pairs};
use crate::reading::put_counted;

/// How deep spans nest whose references are kept without an allocation.
const USUAL_DEPTH: usize = 16;

/// What is kept of a span.
#[derive(Debug, Default)]
pub(super) struct SpanFields {
    names: Vec<u8>,
    values: Vec<u8>,
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

impl SpanFields {
    /// Takes new values in the place of the old ones.
    fn update(&mut self, names: &[u8], values: &[u8]) {
        let old = std::mem::take(self);
        let mut put = |name: &str, value: &[u8]| {
            put_counted(&mut self.names, name.as_bytes());
            self.values.extend_from_slice(value);
        };
        for (name, value) in pairs(&old.names, &old.values) {
            let new = pairs(names, values).find(|(new, _)| *new == name);
            put(name, new.map_or(value, |(_, value)| value));
        }
        for (name, value) in pairs(names, values) {
            if pairs(&old.names, &old.values).all(|(old, _)| old != name) {
                put(name, value);
            }
        }
        self.times = old.times;
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
        |staging| attributes.record(&mut Visitor { staging, is_event: false }),
        |staged| staged.fields_into(&mut fields.names, &mut fields.values),
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
        |staging| values.record(&mut Visitor { staging, is_event: false }),
        |staged| {
            let (mut names, mut values) = (Vec::new(), Vec::new());
            staged.fields_into(&mut names, &mut values);
            if let Some(fields) = span.extensions_mut().get_mut::<SpanFields>() {
                fields.update(&names, &values);
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

/// Adds the fields of these spans, outermost first. Of two of the same name that of the inner span counts, and that of the event before both.
#[inline]
pub(super) fn add_context<S>(scope: Option<Scope<'_, S>>, staging: &mut Staging)
where
    S: for<'a> LookupSpan<'a>,
{
    let Some(scope) = scope else { return };
    let mut usual = [const { None }; USUAL_DEPTH];
    let mut rest: Vec<Option<SpanRef<'_, S>>> = Vec::new();
    let mut depth = 0;
    for span in scope {
        match usual.get_mut(depth) {
            Some(place) => *place = Some(span),
            None => rest.push(Some(span)),
        }
        depth += 1;
    }
    let innermost_first = || usual[..depth.min(USUAL_DEPTH)].iter().chain(&rest).flatten();
    let own = staging.mark();
    for (distance, span) in innermost_first().rev().enumerate() {
        let inner_ones = depth - 1 - distance;
        let extensions = span.extensions();
        let Some(fields) = extensions.get::<SpanFields>().filter(|fields| !fields.names.is_empty()) else {
            continue;
        };
        for (name, value) in pairs(&fields.names, &fields.values) {
            let is_hidden = staging.has(own, name)
                || innermost_first().take(inner_ones).any(|inner| {
                    let extensions = inner.extensions();
                    let fields = extensions.get::<SpanFields>();
                    fields.is_some_and(|fields| {
                        pairs(&fields.names, &fields.values).any(|(inner, _)| inner == name)
                    })
                });
            if !is_hidden {
                staging.copy(name, value);
            }
        }
    }
}
