//! Owns the engine's images: looking, pulling by digest, loading what was packed here.
//!
//! An image is always named by its ID from here on: a name and a digest are forgotten by an engine that loads, or is
//! offline. It does not know who wants an image.

use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use bollard::body_full;
use bollard::models::CreateImageInfo;
use bollard::query_parameters::CreateImageOptionsBuilder;
use bollard::query_parameters::ImportImageOptions;
use futures::StreamExt as _;
use tokio::io::AsyncReadExt as _;

use super::engine::Engine;
use super::engine::absent;
use super::engine::said;
use crate::image::pack::Packed;
use crate::runtime::ImageId;

/// How long a pull may be without any news. A whole one may take hours.
const STALLED: Duration = Duration::from_secs(120);

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The engine does not answer.
    #[error("the container engine does not answer: {why}")]
    EngineGone {
        /// Why.
        why: String,
    },
    /// The registry has no such image, or nothing with that digest.
    #[error("the registry does not have {reference}: {why}")]
    Unknown {
        /// What was asked for.
        reference: String,
        /// What it said.
        why: String,
    },
    /// The registry cannot be reached.
    #[error("the registry of {reference} cannot be reached: {why}")]
    Unreachable {
        /// What was asked for.
        reference: String,
        /// Why.
        why: String,
    },
    /// Nothing came for a long time.
    #[error("pulling {reference} brought nothing for {seconds} s")]
    Stalled {
        /// What was asked for.
        reference: String,
        /// How long.
        seconds: u64,
    },
    /// The disk is full.
    #[error("there is no room for {reference}")]
    NoRoom {
        /// What was asked for.
        reference: String,
    },
    /// What came has another digest than what was asked for.
    #[error("what came for {reference} is not what its digest says ({found}); it was not used")]
    Mismatch {
        /// What was asked for.
        reference: String,
        /// What came, in the engine's words.
        found: String,
    },
    /// A local image is not there.
    #[error("the image {id} is not on this machine")]
    Missing {
        /// Its ID.
        id: ImageId,
    },
    /// The engine keeps images under other names than what they hold.
    #[error(
        "the engine loaded {id} and does not know it: it keeps images by another measure (the containerd image store)"
    )]
    OtherStore {
        /// The image.
        id: ImageId,
    },
    /// Something else.
    #[error("{action} failed: {why}")]
    Engine {
        /// What was attempted.
        action: &'static str,
        /// What the engine said.
        why: String,
    },
    /// An archive could not be read.
    #[error("{path} could not be read")]
    Archive {
        /// The archive.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl ImageError {
    /// Returns the machine code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::EngineGone { .. } => "engine_gone",
            Self::Unknown { .. } => "image_unknown",
            Self::Unreachable { .. } => "registry_unreachable",
            Self::Stalled { .. } => "pull_stalled",
            Self::NoRoom { .. } => "disk_full",
            Self::Mismatch { .. } => "digest_mismatch",
            Self::Missing { .. } => "image_missing",
            Self::OtherStore { .. } => "image_store",
            Self::Engine { .. } | Self::Archive { .. } => "image_failed",
        }
    }

    /// Says what to do next.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::EngineGone { .. } => "start it: systemctl start docker",
            Self::Unknown { .. } => {
                "look at the repository and the digest in the manifest and in node.toml"
            }
            Self::Unreachable { .. } | Self::Stalled { .. } => {
                "it is tried again by itself; [images] in node.toml names a mirror"
            }
            Self::NoRoom { .. } => "make room where the engine keeps its images",
            Self::Mismatch { .. } => {
                "do not use it: the registry or the network gave something else than was pinned"
            }
            Self::Missing { .. } => {
                "load it (docker load), or name another one: flash-node images set SERVICE IMAGE"
            }
            Self::OtherStore { .. } => {
                "switch it off: \"features\": {\"containerd-snapshotter\": false} in /etc/docker/daemon.json"
            }
            Self::Engine { .. } | Self::Archive { .. } => "it is tried again by itself",
        }
    }
}

/// An image that the engine has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptImage {
    /// Its ID.
    pub id: ImageId,
    /// By what names and digests it was pulled.
    pub digests: Vec<String>,
    /// Units: bytes.
    pub size: u64,
}

/// The images of one engine.
pub struct DockerImages {
    engine: Engine,
}

impl DockerImages {
    /// Names the engine's socket; nothing is connected.
    #[must_use]
    pub fn new(socket: PathBuf) -> Self {
        Self {
            engine: Engine::new(socket),
        }
    }

    async fn docker(&self) -> Result<bollard::Docker, ImageError> {
        let docker = self.engine.docker().await;
        docker.map_err(|error| ImageError::EngineGone {
            why: error.to_string(),
        })
    }

    /// Looks for an image by its ID. Errors: the engine does not answer.
    pub async fn find(&self, id: &ImageId) -> Result<Option<KeptImage>, ImageError> {
        match self.docker().await?.inspect_image(&id.0).await {
            Ok(found) => Ok(Some(KeptImage {
                id: ImageId(found.id.unwrap_or_default()),
                digests: found.repo_digests.unwrap_or_default(),
                size: found
                    .size
                    .and_then(|size| u64::try_from(size).ok())
                    .unwrap_or_default(),
            })
            .filter(|found| found.id == *id)),
            Err(error) if absent(&error) => Ok(None),
            Err(error) => Err(ImageError::Engine {
                action: "looking for an image",
                why: said(&error),
            }),
        }
    }

    /// Pulls what has `digest` in `repository` and returns its ID. `news` is told how far it is, in percent of what the
    /// registry announced so far.
    ///
    /// Errors: [`ImageError`]; then nothing of it is used.
    pub async fn pull(
        &self,
        repository: &str,
        digest: &str,
        mut news: impl FnMut(u8) + Send,
    ) -> Result<ImageId, ImageError> {
        let docker = self.docker().await?;
        let reference = format!("{repository}@{digest}");
        let options = CreateImageOptionsBuilder::default()
            .from_image(repository)
            .tag(digest)
            .build();
        let mut pulling = docker.create_image(Some(options), None, None);
        let mut layers = Layers::default();
        loop {
            let next = tokio::time::timeout(STALLED, pulling.next()).await;
            let Ok(next) = next else {
                return Err(ImageError::Stalled {
                    reference,
                    seconds: STALLED.as_secs(),
                });
            };
            match next {
                None => break,
                Some(Ok(told)) => {
                    if let Some(percent) = layers.add(&told) {
                        news(percent);
                    }
                }
                Some(Err(error)) => return Err(refused(reference, said(&error))),
            }
        }
        let found = docker
            .inspect_image(&reference)
            .await
            .map_err(|error| refused(reference.clone(), said(&error)))?;
        let digests = found.repo_digests.unwrap_or_default();
        // The engine checked what it wrote against the digest; here it is checked that it was this one.
        if !digests
            .iter()
            .any(|one| one.ends_with(&format!("@{digest}")))
        {
            return Err(ImageError::Mismatch {
                reference,
                found: format!("the engine has it as {}", digests.join(", ")),
            });
        }
        Ok(ImageId(found.id.unwrap_or_default()))
    }

    /// Loads an image that was packed here. Errors: [`ImageError`].
    pub async fn load(&self, packed: &Packed) -> Result<(), ImageError> {
        self.load_archive(&packed.archive).await?;
        match self.find(&packed.id).await? {
            Some(_) => Ok(()),
            None => Err(ImageError::OtherStore {
                id: packed.id.clone(),
            }),
        }
    }

    async fn load_archive(&self, archive: &Path) -> Result<(), ImageError> {
        let read = |source| ImageError::Archive {
            path: archive.to_owned(),
            source,
        };
        let docker = self.docker().await?;
        let mut file = tokio::fs::File::open(archive).await.map_err(read)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).await.map_err(read)?;
        let mut loading =
            docker.import_image(ImportImageOptions::default(), body_full(bytes.into()), None);
        while let Some(told) = loading.next().await {
            told.map_err(|error| ImageError::Engine {
                action: "loading an image",
                why: said(&error),
            })?;
        }
        Ok(())
    }
}

/// Tells the registry's refusals apart, by the words of the engine. Source: moby, `distribution/errors.go`.
fn refused(reference: String, why: String) -> ImageError {
    let says = |words: &[&str]| words.iter().any(|word| why.contains(word));
    if says(&["no space left"]) {
        return ImageError::NoRoom { reference };
    }
    if says(&[
        "manifest unknown",
        "not found",
        "does not exist",
        "denied",
        "unauthorized",
        "invalid reference",
    ]) {
        return ImageError::Unknown { reference, why };
    }
    if says(&[
        "verification failed",
        "digest did not match",
        "mismatch",
        "unexpected digest",
    ]) {
        return ImageError::Mismatch {
            reference,
            found: why,
        };
    }
    if says(&[
        "connection refused",
        "no such host",
        "timeout",
        "dial tcp",
        "network is unreachable",
        "EOF",
        "TLS",
    ]) {
        return ImageError::Unreachable { reference, why };
    }
    ImageError::Engine {
        action: "pulling an image",
        why,
    }
}

/// How far each layer of a pull is.
#[derive(Debug, Default)]
struct Layers(std::collections::BTreeMap<String, (i64, i64)>);

impl Layers {
    /// Adds a piece of news; returns the whole, in percent, where it changed something.
    fn add(&mut self, told: &CreateImageInfo) -> Option<u8> {
        let detail = told.progress_detail.as_ref()?;
        let (current, total) = (detail.current?, detail.total?);
        if told.status.as_deref() != Some("Downloading") || total <= 0 {
            return None;
        }
        self.0.insert(told.id.clone()?, (current.min(total), total));
        let (current, total) = self
            .0
            .values()
            .fold((0, 0), |(a, b), (current, total)| (a + current, b + total));
        u8::try_from(100 * current / total).ok()
    }
}

#[cfg(test)]
mod tests;
