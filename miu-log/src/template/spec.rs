//! What stands behind the colon of a placeholder: `[[fill]align][sign]['#']['0'][width]['.' precision][type]`.
//!
//! Widths and precisions are literal numbers; those past `u16::MAX`, which `std::fmt` does not accept
//! either, count as `u16::MAX`, so that no template can ask for gigabytes of padding. Called by
//! `template` and, for padded keys, by `layout`.

/// How one argument is to be formatted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spec {
    pub(crate) fill: char,
    pub(crate) align: Option<Align>,
    /// `+`: positive numbers have a sign too.
    pub(crate) plus: bool,
    /// `#`: a prefix before hexadecimal, octal and binary numbers.
    pub(crate) alternate: bool,
    /// `0`: numbers are filled with zeros after their sign and prefix.
    pub(crate) zero: bool,
    /// Least number of characters; 0 where none is given.
    pub(crate) width: u16,
    pub(crate) precision: Option<u16>,
    pub(crate) kind: Kind,
    /// Nothing differs from `{}`: kept apart so that the common case costs one test.
    pub(crate) plain: bool,
}

/// On which side padded text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Centre,
    Right,
}

/// The formatting trait that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Display,
    Debug,
    /// `x?`, integers in hexadecimal.
    DebugLowerHex,
    DebugUpperHex,
    LowerHex,
    UpperHex,
    Octal,
    Binary,
    LowerExp,
    UpperExp,
}

impl Spec {
    /// What `{}` means.
    pub(crate) const DISPLAY: Spec = Spec {
        fill: ' ',
        align: None,
        plus: false,
        alternate: false,
        zero: false,
        width: 0,
        precision: None,
        kind: Kind::Display,
        plain: true,
    };

    /// Reads as much of `text` as belongs to a spec and returns the rest.
    pub(crate) fn parse_prefix(text: &str) -> (Spec, &str) {
        let mut spec = Spec::DISPLAY;
        let mut rest = text;
        let mut characters = rest.chars();
        if let (Some(fill), Some(align)) = (characters.next(), characters.next().and_then(Align::from_char)) {
            (spec.fill, spec.align) = (fill, Some(align));
            rest = characters.as_str();
        } else if let Some(align) = rest.chars().next().and_then(Align::from_char) {
            spec.align = Some(align);
            rest = &rest[1..];
        }
        // `std::fmt` accepts `-` and gives it no meaning.
        spec.plus = eat(&mut rest, "+");
        let _ = !spec.plus && eat(&mut rest, "-");
        spec.alternate = eat(&mut rest, "#");
        spec.zero = eat(&mut rest, "0");
        spec.width = number(&mut rest).unwrap_or(0);
        if rest.strip_prefix('.').is_some_and(|after| after.starts_with(|digit: char| digit.is_ascii_digit()))
        {
            rest = &rest[1..];
            spec.precision = number(&mut rest);
        }
        // Pointers are formatted by the caller: their text is copied, whatever their kind.
        let kinds = [
            ("x?", Kind::DebugLowerHex),
            ("X?", Kind::DebugUpperHex),
            ("?", Kind::Debug),
            ("x", Kind::LowerHex),
            ("X", Kind::UpperHex),
            ("o", Kind::Octal),
            ("b", Kind::Binary),
            ("e", Kind::LowerExp),
            ("E", Kind::UpperExp),
            ("p", Kind::Display),
        ];
        for (name, kind) in kinds {
            if eat(&mut rest, name) {
                spec.kind = kind;
                break;
            }
        }
        spec.plain = Spec { plain: true, fill: ' ', align: None, ..spec } == Spec::DISPLAY;
        (spec, rest)
    }
}

impl Align {
    fn from_char(character: char) -> Option<Align> {
        match character {
            '<' => Some(Align::Left),
            '^' => Some(Align::Centre),
            '>' => Some(Align::Right),
            _ => None,
        }
    }
}

fn eat(rest: &mut &str, prefix: &str) -> bool {
    rest.strip_prefix(prefix).map(|after| *rest = after).is_some()
}

fn number(rest: &mut &str) -> Option<u16> {
    let len = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, after) = rest.split_at(len);
    *rest = after;
    // Only too many digits can fail here.
    (len > 0).then(|| digits.parse().unwrap_or(u16::MAX))
}
