//! Tables and properties of the retention: what is read from its words, and what is deleted.

use proptest::prelude::*;

use super::*;

const DAY: i64 = 86_400_000_000_000;

/// A rotated file of log file 0 under retention 0: its day, number and length.
fn file(name: &str, day: i64, number: u32, bytes: u64) -> Kept<'_> {
    let rotated = Rotated { time: day * DAY, number, compressed: None };
    Kept {
        name,
        family: 0,
        scope: 0,
        class: Class::Ordinary,
        rotated,
        last_line: rotated.time,
        bytes,
        on_disk: bytes,
    }
}

fn rules(retention: impl Into<Retention>) -> Checked {
    retention.into().check().unwrap()
}

fn names<'a>(files: &[Kept<'a>]) -> Vec<&'a str> {
    files.iter().map(|file| file.name).collect()
}

#[test]
fn words_say_the_same_as_the_rules() {
    for (text, rule) in [
        ("forever", Retention::Forever),
        ("5 files", Retention::Count(5)),
        ("1 file", Retention::Count(1)),
        (" 5 ", Retention::Count(5)),
        ("30 days", Retention::Age(Duration::from_secs(30 * 86_400))),
        ("3 months, 2 days", Retention::Age("8056800 s")),
        ("1 GB", Retention::Bytes(1_000_000_000)),
        ("1.5 mib", Retention::Bytes(1_572_864)),
        ("10 %", Retention::KeepFree("10%")),
    ] {
        assert_eq!(rules(text), rules(rule), "{text}");
    }
    assert_eq!(rules(5), rules(Retention::default()));
}

#[test]
fn what_says_nothing_is_named_with_what_is_accepted() {
    for (retention, names) in [
        (Retention::from(""), ["\"\": ", "\"5 files\""]),
        (Retention::from("5 lightyears"), ["\"5 lightyears\": unknown time unit", "\"30 days\""]),
        (Retention::from("0 days"), ["\"0 days\": it is no time at all", "\"forever\""]),
        (Retention::from("8 Mb"), ["is one of bits", "\"1 GB\""]),
        (Retention::from("1.5 files"), ["unknown time unit", "\"5 files\""]),
        (Retention::from("0"), ["Count(0)", "at least one"]),
        (Retention::from(0), ["Count(0)", "at least one"]),
        (Retention::from("100 %"), ["\"100 %\": it is all there is", "\"10 %\""]),
        (Retention::KeepFree("much"), ["\"much\": ", "\"10 MB\""]),
        (Retention::KeepFree(0), ["0 bytes", "at least one byte"]),
        (Retention::Age(Duration::ZERO), ["0ns", "100 years"]),
        (Retention::Bytes("1 PX"), ["\"1 PX\": ", "\"10 MB\""]),
        (Retention::AnyOf(["5 files", "so so"]), ["\"so so\": ", "\"5 files\""]),
    ] {
        let text = retention.check().unwrap_err();
        assert!(names.iter().all(|name| text.contains(name)), "{text}");
    }
}

#[test]
fn of_several_rules_the_strictest_of_each_kind_holds() {
    let all = Retention::AnyOf([
        Retention::AnyOf(["7 files", "1 GB", "30 days"]),
        Retention::AnyOf(["5 files", "2 GB", "40 days", "5 %"]),
        Retention::KeepFree("10 %"),
        Retention::KeepFree("1 MB"),
        Retention::Forever,
    ]);
    let expected = Checked {
        files: Some(5),
        age: Some(Duration::from_secs(30 * 86_400)),
        bytes: Some(1_000_000_000),
        free_bytes: Some(1_000_000),
        free_share: Some(1000),
    };
    assert_eq!(rules(all), expected);
}

#[test]
fn a_count_of_five_keeps_five_rotated_files() {
    let names_of: Vec<String> = (1..=8).map(|day| format!("day {day}")).collect();
    let mut files: Vec<Kept<'_>> = (1..=8).zip(&names_of).map(|(day, name)| file(name, day, 0, 1)).collect();
    files.reverse();
    assert_eq!(names(&expired(&[rules(5)], &files, 9 * DAY)), ["day 1", "day 2", "day 3"]);
    assert_eq!(names(&expired(&[rules(5)], &files[..5], 9 * DAY)), [""; 0]);
}

#[test]
fn a_count_is_for_each_log_file_by_itself() {
    let other = |file: Kept<'static>| Kept { family: 1, ..file };
    let files =
        [file("a1", 1, 0, 1), file("a2", 2, 0, 1), other(file("b1", 3, 0, 1)), other(file("b2", 4, 0, 1))];
    assert_eq!(names(&expired(&[rules(1)], &files, 9 * DAY)), ["a1", "b1"]);
}

#[test]
fn files_of_the_same_time_go_by_their_number() {
    let files =
        [file("third", 1, 3, 1), file("ninth", 1, 9, 1), file("first", 1, 0, 1), file("tenth", 1, 10, 1)];
    assert_eq!(names(&expired(&[rules(1)], &files, DAY)), ["first", "third", "ninth"]);
}

#[test]
fn an_age_is_that_of_the_last_line() {
    let files = [file("old", 1, 0, 1), file("at the limit", 2, 0, 1), file("young", 3, 0, 1)];
    let rules = [rules("30 days")];
    assert_eq!(names(&expired(&rules, &files, 32 * DAY)), ["old"]);
    assert_eq!(names(&expired(&rules, &files, 32 * DAY + 1)), ["old", "at the limit"]);
    assert_eq!(names(&expired(&rules, &files, i64::MIN)), [""; 0], "the clock was set back");
    // The time in a name may be a period's beginning.
    let late = Kept { last_line: 20 * DAY, ..files[0] };
    assert_eq!(names(&expired(&rules, &[late, files[1]], 40 * DAY)), [""; 0], "no gap in the history");
}

#[test]
fn bytes_are_of_all_files_and_the_oldest_goes_first() {
    let info = |file: Kept<'static>| Kept { family: 1, class: Class::Chatter, ..file };
    let files = [
        file("app 1", 1, 0, 100),
        info(file("info 1", 1, 0, 100)),
        file("app 2", 2, 0, 100),
        info(file("info 3", 3, 0, 100)),
    ];
    let named = |most: u64, current: u64| {
        names(&oversized(&[rules(Retention::Bytes(most))], &files, &[current], None))
    };
    assert_eq!(named(500, 100), [""; 0]);
    assert_eq!(named(499, 100), ["info 1"], "of the same age: what is below WARNING");
    assert_eq!(named(301, 100), ["info 1", "app 1"]);
    assert_eq!(named(10, 100), ["info 1", "app 1", "app 2", "info 3"], "current files are never among them");
}

#[test]
fn bytes_of_one_file_are_for_its_own_rotated_files() {
    let own = Kept { family: 1, scope: 1, ..file("own", 1, 0, 100) };
    let files = [file("others", 1, 0, 1000), own];
    let scopes = [rules(Retention::Forever), rules(Retention::Bytes(150))];
    assert_eq!(names(&oversized(&scopes, &files, &[5000, 50], None)), [""; 0]);
    assert_eq!(names(&oversized(&scopes, &files, &[5000, 51], None)), ["own"]);
}

#[test]
fn room_is_made_by_what_is_below_warning_first() {
    let info = |file: Kept<'static>| Kept { family: 1, class: Class::Chatter, ..file };
    let files = [
        file("app 1", 1, 0, 100),
        info(file("info 2", 2, 0, 100)),
        info(file("info 3", 3, 0, 100)),
        file("app 4", 4, 0, 100),
    ];
    let named = |rule: &str, free: u64| {
        names(&oversized(
            &[rules(Retention::KeepFree(rule))],
            &files,
            &[0],
            Some(Disk { free, total: 10_000 }),
        ))
    };
    assert_eq!(named("10 %", 1000), [""; 0]);
    assert_eq!(named("10 %", 999), ["info 2"]);
    assert_eq!(named("1 kB", 800), ["info 2", "info 3"]);
    assert_eq!(named("10 %", 799), ["info 2", "info 3", "app 1"]);
    assert_eq!(named("50 %", 0), ["info 2", "info 3", "app 1", "app 4"]);
    let rules = [rules("10 %")];
    assert_eq!(names(&oversized(&rules, &files, &[0], None)), [""; 0], "how full it is could not be asked");
}

#[test]
fn what_one_rule_frees_counts_for_the_next() {
    let files = [file("1", 1, 0, 100), file("2", 2, 0, 100), file("3", 3, 0, 100)];
    let both = rules(Retention::AnyOf([Retention::Bytes(250), Retention::KeepFree(100)]));
    assert_eq!(names(&oversized(&[both], &files, &[0], Some(Disk { free: 0, total: 1000 }))), ["1"]);
    let other = Kept { scope: 1, family: 1, ..files[2] };
    let scopes = [rules(Retention::KeepFree(100)), rules(Retention::KeepFree(150))];
    let named =
        oversized(&scopes, &[files[0], files[1], other], &[0, 0], Some(Disk { free: 0, total: 1000 }));
    assert_eq!(names(&named), ["1", "3"]);
}

#[derive(Clone, Debug)]
struct Scene {
    scopes: Vec<Checked>,
    files: Vec<Kept<'static>>,
    current: Vec<u64>,
    disk: Disk,
}

fn scene() -> impl Strategy<Value = Scene> {
    let retention = (
        proptest::option::of(1usize..5),
        proptest::option::of(1u64..30),
        proptest::option::of(1u64..2000),
        proptest::option::of(1u64..2000),
        proptest::option::of(1u16..10_000),
    );
    let rules = retention.prop_map(|(files, days, bytes, free_bytes, free_share)| Checked {
        files,
        age: days.map(|days| Duration::from_secs(days * 86_400)),
        bytes,
        free_bytes,
        free_share,
    });
    let files = proptest::collection::vec((0usize..4, 0i64..20, 0u32..3, 0u64..300), 0..20);
    (proptest::collection::vec(rules, 2), files, 0u64..500, 0u64..500, 0u64..3000).prop_map(
        |(scopes, files, one, two, free)| {
            let mut files: Vec<Kept<'static>> = files
                .into_iter()
                .map(|(family, day, number, bytes)| Kept {
                    family,
                    // Log files 0 to 2 share a retention, as those of a configuration do.
                    scope: usize::from(family == 3),
                    class: if family % 2 == 0 { Class::Chatter } else { Class::Ordinary },
                    ..file("", day, number, bytes)
                })
                .collect();
            files.sort_by_key(|file| (file.family, file.rotated));
            files.dedup_by_key(|file| (file.family, file.rotated));
            Scene { scopes, files, current: vec![one, two], disk: Disk { free, total: 4000 } }
        },
    )
}

fn key(file: &Kept<'_>) -> (usize, Rotated) {
    (file.family, file.rotated)
}

/// What is left of `files` without those that were named, each of which must have been there once.
fn left(files: &[Kept<'static>], named: &[Kept<'static>]) -> Vec<Kept<'static>> {
    let left: Vec<_> =
        files.iter().filter(|file| !named.iter().any(|gone| key(gone) == key(file))).copied().collect();
    assert_eq!(left.len() + named.len(), files.len(), "each is named once, and is one that there is");
    left
}

/// K2.
fn has_no_gap(left: &[Kept<'static>], named: &[Kept<'static>]) -> bool {
    named.iter().all(|gone| left.iter().all(|kept| kept.family != gone.family || kept.rotated > gone.rotated))
}

proptest! {
    #[test]
    fn expired_files_are_those_that_a_rule_wants(scene in scene(), now in 0i64..60) {
        let Scene { scopes, files, .. } = scene;
        let named = expired(&scopes, &files, now * DAY);
        let left = left(&files, &named);
        prop_assert!(has_no_gap(&left, &named));
        let old = |file: &Kept<'_>| {
            scopes[file.scope].age.is_some_and(|age| (now * DAY - file.last_line) as i128 > age.as_nanos() as i128)
        };
        for family in 0..4 {
            let kept = left.iter().filter(|file| file.family == family).count();
            let gone: Vec<_> = named.iter().filter(|file| file.family == family).collect();
            let most = scopes[usize::from(family == 3)].files;
            prop_assert!(most.is_none_or(|most| kept <= most));
            prop_assert!(left.iter().filter(|file| file.family == family).all(|file| !old(file)));
            // K3: the last that was named is too old, or one too many.
            if let Some(last) = gone.last() {
                prop_assert!(old(last) || most == Some(kept));
            }
        }
    }

    #[test]
    fn no_more_is_named_than_makes_the_room(scene in scene()) {
        let Scene { scopes, files, current, disk } = scene;
        let named = oversized(&scopes, &files, &current, Some(disk));
        let rest = left(&files, &named);
        prop_assert!(has_no_gap(&rest, &named));
        let total = |files: &[Kept<'_>], scope: usize| {
            current[scope] + files.iter().filter(|file| file.scope == scope).map(|file| file.bytes).sum::<u64>()
        };
        let free = |named: &[Kept<'_>]| disk.free + named.iter().map(|file| file.on_disk).sum::<u64>();
        for (scope, rules) in scopes.iter().enumerate() {
            let emptied = rest.iter().all(|file| file.scope != scope);
            prop_assert!(emptied || rules.bytes.is_none_or(|most| total(&rest, scope) <= most));
            prop_assert!(emptied || !rules.concerns_disk() || free(&named) >= rules.wanted(disk.total));
        }
        // K3: without the last one a rule of its retention would be broken.
        if let Some((last, others)) = named.split_last() {
            let rules = &scopes[last.scope];
            let with_it = left(&files, others);
            let by_bytes = rules.bytes.is_some_and(|most| total(&with_it, last.scope) > most);
            prop_assert!(by_bytes || (rules.concerns_disk() && free(others) < rules.wanted(disk.total)));
        }
    }
}
