//! Owns the joining of manifests, vault, probes and machine into what the reconciler asks of services.
//!
//! It decides nothing about order or retries.

mod jobs;
mod secrets;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::RwLock;

use async_trait::async_trait;
use serde_json::Value;

use self::jobs::Notes;
use self::jobs::Sink;
use self::secrets::secrets_of;
use crate::app::engine::Engine;
use crate::app::engine::job_log;
use crate::app::obstacles::LONGEST_LOOK;
use crate::app::obstacles::Looks;
use crate::app::obstacles::ask_program;
use crate::app::obstacles::init_failed;
use crate::app::obstacles::missing_room;
use crate::app::obstacles::replaced_program;
use crate::app::obstacles::taken_port;
use crate::app::sentence::sentence;
use crate::app::vault::VaultSeat;
use crate::app::world::Ground;
use crate::app::world::World;
use crate::clock::Clock;
use crate::clock::UnixMillis;
use crate::entropy::Entropy;
use crate::id::Name;
use crate::id::ServiceId;
use crate::manifest::schema::InitWhen;
use crate::manifest::schema::Manifest;
use crate::reconcile::guard;
use crate::reconcile::observed::Obstacle;
use crate::reconcile::services::JobsDone;
use crate::reconcile::services::Services;
use crate::runtime::Unit;
use crate::secret::SecretBytes;
use crate::secret::SecretKey;
use crate::secret::SecretRef;
use crate::service::credential;
use crate::service::desired::DesiredService;
use crate::service::desired::Wanted;
use crate::service::health::HealthTarget;
use crate::service::health::NodeCredential;
use crate::service::health::Prober;
use crate::service::health::ProviderTarget;
use crate::service::health::Signals;
use crate::service::health::Standing;
use crate::service::init;
use crate::service::init::InitJobs;
use crate::service::materialise;
use crate::service::spec::ServiceSpec;
use crate::service::spec::SpecHash;
use crate::service::volume_file;
use crate::status::Signal;
use crate::store::vault::VaultState;

/// The largest file of a provider's that is copied. Units: bytes.
pub(super) const LONGEST_FILE: u64 = 64 * 1024;

/// Services as they really are.
pub(super) struct RealServices {
    pub(super) ground: Arc<Ground>,
    pub(super) world: RwLock<Arc<World>>,
    pub(super) vault: VaultSeat,
    pub(super) engine: Arc<Engine>,
    pub(super) clock: Arc<dyn Clock>,
    /// Where services' logs lie.
    pub(super) logs: PathBuf,
    pub(super) entropy: Arc<dyn Entropy>,
    pub(super) is_root: bool,
    pub(super) looks: Looks,
    /// How far the pulls are that go on, in words.
    pub(super) pulling: Mutex<BTreeMap<ServiceId, String>>,
    /// Held while an image is packed.
    pub(super) packing: tokio::sync::Mutex<()>,
}

impl RealServices {
    /// Returns the accepted world.
    pub(super) fn world(&self) -> Arc<World> {
        Arc::clone(&self.world.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns what was last started of each service: it may run on, whatever is wanted now.
    pub(super) fn applied(&self) -> Vec<ServiceSpec> {
        let records = self.ground.state.records().unwrap_or_else(|error| {
            tracing::warn!(%error, "what was started could not be read");
            BTreeMap::new()
        });
        let applied = records.into_values().filter_map(|record| record.applied);
        applied.map(|applied| applied.spec).collect()
    }

    /// Puts another world in its place.
    pub(super) fn replace(&self, world: Arc<World>) {
        *self.world.write().unwrap_or_else(PoisonError::into_inner) = world;
    }

    pub(super) fn target<'a>(
        &self,
        world: &'a World,
        id: &'a ServiceId,
    ) -> Option<HealthTarget<'a>> {
        let service = world.resolved.desired.services.get(id)?;
        let manifest = world.catalog.get(&service.manifest)?;
        let generations = self.ground.state.generations().unwrap_or_default();
        let own = |name: &Name| {
            let key = credential::own_key(id, name);
            let generation = generations.get(&key).copied()?;
            Some((name.clone(), SecretRef { key, generation }))
        };
        let variables = world
            .resolved
            .scopes
            .get(id)
            .map(|scope| scope.variables())
            .unwrap_or(Value::Null);
        Some(HealthTarget {
            service: id,
            manifest,
            standing: Standing::Running,
            addresses: service.addresses.clone(),
            node_credentials: node_credentials(service),
            providers: providers(world, service, manifest),
            secrets: manifest.secrets.keys().filter_map(own).collect(),
            volumes: volumes(service),
            settings: service.settings.clone(),
            variables,
        })
    }

    async fn run_jobs(
        &self,
        world: &World,
        id: &ServiceId,
        unit: &Unit,
        occasions: &[InitWhen],
        done: &BTreeSet<Name>,
    ) -> Result<JobsDone, Obstacle> {
        let Some(target) = self.target(world, id) else {
            return Ok(JobsDone::default());
        };
        let programs = self.programs(world, target.manifest);
        let sink = Sink { services: self };
        let notes = Notes {
            state: &self.ground.state,
            service: id,
        };
        let runtime = self.engine.runtime();
        let mut found = JobsDone::default();
        for when in occasions {
            let jobs = InitJobs {
                target: &target,
                prober: &Prober::new(),
                unit,
                runtime: &*runtime,
                programs: &programs,
                secrets: &self.vault,
                sink: &sink,
                notes: &notes,
                finished: done,
            };
            let report = init::run(*when, &jobs).await;
            for job in report.jobs {
                if job.finished {
                    found.once.insert(job.job);
                } else if job.code == "done" {
                    found.this_start.insert(job.job);
                }
            }
            if let Some(error) = report.failed {
                return Err(init_failed(&error, |job| job_log(&self.logs, id, job)));
            }
        }
        Ok(found)
    }
}

#[async_trait]
impl Services for RealServices {
    fn sealed(&self) -> bool {
        self.vault.state() == VaultState::Sealed
    }

    fn obstacle(&self, spec: &ServiceSpec, running: bool) -> Option<Obstacle> {
        let world = self.world();
        let roots = world.choices.storage.clone();
        let (node, looked_at) = (self.ground.node_id.clone(), spec.clone());
        self.looks
            .within(LONGEST_LOOK, &spec.id, move || {
                missing_room(&roots, &node, &looked_at)
            })
            .or_else(|| self.missing_secret(spec))
            .or_else(|| {
                // What runs holds its ports, and its program may have been replaced for its next start.
                if running {
                    return None;
                }
                let program = match self.engine.images() {
                    Some(_) => None,
                    None => replaced_program(&self.ground, &world, spec),
                };
                program.or_else(|| taken_port(spec))
            })
    }

    fn data_in(&self, spec: &ServiceSpec) -> BTreeSet<Name> {
        let volumes = spec.volumes.iter();
        volumes
            .filter(|(_, volume)| guard::guarded(volume.class) && guard::holds_data(&volume.path))
            .map(|(name, _)| name.clone())
            .collect()
    }

    async fn unit(&self, spec: &ServiceSpec, hash: &SpecHash) -> Result<Unit, Obstacle> {
        let world = self.world();
        let own = format!("service/{}/", spec.id);
        let edges: BTreeSet<SecretKey> = secrets_of(spec)
            .into_iter()
            .map(|secret| secret.key)
            .collect();
        if spec.needs_secrets() || !edges.is_empty() {
            self.make_secrets(&world, |key| key.0.starts_with(&own) || edges.contains(key))?;
        }
        let uid = if self.is_root && self.engine.uid_problem().is_none() {
            let uid = self
                .ground
                .state
                .uid_for(&spec.id)
                .map_err(|error| Obstacle {
                    code: "state_unwritable".to_owned(),
                    text: format!("no identity could be chosen for {}: {error}", spec.id),
                })?;
            Some(uid)
        } else {
            None
        };
        // Before anything starts that could reach the machine.
        let (engine, now) = (Arc::clone(&self.engine), Arc::clone(&world));
        let running = self.applied();
        let walled = tokio::task::spawn_blocking(move || {
            if let Some(walls) = engine.walls() {
                walls.ensure(&now.resolved.desired, &running);
            }
        });
        walled.await.map_err(|error| Obstacle {
            code: "start_failed".to_owned(),
            text: format!("the firewall could not be looked at: {error}"),
        })?;
        let image = self.image(&world, spec).await?;
        let mut unit =
            materialise::unit(spec, &self.vault, &world.programs, uid, &self.ground.places)
                .map_err(|error| Obstacle {
                    code: materialise_code(&error).to_owned(),
                    text: sentence(&error),
                })?;
        unit.image = image;
        unit.files.extend(provided(spec).await?);
        if unit.spec_hash != *hash {
            let text = format!(
                "{} changed while it was being started; the next pass starts it",
                spec.id
            );
            return Err(Obstacle {
                code: "changed_meanwhile".to_owned(),
                text,
            });
        }
        Ok(unit)
    }

    async fn before_start(
        &self,
        spec: &ServiceSpec,
        unit: &Unit,
        done: &BTreeSet<Name>,
    ) -> Result<BTreeSet<Name>, Obstacle> {
        let world = self.world();
        if self.engine.images().is_some() {
            if let Some(manifest) = world.catalog.get(&spec.manifest) {
                self.check_image_version(manifest, spec, unit).await?;
            }
            let jobs = self
                .run_jobs(&world, &spec.id, unit, &[InitWhen::BeforeStart], done)
                .await?;
            return Ok(jobs.once);
        }
        let (ground, now, asked) = (Arc::clone(&self.ground), Arc::clone(&world), spec.clone());
        let refused = tokio::task::spawn_blocking(move || ask_program(&ground, &now, &asked)).await;
        let refused = refused.map_err(|error| Obstacle {
            code: "start_failed".to_owned(),
            text: format!("the program of {} could not be looked at: {error}", spec.id),
        })?;
        if let Some(obstacle) = refused {
            return Err(obstacle);
        }
        let jobs = self
            .run_jobs(&world, &spec.id, unit, &[InitWhen::BeforeStart], done)
            .await?;
        Ok(jobs.once)
    }

    async fn after_alive(
        &self,
        service: &ServiceId,
        once: &BTreeSet<Name>,
        this_start: &BTreeSet<Name>,
    ) -> Result<JobsDone, Obstacle> {
        let world = self.world();
        let Some(desired) = world.resolved.desired.services.get(service) else {
            return Ok(JobsDone::default());
        };
        let Wanted::Run { spec, hash } = &desired.wanted else {
            return Ok(JobsDone::default());
        };
        let has_jobs = world
            .catalog
            .get(&desired.manifest)
            .is_some_and(|manifest| {
                manifest
                    .init
                    .iter()
                    .any(|job| job.when != InitWhen::BeforeStart)
            });
        if !has_jobs {
            return Ok(JobsDone::default());
        }
        let unit = self.unit(spec, hash).await?;
        let done: BTreeSet<Name> = once.union(this_start).cloned().collect();
        self.run_jobs(
            &world,
            service,
            &unit,
            &[InitWhen::Alive, InitWhen::EveryStart],
            &done,
        )
        .await
    }

    async fn signals(&self, service: &ServiceId, _since: Option<UnixMillis>) -> Signals {
        let world = self.world();
        match self.target(&world, service) {
            Some(target) => Prober::new().signals(&target, &self.vault).await,
            None => unknown(service),
        }
    }
}

impl RealServices {
    /// Finds the programs of init jobs: on this machine, or by name inside an image.
    fn programs(&self, world: &World, manifest: &Manifest) -> BTreeMap<String, PathBuf> {
        let inside = self.engine.images().is_some();
        let steps = manifest.init.iter().flat_map(|job| &job.steps);
        steps
            .filter_map(|step| step.run.as_ref())
            .filter_map(|run| {
                let path = if inside {
                    PathBuf::from(&run.command)
                } else {
                    world.programs.path(&run.command)?.to_owned()
                };
                Some((run.command.clone(), path))
            })
            .collect()
    }
}

/// Reads the files that only providers can make, for a copy of its own.
async fn provided(spec: &ServiceSpec) -> Result<BTreeMap<String, SecretBytes>, Obstacle> {
    let mut files = BTreeMap::new();
    for (name, file) in &spec.provided {
        let (volume, below) = (file.volume.clone(), file.below.clone());
        let read =
            tokio::task::spawn_blocking(move || volume_file::read(&volume, &below, LONGEST_FILE));
        let read = read
            .await
            .map_err(std::io::Error::other)
            .and_then(|read| read);
        let bytes = read.map_err(|error| Obstacle {
            code: "provider_file_missing".to_owned(),
            text: format!(
                "{} has not made {} yet ({error}); {} waits for it",
                file.provider, file.below, spec.id
            ),
        })?;
        files.insert(name.clone(), SecretBytes::new(bytes));
    }
    Ok(files)
}

fn materialise_code(error: &materialise::MaterialiseError) -> &'static str {
    match error {
        materialise::MaterialiseError::Sealed { .. } => "sealed",
        materialise::MaterialiseError::Missing { .. } => "secret_missing",
        materialise::MaterialiseError::NoProgram { .. } => "not_installed",
        _ => "start_failed",
    }
}

fn volumes(service: &DesiredService) -> BTreeMap<Name, PathBuf> {
    match &service.wanted {
        Wanted::Run { spec, .. } => spec
            .volumes
            .iter()
            .map(|(name, volume)| (name.clone(), volume.path.clone()))
            .collect(),
        Wanted::External | Wanted::HeldBack { .. } => BTreeMap::new(),
    }
}

fn node_credentials(service: &DesiredService) -> BTreeMap<Name, NodeCredential> {
    let mut credentials = BTreeMap::new();
    for (interface, secret) in &service.node_credentials {
        let user = service
            .node_users
            .get(interface)
            .cloned()
            .unwrap_or_default();
        credentials.insert(
            interface.clone(),
            NodeCredential {
                user,
                secret: secret.clone(),
            },
        );
    }
    credentials
}

fn providers<'a>(
    world: &'a World,
    service: &DesiredService,
    manifest: &Manifest,
) -> BTreeMap<Name, ProviderTarget<'a>> {
    let Wanted::Run { spec, .. } = &service.wanted else {
        return BTreeMap::new();
    };
    let mut providers = BTreeMap::new();
    for (name, edge) in &manifest.edges {
        let of_edge = spec.edges.iter().find(|one| {
            let provider = world.resolved.desired.services.get(&one.id.provider);
            edge.interface.as_ref() == Some(&one.id.interface)
                && provider.is_some_and(|provider| provider.manifest == edge.to)
        });
        let Some(one) = of_edge else { continue };
        let Some(provider) = world.resolved.desired.services.get(&one.id.provider) else {
            continue;
        };
        let Some(theirs) = world.catalog.get(&provider.manifest) else {
            continue;
        };
        let port = theirs
            .interfaces
            .get(&one.id.interface)
            .map(|interface| &interface.port);
        let Some(address) = port.and_then(|port| provider.addresses.get(port)).copied() else {
            continue;
        };
        let scope = world.resolved.scopes.get(&one.id.provider);
        let target = ProviderTarget {
            manifest: theirs,
            variables: scope.map_or(Value::Null, |scope| scope.variables()),
            address,
            node_credentials: node_credentials(provider),
            volumes: volumes(provider),
        };
        providers.insert(name.clone(), target);
    }
    providers
}

fn unknown(service: &ServiceId) -> Signals {
    let signal = || Signal::new(None, "not_wanted", format!("{service} is no longer wanted"));
    Signals {
        alive: signal(),
        ready: signal(),
        synced: signal(),
    }
}
