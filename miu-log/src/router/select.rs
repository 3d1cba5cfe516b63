//! Slots that decide on each record by itself.
//!
//! A program's own filter is called here and nowhere else: it may be slow, and it may panic. A record of which it says nothing counts as dropped by its
//! slot, which is told once.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{Route, Station};
use crate::codec::Corrupt;
use crate::notice::notice;
use crate::record::{LogRecord, Record};

/// Bytes that the buffer for a message keeps for the next record at most.
const KEEP: usize = 1 << 20;

/// The slots that a record is for, of those that its domain and level say. Kept for its memory.
#[derive(Debug, Default)]
pub(super) struct Selection {
    pub(super) route: Route,
    message: Vec<u8>,
}

impl Selection {
    /// Finds the slots of a route that this record is for. Says how many drop it, because their filters panic.
    ///
    /// # Errors
    ///
    /// `Corrupt` where a filter needs the whole record, and it does not decode.
    pub(super) fn choose(
        &mut self,
        from: &Route,
        slots: &mut [Station],
        record: &Record<'_>,
    ) -> Result<u64, Corrupt> {
        let Selection { route, message } = self;
        route.groups.resize_with(from.groups.len(), Default::default);
        message.shrink_to(KEEP);
        // Decoded once for all of them, and only where one wants to see it.
        let mut all = from.groups.iter().flat_map(|group| &group.slots);
        let is_needed = all.any(|&slot| slots[slot].is_judge_of(record));
        let view = if is_needed { Some(LogRecord::new(record, message)?) } else { None };
        let mut dropped = 0;
        for (group, left) in from.groups.iter().zip(&mut route.groups) {
            left.layout = group.layout;
            left.slots.clear();
            for &slot in &group.slots {
                match slots[slot].wants(record, view.as_ref()) {
                    Some(true) => left.slots.push(slot),
                    Some(false) => {}
                    None => {
                        slots[slot].drop_one(record.level);
                        dropped += 1;
                    }
                }
            }
        }
        route.groups.retain(|group| !group.slots.is_empty());
        Ok(dropped)
    }
}

impl Station {
    /// Whether it has a filter that has to see the record.
    fn is_judge_of(&self, record: &Record<'_>) -> bool {
        self.record_filter.as_ref().is_some_and(|filter| filter.judge.is_some() && filter.fits(record.site))
    }

    /// Whether the record is for this slot. None where its filter panics.
    fn wants(&mut self, record: &Record<'_>, view: Option<&LogRecord<'_>>) -> Option<bool> {
        let Some(filter) = &self.record_filter else { return Some(true) };
        if !filter.fits(record.site) {
            return Some(false);
        }
        let (Some(judge), Some(view)) = (&filter.judge, view) else { return Some(true) };
        if let Ok(wants) = catch_unwind(AssertUnwindSafe(|| judge(view))) {
            return Some(wants);
        }
        "its filter panicked".clone_into(&mut self.cause);
        if !std::mem::replace(&mut self.filter_told, true) {
            notice(
                &self.name,
                &format!(
                    "{}: its filter panicked; records on which it does so are dropped and counted",
                    self.name
                ),
            );
        }
        None
    }
}
