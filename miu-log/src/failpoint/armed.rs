//! What is to happen at which step, and the counting of arrivals.
//!
//! Nothing is allocated after the first look at the environment: a step may stand where a ring's slot is open.

use std::sync::OnceLock;

use super::STEPS;
use crate::notice::notice;
use crate::sync::{AtomicU64, Ordering};

/// Where the process is told which arrival is its last.
const VARIABLE: &str = "MIU_LOG_FAILPOINT";

static PLAN: OnceLock<Plan> = OnceLock::new();

pub(super) fn reach(step: &str) {
    if plan().is_last(step) {
        die();
    }
}

#[cfg_attr(not(feature = "failpoints"), allow(dead_code, reason = "the tests of this file need no plan"))]
pub(super) fn prepare() {
    plan();
}

fn plan() -> &'static Plan {
    PLAN.get_or_init(|| {
        let text = std::env::var(VARIABLE).unwrap_or_default();
        Plan::parse(&text).unwrap_or_else(|problem| {
            // A suite whose deaths never come would be green for no reason.
            notice("failpoint", &format!("{VARIABLE}={text}: {problem}"));
            std::process::abort()
        })
    })
}

/// Ends the process as it stands: nothing of it runs any more.
fn die() -> ! {
    use rustix::process::{Signal, getpid, kill_process};
    let _ = kill_process(getpid(), Signal::KILL);
    // The signal is delivered before the call returns, unless it could not be sent.
    std::process::abort()
}

/// The steps at which the process is to die.
#[derive(Debug, Default)]
struct Plan {
    armed: Vec<Armed>,
}

#[derive(Debug)]
struct Armed {
    step: &'static str,
    /// The arrival that is the last one, counted from 1.
    last: u64,
    arrived: AtomicU64,
}

impl Plan {
    /// Reads `name:n[,name:n...]`; of an empty text, a plan in which nobody dies.
    fn parse(text: &str) -> Result<Plan, String> {
        let mut plan = Plan::default();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let (name, count) =
                part.split_once(':').ok_or_else(|| format!("`{part}` is not `step:number`"))?;
            let Some((_, step)) = STEPS.iter().find(|(_, step)| *step == name) else {
                return Err(format!("there is no step `{name}`"));
            };
            let last = match count.parse() {
                Ok(number) if number > 0 => number,
                _ => return Err(format!("`{count}` is not a number of arrivals from 1")),
            };
            plan.armed.push(Armed { step, last, arrived: AtomicU64::new(0) });
        }
        Ok(plan)
    }

    /// Counts an arrival; true for the one at which the process is to die.
    fn is_last(&self, step: &str) -> bool {
        let at = |armed: &&Armed| armed.step == step;
        self.armed
            .iter()
            .filter(at)
            .any(|armed| armed.arrived.fetch_add(1, Ordering::Relaxed) + 1 == armed.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_named_arrival_is_the_last_one() {
        let plan = Plan::parse("freed:3,cut:1").unwrap();
        assert!(!plan.is_last("freed"));
        assert!(!plan.is_last("settled"));
        assert!(plan.is_last("cut"));
        assert!(!plan.is_last("freed"));
        assert!(plan.is_last("freed"));
    }

    #[test]
    fn without_a_plan_nobody_dies() {
        let plan = Plan::parse("").unwrap();
        assert!(STEPS.iter().all(|(_, step)| !plan.is_last(step)));
    }

    #[test]
    fn a_plan_that_says_nothing_clear_is_refused() {
        for (text, problem) in [
            ("freed", "`freed` is not `step:number`"),
            ("fred:1", "there is no step `fred`"),
            ("cut:1,freed:0", "`0` is not a number of arrivals from 1"),
            ("freed:soon", "`soon` is not a number of arrivals from 1"),
        ] {
            assert_eq!(Plan::parse(text).unwrap_err(), problem);
        }
    }
}
