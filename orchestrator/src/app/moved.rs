//! Owns what is said of volumes that another storage root is named for: nothing moves their data.
//!
//! It does not know how a volume is used; it only looks whether anything lies in it.

use std::path::Path;
use std::path::PathBuf;

use crate::app::world::World;
use crate::id::Name;
use crate::id::ServiceId;
use crate::manifest::choices::Choices;
use crate::manifest::schema::Volume;
use crate::reconcile::guard::guarded;
use crate::reconcile::guard::holds_data;
use crate::service::places::Places;

/// A volume that would lie elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Moved {
    pub(super) service: ServiceId,
    pub(super) volume: Name,
    pub(super) from: PathBuf,
    pub(super) to: PathBuf,
    /// Whether data lie there that a service must not be started without.
    pub(super) protected: bool,
}

impl Moved {
    /// Says what becomes of the data, in one line of a plan.
    pub(super) fn line(&self) -> String {
        let Self {
            service,
            volume,
            from,
            to,
            protected,
        } = self;
        let end = if *protected {
            "`apply` refuses this while data lie there"
        } else {
            "the service starts with what lies in the new place"
        };
        format!(
            "  !         {service}: volume {volume} goes from {} to {}, and its data are not moved: {end}",
            from.display(),
            to.display()
        )
    }
}

/// Lists the volumes of the services in `after` that lay elsewhere by `before`'s choices, and may hold data there.
pub(super) fn moved(places: &Places, before: &World, after: &World) -> Vec<Moved> {
    let mut moved = Vec::new();
    for (service, wanted) in &after.resolved.desired.services {
        let Some(manifest) = after.catalog.get(&wanted.manifest) else {
            continue;
        };
        for (name, volume) in &manifest.volumes {
            let from = place(places, &before.choices, service, name);
            let to = place(places, &after.choices, service, name);
            if from != to && holds_data(&from) {
                moved.push(Moved {
                    service: service.clone(),
                    volume: name.clone(),
                    protected: protects(volume, &from),
                    from,
                    to,
                });
            }
        }
    }
    moved
}

fn place(places: &Places, choices: &Choices, service: &ServiceId, volume: &Name) -> PathBuf {
    let choice = choices.services.get(service);
    let root = choice
        .and_then(|choice| choice.volumes.get(volume))
        .and_then(|root| choices.storage.get(root))
        .map(|root| root.path.as_path());
    places.volume_on_host(service, volume, root)
}

/// Whether data in `folder` are lost or cost money where the service starts without them.
fn protects(volume: &Volume, folder: &Path) -> bool {
    guarded(volume.class)
        || volume
            .parts
            .iter()
            .any(|(part, class)| guarded(*class) && holds_data(&folder.join(part)))
}

#[cfg(test)]
mod tests;
