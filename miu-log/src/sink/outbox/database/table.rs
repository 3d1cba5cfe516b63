//! The names of the table and its indexes.
//!
//! T1. A name is an identifier that needs no quotes, and no longer than the 63 bytes of which PostgreSQL keeps the first without a word.

/// The longest prefix: the names of the indexes have 19 bytes more.
const LONGEST: usize = 44;

/// Bytes of a name that PostgreSQL keeps.
const LONGEST_NAME: usize = 63;

/// What the names of indexes begin with.
pub(super) const BEGIN: &str = "idx_";

/// The names that a prefix makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Table {
    /// `{prefix}_logs`
    pub(super) name: String,
    prefix: String,
}

impl Table {
    /// The table of this prefix.
    ///
    /// # Errors
    ///
    /// A text that says what is wrong with the prefix, and what is accepted.
    pub(super) fn new(prefix: &str) -> Result<Table, String> {
        let begins = |it: u8| it.is_ascii_lowercase() || it == b'_';
        let fits = prefix.bytes().next().is_some_and(begins)
            && prefix.bytes().all(|it| begins(it) || it.is_ascii_digit());
        if !fits || prefix.len() > LONGEST {
            return Err(format!(
                "the table prefix {prefix:?} is not accepted; a-z, 0-9 and _ are, the first of which is no digit, 1 to {LONGEST} of them"
            ));
        }
        Ok(Table { name: format!("{prefix}_logs"), prefix: prefix.to_owned() })
    }

    /// `idx_{prefix}_logs_{of}`
    pub(super) fn index(&self, of: &str) -> String {
        format!("{BEGIN}{}_logs_{of}", self.prefix)
    }

    /// Whether such an index is among those of the table: by the usual name, or by one with a number, which it has where another table has the usual one.
    pub(super) fn has_index(&self, of: &str, own: &[String]) -> bool {
        let is_it = |name: &str| {
            let number = name.rsplit_once('_').and_then(|(_, number)| number.parse().ok());
            name == self.index(of) || number.is_some_and(|number| name == self.numbered_index(of, number))
        };
        own.iter().any(|name| is_it(name))
    }

    /// The first name for such an index that is not taken. A table that was renamed has kept its indexes, with their names.
    pub(super) fn free_index(&self, of: &str, is_taken: impl Fn(&str) -> bool) -> String {
        let numbered = (2..).map(|number| self.numbered_index(of, number));
        let mut names = std::iter::once(self.index(of)).chain(numbered);
        // There are more numbers than relations in a database.
        names.find(|name| !is_taken(name)).unwrap_or_default()
    }

    /// The prefix gives way to the number.
    fn numbered_index(&self, of: &str, number: u32) -> String {
        let end = format!("_logs_{of}_{number}");
        let room = LONGEST_NAME.saturating_sub(BEGIN.len() + end.len()).min(self.prefix.len());
        format!("{BEGIN}{}{end}", &self.prefix[..room])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_from_the_prefix() {
        let table = Table::new("orders_2").unwrap();
        assert_eq!(table.name, "orders_2_logs");
        assert_eq!(table.index("composite"), "idx_orders_2_logs_composite");
        let longest = Table::new(&"x".repeat(LONGEST)).unwrap();
        assert!(["timestamp", "composite", "record_id"].iter().all(|of| longest.index(of).len() == 63));
    }

    #[test]
    fn an_index_has_a_number_where_another_table_has_its_name_and_is_found_by_it() {
        let table = Table::new("orders").unwrap();
        let taken = ["idx_orders_logs_level", "idx_orders_logs_level_2"];
        let free = |of| table.free_index(of, |name| taken.contains(&name));
        assert_eq!(
            (&*free("level"), &*free("logger")),
            ("idx_orders_logs_level_3", "idx_orders_logs_logger")
        );
        let own = |name: &str| table.has_index("level", &["other".to_owned(), name.to_owned()]);
        assert!(own("idx_orders_logs_level") && own("idx_orders_logs_level_3"));
        for other in
            ["idx_orders_logs_level_x", "idx_orders_logs_logger", "idx_orders_logs_level_03", "by_level_3"]
        {
            assert!(!own(other), "{other}");
        }
        let longest = Table::new(&"x".repeat(LONGEST)).unwrap();
        let first = longest.index("composite");
        let second = longest.free_index("composite", |name| name == first);
        assert_eq!((second.len(), second.ends_with("_logs_composite_2")), (63, true));
        assert!(longest.has_index("composite", &[second]));
    }

    #[test]
    fn what_is_no_plain_identifier_is_refused_in_words() {
        let long = "x".repeat(LONGEST + 1);
        for prefix in ["", "x; DROP TABLE t; --", "\"", "public.x", "Orders", "größe", "1x", "a\0", &long] {
            let problem = Table::new(prefix).unwrap_err();
            assert!(problem.contains("a-z, 0-9 and _ are"), "{problem}");
        }
    }
}
