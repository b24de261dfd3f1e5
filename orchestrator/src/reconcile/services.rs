//! Owns what the reconciler needs to know and do about services besides running them, as one trait.
//!
//! It does not know manifests, the vault or probes: `app` brings those in, a table in the tests.

use std::collections::BTreeSet;

use async_trait::async_trait;

use crate::clock::UnixMillis;
use crate::id::Name;
use crate::id::ServiceId;
use crate::reconcile::observed::Obstacle;
use crate::runtime::Unit;
use crate::service::health::Signals;
use crate::service::spec::ServiceSpec;
use crate::service::spec::SpecHash;

/// What happened to the jobs that follow a start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobsDone {
    /// Jobs that are now done once for all.
    pub once: BTreeSet<Name>,
    /// Jobs that are now done for this start.
    pub this_start: BTreeSet<Name>,
}

/// Services as the reconciler sees them, beside the runtime.
#[async_trait]
pub trait Services: Send + Sync {
    /// Whether the vault is sealed.
    fn sealed(&self) -> bool;

    /// What keeps `spec` from being started now, found without changing anything. `running`: the service itself
    /// holds its ports.
    fn obstacle(&self, spec: &ServiceSpec, running: bool) -> Option<Obstacle>;

    /// The volumes of `spec` that hold data now, among those whose loss cannot be made good ([`guarded`]).
    ///
    /// [`guarded`]: crate::reconcile::guard::guarded
    fn data_in(&self, spec: &ServiceSpec) -> BTreeSet<Name>;

    /// Makes the secrets that `spec` needs, once, and fills them in.
    async fn unit(&self, spec: &ServiceSpec, hash: &SpecHash) -> Result<Unit, Obstacle>;

    /// Runs the jobs that stand before the first start; returns those that are now done for all time.
    async fn before_start(
        &self,
        spec: &ServiceSpec,
        unit: &Unit,
        done: &BTreeSet<Name>,
    ) -> Result<BTreeSet<Name>, Obstacle>;

    /// Runs the jobs that follow a start. A job whose conditions do not hold is passed over and asked again later.
    async fn after_alive(
        &self,
        service: &ServiceId,
        once: &BTreeSet<Name>,
        this_start: &BTreeSet<Name>,
    ) -> Result<JobsDone, Obstacle>;

    /// Asks a running (or external) service for its signals. `since` tells how long it has been running.
    async fn signals(&self, service: &ServiceId, since: Option<UnixMillis>) -> Signals;
}
