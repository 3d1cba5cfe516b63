//! Measures miu-log beside other loggers, on the same message, the same line and the same disk, in one run.
//!
//! Loggers are process-global, so each measurement is a child process of its own: the binary `compare` starts
//! itself once per peer, workload and number of threads, checks the files the child left, and prints one
//! table per workload.
//!
//! - [`order`]: the message everybody logs, and what a line of it must look like.
//! - [`peer`]: what a logger has to offer to be measured; [`peers`] holds one module per logger.
//! - [`workload`]: the measured loops, run in the child; [`processes`]: those with several processes.
//! - [`databases`]: records into a database, and the same by hand.
//! - [`verify`]: reads the files back, run in the parent.
//! - [`child`]: runs a child and takes its figures.
//! - [`report`]: the tables.
//! - [`probe`]: what the programs `allocations` and `syscalls` share.
//! - [`tsc`], [`process`] and [`allocator`]: clocks and figures of the machine.
//!
//! The README of this package says how to run it and what each number means.

pub mod allocator;
pub mod child;
pub mod databases;
pub mod order;
pub mod peer;
pub mod peers;
pub mod probe;
pub mod process;
pub mod processes;
pub mod report;
pub mod stamp;
pub mod tsc;
pub mod verify;
pub mod workload;

/// What goes wrong in a benchmark: it ends the child, and the parent shows the text in the table's notes.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
