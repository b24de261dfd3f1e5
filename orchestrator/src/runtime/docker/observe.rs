//! Owns what the engine says of a container, read as the state of a service.
//!
//! It changes nothing. What cannot be understood is an error of that one service, never an absence.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use bollard::models::ContainerInspectResponse;
use bollard::models::ContainerStateStatusEnum;
use bollard::models::PortMap;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::names::Names;
use super::names::label;
use crate::clock::UnixMillis;
use crate::id::Name;
use crate::id::ServiceId;
use crate::runtime::Exit;
use crate::runtime::Instance;
use crate::runtime::InstanceState;
use crate::runtime::RuntimeError;
use crate::service::spec::SpecHash;

/// The highest number of a signal.
const LAST_SIGNAL: i64 = 64;

/// Whether a container is one of this node's, of the kind `kind`.
pub(super) fn ours(found: &ContainerInspectResponse, names: &Names, kind: &str) -> bool {
    labelled(found, label::NODE) == Some(names.node()) && labelled(found, label::KIND) == Some(kind)
}

/// Returns the hash that a container was made with.
pub(super) fn hash(found: &ContainerInspectResponse) -> Option<SpecHash> {
    labelled(found, label::SPEC_HASH).map(|hash| SpecHash(hash.to_owned()))
}

/// Where a container stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It was made, and its program was not started.
    Created,
    /// Its program runs.
    Running,
    /// Its program has ended.
    Ended,
}

/// Says where a container stands; nothing where the engine uses a word that is not known.
pub(super) fn standing(found: &ContainerInspectResponse) -> Option<Standing> {
    match found.state.as_ref()?.status? {
        ContainerStateStatusEnum::CREATED => Some(Standing::Created),
        ContainerStateStatusEnum::RUNNING
        | ContainerStateStatusEnum::PAUSED
        | ContainerStateStatusEnum::RESTARTING => Some(Standing::Running),
        ContainerStateStatusEnum::EXITED
        | ContainerStateStatusEnum::DEAD
        | ContainerStateStatusEnum::REMOVING => Some(Standing::Ended),
        _ => None,
    }
}

/// Reads a container as the instance of `service`. Errors: [`RuntimeError::Record`].
pub(super) fn instance(
    service: &ServiceId,
    found: &ContainerInspectResponse,
) -> Result<Instance, RuntimeError> {
    read(service, found).ok_or_else(|| RuntimeError::Record {
        service: service.clone(),
    })
}

fn read(service: &ServiceId, found: &ContainerInspectResponse) -> Option<Instance> {
    let state = found.state.as_ref()?;
    let started_at = state.started_at.as_deref().and_then(millis);
    let stands = match standing(found)? {
        Standing::Created => InstanceState::Prepared,
        Standing::Running => InstanceState::Running {
            pid: u32::try_from(state.pid?).ok()?,
        },
        Standing::Ended => InstanceState::Exited(exit(found)?),
    };
    let addresses: BTreeMap<Name, SocketAddr> =
        serde_json::from_str(labelled(found, label::ADDRESSES)?).ok()?;
    let runs = matches!(stands, InstanceState::Running { .. });
    let spec_hash = if runs && bound(found) != asked_to_bind(found) {
        // The engine left a port out, and whoever started it had no time to see that: it is not what was specified.
        SpecHash("ports differ".to_owned())
    } else {
        hash(found)?
    };
    Some(Instance {
        service: service.clone(),
        spec_hash,
        started_at: started_at.filter(|_| stands != InstanceState::Prepared),
        state: stands,
        addresses,
        // The engine itself is the supervisor.
        supervised: true,
    })
}

/// Lists the ports of the machine that the engine bound, sorted. Shape: `127.0.0.1:4421→4421/tcp`.
pub(super) fn bound(found: &ContainerInspectResponse) -> Vec<String> {
    let settings = found.network_settings.as_ref();
    bindings(settings.and_then(|settings| settings.ports.as_ref()))
}

/// Lists those that it was asked to bind, in the same shape.
fn asked_to_bind(found: &ContainerInspectResponse) -> Vec<String> {
    let host = found.host_config.as_ref();
    bindings(host.and_then(|host| host.port_bindings.as_ref()))
}

fn bindings(ports: Option<&PortMap>) -> Vec<String> {
    let mut all: Vec<String> = ports
        .into_iter()
        .flatten()
        .flat_map(|(port, bindings)| {
            bindings.iter().flatten().map(move |one| {
                format!(
                    "{}:{}→{port}",
                    one.host_ip.as_deref().unwrap_or_default(),
                    one.host_port.as_deref().unwrap_or_default()
                )
            })
        })
        .collect();
    all.sort();
    all
}

/// Reads how a program ended. Its init process, like a shell, tells a signal as 128 and its number.
pub(super) fn exit(found: &ContainerInspectResponse) -> Option<Exit> {
    let state = found.state.as_ref()?;
    let code = state.exit_code?;
    let at = state.finished_at.as_deref().and_then(millis)?;
    let signal = (129..=128 + LAST_SIGNAL)
        .contains(&code)
        .then(|| i32::try_from(code - 128).ok())
        .flatten();
    Some(Exit {
        code: match signal {
            Some(_) => None,
            None => i32::try_from(code).ok(),
        },
        signal,
        at,
    })
}

fn labelled<'a>(found: &'a ContainerInspectResponse, name: &str) -> Option<&'a str> {
    let labels = found.config.as_ref()?.labels.as_ref()?;
    labels.get(name).map(String::as_str)
}

/// Reads a moment as the engine writes it; nothing for the year 1, by which it says "never".
fn millis(text: &str) -> Option<UnixMillis> {
    let at = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    u64::try_from(at.unix_timestamp_nanos() / 1_000_000)
        .ok()
        .map(UnixMillis)
}

#[cfg(test)]
mod tests;
