//! Context: fields that every record of a scope, a task or a thread has, without being passed along.
//!
//! A [`Context`] is a set of [`Fields`], encoded once. [`scope`] puts one in force for the thread until its guard is dropped; [`InContext`] and
//! [`CallInContext`] carry one along with a future or a closure. A record logged inside has the fields in its own bytes, so that they are kept
//! wherever it goes: through a crash, from a worker process.
//!
//! # Examples
//!
//! ```no_run
//! use miu_log::context::{self, Context, InContext, REQUEST_ID, USER_ID};
//! use miu_log::{LogConfig, fields, log_domains};
//!
//! #[log_domains(app)]
//! mod logs {}
//!
//! # async fn handle() {}
//! # async fn serve() -> Result<(), miu_log::Error> {
//! let repo = logs::Repository::open(LogConfig::new("logs"))?;
//! {
//!     let _scope = context::scope(REQUEST_ID.with("r-17"));
//!     repo.app.info("has request_id=r-17");
//! }
//! // A future takes its context along, from thread to thread.
//! handle().in_context(Context::new().with(&USER_ID, "ann").with_fields(fields!(tenant = 7))).await;
//! # Ok(())
//! # }
//! ```

mod carry;
pub(crate) mod current;
pub(crate) mod diagnosis;
pub(crate) mod fields;
mod id;
mod key;

use std::fmt;
use std::marker::PhantomData;

pub use carry::{CallInContext, Carried, InContext};
use fields::Fields;
pub use id::short_id;
pub use key::{ContextValue, Key, REQUEST_ID, USER_ID, ValueOf};

/// Fields for all that is logged in a scope, by a task or by a thread.
///
/// A clone costs a counter. Putting one in force where another is adds its fields to those: of a name that both have the inner value counts, until the
/// scope ends.
#[derive(Clone, Default)]
pub struct Context {
    fields: Fields,
}

impl Context {
    /// A context without fields.
    pub const fn new() -> Context {
        Context { fields: Fields::new() }
    }

    /// What is in force here and now: to be given to a thread or a task that does not have it by itself.
    ///
    /// # Examples
    ///
    /// ```
    /// use miu_log::context::{self, CallInContext, Context, REQUEST_ID};
    ///
    /// let _scope = context::scope(REQUEST_ID.with("r-17"));
    /// let thread = std::thread::spawn((|| REQUEST_ID.get()).in_context(Context::current()));
    /// assert_eq!(thread.join().unwrap(), "r-17");
    /// ```
    pub fn current() -> Context {
        Context { fields: current::current().fields }
    }

    /// The same with a value for this key.
    #[must_use]
    pub fn with<T: ContextValue + ?Sized>(self, key: &Key<T>, value: impl ValueOf<T>) -> Context {
        self.with_fields(key.with(value))
    }

    /// The same with the default of this key: for [`LogConfig::default_fields`](crate::LogConfig::default_fields).
    #[must_use]
    pub fn with_default<T: ContextValue + ?Sized>(self, key: &Key<T>) -> Context {
        self.with_fields(key.default_fields())
    }

    /// The same with these fields.
    #[must_use]
    pub fn with_fields(self, fields: impl Into<Fields>) -> Context {
        Context { fields: fields.into().over(&self.fields) }
    }

    /// Its fields.
    pub fn fields(&self) -> &Fields {
        &self.fields
    }

    /// Puts it in force for this thread, until the guard is dropped. The same as [`scope`].
    pub fn scope(&self) -> Scope {
        Scope::enter(Some(self.in_force()), None)
    }

    /// Its fields over those in force here and now.
    fn in_force(&self) -> Fields {
        self.fields.over(&current::current().fields)
    }

    /// Runs the function in this context.
    pub fn run<R>(&self, function: impl FnOnce() -> R) -> R {
        let _scope = self.scope();
        function()
    }

    /// The function, to be run in this context: for threads and callbacks. The same as [`CallInContext::in_context`].
    pub fn wrap<R, F: FnOnce() -> R>(&self, function: F) -> impl FnOnce() -> R + use<R, F> {
        function.in_context(self.clone())
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Context").field(&self.fields).finish()
    }
}

impl From<Fields> for Context {
    fn from(fields: Fields) -> Context {
        Context { fields }
    }
}

impl From<&Fields> for Context {
    fn from(fields: &Fields) -> Context {
        Context { fields: fields.clone() }
    }
}

impl From<&Context> for Context {
    fn from(context: &Context) -> Context {
        context.clone()
    }
}

impl From<Context> for Fields {
    fn from(context: Context) -> Fields {
        context.fields
    }
}

impl From<&Fields> for Fields {
    fn from(fields: &Fields) -> Fields {
        fields.clone()
    }
}

/// Puts these fields in force for all that this thread logs, until the guard is dropped.
///
/// Scopes nest: an inner one adds to the outer one, and of a name that both have its own value counts. Guards may be dropped in any order. In async
/// code a guard must not be held across an `.await`, where other tasks run on the thread: it is not `Send`, so that the compiler refuses most
/// of these. Use [`InContext::in_context`] there.
///
/// Entering a scope allocates where it brings fields to others; a logging call inside only copies them.
pub fn scope(context: impl Into<Context>) -> Scope {
    context.into().scope()
}

/// Keeps a context in force: see [`scope`].
#[derive(Debug)]
#[must_use = "the context is in force only as long as its guard is kept: `let _scope = …`"]
pub struct Scope {
    number: Option<u64>,
    /// It belongs to the thread that made it.
    _thread: PhantomData<*const ()>,
}

impl Scope {
    fn enter(fields: Option<Fields>, captured: Option<Fields>) -> Scope {
        Scope { number: current::enter(fields, captured), _thread: PhantomData }
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            current::leave(number);
        }
    }
}

#[cfg(test)]
mod tests;
