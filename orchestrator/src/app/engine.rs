//! Owns the choice between the runtimes that a node can have, and what differs between them outside their trait.

use std::path::PathBuf;
use std::sync::Arc;

use crate::app::walls::Walls;
use crate::id::Name;
use crate::id::ServiceId;
use crate::runtime::Runtime;
use crate::runtime::docker::DockerRuntime;
use crate::runtime::docker::images::DockerImages;
use crate::runtime::process::ProcessRuntime;

/// A node's runtime.
pub(super) enum Engine {
    /// Programs of this machine.
    Process(Arc<ProcessRuntime>),
    /// Containers.
    Docker(Box<Containers>),
}

/// What a node of containers has.
pub(super) struct Containers {
    pub(super) runtime: Arc<DockerRuntime>,
    pub(super) images: DockerImages,
    pub(super) walls: Walls,
}

impl Engine {
    /// Returns it as everything but this folder knows it.
    pub(super) fn runtime(&self) -> Arc<dyn Runtime> {
        match self {
            Self::Process(runtime) => Arc::clone(runtime) as Arc<dyn Runtime>,
            Self::Docker(all) => Arc::clone(&all.runtime) as Arc<dyn Runtime>,
        }
    }

    /// Returns how many services may be starting at once.
    pub(super) fn parallel_starts(&self) -> usize {
        match self {
            Self::Process(_) => 4,
            // The engine does most of a start by itself and one after the other; what waits there costs nothing.
            Self::Docker(_) => 12,
        }
    }

    /// Returns the images of an engine that has some.
    pub(super) fn images(&self) -> Option<&DockerImages> {
        match self {
            Self::Process(_) => None,
            Self::Docker(all) => Some(&all.images),
        }
    }

    /// Returns the firewall of a node of containers.
    pub(super) fn walls(&self) -> Option<&Walls> {
        match self {
            Self::Process(_) => None,
            Self::Docker(all) => Some(&all.walls),
        }
    }

    /// Says why services cannot have identities of their own although the node is root.
    pub(super) fn uid_problem(&self) -> Option<String> {
        match self {
            Self::Process(runtime) => runtime.uid_problem(),
            Self::Docker(_) => None,
        }
    }

    /// Returns the codes of the confinement that is not given.
    pub(super) fn not_enforced(&self) -> Vec<String> {
        match self {
            Self::Process(runtime) => {
                let codes = runtime.not_enforced().into_iter();
                codes.map(ToOwned::to_owned).collect()
            }
            Self::Docker(all) => all.walls.not_enforced(),
        }
    }
}

/// Returns where lies what the programs of the init job `job` printed.
pub(super) fn job_log(logs: &std::path::Path, service: &ServiceId, job: &Name) -> PathBuf {
    logs.join(service.as_str()).join(format!("{job}.log"))
}
