//! Clocks that are put forward and back, by half hours, hours and days; and the same counted minute by minute.

use proptest::prelude::*;

use super::*;

/// Nanoseconds of a point in time in universal time.
fn at(text: &str) -> UnixNanos {
    let time: Timestamp = text.parse().unwrap();
    time.as_second() * NANOS_PER_SECOND + i64::from(time.subsec_nanosecond())
}

/// The same in words.
fn shown(time: UnixNanos) -> String {
    Timestamp::from_nanosecond(time.into()).unwrap().to_string()
}

/// The next three instants after `after` that `next` gives.
fn three(after: &str, next: impl Fn(UnixNanos) -> UnixNanos) -> [String; 3] {
    let mut time = at(after);
    [(); 3].map(|()| {
        time = next(time);
        shown(time)
    })
}

fn daily(zone: &Zone, after: &str, hour: u32, minute: u32) -> [String; 3] {
    three(after, |time| zone.next_time_of_day(time, hour, minute, 0))
}

fn hourly(zone: &Zone, after: &str) -> [String; 3] {
    three(after, |time| zone.next_hour(time))
}

fn wall(zone: &Zone, time: &str) -> String {
    let Civil { year, month, day, hour, minute, second, offset, .. } = zone.civil(at(time));
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} {}", civil::offset_text(offset))
}

#[test]
fn texts_are_zones_and_zones_are_texts() {
    for (text, zone) in [
        ("UTC", Zone::Utc),
        ("local", Zone::Local),
        ("+05:30", Zone::Fixed(19_800)),
        ("-03:00", Zone::Fixed(-10_800)),
        ("+01:02:03", Zone::Fixed(3_723)),
        ("Europe/Berlin", Zone::named("Europe/Berlin")),
    ] {
        assert_eq!(Zone::from(text), zone);
        assert_eq!(zone.to_string(), text);
    }
    assert_ne!(Zone::named("Europe/Berlin"), Zone::named("Europe/Paris"));
    assert_eq!(Zone::default(), Zone::Local);
}

#[test]
fn what_is_no_zone_is_named_with_what_is_accepted() {
    for text in ["Middle/Earth", "+25:00", "", "../../etc/passwd"] {
        let error = text.parse::<Zone>().unwrap_err().to_string();
        assert!(error.contains(&format!("zone is {text:?}: ")), "{error}");
        assert!(error.ends_with(&format!("; accepted are {ACCEPTED}")), "{error}");
        assert_eq!(Zone::from(text).offset_at(0), 0);
    }
    assert!(Zone::Fixed(86_400).check().is_err());
    assert!(Zone::Fixed(-86_399).check().is_ok());
}

#[test]
fn spring_in_berlin_leaves_an_hour_out() {
    let berlin = Zone::bundled("Europe/Berlin");
    assert_eq!(wall(&berlin, "2026-03-29T00:59:59Z"), "2026-03-29 01:59:59 +01:00");
    assert_eq!(wall(&berlin, "2026-03-29T01:00:00Z"), "2026-03-29 03:00:00 +02:00");
    // A day of 23 hours has one midnight.
    let midnights = ["2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z", "2026-03-30T22:00:00Z"];
    assert_eq!(daily(&berlin, "2026-03-28T22:00:00Z", 0, 0), midnights);
    let swallowed = ["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"];
    assert_eq!(daily(&berlin, "2026-03-27T22:00:00Z", 2, 30), swallowed);
    let hours = ["2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z"];
    assert_eq!(hourly(&berlin, "2026-03-28T23:59:59.999999999Z"), hours);
}

#[test]
fn autumn_in_berlin_has_an_hour_twice() {
    let berlin = Zone::bundled("Europe/Berlin");
    assert_eq!(wall(&berlin, "2026-10-25T00:30:00Z"), "2026-10-25 02:30:00 +02:00");
    assert_eq!(wall(&berlin, "2026-10-25T01:30:00Z"), "2026-10-25 02:30:00 +01:00");
    // A day of 25 hours.
    let midnights = ["2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z", "2026-10-26T23:00:00Z"];
    assert_eq!(daily(&berlin, "2026-10-24T21:59:59Z", 0, 0), midnights);
    // Once a day, when it comes first.
    let twice = ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z", "2026-10-27T01:30:00Z"];
    assert_eq!(daily(&berlin, "2026-10-24T20:00:00Z", 2, 30), twice);
    assert_eq!(daily(&berlin, "2026-10-25T01:15:00Z", 2, 30)[0], "2026-10-26T01:30:00Z");
    // The hour begins twice.
    let hours = ["2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z"];
    assert_eq!(hourly(&berlin, "2026-10-24T23:00:00Z"), hours);
}

#[test]
fn a_midnight_that_is_left_out_begins_the_day_an_hour_later() {
    let sao_paulo = Zone::bundled("America/Sao_Paulo");
    assert_eq!(wall(&sao_paulo, "2018-11-04T02:59:59Z"), "2018-11-03 23:59:59 -03:00");
    assert_eq!(wall(&sao_paulo, "2018-11-04T03:00:00Z"), "2018-11-04 01:00:00 -02:00");
    let midnights = ["2018-11-03T03:00:00Z", "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"];
    assert_eq!(daily(&sao_paulo, "2018-11-02T12:00:00Z", 0, 0), midnights);
    // In February 23:00 to 24:00 comes twice; midnight comes once.
    let midnights = ["2018-02-17T02:00:00Z", "2018-02-18T03:00:00Z", "2018-02-19T03:00:00Z"];
    assert_eq!(daily(&sao_paulo, "2018-02-16T12:00:00Z", 0, 0), midnights);
    let evenings = ["2018-02-18T01:30:00Z", "2018-02-19T02:30:00Z", "2018-02-20T02:30:00Z"];
    assert_eq!(daily(&sao_paulo, "2018-02-17T12:00:00Z", 23, 30), evenings);
}

#[test]
fn half_an_hour_is_left_out_or_comes_twice_on_lord_howe() {
    let lord_howe = Zone::bundled("Australia/Lord_Howe");
    // At 02:00 back to 01:30: what is left of the hour is an hour's beginning, too.
    assert_eq!(wall(&lord_howe, "2026-04-04T14:59:59Z"), "2026-04-05 01:59:59 +11:00");
    assert_eq!(wall(&lord_howe, "2026-04-04T15:00:00Z"), "2026-04-05 01:30:00 +10:30");
    let hours = ["2026-04-04T14:00:00Z", "2026-04-04T15:00:00Z", "2026-04-04T15:30:00Z"];
    assert_eq!(hourly(&lord_howe, "2026-04-04T13:00:00Z"), hours);
    assert_eq!(
        daily(&lord_howe, "2026-04-04T10:00:00Z", 1, 45)[..2],
        ["2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z"]
    );
    // At 02:00 on to 02:30.
    assert_eq!(wall(&lord_howe, "2026-10-03T15:30:00Z"), "2026-10-04 02:30:00 +11:00");
    let hours = ["2026-10-03T15:30:00Z", "2026-10-03T16:00:00Z", "2026-10-03T17:00:00Z"];
    assert_eq!(hourly(&lord_howe, "2026-10-03T14:30:00Z"), hours);
    assert_eq!(daily(&lord_howe, "2026-10-03T10:00:00Z", 2, 15)[0], "2026-10-03T15:30:00Z");
}

#[test]
fn a_day_that_a_country_leaves_out_is_left_out() {
    let apia = Zone::bundled("Pacific/Apia");
    assert_eq!(wall(&apia, "2011-12-30T10:00:00Z"), "2011-12-31 00:00:00 +14:00");
    let noons = ["2011-12-29T22:00:00Z", "2011-12-30T10:00:00Z", "2011-12-30T22:00:00Z"];
    assert_eq!(daily(&apia, "2011-12-28T23:00:00Z", 12, 0), noons);
}

#[test]
fn zones_without_summer_time_have_days_of_24_hours() {
    assert_eq!(
        daily(&Zone::Utc, "2026-03-28T00:00:00Z", 0, 0),
        ["2026-03-29T00:00:00Z", "2026-03-30T00:00:00Z", "2026-03-31T00:00:00Z"]
    );
    let india = Zone::from("+05:30");
    assert_eq!(daily(&india, "2026-03-28T00:00:00Z", 0, 0)[0], "2026-03-28T18:30:00Z");
    assert_eq!(
        hourly(&india, "2026-03-28T00:00:00Z"),
        ["2026-03-28T00:30:00Z", "2026-03-28T01:30:00Z", "2026-03-28T02:30:00Z"]
    );
}

#[test]
fn a_stretch_reaches_from_change_to_change() {
    let berlin = Zone::bundled("Europe/Berlin");
    let summer = Span {
        from: at("2026-03-29T01:00:00Z") / NANOS_PER_SECOND,
        until: at("2026-10-25T01:00:00Z") / NANOS_PER_SECOND,
        offset: 7_200,
        abbreviation: "CEST".to_owned(),
    };
    for second in [summer.from, summer.from + 1, summer.until - 1] {
        assert_eq!(berlin.span_at(second), summer);
    }
    assert_eq!(berlin.span_at(summer.from - 1).until, summer.from);
    assert_eq!(berlin.span_at(summer.until).from, summer.until);
    assert_eq!(Zone::Fixed(-1_800).span_at(0).abbreviation, "-00:30");
}

#[test]
fn notable_moments_are_shown() {
    let berlin = Zone::bundled("Europe/Berlin");
    let utc = |time| (Zone::Utc.civil(time).year, Zone::Utc.civil(time).nanosecond);
    assert_eq!(utc(0), (1970, 0));
    assert_eq!(utc(-1), (1969, 999_999_999));
    assert_eq!(utc(i64::MIN), (1677, 145_224_192));
    assert_eq!(utc(i64::MAX), (2262, 854_775_807));
    assert_eq!(wall(&berlin, "2038-01-19T03:14:08Z"), "2038-01-19 04:14:08 +01:00");
    // Berlin's own time before there was a common one.
    assert_eq!(wall(&berlin, "1893-03-31T23:06:31Z"), "1893-03-31 23:59:59 +00:53:28");
    assert_eq!(wall(&berlin, "1893-03-31T23:06:32Z"), "1893-04-01 00:06:32 +01:00");
    assert_eq!(wall(&berlin, "2261-07-01T00:00:00Z"), "2261-07-01 02:00:00 +02:00");
    assert_eq!(Zone::Utc.next_hour(i64::MAX), NEVER);
    assert_eq!(Zone::Utc.next_time_of_day(i64::MAX, 0, 0, 0), NEVER);
}

fn zones() -> impl Strategy<Value = Zone> {
    prop_oneof![
        Just(Zone::Utc),
        (i32::MIN..=i32::MAX).prop_map(Zone::Fixed),
        (-86_399..86_400).prop_map(Zone::Fixed),
        prop::sample::select(vec![
            "Europe/Berlin",
            "America/Sao_Paulo",
            "Australia/Lord_Howe",
            "Pacific/Apia",
            "Africa/Monrovia",
            "America/Juneau",
            "Asia/Kathmandu",
            "Antarctica/Troll",
        ])
        .prop_map(Zone::bundled),
    ]
}

proptest! {
    #[test]
    fn no_moment_makes_a_zone_panic(zone in zones(), time in prop_oneof![any::<i64>(), Just(i64::MIN), Just(i64::MAX), -2..2i64]) {
        zone.civil(time);
        let (midnight, hour) = (zone.next_time_of_day(time, 0, 0, 0), zone.next_hour(time));
        prop_assert!(time == NEVER || (midnight > time && hour > time));
        if zone.check().is_ok() {
            prop_assert!(hour == NEVER || hour - time <= 3_600 * NANOS_PER_SECOND);
            prop_assert!(midnight == NEVER || midnight - time <= 49 * 3_600 * NANOS_PER_SECOND);
        }
    }

    // Counted minute by minute: what the clock shows for the first time, and when its hour changes.
    #[test]
    fn the_next_time_is_the_first_that_the_clock_shows(
        zone in zones().prop_filter("a zone", |zone| zone.check().is_ok() && zone.offset_at(0) % 60 == 0),
        start in (1990 - 1970) * 31_557_600 / 60..(2060 - 1970) * 31_557_600i64 / 60,
        hour in 0..24u32,
        minute in 0..60u32,
    ) {
        let start = start * 60;
        let local = |second: i64| second + zone.offset_at(second);
        let wanted = i64::from(hour) * 3_600 + i64::from(minute) * 60;
        let next = zone.next_time_of_day(start * NANOS_PER_SECOND, hour, minute, 0) / NANOS_PER_SECOND;
        prop_assert!(next > start);
        // The latest that the clock has shown until now, and what it came to of the wanted times.
        let mut latest = (1..4_000).map(|before| local(start - before * 60)).max().unwrap().max(local(start));
        let mut second = start;
        loop {
            second += 60;
            let reached = (local(second) - wanted).div_euclid(86_400) > (latest - wanted).div_euclid(86_400);
            latest = latest.max(local(second));
            if reached {
                break;
            }
        }
        prop_assert_eq!(next, second);
    }

    #[test]
    fn the_next_hour_is_where_the_hour_changes(
        zone in zones().prop_filter("a zone", |zone| zone.check().is_ok() && zone.offset_at(0) % 60 == 0),
        start in (1990 - 1970) * 31_557_600 / 60..(2060 - 1970) * 31_557_600i64 / 60,
    ) {
        let mut second = start * 60;
        let next = zone.next_hour(second * NANOS_PER_SECOND) / NANOS_PER_SECOND;
        loop {
            let before = second + 59 + zone.offset_at(second + 59);
            second += 60;
            let now = second + zone.offset_at(second);
            if now.rem_euclid(3_600) == 0 || now.div_euclid(3_600) != before.div_euclid(3_600) || (before + 1) % 3_600 == 0 {
                break;
            }
        }
        prop_assert_eq!(next, second);
    }
}
