//! A record that waits for a repository: all it consists of, owned.

use crate::bridge::receiver::{Facade, ForeignRecord, Origin, Place as Text};
use crate::bridge::routes::Routes;
use crate::callsite;
use crate::encode::{Encode, Plain, Rendered, Scratch};
use crate::level::Level;
use crate::lifecycle::panic_hook::Panic;
use crate::queue::{LONGEST, current_thread};
use crate::record::UnixNanos;
use crate::ring::fork;
use crate::sync::Ordering;

/// What a record takes beside its texts.
const BASE: usize = 256;

/// See the module's description.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) ticks: u64,
    pub(super) unix: UnixNanos,
    pub(super) level: Level,
    pub(super) thread_id: u32,
    pub(super) thread: String,
    /// Number of forks before it.
    pub(super) generation: u32,
    pub(super) shown: bool,
    pub(super) what: What,
}

/// What was recorded.
#[derive(Clone, Debug)]
pub(super) enum What {
    Foreign(Foreign),
    Panic(Panic),
}

/// A record of a facade: a [`ForeignRecord`], owned.
#[derive(Clone, Debug)]
pub(super) struct Foreign {
    facade: Facade,
    level: Level,
    target: String,
    pub(super) module: Kind,
    pub(super) file: Kind,
    pub(super) line: u32,
    pub(super) names: Vec<u8>,
    message: Vec<u8>,
    fields: Vec<u8>,
    detail: Vec<u8>,
}

/// A text of a place, owned where it has to be.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    Unknown,
    Static(&'static str),
    Owned(String),
}

impl Kind {
    fn of(text: Text<'_>) -> Kind {
        match text {
            Text::Unknown => Kind::Unknown,
            Text::Static(text) => Kind::Static(text),
            Text::Text(text) => Kind::Owned(text.to_owned()),
        }
    }

    fn text(&self) -> Text<'_> {
        match self {
            Kind::Unknown => Text::Unknown,
            Kind::Static(text) => Text::Static(text),
            Kind::Owned(text) => Text::Text(text),
        }
    }

    /// Empty where it is not known.
    pub(super) fn as_str(&self) -> &str {
        self.text().text()
    }
}

impl Kept {
    /// A record of this thread.
    pub(super) fn new(ticks: u64, unix: UnixNanos, level: Level, what: What, shown: bool) -> Kept {
        let (thread_id, thread) = current_thread();
        Kept { ticks, unix, level, thread_id, thread, generation: fork::generation(), shown, what }
    }

    /// How much memory it takes, about.
    pub(super) fn bytes(&self) -> usize {
        let texts = match &self.what {
            What::Foreign(Foreign { target, names, message, fields, detail, .. }) => {
                target.len() + names.len() + message.len() + fields.len() + detail.len()
            }
            What::Panic(Panic { text, backtrace, .. }) => text.len() + backtrace.len(),
        };
        BASE + self.thread.len() + texts
    }
}

impl What {
    /// A facade's record.
    pub(super) fn of_facade(record: &ForeignRecord<'_>) -> What {
        let Origin { facade, level, target, module, file, line } = record.origin;
        What::Foreign(Foreign {
            facade,
            level,
            target: target.to_owned(),
            module: Kind::of(module),
            file: Kind::of(file),
            line,
            names: record.names.to_owned(),
            message: record.message.to_owned(),
            fields: record.fields.to_owned(),
            detail: record.detail.to_owned(),
        })
    }

    /// Its arguments in the wire format, texts cut to `cap` bytes.
    pub(super) fn arguments(&self, cap: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self {
            What::Foreign(foreign) => foreign.record().arguments().put_long(&Scratch::new(), cap, &mut bytes),
            What::Panic(panic) => {
                let detail = panic.detail();
                let arguments = (Plain::of(&*panic.text), (Rendered(&detail), ()));
                arguments.put_long(&Scratch::new(), cap, &mut bytes);
            }
        }
        bytes
    }

    /// Domain, call site and arguments in a repository with these routes. None where that does not want it, or has taken it already.
    pub(super) fn settle(&self, routes: &Routes, level: Level) -> Option<(u8, u32, Vec<u8>)> {
        let (domain, callsite) = match self {
            What::Foreign(foreign) => routes.settle(&foreign.record())?,
            What::Panic(panic) => match callsite::of_place(panic.place()) {
                Some(id) => (routes.default_domain(), id),
                None => {
                    routes.queue().drop_unregistered(routes.default_domain(), level);
                    return None;
                }
            },
        };
        let mut arguments = self.arguments(usize::MAX);
        let mut cap = LONGEST;
        while arguments.len() > LONGEST && cap > 0 {
            cap /= 2;
            arguments = self.arguments(cap);
        }
        if cap != LONGEST {
            routes.queue().counters.truncated.fetch_add(1, Ordering::Relaxed);
        }
        Some((domain, callsite, arguments))
    }
}

impl Foreign {
    fn record(&self) -> ForeignRecord<'_> {
        let Foreign { facade, level, line, .. } = *self;
        let (module, file) = (self.module.text(), self.file.text());
        ForeignRecord {
            origin: Origin { facade, level, target: &self.target, module, file, line },
            names: &self.names,
            message: &self.message,
            fields: &self.fields,
            detail: &self.detail,
        }
    }
}
