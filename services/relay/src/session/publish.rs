//! Owns EVENT: admits an event, has it saved and words its fate.
//!
//! Deliberately does not know how events are kept. What is said of a private event never depends on
//! whether it was there before.

use std::sync::Arc;

use nostr::event::Event;

use super::Session;
use crate::message;
use crate::metrics::Metrics;
use crate::policy;
use crate::policy::Refusal;
use crate::visibility;
use crate::writer::Fate;
use crate::writer::Job;

/// What to do with an event that was admitted.
enum Admitted {
    Save { checked: u64, charged: bool },
    PassOn,
}

impl Session {
    /// Answers EVENT, now or when the event is on disk.
    pub(super) async fn publish(&self, event: Event, bytes: usize) {
        let id = event.id;
        let event = Arc::new(event);
        match self.admit(&event, bytes).await {
            Err(refusal) => {
                let metrics = &self.shared.metrics;
                let limited = refusal.0.starts_with("rate-limited");
                if limited {
                    metrics.rate_limited.add();
                } else {
                    metrics.refused.add();
                }
                self.connection
                    .outbound
                    .push(message::ok(&id, false, refusal.0));
            }
            Ok(Admitted::PassOn) => {
                self.shared.metrics.ephemeral.add();
                let passed = self.shared.live.send(event).await.is_ok();
                let text = if passed {
                    ""
                } else {
                    "error: the relay is stopping"
                };
                self.connection
                    .outbound
                    .push(message::ok(&id, passed, text));
            }
            Ok(Admitted::Save { checked, charged }) => self.save(event, checked, charged).await,
        }
    }

    async fn admit(&self, event: &Event, bytes: usize) -> Result<Admitted, Refusal> {
        let shared = &self.shared;
        if !shared.rates.event(self.address) {
            return Err(Refusal("rate-limited: too many events from your address"));
        }
        let sender = self.connection.readers();
        policy::admit(event, bytes, &shared.limits, shared.clock.now(), &sender)?;
        if !event.verify_id() {
            return Err(Refusal("invalid: the id is not the hash of the event"));
        }
        if !event.verify_signature() {
            return Err(Refusal("invalid: the signature is wrong"));
        }
        if event.kind.is_ephemeral() {
            // Anybody can send it again, and nobody knows that it is not new: that must not silence its author.
            if !shared.rates.passing_event(event.pubkey, self.address) {
                return Err(TOO_MANY_BY_KEY);
            }
            self.charge_recipients(event)?;
            return Ok(Admitted::PassOn);
        }
        // The generation is read first: a deletion that comes in between makes the writer look again.
        let checked = shared.tombstones.generation();
        match shared.tombstones.names(event, &shared.store).await {
            Ok(false) => {}
            Ok(true) => return Err(DELETED),
            Err(_) => return Err(UNREADABLE),
        }
        // What is stored already is sent again by whoever likes, and costs its author nothing.
        let charged = !shared.store.holds(event.id).await.map_err(|_| UNREADABLE)?;
        if charged && !shared.rates.event_by(&event.pubkey) {
            return Err(TOO_MANY_BY_KEY);
        }
        if let Err(refusal) = self.charge_recipients(event) {
            if charged {
                shared.rates.event_not_stored(&event.pubkey);
            }
            return Err(refusal);
        }
        Ok(Admitted::Save { checked, charged })
    }

    /// Counts a private message for its recipients, once each and only when none of them has had too many.
    fn charge_recipients(&self, event: &Event) -> Result<(), Refusal> {
        if !visibility::private_kind(event.kind) {
            return Ok(());
        }
        let recipients = visibility::recipients(event).collect();
        if !self.shared.rates.event_to(&recipients, self.address) {
            return Err(Refusal(
                "rate-limited: too many messages to this recipient from your address",
            ));
        }
        Ok(())
    }

    /// Queues an event for the disk; waits while too many of this client's events or of all events wait.
    async fn save(&self, event: Arc<Event>, checked: u64, charged: bool) {
        let (id, author) = (event.id, event.pubkey);
        let private = visibility::private(&event);
        let permit = Arc::clone(&self.unsaved)
            .acquire_owned()
            .await
            .expect("never closed");
        let connection = Arc::clone(&self.connection);
        let shared = Arc::clone(&self.shared);
        let done = Box::new(move |fate: Fate| {
            count(&shared.metrics, fate);
            if charged && fate != Fate::Saved {
                shared.rates.event_not_stored(&author);
            }
            let (accepted, text) = answer(fate, private);
            connection.outbound.push(message::ok(&id, accepted, text));
            drop(permit);
        });
        if let Err(unsent) = self
            .shared
            .jobs
            .send(Job {
                event,
                checked,
                done,
            })
            .await
        {
            (unsent.0.done)(Fate::Failed);
        }
    }
}

const TOO_MANY_BY_KEY: Refusal = Refusal("rate-limited: too many events by this key");
const UNREADABLE: Refusal = Refusal("error: the relay cannot read its database");
const DELETED: Refusal = Refusal("blocked: its author has deleted this event");

/// Words a fate; whether a private event was there before is nobody's business.
fn answer(fate: Fate, private: bool) -> (bool, &'static str) {
    match fate {
        Fate::Saved => (true, ""),
        Fate::Duplicate if private => (true, ""),
        Fate::Duplicate => (true, "duplicate: already have this event"),
        Fate::Replaced => (false, "blocked: a newer version of this event is stored"),
        Fate::Deleted => (false, DELETED.0),
        Fate::Betrays => (
            false,
            "invalid: a deletion of private messages names their kind in a k tag",
        ),
        Fate::Failed => (false, "error: the event could not be saved"),
    }
}

fn count(metrics: &Metrics, fate: Fate) {
    let counter = match fate {
        Fate::Saved => &metrics.saved,
        Fate::Duplicate => &metrics.duplicate,
        Fate::Replaced => &metrics.replaced,
        Fate::Deleted => &metrics.deleted,
        Fate::Betrays => &metrics.refused,
        Fate::Failed => &metrics.failed,
    };
    counter.add();
}

#[cfg(test)]
mod tests;
