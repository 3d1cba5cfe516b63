//! Tests of the webhook against a server on this machine, which answers as the services' documents say.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, mpsc};
use std::time::Instant;

use super::super::super::tests::held;
use super::super::deliver::Kind;
use super::*;
use crate::clock::ManualTime;
use crate::sync::Ordering;

const TIMEOUTS: Duration = Duration::from_secs(60);

/// Path and body of a request.
pub(super) fn request(reader: &mut BufReader<TcpStream>) -> (String, String) {
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
    (path, String::from_utf8(body).unwrap())
}

/// Answers with a status, which headers and a body may follow.
pub(super) fn reply(stream: &mut TcpStream, answer: &str) -> std::io::Result<()> {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    let length = body.len();
    write!(stream, "HTTP/1.1 {head}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}")
}

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
            sender.send(request(&mut reader)).unwrap();
            match answer.as_str() {
                "hang" => hanging.push(reader),
                "reset" => {}
                answer => reply(reader.get_mut(), answer).unwrap(),
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
        ("503 Service Unavailable\r\nRetry-After: 99999999999999999999999999", retry(3600.0)),
        ("503 Service Unavailable\r\nRetry-After: Thu, 01 Jan 1970 00:00:00 GMT", retry(0.0)),
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
fn a_date_to_wait_for_counts_from_the_answer_s_own_or_from_our_clock() {
    for (head, seconds) in [
        (
            "429 Too Many Requests\r\nDate: Sun, 06 Nov 1994 12:00:00 GMT\r\nRetry-After: Sun, 06 Nov 1994 12:00:37 GMT",
            37,
        ),
        ("503 Service Unavailable\r\nRetry-After: Thu, 01 Jan 1970 00:01:00 GMT", 20),
    ] {
        let (address, _requests) = server(&[head]);
        let time = ManualTime::default();
        time.now.store(40_000_000_000, Ordering::Release);
        let mut hook = hook(address);
        hook.clock = Clock::Manual(Arc::new(time));
        let error = deliver(&mut hook, &["a\n"], TIMEOUTS).unwrap_err();
        assert_eq!(error.kind, Kind::Retry(Some(Duration::from_secs(seconds))), "{head}: {error}");
    }
}

#[test]
fn what_is_to_be_done_and_what_the_service_says_stand_in_the_error() {
    const NOT_FOUND: &str = "404 Not Found\r\n\r\n{\"message\": \"Unknown\\u001b Webhook\", \"code\": 10015}";
    let said = |make: fn(SocketAddr) -> Webhook, answer: &str| {
        let (address, _requests) = server(&[answer]);
        let text = deliver(&mut make(address), &["a\n"], TIMEOUTS).unwrap_err().to_string();
        text.strip_prefix(&format!("http://{address} answers ")).unwrap().to_owned()
    };
    let telegram: fn(SocketAddr) -> Webhook =
        |address| Webhook::telegram_at(&format!("http://{address}"), "123:canary", -100).unwrap();
    for (make, answer, expected) in [
        (hook as fn(SocketAddr) -> Webhook, "401 Unauthorized", "401: check the address and the token in it"),
        (hook, "403 Forbidden", "403: check the address and the token in it, and that it may be written to"),
        (
            hook,
            NOT_FOUND,
            "404, \"Unknown\\u{1b} Webhook\": nothing is there; check the address and the token in it",
        ),
        (hook, "410 Gone", "410: it is gone for good; put another address into the configuration"),
        (
            hook,
            "308 Permanent Redirect\r\nLocation: /canary",
            "308, has moved for good, which is not followed: put its new address into the configuration",
        ),
        (hook, "400 Bad Request\r\n\r\n{\"error\": \"no text\"}", "400, \"no text\""),
        (hook, "400 Bad Request\r\n\r\nno text", "400"),
        (hook, "500 Oh\r\n\r\n{\"error\": {\"message\": \"full\"}}", "500, \"full\""),
        (
            telegram,
            "401 Unauthorized\r\n\r\n{\"ok\":false,\"error_code\":401,\"description\":\"Unauthorized\"}",
            "401, \"Unauthorized\": check the token of the bot",
        ),
        (
            telegram,
            "403 Forbidden\r\n\r\n{\"ok\":false,\"description\":\"Forbidden: bot was kicked\"}",
            "403, \"Forbidden: bot was kicked\": see that the bot is in the chat and may write there",
        ),
        (
            telegram,
            "404 Not Found\r\n\r\n{\"description\":\"no 123:canary\"}",
            "404: check the token of the bot",
        ),
    ] {
        assert_eq!(said(make, answer), expected, "{answer}");
    }
}

#[test]
fn an_answer_of_telegram_that_is_not_ok_means_what_its_code_says() {
    for (body, kind) in [
        ("{\"ok\":true,\"result\":{\"message_id\":1}}", None),
        ("not even JSON", None),
        ("{\"ok\":false,\"error_code\":400,\"description\":\"too long\"}", Some(Kind::Refused)),
        ("{\"ok\":false,\"error_code\":401}", Some(Kind::Off)),
        (
            "{\"ok\":false,\"error_code\":429,\"parameters\":{\"retry_after\":5}}",
            Some(Kind::Retry(Some(Duration::from_secs(5)))),
        ),
        ("{\"ok\":false,\"error_code\":200}", Some(Kind::Retry(None))),
        ("{\"ok\":false}", Some(Kind::Retry(None))),
    ] {
        let answer = format!("200 OK\r\n\r\n{body}");
        let (address, _requests) = server(&[&answer]);
        let mut telegram = Webhook::telegram_at(&format!("http://{address}"), "123:canary", -100).unwrap();
        let answered = deliver(&mut telegram, &["a\n"], TIMEOUTS);
        assert_eq!(answered.as_ref().err().map(|error| error.kind), kind, "{body}: {answered:?}");
        // A server of the user's own may say what it likes.
        let (address, _requests) = server(&[&answer]);
        deliver(&mut hook(address), &["a\n"], TIMEOUTS).unwrap();
    }
}

// F64
#[test]
fn a_chat_that_telegram_writes_nothing_to_turns_it_off_and_a_message_that_it_does_not_take_does_not() {
    const ADVICE: &str = ": check the chat, and see that the bot is in it and may write there";
    let migrated = "group chat was upgraded to a supergroup chat\",\"parameters\":{\"migrate_to_chat_id\":-1007},\"x\":\"";
    for (reason, kind, advice) in [
        ("chat not found", Kind::Off, ADVICE),
        ("group chat was upgraded to a supergroup chat", Kind::Off, ADVICE),
        (migrated, Kind::Off, ": the group has another chat now, -1007; put it into the configuration"),
        ("not enough rights to send text messages to the chat", Kind::Off, ADVICE),
        ("have no rights to send a message", Kind::Off, ADVICE),
        ("need administrator rights in the channel chat", Kind::Off, ADVICE),
        ("CHAT_WRITE_FORBIDDEN", Kind::Off, ADVICE),
        ("message is too long", Kind::Refused, ""),
        ("can't parse entities", Kind::Refused, ""),
    ] {
        let body = format!("{{\"ok\":false,\"error_code\":400,\"description\":\"Bad Request: {reason}\"}}");
        for status in ["400 Bad Request", "200 OK"] {
            let (address, _requests) = server(&[&format!("{status}\r\n\r\n{body}")]);
            let mut telegram =
                Webhook::telegram_at(&format!("http://{address}"), "123:canary", -100).unwrap();
            let error = deliver(&mut telegram, &["a\n"], TIMEOUTS).unwrap_err();
            assert_eq!(error.kind, kind, "{error}");
            assert!(error.to_string().ends_with(&format!("\"{advice}")), "{error}");
        }
        // A server of the user's own may mean what it likes by it.
        let (address, _requests) = server(&[&format!("400 Bad Request\r\n\r\n{body}")]);
        assert_eq!(deliver(&mut hook(address), &["a\n"], TIMEOUTS).unwrap_err().kind, Kind::Refused);
    }
}

#[test]
fn a_service_that_has_no_room_left_gets_no_request_before_its_time() {
    const USED_UP: &str = "204 No Content\r\nX-RateLimit-Remaining: 0\r\nX-RateLimit-Reset-After: 1.25";
    let room = "204 No Content\r\nX-RateLimit-Remaining: 1\r\nX-RateLimit-Reset-After: 60";
    let (address, requests) = server(&[USED_UP, room, USED_UP, room]);
    let time = Arc::new(ManualTime::default());
    let mut discord = Webhook::discord(format!("http://{address}/canary")).unwrap();
    discord.clock = Clock::Manual(time.clone());
    let turn = |millis: u64| time.now.fetch_add(millis * 1_000_000, Ordering::AcqRel);
    let waits = |millis| Err(Kind::Later(Duration::from_millis(millis)));
    let lines = ["a", "b", "c"].map(|it| it.repeat(3990));
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let mut deliver = |lines: &[&str]| deliver(&mut discord, lines, TIMEOUTS).map_err(|error| error.kind);
    // Between the messages of a batch.
    assert_eq!(deliver(&lines), waits(1250));
    turn(1000);
    assert_eq!(deliver(&lines), waits(250));
    assert_eq!(requests.try_iter().count(), 1);
    turn(250);
    // The last message of it has used up the room, and yet the batch has arrived.
    assert_eq!(deliver(&lines), Ok(()));
    assert_eq!(requests.try_iter().count(), 2);
    // And before the next batch.
    assert_eq!(deliver(&["d"]), waits(1250));
    turn(1250);
    assert_eq!(deliver(&["d"]), Ok(()));
    assert_eq!(requests.try_iter().count(), 1);
}

#[test]
fn a_server_that_hangs_is_left_at_the_deadline() {
    let (address, _requests) = server(&["hang"]);
    let start = Instant::now();
    // Enough for reaching a server on this machine, however busy it is.
    let error = deliver(&mut hook(address), &["a\n"], Duration::from_secs(1)).unwrap_err();
    assert_eq!(error.kind, Kind::Retry(None), "{error}");
    assert_eq!(error.to_string(), format!("http://{address} does not answer in time"));
    assert!(start.elapsed() < TIMEOUTS);
}

#[test]
fn a_server_that_was_reached_is_told_from_one_that_was_not() {
    let (address, _requests) = server(&["reset"]);
    let error = deliver(&mut hook(address), &["a\n"], TIMEOUTS).unwrap_err().to_string();
    assert_eq!(error, format!("http://{address} broke the connection"));
    let said = |error: ureq::Error| fault("https://x", &error);
    for timeout in [ureq::Timeout::Resolve, ureq::Timeout::Connect] {
        assert_eq!(said(ureq::Error::Timeout(timeout)), "https://x is not reached in time");
    }
    for timeout in [ureq::Timeout::Global, ureq::Timeout::SendBody, ureq::Timeout::RecvResponse] {
        assert_eq!(said(ureq::Error::Timeout(timeout)), "https://x does not answer in time");
    }
    let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
    assert_eq!(said(ureq::Error::Io(refused)), "https://x is not reached: connection refused");
    let reset = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
    assert_eq!(said(ureq::Error::Io(reset)), "https://x broke the connection");
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
    for address in [
        "https://discord.com/api/webhooks/1/x",
        "HTTPS://discord.com/x",
        "http://localhost:80/x",
        "http://[::1]:80/",
        "http://[::1]/",
    ] {
        Webhook::discord(address).unwrap();
    }
    for (address, expected) in [
        (
            "HTTP://example.org/x",
            "the webhook at http://example.org would be sent secrets in plain text; https:// is expected",
        ),
        (
            "htp://x/canary",
            "the webhook at htp://x has a scheme that is not accepted; https:// is expected, or http:// on this machine",
        ),
    ] {
        assert!(Webhook::json(address).unwrap_err().to_string().ends_with(expected), "{address}");
    }
}

// RFC 3986, 3.1
#[test]
fn a_scheme_in_capitals_is_the_same_one() {
    let (address, requests) = server(&["204 No Content"]);
    let mut hook = Webhook::json(format!("HTTP://{address}/Hook")).unwrap();
    deliver(&mut hook, &["a\n"], TIMEOUTS).unwrap();
    assert!(requests.recv().unwrap().0.starts_with("/hook "));
    assert_eq!(format!("{hook:?}"), format!("Webhook {{ origin: \"http://{address}\", .. }}"));
}

#[test]
fn a_token_and_a_chat_are_telegram_s_or_all_that_is_wrong_with_them_is_told() {
    for chat in ["-1001234567890", "7", "@alerts", "@a_b_1", &format!("@{}", "x".repeat(32))] {
        Webhook::telegram("1:x", chat).unwrap();
    }
    for chat in [
        "",
        "abc def",
        "alerts",
        "@abcd",
        "@a b c d",
        "@älerts",
        "+7",
        "7.5",
        &format!("@{}", "x".repeat(33)),
    ] {
        let error = Webhook::telegram("1:x", chat).unwrap_err().to_string();
        assert!(error.contains("the chat is ") && error.contains("@alerts is expected"), "{chat}: {error}");
    }
    for (token, expected) in [
        ("", "the token is empty"),
        ("1:canary x", "the token has a space"),
        ("1:canary\n", "the token has a space or the end of a line"),
        ("1/canary", "the token is none of Telegram's"),
    ] {
        let error = Webhook::telegram(token, "canary").unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("; and the chat is none"), "{error}");
        assert!(!error.contains("canary"), "{error}");
    }
}
