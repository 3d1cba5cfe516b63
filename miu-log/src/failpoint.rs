//! Steps at which a test can end the process, as a crash would: for the suites that kill.
//!
//! Built with the feature `failpoints`, a process looks once into `MIU_LOG_FAILPOINT`: `name:n[,name:n...]` lets its `n`-th
//! arrival at that step be its last. Without the feature [`reach`] is nothing at all, and no build that a user gets has it.
//!
//! Called wherever a death has to be survived: by the ring, the queue, the listener and the recovery. Imports nothing of the
//! crate but the notices and the atomics.

#[cfg(all(any(feature = "failpoints", test), not(loom)))]
mod armed;

/// Whose step it is: in which process, and when, it can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A thread that logs, in any process.
    Producer,
    /// The listener of the process that has the log folder.
    Listener,
    /// The start of a process that finds what a crash has left.
    Replay,
    /// What only a worker process does.
    Worker,
}

/// All steps. Each of them stands in the code once or more.
pub const STEPS: &[(Part, &str)] = &[
    (Part::Producer, "before-payload"),
    (Part::Producer, "mid-payload"),
    (Part::Producer, "before-publish"),
    (Part::Producer, "after-publish"),
    (Part::Producer, "segment-created"),
    (Part::Producer, "segment-registered"),
    (Part::Producer, "chained"),
    (Part::Producer, "blob-written"),
    (Part::Listener, "after-read"),
    (Part::Listener, "file-marked"),
    (Part::Listener, "sink-written"),
    (Part::Listener, "rotated"),
    (Part::Listener, "delivered"),
    (Part::Listener, "held-written"),
    (Part::Listener, "checkpoint-half"),
    (Part::Listener, "held-marked"),
    (Part::Listener, "checkpointed"),
    (Part::Listener, "freed"),
    (Part::Listener, "settled"),
    (Part::Replay, "cut"),
    (Part::Replay, "replay-delivered"),
    (Part::Replay, "replay-checkpointed"),
    (Part::Replay, "replay-removed"),
    (Part::Worker, "joined"),
    (Part::Worker, "member-written"),
];

/// The process is at this step, and dies here if it was told to.
#[cfg(any(not(feature = "failpoints"), loom))]
#[inline(always)]
pub(crate) fn reach(_step: &'static str) {
    #[cfg(shuttle)]
    crate::sync::pause();
}

/// The process is at this step, and dies here if it was told to.
#[cfg(all(feature = "failpoints", not(loom)))]
pub fn reach(step: &'static str) {
    armed::reach(step);
}

/// Looks what is to happen, before a signal handler can come to a step: the look allocates.
#[cfg(any(not(feature = "failpoints"), loom))]
pub(crate) fn prepare() {}

/// Looks what is to happen, before a signal handler can come to a step: the look allocates.
#[cfg(all(feature = "failpoints", not(loom)))]
pub(crate) fn prepare() {
    armed::prepare();
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// The names of steps in a source text: `reach("name")`.
    fn reached(text: &str) -> impl Iterator<Item = &str> {
        let calls = text.split("failpoint::reach(\"").skip(1);
        calls.map(|rest| rest.split('"').next().unwrap_or_default())
    }

    /// The texts of all sources but these.
    fn sources(folder: &std::path::Path, texts: &mut Vec<String>) -> std::io::Result<()> {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                sources(&path, texts)?;
            } else if !path.ends_with("failpoint.rs") {
                texts.push(std::fs::read_to_string(&path)?);
            }
        }
        Ok(())
    }

    #[test]
    fn each_step_in_the_code_is_a_known_one() {
        let mut texts = Vec::new();
        sources(std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &mut texts).unwrap();
        for step in texts.iter().flat_map(|text| reached(text)) {
            assert!(STEPS.iter().any(|(_, known)| *known == step), "{step:?} is not in the list");
        }
        assert_eq!(reached("failpoint::reach(\"cut\"); crate::failpoint::reach(\"freed\");").count(), 2);
    }

    #[test]
    fn each_known_step_is_in_the_code() {
        let mut texts = Vec::new();
        sources(std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &mut texts).unwrap();
        let found: Vec<&str> = texts.iter().flat_map(|text| reached(text)).collect();
        for (_, step) in STEPS {
            assert!(found.contains(step), "{step:?} is nowhere reached");
        }
    }

    #[test]
    fn the_names_of_steps_are_unique() {
        for (number, (_, step)) in STEPS.iter().enumerate() {
            assert!(STEPS[..number].iter().all(|(_, earlier)| earlier != step), "{step}");
        }
    }
}
