//! Tests of the webhook against a server on this machine, which answers as the services' documents say.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc;
use std::time::Instant;

use super::super::super::tests::held;
use super::super::deliver::Kind;
use super::*;

const TIMEOUTS: Duration = Duration::from_secs(60);

/// Answers one request after the other with these texts: `reset` closes the connection without a word, `hang` says nothing until the test is over. Tells the
/// paths and bodies.
fn server(answers: &[&str]) -> (SocketAddr, mpsc::Receiver<(String, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let answers: Vec<String> = answers.iter().map(|answer| (*answer).to_owned()).collect();
    let (sender, requests) = mpsc::channel();
    std::thread::spawn(move || {
        let mut hanging = Vec::new();
        for answer in answers {
            let mut reader = BufReader::new(listener.accept().unwrap().0);
            let (mut path, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                let line = line.trim_end().to_ascii_lowercase();
                if let Some(rest) = line.strip_prefix("post ") {
                    path = rest.to_owned();
                }
                if let Some(rest) = line.strip_prefix("content-length: ") {
                    length = rest.parse().unwrap();
                }
                if line.is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            sender.send((path, String::from_utf8(body).unwrap())).unwrap();
            match answer.as_str() {
                "hang" => hanging.push(reader),
                "reset" => {}
                answer => {
                    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
                    let length = body.len();
                    write!(
                        reader.get_mut(),
                        "HTTP/1.1 {head}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
                    )
                    .unwrap();
                }
            }
        }
        // Until the test has gone.
        let _ = listener.accept();
    });
    (address, requests)
}

fn hook(address: SocketAddr) -> Webhook {
    Webhook::json(format!("http://{address}/hook/canary")).unwrap()
}

fn deliver(webhook: &mut Webhook, lines: &[&str], request: Duration) -> Result<(), DeliverError> {
    webhook.deliver(&held(lines).batch(&["app".to_owned()]), Timeouts::new(TIMEOUTS, request))
}

// F61, F64
#[test]
fn each_answer_means_what_the_services_say_and_no_text_has_the_secret() {
    let retry = |seconds| Kind::Retry(Some(Duration::from_secs_f64(seconds)));
    let (other, other_requests) = server(&["204 No Content"]);
    let elsewhere = format!("302 Found\r\nLocation: http://{other}/stolen");
    for (answer, kind) in [
        ("429 Too Many Requests\r\nRetry-After: 7", retry(7.0)),
        ("429 Too Many Requests\r\n\r\n{\"ok\":false,\"parameters\":{\"retry_after\": 3}}", retry(3.0)),
        ("429 Too Many Requests\r\n\r\n{\"retry_after\":0.65,\"global\":false}", retry(0.65)),
        ("503 Service Unavailable", retry(1.0)),
        ("500 Internal Server Error", Kind::Retry(None)),
        ("400 Bad Request", Kind::Refused),
        ("401 Unauthorized", Kind::Off),
        ("404 Not Found", Kind::Off),
        ("reset", Kind::Retry(None)),
        (&*elsewhere, Kind::Retry(None)),
    ] {
        let (address, requests) = server(&[answer]);
        let error = deliver(&mut hook(address), &["a\n"], TIMEOUTS).unwrap_err();
        assert_eq!(error.kind, kind, "{answer}: {error}");
        let text = format!("{error} {error:?} {:?}", hook(address));
        assert!(!text.contains("canary") && text.contains(&format!("http://{address}")), "{text}");
        assert!(requests.recv().unwrap().0.starts_with("/hook/canary "));
    }
    assert!(other_requests.try_recv().is_err(), "a redirect was followed");
}

#[test]
fn a_server_that_hangs_is_left_at_the_deadline() {
    let (address, _requests) = server(&["hang"]);
    let start = Instant::now();
    let error = deliver(&mut hook(address), &["a\n"], Duration::from_millis(50)).unwrap_err();
    assert_eq!(error.kind, Kind::Retry(None), "{error}");
    assert!(start.elapsed() < TIMEOUTS);
}

#[test]
fn nobody_there_is_an_error_that_may_pass() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = deliver(&mut hook(address), &["a\n"], TIMEOUTS).unwrap_err();
    assert_eq!(error.kind, Kind::Retry(None), "{error}");
    assert!(!error.to_string().contains("canary"), "{error}");
}

#[test]
fn messages_that_arrived_are_not_sent_again_with_the_rest() {
    let (address, requests) = server(&["200 OK", "503 Service Unavailable", "200 OK", "200 OK"]);
    let mut telegram = Webhook::telegram_at(&format!("http://{address}"), "123:canary", -100).unwrap();
    let lines = ["a", "b", "c"].map(|it| it.repeat(3990));
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    assert!(matches!(deliver(&mut telegram, &lines, TIMEOUTS).unwrap_err().kind, Kind::Retry(Some(_))));
    deliver(&mut telegram, &lines, TIMEOUTS).unwrap();
    let texts: Vec<char> = (0..4)
        .map(|_| {
            let (path, body) = requests.recv().unwrap();
            assert!(path.starts_with("/bot123:canary/sendmessage "), "{path}");
            let body: serde_json::Value = serde_json::from_str(&body).unwrap();
            body["text"].as_str().unwrap().trim_start_matches("🔵 ").chars().next().unwrap()
        })
        .collect();
    assert_eq!(texts, ['a', 'b', 'b', 'c']);
}

#[test]
fn addresses_that_would_tell_a_secret_are_refused_without_telling_it() {
    for address in [
        "canary",
        "ftp://example.org/canary",
        "http://example.org/canary",
        "https://example.org/a canary",
        "https://",
    ] {
        let error = Webhook::discord(address).unwrap_err().to_string();
        assert!(!error.contains("canary"), "{error}");
    }
    assert!(Webhook::telegram("1/canary", 1).is_err());
    for address in
        ["https://discord.com/api/webhooks/1/x", "http://localhost:80/x", "http://[::1]:80/", "http://[::1]/"]
    {
        Webhook::discord(address).unwrap();
    }
}
