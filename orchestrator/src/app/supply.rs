//! Owns the way from a reference in a specification to an image on this machine whose program may start.
//!
//! It decides nothing about when; a start that finds no image fails with a cause and is tried again.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::PoisonError;

use crate::app::sentence::sentence;
use crate::app::services::RealServices;
use crate::app::world::World;
use crate::id::Name;
use crate::id::ServiceId;
use crate::image::ImageReference;
use crate::image::pack;
use crate::image::pack::Contents;
use crate::image::pack::Packed;
use crate::manifest::schema::Manifest;
use crate::manifest::version;
use crate::reconcile::observed::Obstacle;
use crate::runtime::ImageId;
use crate::runtime::Job;
use crate::runtime::Unit;
use crate::runtime::docker::images::DockerImages;
use crate::runtime::docker::images::ImageError;
use crate::service::spec::ServiceSpec;
use crate::store::state::KnownImage;

/// How far a pull must have come since the last news of it. Units: percent.
const NEWS_EVERY: u8 = 10;
/// How long a program may take to print its version.
const VERSION_SECONDS: u32 = 60;

impl RealServices {
    /// Returns the image of `spec`, pulled, packed or found. Errors: an obstacle with what to do.
    pub(super) async fn image(
        &self,
        world: &World,
        spec: &ServiceSpec,
    ) -> Result<Option<ImageId>, Obstacle> {
        let Some(images) = self.engine.images() else {
            return Ok(None);
        };
        let reference = spec.program.image.as_deref().unwrap_or_default();
        let named = ImageReference::parse(reference).map_err(|error| Obstacle {
            code: "image_unknown".to_owned(),
            text: error.to_string(),
        })?;
        let known = self.known(reference)?;
        if let Some(known) = known
            && images
                .find(&known.id)
                .await
                .map_err(|e| refused(&e))?
                .is_some()
        {
            return Ok(Some(known.id));
        }
        let id = match named {
            ImageReference::Local { id } => {
                let id = ImageId(id);
                match images.find(&id).await.map_err(|e| refused(&e))? {
                    Some(_) => id,
                    None => return Err(refused(&ImageError::Missing { id })),
                }
            }
            ImageReference::Pulled { repository, digest } => {
                self.pull(images, spec, &repository, &digest).await?
            }
            ImageReference::Packed { program, digest } => {
                let path = world.programs.path(&program).map(ToOwned::to_owned);
                let path = path.ok_or_else(|| Obstacle {
                    code: "not_installed".to_owned(),
                    text: format!("the program `{program}` was not found, so that no image could be packed of it"),
                })?;
                self.pack(images, path, &digest).await?
            }
        };
        self.keep(reference, &id, None)?;
        crate::fail::point("image.kept");
        Ok(Some(id))
    }

    async fn pull(
        &self,
        images: &DockerImages,
        spec: &ServiceSpec,
        repository: &str,
        digest: &str,
    ) -> Result<ImageId, Obstacle> {
        let tell = |text: String| self.tell(&spec.id, "image_pulling", &text);
        tell(format!("pulling {repository}@{digest}"));
        let _shown = Shown::new(self, spec.id.clone());
        let mut told = 0;
        let pulled = images
            .pull(repository, digest, |percent| {
                self.show(
                    &spec.id,
                    format!("its image is on its way: {percent} % of {repository}"),
                );
                if percent >= told + NEWS_EVERY {
                    told = percent - percent % NEWS_EVERY;
                    tell(format!("pulling {repository}: {told} %"));
                }
            })
            .await;
        let id = pulled.map_err(|error| refused(&error))?;
        self.tell(
            &spec.id,
            "image_pulled",
            &format!("{repository}@{digest} is {id}"),
        );
        Ok(id)
    }

    /// Returns how far the pulls are that go on.
    pub(super) fn pulling(&self) -> BTreeMap<ServiceId, String> {
        let pulling = self.pulling.lock().unwrap_or_else(PoisonError::into_inner);
        pulling.clone()
    }

    fn show(&self, service: &ServiceId, text: String) {
        let mut pulling = self.pulling.lock().unwrap_or_else(PoisonError::into_inner);
        pulling.insert(service.clone(), text);
    }

    /// Packs `program`, whose content is named by `digest`. Errors: it was replaced since it was accepted.
    async fn pack(
        &self,
        images: &DockerImages,
        program: PathBuf,
        digest: &str,
    ) -> Result<ImageId, Obstacle> {
        // One at a time: two would write into one folder.
        let _turn = self.packing.lock().await;
        // It is removed with its folder, whatever becomes of it.
        let folder = self.ground.places.data.join("run").join("packing");
        let contents = Contents {
            programs: vec![program.clone()],
            with: Vec::new(),
        };
        let packed = packed_in(folder.clone(), contents).await?;
        // After the packing: what was replaced before or during it shows here.
        let named = digest.to_owned();
        let same = tokio::task::spawn_blocking(move || pack::holds(&program, &named)).await;
        if !same.unwrap_or(false) {
            let _ = std::fs::remove_dir_all(&folder);
            return Err(Obstacle {
                code: "changed_meanwhile".to_owned(),
                text: "its program was replaced since it was accepted: `flash-node apply` takes the new one"
                    .to_owned(),
            });
        }
        let loaded = images.load(&packed).await;
        let _ = std::fs::remove_dir_all(&folder);
        loaded.map_err(|error| refused(&error))?;
        Ok(packed.id)
    }

    /// Refuses a program inside an image whose version must not start. Each image is asked once.
    pub(super) async fn check_image_version(
        &self,
        manifest: &Manifest,
        spec: &ServiceSpec,
        unit: &Unit,
    ) -> Result<(), Obstacle> {
        let rules = &manifest.version;
        if rules.minimum_safe.is_none() && rules.refused.is_empty() {
            return Ok(());
        }
        let (Some(reference), Some(id)) = (&spec.program.image, &unit.image) else {
            return Ok(());
        };
        let known = self.known(reference)?.and_then(|known| known.version);
        let printed = match known {
            Some(printed) => printed,
            None => {
                let printed = self.ask_version(manifest, unit).await?;
                self.keep(reference, id, Some(&printed))?;
                printed
            }
        };
        let untold = || Obstacle {
            code: "unsafe_version".to_owned(),
            text: format!(
                "the version of {} in {id} could not be told, and some versions must not start",
                manifest.title
            ),
        };
        let found = version::extract(&printed).ok_or_else(untold)?;
        rules.check(&found).map_err(|error| Obstacle {
            code: "unsafe_version".to_owned(),
            text: format!("{id}: {error}"),
        })
    }

    async fn ask_version(&self, manifest: &Manifest, unit: &Unit) -> Result<String, Obstacle> {
        let failed = |why: String| Obstacle {
            code: "unsafe_version".to_owned(),
            text: format!(
                "{} could not be asked for its version: {why}",
                manifest.title
            ),
        };
        if manifest.version.probe_args.is_empty() {
            // What an image holds cannot be asked of every program; then the manifest's digest speaks for it.
            return Ok(manifest.version.current.clone());
        }
        let job = Job {
            name: Name::new("version").expect("`version` is a name"),
            program: unit.program.clone(),
            args: manifest.version.probe_args.clone(),
            timeout_seconds: VERSION_SECONDS,
            clears: None,
        };
        let outcome = self.engine.runtime().run_job(unit, &job).await;
        let outcome = outcome.map_err(|error| failed(sentence(&error)))?;
        if outcome.exit.code == Some(0) {
            return Ok(outcome.tail);
        }
        Err(failed(format!("it ended with {:?}", outcome.exit)))
    }

    fn known(&self, reference: &str) -> Result<Option<KnownImage>, Obstacle> {
        let known = self.ground.state.image(reference);
        known.map_err(|error| Obstacle {
            code: "state_unreadable".to_owned(),
            text: format!("the images could not be read: {error}"),
        })
    }

    fn keep(&self, reference: &str, id: &ImageId, version: Option<&str>) -> Result<(), Obstacle> {
        let image = KnownImage {
            id: id.clone(),
            version: version.map(ToOwned::to_owned),
        };
        let kept = self.ground.state.keep_image(reference, &image);
        kept.map_err(|error| Obstacle {
            code: "state_unwritable".to_owned(),
            text: format!("the image could not be noted: {error}"),
        })
    }

    fn tell(&self, service: &ServiceId, code: &str, text: &str) {
        let at = self.clock.wall();
        if let Err(error) = self
            .ground
            .state
            .append_event(Some(service), code, text, at)
        {
            tracing::warn!(%error, "an event could not be written: {text}");
        }
        crate::fail::point("image.told");
    }
}

/// Shows that a pull goes on, for as long as it lives.
struct Shown<'a> {
    services: &'a RealServices,
    service: ServiceId,
}

impl<'a> Shown<'a> {
    fn new(services: &'a RealServices, service: ServiceId) -> Self {
        services.show(&service, "its image is on its way".to_owned());
        Self { services, service }
    }
}

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        let pulling = &self.services.pulling;
        let mut pulling = pulling.lock().unwrap_or_else(PoisonError::into_inner);
        pulling.remove(&self.service);
    }
}

/// Packs `contents` into `folder`, which is made for it. Errors: an obstacle with what to do.
pub(super) async fn packed_in(folder: PathBuf, contents: Contents) -> Result<Packed, Obstacle> {
    let packing = tokio::task::spawn_blocking(move || {
        std::fs::create_dir_all(&folder).map_err(pack::PackError::Write)?;
        pack::pack(&contents, &folder)
    });
    let failed = |text: String| Obstacle {
        code: "not_packed".to_owned(),
        text,
    };
    packing
        .await
        .map_err(|error| failed(error.to_string()))?
        .map_err(|error| failed(sentence(&error)))
}

fn refused(error: &ImageError) -> Obstacle {
    Obstacle {
        code: error.code().to_owned(),
        text: format!("{}: {}", sentence(error), error.hint()),
    }
}
