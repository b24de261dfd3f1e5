//! Owns the rhythm of asking: who is asked how often, and the newest answer of each.
//!
//! It does not know how a service is asked, nor what follows from an answer.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::clock::UnixMillis;
use crate::id::ServiceId;
use crate::reconcile::services::Services;
use crate::service::health::Signals;

/// How often services are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rhythm {
    /// Until a service is ready.
    pub starting: Duration,
    /// Once it is.
    pub ready: Duration,
}

impl Default for Rhythm {
    fn default() -> Self {
        Self {
            starting: Duration::from_millis(500),
            ready: Duration::from_secs(5),
        }
    }
}

/// Who is asked: each service with the start of its run, so that an answer of an earlier run is not taken for one
/// of this. An external service has no start.
pub type Targets = BTreeMap<ServiceId, Option<UnixMillis>>;

/// The newest answer of each service, with the start of the run that gave it.
pub type Board = BTreeMap<ServiceId, (Option<UnixMillis>, Signals)>;

/// Asks every target in its rhythm until `token` is cancelled. A slow service delays no other.
pub(super) async fn ask_around(
    services: Arc<dyn Services>,
    clock: Arc<dyn Clock>,
    rhythm: Rhythm,
    mut targets: watch::Receiver<Targets>,
    board: watch::Sender<Board>,
    token: CancellationToken,
) {
    let mut due: BTreeMap<ServiceId, Duration> = BTreeMap::new();
    let mut asking: BTreeSet<ServiceId> = BTreeSet::new();
    let mut answers = FuturesUnordered::new();
    loop {
        let wanted = targets.borrow_and_update().clone();
        due.retain(|service, _| wanted.contains_key(service));
        board.send_if_modified(|board| {
            let before = board.len();
            board.retain(|service, (since, _)| wanted.get(service) == Some(since));
            board.len() != before
        });
        let now = clock.monotonic();
        for (service, since) in &wanted {
            let is_due = due.get(service).is_none_or(|at| *at <= now);
            if is_due && asking.insert(service.clone()) {
                let (services, service, since) = (Arc::clone(&services), service.clone(), *since);
                answers.push(async move {
                    let signals = services.signals(&service, since).await;
                    (service, since, signals)
                });
            }
        }
        let next = wanted
            .keys()
            .filter(|service| !asking.contains(*service))
            .filter_map(|service| due.get(service));
        let rest = next.min().map_or(rhythm.ready, |at| at.saturating_sub(now));
        // Every branch may be dropped half-way without loss: an answer stays in `answers` until it is taken.
        tokio::select! {
            () = token.cancelled() => return,
            changed = targets.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(rest) => {}
            Some((service, since, signals)) = answers.next() => {
                asking.remove(&service);
                let wait = if signals.ready.ok == Some(true) { rhythm.ready } else { rhythm.starting };
                due.insert(service.clone(), clock.monotonic() + wait);
                // A run that ended while it was asked is none of today's.
                if wanted.get(&service) == Some(&since) {
                    board.send_if_modified(|board| {
                        let fresh = (since, signals);
                        let differs = board.get(&service) != Some(&fresh);
                        board.insert(service, fresh);
                        differs
                    });
                } else {
                    due.remove(&service);
                }
            }
        }
    }
}
