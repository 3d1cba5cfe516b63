//! Names of keys in layouts for machines: no field takes the place of a key of the layout's own, or of another field.

use std::collections::{HashMap, HashSet};

/// The names that are taken.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys {
    taken: HashSet<String>,
    /// The number that was given last to a name that came again.
    numbers: HashMap<String, u32>,
}

impl Keys {
    /// These names are taken from the start.
    pub(super) fn reserved<'a>(names: impl IntoIterator<Item = &'a str>) -> Keys {
        Keys { taken: names.into_iter().map(str::to_owned).collect(), numbers: HashMap::new() }
    }

    /// Takes the name; one that is taken becomes `name_2`, `name_3` and so on.
    pub(super) fn take(&mut self, name: &str) -> String {
        if self.taken.insert(name.to_owned()) {
            return name.to_owned();
        }
        // A name that comes a thousand times is not to be looked for a million times.
        let number = self.numbers.entry(name.to_owned()).or_insert(1);
        loop {
            *number = number.saturating_add(1);
            let distinct = format!("{name}_{number}");
            if self.taken.insert(distinct.clone()) {
                return distinct;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_names_stay_and_others_give_way() {
        let mut keys = Keys::reserved(["level", "level_2"]);
        let found = ["level", "rows", "rows", "rows_2", "level", ""].map(|name| keys.take(name));
        assert_eq!(found, ["level_3", "rows", "rows_2", "rows_2_2", "level_4", ""]);
    }

    #[test]
    fn a_name_may_come_ten_thousand_times() {
        let mut keys = Keys::default();
        let last = (0..10_000).map(|_| keys.take("same")).last();
        assert_eq!(last.as_deref(), Some("same_10000"));
    }
}
