//! Owns the order of writes: one task saves events in batches, and an event's fate is told only when it is on disk.
//!
//! Deliberately does not know who sent an event or what the answer looks like. The queue in front of the
//! database is bounded: when the disk is slow, senders wait.

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;
use nostr::event::Event;
use nostr_database::RejectedReason;
use nostr_database::SaveEventStatus;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::error;

use crate::deletion::DELETION;
use crate::deletion::Deletion;
use crate::deletion::Tombstones;
use crate::expiry::Expiry;
use crate::health::Health;
use crate::store::Store;
use crate::store::StoreError;

/// Events that may wait for the writer; a sender of more waits itself.
pub(crate) const QUEUE: usize = 1024;
/// Events that are with the database at once, whose own queue has no bound.
const MAX_SAVING: usize = 1024;

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is on disk.
    Saved,
    /// It was on disk already.
    Duplicate,
    /// A newer version of it is on disk.
    Replaced,
    /// Its author asked for its deletion.
    Deleted,
    /// It is a deletion request that would tell of private messages.
    Betrays,
    /// The database did not take it.
    Failed,
}

/// An event on its way to the disk.
pub(crate) struct Job {
    /// The event; its signature is good and the relay wants it.
    pub(crate) event: Arc<Event>,
    /// The generation of the tombstones when the event was last found not to be deleted.
    pub(crate) checked: u64,
    /// Is told the fate, once.
    pub(crate) done: Box<dyn FnOnce(Fate) + Send>,
}

/// The one task that writes events.
pub(crate) struct Writer {
    pub(crate) store: Store,
    pub(crate) tombstones: Arc<Tombstones>,
    pub(crate) expiry: Arc<Expiry>,
    pub(crate) health: Arc<Health>,
    /// Saved events on their way to open subscriptions.
    pub(crate) saved: mpsc::Sender<Arc<Event>>,
}

impl Writer {
    /// Writes what arrives in `jobs` until `stop`; what was queued by then is still written.
    ///
    /// Saves overlap: while one commit is on its way to the disk, the database gathers the next, so that a
    /// slow disk makes commits larger and not fewer events a second. A deletion request stands alone
    /// between what came before it and what comes after.
    pub(crate) async fn run(self, mut jobs: mpsc::Receiver<Job>, stop: CancellationToken) {
        let mut saving = FuturesOrdered::new();
        loop {
            let room = MAX_SAVING - saving.len();
            let job = tokio::select! {
                // A stream of futures is cancel-safe: it keeps each of them until its result is taken.
                Some((job, fate)) = saving.next() => {
                    self.finish(job, fate).await;
                    continue;
                }
                // recv is cancel-safe: a job it has not returned stays in the queue.
                job = jobs.recv(), if room > 0 => job,
                // Closing keeps the queue; what is in it is still received.
                () = stop.cancelled(), if !jobs.is_closed() => {
                    jobs.close();
                    continue;
                }
            };
            let deletes = job.as_ref().is_none_or(|job| job.event.kind == DELETION);
            if deletes {
                while let Some((job, fate)) = saving.next().await {
                    self.finish(job, fate).await;
                }
            }
            match job {
                None => return,
                Some(job) if deletes => self.delete(job).await,
                Some(job) => saving.push_back(self.save(job)),
            }
        }
    }

    async fn save(&self, job: Job) -> (Job, Fate) {
        let event = Arc::clone(&job.event);
        if job.checked != self.tombstones.generation() {
            match self.tombstones.names(&event, &self.store).await {
                Ok(false) => {}
                Ok(true) => return (job, Fate::Deleted),
                Err(failure) => return (job, self.failed(&failure).await),
            }
        }
        let fate = self.save_unconditionally(&event).await;
        (job, fate)
    }

    async fn save_unconditionally(&self, event: &Event) -> Fate {
        match self.store.save(event).await {
            Ok(SaveEventStatus::Success) => {
                self.health.wrote();
                Fate::Saved
            }
            Ok(SaveEventStatus::Rejected(reason)) => match reason {
                RejectedReason::Duplicate => Fate::Duplicate,
                RejectedReason::Replaced => Fate::Replaced,
                RejectedReason::Deleted | RejectedReason::InvalidDelete => Fate::Deleted,
                RejectedReason::Ephemeral
                | RejectedReason::Expired
                | RejectedReason::Vanished
                | RejectedReason::Other => {
                    error!(
                        ?reason,
                        "the database refused an event that the relay had admitted"
                    );
                    Fate::Failed
                }
            },
            Err(failure) => self.failed(&failure).await,
        }
    }

    /// Carries out a deletion request: first the removal, then the request itself. If the relay dies in
    /// between, the sender has no OK and sends the request again.
    async fn delete(&self, job: Job) {
        let fate = match Deletion::plan(&job.event, &self.store).await {
            Ok(deletion) if deletion.betrays => Fate::Betrays,
            Ok(deletion) => self.carry_out(deletion, &job.event).await,
            Err(failure) => self.failed(&failure).await,
        };
        self.finish(job, fate).await;
    }

    async fn carry_out(&self, deletion: Deletion, request: &Event) -> Fate {
        self.tombstones.remember(request);
        for filter in deletion.remove {
            if let Err(failure) = self.store.delete(filter).await {
                return self.failed(&failure).await;
            }
        }
        self.save_unconditionally(request).await
    }

    async fn failed(&self, failure: &StoreError) -> Fate {
        if self.health.write_failed() {
            let (code, text) = self.store.diagnose().await;
            error!(code, error = %chain(failure), "events cannot be saved: {text}");
        }
        Fate::Failed
    }

    async fn finish(&self, job: Job, fate: Fate) {
        (job.done)(fate);
        if fate == Fate::Saved {
            self.expiry.note(&job.event);
            // The feed ends only after the writer does.
            let _ = self.saved.send(job.event).await;
        }
    }
}

/// Writes an error with its causes on one line.
pub(crate) fn chain(failure: &(dyn std::error::Error + 'static)) -> String {
    let mut text = failure.to_string();
    let mut source = failure.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
