//! Owns the three signals of a service: which probes they need, one round of asking, and the verdicts.
//!
//! It does not know when a round is due, nor what follows from a verdict (`reconcile`).

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde_json::Value;

use crate::id::Name;
use crate::id::ServiceId;
use crate::manifest::schema::Condition;
use crate::manifest::schema::Health;
use crate::manifest::schema::Manifest;
use crate::manifest::schema::Probe;
use crate::manifest::schema::Rule;
use crate::manifest::template;
use crate::secret::SecretRef;
use crate::secret::SecretSource;
use crate::service::probe;
use crate::status::Signal;

pub mod judge;
pub mod proof;
pub(in crate::service) mod question;

#[cfg(test)]
pub(in crate::service) mod tests;

pub use judge::Asked;
pub use judge::Withheld;
pub use judge::judge;

/// A service whose signals are wanted, with everything that its probes need.
#[derive(Debug, Clone)]
pub struct HealthTarget<'a> {
    /// The service.
    pub service: &'a ServiceId,
    /// Its manifest.
    pub manifest: &'a Manifest,
    /// Whether there is something to ask.
    pub standing: Standing,
    /// Where each of its ports answers.
    pub addresses: BTreeMap<Name, SocketAddr>,
    /// The node's own credentials there, by entry of the manifest's `[node]`. Where the interface of that name has the
    /// credential `provider-file`, the file is read instead and no entry is needed.
    pub node_credentials: BTreeMap<Name, NodeCredential>,
    /// Who stands at the end of each of its edges, by the edge's name in the manifest.
    pub providers: BTreeMap<Name, ProviderTarget<'a>>,
    /// Its own secrets that exist, by their name in the manifest; the captured ones too.
    pub secrets: BTreeMap<Name, SecretRef>,
    /// Where its volumes lie on the host.
    pub volumes: BTreeMap<Name, PathBuf>,
    /// Its effective settings.
    pub settings: BTreeMap<Name, Value>,
    /// What templates read besides `secret.*.value` and `node_credential.*`, which are added here for as long as a
    /// text is rendered: `network`, `port.*`, `setting.*`, `volume.*.path` and so on, as `manifest::template::allowed`
    /// lists them. A secret in it stands as a marker.
    pub variables: Value,
}

/// Whether there is something to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// The program runs, or is an external server.
    Running,
    /// It does not run.
    Down {
        /// Why: `stopped`, `backing_off`, `held_back`, …
        code: String,
        /// In one sentence.
        text: String,
    },
}

/// Who the node is at a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeCredential {
    /// The user's name; empty where the kind of credential has none.
    pub user: String,
    /// The password, token or macaroon.
    pub secret: SecretRef,
}

/// The provider at the end of an edge, as a probe with `edge` asks it.
#[derive(Debug, Clone, PartialEq)]
pub struct ProviderTarget<'a> {
    /// The provider's manifest.
    pub manifest: &'a Manifest,
    /// Where the edge's interface answers.
    pub address: SocketAddr,
    /// The node's own credentials there, by entry of the provider's `[node]`.
    pub node_credentials: BTreeMap<Name, NodeCredential>,
    /// Where the provider's volumes lie on the host.
    pub volumes: BTreeMap<Name, PathBuf>,
    /// The provider's variables, for the path of a file that only it can make.
    pub variables: Value,
}

/// The three signals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signals {
    /// Does it run and answer at all?
    pub alive: Signal,
    /// Does it serve?
    pub ready: Signal,
    /// Has it caught up?
    pub synced: Signal,
}

/// Asks services how they are.
#[derive(Debug, Default)]
pub struct Prober;

impl Prober {
    /// Builds a prober.
    #[must_use]
    pub fn new() -> Self {
        Self
    }

    /// Takes one round: each probe that the rules need is asked once, all at the same time, and every signal is judged
    /// by the same answers. It returns at the latest after the longest timeout among the probes.
    pub async fn signals(&self, target: &HealthTarget<'_>, secrets: &dyn SecretSource) -> Signals {
        let Health {
            alive,
            ready,
            synced,
        } = &target.manifest.health;
        if let Standing::Down { code, text } = &target.standing {
            return down(code, text, synced.is_empty());
        }
        let mut needed = BTreeSet::new();
        for rule in alive.iter().chain(ready).chain(synced) {
            name_rule(rule, target.manifest, &mut needed);
        }
        let answers = self.ask(target, &target.secrets, &needed, secrets).await;
        let judge = |rules: &[Rule]| judge(rules, &answers, &target.settings);
        Signals {
            alive: judge(alive),
            ready: judge(ready),
            synced: if synced.is_empty() {
                not_applicable()
            } else {
                judge(synced)
            },
        }
    }

    /// Asks the named probes of the target's manifest, all at the same time.
    pub(in crate::service) async fn ask(
        &self,
        target: &HealthTarget<'_>,
        own_secrets: &BTreeMap<Name, SecretRef>,
        names: &BTreeSet<Name>,
        secrets: &dyn SecretSource,
    ) -> BTreeMap<Name, Asked> {
        let probes = names
            .iter()
            .filter_map(|name| Some((name, target.manifest.probes.get(name)?)));
        let asked = probes.map(|(name, probe)| async move {
            (name.clone(), one(target, own_secrets, probe, secrets).await)
        });
        futures::future::join_all(asked).await.into_iter().collect()
    }
}

async fn one(
    target: &HealthTarget<'_>,
    own_secrets: &BTreeMap<Name, SecretRef>,
    probe: &Probe,
    secrets: &dyn SecretSource,
) -> Asked {
    match question::resolve(target, own_secrets, probe, secrets).await {
        Ok(question) => Asked::Answer(probe::ask(&question).await),
        Err(unasked) => unasked.into(),
    }
}

/// Names the probes that conditions look at.
pub(in crate::service) fn name_conditions(conditions: &[Condition], into: &mut BTreeSet<Name>) {
    for condition in conditions {
        into.insert(condition.probe.clone());
        into.extend(condition.same_as.iter().map(|other| other.probe.clone()));
    }
}

/// Names the probes that a rule needs, for its conditions and for its sentence.
fn name_rule(rule: &Rule, manifest: &Manifest, into: &mut BTreeSet<Name>) {
    name_conditions(&rule.when, into);
    into.extend(rule.share.iter().map(|share| share.probe.clone()));
    for variable in template::variables_read(&rule.text) {
        let name = variable.split('.').next().unwrap_or_default();
        let mut probes = manifest.probes.keys();
        into.extend(probes.find(|probe| probe.as_str() == name).cloned());
    }
}

fn not_applicable() -> Signal {
    Signal::new(
        None,
        "not_applicable",
        "There is nothing that this service would have to catch up with.",
    )
}

fn down(code: &str, text: &str, nothing_to_sync: bool) -> Signals {
    Signals {
        alive: Signal::new(Some(false), code, text),
        ready: Signal::new(Some(false), code, text),
        synced: if nothing_to_sync {
            not_applicable()
        } else {
            Signal::new(None, code, text)
        },
    }
}
