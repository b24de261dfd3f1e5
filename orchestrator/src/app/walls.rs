//! Owns when the firewall rules of a node are put in force, and what is said where they are not.
//!
//! It does not know how a rule is written (`runtime::docker::firewall`).

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::app::sentence::sentence;
use crate::app::services::RealServices;
use crate::id::NodeId;
use crate::runtime::docker::firewall;
use crate::runtime::docker::firewall::NotInForce;
use crate::runtime::docker::firewall::RuleSet;
use crate::service::desired::Desired;
use crate::service::spec::ServiceSpec;

/// How often it is looked whether somebody else took the rules away.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// The code by which a status says that containers reach ports of the machine.
const HOST_PORTS: &str = "host_ports";
/// The code by which it says that the ways in and out are not held to what was declared.
const WAYS: &str = "ways";

/// The firewall of one node.
pub(super) struct Walls {
    node: NodeId,
    kept: Mutex<Kept>,
    /// Held while rules are put: two at once would each add what both find missing.
    putting: Mutex<()>,
}

#[derive(Default)]
struct Kept {
    rules: Option<RuleSet>,
    problem: Option<Problem>,
}

#[derive(PartialEq, Eq)]
struct Problem {
    codes: Vec<&'static str>,
    text: String,
}

impl From<NotInForce> for Problem {
    fn from(
        NotInForce {
            host_ports,
            ways,
            why,
        }: NotInForce,
    ) -> Self {
        let codes = [(host_ports, HOST_PORTS), (ways, WAYS)];
        Self {
            codes: codes
                .into_iter()
                .filter(|(open, _)| *open)
                .map(|(_, code)| code)
                .collect(),
            text: sentence(&why),
        }
    }
}

impl Walls {
    pub(super) fn new(node: NodeId) -> Self {
        Self {
            node,
            kept: Mutex::default(),
            putting: Mutex::default(),
        }
    }

    /// Puts the rules for `desired` and for what runs in force, unless they were put before. Blocks.
    pub(super) fn ensure(&self, desired: &Desired, running: &[ServiceSpec]) {
        let rules = firewall::rules(&self.node, desired, running);
        let _turn = self.putting.lock().unwrap_or_else(PoisonError::into_inner);
        let same = {
            let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.rules.as_ref() == Some(&rules) && kept.problem.is_none()
        };
        if !same {
            self.put(rules);
        }
    }

    /// Puts the rules for `desired` and for what runs in force, whatever was put before. Blocks.
    fn renew(&self, desired: &Desired, running: &[ServiceSpec]) {
        let _turn = self.putting.lock().unwrap_or_else(PoisonError::into_inner);
        self.put(firewall::rules(&self.node, desired, running));
    }

    fn put(&self, rules: RuleSet) {
        let applied = firewall::apply(&rules);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.rules = Some(rules);
        let problem = applied.err().map(Problem::from);
        if problem != kept.problem {
            match &problem {
                Some(Problem { codes, text }) => tracing::warn!(
                    "the firewall of this machine could not be set ({text}); not enforced: {}",
                    codes.join(", ")
                ),
                None => tracing::info!("containers reach no port of this machine"),
            }
        }
        kept.problem = problem;
    }

    /// Returns the codes of what is not enforced.
    pub(super) fn not_enforced(&self) -> Vec<String> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        match (&kept.problem, &kept.rules) {
            (Some(problem), _) => problem.codes.iter().map(ToString::to_string).collect(),
            (None, Some(_)) => Vec::new(),
            (None, None) => [HOST_PORTS, WAYS].map(str::to_owned).to_vec(),
        }
    }

    /// Takes the rules away: nothing of this node runs any more. Blocks.
    pub(super) fn remove(&self) {
        let _turn = self.putting.lock().unwrap_or_else(PoisonError::into_inner);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rules) = kept.rules.take()
            && let Err(error) = firewall::remove(&rules)
        {
            tracing::warn!("the firewall rules of this node stay: {}", sentence(&error));
        }
    }
}

/// Puts the rules back, until the token is cancelled, wherever somebody took them away.
pub(super) async fn watch(services: Arc<RealServices>, token: CancellationToken) {
    loop {
        // Nothing is held across the wait.
        tokio::select! {
            () = token.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        let again = Arc::clone(&services);
        let looked = tokio::task::spawn_blocking(move || {
            if let Some(walls) = again.engine.walls() {
                walls.renew(&again.world().resolved.desired, &again.applied());
            }
        });
        if let Err(error) = looked.await {
            tracing::warn!(%error, "the firewall could not be looked at");
        }
    }
}
