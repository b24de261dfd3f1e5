//! Owns the open connections and their subscriptions, and hands each new event to those who may read it.
//!
//! Deliberately does not know about sockets or storage. One task walks all subscriptions per event: that is
//! cheaper than waking every connection for every event.

use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use nostr::event::Event;
use nostr::event::EventId;
use nostr::filter::Filter;
use nostr::filter::MatchEventOptions;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::limits::Limits;
use crate::message;
use crate::message::Name;
use crate::outbound::MIN_FRAME_BYTES;
use crate::outbound::Outbound;
use crate::visibility;
use crate::visibility::Readers;

/// What an id or a key, a kind, and a text beside its letters take in a filter, roughly.
const KEY_BYTES: usize = 64;
const KIND_BYTES: usize = 8;
const TEXT_BYTES: usize = 48;

/// One connection as the live feed sees it.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) outbound: Outbound,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    readers: Readers,
    subscriptions: HashMap<Name, Subscription>,
    /// Bytes of the frames that subscriptions keep back, all of them together.
    pending_bytes: usize,
}

impl State {
    fn remove(&mut self, name: &Name) -> bool {
        let removed = self.subscriptions.remove(name);
        let kept_back = removed.iter().filter_map(|s| s.pending.as_ref());
        self.pending_bytes -= kept_back.flatten().map(|(_, f)| room(f)).sum::<usize>();
        removed.is_some()
    }
}

/// Returns what `filter` takes in memory, roughly. Units: bytes.
fn weight(filter: &Filter) -> usize {
    let ids = filter.ids.as_ref().map_or(0, |ids| ids.len());
    let authors = filter.authors.as_ref().map_or(0, |authors| authors.len());
    let kinds = filter.kinds.as_ref().map_or(0, |kinds| kinds.len());
    let texts = filter.generic_tags.values().flatten();
    let texts: usize = texts.map(|text| text.len() + TEXT_BYTES).sum();
    size_of::<Filter>() + (ids + authors) * KEY_BYTES + kinds * KIND_BYTES + texts
}

/// Returns what a frame that is kept back counts for. Units: bytes.
fn room(frame: &str) -> usize {
    frame.len().max(MIN_FRAME_BYTES)
}

#[derive(Debug)]
struct Subscription {
    name_json: String,
    filters: Vec<Filter>,
    /// New events, kept back until everything stored was sent.
    pending: Option<Vec<(EventId, String)>>,
}

impl Connection {
    pub(crate) fn new(outbound: Outbound) -> Self {
        Self {
            outbound,
            state: Mutex::default(),
        }
    }

    /// Returns a copy of the keys that this reader has proved.
    pub(crate) fn readers(&self) -> Readers {
        self.lock().readers.clone()
    }

    /// Adds a proved key; false when the connection already holds `limit` others.
    pub(crate) fn add_reader(&self, key: nostr::key::PublicKey, limit: usize) -> bool {
        let mut state = self.lock();
        if !state.readers.contains(&key) && state.readers.count() >= limit {
            return false;
        }
        state.readers.insert(key);
        true
    }

    /// Opens a subscription that keeps new events back; an open one of the same name ends.
    ///
    /// Errors: the text of the refusal.
    pub(crate) fn open(
        &self,
        name: &Name,
        filters: Vec<Filter>,
        limits: &Limits,
    ) -> Result<(), &'static str> {
        let mut state = self.lock();
        state.remove(name);
        if state.subscriptions.len() >= limits.subscriptions_per_connection {
            return Err("blocked: too many open subscriptions");
        }
        let open = state.subscriptions.values().flat_map(|s| &s.filters);
        let bytes: usize = open.chain(&filters).map(weight).sum();
        if bytes > limits.subscription_bytes_per_connection {
            return Err("blocked: the filters of your subscriptions are too large; narrow them");
        }
        let subscription = Subscription {
            name_json: name.json(),
            filters,
            pending: Some(Vec::new()),
        };
        state.subscriptions.insert(name.clone(), subscription);
        Ok(())
    }

    /// Says that everything stored was sent, `sent` among it, and lets new events through.
    pub(crate) fn go_live(&self, name: &Name, sent: &HashSet<EventId>) {
        let mut state = self.lock();
        let Some(subscription) = state.subscriptions.get_mut(name) else {
            return;
        };
        let pending = subscription.pending.take().unwrap_or_default();
        state.pending_bytes -= pending.iter().map(|(_, f)| room(f)).sum::<usize>();
        self.outbound.push(message::end_of_stored(name));
        for (id, frame) in pending {
            if !sent.contains(&id) {
                self.outbound.push(frame);
            }
        }
    }

    /// Ends a subscription; false when there is none of this name.
    pub(crate) fn close(&self, name: &Name) -> bool {
        self.lock().remove(name)
    }

    /// Counts the open subscriptions.
    pub(crate) fn subscriptions(&self) -> usize {
        self.lock().subscriptions.len()
    }

    fn deliver(&self, event: &Event, json: &mut Option<String>) {
        let mut state = self.lock();
        let State {
            readers,
            subscriptions,
            pending_bytes,
        } = &mut *state;
        if subscriptions.is_empty() || !visibility::visible(event, readers) {
            return;
        }
        for subscription in subscriptions.values_mut() {
            if !subscription.matches(event) {
                continue;
            }
            let json = json.get_or_insert_with(|| event.as_json());
            let frame = message::event(&subscription.name_json, json);
            match &mut subscription.pending {
                None => self.outbound.push(frame),
                Some(pending) => {
                    *pending_bytes += room(&frame);
                    pending.push((event.id, frame));
                    // What is kept back must fit into the queue in the end.
                    if *pending_bytes > self.outbound.bytes() {
                        self.outbound.gone().cancel();
                    }
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subscription {
    fn matches(&self, event: &Event) -> bool {
        self.filters
            .iter()
            .any(|filter| filter.match_event(event, MatchEventOptions::new()))
    }
}

/// All open connections.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    connections: RwLock<HashMap<u64, Arc<Connection>>>,
    next: AtomicU64,
}

impl Hub {
    /// Adds a connection and returns the number under which it can be removed.
    pub(crate) fn join(&self, connection: Arc<Connection>) -> u64 {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.connections
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(number, connection);
        number
    }

    /// Removes a connection with its subscriptions.
    pub(crate) fn leave(&self, number: u64) {
        self.connections
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&number);
    }

    /// Counts open connections and their subscriptions.
    pub(crate) fn size(&self) -> (usize, usize) {
        let connections = self
            .connections
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        (
            connections.len(),
            connections.values().map(|c| c.subscriptions()).sum(),
        )
    }

    /// Hands `event` to every subscription that asks for it and whose reader may read it.
    pub(crate) fn publish(&self, event: &Event) {
        let connections = self
            .connections
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let mut json = None;
        for connection in connections.values() {
            connection.deliver(event, &mut json);
        }
    }

    /// Publishes what arrives in `events` until `stop`.
    pub(crate) async fn run(
        self: Arc<Self>,
        mut events: mpsc::Receiver<Arc<Event>>,
        stop: CancellationToken,
    ) {
        loop {
            tokio::select! {
                // Receiving is cancel-safe: an event that was not received stays in the queue.
                event = events.recv() => match event {
                    Some(event) => self.publish(&event),
                    None => return,
                },
                () = stop.cancelled() => return,
            }
        }
    }
}

#[cfg(test)]
mod tests;
