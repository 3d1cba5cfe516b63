//! Formats of the time in a line: `YYYY-MM-DD HH:mm:ss.SSS`, read once.
//!
//! The tokens are those of loguru's documentation, "The time formatting". Letters are tokens and nothing else, so that a misspelt one is an error;
//! text stands in brackets. Called by `pattern` for the parsing and by `stamp` for the writing.

use std::io::Write as _;

use crate::escape::is_harmless;
use crate::zone::{Civil, Span};

/// How a time is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TimeFormat {
    /// `YYYY-MM-DD HH:mm:ss.SSS`, which is written faster than all others.
    Usual,
    Other(Box<Custom>),
}

/// Any other format.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Custom {
    pub(super) pieces: Vec<Piece>,
    /// In universal time, whatever the zone.
    pub(super) utc: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    Token(Token),
}

/// A part of a date or time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Year,
    ShortYear,
    Quarter,
    MonthName,
    ShortMonthName,
    Month {
        padded: bool,
    },
    DayOfYear {
        padded: bool,
    },
    Day {
        padded: bool,
    },
    WeekdayName,
    ShortWeekdayName,
    /// Monday is the first: 0 or, in ISO 8601, 1.
    Weekday {
        first: u8,
    },
    Hour {
        padded: bool,
    },
    ShortHour {
        padded: bool,
    },
    Minute {
        padded: bool,
    },
    Second {
        padded: bool,
    },
    /// So many digits of the second's fraction.
    Fraction(u8),
    HalfOfDay,
    Offset {
        colon: bool,
    },
    Abbreviation,
    UnixSeconds,
    UnixMicroseconds,
}

const TOKENS: [(&str, Token); 38] = [
    ("YYYY", Token::Year),
    ("YY", Token::ShortYear),
    ("Q", Token::Quarter),
    ("MMMM", Token::MonthName),
    ("MMM", Token::ShortMonthName),
    ("MM", Token::Month { padded: true }),
    ("M", Token::Month { padded: false }),
    ("DDDD", Token::DayOfYear { padded: true }),
    ("DDD", Token::DayOfYear { padded: false }),
    ("DD", Token::Day { padded: true }),
    ("D", Token::Day { padded: false }),
    ("dddd", Token::WeekdayName),
    ("ddd", Token::ShortWeekdayName),
    ("d", Token::Weekday { first: 0 }),
    ("E", Token::Weekday { first: 1 }),
    ("HH", Token::Hour { padded: true }),
    ("H", Token::Hour { padded: false }),
    ("hh", Token::ShortHour { padded: true }),
    ("h", Token::ShortHour { padded: false }),
    ("mm", Token::Minute { padded: true }),
    ("m", Token::Minute { padded: false }),
    ("ss", Token::Second { padded: true }),
    ("s", Token::Second { padded: false }),
    ("S", Token::Fraction(1)),
    ("SS", Token::Fraction(2)),
    ("SSS", Token::Fraction(3)),
    ("SSSS", Token::Fraction(4)),
    ("SSSSS", Token::Fraction(5)),
    ("SSSSSS", Token::Fraction(6)),
    ("SSSSSSS", Token::Fraction(7)),
    ("SSSSSSSS", Token::Fraction(8)),
    ("SSSSSSSSS", Token::Fraction(9)),
    ("A", Token::HalfOfDay),
    ("Z", Token::Offset { colon: true }),
    ("ZZ", Token::Offset { colon: false }),
    ("zz", Token::Abbreviation),
    ("X", Token::UnixSeconds),
    ("x", Token::UnixMicroseconds),
];

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// What [`TimeFormat::Usual`] is in tokens.
const USUAL: &str = "YYYY-MM-DD HH:mm:ss.SSS";
/// RFC 3339, in ISO 8601's extended format.
const RFC_3339: &str = "YYYY-MM-DD[T]HH:mm:ss.SSSZ";
/// Behind a format: in universal time.
const UTC_SUFFIX: &str = "!UTC";

impl TimeFormat {
    /// Reads a format. A mistake comes with its place, in bytes.
    pub(super) fn parse(text: &str) -> Result<TimeFormat, (usize, String)> {
        let (format, utc) = match text.strip_suffix(UTC_SUFFIX) {
            Some(format) => (format, true),
            None => (text, false),
        };
        let format = match format {
            // What stands for nothing but universal time is the usual format in it.
            "" if utc => USUAL,
            "rfc3339" | "iso8601" => RFC_3339,
            other => other,
        };
        if format == USUAL && !utc {
            return Ok(TimeFormat::Usual);
        }
        Ok(TimeFormat::Other(Box::new(Custom { pieces: pieces(format)?, utc })))
    }
}

fn pieces(format: &str) -> Result<Vec<Piece>, (usize, String)> {
    let mut pieces = Vec::new();
    let mut rest = format;
    let push_text = |pieces: &mut Vec<Piece>, more: &str| match pieces.last_mut() {
        Some(Piece::Text(text)) => text.push_str(more),
        _ => pieces.push(Piece::Text(more.to_owned())),
    };
    while let Some(first) = rest.chars().next() {
        let at = format.len() - rest.len();
        let (piece, after) = match first {
            '[' => {
                let Some((text, after)) = rest[1..].split_once(']') else {
                    return Err((
                        at,
                        "a `[` without its `]`, between which text stands in a time".to_owned(),
                    ));
                };
                (text, after)
            }
            letter if letter.is_ascii_alphabetic() => {
                let (token, after) = rest.split_at(rest.find(|other| other != letter).unwrap_or(rest.len()));
                let Some((_, known)) = TOKENS.iter().find(|(known, _)| *known == token) else {
                    return Err((at, unknown_token(token)));
                };
                pieces.push(Piece::Token(*known));
                rest = after;
                continue;
            }
            _ => rest.split_at(first.len_utf8()),
        };
        if !is_harmless(piece) {
            return Err((at, format!("a control character in {piece:?}; a record is always one line")));
        }
        push_text(&mut pieces, piece);
        rest = after;
    }
    Ok(pieces)
}

fn unknown_token(token: &str) -> String {
    let known = TOKENS.map(|(known, _)| known).join(", ");
    format!(
        "the unknown token {token:?} of a time; accepted are {known}, text as in [{token}], rfc3339 and iso8601, and {UTC_SUFFIX} at the end"
    )
}

impl Custom {
    /// Whether a token needs the fraction of the second where none of fixed length stands.
    pub(super) fn is_new_each_time(&self) -> bool {
        self.pieces.contains(&Piece::Token(Token::UnixMicroseconds))
    }

    /// Writes the time, and notes where the digits of a fraction stand.
    pub(super) fn write(
        &self,
        unix_second: i64,
        nanosecond: i64,
        span: &Span,
        out: &mut Vec<u8>,
        fractions: &mut Vec<(usize, u8)>,
    ) {
        let civil = Civil::new(unix_second, nanosecond, span.offset);
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.extend_from_slice(text.as_bytes()),
                Piece::Token(Token::Fraction(digits)) => {
                    fractions.push((out.len(), *digits));
                    out.resize(out.len() + usize::from(*digits), b'0');
                }
                Piece::Token(token) => token.write(unix_second, &civil, span, out),
            }
        }
    }
}

impl Token {
    fn write(self, unix_second: i64, civil: &Civil, span: &Span, out: &mut Vec<u8>) {
        let half = match civil.hour % 12 {
            0 => 12,
            hour => hour,
        };
        let (number, width) = match self {
            Token::Year => (civil.year, 4),
            Token::ShortYear => (civil.year.rem_euclid(100), 2),
            Token::Quarter => ((civil.month - 1) / 3 + 1, 1),
            Token::Month { padded } => (civil.month, width(padded)),
            Token::DayOfYear { padded } => (civil.day_of_year(), if padded { 3 } else { 1 }),
            Token::Day { padded } => (civil.day, width(padded)),
            Token::Weekday { first } => (civil.weekday() + i64::from(first), 1),
            Token::Hour { padded } => (civil.hour, width(padded)),
            Token::ShortHour { padded } => (half, width(padded)),
            Token::Minute { padded } => (civil.minute, width(padded)),
            Token::Second { padded } => (civil.second, width(padded)),
            Token::UnixSeconds => (unix_second, 1),
            Token::UnixMicroseconds => {
                (unix_second.saturating_mul(1_000_000).saturating_add(civil.nanosecond / 1_000), 1)
            }
            _ => return out.extend_from_slice(self.word(civil, span).as_bytes()),
        };
        // Writing to a vector cannot fail.
        let _ = write!(out, "{number:0width$}");
    }

    fn word(self, civil: &Civil, span: &Span) -> String {
        let month = MONTHS.get((civil.month - 1) as usize).copied().unwrap_or_default();
        let weekday = WEEKDAYS.get(civil.weekday() as usize).copied().unwrap_or_default();
        match self {
            Token::MonthName => month.to_owned(),
            Token::ShortMonthName => month[..3].to_owned(),
            Token::WeekdayName => weekday.to_owned(),
            Token::ShortWeekdayName => weekday[..3].to_owned(),
            Token::HalfOfDay => if civil.hour < 12 { "AM" } else { "PM" }.to_owned(),
            Token::Offset { colon } => {
                let (sign, minutes) =
                    (if civil.offset < 0 { '-' } else { '+' }, civil.offset.unsigned_abs() / 60);
                let colon = if colon { ":" } else { "" };
                format!("{sign}{:02}{colon}{:02}", minutes / 60, minutes % 60)
            }
            Token::Abbreviation => crate::escape::escaped(&span.abbreviation),
            _ => String::new(),
        }
    }
}

fn width(padded: bool) -> usize {
    if padded { 2 } else { 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_format_is_known_by_its_tokens() {
        assert_eq!(TimeFormat::parse(USUAL), Ok(TimeFormat::Usual));
        assert_ne!(TimeFormat::parse("YYYY-MM-DD HH:mm:ss.SSS!UTC"), Ok(TimeFormat::Usual));
        assert_eq!(TimeFormat::parse("rfc3339"), TimeFormat::parse("iso8601"));
    }

    #[test]
    fn a_mistake_is_named_with_its_place_and_what_is_accepted() {
        let (at, problem) = TimeFormat::parse("HH:mm:sss").unwrap_err();
        assert_eq!(at, 6);
        assert!(
            problem.starts_with("the unknown token \"sss\" of a time; accepted are YYYY, YY, Q, "),
            "{problem}"
        );
        assert!(
            problem.ends_with("x, text as in [sss], rfc3339 and iso8601, and !UTC at the end"),
            "{problem}"
        );
        assert_eq!(TimeFormat::parse("YYYY-MM-DDTHH:mm").unwrap_err().0, 10);
        assert_eq!(TimeFormat::parse("HH [Uhr").unwrap_err().0, 3);
        assert!(TimeFormat::parse("HH\nmm").unwrap_err().1.contains("control character"));
        assert!(TimeFormat::parse("HH[\u{1b}]").unwrap_err().1.contains("control character"));
    }
}
