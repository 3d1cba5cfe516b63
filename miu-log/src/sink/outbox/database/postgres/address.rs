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
    /// One for each host, in the order in which they are tried.
    pub(super) servers: Vec<Config>,
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
        let says =
            |name: &str| others.iter().any(|it| it.split_once('=').is_some_and(|(key, _)| key == name));
        if !says("keepalives_idle") {
            config.keepalives_idle(SILENCE);
        }
        if config.get_keepalives_interval().is_none() {
            config.keepalives_interval(SILENCE / 3);
        }
        if config.get_keepalives_retries().is_none() {
            config.keepalives_retries(3);
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(SILENCE);
        }
        let origin = origin(&config);
        Ok(Address { servers: servers(config)?, origin, tls })
    }
}

/// The same for each host by itself, so that each can have its share of the time: the client gives all of it to the first that says nothing.
fn servers(config: Config) -> Result<Vec<Config>, String> {
    let (hosts, addresses, ports) = (config.get_hosts(), config.get_hostaddrs(), config.get_ports());
    let fits = |count: usize, least: usize| count <= least || count == hosts.len();
    if !fits(addresses.len(), 0) || !fits(ports.len(), 1) {
        return Err(format!(
            "the database's address names another number of hosts than of ports or of hostaddr; {WORDS}"
        ));
    }
    if hosts.len() == 1 {
        return Ok(vec![config]);
    }
    let mut servers = Vec::with_capacity(hosts.len());
    for (at, host) in hosts.iter().enumerate() {
        let mut server = alike(&config);
        match host {
            Host::Tcp(name) => server.host(name),
            Host::Unix(path) => server.host_path(path),
        };
        if let Some(address) = addresses.get(at) {
            server.hostaddr(*address);
        }
        if let Some(port) = ports.get(at).or_else(|| ports.first()) {
            server.port(*port);
        }
        servers.push(server);
    }
    Ok(servers)
}

/// All that this says, but for where the servers are: the client's own has no way to take a host away.
fn alike(config: &Config) -> Config {
    let mut other = Config::new();
    other
        .ssl_mode(config.get_ssl_mode())
        .ssl_negotiation(config.get_ssl_negotiation())
        .keepalives(config.get_keepalives())
        .keepalives_idle(config.get_keepalives_idle())
        .target_session_attrs(config.get_target_session_attrs())
        .channel_binding(config.get_channel_binding())
        .load_balance_hosts(config.get_load_balance_hosts());
    if let Some(user) = config.get_user() {
        other.user(user);
    }
    if let Some(password) = config.get_password() {
        other.password(password);
    }
    if let Some(name) = config.get_dbname() {
        other.dbname(name);
    }
    if let Some(options) = config.get_options() {
        other.options(options);
    }
    if let Some(name) = config.get_application_name() {
        other.application_name(name);
    }
    if let Some(timeout) = config.get_connect_timeout() {
        other.connect_timeout(*timeout);
    }
    if let Some(timeout) = config.get_tcp_user_timeout() {
        other.tcp_user_timeout(*timeout);
    }
    if let Some(interval) = config.get_keepalives_interval() {
        other.keepalives_interval(interval);
    }
    if let Some(retries) = config.get_keepalives_retries() {
        other.keepalives_retries(retries);
    }
    other
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

/// Scheme and hosts.
fn origin(config: &Config) -> String {
    let ports = config.get_ports();
    let hosts: Vec<String> = config
        .get_hosts()
        .iter()
        .enumerate()
        .map(|(at, host)| {
            let port = ports.get(at).or_else(|| ports.first()).copied().unwrap_or(PORT);
            match host {
                Host::Tcp(host) if host.contains(':') && !host.starts_with('[') => {
                    format!("[{host}]:{port}")
                }
                Host::Tcp(host) => format!("{host}:{port}"),
                Host::Unix(path) => format!("{}:{port}", path.display()),
            }
        })
        .collect();
    format!("postgres://{}", hosts.join(","))
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
            (
                "postgres://ann@localhost,db.example.org/logs",
                true,
                "postgres://localhost:5432,db.example.org:5432",
            ),
            ("postgres://ann@127.0.0.1:1,[::1]:2/logs", false, "postgres://127.0.0.1:1,[::1]:2"),
            ("postgres://ann@localhost/logs?hostaddr=10.0.0.1", true, "postgres://localhost:5432"),
        ] {
            let address = of(url).unwrap_or_else(|problem| panic!("{url}: {problem}"));
            assert_eq!((address.tls.is_some(), &*address.origin), (tls, origin), "{url}");
            let mode = if tls { SslMode::Require } else { SslMode::Disable };
            assert!(address.servers.iter().all(|server| server.get_ssl_mode() == mode), "{url}");
        }
    }

    #[test]
    fn each_server_of_several_has_all_that_the_address_says() {
        let options = "connect_timeout=3&tcp_user_timeout=4&keepalives=0&keepalives_idle=5&keepalives_interval=6&keepalives_retries=7\
                       &target_session_attrs=read-write&channel_binding=require&load_balance_hosts=random&application_name=a&options=-c%20b\
                       &sslnegotiation=direct";
        for options in [options, ""] {
            let at = |hosts: &str| {
                of(&format!("postgres://ann:p%2C@{hosts}/logs?sslmode=require&{options}")).unwrap().servers
            };
            let several = at("[::1]:1,10.0.0.1,db.example.org:3");
            assert_eq!(several.len(), 3);
            for (server, host) in several.iter().zip(["[::1]:1", "10.0.0.1", "db.example.org:3"]) {
                let alone = &at(host)[0];
                assert_eq!(format!("{server:?}"), format!("{alone:?}"));
                assert_eq!(server.get_password(), alone.get_password());
                assert_eq!(server.get_ssl_negotiation(), alone.get_ssl_negotiation());
            }
        }
        let paired = of("postgres://ann@a,b:2/logs?hostaddr=10.0.0.1,10.0.0.2").unwrap().servers;
        assert_eq!(paired[1].get_hostaddrs()[0].to_string(), "10.0.0.2");
        assert_eq!(paired[1].get_ports(), [2]);
    }

    #[test]
    fn what_an_address_says_of_keepalives_is_kept_to() {
        let keepalives = |options: &str| {
            let server = of(&format!("postgres://ann@host/logs?{options}")).unwrap().servers.remove(0);
            let seconds = |time: Duration| time.as_secs();
            let interval = server.get_keepalives_interval().map(seconds);
            let idle = seconds(server.get_keepalives_idle());
            (server.get_keepalives(), idle, interval, server.get_keepalives_retries())
        };
        assert_eq!(keepalives(""), (true, 30, Some(10), Some(3)));
        assert_eq!(keepalives("keepalives=0"), (false, 30, Some(10), Some(3)));
        assert_eq!(keepalives("keepalives_idle=7200"), (true, 7200, Some(10), Some(3)));
        assert_eq!(keepalives("keepalives_interval=5&keepalives_retries=9"), (true, 30, Some(5), Some(9)));
    }

    #[test]
    fn what_is_not_accepted_is_said_without_any_part_of_it() {
        for (url, problem) in [
            ("postgres://ann:canary@localhost:canary/logs", "the database's address is not accepted"),
            ("postgres://ann:can?ary@localhost/logs?canary=1", "the database's address is not accepted"),
            ("postgres://ann:canary@/logs", "names no host"),
            ("postgres://ann:canary@a,b,c/logs?hostaddr=10.0.0.1", "another number of hosts"),
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
