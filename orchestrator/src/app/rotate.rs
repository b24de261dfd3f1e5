//! Owns the replacement of credentials: a new value, the plan that follows, and the proof that the old one is dead.
//!
//! It does not restart anything: two specifications differ afterwards, and the reconciler follows.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::app::node::RealNode;
use crate::app::refusal::internal;
use crate::app::refusal::refuse_store;
use crate::app::services::RealServices;
use crate::app::world::World;
use crate::clock::Clock;
use crate::id::EdgeId;
use crate::manifest::schema::CredentialKind;
use crate::manifest::schema::SecretMake;
use crate::node::Refusal;
use crate::node::Reply;
use crate::runtime::InstanceState;
use crate::secret::SecretBytes;
use crate::secret::SecretKey;
use crate::secret::SecretRef;
use crate::service::credential;
use crate::service::desired::Wanted;
use crate::service::health::Prober;
use crate::service::health::proof::Proof;
use crate::service::health::proof::Replaced;
use crate::store::StoreError;
use crate::store::state::Rotation;

/// How often what is replaced and not yet proved dead is tried.
const TRY_EVERY: Duration = Duration::from_secs(1);
/// How long a provider may take to come back with the new credential before that is told. It is tried for longer.
const PATIENCE: Duration = Duration::from_secs(1800);

/// A credential that can be replaced here.
struct Replaceable {
    edge: EdgeId,
    kind: CredentialKind,
    generation: u32,
}

impl Replaceable {
    fn key(&self) -> SecretKey {
        credential::edge_key(&self.edge)
    }
}

impl RealNode {
    /// Replaces the credentials of `named`, or of every edge where nothing is named.
    pub(super) async fn rotate(&self, named: &[EdgeId], dry_run: bool) -> Result<Reply, Refusal> {
        let services = &self.parts.services;
        let world = services.world();
        let chosen = choose(&world, named)?;
        let newer = chosen.iter().map(|one| (one.key(), one.generation + 1));
        let would_be = self
            .build_with(world.texts.clone(), newer.collect())
            .await?;
        // Whatever keeps it from being planned is told before anything is replaced.
        let mut planned = self.planned(&would_be)?;
        if named.is_empty() {
            planned.text.push_str(&left_out(&world));
        }
        if dry_run {
            return Ok(planned);
        }
        let made = self.make(&chosen).await?;
        crate::fail::point("rotate.made");
        let at = self.parts.clock.wall();
        let noted = services.ground.state.transaction(|tx| {
            for (one, new) in chosen.iter().zip(&made) {
                tx.keep_generation(&new.key, new.generation)?;
                tx.begin_rotation(&Rotation {
                    edge: one.edge.clone(),
                    old: one.generation,
                    begun_at: at,
                })?;
                let text = format!(
                    "the credential of {} was replaced: generation {} follows {}",
                    one.edge, new.generation, one.generation
                );
                tx.append_event(Some(&one.edge.provider), "rotation_begun", &text, at)?;
            }
            Ok::<(), StoreError>(())
        });
        noted.map_err(|error| refuse_store(&error))?;
        crate::fail::point("rotate.noted");
        let mut reply = self.accept(self.build(world.texts.clone()).await?)?;
        if named.is_empty() {
            reply.text.push_str(&left_out(&world));
        }
        Ok(reply)
    }

    /// Makes a new value for each, in the vault alone: nothing uses it yet.
    async fn make(&self, chosen: &[Replaceable]) -> Result<Vec<SecretRef>, Refusal> {
        let entropy = &self.parts.services.entropy;
        let mut values: Vec<(SecretKey, SecretBytes)> = Vec::new();
        for one in chosen {
            let value = credential::edge_make(one.kind)
                .and_then(|make| credential::make(make, &**entropy))
                .ok_or_else(|| internal("a credential of this kind is not made by the node"))?;
            values.push((one.key(), value));
        }
        self.with_vault(move |vault| {
            let kept = values.iter();
            kept.map(|(key, value)| vault.store_captured(key, value))
                .collect()
        })
        .await
    }
}

/// Finds what is to be replaced. Errors: an edge that is not there, or whose credential the node does not make.
fn choose(world: &World, named: &[EdgeId]) -> Result<Vec<Replaceable>, Refusal> {
    let all = replaceable(world);
    if named.is_empty() {
        if all.is_empty() {
            return Err(Refusal {
                code: "nothing_to_rotate".to_owned(),
                message: "no edge of this node has a credential that the node makes".to_owned(),
                hint: "`flash-node edges` lists every edge with its credential".to_owned(),
            });
        }
        return Ok(all.into_values().collect());
    }
    let mut all = all;
    named
        .iter()
        .collect::<BTreeSet<_>>()
        .into_iter()
        .map(|edge| all.remove(edge).ok_or_else(|| refuse_edge(world, edge)))
        .collect()
}

fn replaceable(world: &World) -> BTreeMap<EdgeId, Replaceable> {
    let mut found = BTreeMap::new();
    for service in world.resolved.desired.services.values() {
        let Wanted::Run { spec, .. } = &service.wanted else {
            continue;
        };
        for consumer in &spec.consumers {
            let makes = consumer.kind.is_some_and(credential::made_here);
            if let (true, Some(kind), Some(secret)) = (makes, consumer.kind, &consumer.credential) {
                let one = Replaceable {
                    edge: consumer.id.clone(),
                    kind,
                    generation: secret.generation,
                };
                found.insert(consumer.id.clone(), one);
            }
        }
    }
    found
}

fn refuse_edge(world: &World, edge: &EdgeId) -> Refusal {
    let services = &world.resolved.desired.services;
    let known = services.values().any(|service| match &service.wanted {
        Wanted::Run { spec, .. } => {
            spec.consumers.iter().any(|one| one.id == *edge)
                || spec.edges.iter().any(|one| one.id == *edge)
        }
        Wanted::External | Wanted::HeldBack { .. } => false,
    });
    if !known {
        return Refusal {
            code: "unknown_edge".to_owned(),
            message: format!("there is no edge {edge}"),
            hint: "`flash-node edges` lists every edge; it is written FROM/FOR/TO".to_owned(),
        };
    }
    let external = services
        .get(&edge.provider)
        .is_some_and(|provider| matches!(provider.wanted, Wanted::External));
    if external {
        return Refusal {
            code: "not_ours".to_owned(),
            message: format!("{} is your own server: this node cannot change its users", edge.provider),
            hint: "change the password there, write it into the password_file of node.toml under another name, and `flash-node apply`".to_owned(),
        };
    }
    Refusal {
        code: "not_made_here".to_owned(),
        message: format!("the node makes no credential for {edge}"),
        hint: not_made_here(world, edge),
    }
}

/// Says what to do about a credential that only its provider can make.
fn not_made_here(world: &World, edge: &EdgeId) -> String {
    let services = &world.resolved.desired.services;
    let kind = services
        .get(&edge.provider)
        .and_then(|provider| match &provider.wanted {
            Wanted::Run { spec, .. } => spec.consumers.iter().find(|one| one.id == *edge)?.kind,
            Wanted::External | Wanted::HeldBack { .. } => None,
        });
    let provider = &edge.provider;
    match kind {
        Some(CredentialKind::LndMacaroon) => format!(
            "a macaroon of {provider} lives as long as its root key: `lncli deletemacaroonid` ends the ones of its id"
        ),
        Some(CredentialKind::ProviderFile) => {
            format!("{provider} makes it anew each time it is started")
        }
        None if services
            .get(provider)
            .is_some_and(|one| matches!(one.wanted, Wanted::HeldBack { .. })) =>
        {
            format!(
                "{provider} is held back: `flash-node status` says why; rotate again once it runs"
            )
        }
        _ => "nothing secret is shown on this edge".to_owned(),
    }
}

/// Names everything secret that `rotate --all` does not replace: whoever asks after a break-in must not think it was.
fn left_out(world: &World) -> String {
    let services = &world.resolved.desired.services;
    let done = replaceable(world);
    let mut left: BTreeSet<String> = BTreeSet::new();
    for (id, service) in services {
        let spec = match &service.wanted {
            Wanted::Run { spec, .. } => spec,
            Wanted::External => continue,
            Wanted::HeldBack { text, .. } => {
                left.insert(format!(
                    "what others show to {id}, which is held back: {text}"
                ));
                continue;
            }
        };
        for edge in &spec.edges {
            let external = services
                .get(&edge.id.provider)
                .is_some_and(|provider| matches!(provider.wanted, Wanted::External));
            if external && edge.credential.is_some() {
                left.insert(format!(
                    "{}: {} is your own server, change the password there",
                    edge.id, edge.id.provider
                ));
            }
        }
        for consumer in &spec.consumers {
            if consumer.kind.is_some() && !done.contains_key(&consumer.id) {
                left.insert(format!(
                    "{}: {}",
                    consumer.id,
                    not_made_here(world, &consumer.id)
                ));
            }
        }
        let own = world.catalog.get(&service.manifest);
        for (name, secret) in own.iter().flat_map(|manifest| &manifest.secrets) {
            left.insert(format!("{id}'s own secret {name}: {}", secret.holds));
        }
    }
    let lines = left
        .into_iter()
        .map(|line| format!("NOT replaced: {line}\n"));
    lines.collect()
}

/// Tries, until the token is cancelled, what was replaced and not yet proved dead.
pub(super) async fn prove_all(
    services: Arc<RealServices>,
    clock: Arc<dyn Clock>,
    token: CancellationToken,
) {
    let mut warned = BTreeSet::new();
    loop {
        // Nothing is held across the wait.
        tokio::select! {
            () = token.cancelled() => return,
            () = tokio::time::sleep(TRY_EVERY) => {}
        }
        let pending = match services.ground.state.rotations() {
            Ok(pending) => pending,
            Err(error) => {
                tracing::warn!(%error, "the rotations could not be read");
                continue;
            }
        };
        for rotation in pending {
            prove(&services, &*clock, &rotation, &mut warned).await;
        }
    }
}

async fn prove(
    services: &RealServices,
    clock: &dyn Clock,
    rotation: &Rotation,
    warned: &mut BTreeSet<EdgeId>,
) {
    let Rotation {
        edge,
        old,
        begun_at,
    } = rotation;
    let waited = clock.wall().0.saturating_sub(begun_at.0);
    let (code, text) = match outcome(services, edge, *old).await {
        Some(outcome) => outcome,
        None if Duration::from_millis(waited) < PATIENCE || !warned.insert(edge.clone()) => return,
        None => {
            let text = format!(
                "{edge}: {} did not come back with the new credential yet; whether it still takes the old one is not known",
                edge.provider
            );
            tell(services, clock, edge, ("rotation_unproved", &text), false);
            return;
        }
    };
    tell(services, clock, edge, (code, &text), true);
}

fn tell(
    services: &RealServices,
    clock: &dyn Clock,
    edge: &EdgeId,
    (code, text): (&str, &str),
    ended: bool,
) {
    let written = services.ground.state.transaction(|tx| {
        if ended {
            tx.end_rotation(edge)?;
        }
        tx.append_event(Some(&edge.provider), code, text, clock.wall())?;
        Ok::<(), StoreError>(())
    });
    crate::fail::point("rotate.told");
    if let Err(error) = written {
        tracing::warn!(%error, "the outcome of a rotation could not be written: {text}");
    }
}

/// Whether the provider of an edge may still run with what it was started with, the edge among it.
async fn still_serves(services: &RealServices, edge: &EdgeId) -> bool {
    let holds = services.applied().iter().any(|spec| {
        spec.id == edge.provider && spec.consumers.iter().any(|consumer| consumer.id == *edge)
    });
    if !holds {
        return false;
    }
    match services.engine.runtime().list().await {
        Ok(listed) => match listed.get(&edge.provider) {
            None => false,
            Some(Ok(instance)) => matches!(instance.state, InstanceState::Running { .. }),
            Some(Err(_)) => true,
        },
        Err(error) => {
            tracing::debug!(%error, "whether {} runs could not be told", edge.provider);
            true
        }
    }
}

/// Says what became of a rotation; nothing while it cannot be told.
async fn outcome(
    services: &RealServices,
    edge: &EdgeId,
    old: u32,
) -> Option<(&'static str, String)> {
    let world = services.world();
    let Some(now) = super::edges::generation(&world, edge) else {
        // Without the edge the provider has no such user any more, once it was started without it.
        return (!still_serves(services, edge).await).then(|| {
            (
                "rotated",
                format!("{edge}: the edge is gone, and its credential with it"),
            )
        });
    };
    if now <= old {
        // The new one was noted, and what is wanted does not hold it yet.
        return None;
    }
    let target = services.target(&world, &edge.provider)?;
    let key = credential::edge_key(edge);
    let of = |generation| SecretRef {
        key: key.clone(),
        generation,
    };
    let guess = credential::make(SecretMake::Hex32, &*services.entropy)?;
    let replaced = Replaced {
        user: credential::user(&edge.consumer),
        new: of(now),
        old: of(old),
        guess,
    };
    let provider = &edge.provider;
    let proof = Prober::new()
        .prove(&target, &edge.interface, &replaced, &services.vault)
        .await;
    Some(match proof {
        Proof::NotYet => return None,
        Proof::Refused(how) => (
            "rotated",
            format!(
                "{edge}: {provider} takes generation {now} and refuses generation {old} ({how})"
            ),
        ),
        Proof::StillTaken => (
            "rotation_failed",
            format!(
                "{edge}: {provider} still takes generation {old}: stop it and look at its configuration"
            ),
        ),
        Proof::NoProbe => (
            "rotation_unproved",
            format!(
                "{edge}: replaced; no probe of {provider} shows such a credential, so that the old one could not be tried"
            ),
        ),
    })
}
