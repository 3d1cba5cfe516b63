//! A crate in which every name that an expansion could rely on means something else.
#![deny(warnings)]
#![allow(dead_code, non_camel_case_types, unused_macros)]

mod std {}
mod core {}
mod alloc {}
mod miu_log {}
struct Result;
struct Option;
struct String;
struct Vec;
struct Box;
struct Self_;
struct str;
struct bool;
struct usize;
struct u8;
struct u32;
struct Some;
struct None;
struct Ok;
struct Err;
struct Level;
struct Logger;
struct Callsite;
struct Scratch;
struct Arg;
struct FieldArg;
struct SecretArg;
struct SignalSite;
const SITE: i8 = 9;
trait Display {}
trait Debug {}
trait Clone {}
trait Copy {}
trait Drop {}
trait Into {}
trait Deref {}
trait FromStr {}
trait ArgRaw {}
trait ArgAny {}
trait FieldArgRaw {}
trait FieldArgAny {}
const CALLSITE: i8 = 7;
fn here() -> i8 {
    8
}
macro_rules! file { () => { compile_error!("the user's own") } }
macro_rules! line { () => { compile_error!("the user's own") } }
macro_rules! column { () => { compile_error!("the user's own") } }
macro_rules! module_path { () => { compile_error!("the user's own") } }
macro_rules! format_args { ($($t:tt)*) => { compile_error!("the user's own") } }
macro_rules! record { ($($t:tt)*) => { compile_error!("the user's own") } }

#[::miu_log::log_domains(app, db(level = "warning", max_level = "info"))]
mod logs {
    mod std {}
    mod core {}
    struct Result;
    struct Option;
    struct Ok;
    struct Err;
    struct str;
    struct bool;
    struct usize;
    struct Core;
    struct Logger;
    struct Error;
    struct Duration;
}

fn main() {
    let repo = logs::repo();
    // The user's own `here` and `CALLSITE` are meant, and locals of these names are left alone.
    let (v0, s0, logger, scratch, level) = (1i8, 2i8, 3i8, 4i8, 5i8);
    ::miu_log::info!(
        repo.app,
        v0,
        scratch,
        name = level,
        shown = %s0,
        token = ?s0,
        password = v0,
        "{} {} {s0} {logger} {} {:?} {:>8.3} {CALLSITE}",
        here(),
        CALLSITE,
        v0,
        "text",
        1.5f64
    );
    ::miu_log::log!(repo.db, ::miu_log::Level::Error, "{level}");
    ::miu_log::signal!(repo.db, ::miu_log::Level::Error, "{level} {SITE} {:x}", SITE);
}
