//! Owns the comparison of what the engine says of this node's containers and networks with what they must be.
//!
//! It changes nothing. A container is made confined; this finds what was changed behind the node's back since.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use bollard::models::ContainerInspectResponse;
use bollard::models::ContainerSummary;
use bollard::models::HostConfig;
use bollard::query_parameters::InspectContainerOptions;
use bollard::query_parameters::ListContainersOptionsBuilder;

use super::DockerRuntime;
use super::engine::labelled;
use super::engine::said;
use super::names::Names;
use super::names::label;
use crate::runtime::RuntimeError;
use crate::service::spec::ServiceSpec;

/// What was found of one container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audited {
    /// The service, or the name of a container that is not ours.
    pub name: String,
    /// The ID of the image that it runs.
    pub image: String,
    /// What differs from how every container must be, a sentence each.
    pub differs: Vec<String>,
}

impl DockerRuntime {
    /// Looks at every container of this node, and at strangers on its networks. `started` is what each was started with.
    ///
    /// Errors: the engine does not answer.
    pub async fn audit(&self, started: &[ServiceSpec]) -> Result<Vec<Audited>, RuntimeError> {
        let docker = self.inner.engine.docker().await?;
        let gone = |error: bollard::errors::Error| RuntimeError::EngineGone { why: said(&error) };
        let options = ListContainersOptionsBuilder::default().all(true).build();
        let all = docker.list_containers(Some(options)).await.map_err(gone)?;
        let own = labelled(&[(label::NODE, self.inner.names.node())]);
        let options = bollard::query_parameters::ListNetworksOptionsBuilder::default()
            .filters(&own)
            .build();
        let networks = docker.list_networks(Some(options)).await.map_err(gone)?;
        let networks: BTreeSet<String> = networks.into_iter().filter_map(|one| one.name).collect();
        let mut found = Vec::new();
        for container in all {
            let labels = container.labels.clone().unwrap_or_default();
            if labels.get(label::NODE).map(String::as_str) != Some(self.inner.names.node()) {
                found.extend(stranger(&container, &networks));
                continue;
            }
            let Some(id) = &container.id else { continue };
            let inspected = docker
                .inspect_container(id, None::<InspectContainerOptions>)
                .await
                .map_err(gone)?;
            let name = labels.get(label::NAME).cloned().unwrap_or_default();
            let kind = labels.get(label::KIND).map(String::as_str);
            let spec = started
                .iter()
                .find(|spec| spec.id.as_str() == name && kind == Some(label::SERVICE));
            let mut wrong = differs(&inspected, &networks);
            if let Some(spec) = spec {
                wrong.extend(beside_edges(&inspected, &self.inner.names, spec));
            }
            found.push(Audited {
                name,
                image: inspected.image.clone().unwrap_or_default(),
                differs: wrong,
            });
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }
}

fn stranger(container: &ContainerSummary, networks: &BTreeSet<String>) -> Option<Audited> {
    let on = container.network_settings.as_ref()?.networks.as_ref()?;
    let on: Vec<&str> = on
        .keys()
        .filter(|network| networks.contains(*network))
        .map(String::as_str)
        .collect();
    let first = on.first()?;
    let names = container.names.as_deref().unwrap_or_default();
    let name = names.first().map_or("a container", String::as_str);
    Some(Audited {
        name: name.trim_start_matches('/').to_owned(),
        image: container.image_id.clone().unwrap_or_default(),
        differs: vec![format!(
            "it is not this node's, and stands on its network {first}"
        )],
    })
}

/// Says where a container stands on other networks, or with other addresses, than its edges give it: the one part of
/// its confinement that can be changed while it runs.
fn beside_edges(
    found: &ContainerInspectResponse,
    names: &Names,
    spec: &ServiceSpec,
) -> Vec<String> {
    let runs = found.state.as_ref().and_then(|state| state.running) == Some(true);
    let settings = found.network_settings.as_ref();
    let on: BTreeMap<String, String> = settings
        .and_then(|settings| settings.networks.as_ref())
        .into_iter()
        .flatten()
        .filter(|(name, _)| name.as_str() != "none")
        .map(|(name, end)| (name.clone(), end.ip_address.clone().unwrap_or_default()))
        .collect();
    let edges: BTreeMap<String, String> = spec
        .network
        .attachments
        .iter()
        .map(|one| (names.network(&one.edge), one.address.to_string()))
        .collect();
    let mut wrong = Vec::new();
    for (name, address) in &on {
        match edges.get(name) {
            None => wrong.push(format!("it stands on the network {name}, which none of its edges gives it")),
            // What does not run has no address.
            Some(expected) if runs && expected != address => wrong.push(format!(
                "it has the address {address} on the network {name}, and its edge gives it {expected}"
            )),
            Some(_) => {}
        }
    }
    for name in edges.keys().filter(|name| runs && !on.contains_key(*name)) {
        wrong.push(format!(
            "it is missing on the network {name} of one of its edges"
        ));
    }
    wrong
}

/// Says what of a container is not as it must be.
fn differs(found: &ContainerInspectResponse, networks: &BTreeSet<String>) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut must = |holds: bool, text: &str| {
        if !holds {
            wrong.push(text.to_owned());
        }
    };
    let nothing = HostConfig::default();
    let host = found.host_config.as_ref().unwrap_or(&nothing);
    let is = |list: &Option<Vec<String>>, wanted: &[&str]| {
        list.as_deref()
            .unwrap_or_default()
            .iter()
            .map(String::as_str)
            .eq(wanted.iter().copied())
    };
    must(
        is(&host.cap_drop, &["ALL"]) && is(&host.cap_add, &[]),
        "it has capabilities",
    );
    must(
        is(&host.security_opt, &["no-new-privileges:true"]),
        "its programs may gain privileges",
    );
    must(
        host.readonly_rootfs == Some(true),
        "its root can be written to",
    );
    must(host.privileged != Some(true), "it is privileged");
    must(
        host.pids_limit.is_some_and(|limit| limit > 0),
        "its processes have no limit",
    );
    must(
        host.memory.is_some_and(|limit| limit > 0),
        "its memory has no limit",
    );
    let modes = [&host.pid_mode, &host.uts_mode, &host.userns_mode];
    must(
        modes
            .iter()
            .all(|mode| mode.as_deref().is_none_or(str::is_empty)),
        "it shares a namespace of the machine",
    );
    must(
        host.devices.as_ref().is_none_or(Vec::is_empty),
        "it has devices",
    );
    let user = found
        .config
        .as_ref()
        .and_then(|config| config.user.as_deref())
        .unwrap_or_default();
    let number = user
        .split(':')
        .next()
        .and_then(|uid| uid.parse::<u32>().ok());
    must(
        number.is_some_and(|uid| uid > 0),
        "its user is not a number of its own",
    );
    let sockets = found.mounts.iter().flatten();
    let sockets = sockets.filter_map(|mount| mount.source.as_deref());
    must(
        !sockets.into_iter().any(|source| source.ends_with(".sock")),
        "it sees a socket of the machine",
    );
    let on = found
        .network_settings
        .as_ref()
        .and_then(|settings| settings.networks.as_ref());
    let foreign = on.into_iter().flat_map(|on| on.keys()).find(|name| {
        !networks.contains(*name) && name.as_str() != "none" && !name.starts_with("container:")
    });
    if let Some(foreign) = foreign {
        wrong.push(format!(
            "it stands on the network {foreign}, which is no edge's"
        ));
    }
    wrong
}

#[cfg(test)]
mod tests;
