//! Owns the deletion of a removed service's data: the intent first, then the folders, then the record.
//!
//! A deletion that was begun is finished by the next start: half of the data are of no use to anyone.

use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::app::refusal::internal;
use crate::app::refusal::refuse_store;
use crate::app::sentence::sentence;
use crate::app::services::RealServices;
use crate::app::world::Ground;
use crate::app::world::World;
use crate::clock::Clock;
use crate::clock::UnixMillis;
use crate::id::ServiceId;
use crate::node::Refusal;
use crate::node::Reply;
use crate::reconcile::Handle;
use crate::store::StoreError;
use crate::store::state::Intent;
use crate::store::state::IntentKind;
use crate::view::RemovedService;

/// How long the reconciler may take to follow what was accepted before the purge.
const FOLLOWS: Duration = Duration::from_secs(10);

/// Deletes the data of `service`, which nobody wants any more, and forgets it.
///
/// Errors: where the name was not typed, where anything of the service is wanted, there or being worked on.
pub(super) async fn purge(
    handle: &Handle,
    services: &Arc<RealServices>,
    clock: &Arc<dyn Clock>,
    service: &ServiceId,
    confirm: &str,
) -> Result<Reply, Refusal> {
    if confirm != service.as_str() {
        return Err(refuse(
            "confirm_mismatch",
            format!("purging {service} deletes its data for ever, so its name must be typed"),
            "type the service's name again",
        ));
    }
    let world = services.world();
    if world.resolved.desired.services.contains_key(service) || is_there(handle, service).await {
        return Err(refuse(
            "not_removed",
            format!("{service} is still there, so its data stay"),
            &format!("remove it first: `flash-node remove {service}`"),
        ));
    }
    let folders = folders(&services.ground, &world, service);
    let state = &services.ground.state;
    // The newest view may be older than the purge before this one.
    let records = state.records().map_err(|error| refuse_store(&error))?;
    if !records.contains_key(service) && folders.is_empty() {
        return Err(refuse(
            "unknown_service",
            format!("nothing of {service} is left"),
            "`flash-node status` lists the services",
        ));
    }
    crate::fail::point("purge.begin");
    let begun_at = clock.wall();
    state
        .transaction(|tx| {
            let id = tx.next_id()?;
            tx.update_record(service, |record| {
                record.removed = true;
                let kind = IntentKind::Purge;
                record.intent = Some(Intent { id, kind, begun_at });
            })
        })
        .map_err(|error| refuse_store(&error))?;
    crate::fail::point("purge.intended");
    let (ground, id) = (Arc::clone(&services.ground), service.clone());
    // Gigabytes take their time: the deletion does not hold the other tasks up.
    let deleted =
        tokio::task::spawn_blocking(move || delete(&ground, &id, &folders, begun_at)).await;
    deleted
        .map_err(|error| internal(&error.to_string()))?
        .map_err(|error| refuse_store(&error))?;
    handle.nudge();
    Ok(Reply::said(
        format!("the data of {service} were deleted\n"),
        true,
    ))
}

/// Lists what nobody wants any more and still has data or is remembered. Blocks.
pub(super) fn left(services: &RealServices) -> Result<Vec<RemovedService>, StoreError> {
    let (ground, world) = (&services.ground, services.world());
    let mut all: BTreeSet<ServiceId> = ground.state.records()?.into_keys().collect();
    // Data may outlive what was remembered of them.
    let roots = ground.places.volume_roots(world.storage_roots());
    let entries = roots.iter().filter_map(|root| std::fs::read_dir(root).ok());
    let names = entries.flatten().flatten().map(|entry| entry.file_name());
    all.extend(names.filter_map(|name| ServiceId::new(name.to_str()?).ok()));
    let wanted = &world.resolved.desired.services;
    Ok(all
        .into_iter()
        .filter(|id| !wanted.contains_key(id))
        .map(|id| {
            let folders = folders(ground, &world, &id);
            RemovedService {
                title: world.title_left(&id),
                folders: folders
                    .iter()
                    .map(|one| one.display().to_string())
                    .collect(),
                id: id.to_string(),
            }
        })
        .collect())
}

/// Finishes every deletion that was begun before this orchestrator: the operator confirmed it, and since then the
/// service was not started.
pub(super) fn finish(ground: &Ground, world: &World, clock: &dyn Clock) -> Result<(), StoreError> {
    for record in ground.state.records()?.into_values() {
        let begun = record.intent.as_ref().map(|intent| &intent.kind);
        if !matches!(begun, Some(IntentKind::Purge)) {
            continue;
        }
        let service = &record.service;
        let folders = folders(ground, world, service);
        match delete(ground, service, &folders, clock.wall()) {
            Ok(()) => {
                tracing::info!(service.id = %service, "the deletion of {service}'s data was finished");
            }
            // What cannot be deleted keeps no other service from running; the intent stays.
            Err(error) => tracing::warn!(
                service.id = %service,
                "the deletion of {service}'s data could not be finished: {}",
                sentence(&error)
            ),
        }
    }
    Ok(())
}

/// Whether anything of a service may still write to its data. Waits until the reconciler follows what was accepted:
/// only then nothing begins any more.
async fn is_there(handle: &Handle, service: &ServiceId) -> bool {
    let mut view = handle.view();
    handle.nudge();
    let follows = view.wait_for(|view| {
        let desired = view.desired.as_ref();
        view.passes > 0
            && view.problem.is_none()
            && desired.is_some_and(|desired| !desired.services.contains_key(service))
    });
    let Ok(Ok(now)) = tokio::time::timeout(FOLLOWS, follows).await else {
        return true;
    };
    let unreadable = now.unreadable().contains(&service);
    unreadable || now.instances.contains_key(service) || now.busy.contains(service)
}

fn folders(ground: &Ground, world: &World, service: &ServiceId) -> Vec<PathBuf> {
    let mut all = ground.places.volumes_of(service, world.storage_roots());
    all.retain(|folder| folder.exists());
    all
}

fn delete(
    ground: &Ground,
    service: &ServiceId,
    folders: &[PathBuf],
    at: UnixMillis,
) -> Result<(), StoreError> {
    for folder in folders {
        remove_tree(folder)?;
        crate::fail::point("purge.volume");
    }
    crate::fail::point("purge.deleted");
    ground.state.transaction(|tx| {
        tx.remove_record(service)?;
        let text = "its data were deleted, as the operator confirmed";
        tx.append_event(Some(service), "purged", text, at)?;
        Ok(())
    })
}

/// Deletes a folder of data. A link in it is deleted, never followed.
fn remove_tree(folder: &Path) -> Result<(), StoreError> {
    std::fs::remove_dir_all(folder).map_err(|error| StoreError::io(folder, "deleting", error))
}

fn refuse(code: &str, message: String, hint: &str) -> Refusal {
    Refusal {
        code: code.to_owned(),
        message,
        hint: hint.to_owned(),
    }
}
