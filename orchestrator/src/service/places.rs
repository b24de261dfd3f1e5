//! Owns where a service's files and folders lie: on the host, and as the program itself sees them.
//!
//! It does not know whether any of them exists.

use std::path::Path;
use std::path::PathBuf;

use crate::id::Name;
use crate::id::ServiceId;
use crate::runtime::RuntimeKind;

/// Where the folder with rendered files stands inside a container.
const FILES_IN_CONTAINER: &str = "/run/flash-node";
/// Where volumes stand inside a container.
const VOLUMES_IN_CONTAINER: &str = "/volumes";

/// The roots below which a node keeps everything of its services.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// The runtime of the data folder.
    pub kind: RuntimeKind,
    /// The data folder, absolute.
    pub data: PathBuf,
    /// The folder on the tmpfs below which rendered files lie, absolute: `RUN/files`.
    pub files: PathBuf,
}

impl Places {
    /// Returns where a volume lies on the host: below the data folder, or below the storage root at `root`.
    #[must_use]
    pub fn volume_on_host(
        &self,
        service: &ServiceId,
        volume: &Name,
        root: Option<&Path>,
    ) -> PathBuf {
        root.unwrap_or(&self.data)
            .join("volumes")
            .join(service.as_str())
            .join(volume.as_str())
    }

    /// Returns every folder below which volumes of `service` may lie: the data folder's, and each storage root's.
    #[must_use]
    pub fn volumes_of<'a>(
        &'a self,
        service: &ServiceId,
        roots: impl Iterator<Item = &'a Path>,
    ) -> Vec<PathBuf> {
        let roots = std::iter::once(self.data.as_path()).chain(roots);
        roots
            .map(|root| root.join("volumes").join(service.as_str()))
            .collect()
    }

    /// Returns the folders in which the volumes of services lie.
    pub fn volume_roots<'a>(&'a self, roots: impl Iterator<Item = &'a Path>) -> Vec<PathBuf> {
        let roots = std::iter::once(self.data.as_path()).chain(roots);
        roots.map(|root| root.join("volumes")).collect()
    }

    /// Returns the path by which the program reaches a volume that lies at `on_host`.
    #[must_use]
    pub fn volume_for_program(&self, volume: &Name, on_host: &Path) -> PathBuf {
        match self.kind {
            RuntimeKind::Process | RuntimeKind::Fake => on_host.to_owned(),
            RuntimeKind::Docker => Path::new(VOLUMES_IN_CONTAINER).join(volume.as_str()),
        }
    }

    /// Returns the folder in which the runtime lays out the rendered files of `service`, on the host.
    #[must_use]
    pub fn files_on_host(&self, service: &ServiceId) -> PathBuf {
        self.files.join(service.as_str())
    }

    /// Returns the path by which the program reaches its rendered file `file`.
    #[must_use]
    pub fn file_for_program(&self, service: &ServiceId, file: &str) -> PathBuf {
        match self.kind {
            RuntimeKind::Process | RuntimeKind::Fake => self.files_on_host(service).join(file),
            RuntimeKind::Docker => Path::new(FILES_IN_CONTAINER).join(file),
        }
    }
}
