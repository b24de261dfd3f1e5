//! Owns the publishing of statuses: each is made of the reconciler's newest view, and none is followed by an older one.
//!
//! It does not know who reads them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use tokio::sync::watch;

use crate::app::forecast::Forecast;
use crate::app::services::RealServices;
use crate::app::status::Frame;
use crate::app::status::node_status;
use crate::clock::UnixMillis;
use crate::id::ServiceId;
use crate::reconcile::View;
use crate::runtime::RuntimeKind;
use crate::status::NodeStatus;

/// What a status is made of, beside the view.
pub(super) struct Sources {
    pub(super) services: Arc<RealServices>,
    pub(super) not_enforced: Vec<String>,
    pub(super) kind: RuntimeKind,
    pub(super) api: Option<SocketAddr>,
    pub(super) forecast: Mutex<Forecast>,
}

impl Sources {
    fn status(&self, view: &View, cursor: u64) -> NodeStatus {
        let world = self.services.world();
        // What a firewall holds may change while the node runs; what processes lack does not.
        let not_enforced = match self.services.engine.walls() {
            Some(walls) => walls.not_enforced(),
            None => self.not_enforced.clone(),
        };
        let pulling = self.services.pulling();
        let foreseen = self.foreseen(view);
        let frame = Frame {
            world: &world,
            pulling: &pulling,
            foreseen: &foreseen,
            runtime: self.kind,
            not_enforced: &not_enforced,
            vault: self.services.vault.facts(),
            api: self.api,
            cursor,
        };
        node_status(view, &frame)
    }

    /// Takes note of how far services are, and says when they will have caught up.
    fn foreseen(&self, view: &View) -> BTreeMap<ServiceId, UnixMillis> {
        let clock = &self.services.clock;
        let (now, wall) = (clock.monotonic(), clock.wall());
        let mut forecast = self.forecast.lock().unwrap_or_else(PoisonError::into_inner);
        let shares = view.board.iter().filter_map(|(id, (_, signals))| {
            let share = signals.synced.share?;
            (signals.synced.ok == Some(false)).then(|| (id.clone(), share))
        });
        forecast.note(shares.collect(), now);
        forecast.foresee(now, wall)
    }

    /// The newest event's cursor; the last known one where it cannot be read.
    fn cursor(&self, last: u64) -> u64 {
        self.services
            .ground
            .state
            .events_after(last, 1)
            .map_or(last, |events| events.newest.max(last))
    }
}

/// Makes statuses out of views.
pub(super) struct Publisher {
    sources: Sources,
    view: watch::Receiver<Arc<View>>,
    pub(super) status: watch::Sender<NodeStatus>,
    pub(super) events: watch::Sender<u64>,
    one_at_a_time: Mutex<()>,
}

impl Publisher {
    /// Makes the first status.
    pub(super) fn new(sources: Sources, view: watch::Receiver<Arc<View>>) -> Self {
        let cursor = sources.cursor(0);
        let first = sources.status(&view.borrow(), cursor);
        Self {
            sources,
            view,
            status: watch::Sender::new(first),
            events: watch::Sender::new(cursor),
            one_at_a_time: Mutex::new(()),
        }
    }

    /// Publishes what is known now, where it differs.
    pub(super) fn publish(&self) {
        // The view is read inside: nobody who read an older one publishes it later.
        let _turn = self
            .one_at_a_time
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let now = self.view.borrow().clone();
        let cursor = self.sources.cursor(*self.events.borrow());
        self.events.send_if_modified(|last| {
            let moved = *last != cursor;
            *last = cursor;
            moved
        });
        let fresh = self.sources.status(&now, cursor);
        self.status.send_if_modified(|last| {
            let differs = *last != fresh;
            *last = fresh;
            differs
        });
    }
}
