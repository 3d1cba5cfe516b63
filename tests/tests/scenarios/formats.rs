//! What a file shows of a message is what `format!` gives for the same template and values, escaped.
// U-30, D-05, F54 (messages), F57 (widths)

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::time::Duration;

use miu_log::testing::ManualListener;
use miu_log::{LogConfig, Pattern};
use miu_log_tests::{Place, escaped, logs};
use proptest::prelude::*;

/// A repository whose lines are messages only.
struct Bench {
    place: Place,
    listener: ManualListener,
    repo: logs::Repository,
}

impl Bench {
    fn new() -> Bench {
        let place = Place::new();
        let listener = ManualListener::new();
        let config =
            LogConfig::new(place.logs()).intercept(false).panic_hook(false).console(false).level_files(false);
        let config = config.layout(Pattern::parse("{message}").unwrap()).manual_listener(&listener);
        let repo = logs::Repository::open(config).unwrap();
        Bench { place, listener, repo }
    }

    /// Asserts that the file holds these texts, escaped, a line each.
    fn check(&self, expected: &[String]) -> Result<(), TestCaseError> {
        self.listener.step();
        let text = self.place.text("app.log");
        let lines: Vec<&str> = text.split_terminator('\n').collect();
        for (found, expected) in lines.iter().zip(expected) {
            // A pattern that begins with a record's text marks a line that would look like a detail.
            let expected = escaped(expected);
            let expected = match expected.strip_prefix("    | ") {
                Some(rest) => format!("\\u{{20}}   | {rest}"),
                None => expected,
            };
            prop_assert_eq!(found, &expected);
        }
        prop_assert_eq!(lines.len(), expected.len());
        Ok(())
    }
}

/// Logs each statement and checks the file against `format!` of the very same tokens.
macro_rules! check {
    ($($template:literal $(, $argument:tt $(= $value:expr)?)* ;)*) => {{
        let bench = Bench::new();
        let mut expected = Vec::new();
        $(
            miu_log::info!(bench.repo.app, $template $(, $argument $(= $value)?)*);
            expected.push(format!($template $(, $argument $(= $value)?)*));
        )*
        bench.check(&expected)?;
    }};
}

#[derive(Clone, Debug)]
#[allow(dead_code, reason = "read by the derived Debug")]
enum Shape {
    Point,
    Circle(f32),
    Named { name: String, sides: Vec<u8>, inner: Option<Box<Shape>> },
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shape::Point => f.pad("point"),
            Shape::Circle(radius) => write!(f, "circle of {radius:.2}"),
            Shape::Named { name, sides, inner } => {
                write!(f, "{name} with {} sides", sides.len())?;
                inner.iter().try_for_each(|inner| write!(f, " around {inner}"))
            }
        }
    }
}

fn shape() -> impl Strategy<Value = Shape> {
    let leaf = prop_oneof![Just(Shape::Point), any::<f32>().prop_map(Shape::Circle)];
    leaf.prop_recursive(3, 8, 1, |inner| {
        (text(), any::<Vec<u8>>(), proptest::option::of(inner.prop_map(Box::new)))
            .prop_map(|(name, sides, inner)| Shape::Named { name, sides, inner })
    })
}

/// Any Unicode, with a good share of what must be escaped.
fn text() -> impl Strategy<Value = String> {
    let hostile = proptest::sample::select(vec![
        '\n',
        '\r',
        '\t',
        '\0',
        '\u{1b}',
        '\u{7f}',
        '\u{85}',
        '\u{9f}',
        '\u{200b}',
        '\u{2028}',
        '\u{202e}',
        '\u{2066}',
        '\u{feff}',
        '\u{e0041}',
        '\u{301}',
        '"',
        '\\',
        '{',
        '}',
        '|',
        ' ',
        '日',
        '😀',
    ]);
    proptest::collection::vec(
        prop_oneof![3 => any::<char>(), 2 => hostile, 2 => proptest::char::range(' ', '~')],
        0..24,
    )
    .prop_map(String::from_iter)
}

fn float64() -> impl Strategy<Value = f64> {
    let special = vec![
        0.0,
        -0.0,
        f64::NAN,
        -f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::MIN_POSITIVE,
        f64::from_bits(1),
        f64::MAX,
        f64::EPSILON,
        0.1,
        1e15,
        1e16,
        1e-5,
        123_456_789.0,
        0.5,
        1.5,
        2.5,
    ];
    prop_oneof![any::<u64>().prop_map(f64::from_bits), proptest::sample::select(special), -1e6..1e6]
}

fn float32() -> impl Strategy<Value = f32> {
    let special =
        vec![0.0, -0.0, f32::NAN, f32::INFINITY, f32::MIN_POSITIVE, f32::from_bits(1), f32::MAX, 0.1, 1e16];
    prop_oneof![any::<u32>().prop_map(f32::from_bits), proptest::sample::select(special)]
}

fn duration() -> impl Strategy<Value = Duration> {
    let parts =
        (any::<u64>(), 0..1_000_000_000u32).prop_map(|(seconds, nanos)| Duration::new(seconds, nanos));
    prop_oneof![
        parts,
        Just(Duration::ZERO),
        Just(Duration::MAX),
        any::<u32>().prop_map(|nanos| Duration::from_nanos(nanos.into()))
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn whole_numbers(
        a in any::<i8>(), b in any::<i16>(), c in any::<i32>(), d in any::<i64>(), e in any::<i128>(), f in any::<isize>(),
        g in any::<u8>(), h in any::<u16>(), i in any::<u32>(), j in any::<u64>(), k in any::<u128>(), l in any::<usize>(),
    ) {
        check! {
            "{} {} {} {} {} {}", a, b, c, d, e, f;
            "{g} {h} {i} {j} {k} {l}";
            "{a:?} {b:?} {c:?} {d:?} {e:?} {f:?}";
            "{g:?} {h:?} {i:?} {j:?} {k:?} {l:?}";
            "{:x} {:X} {:o} {:b} {:#x} {:#X}", a, b, c, d, e, f;
            "{:#o} {:#b} {:x} {:X} {:o} {:b}", g, h, i, j, k, l;
            "{a:#010x} {b:#b} {c:08b} {d:+} {e:#o} {f:#X}";
            "{g:+05} {h:<8}| {i:>12}| {j:^24}| {k:*^44}| {l:日>22}|";
            "{c:+} {d:020} {e:+050} {a:-5} {b:#06x}";
            "{c:e} {i:E} {j:e} {d:E} {i:.2e} {j:+12.3e}|";
            "{c:x?} {i:X?} {g:#x?} {h:02X?}";
            "{0} {1} {0} {name:>6}", a, b, name = g;
        }
    }

    #[test]
    fn floats(a in float64(), b in float32()) {
        check! {
            "{} {} {a:?} {b:?}", a, b;
            "{a:.0} {a:.1} {a:.3} {a:.17} {b:.0} {b:.5}";
            "{a:+} {b:+?} {a:12}| {b:<12}| {a:^30.3}| {b:*>20.2}|";
            "{a:020} {b:+015.3} {a:020?} {a:+.2?}";
            "{a:e} {b:E} {a:.3e} {b:.0e} {a:+20.4E}| {b:<18e}|";
        }
    }

    #[test]
    fn texts(text in text(), character in any::<char>(), truth in any::<bool>()) {
        let (owned, boxed, cow) = (text.clone(), text.clone().into_boxed_str(), Cow::from(text.as_str()));
        let slice = text.as_str();
        check! {
            "{text} {} {character} {truth}", slice;
            "{text:?} {character:?} {truth:?}";
            "{owned} {boxed:?} {cow}";
            "{text:10}| {text:<10}| {text:^30}| {text:>30}| {text:*^40}|";
            "{text:.0} {text:.1} {text:.3} {text:7.2}| {text:-^9.4}|";
            "{text:30?}| {text:.2?} {text:#?}";
            "{character:5}| {character:>5}| {character:*^7}| {character:8?}|";
            "{truth:8}| {truth:>8}| {truth:.2} {truth:?}";
            "{{{text}}} }}{{ %s ${{jndi}} {character}";
        }
    }

    #[test]
    fn options_results_and_slices(
        option in any::<Option<i32>>(), result in any::<Result<u8, bool>>(), floats in proptest::collection::vec(float64(), 0..5),
        texts in proptest::collection::vec(text(), 0..4), pair in any::<(u16, char)>(),
    ) {
        let slice = floats.as_slice();
        let maybe = option.map(|_| "text\n");
        check! {
            "{option:?} {result:?} {floats:?} {texts:?} {pair:?} {maybe:?}";
            "{option:#?} {result:#?} {pair:#?}";
            "{option:05?} {slice:.2?} {slice:8.1?}| {texts:10?}|";
            "{:?} {:?} {:x?} {:?}", (), [1u8, 2], [10u8, 255], (Some(Some(result)));
        }
    }

    #[test]
    fn durations_and_addresses(duration in duration(), v4 in any::<[u8; 4]>(), v6 in any::<[u8; 16]>(), mapped in any::<bool>()) {
        let v4 = Ipv4Addr::from(v4);
        let v6 = if mapped { v4.to_ipv6_mapped() } else { Ipv6Addr::from(v6) };
        let (a, b) = (IpAddr::from(v4), IpAddr::from(v6));
        check! {
            "{duration:?} {duration:.0?} {duration:.3?} {duration:+?}";
            "{duration:20?}| {duration:<30.2?}| {duration:*^40?}| {duration:>30.9?}|";
            "{v4} {v6} {a} {b} {v4:?} {v6:?} {a:?} {b:?}";
            "{v4:20}| {v6:>50}| {a:^20}| {b:*<50}|";
        }
    }

    #[test]
    fn user_types(shape in shape()) {
        let path = PathBuf::from("/var/log");
        let nested = Some(vec![shape.clone(), Shape::Point]);
        check! {
            "{shape} {shape:?}";
            "{shape:#?}";
            "{nested:?} {:>8}| {:*^9}|", (Shape::Point), (Shape::Point);
            "{} {:?}", (path.display()), path;
            "{} {}", (&&shape), (Box::new(shape.clone()));
            "{}", (format_args!("{shape} {}", 1));
        }
    }

    #[test]
    fn widths_and_precisions_known_at_run_time(
        width in 0usize..40, precision in 0usize..12, number in any::<i64>(), float in float64(), text in text(),
    ) {
        check! {
            "{:width$}| {:>1$}| {:<width$}| {:0width$}", number, width, text, number;
            "{:.precision$} {:.*} {:width$.precision$}|", float, precision, text, float;
            "{number:^+width$}| {text:*^width$.precision$}| {float:+width$.precision$e}|";
            "{0:1$.2$}| {0:>1$}|", float, width, precision;
        }
    }
}

#[test]
fn methods_show_what_they_are_given() {
    let bench = Bench::new();
    let (number, owned) = (7, String::from("&String"));
    bench.repo.app.info("str {not a placeholder} %s");
    bench.repo.app.info(String::from("String"));
    bench.repo.app.info(&owned);
    bench.repo.app.info(Cow::from("Cow"));
    bench.repo.app.info(format_args!("Arguments {number:03}"));
    bench.repo.app.info(|| "closure to str");
    bench.repo.app.info(|| format!("closure to String {number}"));
    bench.repo.app.info("");
    let expected = [
        "str {not a placeholder} %s",
        "String",
        "&String",
        "Cow",
        "Arguments 007",
        "closure to str",
        "closure to String 7",
        "",
    ];
    bench.check(&expected.map(str::to_owned)).unwrap();
}

#[test]
fn an_argument_is_evaluated_once_and_may_be_borrowed_mutably_elsewhere() {
    let bench = Bench::new();
    let mut values = vec![1, 2, 3].into_iter();
    miu_log::info!(
        bench.repo.app,
        "{} {} {}",
        values.next().unwrap(),
        values.next().unwrap(),
        values.next().unwrap()
    );
    miu_log::info!(bench.repo.app, "{0} {0} {0:?}", values.next().map_or(4, |_| 5));
    assert_eq!(bench.listener.step(), 2);
    assert_eq!(bench.place.text("app.log"), "1 2 3\n4 4 4\n");
}
