//! Owns when stored events expire (NIP-40) and removes them on a schedule.
//!
//! Deliberately does not decide what is served: an expired event is left out of every answer before it is removed.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use nostr::event::Event;
use nostr::event::EventId;
use nostr::filter::Filter;
use nostr::types::Timestamp;
use tokio_util::sync::CancellationToken;
use tracing::info;
use tracing::warn;

use crate::clock::Clock;
use crate::deletion::DELETION;
use crate::store::Store;
use crate::store::StoreError;
use crate::writer::chain;

const PAGE_EVENTS: usize = 500;

/// The stored events that will expire, earliest first. The database has no index for this.
#[derive(Debug, Default)]
pub(crate) struct Expiry {
    due: Mutex<BTreeSet<(Timestamp, EventId)>>,
}

impl Expiry {
    /// Notes a stored event, if it expires at all.
    pub(crate) fn note(&self, event: &Event) {
        // A deletion stays, also one from before such ones were refused: what it deleted must not come back.
        if event.kind == DELETION {
            return;
        }
        if let Some(at) = event.tags.expiration() {
            self.lock().insert((at, event.id));
        }
    }

    /// Looks through the whole database once, then removes what has expired every `period` until `stop`.
    pub(crate) async fn run(
        &self,
        store: Store,
        clock: Clock,
        period: Duration,
        stop: CancellationToken,
    ) {
        let work = async {
            if let Err(failure) = self.load(&store).await {
                warn!(error = %chain(&failure), "could not look for expired events");
            }
            let mut ticks = tokio::time::interval(period);
            loop {
                ticks.tick().await;
                match self.purge(&store, clock.now()).await {
                    Ok(0) => {}
                    Ok(events) => info!(events, "removed {events} expired events"),
                    Err(failure) => {
                        warn!(error = %chain(&failure), "could not remove expired events");
                    }
                }
            }
        };
        tokio::select! {
            // A removal that is cut short was either committed or not; the next start finds the rest.
            () = work => {}
            () = stop.cancelled() => {}
        }
    }

    async fn load(&self, store: &Store) -> Result<(), StoreError> {
        let mut scan = store.scan(Filter::new(), PAGE_EVENTS);
        while let Some(page) = scan.next().await? {
            page.iter().for_each(|event| self.note(event));
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// Removes what has expired by `now` and returns how many events that were at most.
    ///
    /// Errors: a write failed; what was not removed is tried again.
    pub(crate) async fn purge(&self, store: &Store, now: Timestamp) -> Result<usize, StoreError> {
        let mut removed = 0;
        loop {
            let due: Vec<_> = self
                .lock()
                .iter()
                .take_while(|(at, _)| *at < now)
                .take(PAGE_EVENTS)
                .copied()
                .collect();
            if due.is_empty() {
                return Ok(removed);
            }
            store
                .delete(Filter::new().ids(due.iter().map(|(_, id)| *id)))
                .await?;
            let mut waiting = self.lock();
            for entry in &due {
                waiting.remove(entry);
            }
            removed += due.len();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeSet<(Timestamp, EventId)>> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
