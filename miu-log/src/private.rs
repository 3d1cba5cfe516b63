//! All that expansions may name. Not a public interface: it changes without notice.

pub use ::core;

pub use miu_log_macros::{fields, record};
pub use once_cell::sync::OnceCell;

pub use crate::callsite::{Callsite, enclosing_function};
pub use crate::config::LogConfig;
pub use crate::context::diagnosis::{diagnosed, diagnosis, is_diagnosing};
pub use crate::context::fields::{Fields, FieldsBuilder, add_field, add_secret_field};
pub use crate::domain::{DomainSet, DomainSpec, UnknownDomain};
pub use crate::encode::{
    Arg, ArgAny, ArgRaw, Encode, FieldArg, FieldArgAny, FieldArgRaw, FieldValue, Scratch, SecretArg,
    SignalValue, secret_value, signal_value, value,
};
pub use crate::error::Error;
pub use crate::level::Level;
pub use crate::lifecycle::early::StartupReport;
pub use crate::lifecycle::global::Global;
pub use crate::lifecycle::program::{EndsByError, EndsByOther, EndsBySource, EndsByText, Outcome, program};
pub use crate::logger::{AsLogger, CappedLogger, Logger, enabled, outline, submit, submit_signal};
pub use crate::queue::{LevelChange, SignalSite};
pub use crate::repository::{Core, Endpoint, QueueHandle, ShutdownReport};
pub use crate::stats::Stats;
pub use crate::worker::Recovery;
