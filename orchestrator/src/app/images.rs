//! Owns what an operator asks of images: which one each service runs in, another one, and one packed of programs of this
//! machine.

use std::path::Path;
use std::path::PathBuf;

use crate::app::node::RealNode;
use crate::app::supply::packed_in;
use crate::app::world::World;
use crate::cli::Exit;
use crate::cli::Failure;
use crate::config;
use crate::id::ServiceId;
use crate::image::ImageReference;
use crate::image::pack::Contents;
use crate::manifest::choices;
use crate::node::Refusal;
use crate::node::Reply;
use crate::reconcile::guard;
use crate::runtime::ImageId;
use crate::runtime::docker::images::DockerImages;
use crate::service::desired::Wanted;
use crate::view::Image;
use crate::view::Images;

/// Units: bytes.
pub(super) const MIB: u64 = 1024 * 1024;

impl RealNode {
    /// Lists the image of every service.
    pub(super) async fn kept_images(&self) -> Images {
        let services = &self.parts.services;
        let Some(engine) = services.engine.images() else {
            return Images {
                in_containers: false,
                images: Vec::new(),
            };
        };
        let world = services.world();
        let mut images = Vec::new();
        for (id, service) in &world.resolved.desired.services {
            let Wanted::Run { spec, .. } = &service.wanted else {
                continue;
            };
            let reference = spec.program.image.as_deref().unwrap_or("-");
            let known = services.ground.state.image(reference).ok().flatten();
            let named = known.as_ref().map(|known| known.id.clone());
            let kept = match named.or_else(|| local(reference)) {
                Some(id) => engine.find(&id).await.ok().flatten(),
                None => None,
            };
            let version = known.and_then(|known| known.version);
            images.push(Image {
                service: id.to_string(),
                reference: reference.to_owned(),
                id: kept.as_ref().map(|kept| kept.id.to_string()),
                size: kept.as_ref().map(|kept| kept.size),
                version: version.and_then(|text| text.lines().next().map(str::to_owned)),
            });
        }
        Images {
            in_containers: true,
            images,
        }
    }

    /// Lets `service` run in another image, or says what that would do.
    pub(super) async fn set_image(
        &self,
        service: &ServiceId,
        image: &str,
        dry_run: bool,
    ) -> Result<Reply, Refusal> {
        ImageReference::parse(image).map_err(|error| Refusal {
            code: "bad_value".to_owned(),
            message: error.to_string(),
            hint: "`docker images --digests --no-trunc` lists digests and IDs".to_owned(),
        })?;
        let world = self.parts.services.world();
        if !world.resolved.desired.services.contains_key(service) {
            return Err(Refusal {
                code: "unknown_service".to_owned(),
                message: format!("there is no service {service}"),
                hint: "`flash-node status` lists the services".to_owned(),
            });
        }
        let texts = self.edited(|text| choices::set_image(text, service, image))?;
        let mut reply = self.change(texts, dry_run).await?;
        reply.text.push_str(&one_way(&world, service));
        Ok(reply)
    }
}

/// Writes the image of every service as text.
pub(super) fn table(images: &Images) -> String {
    if !images.in_containers {
        return "services run as programs of this machine; none has an image\n".to_owned();
    }
    let mut text = String::new();
    for image in &images.images {
        let state = match (&image.id, image.size) {
            (Some(id), Some(size)) => format!("on this machine, {} MiB, {id}", size / MIB),
            _ => "not on this machine; it is fetched at the next start".to_owned(),
        };
        let (service, reference) = (&image.service, &image.reference);
        text.push_str(&format!("{service}\n  {reference}\n  {state}\n"));
        if let Some(version) = &image.version {
            text.push_str(&format!("  version: {version}\n"));
        }
    }
    text
}

/// Warns of data that another version may change for good.
fn one_way(world: &World, service: &ServiceId) -> String {
    let desired = world.resolved.desired.services.get(service);
    let manifest = desired.and_then(|desired| world.catalog.get(&desired.manifest));
    let volumes = manifest.map(|manifest| manifest.volumes.iter());
    let kept = volumes.into_iter().flatten();
    kept.filter(|(_, volume)| guard::guarded(volume.class))
        .map(|(name, volume)| {
            format!(
                "another version may change its data for good ({service}.{name}: {}); going back may not be possible\n",
                volume.holds.trim_end_matches('.')
            )
        })
        .collect()
}

fn local(reference: &str) -> Option<ImageId> {
    match ImageReference::parse(reference) {
        Ok(ImageReference::Local { id }) => Some(ImageId(id)),
        _ => None,
    }
}

/// Packs programs of this machine into an image of the engine, and returns its ID. Needs no daemon.
///
/// Errors: a [`Failure`] with what to do; then the engine has nothing new.
pub async fn pack_image(programs: Vec<PathBuf>, with: Vec<PathBuf>) -> Result<ImageId, Failure> {
    let folder = own_folder()?;
    let done = packed_and_loaded(&folder, Contents { programs, with }).await;
    if let Err(error) = std::fs::remove_dir_all(&folder) {
        tracing::warn!(%error, "{} was not removed", folder.display());
    }
    done
}

async fn packed_and_loaded(folder: &Path, contents: Contents) -> Result<ImageId, Failure> {
    let packed = packed_in(folder.to_owned(), contents).await;
    let packed = packed.map_err(|obstacle| {
        Failure::new(
            Exit::BadData,
            obstacle.text,
            "name programs by their absolute path; --with carries folders that they look for",
        )
    })?;
    let images = DockerImages::new(PathBuf::from(config::ENGINE_SOCKET));
    let loaded = images.load(&packed).await;
    loaded.map_err(|error| Failure::new(Exit::Failed, error.to_string(), error.hint()))?;
    Ok(packed.id)
}

/// Makes a folder of this process alone, on a disk: images may be larger than memory.
fn own_folder() -> Result<PathBuf, Failure> {
    let folder = Path::new("/var/tmp").join(format!("flash-node-pack-{}", std::process::id()));
    std::fs::create_dir(&folder).map_err(|error| {
        Failure::new(
            Exit::Failed,
            format!("{} could not be made: {error}", folder.display()),
            "make room in /var/tmp, or remove that folder",
        )
    })?;
    Ok(folder)
}
