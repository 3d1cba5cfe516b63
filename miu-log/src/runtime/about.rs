//! What the control file says behind its page: what a repository is, for those who join it and for whoever recovers its records.
//!
//! ```text
//! page 4096 | length u32 | log folder, counted | clock u8 | policy u8, nanoseconds u64 | ring limit u64 | heartbeat u64
//!           | prefix, counted | level files u8 | diagnose u8 | default fields, counted | layout, counted | zone, counted | app, counted | pid u32 | mode u32
//!           | domain files u8 | isolated u8 | names of the files per domain and per level, counted | domains u32, each: name, file stem, counted
//!           | files u32, each: name, counted; levels u8; domains u32, each counted, behind u8, 0 for all; modules u32, each counted;
//!             u8, 1 for a filter that cannot be stored; layout, counted, empty where it has none; mode u32; diagnose u8
//!           | records of other crates u8, 0 for none, else: their default domain u8; span events u8; routes u32, each: target, counted, domain u16, level u8 |
//! ```
//!
//! A mode of `u32::MAX` is none, and so is a route's domain or level of which all bits are set.
//!
//! Written once, before the file has its name. Numbers are little-endian.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::Duration;

use crate::bridge::routes::Rule;
use crate::clock::nanos;
use crate::config::CheckedRoutes;
use crate::filter::LevelSet;
use crate::level::Level;
use crate::queue::OverflowPolicy;
use crate::reading::{Reading, put_counted};
use crate::ring::control::PAGE;
use crate::zone::Zone;

/// No description is nearly as long.
const LONGEST: u32 = 1 << 20;

/// Stands for no mode.
const NO_MODE: u32 = u32::MAX;

/// By what clock records are stamped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClockKind {
    Tsc = 0,
    Monotonic = 1,
    Manual = 2,
}

/// Who shows what functions capture for the diagnosis of errors. The numbers are part of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Diagnose {
    Nobody = 0,
    /// The console, or sinks that were added by hand.
    Others = 1,
    /// The log files per domain and level, and perhaps others.
    Files = 2,
}

/// A domain of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NamedDomain {
    pub(crate) name: String,
    /// Stem of its file's name.
    pub(crate) file: String,
}

/// A log file that was added by hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NamedFile {
    /// Its name, with keys.
    pub(crate) template: String,
    pub(crate) levels: LevelSet,
    /// Names; none: all.
    pub(crate) domains: Option<Vec<String>>,
    pub(crate) targets: Vec<String>,
    /// Whether it has a filter of the program's own, which nobody else knows.
    pub(crate) is_judged: bool,
    /// As [`AnyLayout::save`](crate::layout::AnyLayout::save) makes it. None: that of the repository.
    pub(crate) layout: Option<Vec<u8>>,
    pub(crate) mode: Option<u32>,
    /// Whether it shows what was captured for a diagnosis.
    pub(crate) diagnoses: bool,
}

/// See the module's description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct About {
    pub(crate) log_folder: PathBuf,
    pub(crate) clock: ClockKind,
    pub(crate) policy: OverflowPolicy,
    pub(crate) ring_limit: usize,
    pub(crate) heartbeat: Duration,
    pub(crate) prefix: Option<String>,
    pub(crate) level_files: bool,
    pub(crate) domain_files: bool,
    /// It shares its log folder with others, under the name in `app`.
    pub(crate) is_isolated: bool,
    pub(crate) diagnose: Diagnose,
    /// As they stand in a record.
    pub(crate) default_fields: Vec<u8>,
    /// As [`AnyLayout::save`](crate::layout::AnyLayout::save) makes it.
    pub(crate) layout: Vec<u8>,
    pub(crate) zone: Zone,
    pub(crate) app: String,
    /// The process that has the files, for their names.
    pub(crate) pid: u32,
    /// That of the log files.
    pub(crate) mode: Option<u32>,
    pub(crate) domain_file: String,
    pub(crate) level_file: String,
    pub(crate) domains: Vec<NamedDomain>,
    pub(crate) files: Vec<NamedFile>,
    /// Where records of other crates go; none: not into this repository.
    pub(crate) other_crates: Option<CheckedRoutes>,
}

impl NamedFile {
    fn put(&self, out: &mut Vec<u8>) {
        put_counted(out, self.template.as_bytes());
        out.push(self.levels.bits());
        out.push(u8::from(self.domains.is_some()));
        put_texts(out, self.domains.as_deref().unwrap_or_default());
        put_texts(out, &self.targets);
        out.push(u8::from(self.is_judged));
        put_counted(out, self.layout.as_deref().unwrap_or_default());
        out.extend(self.mode.unwrap_or(NO_MODE).to_le_bytes());
        out.push(u8::from(self.diagnoses));
    }

    fn read(bytes: &mut Reading<'_>) -> Option<NamedFile> {
        let template = bytes.text()?.to_owned();
        let levels = LevelSet::from_bits(bytes.u8()?)?;
        let has_domains = bytes.u8()? != 0;
        let domains = Some(read_texts(bytes)?).filter(|_| has_domains);
        let targets = read_texts(bytes)?;
        let is_judged = bytes.u8()? != 0;
        let layout = Some(bytes.counted()?.to_owned()).filter(|layout| !layout.is_empty());
        let (mode, diagnoses) = (read_mode(bytes)?, bytes.u8()? != 0);
        Some(NamedFile { template, levels, domains, targets, is_judged, layout, mode, diagnoses })
    }
}

fn put_texts(out: &mut Vec<u8>, texts: &[String]) {
    out.extend((texts.len() as u32).to_le_bytes());
    texts.iter().for_each(|text| put_counted(out, text.as_bytes()));
}

fn read_texts(bytes: &mut Reading<'_>) -> Option<Vec<String>> {
    (0..bytes.u32()?).map(|_| bytes.text().map(str::to_owned)).collect()
}

fn read_mode(bytes: &mut Reading<'_>) -> Option<Option<u32>> {
    Some(Some(bytes.u32()?).filter(|mode| *mode != NO_MODE))
}

impl About {
    /// Writes it behind the page.
    pub(crate) fn write_to(&self, file: &File) -> io::Result<()> {
        let mut out = vec![0; 4];
        put_counted(&mut out, self.log_folder.as_os_str().as_bytes());
        out.push(self.clock as u8);
        let (policy, limit) = match self.policy {
            OverflowPolicy::BlockThenShed(limit) => (0, limit),
            OverflowPolicy::Block => (1, Duration::ZERO),
            OverflowPolicy::DropNewest => (2, Duration::ZERO),
        };
        out.push(policy);
        out.extend(nanos(limit).to_le_bytes());
        out.extend((self.ring_limit as u64).to_le_bytes());
        out.extend(nanos(self.heartbeat).to_le_bytes());
        put_counted(&mut out, self.prefix.as_deref().unwrap_or("").as_bytes());
        out.extend([u8::from(self.level_files), self.diagnose as u8]);
        put_counted(&mut out, &self.default_fields);
        put_counted(&mut out, &self.layout);
        put_counted(&mut out, self.zone.to_string().as_bytes());
        put_counted(&mut out, self.app.as_bytes());
        out.extend(self.pid.to_le_bytes());
        out.extend(self.mode.unwrap_or(NO_MODE).to_le_bytes());
        out.extend([u8::from(self.domain_files), u8::from(self.is_isolated)]);
        put_counted(&mut out, self.domain_file.as_bytes());
        put_counted(&mut out, self.level_file.as_bytes());
        out.extend((self.domains.len() as u32).to_le_bytes());
        for domain in &self.domains {
            put_counted(&mut out, domain.name.as_bytes());
            put_counted(&mut out, domain.file.as_bytes());
        }
        out.extend((self.files.len() as u32).to_le_bytes());
        self.files.iter().for_each(|file| file.put(&mut out));
        out.push(u8::from(self.other_crates.is_some()));
        if let Some(routes) = &self.other_crates {
            put_routes(&mut out, routes);
        }
        let len = out.len() as u32 - 4;
        out[..4].copy_from_slice(&len.to_le_bytes());
        file.write_all_at(&out, PAGE as u64)
    }

    /// Reads it. Nothing in it is trusted: none where it is not whole or makes no sense.
    pub(crate) fn read(file: &File) -> Option<About> {
        let mut len = [0; 4];
        file.read_exact_at(&mut len, PAGE as u64).ok()?;
        let len = u32::from_le_bytes(len);
        if len > LONGEST {
            return None;
        }
        let mut bytes = vec![0; len as usize];
        file.read_exact_at(&mut bytes, PAGE as u64 + 4).ok()?;
        About::parse(&bytes)
    }

    fn parse(bytes: &[u8]) -> Option<About> {
        let mut bytes = Reading::new(bytes);
        let log_folder = PathBuf::from(OsStr::from_bytes(bytes.counted()?));
        let clock = match bytes.u8()? {
            0 => ClockKind::Tsc,
            1 => ClockKind::Monotonic,
            2 => ClockKind::Manual,
            _ => return None,
        };
        let (policy, limit) = (bytes.u8()?, Duration::from_nanos(bytes.u64()?));
        let policy = match policy {
            0 => OverflowPolicy::BlockThenShed(limit),
            1 => OverflowPolicy::Block,
            2 => OverflowPolicy::DropNewest,
            _ => return None,
        };
        let ring_limit = usize::try_from(bytes.u64()?).ok()?;
        let heartbeat = Duration::from_nanos(bytes.u64()?);
        let prefix = Some(bytes.text()?.to_owned()).filter(|prefix| !prefix.is_empty());
        let level_files = bytes.u8()? != 0;
        let diagnose = match bytes.u8()? {
            0 => Diagnose::Nobody,
            1 => Diagnose::Others,
            2 => Diagnose::Files,
            _ => return None,
        };
        let default_fields = bytes.counted()?.to_owned();
        let layout = bytes.counted()?.to_owned();
        let zone = Zone::from(bytes.text()?);
        let app = bytes.text()?.to_owned();
        let (pid, mode) = (bytes.u32()?, read_mode(&mut bytes)?);
        let (domain_files, is_isolated) = (bytes.u8()? != 0, bytes.u8()? != 0);
        let (domain_file, level_file) = (bytes.text()?.to_owned(), bytes.text()?.to_owned());
        let count = bytes.u32()?;
        let mut domains = Vec::new();
        for _ in 0..count.min(crate::domain::MAX_DOMAINS as u32) {
            let (name, file) = (bytes.text()?.to_owned(), bytes.text()?.to_owned());
            domains.push(NamedDomain { name, file });
        }
        let files: Option<Vec<NamedFile>> = (0..bytes.u32()?).map(|_| NamedFile::read(&mut bytes)).collect();
        let files = files?;
        let other_crates = match bytes.u8()? {
            0 => None,
            _ => Some(read_routes(&mut bytes, domains.len())?),
        };
        Some(About {
            log_folder,
            clock,
            policy,
            ring_limit,
            heartbeat,
            prefix,
            level_files,
            domain_files,
            is_isolated,
            diagnose,
            default_fields,
            layout,
            zone,
            app,
            pid,
            mode,
            domain_file,
            level_file,
            domains,
            files,
            other_crates,
        })
    }

    /// Its name among those that share the log folder, if it does so.
    pub(crate) fn instance(&self) -> Option<&str> {
        self.is_isolated.then_some(&*self.app)
    }

    /// The domains' names.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.domains.iter().map(|domain| domain.name.as_str()).collect()
    }
}

fn put_routes(out: &mut Vec<u8>, routes: &CheckedRoutes) {
    out.push(routes.default);
    out.push(u8::from(routes.span_events));
    out.extend((routes.rules.len() as u32).to_le_bytes());
    for Rule { prefix, domain, level } in &routes.rules {
        put_counted(out, prefix.as_bytes());
        out.extend(domain.map_or(u16::MAX, u16::from).to_le_bytes());
        out.push(level.map_or(u8::MAX, |level| level as u8));
    }
}

fn read_routes(bytes: &mut Reading<'_>, domains: usize) -> Option<CheckedRoutes> {
    let default = bytes.u8().filter(|domain| usize::from(*domain) < domains)?;
    let span_events = bytes.u8()? != 0;
    let count = bytes.u32()?;
    let mut rules = Vec::new();
    for _ in 0..count {
        let prefix = bytes.text()?.to_owned();
        let domain = match u16::from_le_bytes([bytes.u8()?, bytes.u8()?]) {
            u16::MAX => None,
            number => Some(u8::try_from(number).ok().filter(|domain| usize::from(*domain) < domains)?),
        };
        let level = match bytes.u8()? {
            u8::MAX => None,
            number => Some(Level::from_index(number)?),
        };
        rules.push(Rule { prefix, domain, level });
    }
    Some(CheckedRoutes { rules, default, span_events })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::layout::AnyLayout;
    use crate::level::Level;

    #[test]
    fn a_description_is_read_back() {
        let about = About {
            log_folder: PathBuf::from(OsStr::from_bytes(b"/var/log/\xff")),
            clock: ClockKind::Manual,
            policy: OverflowPolicy::BlockThenShed(Duration::from_millis(7)),
            ring_limit: 1 << 21,
            heartbeat: Duration::from_secs(60),
            prefix: Some("api".to_owned()),
            level_files: true,
            domain_files: false,
            is_isolated: true,
            diagnose: Diagnose::Files,
            default_fields: vec![15, 1, 0, 0, 0, b'a', 0],
            layout: AnyLayout::default().save(),
            zone: Zone::Fixed(-3600),
            app: "orders".to_owned(),
            pid: 42,
            mode: Some(0o600),
            domain_file: "{app}-{domain}.log".to_owned(),
            level_file: "{level}-{pid}.log".to_owned(),
            domains: vec![NamedDomain { name: "db".to_owned(), file: "database".to_owned() }],
            files: vec![
                NamedFile {
                    template: "errors_{time:YYYY-MM-DD}.log".to_owned(),
                    levels: LevelSet::from(Level::Error),
                    domains: Some(vec!["db".to_owned()]),
                    targets: vec!["shop::db".to_owned()],
                    is_judged: true,
                    layout: Some(AnyLayout::default().save()),
                    mode: None,
                    diagnoses: true,
                },
                NamedFile {
                    template: "all.log".to_owned(),
                    levels: LevelSet::ALL,
                    domains: None,
                    targets: Vec::new(),
                    is_judged: false,
                    layout: None,
                    mode: Some(0o640),
                    diagnoses: false,
                },
            ],
            other_crates: Some(CheckedRoutes {
                rules: vec![
                    Rule { prefix: "sqlx".to_owned(), domain: Some(0), level: None },
                    Rule { prefix: "hyper".to_owned(), domain: None, level: Some(Level::Warning) },
                ],
                default: 0,
                span_events: true,
            }),
        };
        let file = tempfile::tempfile().unwrap();
        assert_eq!(About::read(&file), None);
        about.write_to(&file).unwrap();
        assert_eq!(About::read(&file), Some(about));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = About::parse(&bytes);
        }
    }
}
