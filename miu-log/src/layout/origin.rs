//! What is the same in all records of one origin (call site, level, domain, ring), kept as bytes.
//!
//! Called by the layouts for machines, which write most of a line by copying it from here.

use crate::record::Record;

/// How many origins are kept: a power of two.
const KEPT: usize = 256;

/// The latest origins and what a layout has written for each.
#[derive(Debug)]
pub(super) struct Origins {
    kept: Vec<Kept>,
    /// For records whose call site has no number.
    passing: Kept,
}

/// What a layout keeps of an origin.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept {
    /// Call site (0: nothing is kept here), level, domain's name by address, and ring.
    site: u32,
    level: u8,
    domain: usize,
    ring: u64,
    /// The stretch before the message, and the one behind it.
    pub(super) before: Vec<u8>,
    pub(super) behind: Vec<u8>,
    /// Names of the fields that the record has beside those of its call site.
    extra: Vec<String>,
    /// What stands before the value of each field.
    keys: Vec<u8>,
    /// Where each of these ends.
    ends: Vec<usize>,
}

impl Kept {
    /// Whether the record has the same further fields, in the same order, as what is kept.
    #[inline]
    fn has_extra_of(&self, record: &Record<'_>) -> bool {
        if record.extra.is_empty() {
            return self.extra.is_empty();
        }
        record.extra.iter(&record.site.names).map(|(name, _)| name).eq(self.extra.iter().map(String::as_str))
    }

    /// Appends what stands before the value of the next field.
    pub(super) fn add_key(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.keys);
        self.ends.push(self.keys.len());
    }

    /// What stands before the values of the fields, in their order.
    #[inline]
    pub(super) fn keys(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().map(move |end| {
            let key = self.keys.get(start..*end).unwrap_or_default();
            start = *end;
            key
        })
    }
}

impl Origins {
    pub(super) fn new() -> Origins {
        Origins { kept: vec![Kept::default(); KEPT], passing: Kept::default() }
    }

    /// What is kept for the record's origin. It is written by `describe` if no record of it came before.
    #[inline]
    pub(super) fn of(&mut self, record: &Record<'_>, describe: impl FnOnce(&mut Kept)) -> &Kept {
        let (site, level, domain) = (record.site.id, record.level as u8, record.domain.as_ptr() as usize);
        let kept = if site == 0 {
            &mut self.passing
        } else {
            let mixed = (u64::from(site) << 3 ^ u64::from(level) ^ record.ring << 5) as usize ^ domain;
            &mut self.kept[mixed % KEPT]
        };
        let same = kept.site == site && kept.level == level && kept.domain == domain;
        if !(same && kept.ring == record.ring && site != 0 && kept.has_extra_of(record)) {
            kept.before.clear();
            kept.behind.clear();
            kept.keys.clear();
            kept.ends.clear();
            kept.extra.clear();
            kept.extra.extend(record.extra.iter(&record.site.names).map(|(name, _)| name.to_owned()));
            describe(kept);
            (kept.site, kept.level, kept.domain, kept.ring) = (site, level, domain, record.ring);
        }
        kept
    }
}

/// The names of all fields of a record: those of its call site, then the others.
pub(super) fn field_names<'a>(record: &'a Record<'_>) -> impl Iterator<Item = &'a str> {
    let own = &record.site.names;
    own.iter().map(String::as_str).chain(record.extra.iter(own).map(|(name, _)| name))
}
