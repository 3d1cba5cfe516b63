//! What the control file says behind its page: what a repository is, for those who join it and for whoever recovers its records.
//!
//! ```text
//! page 4096 | length u32 | log folder, counted | clock u8 | policy u8, nanoseconds u64 | ring limit u64 | heartbeat u64
//!           | prefix, counted | level files u8 | diagnose u8 | default fields, counted | layout, counted | zone, counted | domains u32, each: name, file stem, counted |
//! ```
//!
//! Written once, before the file has its name. Numbers are little-endian.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::Duration;

use crate::clock::nanos;
use crate::queue::OverflowPolicy;
use crate::reading::{Reading, put_counted};
use crate::ring::control::PAGE;
use crate::zone::Zone;

/// No description is nearly as long.
const LONGEST: u32 = 1 << 20;

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
    /// The console alone.
    Console = 1,
    /// The log files, and perhaps the console.
    Files = 2,
}

/// A domain of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NamedDomain {
    pub(crate) name: String,
    /// Stem of its file's name.
    pub(crate) file: String,
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
    pub(crate) diagnose: Diagnose,
    /// As they stand in a record.
    pub(crate) default_fields: Vec<u8>,
    /// As [`AnyLayout::save`](crate::layout::AnyLayout::save) makes it.
    pub(crate) layout: Vec<u8>,
    pub(crate) zone: Zone,
    pub(crate) domains: Vec<NamedDomain>,
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
        out.extend((self.domains.len() as u32).to_le_bytes());
        for domain in &self.domains {
            put_counted(&mut out, domain.name.as_bytes());
            put_counted(&mut out, domain.file.as_bytes());
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
            1 => Diagnose::Console,
            2 => Diagnose::Files,
            _ => return None,
        };
        let default_fields = bytes.counted()?.to_owned();
        let layout = bytes.counted()?.to_owned();
        let zone = Zone::from(bytes.text()?);
        let count = bytes.u32()?;
        let mut domains = Vec::new();
        for _ in 0..count.min(crate::domain::MAX_DOMAINS as u32) {
            let (name, file) = (bytes.text()?.to_owned(), bytes.text()?.to_owned());
            domains.push(NamedDomain { name, file });
        }
        Some(About {
            log_folder,
            clock,
            policy,
            ring_limit,
            heartbeat,
            prefix,
            level_files,
            diagnose,
            default_fields,
            layout,
            zone,
            domains,
        })
    }

    /// The domains' names.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.domains.iter().map(|domain| domain.name.as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::layout::AnyLayout;

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
            diagnose: Diagnose::Files,
            default_fields: vec![15, 1, 0, 0, 0, b'a', 0],
            layout: AnyLayout::default().save(),
            zone: Zone::Fixed(-3600),
            domains: vec![NamedDomain { name: "db".to_owned(), file: "database".to_owned() }],
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
