//! Destinations that are far away in a document: the database, and in a file of their own the messengers.
//!
//! W1. Nothing of what stands where a secret belongs is shown, whatever is wrong with it: its place is.
//! W2. A destination that cannot be is a mistake with a place, as any other: whoever is lenient does without it.
//!
//! Called by `keys` and by the module above.

mod hooks;

use std::time::Duration;

pub(super) use self::hooks::{HookDraft, discord, telegram, webhook};
use super::kind::{Closed, FLAG, Kind, LevelName, Table, Word, key, text, text_or_number};
use super::node::shown;
use super::values::{duration, made, some_text};
use crate::config::AnySink;
#[cfg(any(feature = "postgres", feature = "sqlite", feature = "webhook"))]
use crate::config::Remote;
use crate::level::Level;
use crate::secret::Secret;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
use crate::sink::outbox::database::Database;

/// PostgreSQL's own.
const PORT: u32 = 5432;
/// Longest prefix of a table: the names of its indexes have to fit as well.
const LONGEST_PREFIX: usize = 44;
/// Most records that are put into one batch on purpose.
const LARGEST_BATCH: u32 = 8192;

/// A text that is not shown, also if it is wrong.
fn secret(expected: &'static str) -> impl Kind<Value = Secret> {
    made(text(expected, |text| Ok(text.to_owned())), Secret::new)
}

fn number(least: u32, most: u32) -> impl Kind<Value = u32> {
    text_or_number("a whole number", move |text| match text.parse() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(format!("{}: a whole number from {least} to {most} is expected", shown(text))),
    })
}

fn table_prefix() -> impl Kind<Value = String> {
    text("a name", |text| {
        let begins = text.starts_with(|first: char| first.is_ascii_lowercase() || first == '_');
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if begins && text.len() <= LONGEST_PREFIX && text.bytes().all(plain) {
            return Ok(text.to_owned());
        }
        Err(format!(
            "{}: 1 to {LONGEST_PREFIX} of a-z, 0-9 and _ are expected, beginning with a letter or _",
            shown(text)
        ))
    })
}

/// A host's name, or the folder of a socket. What else is there is likely to be an address with all that belongs to it.
fn host() -> impl Kind<Value = String> {
    text("a host's name", |text| {
        match text {
        "" => Err("the text is empty; a host's name is expected".to_owned()),
        text if text.contains("://") || text.contains(['@', '?', '#', ' ']) => Err(
            "here is more than a host's name; a name such as \"localhost\" is expected, and an address in the key url".to_owned(),
        ),
        text => Ok(text.to_owned()),
    }
    })
}

/// What the section of the logs says of the database.
#[derive(Debug, Default)]
#[cfg_attr(
    not(any(feature = "postgres", feature = "sqlite")),
    allow(dead_code, reason = "without a database nobody asks")
)]
pub(super) struct DatabaseDraft {
    /// What it says itself of whether records go there.
    enabled: Option<bool>,
    /// There is a section with anything in it. The reader of the document sees to that.
    pub(super) is_there: bool,
    url: Option<Secret>,
    table_prefix: Option<String>,
    level: Option<Level>,
    retention_days: Option<u32>,
    batch_size: Option<u32>,
    flush_interval: Option<Duration>,
    pool_size: Option<u32>,
    connect_timeout: Option<Duration>,
    request_timeout: Option<Duration>,
}

/// The section `logging.database`: whether records go there, and how.
pub(super) fn database() -> impl Kind<Value = DatabaseDraft> {
    type Draft = DatabaseDraft;
    let shortest = Duration::from_nanos(1);
    Closed(Table {
        keys: vec![
            key("enabled", "true", "Whether records go to the database.", FLAG, |it: &mut Draft, wanted| {
                it.enabled = Some(wanted);
            }),
            key(
                "url",
                "what the section `database` says",
                "The database's address: sqlite:logs/logs.db, or postgres://user:password@host:5432/name.",
                secret("a database's address"),
                |it: &mut Draft, url| it.url = Some(url),
            ),
            key(
                "table_prefix",
                "what the section `database` says, else miu",
                "What the table's name begins with.",
                table_prefix(),
                |it: &mut Draft, prefix| it.table_prefix = Some(prefix),
            ),
            key(
                "level",
                "every level",
                "The lowest level that goes there.",
                LevelName,
                |it: &mut Draft, level| it.level = Some(level),
            )
            .or("min_level"),
            key(
                "retention_days",
                "for ever",
                "How many days records are kept there.",
                number(1, 36_500),
                |it: &mut Draft, days| it.retention_days = Some(days),
            ),
            key(
                "batch_size",
                "50",
                "How many records make a batch.",
                number(1, LARGEST_BATCH),
                |it: &mut Draft, records| it.batch_size = Some(records),
            ),
            key(
                "flush_interval",
                "5 s",
                "How long a record waits for others at most.",
                duration(Duration::ZERO),
                |it: &mut Draft, age| it.flush_interval = Some(age),
            ),
            key(
                "pool_size",
                "2",
                "How many connections there are at most. One is enough; the second, which is the last that is of use, lets old rows be deleted while others are written.",
                number(1, 16),
                |it: &mut Draft, connections| it.pool_size = Some(connections),
            ),
            key(
                "connect_timeout",
                "10 s",
                "How long reaching the server may take.",
                duration(shortest),
                |it: &mut Draft, timeout| it.connect_timeout = Some(timeout),
            ),
            key(
                "request_timeout",
                "15 s",
                "How long writing a batch may take.",
                duration(shortest),
                |it: &mut Draft, timeout| it.request_timeout = Some(timeout),
            ),
        ],
        begin: Draft::default,
        check: |_| Ok(()),
    })
}

impl DatabaseDraft {
    /// Whether records go there: by default where the section says anything.
    pub(super) fn is_wanted(&self) -> bool {
        self.enabled.unwrap_or(self.is_there)
    }

    /// It says itself that nothing goes there.
    pub(super) fn is_disabled(&self) -> bool {
        self.enabled == Some(false)
    }

    /// Whether it says by itself where the database is.
    pub(super) fn has_address(&self) -> bool {
        self.url.is_some()
    }

    /// The sink, at the address that is given here or there.
    ///
    /// # Errors
    ///
    /// When there is no address, or it is not accepted.
    #[cfg(any(feature = "postgres", feature = "sqlite"))]
    pub(super) fn into_sink(mut self, address: AddressDraft) -> Result<AnySink, String> {
        let database = self.place(address)?;
        checked(self.arrange(Remote::database(database)))
    }

    /// Where the table is, and how it is kept.
    #[cfg(any(feature = "postgres", feature = "sqlite"))]
    fn place(&mut self, mut address: AddressDraft) -> Result<Database, String> {
        let prefix = self.table_prefix.take().or_else(|| address.table_prefix.take());
        let mut database = Database::url(match self.url.take() {
            Some(url) => url,
            None => address.url()?,
        });
        if let Some(prefix) = prefix {
            database = database.table_prefix(prefix);
        }
        if let Some(days) = self.retention_days {
            database = database.retention_days(days);
        }
        if let Some(connections) = self.pool_size {
            database = database.pool_size(connections as usize);
        }
        Ok(database)
    }

    /// How records come there.
    #[cfg(any(feature = "postgres", feature = "sqlite"))]
    fn arrange(&self, mut remote: Remote) -> Remote {
        if let Some(level) = self.level {
            remote = remote.min_level(level);
        }
        if let Some(records) = self.batch_size {
            remote = remote.batch_records(records as usize);
        }
        if let Some(age) = self.flush_interval {
            remote = remote.batch_age(age);
        }
        if let Some(timeout) = self.connect_timeout {
            remote = remote.connect_timeout(timeout);
        }
        if let Some(timeout) = self.request_timeout {
            remote = remote.request_timeout(timeout);
        }
        remote
    }

    /// See above.
    #[cfg(not(any(feature = "postgres", feature = "sqlite")))]
    pub(super) fn into_sink(self, _address: AddressDraft) -> Result<AnySink, String> {
        Err("this program's miu-log is built without a database; switch on its cargo feature \"postgres\" or \"sqlite\"".to_owned())
    }
}

/// The sink for the database at this address, with all else as by default.
///
/// # Errors
///
/// When the address is not accepted.
pub(in crate::config) fn database_at(url: Secret) -> Result<AnySink, String> {
    DatabaseDraft { url: Some(url), ..DatabaseDraft::default() }.into_sink(AddressDraft::default())
}

#[cfg(any(feature = "postgres", feature = "sqlite", feature = "webhook"))]
fn checked(remote: Remote) -> Result<AnySink, String> {
    let sink = AnySink::from(remote);
    sink.check().map_err(|error| error.to_string())?;
    Ok(sink)
}

/// Where the application's database is.
#[derive(Debug, Default)]
#[cfg_attr(
    not(any(feature = "postgres", feature = "sqlite")),
    allow(dead_code, reason = "without a database nobody asks")
)]
pub(super) struct AddressDraft {
    url: Option<Secret>,
    host: Option<String>,
    port: Option<u32>,
    username: Option<String>,
    password: Option<Secret>,
    database: Option<String>,
    sslmode: Option<&'static str>,
    sslrootcert: Option<String>,
    table_prefix: Option<String>,
}

/// The section `database`, which the application has for itself as well: keys that are not listed here are its own matter.
pub(super) fn address() -> Table<AddressDraft> {
    type Draft = AddressDraft;
    Table {
        keys: vec![
            key("host", "", "The server's name.", host(), |it: &mut Draft, host| it.host = Some(host)),
            key("port", "5432", "The server's port.", number(1, 65_535), |it: &mut Draft, port| {
                it.port = Some(port);
            }),
            key("username", "", "Who logs in.", some_text("a name"), |it: &mut Draft, name| {
                it.username = Some(name);
            }),
            key("password", "", "The password.", secret("a text"), |it: &mut Draft, password| {
                it.password = Some(password);
            }),
            key("database", "", "The database's name.", some_text("a name"), |it: &mut Draft, name| {
                it.database = Some(name);
            }),
            key(
                "table_prefix",
                "miu",
                "What the table's name begins with.",
                table_prefix(),
                |it: &mut Draft, prefix| it.table_prefix = Some(prefix),
            ),
            key(
                "url",
                "",
                "All of it in one address instead: postgres://user:password@host:5432/name, or sqlite:logs/logs.db.",
                secret("a database's address"),
                |it: &mut Draft, url| it.url = Some(url),
            ),
            key(
                "sslmode",
                "verify-full, on this machine disable",
                "Whether the connection is encrypted: require and verify-full both check the server's certificate and name.",
                SSL_MODES,
                |it: &mut Draft, mode| it.sslmode = Some(mode),
            ),
            key(
                "sslrootcert",
                "those of browsers",
                "The path of a file with the certificates that vouch for the server's.",
                some_text("a file's path"),
                |it: &mut Draft, path| it.sslrootcert = Some(path),
            ),
        ],
        begin: Draft::default,
        check: |_| Ok(()),
    }
}

const SSL_MODES: Word<&str> =
    Word(&[("disable", "disable"), ("require", "require"), ("verify-full", "verify-full")]);

#[cfg_attr(
    not(any(feature = "postgres", feature = "sqlite")),
    allow(dead_code, reason = "without a database nobody asks")
)]
impl AddressDraft {
    /// All of it in one address.
    fn url(self) -> Result<Secret, String> {
        if let Some(url) = self.url {
            let stray = [
                ("host", self.host.is_some()),
                ("port", self.port.is_some()),
                ("username", self.username.is_some()),
                ("password", self.password.is_some()),
                ("database", self.database.is_some()),
                ("sslmode", self.sslmode.is_some()),
                ("sslrootcert", self.sslrootcert.is_some()),
            ];
            return match stray.iter().find(|(_, given)| *given) {
                Some((name, _)) => Err(format!("here are both url and {name}; one of them is expected")),
                None => Ok(url),
            };
        }
        let needed = |name: &str, value: Option<String>| {
            value
                .ok_or_else(|| format!("{name} is missing; host, username and database are expected, or url"))
        };
        let host = needed("host", self.host)?;
        let username = needed("username", self.username)?;
        let database = needed("database", self.database)?;
        let mut url = format!("postgres://{}", encoded(&username));
        if let Some(password) = &self.password {
            url.push(':');
            url.push_str(&encoded(password.expose()));
        }
        // An address of version 6 stands in brackets, and its colons are not a port's.
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&host);
        let host =
            if bare.contains(':') && !bare.contains('/') { format!("[{bare}]") } else { encoded(&host) };
        url.push_str(&format!("@{host}:{}/{}", self.port.unwrap_or(PORT), encoded(&database)));
        let mode = self.sslmode.map(|mode| format!("sslmode={mode}"));
        let roots = self.sslrootcert.map(|path| format!("sslrootcert={}", encoded(&path)));
        let options: Vec<String> = mode.into_iter().chain(roots).collect();
        if !options.is_empty() {
            url.push_str(&format!("?{}", options.join("&")));
        }
        Ok(Secret::new(url))
    }
}

/// A part of an address, with everything that could mean something there as its number.
fn encoded(part: &str) -> String {
    let mut out = String::with_capacity(part.len());
    for byte in part.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(byte.into()),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a section says, as YAML.
    #[cfg(all(feature = "yaml", any(feature = "postgres", feature = "sqlite")))]
    fn draft<K: Kind>(kind: &K, text: &str) -> K::Value {
        let mut problems = super::super::problems::Problems::of("x.yml");
        let node = super::super::yaml::read(text, &mut problems).unwrap();
        let value = kind.read(&node, "", &mut problems);
        assert!(problems.is_empty(), "{problems:?}");
        value.unwrap()
    }

    // P-32, P-37, P-38, P-44, P-46 to P-48, P-74
    #[cfg(all(feature = "yaml", any(feature = "postgres", feature = "sqlite")))]
    #[test]
    fn what_a_document_says_of_a_database_is_what_its_sink_does() {
        let said = "{enabled: true, level: warning, retention_days: 365, batch_size: 200, flush_interval: 2 s, pool_size: 4, connect_timeout: 3 s, request_timeout: 7 s}";
        let server = "{host: db, username: ann, password: canary, database: o, table_prefix: orders}";
        let mut logs = draft(&database(), said);
        assert!(logs.is_wanted() && !logs.has_address());
        let place = format!("{:?}", logs.place(draft(&address(), server)).unwrap());
        for part in ["\"orders\"", "retention_days: Some(365)", "pool_size: 4", "[secret]"] {
            assert!(place.contains(part), "{part}: {place}");
        }
        assert!(!place.contains("canary") && !format!("{:?}", draft(&address(), server)).contains("canary"));
        let remote = || Remote::database(Database::url("none:"));
        let arranged = logs.arrange(remote());
        assert_eq!(arranged.choice.levels, Some(crate::filter::LevelSet::from(Level::Warning)));
        let arranged = format!("{arranged:?}");
        for part in ["records: 200", "age: 2s", "connect: 3s", "request: 7s"] {
            assert!(arranged.contains(part), "{part}: {arranged}");
        }
        let defaults = format!("{:?}", draft(&database(), "{}").arrange(remote()));
        for part in ["records: 50", "age: 5s", "connect: 10s", "request: 15s", "\"database\""] {
            assert!(defaults.contains(part), "{part}: {defaults}");
        }
        // What the logs say has the last word.
        let mut own = draft(&database(), "{url: \"sqlite:x.db\", table_prefix: logs}");
        assert!(own.has_address());
        let place = format!("{:?}", own.place(draft(&address(), server)).unwrap());
        assert!(place.contains("\"logs\"") && !place.contains("orders"), "{place}");
    }

    #[test]
    fn an_address_has_every_part_as_it_is_written() {
        let all = || AddressDraft {
            host: Some("db.example.org".to_owned()),
            username: Some("an n@:/".to_owned()),
            password: Some("p@ss:/?#%ö".into()),
            database: Some("orders/1".to_owned()),
            ..AddressDraft::default()
        };
        let url = |draft: AddressDraft| draft.url().unwrap().expose().to_owned();
        assert_eq!(
            url(all()),
            "postgres://an%20n%40%3A%2F:p%40ss%3A%2F%3F%23%25%C3%B6@db.example.org:5432/orders%2F1"
        );
        let simple = |host: &str| AddressDraft {
            host: Some(host.to_owned()),
            port: Some(6000),
            username: Some("ann".to_owned()),
            password: None,
            sslmode: Some("require"),
            database: Some("o".to_owned()),
            ..AddressDraft::default()
        };
        assert_eq!(url(simple("::1")), "postgres://ann@[::1]:6000/o?sslmode=require");
        assert_eq!(url(simple("[::1]")), "postgres://ann@[::1]:6000/o?sslmode=require");
        assert_eq!(url(simple("/run/pg")), "postgres://ann@%2Frun%2Fpg:6000/o?sslmode=require");
        let roots = AddressDraft { sslrootcert: Some("/etc/a b".to_owned()), ..simple("h") };
        assert_eq!(url(roots), "postgres://ann@h:6000/o?sslmode=require&sslrootcert=%2Fetc%2Fa%20b");
        let both = AddressDraft { url: Some("sqlite:x.db".into()), ..all() };
        assert_eq!(both.url().unwrap_err(), "here are both url and host; one of them is expected");
        let none = AddressDraft { username: None, ..all() };
        assert_eq!(
            none.url().unwrap_err(),
            "username is missing; host, username and database are expected, or url"
        );
    }
}
