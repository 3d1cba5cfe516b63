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
use crate::record::{Record, Site};
use crate::template::{Align, Spec, pad, write_field};
use crate::zone::Zone;

use super::colour::level_name;
use super::pattern::{Key, Pattern, Step};
use super::stamp::Stamp;
use super::{LineLayout, Unwritten};

/// Writes records in a pattern.
#[derive(Debug)]
pub(crate) struct PatternLayout {
    parts: Vec<Part>,
    stamp: Stamp,
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
        stamp: &mut Stamp,
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
            part.write(stamp, record, reader, out)?;
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
    Key(Key),
    Padded(Key, Spec),
}

impl Part {
    /// Whether its text is the same for all records of a call site, level, domain and ring.
    fn is_origin(&self) -> bool {
        match self {
            Part::Literal(_) | Part::Level(_) | Part::Origin(_) => true,
            Part::Key(key) | Part::Padded(key, _) => !matches!(key, Key::Time | Key::Message | Key::Fields),
        }
    }

    #[inline]
    fn write(
        &mut self,
        stamp: &mut Stamp,
        record: &Record<'_>,
        reader: &mut Reader<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Corrupt> {
        match self {
            Part::Origin(origin) => origin.write(stamp, record, reader, out)?,
            Part::Literal(text) => text.write(out),
            Part::Level(texts) => texts[record.level as usize].write(out),
            Part::Key(key) => write_key(*key, stamp, record, reader, out)?,
            Part::Padded(key, spec) => {
                let start = out.len();
                write_key(*key, stamp, record, reader, out)?;
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
        let part = |step: &Step| match *step {
            Step::Literal(ref text) => Part::Literal(Fixed::new(text)),
            Step::Key(Key::Level) => Part::Level(level_texts(&Spec::DISPLAY, colour)),
            Step::Padded(Key::Level, spec) => Part::Level(level_texts(&spec, colour)),
            Step::Key(key) => Part::Key(key),
            Step::Padded(key, spec) => Part::Padded(key, spec),
        };
        let mut parts = Vec::new();
        let mut stretch = Vec::new();
        for part in pattern.steps().iter().map(part) {
            if part.is_origin() {
                stretch.push(part);
                continue;
            }
            close(&mut stretch, &mut parts);
            parts.push(part);
        }
        close(&mut stretch, &mut parts);
        PatternLayout {
            parts,
            stamp: Stamp::new(zone.clone()),
            guards_start: !matches!(pattern.steps().first(), Some(Step::Key(Key::Time | Key::Level))),
        }
    }

    fn write_all(&mut self, record: &Record<'_>, out: &mut Vec<u8>) -> Result<(), Corrupt> {
        let start = out.len();
        let mut reader = Reader::new(record);
        for part in &mut self.parts {
            part.write(&mut self.stamp, record, &mut reader, out)?;
        }
        if self.guards_start && out[start..].starts_with(DETAIL_MARK.as_bytes()) {
            out.splice(start..=start, *b"\\u{20}");
        }
        out.push(b'\n');
        reader.write_detail(out)
    }
}

impl LineLayout for PatternLayout {
    fn write(&mut self, record: &Record<'_>, out: &mut Vec<u8>) -> Result<(), Unwritten> {
        let start = out.len();
        let written = self.write_all(record, out);
        if written.is_err() {
            out.truncate(start);
        }
        Ok(written?)
    }
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
    key: Key,
    stamp: &mut Stamp,
    record: &Record<'_>,
    reader: &mut Reader<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Corrupt> {
    let site = record.site;
    match key {
        Key::Time => stamp.write(record.time, out),
        Key::Level => out.extend_from_slice(record.level.as_str().as_bytes()),
        Key::Domain => escape_into(record.domain, out),
        Key::Process => escape_into(record.process, out),
        Key::Thread => escape_into(record.thread, out),
        Key::Location => out.extend_from_slice(site.location.as_bytes()),
        Key::Message => reader.write_message(out)?,
        Key::Fields => reader.write_fields(out)?,
        Key::Pid => write_number(record.process_id, out),
        Key::Tid => write_number(record.thread_id, out),
        Key::Line => write_number(site.line, out),
        Key::Module => escape_into(&site.module, out),
        Key::Function => escape_into(&site.function, out),
        Key::File => escape_into(&site.file, out),
    }
    Ok(())
}

fn write_number(number: u32, out: &mut Vec<u8>) {
    // Writing to a vector cannot fail.
    let _ = write!(out, "{number}");
}

/// Reads a record's arguments as the pattern asks for them: in any order, or never.
struct Reader<'a> {
    site: &'a Site,
    message: Args<'a>,
    /// Where the fields' values start, once it is known.
    fields: Option<Args<'a>>,
    /// What is left after the fields, once it is known.
    detail: Option<Args<'a>>,
}

impl<'a> Reader<'a> {
    fn new(record: &Record<'a>) -> Reader<'a> {
        Reader { site: record.site, message: record.args, fields: None, detail: None }
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

    fn write_fields(&mut self, out: &mut Vec<u8>) -> Result<(), Corrupt> {
        let mut args = self.fields()?;
        let mut separator: &[u8] = b" | ";
        for name in &self.site.fields {
            out.extend_from_slice(separator);
            out.extend_from_slice(name.as_bytes());
            out.push(b'=');
            let Ok(ref value) = args.next() else { return Err(Corrupt) };
            write_field(value, out);
            separator = b" ";
        }
        self.detail = Some(args);
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
