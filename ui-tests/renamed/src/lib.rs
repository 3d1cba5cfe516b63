//! A crate whose Cargo.toml gives miu-log another name, and that has a module of the usual one.

/// Nothing that an expansion may find.
pub mod miu_log {}

/// The areas of a program that calls its log a journal.
#[journal::log_domains(app, db(level = "warning", max_level = "info"))]
pub mod logs {}

/// Logs through everything that the macros make.
pub fn log_a_little(repo: &logs::Repository, rows: u32) {
    journal::info!(repo.app, rows, "read {rows} rows");
    journal::log!(repo.db, journal::Level::Error, "{:?}", logs::Domain::Db);
    journal::signal!(repo.db, journal::Level::Error, "{rows}");
}

#[cfg(test)]
mod tests {
    use super::logs::Domain;

    #[test]
    fn domains_are_generated_under_the_other_name() {
        assert_eq!(Domain::ALL, [Domain::App, Domain::Db]);
        assert_eq!("db".parse::<Domain>().unwrap(), Domain::Db);
        assert!("bd".parse::<Domain>().is_err());
    }
}
