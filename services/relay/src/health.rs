//! Owns the answer to "can this relay take and serve events right now?".
//!
//! Deliberately does not fix anything: it remembers the last failed write until a later one succeeds, and
//! asks the database for a real read each time.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use serde::Serialize;
use tracing::error;

use crate::store::Store;
use crate::writer::chain;

/// What the relay remembers about its own health.
#[derive(Debug, Default)]
pub(crate) struct Health {
    failing: AtomicBool,
    draining: AtomicBool,
}

/// The answer of `/health`.
///
/// Shape: `{"status":"ready"|"draining"|"failed","code":…,"text":…,"events":n}`; `events` is for the operator only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Report {
    /// `ready`, `draining` or `failed`.
    pub(crate) status: &'static str,
    /// A code for machines.
    pub(crate) code: &'static str,
    /// A sentence for people.
    pub(crate) text: String,
    /// The number of stored events, private ones included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) events: Option<usize>,
}

impl Health {
    /// Notes that a write reached the disk.
    pub(crate) fn wrote(&self) {
        self.failing.store(false, Ordering::SeqCst);
    }

    /// Notes that a write did not reach the disk; true when the one before it did.
    pub(crate) fn write_failed(&self) -> bool {
        !self.failing.swap(true, Ordering::SeqCst)
    }

    /// Notes that the relay is stopping.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
    }

    /// Reads the database and says how the relay is.
    pub(crate) async fn report(&self, store: &Store) -> Report {
        let events = match store.total().await {
            Ok(events) => events,
            Err(failure) => {
                error!(error = %chain(&failure), "the database cannot be read");
                let text = "the database cannot be read; see the log".to_owned();
                return Report {
                    status: "failed",
                    code: "read_failed",
                    text,
                    events: None,
                };
            }
        };
        let events = Some(events);
        if self.draining.load(Ordering::SeqCst) {
            let text = "the relay is stopping".to_owned();
            return Report {
                status: "draining",
                code: "draining",
                text,
                events,
            };
        }
        if self.failing.load(Ordering::SeqCst) {
            let (code, text) = store.diagnose().await;
            return Report {
                status: "failed",
                code,
                text,
                events,
            };
        }
        Report {
            status: "ready",
            code: "ready",
            text: "takes and serves events".to_owned(),
            events,
        }
    }
}

#[cfg(test)]
mod tests;
