//! A context that goes along with a future or a closure.
//!
//! A future has it in force while it is polled, and while it is dropped, on whichever thread that is; whoever polls it finds its own again, also if
//! the future panics.

use std::pin::Pin;
use std::task::{Context as Waking, Poll};

use pin_project_lite::pin_project;

use super::fields::Fields;
use super::{Context, Scope};

/// Gives futures a context.
pub trait InContext: Future + Sized {
    /// The future with this context in force inside it, wherever it is polled: added to what is in force where this is called, whose fields of the
    /// same names give way.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn handle() {}
    /// use miu_log::context::{Context, InContext, REQUEST_ID};
    ///
    /// # async fn serve() {
    /// handle().in_context(REQUEST_ID.with("r-17")).await;
    /// // A spawned task has no context by itself: this one gets that of the task that spawns it.
    /// let task = handle().in_context(Context::current());
    /// # }
    /// ```
    fn in_context(self, context: impl Into<Context>) -> Carried<Self> {
        Carried::new(self, Some(context.into().in_force()), None)
    }
}

impl<F: Future> InContext for F {}

/// Gives functions without arguments a context: for threads, pools and callbacks.
pub trait CallInContext<R>: FnOnce() -> R + Sized {
    /// The function, to be called with this context in force: added to what is in force where this is called, not where the function is.
    ///
    /// # Examples
    ///
    /// ```
    /// use miu_log::context::{CallInContext, REQUEST_ID};
    ///
    /// let thread = std::thread::spawn((|| REQUEST_ID.get()).in_context(REQUEST_ID.with("r-17")));
    /// assert_eq!(thread.join().unwrap(), "r-17");
    /// ```
    fn in_context(self, context: Context) -> impl FnOnce() -> R {
        let fields = context.in_force();
        move || {
            let _scope = Scope::enter(Some(fields), None);
            self()
        }
    }
}

impl<R, F: FnOnce() -> R> CallInContext<R> for F {}

pin_project! {
    /// A future with a context of its own: see [`InContext`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless they are polled"]
    pub struct Carried<F> {
        fields: Option<Fields>,
        captured: Option<Fields>,
        // None only while it is being dropped.
        #[pin]
        future: Option<F>,
    }

    impl<F> PinnedDrop for Carried<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let _scope = Scope::enter(this.fields.clone(), this.captured.clone());
            this.future.set(None);
        }
    }
}

impl<F> Carried<F> {
    /// With these in force; what is not given is that of whoever polls it.
    pub(super) fn new(future: F, fields: Option<Fields>, captured: Option<Fields>) -> Carried<F> {
        Carried { fields, captured, future: Some(future) }
    }
}

impl<F: Future> Future for Carried<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, waking: &mut Waking<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _scope = Scope::enter(this.fields.clone(), this.captured.clone());
        match this.future.as_pin_mut() {
            Some(future) => future.poll(waking),
            None => Poll::Pending,
        }
    }
}
