//! The address of a server, and what it says of TLS.
//!
//! A1. What is wrong with an address is said without any part of it: a password with a character that had to be escaped can end up anywhere.
//!
//! Called by `postgres`.

use std::path::Path;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::tls;
use crate::secret::Secret;

/// How long a connection is silent before the system asks whether the other side is there, and how long data may stay unacknowledged.
const SILENCE: Duration = Duration::from_secs(30);

/// The server's port where none is named.
const PORT: u16 = 5432;

/// What the options of an address are about.
const WORDS: &str = "postgres://user:password@host:port/name is expected, with %-escapes in user and password, and after a ? options such as sslmode=verify-full";

/// Where a server is, and how it is connected to.
pub(super) struct Address {
    pub(super) config: Config,
    /// What may be shown.
    pub(super) origin: String,
    /// None: in plain text.
    pub(super) tls: Option<MakeRustlsConnect>,
}

/// What an address says of TLS.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Disable,
    Verify,
}

impl Address {
    /// What this says.
    ///
    /// # Errors
    ///
    /// In words that show no secret.
    pub(super) fn of(url: &Secret) -> Result<Address, String> {
        let (plain, options) = split(url.expose());
        if plain.matches('@').count() > 1 {
            // The client takes what is behind the first one for a host, and a host is shown.
            return Err(format!("the database's address has more than one @; {WORDS}: a @ in them is %40"));
        }
        let (mut mode, mut roots) = (None, None);
        let mut others = Vec::new();
        for option in options.split('&').filter(|option| !option.is_empty()) {
            match option.split_once('=') {
                Some(("sslmode", "disable")) => mode = Some(Mode::Disable),
                Some(("sslmode", "require" | "verify-full")) => mode = Some(Mode::Verify),
                Some(("sslmode", _)) => {
                    return Err("the sslmode of the database's address is not accepted; disable, require and verify-full are, of which the last two both \
                                check the server's certificate and name; nothing falls back to plain text"
                        .to_owned());
                }
                Some(("sslrootcert", path)) => roots = Some(unescaped(path)?),
                _ => others.push(option),
            }
        }
        let rest = if others.is_empty() { plain.to_owned() } else { format!("{plain}?{}", others.join("&")) };
        let mut config: Config =
            rest.parse().map_err(|_| format!("the database's address is not accepted; {WORDS}"))?;
        if config.get_hosts().is_empty() {
            return Err(format!("the database's address names no host; {WORDS}"));
        }
        let has_socket = config.get_hosts().iter().any(|host| matches!(host, Host::Unix(_)));
        let mode = match mode {
            Some(Mode::Verify) if has_socket => {
                return Err("the database's address wants TLS with a socket on this machine, which has none"
                    .to_owned());
            }
            Some(mode) => mode,
            None if is_near(&config) => Mode::Disable,
            None => Mode::Verify,
        };
        if mode == Mode::Disable && roots.is_some() {
            return Err("the database's address names an sslrootcert, but is one without TLS; sslmode=verify-full is expected with it".to_owned());
        }
        let tls = match mode {
            Mode::Disable => None,
            Mode::Verify => Some(tls::connector(roots.as_deref().map(Path::new))?),
        };
        config.ssl_mode(if tls.is_some() { SslMode::Require } else { SslMode::Disable });
        if config.get_application_name().is_none() {
            config.application_name("miu-log");
        }
        config
            .keepalives(true)
            .keepalives_idle(SILENCE)
            .keepalives_interval(SILENCE / 3)
            .keepalives_retries(3);
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(SILENCE);
        }
        let origin = origin(&config);
        Ok(Address { config, origin, tls })
    }
}

/// An address before its options, and those. As in the client, the credentials end at the first `@`.
fn split(url: &str) -> (&str, &str) {
    let behind = url.find('@').map_or(0, |at| at + 1);
    match url[behind..].find('?') {
        Some(mark) => (&url[..behind + mark], &url[behind + mark + 1..]),
        None => (url, ""),
    }
}

/// Whether all that it leads to is on this machine.
fn is_near(config: &Config) -> bool {
    let host = |host: &Host| match host {
        Host::Tcp(name) => {
            let name = name.trim_start_matches('[').trim_end_matches(']');
            name == "localhost" || name.parse().is_ok_and(|it: std::net::IpAddr| it.is_loopback())
        }
        Host::Unix(_) => true,
    };
    config.get_hosts().iter().all(host) && config.get_hostaddrs().iter().all(std::net::IpAddr::is_loopback)
}

/// Scheme and host of the first server.
fn origin(config: &Config) -> String {
    let port = config.get_ports().first().copied().unwrap_or(PORT);
    match config.get_hosts().first() {
        Some(Host::Tcp(host)) if host.contains(':') && !host.starts_with('[') => {
            format!("postgres://[{host}]:{port}")
        }
        Some(Host::Tcp(host)) => format!("postgres://{host}:{port}"),
        Some(Host::Unix(path)) => format!("postgres://{}:{port}", path.display()),
        None => "postgres://".to_owned(),
    }
}

/// A value of an option, as a path.
fn unescaped(text: &str) -> Result<String, String> {
    let wrong = || "the sslrootcert of the database's address has a % that is no escape".to_owned();
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        if *first != b'%' {
            bytes.push(*first);
            rest = behind;
            continue;
        }
        let digits = behind.get(..2).and_then(|digits| str::from_utf8(digits).ok()).ok_or_else(wrong)?;
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| wrong())?);
        rest = &behind[2..];
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(url: &str) -> Result<Address, String> {
        Address::of(&Secret::new(url))
    }

    #[test]
    fn a_server_that_is_not_on_this_machine_is_reached_by_tls_only() {
        for (url, tls, origin) in [
            ("postgres://ann:canary@db.example.org/logs", true, "postgres://db.example.org:5432"),
            ("postgresql://ann@10.0.0.1:6000/logs", true, "postgres://10.0.0.1:6000"),
            ("postgres://ann@db.example.org/logs?sslmode=disable", false, "postgres://db.example.org:5432"),
            ("postgres://ann@localhost/logs", false, "postgres://localhost:5432"),
            ("postgres://ann@127.0.0.2:1/logs", false, "postgres://127.0.0.2:1"),
            ("postgres://ann@[::1]:1/logs", false, "postgres://[::1]:1"),
            ("postgres://ann@localhost/logs?sslmode=require", true, "postgres://localhost:5432"),
            (
                "postgres://ann@localhost/logs?connect_timeout=3&sslmode=verify-full",
                true,
                "postgres://localhost:5432",
            ),
            ("postgres://ann@%2Frun%2Fpostgresql/logs", false, "postgres:///run/postgresql:5432"),
            ("postgres://ann@localhost,db.example.org/logs", true, "postgres://localhost:5432"),
            ("postgres://ann@localhost/logs?hostaddr=10.0.0.1", true, "postgres://localhost:5432"),
        ] {
            let address = of(url).unwrap_or_else(|problem| panic!("{url}: {problem}"));
            assert_eq!((address.tls.is_some(), &*address.origin), (tls, origin), "{url}");
            let mode = address.config.get_ssl_mode();
            assert_eq!(mode, if tls { SslMode::Require } else { SslMode::Disable }, "{url}");
        }
    }

    #[test]
    fn what_is_not_accepted_is_said_without_any_part_of_it() {
        for (url, problem) in [
            ("postgres://ann:canary@localhost:canary/logs", "the database's address is not accepted"),
            ("postgres://ann:can?ary@localhost/logs?canary=1", "the database's address is not accepted"),
            ("postgres://ann:canary@/logs", "names no host"),
            ("postgres://ann:canary@localhost/logs?sslmode=prefer", "nothing falls back to plain text"),
            ("postgres://ann:pass@canary/x@localhost/logs", "more than one @"),
            ("postgres://ann:canary@localhost/logs?sslmode=allow", "disable, require and verify-full are"),
            ("postgres://ann:canary@%2Frun/logs?sslmode=require", "a socket on this machine"),
            ("postgres://ann:canary@localhost/logs?sslrootcert=canary", "sslmode=verify-full is expected"),
            ("postgres://ann:canary@db.example.org/logs?sslrootcert=%zz", "a % that is no escape"),
            (
                "postgres://ann:canary@db.example.org/logs?sslrootcert=/nowhere/roots.pem",
                "/nowhere/roots.pem",
            ),
        ] {
            let text = of(url).map(|_| ()).unwrap_err();
            assert!(text.contains(problem) && !text.contains("canary") && !text.contains("ary@"), "{text}");
        }
    }

    #[test]
    fn a_path_among_the_options_may_be_escaped() {
        assert_eq!(unescaped("/a%20b/%C3%B6").unwrap(), "/a b/ö");
        assert!(unescaped("%4").is_err() && unescaped("%ff").is_err());
    }
}
