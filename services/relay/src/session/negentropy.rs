//! Owns NEG-OPEN, NEG-MSG and NEG-CLOSE (NIP-77): a client and the relay find out what either lacks.
//!
//! Deliberately does not decide who may read what: the set compared is the one this reader may see, as it
//! was when the session was opened.

use std::collections::HashMap;
use std::collections::HashSet;
use std::time::Duration;

use negentropy::Id;
use negentropy::Negentropy;
use negentropy::NegentropyStorageVector;
use nostr::event::EventId;
use nostr::filter::Filter;
use nostr::types::Timestamp;
use tokio::time::Instant;

use super::Session;
use crate::message;
use crate::message::Name;

/// Bytes of one negentropy message; twice as many travel, as hexadecimal digits.
const FRAME_BYTES: u64 = 60_000;

/// One open comparison.
pub(super) struct Reconciliation {
    negentropy: Negentropy<'static, NegentropyStorageVector>,
    used: Instant,
}

impl Reconciliation {
    fn new(items: HashSet<(EventId, Timestamp)>) -> Result<Self, negentropy::Error> {
        let mut storage = NegentropyStorageVector::with_capacity(items.len());
        for (id, at) in items {
            storage.insert(at.as_secs(), Id::from_byte_array(id.to_bytes()))?;
        }
        storage.seal()?;
        Ok(Self {
            negentropy: Negentropy::owned(storage, FRAME_BYTES)?,
            used: Instant::now(),
        })
    }

    fn answer(&mut self, message: &[u8]) -> Result<Vec<u8>, negentropy::Error> {
        self.used = Instant::now();
        self.negentropy.reconcile(message)
    }
}

impl Session {
    /// Waits until a negentropy session has been idle for `patience` and returns its name.
    pub(super) async fn idle_negentropy(
        sessions: &HashMap<Name, Reconciliation>,
        patience: Duration,
    ) -> Name {
        let Some((name, oldest)) = sessions.iter().min_by_key(|(_, session)| session.used) else {
            return std::future::pending().await;
        };
        tokio::time::sleep_until(oldest.used + patience).await;
        name.clone()
    }

    /// Answers NEG-OPEN.
    pub(super) async fn open_negentropy(&mut self, name: Name, filter: Filter, first: &[u8]) {
        self.shared.metrics.negentropy.add();
        self.reconciliations.remove(&name);
        if let Err(text) = self.begin_negentropy(&name, filter, first).await {
            self.shared.metrics.queries_refused.add();
            self.connection
                .outbound
                .push(message::neg_error(&name, text));
        }
    }

    async fn begin_negentropy(
        &mut self,
        name: &Name,
        filter: Filter,
        first: &[u8],
    ) -> Result<(), &'static str> {
        if self.reconciliations.len() >= self.shared.limits.negentropy_sessions_per_connection {
            return Err("blocked: too many open negentropy sessions");
        }
        let filters = self.prepare(vec![filter])?;
        let items = self
            .collect(filters, self.shared.limits.negentropy_events)
            .await?;
        let reconciliation = Reconciliation::new(items)
            .map_err(|_| "error: the set of events cannot be compared")?;
        self.reconciliations.insert(name.clone(), reconciliation);
        self.go_on_negentropy(name, first);
        Ok(())
    }

    /// Answers NEG-MSG; a message that cannot be read ends the session.
    pub(super) fn go_on_negentropy(&mut self, name: &Name, message: &[u8]) {
        let outbound = &self.connection.outbound;
        let Some(reconciliation) = self.reconciliations.get_mut(name) else {
            outbound.push(message::neg_error(
                name,
                "closed: no such negentropy session",
            ));
            return;
        };
        match reconciliation.answer(message) {
            Ok(answer) => outbound.push(message::neg_message(name, &answer)),
            Err(_) => {
                outbound.push(message::neg_error(
                    name,
                    "invalid: the negentropy message cannot be read",
                ));
                self.reconciliations.remove(name);
            }
        }
    }
}
