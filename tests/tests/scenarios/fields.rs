//! Fields before the message: `name = value`, `%` for Display, `?` for Debug, the short forms.
// D-05, F54 and F56 (field values), L-27

use std::net::IpAddr;
use std::time::Duration;

use miu_log::testing::ManualListener;
use miu_log::{Bytes, Level};
use miu_log_tests::{Place, logs};

#[test]
fn fields_stand_behind_the_message_in_their_order() {
    let place = Place::new();
    let listener = ManualListener::new();
    let repo = logs::Repository::open(place.config().manual_listener(&listener)).unwrap();
    let (rows, user, error) = (12, "joe", std::io::Error::other("gone"));
    miu_log::info!(repo.db, rows, user = %user, e = ?Some(1), cause = %error, "took {:.1} ms for {user}", 81.25);
    miu_log::info!(repo.db, %user, ?rows, "short forms");
    miu_log::info!(repo.db, rows = 1);
    let expected =
        ["took 81.2 ms for joe | rows=12 user=joe e=Some(1) cause=gone", "short forms | user=joe rows=12"];
    listener.step();
    let messages = place.messages("db.log");
    assert_eq!(messages[..2], expected);
    assert!(messages[2].ends_with("rows=1"), "{messages:?}");
}

#[test]
fn values_of_every_kind_are_taken_as_they_are() {
    let place = Place::new();
    let listener = ManualListener::new();
    let repo = logs::Repository::open(place.config().manual_listener(&listener)).unwrap();
    let address: IpAddr = "::1".parse().unwrap();
    let none: Option<u32> = None;
    miu_log::info!(repo.db, a = -1i128, b = 1.5f32, c = true, d = 'x', e = "plain", "numbers");
    miu_log::info!(
        repo.db,
        f = String::from("own"),
        g = Duration::from_millis(1500),
        h = address,
        i = none,
        j = Some(2u8),
        "others"
    );
    listener.step();
    let messages = place.messages("db.log");
    assert_eq!(messages[0], "numbers | a=-1 b=1.5 c=true d=x e=plain");
    assert!(messages[1].starts_with("others | f=own g=1.5s h=::1 i="), "{messages:?}");
    assert!(messages[1].ends_with(" j=2"), "{messages:?}");
}

#[test]
fn raw_bytes_are_written_in_hexadecimal() {
    // M-35
    let place = Place::new();
    let listener = ManualListener::new();
    let repo = logs::Repository::open(place.config().manual_listener(&listener)).unwrap();
    let buf = vec![0x0a, 0x1b, 0xff];
    miu_log::error!(repo.app, frame = Bytes(&buf), "bad frame");
    miu_log::error!(
        repo.app,
        "bad frame {} {:X} {:#x} {:>8} {:.2} {:?}.",
        Bytes(&buf),
        Bytes(&buf),
        Bytes(&buf),
        Bytes(&buf),
        Bytes(&buf),
        Bytes(&buf)
    );
    let (slice, none, empty, frame) = (&buf[..2], None::<&[u8]>, Bytes(&[]), Bytes(&buf));
    miu_log::error!(
        repo.app,
        slice,
        buf,
        array = *b"\r\n",
        none,
        empty,
        some = Some(&buf),
        "all forms of bytes"
    );
    miu_log::error!(repo.app, %frame, debug = ?frame, list = ?buf, "formatted {frame:-^10} [{empty}] {empty:?}");
    listener.step();
    let expected = [
        "bad frame | frame=0a1bff".to_owned(),
        format!(
            "bad frame {} {:X} {:#x} {:>8} {:.2} {:?}.",
            Bytes(&buf),
            Bytes(&buf),
            Bytes(&buf),
            Bytes(&buf),
            Bytes(&buf),
            Bytes(&buf)
        ),
        r#"all forms of bytes | slice=0a1b buf=0a1bff array=0d0a none=None empty="" some=0a1bff"#.to_owned(),
        "formatted --0a1bff-- [] Bytes() | frame=0a1bff debug=Bytes(0a1bff) list=[10, 27, 255]".to_owned(),
    ];
    assert_eq!(place.messages("app.log"), expected);
    assert!(expected[1].contains("0a1bff 0A1BFF 0x0a1bff   0a1bff 0a Bytes(0a1bff)."), "{:?}", expected[1]);
}

#[test]
fn a_value_cannot_look_like_another_field() {
    let place = Place::new();
    let listener = ManualListener::new();
    let repo = logs::Repository::open(place.config().manual_listener(&listener)).unwrap();
    let value = "a level=ERROR";
    for (value, shown) in
        [(value, r#""a level=ERROR""#), ("say \"hi\"", r#""say \"hi\"""#), ("", r#""""#), ("x=y", r#""x=y""#)]
    {
        miu_log::info!(repo.db, value, "m");
        miu_log::info!(repo.db, %value, "m");
        listener.step();
        let messages = place.messages("db.log");
        let expected = format!("m | value={shown}");
        assert_eq!(messages[messages.len() - 2..], [expected.as_str(), expected.as_str()]);
    }
}

#[test]
fn each_macro_logs_at_its_level_and_log_at_any() {
    let place = Place::new();
    let listener = ManualListener::new();
    let repo = logs::Repository::open(place.config().level(Level::Trace).manual_listener(&listener)).unwrap();
    miu_log::trace!(repo.app, n = 1, "{}", "m");
    miu_log::debug!(repo.app, n = 1, "{}", "m");
    miu_log::info!(repo.app, n = 1, "{}", "m");
    miu_log::success!(repo.app, n = 1, "{}", "m");
    miu_log::warning!(repo.app, n = 1, "{}", "m");
    miu_log::error!(repo.app, n = 1, "{}", "m");
    miu_log::critical!(repo.app, n = 1, "{}", "m");
    for level in Level::ALL {
        miu_log::log!(repo.app, level, n = 1, "{}", "m");
    }
    listener.step();
    let entries = place.entries("app.log");
    let levels: Vec<&str> = entries.iter().map(|entry| entry.level.as_str()).collect();
    assert_eq!(levels, [Level::ALL.map(Level::as_str), Level::ALL.map(Level::as_str)].concat());
    assert!(entries.iter().all(|entry| entry.message == "m | n=1"));
}
