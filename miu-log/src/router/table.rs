//! Which slots a record goes to, by its domain and level: made from the slots' filters, and made again when one of them changes.
//!
//! Called by the router.

use super::{LEVELS, Router, Station};
use crate::filter::LevelSet;
use crate::level::Level;

/// The slots of one domain and level, by layout.
#[derive(Debug, Default)]
pub(super) struct Route {
    pub(super) groups: Vec<Group>,
    /// Whether there is a slot among them that has a record filter.
    pub(super) is_selective: bool,
}

#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) layout: usize,
    pub(super) slots: Vec<usize>,
}

/// What to do with a record, by domain and level.
pub(super) fn table_of(domains: usize, layouts: usize, slots: &[Station]) -> Vec<Route> {
    let mut table = Vec::with_capacity(domains * LEVELS);
    for domain in 0..domains {
        for level in Level::ALL {
            let mut groups = Vec::new();
            for layout in 0..layouts {
                let wants = |slot: &Station| {
                    let domain = u16::try_from(domain).unwrap_or(u16::MAX);
                    slot.layout == layout && slot.filter.lets_through(domain, level)
                };
                let wanting: Vec<usize> = (0..slots.len()).filter(|&index| wants(&slots[index])).collect();
                if !wanting.is_empty() {
                    groups.push(Group { layout, slots: wanting });
                }
            }
            let mut chosen = groups.iter().flat_map(|group| &group.slots);
            let is_selective = chosen.any(|&slot| slots[slot].record_filter.is_some());
            table.push(Route { groups, is_selective });
        }
    }
    table
}

impl Router {
    /// From now on the slot of this name is for these levels.
    pub(crate) fn set_levels(&mut self, name: &str, levels: LevelSet) {
        for station in self.slots.iter_mut().filter(|station| station.name == name) {
            station.filter.levels = levels;
        }
        self.table = table_of(self.domains.len(), self.layouts.len(), &self.slots);
    }
}
