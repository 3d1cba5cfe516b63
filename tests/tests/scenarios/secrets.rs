//! A secret that a program is given stays where it is: no error, no `Debug`, no file and no panic has it, whatever goes wrong.
// F61, F64, F69

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;

use miu_log_tests::{Outcome, Place, run};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::child;

/// Nothing else looks like it, nor does a part of an address that is encoded.
const CANARY: &str = "Canary7f3aB2c9";

/// A server that does this with each connection.
fn server(answer: impl Fn(TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || listener.incoming().flatten().for_each(answer));
    address
}

/// A server that answers each request so; what it is asked it tells nobody.
fn http(answer: String) -> SocketAddr {
    server(move |stream| {
        let mut reader = BufReader::new(stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) < 3 {
                break;
            }
            if let Some(rest) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
                length = rest.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        let _ = reader.read_exact(&mut body);
        let _ = reader.get_mut().write_all(answer.as_bytes());
    })
}

/// A server whose certificate nobody vouches for.
fn untrusted() -> SocketAddr {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let certificate = CertificateDer::from_pem_file(folder.join("self-signed.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(folder.join("self-signed.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let config = Arc::new(config);
    server(move |mut stream| {
        let mut connection = rustls::ServerConnection::new(config.clone()).unwrap();
        let _ = rustls::Stream::new(&mut connection, &mut stream).read(&mut [0; 1024]);
    })
}

/// A port with nobody behind it.
fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Every file in which the secret is, below this folder, whether they are text or not.
fn leaks(folder: &Path, found: &mut Vec<String>, files: &mut usize) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.to_string_lossy().contains(CANARY) {
            found.push(format!("the name {path:?}"));
        }
        if path.is_dir() {
            leaks(&path, found, files);
        } else if let Ok(bytes) = std::fs::read(&path) {
            *files += 1;
            if bytes.windows(CANARY.len()).any(|part| part == CANARY.as_bytes()) {
                found.push(format!("{path:?}"));
            }
        }
    }
}

#[track_caller]
fn assert_not_told(place: &Place, outcome: &Outcome) {
    for text in [&outcome.stdout, &outcome.stderr] {
        let lines: Vec<&str> = text.lines().filter(|line| line.contains(CANARY)).collect();
        assert!(lines.is_empty(), "{lines:#?}");
    }
    let (mut found, mut files) = (Vec::new(), 0);
    leaks(place.root(), &mut found, &mut files);
    assert!(found.is_empty(), "{found:#?}");
    assert!(files > 20, "{files} files");
}

#[test]
fn no_secret_is_told_whatever_is_wrong_with_it_or_beside_it() {
    let place = Place::new();
    let elsewhere = http(format!(
        "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/{CANARY}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    ));
    let telling = |status: &str| {
        let length = CANARY.len();
        http(format!(
            "HTTP/1.1 {status} {CANARY}\r\nX-Token: {CANARY}\r\nRetry-After: {CANARY}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{CANARY}"
        ))
    };
    let servers = [elsewhere, telling("404"), telling("400"), untrusted(), nobody()];
    // Beside what is searched: here it has to be.
    let given = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = given.path().join(name);
        std::fs::write(&path, text.replace("CANARY", CANARY)).unwrap();
        path
    };
    let nobody = servers[4];
    let mut command = child(&place, "secrets");
    command.arg(file("secret", "CANARY")).args(servers.map(|server| server.to_string()));
    command.args([
        file("good.yml", &format!("logging: {{database: {{enabled: true}}, discord: {{webhook_url: 'http://127.0.0.1:{}/CANARY'}}}}\ndatabase: {{host: 127.0.0.1, port: {}, username: ann, password: 'CANARY@/:?', database: orders}}\n", nobody.port(), nobody.port())),
        file("beside.yml", "logging:\n  lvel: info\n  telegram: {bot_token: '1:CANARY', chat: 7}\n  webhook: {url: 'http://ann:CANARY@example.org/CANARY', level: loud}\n  discord: 'https://discord.com/api/webhooks/1/CANARY'\n  database: {enabled: true, url: 'postgres://ann:CANARY@db/x', pool_size: 99}\ndatabase:\n  host: 'postgres://ann:CANARY@db/x'\n  password: [CANARY]\n  port: 0\n"),
        file("broken.yml", "logging: {}\ndatabase:\n  password: @CANARY\n"),
        file("aliased.yml", "logging: {}\ndatabase:\n  password: *CANARY\n"),
        file("address.yml", "logging: {database: {enabled: true}}\ndatabase: 'postgres://ann:CANARY@db/x'\n"),
        file("unquoted.toml", "[logging.database]\nenabled = true\n[database]\nhost = 'db'\npassword = CANARY\n"),
        file("torn.toml", "[logging.telegram]\nbot_token = '1:CANARY\n"),
        file("mistaken.toml", "[logging]\nwebhook = 'https://example.org/CANARY'\n[logging.telegram]\nbot_token = ['CANARY']\nchat_id = 1\n"),
    ]);
    let outcome = run(&mut command);
    // It has done all that it was to do, and each destination has said why it does not work.
    outcome.printed();
    for reason in [
        format!("http://{} answers 302", servers[0]),
        format!("http://{} answers 404", servers[1]),
        format!("https://{} is not reached: invalid peer certificate", servers[3]),
        format!("http://{nobody} is not reached"),
        "https://nowhere.invalid is not reached".to_owned(),
        format!("postgres://{nobody} is not reached"),
    ] {
        assert!(outcome.stderr.contains(&reason), "{reason}\n{}", outcome.stderr);
    }
    assert!(outcome.stdout.contains("more than one @"), "{}", outcome.stdout);
    // What was in shared memory while it ran.
    let looked: Vec<&str> = outcome.stdout.lines().filter(|line| line.starts_with("searched: ")).collect();
    assert!(looked.len() > 3 && looked.iter().all(|line| line.ends_with(" clean")), "{looked:#?}");
    let dead = std::fs::read_to_string(place.log(".outbox/refusing/dead-letters")).unwrap();
    assert!(dead.contains(&format!("http://{} answers 400", servers[2])), "{dead}");
    assert!(place.text("app.log").contains("panicked: looked at: "), "{}", place.text("app.log"));
    assert_not_told(&place, &outcome);
}
