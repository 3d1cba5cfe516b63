//! What a logger has to offer to be measured.
//!
//! The measured loops of `workload` are generic over [`Peer`], so a call compiles to what it would be in a
//! user's program: the logger's own macro, inlined where the logger inlines it.

use std::path::{Path, PathBuf};

use crate::order::Order;
use crate::{Failure, tsc};

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Workload {
    /// W1: how long a call takes its caller.
    Latency,
    /// W2: lines a second into one file.
    Throughput,
    /// W3: records a second into their domain's and their level's file.
    Routing,
    /// As W3, with files as in production: rotated at 10 MB, compressed, and all records as JSON beside.
    Production,
    /// W8: JSON lines a second into one file, of records with fields.
    Json,
    /// W5: as W3, from several processes; see [`processes`](crate::processes).
    Processes,
    /// W4: a call whose level is off.
    Disabled,
    /// What the logger costs while nothing is logged.
    Idle,
    /// A quiet stretch of logging between two calls of [`Plan::probe`], for allocations and system calls.
    Probe,
    /// Some records, and then [`Plan::probe`], which may end the process.
    End,
}

impl Workload {
    /// The name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Latency => "w1",
            Self::Throughput => "w2",
            Self::Routing => "w3",
            Self::Production => "production",
            Self::Processes => "w5",
            Self::Disabled => "w4",
            Self::Json => "w8",
            Self::Idle => "idle",
            Self::Probe => "probe",
            Self::End => "end",
        }
    }

    /// The workload of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let all = [
            Self::Latency,
            Self::Throughput,
            Self::Routing,
            Self::Production,
            Self::Processes,
            Self::Disabled,
            Self::Json,
            Self::Idle,
            Self::Probe,
            Self::End,
        ];
        all.into_iter().find(|workload| workload.name() == name)
    }
}

/// One measurement: which files, how many threads and records.
#[derive(Debug, Clone)]
pub struct Plan {
    /// An empty folder that the logger may fill.
    pub dir: PathBuf,
    /// What is measured.
    pub workload: Workload,
    /// How many threads log.
    pub threads: u64,
    /// How many records each of them logs.
    pub records_per_thread: u64,
    /// How single calls are timed.
    pub pair: tsc::Pair,
    /// Called before and after the stretch of [`Workload::Probe`], and after the records of [`Workload::End`], on the logging thread.
    pub probe: fn() -> u64,
}

impl Plan {
    /// The one file of all workloads but routing, as text because several loggers want it so.
    ///
    /// # Errors
    ///
    /// When the folder's name is not text.
    pub fn single_file(&self) -> Result<String, Failure> {
        path_text(&self.dir.join("app.log"))
    }

    /// The file of a domain or a level.
    ///
    /// # Errors
    ///
    /// When the folder's name is not text.
    pub fn file(&self, stem: &str) -> Result<String, Failure> {
        path_text(&self.dir.join(format!("{stem}.log")))
    }

    /// Whether records go to their domain's and their level's file.
    #[must_use]
    pub fn routes(&self) -> bool {
        matches!(self.workload, Workload::Routing | Workload::Production | Workload::Processes)
    }

    /// Whether debug records are wanted: only where they are routed.
    #[must_use]
    pub fn debug(&self) -> bool {
        self.routes()
    }
}

fn path_text(path: &Path) -> Result<String, Failure> {
    Ok(path.to_str().ok_or("the folder's path is not valid Unicode")?.to_owned())
}

/// A logger under measurement.
pub trait Peer: Sized + Sync {
    /// Configures and starts the logger for this plan.
    ///
    /// # Errors
    ///
    /// Whatever the logger reports.
    fn setup(plan: &Plan) -> Result<Self, Failure>;

    /// Logs an order at info level.
    fn log(&self, order: Order);

    /// Logs an order in its domain and at its level. Called only for peers that route.
    fn log_routed(&self, order: Order);

    /// Logs an order at info level, its parts as fields. Called only for peers that write JSON.
    fn log_fields(&self, order: Order) {
        self.log(order);
    }

    /// Logs an order at debug level, which is off.
    fn log_disabled(&self, order: Order);

    /// Returns when everything logged has been handed to the operating system.
    ///
    /// # Errors
    ///
    /// Whatever the logger reports.
    fn finish(self) -> Result<(), Failure>;
}

/// The figures of one measurement, by name.
pub type Sample = std::collections::BTreeMap<String, f64>;

/// Whose macros a peer is called by, where they are not its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Facade {
    /// The crate `log`.
    Log,
    /// The crate `tracing`.
    Tracing,
}

/// A peer as the table of peers knows it.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// The name on the command line and in the tables.
    pub name: &'static str,
    /// How it was configured, for the notes under the tables.
    pub setup: &'static str,
    /// Whether it promises to lose nothing as configured here.
    pub lossless: bool,
    /// Whether it takes part in the routing workload.
    pub routes: bool,
    /// Whether it takes part in the JSON workload.
    pub json: bool,
    /// The facade in front of it, for W6.
    pub facade: Option<Facade>,
    /// Whether it is there for W6 alone.
    pub facade_alone: bool,
    /// Whether it is the floor, which stands for what the machine can do and shares nothing between threads.
    pub floor: bool,
    /// Runs one plan.
    pub run: fn(&Plan) -> Result<Sample, Failure>,
}
