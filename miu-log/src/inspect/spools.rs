//! What the remote sinks of a log folder keep: records that wait for their destination, and those that it has refused.
//!
//! A program that runs goes on meanwhile, without noticing: what has arrived is read first, so that a record which arrives now may count as waiting, and none is missed;
//! a file that is gone by then had nothing left. Called by `inspect`.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::{Directory, Look};
use crate::runtime;
use crate::sink::outbox::dead_letters;
use crate::sink::outbox::spool::tally::{FOLDER, POSITION, POSITION_LEN, Tally, owner_of};

/// How much is read of one file. A spool begins another one after a MiB, or after a record that is longer.
const MOST_BYTES: u64 = 64 << 20;

/// What a [`Remote`](crate::Remote) keeps in the log folder: records that wait for its destination, and those that it has refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SpoolState {
    /// The program that has it, if it shares the log folder with others ([`LogConfig::isolated`](crate::LogConfig::isolated)). As `name`, it is a part of a folder's
    /// name, and may be any text: escape both before they are shown.
    pub app: Option<String>,
    /// What the sink is called.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// How many records wait for the destination.
    pub records: u64,
    /// How many bytes these take on disk.
    pub bytes: u64,
    /// When the oldest of them was logged, by the clock of then.
    pub oldest: Option<SystemTime>,
    /// How many records its destination has refused one by one: they are in the file `dead-letters` there, and nobody offers them again.
    pub dead_letters: u64,
}

impl Look {
    /// What is in the folder of all spools, if there is one.
    pub(super) fn spools(&mut self, log_folder: &Path) -> Vec<SpoolState> {
        let Some(all) = self.open(log_folder.join(FOLDER)) else { return Vec::new() };
        let folders: Vec<_> =
            all.names.iter().filter_map(|name| Some((name, self.open(all.path.join(name))?))).collect();
        folders.into_iter().map(|(name, folder)| self.spool(name, folder)).collect()
    }

    fn spool(&mut self, name: &str, folder: Directory) -> SpoolState {
        let position = self.contents(&folder.path.join(POSITION), POSITION_LEN).unwrap_or_default();
        let mut tally = Tally::new(&position);
        // Sorted by name, and so by number.
        for name in &folder.names {
            let Some(number) = tally.number_of(name) else { continue };
            let path = folder.path.join(name);
            let Some(contents) = self.contents(&path, MOST_BYTES) else { continue };
            if !tally.add(number, &contents) {
                self.report(&path, &"a record in it is damaged; what stands behind it is not counted");
            }
        }
        let dead = self.contents(&folder.path.join(dead_letters::NAME), dead_letters::LIMIT);
        let (app, name) = owner_of(name);
        SpoolState {
            app: app.map(str::to_owned),
            name: name.to_owned(),
            records: tally.records,
            bytes: tally.bytes,
            oldest: tally.oldest.map(since_1970),
            dead_letters: dead.map_or(0, |contents| dead_letters::count(&contents)),
            path: folder.path,
        }
    }

    /// What is in a file, up to so many bytes. None where it is not there, or cannot be read, which is reported.
    fn contents(&mut self, path: &Path, most: u64) -> Option<Vec<u8>> {
        let mut contents = Vec::new();
        let read = |file: File| file.take(most + 1).read_to_end(&mut contents);
        match runtime::open_to_read(path).and_then(read) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                self.report(path, &error);
                return None;
            }
        }
        if contents.len() as u64 > most {
            contents.truncate(most as usize);
            self.report(
                path,
                &format!("it is longer than {most} bytes; what stands behind them is not counted"),
            );
        }
        Some(contents)
    }
}

fn since_1970(nanos: i64) -> SystemTime {
    let distance = Duration::from_nanos(nanos.unsigned_abs());
    // Nobody logs so far from now that a clock cannot show it.
    let time = if nanos < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(distance)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(distance)
    };
    time.unwrap_or(SystemTime::UNIX_EPOCH)
}
