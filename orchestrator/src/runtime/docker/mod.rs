//! Owns services as containers of an engine that speaks Docker's API: each confined, each on the networks of its edges.
//!
//! The engine's own store is the record: what a container is stands in its labels. It does not know why a service runs.
//! What does not carry this node's label is never touched.

mod audit;
mod container;
pub mod engine;
pub mod firewall;
pub mod images;
mod job;
mod keep;
pub(crate) mod names;
mod network;
mod observe;

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::HashSet;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use async_trait::async_trait;
use bollard::Docker;
use bollard::errors::Error;
use bollard::models::ContainerInspectResponse;
use bollard::models::NetworkConnectRequest;
use bollard::query_parameters::CreateContainerOptionsBuilder;
use bollard::query_parameters::EventsOptionsBuilder;
use bollard::query_parameters::InspectContainerOptions;
use bollard::query_parameters::KillContainerOptionsBuilder;
use bollard::query_parameters::ListContainersOptionsBuilder;
use bollard::query_parameters::RemoveContainerOptionsBuilder;
use bollard::query_parameters::StartContainerOptions;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use tokio::sync::watch;

use self::container::Around;
use self::engine::Engine;
use self::engine::absent;
use self::engine::conflict;
use self::engine::labelled;
use self::engine::said;
use self::engine::silent;
use self::engine::status;
use self::names::Names;
use self::names::label;
use self::observe::Standing;
use super::DropStage;
use super::Instance;
use super::Job;
use super::JobOutcome;
use super::LogLine;
use super::LogQuery;
use super::Runtime;
use super::RuntimeError;
use super::RuntimeKind;
use super::Unit;
use super::layout;
use super::log;
use crate::id::NodeId;
use crate::id::ServiceId;
use crate::id::node_party;
use crate::service::spec::StopSpec;
use crate::task::OnExit;
use crate::task::Tasks;

/// How long after the engine's events broke off they are asked for again.
const LISTEN_AGAIN: Duration = Duration::from_secs(1);
/// How long a container that is to be removed waits for the last lines that its program printed.
const LAST_LINES: Duration = Duration::from_secs(20);

/// Where the docker runtime finds the engine and keeps its things.
#[derive(Debug, Clone)]
pub struct DockerConfig {
    /// The engine's unix socket.
    pub socket: PathBuf,
    /// Whose containers they are.
    pub node_id: NodeId,
    /// Rendered files, one folder per service; on a tmpfs.
    pub files_dir: PathBuf,
    /// Logs, one folder per service.
    pub logs_dir: PathBuf,
}

/// Runs services as containers.
pub struct DockerRuntime {
    inner: Arc<Inner>,
}

struct Inner {
    config: DockerConfig,
    names: Names,
    engine: Engine,
    tasks: Tasks,
    changes: watch::Sender<u64>,
    /// Whether the engine's events are listened to.
    listening: Mutex<bool>,
    /// One at a time takes over what a container prints; by container.
    kept: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
    /// Containers whose lines are all there.
    drained: Mutex<HashSet<String>>,
    /// Held by those who put members on networks, and alone by who removes networks.
    networks: tokio::sync::RwLock<()>,
}

impl DockerRuntime {
    /// Builds the runtime; nothing is touched, and nothing is connected.
    #[must_use]
    pub fn new(config: DockerConfig, tasks: Tasks) -> Self {
        Self {
            inner: Arc::new(Inner {
                names: Names::new(config.node_id.clone()),
                engine: Engine::new(config.socket.clone()),
                config,
                tasks,
                changes: watch::Sender::new(0),
                listening: Mutex::new(false),
                kept: Mutex::default(),
                drained: Mutex::default(),
                networks: tokio::sync::RwLock::new(()),
            }),
        }
    }
}

#[cfg(feature = "test-util")]
impl DockerRuntime {
    /// Leaves `unit` made and not started, as a node that died in between would.
    pub async fn leave_prepared(&self, unit: &Unit) -> Result<(), RuntimeError> {
        let docker = self.inner.engine.docker().await?;
        self.inner.lay(unit).await?;
        self.inner.make(&docker, unit).await
    }
}

impl Inner {
    fn files_dir(&self, service: &ServiceId) -> PathBuf {
        self.config.files_dir.join(service.as_str())
    }

    /// Where the names of a service's number stand: beside the folders of services, none of which begins with a dot.
    fn identity_dir(&self, service: &ServiceId) -> PathBuf {
        self.config
            .files_dir
            .join(".identity")
            .join(service.as_str())
    }

    fn logs_dir(&self, service: &ServiceId) -> PathBuf {
        self.config.logs_dir.join(service.as_str())
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    async fn inspect(
        &self,
        docker: &Docker,
        service: &ServiceId,
        name: &str,
    ) -> Result<Option<ContainerInspectResponse>, RuntimeError> {
        match docker
            .inspect_container(name, None::<InspectContainerOptions>)
            .await
        {
            Ok(found) => Ok(Some(found)),
            Err(error) if absent(&error) => Ok(None),
            Err(error) => Err(network::engine(service, "looking at its container", &error)),
        }
    }

    /// Finds the service's container. Errors: [`RuntimeError::NameTaken`] where somebody else's has its name.
    async fn own(
        &self,
        docker: &Docker,
        service: &ServiceId,
    ) -> Result<Option<ContainerInspectResponse>, RuntimeError> {
        let name = self.names.container(service);
        let Some(found) = self.inspect(docker, service, &name).await? else {
            return Ok(None);
        };
        if observe::ours(&found, &self.names, label::SERVICE) {
            return Ok(Some(found));
        }
        Err(RuntimeError::NameTaken {
            service: service.clone(),
            what: "a container",
            name,
        })
    }

    /// Lays out what the program finds: rendered files, volumes, and the name of its number.
    async fn lay(&self, unit: &Unit) -> Result<(), RuntimeError> {
        let (files, identity) = (
            self.files_dir(&unit.service),
            self.identity_dir(&unit.service),
        );
        let unit = unit.clone();
        let service = unit.service.clone();
        let laid = tokio::task::spawn_blocking(move || {
            let uid = Some(unit.uid.unwrap_or(container::NOBODY));
            layout::make_open(&files)?;
            layout::lay_volumes_bound(&unit.volumes, uid)?;
            layout::lay_files(&files, &unit.files, uid)?;
            lay_identity(&identity, &unit)
        })
        .await;
        laid.map_err(std::io::Error::other)
            .and_then(|laid| laid)
            .map_err(|source| RuntimeError::Io {
                service,
                action: "laying out its files",
                source,
            })
    }

    async fn around(&self, docker: &Docker, unit: &Unit) -> Result<Around<'_>, RuntimeError> {
        let Some(image) = &unit.image else {
            return Err(no_program(unit, &unit.program, "it has no image"));
        };
        let found = docker
            .inspect_image(&image.0)
            .await
            .map_err(|error| self.not_created(unit, &error))?;
        Ok(Around {
            names: &self.names,
            files: self.files_dir(&unit.service),
            identity: self.identity_dir(&unit.service),
            image_env: found
                .config
                .and_then(|config| config.env)
                .unwrap_or_default(),
        })
    }

    async fn ensure(self: &Arc<Self>, unit: &Unit) -> Result<(), RuntimeError> {
        let docker = self.engine.docker().await?;
        let service = &unit.service;
        let found = self.own(&docker, service).await?;
        let same = found.as_ref().and_then(observe::hash).as_ref() == Some(&unit.spec_hash);
        match found.as_ref().map(observe::standing) {
            None => {}
            Some(None) => {
                return Err(RuntimeError::Record {
                    service: service.clone(),
                });
            }
            Some(Some(Standing::Running)) if same => {
                // What only its provider makes may be new; what is laid out again is otherwise the same.
                return if unit.program.as_os_str().is_empty() {
                    Ok(())
                } else {
                    self.lay(unit).await
                };
            }
            Some(Some(Standing::Running)) => {
                return Err(RuntimeError::Conflict {
                    service: service.clone(),
                    running: found
                        .as_ref()
                        .and_then(observe::hash)
                        .unwrap_or_else(|| crate::service::spec::SpecHash(String::new())),
                });
            }
            Some(Some(Standing::Created)) if same => {}
            Some(Some(Standing::Created | Standing::Ended)) => {
                self.forget(&docker, service, found.as_ref()).await?;
            }
        }
        if unit.program.as_os_str().is_empty() {
            return Err(no_program(
                unit,
                &unit.program,
                "its program is not known here",
            ));
        }
        self.lay(unit).await?;
        self.start(&docker, unit).await
    }

    /// Brings a container that is not there, or not started, to a running program.
    async fn start(self: &Arc<Self>, docker: &Docker, unit: &Unit) -> Result<(), RuntimeError> {
        let service = &unit.service;
        let member = self.networks.read().await;
        self.make(docker, unit).await?;
        let name = self.names.container(service);
        docker
            .start_container(&name, None::<StartContainerOptions>)
            .await
            .map_err(|error| self.not_started(unit, &unit.program, &error))?;
        drop(member);
        crate::fail::point("docker.started");
        self.check_published(docker, unit).await?;
        if let Some(found) = self.own(docker, service).await? {
            self.follow(service, &found);
        }
        Ok(())
    }

    /// Makes a container and joins it to its networks, as far as that was not done before.
    async fn make(&self, docker: &Docker, unit: &Unit) -> Result<(), RuntimeError> {
        let service = &unit.service;
        let name = self.names.container(service);
        let order = container::order(&unit.network);
        for attachment in &order {
            network::ensure(docker, &self.names, service, attachment).await?;
        }
        if self.own(docker, service).await?.is_none() {
            let around = self.around(docker, unit).await?;
            let body = container::of_service(unit, &around, &order);
            let options = CreateContainerOptionsBuilder::default().name(&name).build();
            docker
                .create_container(Some(options), body)
                .await
                .map_err(|error| self.not_created(unit, &error))?;
            crate::fail::point("docker.created");
        }
        // The first network was given at the making; the rest are joined, as far as they were not before.
        let joined = self.own(docker, service).await?;
        let joined = joined.as_ref().map(networks_of).unwrap_or_default();
        for attachment in &order {
            let network = self.names.network(&attachment.edge);
            if joined.contains(&network) {
                continue;
            }
            let request = NetworkConnectRequest {
                container: name.clone(),
                endpoint_config: Some(container::endpoint(attachment)),
            };
            docker
                .connect_network(&network, request)
                .await
                .map_err(|error| network::engine(service, "joining a network", &error))?;
            crate::fail::point("docker.joined");
        }
        Ok(())
    }

    /// Compares the ports that the engine bound with those that were asked for: it leaves some out in silence.
    async fn check_published(&self, docker: &Docker, unit: &Unit) -> Result<(), RuntimeError> {
        let service = &unit.service;
        let Some(found) = self.own(docker, service).await? else {
            return Ok(());
        };
        // What ended at once has no bindings any more; how it ended is told elsewhere.
        if observe::standing(&found) != Some(Standing::Running) {
            return Ok(());
        }
        let bound = found
            .network_settings
            .and_then(|settings| settings.ports)
            .unwrap_or_default();
        let mut bound: Vec<String> = bound
            .into_iter()
            .flat_map(|(port, bindings)| {
                bindings.into_iter().flatten().map(move |one| {
                    let (host, number) = (one.host_ip, one.host_port);
                    format!(
                        "{}:{}→{port}",
                        host.unwrap_or_default(),
                        number.unwrap_or_default()
                    )
                })
            })
            .collect();
        let wanted = unit.network.publish.iter();
        let mut wanted: Vec<String> = wanted
            .map(|one| format!("{}→{}/tcp", one.on, one.number))
            .collect();
        bound.sort();
        wanted.sort();
        if bound == wanted {
            return Ok(());
        }
        self.signal(docker, service, "SIGKILL").await?;
        Err(RuntimeError::Published {
            service: service.clone(),
            wanted: wanted.join(", "),
            found: if bound.is_empty() {
                "nothing".to_owned()
            } else {
                bound.join(", ")
            },
        })
    }

    async fn signal(
        &self,
        docker: &Docker,
        service: &ServiceId,
        signal: &str,
    ) -> Result<(), RuntimeError> {
        let options = KillContainerOptionsBuilder::default()
            .signal(signal)
            .build();
        let name = self.names.container(service);
        match docker.kill_container(&name, Some(options)).await {
            Ok(()) => Ok(()),
            // It is not there, or does not run.
            Err(error) if absent(&error) || conflict(&error) => Ok(()),
            Err(error) => Err(network::engine(service, "sending it a signal", &error)),
        }
    }

    /// Removes the container of a program that has ended or never ran, once its last lines are kept.
    async fn forget(
        self: &Arc<Self>,
        docker: &Docker,
        service: &ServiceId,
        found: Option<&ContainerInspectResponse>,
    ) -> Result<(), RuntimeError> {
        let Some(id) = found.and_then(|found| found.id.clone()) else {
            return Ok(());
        };
        let draining = self.drain(docker, service, &id);
        match tokio::time::timeout(LAST_LINES, draining).await {
            Ok(Ok(())) => {}
            Ok(Err(source)) => {
                return Err(RuntimeError::Io {
                    service: service.clone(),
                    action: "keeping its last log lines",
                    source,
                });
            }
            Err(_) => {
                return Err(RuntimeError::Timeout {
                    service: service.clone(),
                    seconds: u32::try_from(LAST_LINES.as_secs()).unwrap_or(u32::MAX),
                });
            }
        }
        crate::fail::point("docker.drained");
        let options = RemoveContainerOptionsBuilder::default().v(true).build();
        match docker.remove_container(&id, Some(options)).await {
            Ok(()) => {}
            Err(error) if absent(&error) => {}
            Err(error) => return Err(network::engine(service, "removing its container", &error)),
        }
        self.drained
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&id);
        crate::fail::point("docker.removed");
        Ok(())
    }

    /// Returns the turn of whoever takes over what a container prints.
    fn turn(&self, id: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(kept.entry(id.to_owned()).or_default())
    }

    async fn drain(&self, docker: &Docker, service: &ServiceId, id: &str) -> std::io::Result<()> {
        let turn = self.turn(id);
        let _turn = turn.lock().await;
        let log = self.logs_dir(service).join(log::CURRENT);
        keep::take_over(docker, id, &log, false).await?;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.remove(id);
        Ok(())
    }

    /// Takes over, in a task, what a container prints, until its program ends.
    fn follow(self: &Arc<Self>, service: &ServiceId, found: &ContainerInspectResponse) {
        let Some(id) = found.id.clone() else { return };
        let ended = match observe::standing(found) {
            Some(Standing::Running) => false,
            Some(Standing::Ended) => true,
            Some(Standing::Created) | None => return,
        };
        let drained = self.drained.lock().unwrap_or_else(PoisonError::into_inner);
        if drained.contains(&id) {
            return;
        }
        drop(drained);
        let Ok(turn) = self.turn(&id).try_lock_owned() else {
            // Somebody is at it.
            return;
        };
        let (inner, service) = (Arc::clone(self), service.clone());
        let token = self.tasks.token();
        self.tasks.spawn("container-log", OnExit::Done, async move {
            let log = inner.logs_dir(&service).join(log::CURRENT);
            let keeping = async {
                let docker = inner.engine.docker().await.map_err(std::io::Error::other)?;
                keep::take_over(&docker, &id, &log, true).await
            };
            // Both may be dropped at any time: what was written and not noted is cut off by whoever goes on.
            let kept = tokio::select! {
                () = token.cancelled() => return,
                kept = keeping => kept,
            };
            drop(turn);
            match kept {
                Ok(()) if ended => {
                    let mut drained =
                        inner.drained.lock().unwrap_or_else(PoisonError::into_inner);
                    drained.insert(id);
                }
                Ok(()) => inner.changed(),
                Err(error) => {
                    tracing::warn!(service.id = %service, %error, "what {service} prints could not be kept");
                }
            }
        });
    }

    /// Listens, in a task, to what the engine tells of this node's containers.
    /// Returns whether it was the first to do so.
    fn listen(self: &Arc<Self>) -> bool {
        let mut listening = self
            .listening
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if std::mem::replace(&mut *listening, true) {
            return false;
        }
        let inner = Arc::clone(self);
        let token = self.tasks.token();
        self.tasks.spawn("engine-events", OnExit::Done, async move {
            loop {
                // Each may be dropped at any time: a counter is moved once more when it begins again.
                tokio::select! {
                    () = token.cancelled() => return,
                    () = inner.hear() => {}
                }
                inner.changed();
                tokio::select! {
                    () = token.cancelled() => return,
                    () = tokio::time::sleep(LISTEN_AGAIN) => {}
                }
            }
        });
        true
    }

    /// Removes what a node that died left without a member.
    async fn tidy(&self) {
        let _alone = self.networks.write().await;
        let Ok(docker) = self.engine.docker().await else {
            return;
        };
        if let Err(error) = network::prune(&docker, &self.names, &node_party()).await {
            tracing::warn!(%error, "networks that nobody uses could not be looked for");
        }
    }

    async fn hear(&self) {
        let Ok(docker) = self.engine.docker().await else {
            return;
        };
        let mut filters = labelled(&[(label::NODE, self.names.node())]);
        filters.insert("type".to_owned(), vec!["container".to_owned()]);
        let options = EventsOptionsBuilder::default().filters(&filters).build();
        let mut events = docker.events(Some(options));
        while let Some(Ok(_)) = events.next().await {
            self.changed();
        }
    }

    async fn list(
        self: &Arc<Self>,
    ) -> Result<BTreeMap<ServiceId, Result<Instance, RuntimeError>>, RuntimeError> {
        let docker = self.engine.docker().await?;
        let filters = labelled(&[
            (label::NODE, self.names.node()),
            (label::KIND, label::SERVICE),
        ]);
        let options = ListContainersOptionsBuilder::default()
            .all(true)
            .filters(&filters)
            .build();
        let containers = docker
            .list_containers(Some(options))
            .await
            .map_err(|error| RuntimeError::EngineGone { why: said(&error) })?;
        let named = containers.into_iter().filter_map(|container| {
            let name = container.labels?.remove(label::NAME)?;
            Some((ServiceId::new(name).ok()?, container.id?))
        });
        let looks = named.map(|(service, id)| {
            let docker = docker.clone();
            async move {
                let found = self.inspect(&docker, &service, &id).await;
                (service, found)
            }
        });
        let mut instances = BTreeMap::new();
        for (service, found) in futures::future::join_all(looks).await {
            match found {
                // It went meanwhile.
                Ok(None) => {}
                Ok(Some(found)) => {
                    self.follow(&service, &found);
                    instances.insert(service.clone(), observe::instance(&service, &found));
                }
                Err(error @ RuntimeError::EngineGone { .. }) => return Err(error),
                Err(error) => {
                    instances.insert(service, Err(error));
                }
            }
        }
        Ok(instances)
    }

    async fn clean(self: &Arc<Self>, service: &ServiceId) -> Result<(), RuntimeError> {
        let docker = self.engine.docker().await?;
        let found = self.own(&docker, service).await?;
        if found.as_ref().and_then(observe::standing) == Some(Standing::Running) {
            return Err(RuntimeError::StillRuns {
                service: service.clone(),
            });
        }
        self.forget(&docker, service, found.as_ref()).await?;
        let (files, identity) = (self.files_dir(service), self.identity_dir(service));
        let removed = tokio::task::spawn_blocking(move || {
            layout::remove_files(&files)?;
            layout::remove_files(&identity)
        })
        .await;
        removed
            .map_err(std::io::Error::other)
            .and_then(|removed| removed)
            .map_err(|source| RuntimeError::Io {
                service: service.clone(),
                action: "removing its rendered files",
                source,
            })?;
        let _alone = self.networks.write().await;
        network::prune(&docker, &self.names, service).await
    }

    /// Says why a container could not be made.
    fn not_created(&self, unit: &Unit, error: &Error) -> RuntimeError {
        match &unit.image {
            Some(image) if absent(error) => RuntimeError::NoImage {
                service: unit.service.clone(),
                image: image.clone(),
            },
            _ => network::engine(&unit.service, "making its container", error),
        }
    }

    /// Says why a container could not be started. Source: runc, whose words the engine repeats.
    fn not_started(&self, unit: &Unit, program: &Path, error: &Error) -> RuntimeError {
        let said = said(error);
        let missing = ["executable file not found", "no such file or directory"];
        if !silent(error)
            && matches!(status(error), Some(400 | 404 | 500))
            && said.contains("exec")
            && missing.iter().any(|words| said.contains(words))
        {
            return no_program(unit, program, &said);
        }
        network::engine(&unit.service, "starting its container", error)
    }
}

fn no_program(unit: &Unit, program: &Path, why: &str) -> RuntimeError {
    RuntimeError::NoProgram {
        service: unit.service.clone(),
        program: program.to_owned(),
        source: std::io::Error::new(std::io::ErrorKind::NotFound, why.to_owned()),
    }
}

fn networks_of(found: &ContainerInspectResponse) -> HashSet<String> {
    let settings = found.network_settings.as_ref();
    let networks = settings.and_then(|settings| settings.networks.as_ref());
    networks
        .map(|all| all.keys().cloned().collect())
        .unwrap_or_default()
}

/// Writes `passwd` and `group` with a name for the unit's number.
fn lay_identity(folder: &Path, unit: &Unit) -> std::io::Result<()> {
    let uid = unit.uid.unwrap_or(container::NOBODY);
    let home = unit.volumes.first().map(|mount| mount.inside.as_path());
    let home = home.unwrap_or_else(|| Path::new("/")).display();
    let passwd =
        format!("root:x:0:0:root:/:/sbin/nologin\nservice:x:{uid}:{uid}::{home}:/sbin/nologin\n");
    let group = format!("root:x:0:\nservice:x:{uid}:\n");
    layout::lay_readable(folder, &[("passwd", &passwd), ("group", &group)])
}

#[async_trait]
impl Runtime for DockerRuntime {
    fn kind(&self) -> RuntimeKind {
        RuntimeKind::Docker
    }

    async fn ensure(&self, unit: &Unit) -> Result<(), RuntimeError> {
        self.inner.listen();
        let ensured = self.inner.ensure(unit).await;
        self.inner.changed();
        ensured
    }

    async fn drop(
        &self,
        service: &ServiceId,
        stop: StopSpec,
        stage: DropStage,
    ) -> Result<(), RuntimeError> {
        let inner = &self.inner;
        let docker = inner.engine.docker().await?;
        // Somebody else's container of that name is not ours to stop, and nothing of ours is there.
        let dropped = match (inner.own(&docker, service).await, stage) {
            (Err(RuntimeError::NameTaken { .. }) | Ok(None), DropStage::Ask | DropStage::Kill) => {
                Ok(())
            }
            (Err(error), DropStage::Ask | DropStage::Kill) => Err(error),
            (Ok(Some(found)), DropStage::Ask | DropStage::Kill)
                if observe::standing(&found) == Some(Standing::Created) =>
            {
                // It never ran: it goes, so that it is not started by whoever asks for it to stop.
                inner.forget(&docker, service, Some(&found)).await
            }
            (Ok(Some(_)), DropStage::Ask) => {
                inner
                    .signal(&docker, service, container::signal(stop.signal))
                    .await
            }
            (Ok(Some(_)), DropStage::Kill) => inner.signal(&docker, service, "SIGKILL").await,
            (_, DropStage::Clean) => inner.clean(service).await,
        };
        inner.changed();
        dropped
    }

    async fn list(
        &self,
    ) -> Result<BTreeMap<ServiceId, Result<Instance, RuntimeError>>, RuntimeError> {
        let first = self.inner.listen();
        let listed = self.inner.list().await?;
        if first {
            self.inner.tidy().await;
        }
        Ok(listed)
    }

    fn watch(&self) -> watch::Receiver<u64> {
        self.inner.changes.subscribe()
    }

    async fn logs(
        &self,
        service: &ServiceId,
        query: LogQuery,
    ) -> Result<BoxStream<'static, LogLine>, RuntimeError> {
        let log = self.inner.logs_dir(service).join(log::CURRENT);
        let service = service.clone();
        let read = tokio::task::spawn_blocking(move || log::read(&log, query)).await;
        read.map_err(std::io::Error::other)
            .and_then(|read| read)
            .map_err(|source| RuntimeError::Io {
                service,
                action: "reading its log",
                source,
            })
    }

    async fn run_job(&self, unit: &Unit, job: &Job) -> Result<JobOutcome, RuntimeError> {
        job::run(&self.inner, unit, job).await
    }
}
