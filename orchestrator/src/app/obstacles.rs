//! Owns what the machine may hold against a start: disks, programs, ports.
//!
//! It does not know what follows from an obstacle (`reconcile`). Disks are looked at with a time limit: one that hangs
//! must not hang the loop.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::TryLockError;
use std::sync::mpsc;
use std::time::Duration;

use crate::app::sentence::sentence;
use crate::app::world::Ground;
use crate::app::world::World;
use crate::id::Name;
use crate::id::NodeId;
use crate::id::ServiceId;
use crate::manifest::choices::StorageRoot;
use crate::reconcile::observed::Obstacle;
use crate::runtime::docker::proxy;
use crate::runtime::process::version::ProcessRunner;
use crate::service::init::InitError;
use crate::service::ports;
use crate::service::programs;
use crate::service::programs::Verdict;
use crate::service::spec::ServiceSpec;
use crate::store::folder;

/// How long the disks of a service may take to answer.
pub(super) const LONGEST_LOOK: Duration = Duration::from_secs(2);

/// Looks at disks that did not answer in time, by service. A thread that waits for a disk cannot be ended, so that
/// there is one at most for each service.
#[derive(Debug, Default)]
pub(super) struct Looks(Mutex<BTreeMap<ServiceId, mpsc::Receiver<Option<Obstacle>>>>);

impl Looks {
    /// Returns what `look` finds; an obstacle of its own where it takes longer than `longest`, and until it ends.
    pub(super) fn within(
        &self,
        longest: Duration,
        service: &ServiceId,
        look: impl FnOnce() -> Option<Obstacle> + Send + 'static,
    ) -> Option<Obstacle> {
        let mut unanswered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = match unanswered.remove(service) {
            // It waited long enough the first time.
            Some(answer) => match answer.try_recv() {
                Err(mpsc::TryRecvError::Empty) => answer,
                Ok(found) => return found,
                Err(mpsc::TryRecvError::Disconnected) => return None,
            },
            None => {
                let (told, answer) = mpsc::channel();
                // Nobody may be waiting any more when it is told.
                let looking = std::thread::Builder::new()
                    .name("disks".to_owned())
                    .spawn(move || told.send(look()));
                if let Err(error) = looking {
                    return Some(Obstacle {
                        code: "disk_silent".to_owned(),
                        text: format!(
                            "the disks of {service} could not be looked at: no thread could be started ({error})"
                        ),
                    });
                }
                match answer.recv_timeout(longest) {
                    Ok(found) => return found,
                    Err(mpsc::RecvTimeoutError::Timeout) => answer,
                    Err(mpsc::RecvTimeoutError::Disconnected) => return None,
                }
            }
        };
        unanswered.insert(service.clone(), answer);
        Some(Obstacle {
            code: "disk_silent".to_owned(),
            text: format!(
                "a disk of {service} does not answer: look at its mount, then it goes on by itself"
            ),
        })
    }
}

/// Looks whether every volume's disk is there, and has room.
pub(super) fn missing_room(
    roots: &BTreeMap<Name, StorageRoot>,
    node: &NodeId,
    spec: &ServiceSpec,
) -> Option<Obstacle> {
    for volume in spec.volumes.values() {
        let root = roots.iter().find(|(name, _)| name.as_str() == volume.root);
        if let Some((name, root)) = root
            && let Err(error) = folder::check_storage_root(&root.path, node)
        {
            let text =
                format!("{error} (storage root `{name}`): mount it, then it goes on by itself");
            return Some(Obstacle {
                code: "storage_missing".to_owned(),
                text,
            });
        }
        let existing = volume.path.ancestors().find(|folder| folder.exists());
        let space = existing.and_then(|folder| folder::free_space(folder).ok());
        if let Some(free) = space.map(|space| space.free / (1024 * 1024))
            && free < volume.needs_mib
        {
            let text = format!(
                "{} has {free} MiB free and {} needs {} MiB: make room, or put the volume on another disk",
                volume.path.display(),
                spec.id,
                volume.needs_mib
            );
            return Some(Obstacle {
                code: "disk_full".to_owned(),
                text,
            });
        }
    }
    None
}

/// Says why the program, as it lies there now, must not start, where that is known without asking it.
pub(super) fn replaced_program(
    ground: &Ground,
    world: &World,
    spec: &ServiceSpec,
) -> Option<Obstacle> {
    let manifest = world.catalog.get(&spec.manifest)?;
    let verdict = match ground.versions.try_lock() {
        Ok(cache) => programs::known(manifest, &world.programs, &cache),
        Err(TryLockError::Poisoned(cache)) => {
            programs::known(manifest, &world.programs, &cache.into_inner())
        }
        // A program is being asked; the start itself waits for it.
        Err(TryLockError::WouldBlock) => None,
    };
    refused(verdict?)
}

/// Says why the program, as it lies there now, must not start; it is asked for its version where it was replaced.
/// Blocks.
pub(super) fn ask_program(ground: &Ground, world: &World, spec: &ServiceSpec) -> Option<Obstacle> {
    let manifest = world.catalog.get(&spec.manifest)?;
    let mut cache = ground
        .versions
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let verdict = programs::again(manifest, &world.programs, &ProcessRunner, &mut cache);
    refused(verdict)
}

fn refused(verdict: Verdict) -> Option<Obstacle> {
    let (code, text) = match verdict {
        Verdict::Ready => return None,
        Verdict::NotInstalled { text } => ("not_installed", text),
        Verdict::Unsafe { text } => ("unsafe_version", text),
    };
    Some(Obstacle {
        code: code.to_owned(),
        text,
    })
}

/// Says why an init job failed. What its program printed may hold what it was given: where it lies is said, not what it
/// says.
pub(super) fn init_failed(error: &InitError, log_of: impl Fn(&Name) -> PathBuf) -> Obstacle {
    let mut text = sentence(error);
    if let InitError::Failed { job, .. } = error {
        text.push_str("; what it printed is in ");
        text.push_str(&log_of(job).display().to_string());
    }
    Obstacle {
        code: "init_failed".to_owned(),
        text,
    }
}

/// Says which port of `spec` another program holds.
pub(super) fn taken_port(spec: &ServiceSpec) -> Option<Obstacle> {
    let own = spec
        .listeners
        .iter()
        .map(|(name, listener)| (name, SocketAddr::new(listener.host, listener.port)));
    // In networks of its own a service meets nobody but on the ports that the machine leads to it.
    let led = spec.network.publish.iter().map(|one| (&one.port, one.on));
    let wanted: Vec<_> = if spec.network.none() {
        own.collect()
    } else {
        led.collect()
    };
    wanted.into_iter().find_map(|(name, address)| {
        (!ports::bindable(address)).then(|| Obstacle {
            code: "port_taken".to_owned(),
            text: taken(spec, name, address),
        })
    })
}

/// Says who holds a port, and what frees it.
fn taken(spec: &ServiceSpec, name: &Name, address: SocketAddr) -> String {
    let attachments = &spec.network.attachments;
    let own = !attachments.is_empty()
        && proxy::leads_to(address)
            .is_some_and(|to| attachments.iter().any(|one| one.address == to));
    if own {
        return format!(
            "port {address} ({name}) is held by the container engine for a container of {} that is gone, as happens where the engine is killed: restart it (systemctl restart docker)",
            spec.id
        );
    }
    format!(
        "port {address} ({name}) is taken by another program: stop that program, or give {} another port in node.toml",
        spec.id
    )
}

#[cfg(test)]
mod tests;
