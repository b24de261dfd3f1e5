//! Owns the way from a unit to a running container: files, networks, the container, its start, the ports that were bound.
//!
//! Each step is a half-state that the next call goes on with. It does not stop or remove what runs.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use bollard::Docker;
use bollard::errors::Error;
use bollard::models::ContainerInspectResponse;
use bollard::models::NetworkConnectRequest;
use bollard::query_parameters::CreateContainerOptionsBuilder;
use bollard::query_parameters::StartContainerOptions;

use super::Inner;
use super::container;
use super::container::Around;
use super::engine::absent;
use super::engine::said;
use super::engine::silent;
use super::engine::status;
use super::network;
use super::observe;
use super::observe::Standing;
use super::orphan;
use crate::runtime::RuntimeError;
use crate::runtime::Unit;
use crate::runtime::layout;

/// What is attempted when the engine is told to start a container.
const START: &str = "starting its container";

impl Inner {
    /// Lays out what the program finds: rendered files, volumes, and the name of its number.
    pub(super) async fn lay(&self, unit: &Unit) -> Result<(), RuntimeError> {
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

    pub(super) async fn around(
        &self,
        docker: &Docker,
        unit: &Unit,
    ) -> Result<Around<'_>, RuntimeError> {
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

    pub(super) async fn ensure(self: &Arc<Self>, unit: &Unit) -> Result<(), RuntimeError> {
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
            Some(Some(Standing::Created)) if same => {
                let ran = match &found {
                    Some(found) => orphan::end(service, found).await?,
                    None => false,
                };
                if ran {
                    self.forget(&docker, service, found.as_ref()).await?;
                }
            }
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
        match self.start(&docker, unit).await {
            Err(error @ RuntimeError::Engine { action: START, .. }) => {
                // An engine that was killed meanwhile kept a half of it, and will refuse this very container again and
                // again. Another one is no second program: nothing of this one runs, or removing it says so.
                let left = self.own(&docker, service).await?;
                self.forget(&docker, service, left.as_ref()).await?;
                if !is_left_over(&error) {
                    return Err(error);
                }
                self.start(&docker, unit).await
            }
            started => started,
        }
    }

    /// Brings a container that is not there, or not started, to a running program.
    pub(super) async fn start(
        self: &Arc<Self>,
        docker: &Docker,
        unit: &Unit,
    ) -> Result<(), RuntimeError> {
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
    pub(super) async fn make(&self, docker: &Docker, unit: &Unit) -> Result<(), RuntimeError> {
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
    pub(super) async fn check_published(
        &self,
        docker: &Docker,
        unit: &Unit,
    ) -> Result<(), RuntimeError> {
        let service = &unit.service;
        let Some(found) = self.own(docker, service).await? else {
            return Ok(());
        };
        // What ended at once has no bindings any more; how it ended is told elsewhere.
        if observe::standing(&found) != Some(Standing::Running) {
            return Ok(());
        }
        let bound = observe::bound(&found);
        let wanted = unit.network.publish.iter();
        let mut wanted: Vec<String> = wanted
            .map(|one| format!("{}→{}/tcp", one.on, one.number))
            .collect();
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

    /// Says why a container could not be made.
    pub(super) fn not_created(&self, unit: &Unit, error: &Error) -> RuntimeError {
        match &unit.image {
            Some(image) if absent(error) => RuntimeError::NoImage {
                service: unit.service.clone(),
                image: image.clone(),
            },
            _ => network::engine(&unit.service, "making its container", error),
        }
    }

    /// Says why a container could not be started. Source: runc, whose words the engine repeats.
    pub(super) fn not_started(&self, unit: &Unit, program: &Path, error: &Error) -> RuntimeError {
        let said = said(error);
        let missing = ["executable file not found", "no such file or directory"];
        if !silent(error)
            && matches!(status(error), Some(400 | 404 | 500))
            && said.contains("exec")
            && missing.iter().any(|words| said.contains(words))
        {
            return no_program(unit, program, &said);
        }
        network::engine(&unit.service, START, error)
    }
}

/// Whether a container was refused because of what an earlier start of it left in the engine.
/// Source: containerd's runtime/v2, whose words the engine repeats: "task ID: already exists", "failed to start shim: mkdir
/// …/ID: file exists".
fn is_left_over(error: &RuntimeError) -> bool {
    let said = error.to_string();
    (said.contains("task ") && said.contains("already exists"))
        || (said.contains("start shim") && said.contains("file exists"))
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
