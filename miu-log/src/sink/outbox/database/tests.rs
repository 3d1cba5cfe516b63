//! What the tests of the engines share.

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
