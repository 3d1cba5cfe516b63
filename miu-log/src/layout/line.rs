//! The layout of a [`Pattern`]: a record as a line of text.
//!
//! All that does not change from record to record is made once: literal text, and every level's
//! name with its colour and padding. A stretch of the pattern that says nothing but where a record comes from is the same
//! for all records of a call site in a thread: its text is kept. What [`crate::record`] promises to be escaped is
//! copied, everything else is escaped here.
//!
//! Called through [`LineLayout`].

use std::io::Write as _;

use crate::codec::{Args, Corrupt, Value};
use crate::escape::{DETAIL_MARK, escape_into, push_indented};
use crate::level::Level;
use crate::record::{Extra, Record, Site};
use crate::template::{Align, Spec, pad, write_field};
use crate::zone::Zone;

use super::colour::{Tag, codes_at_start, end, level_name};
use super::pattern::{Field, Key, Pattern, Step};
use super::stamp::Stamp;
use super::time_format::TimeFormat;
use super::{LineLayout, Unwritten, whole_or_nothing};

/// Writes records in a pattern.
#[derive(Debug)]
pub(crate) struct PatternLayout {
    parts: Vec<Part>,
    /// Whether a line may start with text of a record, so that its start has to be looked at.
    guards_start: bool,
}

/// How many texts of a stretch are kept: a power of two.
const KEPT: usize = 256;

/// A stretch of parts without time, message and fields, and its latest texts.
#[derive(Debug)]
struct Origin {
    parts: Vec<Part>,
    kept: Vec<Kept>,
}

/// The text of a stretch for one origin of records.
#[derive(Clone, Debug, Default)]
struct Kept {
    /// Call site (0: nothing is kept here), level, domain's name by address, and ring.
    site: u32,
    level: u8,
    domain: usize,
    ring: u64,
    text: Vec<u8>,
}

impl Origin {
    /// Writes the stretch: a copy, if a record of the same origin came before.
    #[inline]
    fn write(
        &mut self,
        record: &Record<'_>,
        reader: &mut Reader<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Corrupt> {
        let (site, level, domain) = (record.site.id, record.level as u8, record.domain.as_ptr() as usize);
        let mixed = (u64::from(site) << 3 ^ u64::from(level) ^ record.ring << 5) as usize ^ domain;
        let kept = &mut self.kept[mixed % KEPT];
        if kept.site == site
            && kept.level == level
            && kept.domain == domain
            && kept.ring == record.ring
            && site != 0
        {
            out.extend_from_slice(&kept.text);
            return Ok(());
        }
        let start = out.len();
        for part in &mut self.parts {
            part.write(record, reader, out)?;
        }
        kept.text.clear();
        kept.text.extend_from_slice(&out[start..]);
        (kept.site, kept.level, kept.domain, kept.ring) = (site, level, domain, record.ring);
        Ok(())
    }
}

/// One step of a pattern, ready to be written.
#[derive(Debug)]
enum Part {
    Origin(Origin),
    Literal(Fixed),
    /// The text of each level, by its number.
    Level([Fixed; Level::ALL.len()]),
    Time(Stamp),
    Key(Key),
    Padded(Box<Part>, Spec),
}

impl Part {
    /// Whether its text is the same for all records of a call site, level, domain and ring.
    fn is_origin(&self) -> bool {
        match self {
            Part::Literal(_) | Part::Level(_) | Part::Origin(_) => true,
            Part::Time(_) => false,
            Part::Key(key) => {
                !matches!(key, Key::Message | Key::Fields | Key::Rest(_) | Key::Extra | Key::Field(_))
            }
            Part::Padded(part, _) => part.is_origin(),
        }
    }

    #[inline]
    fn write(
        &mut self,
        record: &Record<'_>,
        reader: &mut Reader<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Corrupt> {
        match self {
            Part::Origin(origin) => origin.write(record, reader, out)?,
            Part::Literal(text) => text.write(out),
            Part::Level(texts) => texts[record.level as usize].write(out),
            Part::Time(stamp) => stamp.write(record.time, out),
            Part::Key(key) => write_key(key, record, reader, out)?,
            Part::Padded(part, spec) => {
                let start = out.len();
                part.write(record, reader, out)?;
                pad(spec, Align::Left, start, out);
            }
        }
        Ok(())
    }
}

/// Ends a stretch: one part alone is written as it is.
fn close(stretch: &mut Vec<Part>, parts: &mut Vec<Part>) {
    if stretch.len() > 1 {
        parts
            .push(Part::Origin(Origin { parts: std::mem::take(stretch), kept: vec![Kept::default(); KEPT] }));
    } else {
        parts.append(stretch);
    }
}

/// Text that is the same in every record. Copying sixteen bytes and dropping those too many is faster
/// than copying a number of bytes that only the text knows.
#[derive(Debug)]
enum Fixed {
    Short { bytes: [u8; 16], len: usize },
    Long(String),
}

impl Fixed {
    fn new(text: &str) -> Fixed {
        let mut bytes = [0; 16];
        match bytes.get_mut(..text.len()) {
            Some(head) => {
                head.copy_from_slice(text.as_bytes());
                Fixed::Short { bytes, len: text.len() }
            }
            None => Fixed::Long(text.to_owned()),
        }
    }

    #[inline]
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Fixed::Short { bytes, len } => {
                let end = out.len() + len;
                out.extend_from_slice(bytes);
                out.truncate(end);
            }
            Fixed::Long(text) => out.extend_from_slice(text.as_bytes()),
        }
    }
}

impl PatternLayout {
    pub(crate) fn new(pattern: &Pattern, colour: bool, zone: &Zone) -> PatternLayout {
        let mut tags = Vec::new();
        let mut parts = Vec::new();
        let mut stretch = Vec::new();
        for step in pattern.steps() {
            let Some(part) = part(step, colour, zone, &mut tags) else { continue };
            if part.is_origin() {
                stretch.push(part);
                continue;
            }
            close(&mut stretch, &mut parts);
            parts.push(part);
        }
        close(&mut stretch, &mut parts);
        let first = pattern.steps().iter().find(|step| !matches!(step, Step::Begin(_) | Step::End));
        let starts_safely = matches!(first, Some(Step::Key(Key::Time(TimeFormat::Usual) | Key::Level)));
        PatternLayout { parts, guards_start: !starts_safely }
    }

    fn write_all(&mut self, record: &Record<'_>, out: &mut Vec<u8>) -> Result<(), Corrupt> {
        let start = out.len();
        let mut reader = Reader::new(record);
        for part in &mut self.parts {
            part.write(record, &mut reader, out)?;
        }
        if self.guards_start {
            guard(start, out);
        }
        out.push(b'\n');
        reader.write_detail(out)
    }
}

impl LineLayout for PatternLayout {
    fn write(&mut self, record: &Record<'_>, out: &mut Vec<u8>) -> Result<(), Unwritten> {
        Ok(whole_or_nothing(out, |out| self.write_all(record, out))?)
    }
}

/// Makes a line that looks like one of a detail look like none.
fn guard(start: usize, out: &mut Vec<u8>) {
    // A terminal does not show codes of colours.
    let start = start + codes_at_start(&out[start..]);
    if out[start..].starts_with(DETAIL_MARK.as_bytes()) {
        out.splice(start..=start, *b"\\u{20}");
    }
}

/// What writes a step; nothing for a tag where there are no colours. `tags` are those that are open.
fn part(step: &Step, colour: bool, zone: &Zone, tags: &mut Vec<Tag>) -> Option<Part> {
    Some(match step {
        Step::Literal(text) => Part::Literal(Fixed::new(text)),
        Step::Begin(tag) => {
            tags.push(*tag);
            return colour.then(|| Part::Level(Level::ALL.map(|level| Fixed::new(&tag.begin(level)))));
        }
        Step::End => {
            tags.pop();
            return colour.then(|| Part::Level(Level::ALL.map(|level| Fixed::new(&end(tags, level)))));
        }
        // Within a tag a level has the tag's colour.
        Step::Key(Key::Level) => Part::Level(level_texts(&Spec::DISPLAY, colour && tags.is_empty())),
        Step::Padded(Key::Level, spec) => Part::Level(level_texts(spec, colour && tags.is_empty())),
        Step::Key(Key::Time(format)) => Part::Time(Stamp::new(format, zone)),
        Step::Key(key) => Part::Key(key.clone()),
        Step::Padded(key, spec) => {
            Part::Padded(Box::new(part(&Step::Key(key.clone()), colour, zone, tags)?), *spec)
        }
    })
}

/// Every level's text: the coloured name, padded as if it had no colour.
fn level_texts(spec: &Spec, colour: bool) -> [Fixed; Level::ALL.len()] {
    Level::ALL.map(|level| {
        let mut padded = level.as_str().as_bytes().to_vec();
        pad(spec, Align::Left, 0, &mut padded);
        // Padding repeats one character, which no name does, so that the name is found in its place.
        let padded = String::from_utf8_lossy(&padded);
        Fixed::new(&padded.replacen(level.as_str(), &level_name(level, colour), 1))
    })
}

#[inline]
fn write_key(
    key: &Key,
    record: &Record<'_>,
    reader: &mut Reader<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Corrupt> {
    let site = record.site;
    match key {
        // It has a part of its own.
        Key::Time(_) => {}
        Key::LevelNumber => write_number(LEVEL_NUMBERS[record.level as usize], out),
        Key::Level => out.extend_from_slice(record.level.as_str().as_bytes()),
        Key::Domain => escape_into(record.domain, out),
        Key::Process => escape_into(record.process, out),
        Key::Thread => escape_into(record.thread, out),
        Key::Location => out.extend_from_slice(site.location.as_bytes()),
        Key::Message => reader.write_message(out)?,
        Key::Fields => reader.write_fields(b" | ", &[], out)?,
        Key::Rest(named) => reader.write_fields(b" | ", named, out)?,
        Key::Extra => reader.write_fields(b"", &[], out)?,
        Key::Field(field) => reader.write_field(field, out)?,
        Key::Pid => write_number(record.process_id, out),
        Key::Tid => write_number(record.thread_id, out),
        Key::Line => write_number(site.line, out),
        Key::Module => escape_into(&site.module, out),
        Key::Function => escape_into(&site.function, out),
        Key::Name if site.module.is_empty() => escape_into(&site.file, out),
        Key::Name => escape_into(&site.module, out),
        Key::File => escape_into(&site.file, out),
        Key::FileName => escape_into(site.file.rsplit('/').next().unwrap_or_default(), out),
    }
    Ok(())
}

/// The levels as numbers, as loguru and Python's `logging` have them.
const LEVEL_NUMBERS: [u32; Level::ALL.len()] = [5, 10, 20, 25, 30, 40, 50];

fn write_number(number: u32, out: &mut Vec<u8>) {
    // Writing to a vector cannot fail.
    let _ = write!(out, "{number}");
}

/// Reads a record's arguments as the pattern asks for them: in any order, or never.
struct Reader<'a> {
    site: &'a Site,
    extra: Extra<'a>,
    message: Args<'a>,
    /// Where the fields' values start, once it is known.
    fields: Option<Args<'a>>,
    /// What is left after the fields, once it is known.
    detail: Option<Args<'a>>,
}

impl<'a> Reader<'a> {
    fn new(record: &Record<'a>) -> Reader<'a> {
        Reader { site: record.site, extra: record.extra, message: record.args, fields: None, detail: None }
    }

    fn write_message(&mut self, out: &mut Vec<u8>) -> Result<(), Corrupt> {
        let mut args = self.message;
        self.site.template.render(&mut args, out)?;
        self.fields = Some(args);
        Ok(())
    }

    fn fields(&mut self) -> Result<Args<'a>, Corrupt> {
        if let Some(args) = self.fields {
            return Ok(args);
        }
        let mut args = self.message;
        self.site.template.skip(&mut args)?;
        self.fields = Some(args);
        Ok(args)
    }

    /// Writes one field's value, or what stands for it.
    fn write_field(&mut self, field: &Field, out: &mut Vec<u8>) -> Result<(), Corrupt> {
        let mut args = self.fields()?;
        for name in &self.site.fields {
            let value = args.next()?;
            if *name == field.name {
                write_field(&value, out);
                return Ok(());
            }
        }
        match self.extra.get(&field.given) {
            Some(ref value) => write_field(value, out),
            None => out.extend_from_slice(field.default.as_bytes()),
        }
        Ok(())
    }

    /// Writes all fields but those that are `named` elsewhere, the first one behind this separator.
    fn write_fields(
        &mut self,
        mut separator: &'static [u8],
        named: &[Field],
        out: &mut Vec<u8>,
    ) -> Result<(), Corrupt> {
        let mut args = self.fields()?;
        for name in &self.site.fields {
            let Ok(ref value) = args.next() else { return Err(Corrupt) };
            if named.iter().any(|field| field.name == *name) {
                continue;
            }
            out.extend_from_slice(separator);
            out.extend_from_slice(name.as_bytes());
            out.push(b'=');
            write_field(value, out);
            separator = b" ";
        }
        self.detail = Some(args);
        if self.extra.is_empty() {
            return Ok(());
        }
        for (name, value) in self.extra.iter(&self.site.names) {
            if named.iter().any(|field| field.given == name) {
                continue;
            }
            out.extend_from_slice(separator);
            escape_into(name, out);
            out.push(b'=');
            write_field(&value, out);
            separator = b" ";
        }
        Ok(())
    }

    /// Writes the detail behind the line, where the record has one.
    fn write_detail(&mut self, out: &mut Vec<u8>) -> Result<(), Corrupt> {
        let mut args = match self.detail {
            Some(args) => args,
            None => {
                let mut args = self.fields()?;
                for _ in &self.site.fields {
                    args.next()?;
                }
                args
            }
        };
        if args.is_empty() {
            return Ok(());
        }
        match (args.next()?, args.is_empty()) {
            (Value::Str(text) | Value::Rendered(text), true) => {
                push_indented(text, out);
                Ok(())
            }
            _ => Err(Corrupt),
        }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
pub(super) mod tests;
