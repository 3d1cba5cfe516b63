//! What `#[miu_log::main]` puts around `main`: early records at its beginning, the reason at its end.
//!
//! W1. A repository that is dropped on the main thread while the program runs, without a panic, is as a rule one that `main` drops when it returns. It is
//!     kept until what `main` returns is known: its records are written, it takes no more, and the next repository that is opened, or the end of
//!     the process, ends it.
//! W2. What `main` returns is looked at by its type, as method resolution finds it: an error, what dereferences to one, what has a `Debug` text, an exit
//!     code, anything else. Each has a trait, in that order of precedence; their method has a name that no trait of the program has.
//!
//! Called by the macro's expansion and by `repository`.

use std::any::Any;
use std::error::Error;
use std::fmt::Debug;
use std::ops::Deref;
use std::panic::Location;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;

use super::early::early_init;
use super::exit;
use crate::callsite::Place;
use crate::chain::causes_of;
use crate::notice::notice;
use crate::repository::Inner;
use crate::sync::lock;

/// The thread that `main` runs on, while it does.
static RUNNING: Mutex<Option<ThreadId>> = Mutex::new(None);

/// Repositories that were dropped meanwhile (W1).
static KEPT: Mutex<Vec<Arc<Inner>>> = Mutex::new(Vec::new());

/// Runs the program's function, and records how it ended where it did not end well.
#[track_caller]
pub fn program<R>(main: impl FnOnce() -> R, ending: impl FnOnce(&R) -> Option<Ending>) -> R {
    let here = Location::caller();
    if let Err(error) = early_init() {
        notice("early_init", &error.to_string());
    }
    *lock(&RUNNING) = Some(std::thread::current().id());
    let outcome = main();
    if let Some(ending) = ending(&outcome) {
        let mut repositories = exit::repositories();
        for kept in lock(&KEPT).iter() {
            if !repositories.iter().any(|known| Arc::ptr_eq(known, kept)) {
                repositories.push(kept.clone());
            }
        }
        for repository in repositories {
            repository.record_ending(&ending, Place::of(here));
        }
    }
    *lock(&RUNNING) = None;
    outcome
}

/// Keeps a repository that is being dropped, where that has to be (W1). False: it is to be ended now.
pub(crate) fn keep(repository: &Arc<Inner>) -> bool {
    if std::thread::panicking() || *lock(&RUNNING) != Some(std::thread::current().id()) {
        return false;
    }
    repository.rest();
    lock(&KEPT).push(repository.clone());
    true
}

/// Ends those that were kept: another repository is about to be opened.
pub(crate) fn end_kept() {
    let kept = std::mem::take(&mut *lock(&KEPT));
    for repository in kept {
        repository.shutdown();
    }
}

/// How a program ended that did not end well.
#[derive(Debug)]
pub struct Ending {
    pub(crate) text: String,
    pub(crate) detail: Option<String>,
}

impl Ending {
    fn of_error(text: String, cause: Option<&(dyn Error + 'static)>) -> Ending {
        let detail = cause.is_some().then(|| causes_of(&text, cause));
        Ending { text: format!("main returned an error: {text}"), detail }
    }

    /// Where the value is an exit code that tells of a failure.
    fn of_code(value: &dyn Any) -> Option<Ending> {
        let code = value.downcast_ref::<ExitCode>().filter(|code| **code != ExitCode::SUCCESS)?;
        // It shows its number by `Debug` alone: `ExitCode(unix_exit_status(3))`.
        let shown = format!("{code:?}");
        let number: String = shown.chars().filter(char::is_ascii_digit).collect();
        Some(Ending { text: format!("main returned exit code {number}"), detail: None })
    }
}

/// What `main` returned (W2).
#[derive(Debug)]
pub struct Outcome<'a, R>(pub &'a R);

/// An error.
pub trait EndsByError {
    /// How the program ended.
    fn __miu_log_ending(&self) -> Option<Ending>;
}

impl<T: 'static, E: Error> EndsByError for &&&Outcome<'_, Result<T, E>> {
    fn __miu_log_ending(&self) -> Option<Ending> {
        match self.0 {
            Ok(value) => Ending::of_code(value),
            Err(error) => Some(Ending::of_error(error.to_string(), error.source())),
        }
    }
}

/// Something that dereferences to an error: a boxed one.
pub trait EndsBySource {
    /// How the program ended.
    fn __miu_log_ending(&self) -> Option<Ending>;
}

impl<T: 'static, E: Deref<Target: Error>> EndsBySource for &&Outcome<'_, Result<T, E>> {
    fn __miu_log_ending(&self) -> Option<Ending> {
        match self.0 {
            Ok(value) => Ending::of_code(value),
            Err(error) => Some(Ending::of_error(error.to_string(), error.source())),
        }
    }
}

/// Something that has no more than a text.
pub trait EndsByText {
    /// How the program ended.
    fn __miu_log_ending(&self) -> Option<Ending>;
}

impl<T: 'static, E: Debug> EndsByText for &Outcome<'_, Result<T, E>> {
    fn __miu_log_ending(&self) -> Option<Ending> {
        match self.0 {
            Ok(value) => Ending::of_code(value),
            Err(error) => Some(Ending::of_error(format!("{error:?}"), None)),
        }
    }
}

/// Anything else: an exit code, or nothing at all.
pub trait EndsByOther {
    /// How the program ended.
    fn __miu_log_ending(&self) -> Option<Ending>;
}

impl<R: 'static> EndsByOther for Outcome<'_, R> {
    fn __miu_log_ending(&self) -> Option<Ending> {
        Ending::of_code(self.0)
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::fmt;

    use super::*;

    #[derive(Debug)]
    struct Failure(Option<fmt::Error>);

    impl fmt::Display for Failure {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("failed")
        }
    }

    impl Error for Failure {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.0.as_ref().map(|error| error as &dyn Error)
        }
    }

    /// As the expansion asks.
    macro_rules! ending {
        ($outcome:expr) => {{
            let outcome = $outcome;
            let ending = (&&&&Outcome(&outcome)).__miu_log_ending();
            ending.map(|Ending { text, detail }| (text, detail.unwrap_or_default()))
        }};
    }

    fn told(text: &str, detail: &str) -> Option<(String, String)> {
        Some((text.to_owned(), detail.to_owned()))
    }

    #[test]
    fn an_error_is_told_with_its_causes_whatever_it_is_wrapped_in() {
        let chain = "error: failed\ncaused by: an error occurred when formatting an argument";
        let failure = || Failure(Some(fmt::Error));
        let boxed: Box<dyn Error> = failure().into();
        let sent: Box<dyn Error + Send + Sync> = failure().into();
        let expected = told("main returned an error: failed", chain);
        assert_eq!(ending!(Err::<(), Failure>(failure())), expected);
        assert_eq!(ending!(Err::<(), Box<dyn Error>>(boxed)), expected);
        assert_eq!(ending!(Err::<(), Box<dyn Error + Send + Sync>>(sent)), expected);
        assert_eq!(ending!(Err::<u8, Failure>(Failure(None))), told("main returned an error: failed", ""));
    }

    #[test]
    fn an_error_that_is_none_is_told_as_main_shows_it() {
        assert_eq!(ending!(Err::<(), String>("no".to_owned())), told("main returned an error: \"no\"", ""));
        assert_eq!(ending!(Err::<(), u8>(7)), told("main returned an error: 7", ""));
    }

    #[test]
    fn an_exit_code_is_told_where_it_is_a_failure() {
        let expected = told("main returned exit code 3", "");
        assert_eq!(ending!(ExitCode::from(3)), expected);
        assert_eq!(ending!(Ok::<ExitCode, Failure>(ExitCode::from(3))), expected);
        assert_eq!(ending!(Ok::<ExitCode, u8>(ExitCode::from(3))), expected);
        assert_eq!(ending!(ExitCode::SUCCESS), None);
        assert_eq!(ending!(()), None);
        assert_eq!(ending!(Ok::<(), Failure>(())), None);
    }
}
