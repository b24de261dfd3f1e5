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
mod orphan;
pub mod proxy;
mod start;

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use async_trait::async_trait;
use bollard::Docker;
use bollard::models::ContainerInspectResponse;
use bollard::query_parameters::EventsOptionsBuilder;
use bollard::query_parameters::InspectContainerOptions;
use bollard::query_parameters::KillContainerOptionsBuilder;
use bollard::query_parameters::ListContainersOptionsBuilder;
use bollard::query_parameters::RemoveContainerOptionsBuilder;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use tokio::sync::watch;

use self::engine::Engine;
use self::engine::absent;
use self::engine::conflict;
use self::engine::labelled;
use self::engine::said;
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
        let Some(found) = found else {
            return Ok(());
        };
        let Some(id) = found.id.clone() else {
            return Ok(());
        };
        // What the engine forgot would serve on, beside whatever is started next with the same data.
        orphan::end(service, found).await?;
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
