//! What an existing table's columns are: whether records fit them, and in which form a value goes into them.
//!
//! The binary form of a copy is taken by the server for whatever the column's type makes of these bytes: eight bytes of a time are a number just as well. So nothing is written
//! to a column whose type is not known here.
//!
//! Called by `schema`, which asks the server; `copy` and `merge` write by it.

/// How values are written where there is more than one way, and by which indexes a record is there once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// Eight bytes, not four.
    pub(super) is_process_id_wide: bool,
    pub(super) is_thread_id_wide: bool,
    pub(super) is_lineno_wide: bool,
    pub(super) json: Json,
    /// The names of the indexes that make `record_id` unique.
    pub(super) unique: Vec<String>,
    /// The name of the primary key's.
    pub(super) primary: Option<String>,
    /// By what the table is known for the one that was looked at.
    pub(super) mark: String,
}

/// What `extra_data` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Json {
    Binary,
    Plain,
    Text,
}

impl Json {
    /// The type's name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Json::Binary => JSONB,
            Json::Plain => "json",
            Json::Text => TEXT,
        }
    }
}

/// A column that is there.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    pub(super) name: String,
    /// As the server writes it, without a length; of a domain it is the type below it.
    pub(super) kind: String,
    /// The same as it is shown to people.
    pub(super) shown: String,
    /// The most characters.
    pub(super) limit: Option<usize>,
    pub(super) is_not_null: bool,
    /// It has a value where none is given.
    pub(super) has_default: bool,
}

/// What a column has to be.
#[derive(Clone, Copy)]
enum Kind {
    Time,
    /// At most so many characters, in a column that is made here of so many.
    Name(usize, usize),
    Text,
    Integer,
    Json,
    Uuid,
}

const TIME: &str = "timestamp with time zone";
const VARCHAR: &str = "character varying";
const TEXT: &str = "text";
const BIGINT: &str = "bigint";
const JSONB: &str = "jsonb";

/// The columns that are written: name, type, whether a record can be without.
const COLUMNS: [(&str, Kind, bool); 16] = [
    ("timestamp", Kind::Time, false),
    // No level has a longer name than CRITICAL.
    ("level", Kind::Name(8, 10), false),
    ("logger_name", Kind::Name(255, 255), false),
    ("process_id", Kind::Integer, false),
    ("thread_id", Kind::Integer, false),
    ("thread_name", Kind::Name(255, 255), true),
    ("hostname", Kind::Name(255, 255), false),
    ("message", Kind::Text, false),
    ("exception", Kind::Text, true),
    ("function_name", Kind::Name(255, 255), true),
    ("module", Kind::Name(255, 255), true),
    ("filename", Kind::Name(500, 500), true),
    ("lineno", Kind::Integer, true),
    ("pathname", Kind::Text, true),
    ("extra_data", Kind::Json, true),
    (RECORD_ID, Kind::Uuid, false),
];

/// The column that other writers to such a table do not have.
pub(super) const RECORD_ID: &str = "record_id";

impl Kind {
    fn takes(self, found: &Found) -> bool {
        let least = match self {
            Kind::Time => return found.kind == TIME,
            Kind::Integer => return ["integer", BIGINT].contains(&&*found.kind),
            Kind::Json => return [JSONB, "json", TEXT].contains(&&*found.kind),
            Kind::Uuid => return found.kind == "uuid",
            Kind::Name(least, _) => least,
            Kind::Text => usize::MAX,
        };
        found.kind == TEXT || found.kind == VARCHAR && found.limit.is_none_or(|most| most >= least)
    }

    /// What is accepted.
    fn expected(self) -> String {
        match self {
            Kind::Time => TIME.to_owned(),
            Kind::Name(_, made) => format!("{VARCHAR}({made}) or {TEXT}"),
            Kind::Text => TEXT.to_owned(),
            Kind::Integer => format!("integer or {BIGINT}"),
            Kind::Json => format!("{JSONB}, json or {TEXT}"),
            Kind::Uuid => "uuid".to_owned(),
        }
    }
}

impl Shape {
    /// Of a table with these columns, as yet without indexes and a mark. `record_id` may be missing: it is added.
    ///
    /// # Errors
    ///
    /// What of it no record fits, all of it, with what is accepted.
    pub(super) fn of(columns: &[Found]) -> Result<Shape, String> {
        let find = |name: &str| columns.iter().find(|found| found.name == name);
        let mut problems = Vec::new();
        for (name, kind, is_optional) in COLUMNS {
            let expected = kind.expected();
            match find(name) {
                None if name == RECORD_ID => {}
                None => problems
                    .push(format!("it has no column {name:?}, and one of type {expected} is expected")),
                Some(found) if !kind.takes(found) => problems.push(format!(
                    "the column {name:?} is of type {}, and {expected} is expected",
                    found.shown
                )),
                Some(found) if found.is_not_null && is_optional => {
                    problems.push(format!(
                        "the column {name:?} is NOT NULL, and not every record has a value for it"
                    ));
                }
                Some(_) => {}
            }
        }
        for found in columns {
            let is_written = COLUMNS.iter().any(|(name, ..)| *name == found.name);
            if !is_written && found.is_not_null && !found.has_default {
                problems.push(format!(
                    "the column {:?} is NOT NULL and has no default, and no record has a value for it",
                    found.name
                ));
            }
        }
        if !problems.is_empty() {
            return Err(problems.join("; "));
        }
        let is_wide = |name| find(name).is_some_and(|found| found.kind == BIGINT);
        Ok(Shape {
            is_process_id_wide: is_wide("process_id"),
            is_thread_id_wide: is_wide("thread_id"),
            is_lineno_wide: is_wide("lineno"),
            json: match find("extra_data").map(|found| &*found.kind) {
                Some("json") => Json::Plain,
                Some(TEXT) => Json::Text,
                _ => Json::Binary,
            },
            unique: Vec::new(),
            primary: None,
            mark: String::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The columns of a table that is made here, with this one in place of its namesake.
    fn columns(other: Option<(&str, &str, Option<usize>)>) -> Vec<Found> {
        let kind = |kind| match kind {
            Kind::Time => (TIME, None),
            Kind::Name(_, made) => (VARCHAR, Some(made)),
            Kind::Text => (TEXT, None),
            Kind::Integer => ("integer", None),
            Kind::Json => (JSONB, None),
            Kind::Uuid => ("uuid", None),
        };
        let found = |(name, of, is_optional): &(&str, Kind, bool)| {
            let (mut kind, mut limit) = kind(*of);
            if let Some((_, its, most)) = other.filter(|(it, ..)| it == name) {
                (kind, limit) = (its, most);
            }
            let is_not_null = !is_optional;
            let (name, kind) = ((*name).to_owned(), kind.to_owned());
            Found { name, shown: kind.clone(), kind, limit, is_not_null, has_default: false }
        };
        COLUMNS.iter().map(found).collect()
    }

    fn of(other: (&str, &str, Option<usize>)) -> Result<Shape, String> {
        Shape::of(&columns(Some(other)))
    }

    #[test]
    fn kinds_that_take_the_same_values_are_written_in_their_own_form() {
        let ours = Shape::of(&columns(None)).unwrap();
        assert_eq!((ours.is_thread_id_wide, ours.json), (false, Json::Binary));
        let wide = |name| of((name, BIGINT, None)).unwrap();
        assert!(wide("process_id").is_process_id_wide && !wide("process_id").is_thread_id_wide);
        assert!(wide("thread_id").is_thread_id_wide && wide("lineno").is_lineno_wide);
        assert_eq!(of(("extra_data", "json", None)).unwrap().json, Json::Plain);
        assert_eq!(of(("extra_data", TEXT, None)).unwrap().json, Json::Text);
        for fits in [
            ("level", VARCHAR, Some(8)),
            ("level", TEXT, None),
            ("logger_name", VARCHAR, Some(1000)),
            ("message", VARCHAR, None),
        ] {
            assert_eq!(of(fits).unwrap(), ours, "{fits:?}");
        }
    }

    #[test]
    fn a_type_that_would_take_the_bytes_for_something_else_is_named_with_what_is_expected() {
        for (name, kind, limit, expected) in [
            ("timestamp", "double precision", None, TIME),
            ("timestamp", "timestamp without time zone", None, TIME),
            ("timestamp", BIGINT, None, TIME),
            ("thread_id", "double precision", None, "integer or bigint"),
            ("lineno", "real", None, "integer or bigint"),
            ("lineno", "smallint", None, "integer or bigint"),
            ("level", VARCHAR, Some(7), "character varying(10) or text"),
            ("filename", VARCHAR, Some(255), "character varying(500) or text"),
            ("message", VARCHAR, Some(8000), "text"),
            ("extra_data", "bytea", None, "jsonb, json or text"),
            (RECORD_ID, TEXT, None, "uuid"),
        ] {
            let problem = of((name, kind, limit)).unwrap_err();
            let whole = format!("the column {name:?} is of type {kind}, and {expected} is expected");
            assert_eq!(problem, whole);
        }
    }

    #[test]
    fn all_that_no_record_fits_is_told_at_once() {
        let mut columns = columns(Some(("lineno", "real", None)));
        columns.retain(|found| found.name != "module" && found.name != RECORD_ID);
        for found in &mut columns {
            found.is_not_null |= found.name == "exception";
        }
        let more = |name: &str, is_not_null, has_default| Found {
            name: name.to_owned(),
            is_not_null,
            has_default,
            ..Found::default()
        };
        columns.extend([more("id", true, true), more("tenant", true, false), more("note", false, false)]);
        let expected = "the column \"exception\" is NOT NULL, and not every record has a value for it; \
                        it has no column \"module\", and one of type character varying(255) or text is expected; \
                        the column \"lineno\" is of type real, and integer or bigint is expected; \
                        the column \"tenant\" is NOT NULL and has no default, and no record has a value for it";
        assert_eq!(Shape::of(&columns).unwrap_err(), expected);
    }
}
