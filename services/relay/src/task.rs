//! Owns spawning: every task of the relay starts here, with a name, and is waited for at the end.
//!
//! Deliberately does not know what a task does. A panic in a task is logged with the task's name.

use std::future::Future;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use tokio_util::task::TaskTracker;
use tracing::error;

/// Starts tasks and knows when all of them have ended.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tasks {
    tracker: TaskTracker,
}

impl Tasks {
    /// Starts `future` as a task called `name`.
    pub(crate) fn spawn<F>(&self, name: &'static str, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.tracker.spawn(async move {
            if AssertUnwindSafe(future).catch_unwind().await.is_err() {
                error!(task = name, "the task {name} panicked");
            }
        });
    }

    /// Waits until every task has ended.
    pub(crate) async fn wait(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }
}
