//! Processes that find rotated files: three are kept, on a disk that is full or to be kept free.

use std::fs;
use std::path::Path;
use std::time::Duration;

use miu_log::testing::ManualListener;
use miu_log::{Compression, Retention, Zone};
use miu_log_tests::{logs, names, wait_until};

use crate::config;

/// Names of the rotated files of this folder.
fn rotated(folder: &str) -> Vec<String> {
    names(Path::new(folder)).into_iter().filter(|name| name.contains(".2026-")).collect()
}

/// Waits until its thread has put everything in order.
pub(crate) fn keep_three(folder: &str) {
    let repo = logs::Repository::open(config(folder).retention(Retention::Count(3)).zone(Zone::Utc)).unwrap();
    wait_until("three compressed files", || {
        let names = rotated(folder);
        names.len() == 3 && names.iter().all(|name| name.ends_with(".log.gz"))
    });
    repo.shutdown();
}

/// Half of it is what compressing leaves of it.
fn hexadecimal(bytes: usize) -> String {
    let mut state: u64 = 88_172_645_463_325_252;
    let mut text = String::new();
    while text.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        text.push_str(&format!("{state:016x}\n"));
    }
    text
}

pub(crate) fn compress_on_full_disk(folder: &str) {
    let at = |name: &str| Path::new(folder).join(name);
    let name = "app.2026-11-10_00-00-00.log";
    let text = hexadecimal(400 * 1024);
    fs::write(at(name), &text).unwrap();
    fs::write(at("ballast"), vec![0; 500 * 1024]).unwrap();
    let listener = ManualListener::new();
    listener.set_unix_time(Duration::from_secs(1_795_176_000));
    let repo = logs::Repository::open(config(folder).zone(Zone::Utc).manual_listener(&listener)).unwrap();
    let look = || match rotated(folder).as_slice() {
        [only] if only == name => {
            assert_eq!(fs::read_to_string(at(name)).unwrap(), text);
            "kept"
        }
        [only] if *only == format!("{name}.gz") => "compressed",
        other => panic!("{other:?}"),
    };
    listener.step();
    let first = look();
    listener.advance(Duration::from_secs(60));
    listener.step();
    let second = look();
    fs::remove_file(at("ballast")).unwrap();
    listener.advance(Duration::from_secs(120));
    listener.step();
    println!("{first}, {second}, {}", look());
    repo.shutdown();
}

pub(crate) fn keep_room(folder: &str) {
    let at = |name: &str| Path::new(folder).join(name);
    let files = [
        ("app-1", "app.2026-11-10_00-00-00.log"),
        ("app-2", "app.2026-11-13_00-00-00.log"),
        ("info-1", "info.2026-11-11_00-00-00.log"),
        ("info-2", "info.2026-11-12_00-00-00.log"),
    ];
    for (_, name) in files {
        fs::write(at(name), vec![b'x'; 100 * 1024]).unwrap();
    }
    let listener = ManualListener::new();
    listener.set_unix_time(Duration::from_secs(1_795_176_000));
    let retention = Retention::KeepFree("40 %");
    let config = config(folder).zone(Zone::Utc).retention(retention).compression(Compression::None);
    let repo = logs::Repository::open(config.manual_listener(&listener)).unwrap();
    let look = || {
        listener.step();
        listener.advance(Duration::from_secs(60));
        let names = files.iter().filter(|(_, name)| at(name).exists()).map(|(short, _)| *short);
        names.collect::<Vec<_>>().join(" ")
    };
    // Of 256 pages of 4 KiB, 103 are to be free; the files take 100.
    let first = look();
    fs::write(at("ballast-1"), vec![0; 65 * 4096]).unwrap();
    let second = look();
    fs::write(at("ballast-2"), vec![0; 40 * 4096]).unwrap();
    println!("{first}, {second}, {}", look());
    repo.shutdown();
}
