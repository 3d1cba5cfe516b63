//! The names of the table and its indexes.
//!
//! T1. A name is an identifier that needs no quotes, and no longer than the 63 bytes of which PostgreSQL keeps the first without a word.

/// The longest prefix: the names of the indexes have 19 bytes more.
const LONGEST: usize = 44;

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
        format!("idx_{}_logs_{of}", self.prefix)
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
    fn what_is_no_plain_identifier_is_refused_in_words() {
        let long = "x".repeat(LONGEST + 1);
        for prefix in ["", "x; DROP TABLE t; --", "\"", "public.x", "Orders", "größe", "1x", "a\0", &long] {
            let problem = Table::new(prefix).unwrap_err();
            assert!(problem.contains("a-z, 0-9 and _ are"), "{problem}");
        }
    }
}
