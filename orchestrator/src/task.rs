//! Owns the spawning of tasks: each has a name, a child token and an exit policy.
//!
//! A task that panics or ends although it should run for ever stops the node with a reason.

use std::future::Future;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What the end of a task means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnExit {
    /// The node stops, with the task's name as the reason, unless it is stopping already.
    Shutdown,
    /// Nothing: the task had an end.
    Done,
}

/// Spawns and outlives tasks.
#[derive(Debug, Clone)]
pub struct Tasks {
    tracker: TaskTracker,
    token: CancellationToken,
    reason: watch::Sender<Option<String>>,
}

impl Tasks {
    /// Starts an empty group.
    #[must_use]
    pub fn new() -> Self {
        Self {
            tracker: TaskTracker::new(),
            token: CancellationToken::new(),
            reason: watch::Sender::new(None),
        }
    }

    /// Returns the token that is cancelled when the node stops.
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        self.token.clone()
    }

    /// Spawns `future` under `name`. After a stop nothing is spawned any more.
    pub fn spawn<F>(&self, name: &'static str, on_exit: OnExit, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        if self.token.is_cancelled() {
            tracing::debug!(
                task.name = name,
                "task {name} was not started: the node is stopping"
            );
            return;
        }
        let tasks = self.clone();
        let inner = self.tracker.spawn(future);
        self.tracker.spawn(async move {
            let ended = inner.await;
            if let Err(error) = &ended
                && error.is_panic()
            {
                tasks.stop(&format!("task {name} panicked"));
            } else if on_exit == OnExit::Shutdown && !tasks.token.is_cancelled() {
                tasks.stop(&format!("task {name} ended"));
            }
        });
    }

    /// Stops every task, for `reason`; the first reason stays.
    pub fn stop(&self, reason: &str) {
        self.reason.send_if_modified(|kept| {
            let first = kept.is_none();
            if first {
                *kept = Some(reason.to_owned());
            }
            first
        });
        self.token.cancel();
    }

    /// Waits until every task has ended and returns the reason of the stop.
    pub async fn wait(&self) -> Option<String> {
        self.tracker.close();
        self.tracker.wait().await;
        self.reason.borrow().clone()
    }
}

impl Default for Tasks {
    fn default() -> Self {
        Self::new()
    }
}
