//! Everything that a format string and a field may be.
#![deny(warnings)]

use miu_log::{Bytes, Level, critical, debug, error, info, log, signal, success, trace, warning};

#[miu_log::log_domains(app, db(max_level = "info"))]
mod logs {}

struct Http {
    status: u16,
}

struct User {
    name: String,
    http: Http,
}

impl User {
    fn log(&self, repo: &logs::Repository) {
        info!(repo.app, self.name, %self.http.status, "a user");
        info!(repo.app, ?self.name, "{}", self.http.status);
    }
}

fn main() {
    let repo = logs::repo();
    let user = User { name: "miu".to_owned(), http: Http { status: 200 } };
    let (rows, width, precision, r#type, e) = (3u64, 8usize, 2usize, "kind", "error".parse::<u8>());

    trace!(repo.app, "plain");
    debug!(repo.app, "a comma at the end",);
    info!(repo.app, "{} {0} {1} {}", 1, 2);
    success!(repo.app, "{rows} {rows:?} {x}", x = 1);
    warning!(repo.db, "{:5} {:<5} {:^5} {:>5} {:*^5} {:05} {:+} {:#}", 1, 2, 3, 4, 5, 6, 7, 8);
    error!(repo.db, "{:x} {:X} {:o} {:b} {:#x} {:#010b} {:e} {:E}", 1, 2, 3, 4, 5, 6, 7.0, 8.0);
    critical!(repo.db, "{:?} {:#?} {:x?} {:X?} {:#x?} {:p}", "a", Some(1), [255], [255], [255], &rows);
    info!(repo.app, "{:width$} {:1$} {:.precision$} {:.*} {:>1$.3$}", 1, 2, 3.0, 3, 4.0, 5.0);
    info!(repo.app, "{{}} {{{rows}}} {:}>5} {:{<5}", 1, 2);
    info!(repo.app, r#"raw "{}" \n"#, 1);
    info!(repo.app, "over \
         two lines {}\n\ttab \u{1F600} {type}", 1);
    info!(repo.app, "{ } {0 } {:x }", 1, 2);

    info!(repo.app, rows);
    info!(repo.app, rows, user.name,);
    info!(repo.app, rows = 1 + 1, user = %user.name, e = ?e, user.http.status, r#type, "message {}", rows);
    info!(repo.app, http.status = user.http.status, type = 3, "message");
    info!(repo.app, %rows, ?e, %user.name, "message");
    info!(repo.app, some = Some(3), flag = true, letter = 'x', float = 0.5, text = "t", owned = String::new(), "m");
    let bytes = vec![0x0a_u8, 0x1b, 0xff];
    info!(repo.app, bytes, slice = &bytes[..2], array = *b"\r\n", some = Some(&bytes), owned = bytes.clone(), "m");
    info!(repo.app, raw = Bytes(&bytes), "{} {:x} {:#X} {:?} {:>8.4}", Bytes(&bytes), Bytes(b""), Bytes(&[1]), Bytes(&bytes), Bytes(&bytes));
    log!(repo.app, Level::Info, "{rows}");
    log!(&repo.db, if rows > 2 { Level::Error } else { Level::Info }, rows, "{0:?}", e);
    user.log(repo);

    signal!(repo.app, Level::Warning, "plain");
    signal!(&repo.db, if rows > 2 { Level::Error } else { Level::Info }, "{rows:#x} {:?} {kind} {0:>5}", 'x', kind = r#type);
}
