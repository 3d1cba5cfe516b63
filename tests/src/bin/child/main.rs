//! The program that scenarios start where they need a process of their own: `child <role> <log folder>`, and what else the role takes.
//!
//! Each role does one thing with a repository on that folder; what the scenario has to know it prints to stdout.

#![allow(clippy::unwrap_used, reason = "a panic is a scenario's report")]
#![allow(clippy::print_stdout, reason = "stdout is what the scenario reads")]

mod added_files;
mod allocator;
mod bridges;
mod chaos;
mod config_files;
mod crashes;
mod database;
mod destructors;
mod disks;
mod early;
mod ends;
mod environment;
mod forks;
mod handlers;
mod kept_files;
mod limits;
mod load;
mod panics;
mod postgres;
mod processes;
mod remote;
mod secrets;
mod signals;
mod simple;
mod sinks;

use std::time::Duration;

use miu_log::{LogConfig, Rotation};

/// Longer than any flush takes.
const FLUSH: Duration = Duration::from_secs(60);

/// The role's configuration to start from: this folder, no console, one file a name however large it gets.
fn config(folder: &str) -> LogConfig {
    LogConfig::new(folder).console(false).rotation(Rotation::Never)
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, role, folder, more @ ..] = &arguments[..] else { panic!("usage: child <role> <log folder>") };
    match role.as_str() {
        "one-record" => simple::one_record(folder),
        "open" => simple::open(folder),
        "hold" => simple::hold(folder),
        "exception" => simple::exception(folder),
        "worker-counts" => simple::worker_counts(folder),
        "console" => simple::console(folder),
        "one-console-record" => simple::one_console_record(folder),
        "two-layouts" => simple::two_layouts(folder),
        "console-levels" => simple::console_levels(folder),
        "endless-display" => simple::endless_display(folder),
        "durable-os" => simple::durable(folder, miu_log::Durability::Os),
        "durable-on-error" => simple::durable(folder, miu_log::Durability::SyncOnError),
        "durable-every-hour" => {
            simple::durable(folder, miu_log::Durability::SyncEvery(Duration::from_secs(3600)));
        }
        "durable-remote" => remote::durable(folder, more),
        "twenty-records" => simple::twenty_records(folder),
        "keep-three" => kept_files::keep_three(folder),
        "compress-on-full-disk" => kept_files::compress_on_full_disk(folder),
        "keep-room" => kept_files::keep_room(folder),
        "end-by-return" => ends::by_return(folder),
        "end-by-exit" => ends::by_exit(folder),
        "end-by-exit-of-a-thread" => ends::by_exit_of_a_thread(folder),
        "end-with-forgotten-repository" => ends::with_forgotten_repository(folder),
        "end-with-leaked-repository" => ends::with_leaked_repository(folder),
        "end-with-global-repository" => ends::with_global_repository(folder),
        "end-by-panic" => ends::by_panic(folder),
        "end-by-panic-leaked" => ends::by_panic_leaked(folder),
        "end-by-panic-of-a-thread" => ends::by_panic_of_a_thread(folder),
        "end-while-threads-log" => ends::while_threads_log(folder),
        "drop-while-logging" => ends::drop_while_logging(folder),
        "tls-before" => destructors::made_before(folder),
        "tls-after" => destructors::made_after(folder),
        "tls-never" => destructors::never_logged(folder),
        "tls-main" => destructors::in_main(folder),
        "drop-in-panic" => destructors::in_panic(folder),
        "churn" => load::churn(folder),
        "million-drop-newest" => load::million(folder, miu_log::OverflowPolicy::DropNewest),
        "million-shed" => {
            load::million(folder, miu_log::OverflowPolicy::BlockThenShed(Duration::from_millis(1)));
        }
        "soak" => load::soak(folder),
        "ten-records" => load::ten_records(folder),
        "never-initialised" => load::never_initialised(),
        "eight-threads" => load::eight_threads(folder),
        "file-in-the-way" => disks::file_in_the_way(folder),
        "killed-while-held" => disks::killed_while_held(folder),
        "numbers-until-told" => disks::numbers_until_told(folder, more),
        "success-on-command" => disks::success_on_command(folder),
        "rotate-on-command" => disks::rotate_on_command(folder),
        "file-size-limit" => disks::file_size_limit(folder),
        "durable-twice" => simple::durable_twice(folder),
        "full-disk" => disks::full_disk(folder, more),
        "few-descriptors-at-open" => limits::few_descriptors_at_open(folder),
        "few-descriptors-killed" => limits::few_descriptors_killed(folder),
        "few-descriptors-later" => limits::few_descriptors_later(folder),
        "few-descriptors-rotated" => limits::few_descriptors_rotated(folder),
        "signal-storm" => signals::storm(folder, more.first()),
        "signal-first-calls" => signals::first_calls(folder),
        "signal-rings" => signals::with_and_without_a_ring(folder),
        "signal-handled" => signals::handled(folder),
        "signal-not-handled" => signals::not_handled(folder),
        "signal-own-before" => signals::own_handler_before(folder),
        "signal-own-after" => signals::own_handler_after(folder),
        "signal-own-chained" => signals::own_handler_chained(folder),
        "signal-forked" => signals::forked(folder),
        "signal-ignored" => signals::ignored(folder),
        "signal-hanging" => signals::hanging(folder),
        "hanging-sink" => sinks::hanging(folder),
        "postgres" => postgres::postgres(folder, more),
        "remote" => remote::remote(folder, more),
        "database" => database::database(folder, more),
        "logging-sink" => sinks::logging(folder),
        "flooded-sink" => sinks::flooded(folder),
        "captured-facades" => simple::captured_facades(),
        "allocator-in-scopes" => allocator::that_logs_in_scopes(folder),
        "allocations-in-context" => allocator::nothing_in_context(folder),
        "bridge-both" => bridges::both(folder),
        "bridge-levels" => bridges::levels(folder),
        "bridge-other-logger" => bridges::other_logger(folder),
        "bridge-other-subscriber" => bridges::other_subscriber(folder),
        "bridge-two-repositories" => bridges::two_repositories(folder),
        "bridge-after-shutdown" => bridges::after_shutdown(folder),
        "bridge-thread-end" => bridges::at_a_threads_end(folder),
        "bridge-worker" => bridges::worker(),
        "bridge-worker-levels" => bridges::worker_levels(),
        "bridge-target-levels" => bridges::target_levels(folder),
        "bridge-hostile" => bridges::hostile(folder),
        "bridge-sinks" => bridges::sinks_that_log(folder),
        "bridge-doubles" => bridges::doubles(folder),
        "bridge-one-line" => bridges::one_line(folder),
        "bridge-doubles-of-threads" => bridges::doubles_of_threads(folder),
        "bridge-log-tracer" => bridges::log_tracer(folder),
        "bridge-layers" => bridges::layers(folder),
        "bridge-spans" => bridges::spans(folder),
        "bridge-span-events" => bridges::span_events(folder),
        "bridge-made-up" => bridges::made_up(folder),
        "bridge-displays" => bridges::displays_that_log(folder),
        "bridge-off" => bridges::off(folder),
        "allocator" => allocator::that_logs(folder),
        "crash" => crashes::crash(folder, more),
        "crash-in-context" => crashes::crash_in_context(folder),
        "crash-diagnosed" => crashes::crash_diagnosed(folder),
        "crash-with-files" => crashes::crash_with_files(folder),
        "crash-with-json" => crashes::crash_with_json(folder),
        "crash-in-all-domains" => crashes::crash_in_all_domains(folder),
        "reopen" => crashes::reopen(folder),
        "reopen-later" => crashes::reopen_later(folder),
        "log-to-added" => added_files::log_to_added(folder),
        "killed-with-added" => added_files::killed_with_added(folder),
        "reopen-added" => added_files::reopen_added(folder),
        "lead-three-workers" => added_files::lead_three_workers(folder),
        "ten-messages" => added_files::ten_messages(folder),
        "recover" => crashes::recover(folder),
        "secrets" => secrets::run(folder, more),
        "scripted-worker" => crashes::scripted_worker(),
        "flooding-worker" => crashes::flooding_worker(),
        "serve" => crashes::serve(folder),
        "recover-own" => crashes::recover_own(folder),
        "chaos-produce" => chaos::produce(folder),
        "chaos-work" => chaos::work(folder),
        "chaos-close" => chaos::close(folder),
        "early" => early::run(folder, &more[0]),
        "panic" => panics::run(folder, &more[0]),
        "exit" => panics::exit(folder, more),
        "exit-of-worker" => panics::exit_of_worker(more),
        "puppet" => processes::puppet(folder),
        "early-hold" => processes::early_hold(folder),
        "file-service" => config_files::service(more),
        "file-reload" => config_files::reload(more),
        "env-service" => environment::service(),
        "env-all-files" => environment::service_with_all_files(),
        "env-strict" => environment::strict(),
        "env-lenient" => environment::lenient(),
        "env-databases" => environment::databases(),
        "env-open" => environment::open(),
        "env-open-until-tidy" => environment::open_until_tidy(),
        "env-thousand" => environment::thousand(),
        "env-parent" => environment::parent(),
        "env-hold" => environment::hold(),
        "env-forked" => environment::forked(),
        "env-killed" => environment::killed(),
        other if other.starts_with("fork-") => forks::run(other, folder, more),
        other => panic!("no role {other:?}"),
    }
}
