//! A lower-case `static` or `const` of the user is meant by every pattern of its name, hygienic or not.
#![deny(warnings)]
#![allow(non_upper_case_globals, dead_code)]

static logger: u8 = 1;
const level: u8 = 2;
const scratch: u8 = 3;
const v0: u8 = 4;
static s0: u8 = 5;

#[miu_log::log_domains(app, db(max_level = "info"))]
mod logs {
    static config: u8 = 1;
    const queue: u8 = 2;
    const name: u8 = 3;
    static timeout: u8 = 4;
    const enabled: u8 = 5;
    static level: u8 = 6;
    const domain: u8 = 7;
    const core: u8 = 8;
    const error: u8 = 9;
    static text: u8 = 10;
    const f: u8 = 11;
}

fn main() {
    let repo = logs::repo();
    miu_log::info!(repo.app, v0, level, "{} {s0}", scratch);
    miu_log::log!(repo.db, miu_log::Level::Warning, "{logger:>level$}", level = 3);
    assert!(repo.get("db").is_ok());
}
