//! The rings: one producer, one consumer, bytes in between. The only unsafe code of the crate.
//!
//! A ring knows bytes only: what a record is, who reads it and what happens when there is no room is
//! decided in `queue` and `listener`. Each file states the invariants that its unsafe blocks rest on.
//!
//! - `cursor`: the claim/commit protocol on two counters; `lines`: what the two ends tell each other; loom models of both.
//! - `segment`: a ring's memory: a shared file, mapped so that a record is always contiguous.
//! - `producer`, `consumer`: the two exclusive ends.
//! - `local`: the calling thread's own producers.
//! - `control`: the page that the processes of a repository share; `member`: what each says about itself.
//! - `fork`: what a forked child must not touch.
//! - `reserve`: the ring that signal handlers of all threads share.
//! - `signal_frame`, `signal_action`: whether a signal handler is running; the handler for signals that end the process.
//! - `tsc`, `at_exit`: the other things outside of memory that need an unsafe call.

#![allow(unsafe_code)]

#[cfg(not(loom))]
pub(crate) mod at_exit;
#[cfg(not(loom))]
pub(crate) mod consumer;
#[cfg(not(loom))]
pub(crate) mod control;
pub(crate) mod cursor;
#[cfg(not(loom))]
pub(crate) mod fork;
pub(crate) mod lines;
#[cfg(not(loom))]
pub(crate) mod local;
#[cfg(all(test, loom))]
mod loom_tests;
#[cfg(not(loom))]
pub(crate) mod member;
#[cfg(not(loom))]
pub(crate) mod producer;
#[cfg(not(loom))]
pub(crate) mod reserve;
#[cfg(not(loom))]
pub(crate) mod segment;
#[cfg(not(loom))]
pub(crate) mod signal_action;
#[cfg(not(loom))]
pub(crate) mod signal_frame;
#[cfg(not(loom))]
pub(crate) mod tsc;
