//! Owns the networks of edges: made before their first member, removed after their last.
//!
//! It does not know what a member is for.

use std::collections::BTreeSet;
use std::collections::HashMap;

use bollard::Docker;
use bollard::errors::Error;
use bollard::models::Ipam;
use bollard::models::IpamConfig;
use bollard::models::NetworkCreateRequest;
use bollard::models::NetworkInspect;
use bollard::query_parameters::InspectNetworkOptions;
use bollard::query_parameters::ListContainersOptionsBuilder;
use bollard::query_parameters::ListNetworksOptionsBuilder;

use super::engine::absent;
use super::engine::labelled;
use super::engine::said;
use super::engine::silent;
use super::names::Names;
use super::names::label;
use crate::id::EdgeId;
use crate::id::ServiceId;
use crate::runtime::RuntimeError;
use crate::service::spec::Attachment;
use crate::service::spec::NetworkKind;

const BRIDGE_NAME: &str = "com.docker.network.bridge.name";
const MASQUERADE: &str = "com.docker.network.bridge.enable_ip_masquerade";

/// Makes the network of `attachment`, or finds it as it must be.
///
/// Errors: [`RuntimeError::NameTaken`] where somebody else's has the name, [`RuntimeError::Engine`] where one of ours has
/// another shape and still has members.
pub(super) async fn ensure(
    docker: &Docker,
    names: &Names,
    service: &ServiceId,
    attachment: &Attachment,
) -> Result<(), RuntimeError> {
    let name = names.network(&attachment.edge);
    let fault = |action, error: &Error| engine(service, action, error);
    if let Some(found) = inspect(docker, &name)
        .await
        .map_err(|error| fault("looking at a network", &error))?
    {
        if !ours(&found, names, &attachment.edge) {
            return Err(RuntimeError::NameTaken {
                service: service.clone(),
                what: "a network",
                name,
            });
        }
        if fits(&found, attachment) {
            return Ok(());
        }
        // It may only go where nobody is on it; the engine refuses otherwise, and says who is.
        docker
            .remove_network(&name)
            .await
            .map_err(|error| fault("replacing a network of another shape", &error))?;
    }
    let request = request(names, attachment);
    match docker.create_network(request).await {
        Ok(_) => {}
        // Another member's start was first: it must be as this one wants it.
        Err(error) => match inspect(docker, &name).await {
            Ok(Some(found))
                if ours(&found, names, &attachment.edge) && fits(&found, attachment) => {}
            _ => return Err(fault("making a network", &error)),
        },
    }
    crate::fail::point("docker.network_made");
    Ok(())
}

/// Removes this node's networks that have no member any more. `service` is only named in errors.
///
/// All of them, not those of one service alone: a node that died after its last container was removed left some.
pub(super) async fn prune(
    docker: &Docker,
    names: &Names,
    service: &ServiceId,
) -> Result<(), RuntimeError> {
    let fault = |action, error: &Error| engine(service, action, error);
    let filters = labelled(&[(label::NODE, names.node())]);
    let options = ListNetworksOptionsBuilder::default()
        .filters(&filters)
        .build();
    let networks = docker
        .list_networks(Some(options))
        .await
        .map_err(|error| fault("listing networks", &error))?;
    let own = networks.into_iter().filter_map(|network| network.name);
    let own: BTreeSet<String> = own.collect();
    let used = used(docker, names)
        .await
        .map_err(|error| fault("listing containers", &error))?;
    for name in own.difference(&used) {
        match docker.remove_network(name).await {
            Ok(()) => {}
            Err(error) if absent(&error) => {}
            // Somebody else's container is on it: it stays, and so does what it holds.
            Err(error) => {
                tracing::warn!("the network {name} could not be removed: {}", said(&error));
            }
        }
        crate::fail::point("docker.network_removed");
    }
    Ok(())
}

/// Lists the networks on which a container of this node is, running or not.
async fn used(docker: &Docker, names: &Names) -> Result<BTreeSet<String>, Error> {
    let filters = labelled(&[(label::NODE, names.node())]);
    let options = ListContainersOptionsBuilder::default()
        .all(true)
        .filters(&filters)
        .build();
    let containers = docker.list_containers(Some(options)).await?;
    Ok(containers
        .into_iter()
        .filter_map(|container| container.network_settings?.networks)
        .flat_map(HashMap::into_keys)
        .collect())
}

async fn inspect(docker: &Docker, name: &str) -> Result<Option<NetworkInspect>, Error> {
    match docker
        .inspect_network(name, None::<InspectNetworkOptions>)
        .await
    {
        Ok(found) => Ok(Some(found)),
        Err(error) if absent(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn ours(found: &NetworkInspect, names: &Names, edge: &EdgeId) -> bool {
    let of = |name: &str| found.labels.as_ref().and_then(|labels| labels.get(name));
    of(label::NODE).is_some_and(|node| node == names.node())
        && of(label::EDGE).is_some_and(|found| *found == edge.to_string())
}

fn fits(found: &NetworkInspect, attachment: &Attachment) -> bool {
    let subnets = found.ipam.as_ref().and_then(|ipam| ipam.config.as_ref());
    let subnet = subnets.and_then(|all| all.first()?.subnet.as_ref());
    let masquerade = found
        .options
        .as_ref()
        .and_then(|options| options.get(MASQUERADE));
    subnet.is_some_and(|subnet| *subnet == attachment.subnet.to_string())
        && found.internal.unwrap_or_default() == internal(attachment.kind)
        && (masquerade.map(String::as_str) == Some("false"))
            == (attachment.kind == NetworkKind::WayIn)
}

fn internal(kind: NetworkKind) -> bool {
    match kind {
        NetworkKind::Edge => true,
        NetworkKind::WayIn | NetworkKind::WayOut => false,
    }
}

fn request(names: &Names, attachment: &Attachment) -> NetworkCreateRequest {
    let mut options = HashMap::from([(BRIDGE_NAME.to_owned(), names.bridge(attachment.subnet))]);
    if attachment.kind == NetworkKind::WayIn {
        // Whoever is let in is answered; nothing that the member begins itself finds its way back.
        options.insert(MASQUERADE.to_owned(), "false".to_owned());
    }
    NetworkCreateRequest {
        name: names.network(&attachment.edge),
        driver: Some("bridge".to_owned()),
        internal: Some(internal(attachment.kind)),
        enable_ipv6: Some(false),
        ipam: Some(Ipam {
            driver: Some("default".to_owned()),
            config: Some(vec![IpamConfig {
                subnet: Some(attachment.subnet.to_string()),
                gateway: Some(attachment.subnet.gateway().to_string()),
                ..IpamConfig::default()
            }]),
            options: None,
        }),
        options: Some(options),
        labels: Some(HashMap::from([
            (label::NODE.to_owned(), names.node().to_owned()),
            (label::EDGE.to_owned(), attachment.edge.to_string()),
        ])),
        ..NetworkCreateRequest::default()
    }
}

/// Turns an error of the engine into the runtime's.
pub(super) fn engine(service: &ServiceId, action: &'static str, error: &Error) -> RuntimeError {
    if silent(error) {
        return RuntimeError::EngineGone { why: said(error) };
    }
    RuntimeError::Engine {
        service: service.clone(),
        action,
        why: said(error),
    }
}
