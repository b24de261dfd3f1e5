//! Owns the guard over data that cannot be made again: a service that had some is not started without them.
//!
//! It does not look at a disk itself: `Services` does.

use std::collections::BTreeSet;
use std::path::Path;

use crate::id::Name;
use crate::manifest::schema::DataClass;
use crate::reconcile::observed::Obstacle;
use crate::service::spec::ServiceSpec;

/// Whether a volume of `class` is guarded. A mint that begins anew with its old keys would honour money twice; what
/// can be fetched again, or is only lost comfort, is nobody's danger.
#[must_use]
pub fn guarded(class: DataClass) -> bool {
    match class {
        DataClass::Critical | DataClass::Secret | DataClass::ToxicIfStale => true,
        DataClass::Rebuildable => false,
    }
}

/// Whether anything lies in a folder. One that cannot be looked into is not taken for an empty one.
#[must_use]
pub fn holds_data(folder: &Path) -> bool {
    match std::fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_some(),
        Err(error) => error.kind() != std::io::ErrorKind::NotFound,
    }
}

/// What keeps `spec` from being started: a volume in `held` that is not among those that hold data `now`.
pub(super) fn lost_data(
    spec: &ServiceSpec,
    held: &BTreeSet<Name>,
    now: &BTreeSet<Name>,
) -> Option<Obstacle> {
    let lost = held.iter().find(|name| !now.contains(*name))?;
    // A volume that the manifest no longer names is not needed.
    let volume = spec.volumes.get(lost)?;
    Some(Obstacle {
        code: "volume_empty".to_owned(),
        text: format!(
            "{} held data of {id} and is empty or missing: restore it; to begin anew without them, `flash-node remove {id}` and `flash-node purge {id}`",
            volume.path.display(),
            id = spec.id
        ),
    })
}
