//! What the tests of the engines share.

use super::Database;
use crate::layout::Row;

/// An ordinary record's row.
pub(super) fn row() -> Row<'static> {
    Row {
        process_id: 100,
        thread_id: 103,
        line: Some(42),
        thread: "worker-3",
        host: "host",
        message: "it's \"so\"\n",
        exception: Some("went wrong\n  because"),
        function: Some("function"),
        module: Some("crate::module"),
        path: Some("src/module.rs"),
        fields: Some("{\"rows\":7}"),
    }
}

#[test]
fn settings_and_addresses_that_cannot_be_are_refused_in_words_that_show_no_secret() {
    let wrong = |database: Database| database.engine().err().unwrap();
    let at = |address: &str| Database::url(format!("{address}canary"));
    for (database, problem) in [
        (at("mysql://ann:canary@host/"), "sqlite:<path> and postgres://"),
        (at(""), "sqlite:<path> and postgres://"),
        (at("sqlite:x").retention_days(0), "retention_days is 0; at least 1"),
        (at("sqlite:x").pool_size(0), "pool_size is 0; 1 to 16"),
        (at("sqlite:x").pool_size(17), "pool_size is 17; 1 to 16"),
        (at("sqlite:x").table_prefix("a b"), "the table prefix \"a b\""),
        #[cfg(feature = "sqlite")]
        (at("sqlite://host/"), "sqlite:<path> or sqlite:///<absolute path>"),
        #[cfg(not(feature = "sqlite"))]
        (at("sqlite:x"), "without the feature `sqlite`"),
        #[cfg(not(feature = "postgres"))]
        (at("postgres://host/"), "without the feature `postgres`"),
    ] {
        let text = wrong(database);
        assert!(text.contains(problem) && !text.contains("canary"), "{text}");
    }
}
