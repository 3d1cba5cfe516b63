//! Rendered text is held against `format!` with the same spec on the same value.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::bytes::Bytes;
use crate::codec::{Value, tag};

/// What the template gives for one value.
fn rendered(template: &str, value: Value<'_>) -> String {
    let template = Template::parse(template).unwrap();
    let mut out = b"before ".to_vec();
    for Placeholder { spec, .. } in &template.placeholders {
        write_value::<true>(spec, &value, &mut out);
    }
    String::from_utf8(out).unwrap().strip_prefix("before ").unwrap().to_owned()
}

fn escaped(text: &str) -> String {
    let mut out = Vec::new();
    escape_into(text, &mut out);
    String::from_utf8(out).unwrap()
}

/// Compares every spec with `format!` on one value.
macro_rules! same_as_std {
    ($value:expr, $wire:expr, [$($spec:literal)*]) => {{
        let value = $value;
        $(assert_eq!(rendered($spec, $wire), escaped(&format!($spec, value)), "{} of {value:?}", $spec);)*
    }};
}

/// Specs that mean something for every type with `Display`.
macro_rules! display_specs {
    ($value:expr, $wire:expr) => {
        same_as_std!($value, $wire, [
            "{}" "{:3}" "{:12}" "{:<12}" "{:^12}" "{:>12}" "{:*<12}" "{:é^13}" "{:\u{202e}>9}" "{:}>12}" "{:{^12}"
            "{:012}" "{:<012}" "{:*^012}" "{:+}" "{:+012}" "{:-}" "{:#}" "{:#012}" "{:+#012.3}" "{:.0}" "{:.1}"
            "{:.5}" "{:12.2}" "{:<12.2}" "{:^+12.4}" "{:012.3}" "{:+012.0}" "{:0}" "{:00}" "{:300}" "{:0300.40}"
        ]);
    };
}

macro_rules! debug_specs {
    ($value:expr, $wire:expr) => {
        same_as_std!($value, $wire, [
            "{:?}" "{:12?}" "{:<12?}" "{:^12?}" "{:>12?}" "{:*>13?}" "{:\n^20?}" "{:012?}" "{:+?}" "{:+012?}"
            "{:#?}" "{:.0?}" "{:.3?}" "{:12.2?}" "{:+^15.1?}" "{:<+012.4?}" "{:é>300?}"
        ]);
    };
}

macro_rules! exponent_specs {
    ($value:expr, $wire:expr) => {
        same_as_std!($value, $wire, [
            "{:e}" "{:E}" "{:+e}" "{:14e}" "{:<14E}" "{:^14e}" "{:014e}" "{:+014E}" "{:.0e}" "{:.2e}" "{:+.3E}"
            "{:*^20.4e}" "{:020.1e}" "{:#e}" "{:.0E}" "{:+.1e}"
        ]);
    };
}

macro_rules! radix_specs {
    ($value:expr, $wire:expr) => {
        same_as_std!($value, $wire, [
            "{:x}" "{:X}" "{:o}" "{:b}" "{:#x}" "{:#X}" "{:#o}" "{:#b}" "{:#010x}" "{:08X}" "{:+x}" "{:+#014o}"
            "{:<20b}" "{:^#20x}" "{:>#40b}" "{:_>#50b}" "{:#0140b}" "{:04x}" "{:x?}" "{:X?}" "{:#06x?}" "{:.3x}"
        ]);
    };
}

macro_rules! integers_match_std {
    ($($name:ident: $type:ty => $variant:ident)*) => {$(
        #[test]
        fn $name() {
            let check = |number: $type| {
                display_specs!(number, Value::$variant(number));
                debug_specs!(number, Value::$variant(number));
                exponent_specs!(number, Value::$variant(number));
                radix_specs!(number, Value::$variant(number));
            };
            for number in [<$type>::MIN, <$type>::MAX, 0, 1, 10, 15, 25, 35, 99, 100, 125] {
                check(number);
            }
            check((0 as $type).wrapping_sub(1));
            proptest!(|(number: $type)| check(number));
        }
    )*};
}

integers_match_std! {
    i8_is_written_as_std_does: i8 => I8
    i16_is_written_as_std_does: i16 => I16
    i32_is_written_as_std_does: i32 => I32
    i64_is_written_as_std_does: i64 => I64
    i128_is_written_as_std_does: i128 => I128
    u8_is_written_as_std_does: u8 => U8
    u16_is_written_as_std_does: u16 => U16
    u32_is_written_as_std_does: u32 => U32
    u64_is_written_as_std_does: u64 => U64
    u128_is_written_as_std_does: u128 => U128
}

macro_rules! floats_match_std {
    ($($name:ident: $type:ident, $bits:ty => $variant:ident)*) => {$(
        #[test]
        fn $name() {
            let check = |number: $type| {
                display_specs!(number, Value::$variant(number));
                debug_specs!(number, Value::$variant(number));
                exponent_specs!(number, Value::$variant(number));
            };
            let least = <$type>::from_bits(1);
            for number in [
                0.0, -0.0, 1.0, -1.0, 0.1, 0.5, 1.5, 2.5, 0.05, 1e5, 1e15, 1e16, 9.999_999e15, 1e17, 1e30, 1e-4, 1e-5,
                9.9e-6, 1e-6, 1e-7, 1234.5, 1e12, 1e13, least, -least, <$type>::MIN_POSITIVE, <$type>::MAX,
                <$type>::MIN, <$type>::EPSILON, <$type>::NAN, -<$type>::NAN, <$type>::INFINITY,
                <$type>::NEG_INFINITY,
            ] {
                check(number);
            }
            proptest!(|(bits: $bits, whole in -100_000i32..100_000, near in 0u32..20)| {
                check(<$type>::from_bits(bits));
                check(whole as $type / 100.0);
                // Numbers that lie exactly between two shortest texts are among these.
                check((bits >> (<$bits>::BITS - <$type>::MANTISSA_DIGITS)) as $type / (1u64 << near) as $type);
                check(whole as $type * (10 as $type).powi(near as i32 - 8));
            });
        }
    )*};
}

floats_match_std! {
    f32_is_written_as_std_does: f32, u32 => F32
    f64_is_written_as_std_does: f64, u64 => F64
}

#[test]
fn text_is_written_as_std_does() {
    let check = |text: &str| {
        display_specs!(text, Value::Str(text));
        debug_specs!(text, Value::Str(text));
    };
    for text in
        ["", "plain", "ünïcödé", "日本語", "\"quoted\\\"", "it's", "a\nb\u{1b}[0m", "\u{202e}\u{200b}é"]
    {
        check(text);
    }
    proptest!(|(text: String)| check(&text));
}

#[test]
fn char_is_written_as_std_does() {
    let check = |character: char| {
        display_specs!(character, Value::Char(character));
        debug_specs!(character, Value::Char(character));
    };
    ['a', '\'', '"', '\n', 'é', '\u{301}', '\u{202e}', '語'].into_iter().for_each(check);
    proptest!(|(character: char)| check(character));
}

#[test]
fn bool_is_written_as_std_does() {
    for truth in [false, true] {
        display_specs!(truth, Value::Bool(truth));
        debug_specs!(truth, Value::Bool(truth));
    }
}

#[test]
fn duration_is_written_as_std_does() {
    let check = |duration: Duration| {
        debug_specs!(duration, Value::Duration(duration));
    };
    for nanoseconds in [0, 1, 999, 1_000, 1_500, 999_999, 1_000_000, 1_234_567, 999_999_999] {
        check(Duration::from_nanos(nanoseconds));
        check(Duration::new(u64::MAX, nanoseconds as u32));
    }
    proptest!(|(seconds in prop_oneof![0..100u64, any::<u64>()], nanoseconds in 0..1_000_000_000u32)| {
        check(Duration::new(seconds, nanoseconds));
    });
}

#[test]
fn address_is_written_as_std_does() {
    let check = |address: IpAddr| {
        display_specs!(address, Value::Ip(address));
        debug_specs!(address, Value::Ip(address));
    };
    for text in ["0.0.0.0", "255.255.255.255", "::", "::1", "::ffff:1.2.3.4", "2001:db8::8:800:200c:417a"] {
        check(text.parse().unwrap());
    }
    proptest!(|(v4: u32, v6: u128)| {
        check(Ipv4Addr::from_bits(v4).into());
        check(Ipv6Addr::from_bits(v6).into());
    });
}

#[test]
fn bytes_are_written_as_their_wrapper_does() {
    let check = |bytes: &[u8]| {
        let wire = || Value::Bytes { kept: bytes, given: bytes.len() as u64 };
        display_specs!(Bytes(bytes), wire());
        debug_specs!(Bytes(bytes), wire());
        same_as_std!(Bytes(bytes), wire(), [
            "{:x}" "{:X}" "{:#x}" "{:#X}" "{:012x}" "{:#012X}" "{:+x}" "{:>#12x}" "{:^#13.3X}" "{:*<12.5x}" "{:#.0x}" "{:.1X}"
            "{:#.7x}" "{:\u{202e}^#20.4x}" "{:300X}" "{:.65535x}" "{:x?}" "{:X?}" "{:#x?}" "{:#020.1X?}"
        ]);
    };
    let long: Vec<u8> = (0..=255).collect();
    for bytes in [&[][..], b"\0", b"\n", &[0x0a, 0x1b, 0xff], &long[..63], &long[..64], &long[..65], &long] {
        check(bytes);
    }
    proptest!(|(bytes in proptest::collection::vec(any::<u8>(), 0..200))| check(&bytes));
}

#[test]
fn bytes_that_were_cut_have_a_mark_behind_their_last_digit() {
    let cut = || Value::Bytes { kept: &[0x0a, 0xff], given: 20_000_000 };
    assert_eq!(rendered("{}", cut()), "0aff… [cut, 20000000 bytes]");
    assert_eq!(rendered("{:#X}", cut()), "0x0AFF… [cut, 20000000 bytes]");
    assert_eq!(rendered("{:?}", cut()), "Bytes(0aff… [cut, 20000000 bytes])");
    assert_eq!(rendered("{:.5}", cut()), "0aff… [cut, 20000000 bytes]");
    assert_eq!(rendered("{:>6.4}", cut()), "  0aff", "what was asked for is all there");
    assert_eq!(rendered("{:*<30}", cut()), "0aff… [cut, 20000000 bytes]***");
}

#[test]
fn durations_have_one_form_whatever_is_asked() {
    assert_eq!(rendered("{}", Value::Duration(Duration::from_millis(1500))), "1.5s");
}

#[test]
fn formatted_text_and_none_take_no_spec() {
    assert_eq!(rendered("{:>20.2?}", Value::Rendered("as\nit is")), r"as\nit is");
    assert_eq!(rendered("{:p}", Value::Rendered("0x1")), "0x1");
    assert_eq!(rendered("{:>20?}", Value::None), "None");
    assert_eq!(rendered("{}", Value::None), "None");
}

#[test]
fn arguments_take_their_places_in_order() {
    let template = Template::parse("{{}} order {} filled at {:.2}, {{{}}}\n").unwrap();
    let mut args = vec![tag::U64];
    args.extend_from_slice(&7u64.to_le_bytes());
    args.push(tag::F64);
    args.extend_from_slice(&1.005f64.to_le_bytes());
    args.extend_from_slice(&[tag::STR, 2, 0, 0, 0, b'o', b'\n', tag::NONE]);
    let mut out = Vec::new();
    let mut reader = Args::new(&args);
    template.render(&mut reader, &mut out).unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), format!("{{}} order 7 filled at {:.2}, {{o\\n}}\\n", 1.005));
    assert_eq!(reader.next(), Ok(Value::None));
    assert!(reader.is_empty());

    let mut skipped = Args::new(&args);
    template.skip(&mut skipped).unwrap();
    assert_eq!(skipped.next(), Ok(Value::None));
}

#[test]
fn missing_argument_is_corrupt() {
    let template = Template::parse("{} {}").unwrap();
    assert_eq!(template.render(&mut Args::new(&[tag::NONE]), &mut Vec::new()), Err(Corrupt));
    assert_eq!(template.skip(&mut Args::new(&[tag::NONE])), Err(Corrupt));
}

#[test]
fn malformed_template_is_refused_with_its_place() {
    for (text, place) in [
        ("a { b", 3),
        ("{", 1),
        ("a } b", 2),
        ("{:>w$}", 3),
        ("{0}", 1),
        ("{:.*}", 2),
        ("{:5", 3),
        ("{name}", 1),
    ] {
        let error = Template::parse(text).unwrap_err().to_string();
        assert!(error.contains(&format!("byte {place}:")), "{text}: {error}");
    }
}

#[test]
fn width_past_what_std_accepts_is_capped() {
    assert_eq!(rendered("{:>1000000000}", Value::U8(1)).len(), usize::from(u16::MAX));
    assert_eq!(rendered("{:0>99999999999999999999999999}", Value::Str("x")).len(), usize::from(u16::MAX));
}

#[test]
fn the_largest_precision_with_an_exponent_does_not_panic() {
    for value in [Value::F64(1.5), Value::F32(1.5), Value::U8(15)] {
        for template in ["{:.65535e}", "{:.99999E}"] {
            let text = rendered(template, value).to_lowercase();
            assert!(text.starts_with("1.500") && (text.ends_with("e0") || text.ends_with("e1")));
        }
    }
}

proptest! {
    #[test]
    fn no_spec_and_no_length_of_bytes_makes_rendering_panic(
        spec in "([*\u{202e}]?[<^>])?[+-]?#?0?([0-9]{0,2}|70000)(\\.([0-9]|99999))?(x\\?|X\\?|[?xXobeEp])?",
        kept in proptest::collection::vec(any::<u8>(), 0..20),
        more in prop_oneof![Just(0), 1..20u64, Just(u64::MAX)],
    ) {
        let template = Template::parse(&format!("{{:{spec}}}")).unwrap();
        let mut args = vec![if more == 0 { tag::BYTES } else { tag::BYTES_CUT }];
        if more > 0 {
            args.extend((kept.len() as u64).saturating_add(more).to_le_bytes());
        }
        args.extend((kept.len() as u32).to_le_bytes());
        args.extend(&kept);
        let mut out = Vec::new();
        prop_assert_eq!(template.render(&mut Args::new(&args), &mut out), Ok(()));
        prop_assert!(str::from_utf8(&out).is_ok_and(crate::escape::is_harmless));
        args.pop();
        prop_assert_eq!(template.render(&mut Args::new(&args), &mut out), Err(Corrupt));
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "[{}:<>^+#0-9.?xe a-c\\n]{0,12}") {
        if let Ok(template) = Template::parse(&text) {
            let mut out = Vec::new();
            let _ = template.render(&mut Args::new(&[tag::NONE, tag::BOOL, 1]), &mut out);
            prop_assert!(std::str::from_utf8(&out).is_ok_and(crate::escape::is_harmless));
        }
    }
}
