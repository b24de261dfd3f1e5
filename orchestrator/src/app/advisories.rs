//! Owns which advisories name something of this node, and the import of newer ones.

use std::path::Path;

use crate::advisory::AdvisoryError;
use crate::advisory::Feed;
use crate::advisory::Signed;
use crate::app::node::RealNode;
use crate::app::world::Ground;
use crate::app::world::World;
use crate::id::ManifestId;
use crate::id::ServiceId;
use crate::manifest::schema;
use crate::manifest::schema::Manifest;
use crate::manifest::version;
use crate::manifest::version::Version;
use crate::node::Refusal;
use crate::node::Reply;
use crate::service::desired::Wanted;
use crate::service::programs;
use crate::service::spec::ServiceSpec;
use crate::store::durable;
use crate::view::Advisories;
use crate::view::Advisory;
use crate::view::Affected;

/// What was imported, below the data folder.
const FILE: &str = "advisories.json";

impl RealNode {
    /// Lists what is known, and what of it is here.
    pub(super) async fn known_advisories(&self) -> Result<Advisories, Refusal> {
        let (services, data) = (self.parts.services.clone(), self.parts.data.clone());
        let read = move || {
            let (feed, imported) = newest(&data);
            shown(
                &feed,
                imported,
                &versions(&services.ground, &services.world()),
            )
        };
        blocking(read).await
    }

    /// Takes a newer file, where the release's key signed it.
    pub(super) async fn import_advisories(&self, signed: Signed) -> Result<Reply, Refusal> {
        let data = self.parts.data.clone();
        let import = move || {
            let (known, _) = newest(&data);
            let feed = signed.read().and_then(|feed| feed.after(&known));
            let feed = feed.map_err(|error| refusal(&error))?;
            if feed == known {
                return Ok((feed, false));
            }
            let text = serde_json::to_vec(&signed).map_err(|error| unwritable(&error))?;
            durable::write(&data.join(FILE), &text, 0o600).map_err(|error| unwritable(&error))?;
            Ok((feed, true))
        };
        let (feed, changed) = blocking(import).await??;
        let told = format!(
            "advisories of {} (no. {}), {} in all",
            feed.issued,
            feed.serial,
            feed.advisories.len()
        );
        if !changed {
            return Ok(Reply::said(format!("{told}: known already\n"), changed));
        }
        self.note("advisories_imported", &told);
        let mut text = format!("{told}, are known from now on\n");
        text.push_str(&table(&self.known_advisories().await?));
        Ok(Reply::said(text, changed))
    }
}

/// Writes those that are about something here as text.
fn table(advisories: &Advisories) -> String {
    let here = advisories.advisories.iter();
    let here = here.filter(|one| !one.here.is_empty());
    let lines = here.map(|one| {
        let whom: Vec<String> = one
            .here
            .iter()
            .map(|one| format!("{} {}", one.service, one.version))
            .collect();
        format!(
            "{} ({}): {}\n  {}\n",
            one.id,
            whom.join(", "),
            one.text,
            one.action
        )
    });
    let text: String = lines.collect();
    if text.is_empty() {
        "none names a version that this node runs\n".to_owned()
    } else {
        text
    }
}

async fn blocking<T: Send + 'static>(
    act: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(act)
        .await
        .map_err(|error| Refusal {
            code: "internal".to_owned(),
            message: error.to_string(),
            hint: "look into the log of flash-node for the cause".to_owned(),
        })
}

fn refusal(error: &AdvisoryError) -> Refusal {
    let (code, hint) = match error {
        AdvisoryError::NotSigned(_) => (
            "not_signed",
            "take the file and its .minisig from the release page, both unchanged; where the release's key is newer than this node, update the node first",
        ),
        AdvisoryError::Shape(_) => (
            "bad_advisories",
            "it was written for another release: update the node first",
        ),
        AdvisoryError::Old { .. } => ("old_advisories", "nothing needs to be done"),
    };
    Refusal {
        code: code.to_owned(),
        message: error.to_string(),
        hint: hint.to_owned(),
    }
}

fn unwritable(error: &dyn std::fmt::Display) -> Refusal {
    Refusal {
        code: "unwritable".to_owned(),
        message: format!("the advisories could not be written: {error}"),
        hint: "make room on the disk of the data folder, then import them again".to_owned(),
    }
}

/// Returns the newest that is known, and whether it was imported. What lies there and is not signed is left out.
fn newest(data: &Path) -> (Feed, bool) {
    let shipped = Signed::shipped().read();
    // A test of the release reads it.
    let shipped = shipped.unwrap_or_else(|error| {
        tracing::error!(%error, "the advisories of this release cannot be read");
        Feed {
            serial: 0,
            issued: String::new(),
            advisories: Vec::new(),
        }
    });
    let Ok(bytes) = std::fs::read(data.join(FILE)) else {
        return (shipped, false);
    };
    let kept: Result<Signed, _> = serde_json::from_slice(&bytes);
    match kept.map_err(|error| AdvisoryError::Shape(error.to_string())) {
        Ok(signed) => match signed.read() {
            Ok(kept) if kept.serial > shipped.serial => return (kept, true),
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "imported advisories are left out"),
        },
        Err(error) => tracing::warn!(%error, "imported advisories are left out"),
    }
    (shipped, false)
}

fn shown(feed: &Feed, imported: bool, versions: &[(ServiceId, ManifestId, Version)]) -> Advisories {
    let mut advisories: Vec<Advisory> = feed
        .advisories
        .iter()
        .map(|one| {
            let here = versions.iter();
            let here = here.filter(|(_, manifest, version)| one.names(manifest, version));
            Advisory {
                id: one.id.clone(),
                manifest: one.service.to_string(),
                severity: one.severity,
                text: one.text.clone(),
                action: one.action.clone(),
                here: here
                    .map(|(service, _, version)| Affected {
                        service: service.to_string(),
                        version: version.to_string(),
                    })
                    .collect(),
            }
        })
        .collect();
    advisories.sort_by_key(|one| (one.here.is_empty(), std::cmp::Reverse(one.severity)));
    Advisories {
        serial: feed.serial,
        issued: feed.issued.clone(),
        imported,
        advisories,
    }
}

/// Returns the version of each service, where it is known.
fn versions(ground: &Ground, world: &World) -> Vec<(ServiceId, ManifestId, Version)> {
    let mut found = Vec::new();
    for (id, service) in &world.resolved.desired.services {
        let Wanted::Run { spec, .. } = &service.wanted else {
            continue;
        };
        let Some(manifest) = world.catalog.get(&service.manifest) else {
            continue;
        };
        if let Some(version) = of(ground, world, manifest, spec) {
            found.push((id.clone(), service.manifest.clone(), version));
        }
    }
    found
}

fn of(ground: &Ground, world: &World, manifest: &Manifest, spec: &ServiceSpec) -> Option<Version> {
    let shipped = || manifest.version.current.parse().ok();
    let own = matches!(manifest.image, Some(schema::Image::Own(_)));
    let Some(reference) = spec.program.image.as_deref() else {
        let cache = ground.versions.lock();
        let cache = cache.unwrap_or_else(std::sync::PoisonError::into_inner);
        return programs::version_of(manifest, &world.programs, &cache)
            .or_else(|| own.then(shipped).flatten());
    };
    let known = ground.state.image(reference).ok().flatten();
    let printed = known.and_then(|known| known.version);
    if let Some(printed) = printed {
        return version::extract(&printed);
    }
    // What the manifest names by its digest holds what the manifest says.
    let same = match &manifest.image {
        Some(schema::Image::Pinned(image)) => reference.ends_with(&image.digest),
        Some(schema::Image::Own(_)) => reference.starts_with("self:"),
        None => false,
    };
    same.then(shipped).flatten()
}

#[cfg(test)]
mod tests;
