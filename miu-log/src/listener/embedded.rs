//! Records that bring their call site along, from signal handlers: what stands in the record, as a site.
//!
//! Nothing in a record is trusted: what is kept for lines is escaped, a template that is none makes the record a corrupt one. Such records are rare, so that each is
//! parsed by itself.

use crate::codec::{Args, Corrupt, Value};
use crate::escape::escaped;
use crate::record::Site;
use crate::template::Template;

/// The site that the first arguments describe, and the bytes of the others.
pub(super) fn split(arguments: &[u8]) -> Result<(Site, &[u8]), Corrupt> {
    let mut args = Args::new(arguments);
    let (Value::Str(file), Value::U32(line)) = (args.next()?, args.next()?) else { return Err(Corrupt) };
    let (Value::Str(module), Value::Str(template)) = (args.next()?, args.next()?) else {
        return Err(Corrupt);
    };
    let site = Site {
        id: 0,
        file: file.to_owned(),
        line,
        // The pipeline's own records have no line.
        location: escaped(&if line == 0 { module.to_owned() } else { format!("{module}:{line}") }),
        module: module.to_owned(),
        function: String::new(),
        template: Template::parse(template).map_err(|_| Corrupt)?,
        fields: Vec::new(),
        names: Vec::new(),
    };
    Ok((site, args.rest()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::tag;

    fn text(text: &str) -> Vec<u8> {
        [&[tag::STR][..], &(text.len() as u32).to_le_bytes(), text.as_bytes()].concat()
    }

    fn record(file: &str, line: u32, module: &str, template: &str) -> Vec<u8> {
        let line = [&[tag::U32][..], &line.to_le_bytes()].concat();
        [text(file), line, text(module), text(template), vec![tag::U8, 7]].concat()
    }

    #[test]
    fn site_and_arguments_are_told_apart() {
        let bytes = record("src/a.rs", 12, "app::db", "got {}");
        let (site, rest) = split(&bytes).unwrap();
        assert_eq!((site.location.as_str(), site.file.as_str(), site.line), ("app::db:12", "src/a.rs", 12));
        assert_eq!(rest, [tag::U8, 7]);
        assert_eq!(split(&record("", 0, "miu_log", "")).unwrap().0.location, "miu_log");
    }

    #[test]
    fn what_is_forged_is_escaped_and_what_makes_no_sense_is_corrupt() {
        let bytes = record("a\n", 1, "b\x1b[2J", "c\nd {}");
        let (site, _) = split(&bytes).unwrap();
        assert_eq!(site.location, "b\\u{1b}[2J:1");
        let mut out = Vec::new();
        site.template.render(&mut Args::new(&[tag::U8, 7]), &mut out).unwrap();
        assert_eq!(out, b"c\\nd 7");
        assert!(split(&record("a", 1, "b", "lone }")).is_err());
        for len in 0..bytes.len() - 2 {
            assert!(split(&bytes[..len]).is_err(), "{len}");
        }
    }

    #[test]
    fn random_bytes_never_panic() {
        use proptest::prelude::*;
        proptest!(|(bytes in proptest::collection::vec(any::<u8>(), 0..200), template in ".*")| {
            let _ = split(&bytes);
            let _ = split(&record("a", 1, "b", &template));
        });
    }
}
