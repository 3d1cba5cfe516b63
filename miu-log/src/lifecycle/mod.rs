//! What happens to repositories when the program ends by itself.

pub(crate) mod early;
pub(crate) mod exit;
pub(crate) mod fork;
pub(crate) mod global;
pub(crate) mod panic_hook;
pub(crate) mod program;
pub(crate) mod signals;
