//! Owns what a container is made from: the confinement that every one has, and what its unit adds.
//!
//! It calls no engine. Nothing here can express privilege, host namespaces, devices or the engine's socket.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::path::Path;
use std::path::PathBuf;

use bollard::models::ContainerCreateBody;
use bollard::models::EndpointIpamConfig;
use bollard::models::EndpointSettings;
use bollard::models::HostConfig;
use bollard::models::HostConfigLogConfig;
use bollard::models::Mount;
use bollard::models::MountType;
use bollard::models::NetworkingConfig;
use bollard::models::PortBinding;
use bollard::models::PortMap;
use bollard::models::RestartPolicy;
use bollard::models::RestartPolicyNameEnum;

use super::names::Names;
use super::names::label;
use crate::manifest::schema::StopSignal;
use crate::runtime::Unit;
use crate::service::spec::Attachment;
use crate::service::spec::NetworkKind;
use crate::service::spec::NetworkSpec;

/// Where a container finds its rendered files. The same as `service::places` says.
const FILES_INSIDE: &str = "/run/flash-node";
/// What a program finds in its environment before its own variables.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";
const LANG: &str = "C.UTF-8";
/// The identity of a unit that has none of its own: nobody's.
pub(super) const NOBODY: u32 = 65_534;
/// Room for files that need not outlive a start.
const TMP: &str = "rw,noexec,nosuid,nodev,size=64m,mode=1777";
/// Units: bytes.
const SHARED_MEMORY: i64 = 64 * 1024 * 1024;
/// The engine's own copy of a log, until ours has it.
const ENGINE_LOG_SIZE: &str = "10m";
const ENGINE_LOG_FILES: &str = "3";

/// What stands around a unit on the machine.
pub(super) struct Around<'a> {
    pub(super) names: &'a Names,
    /// The folder with its rendered files.
    pub(super) files: PathBuf,
    /// The folder with its `passwd` and `group`.
    pub(super) identity: PathBuf,
    /// The variables that its image brings.
    pub(super) image_env: Vec<String>,
}

/// Builds the container of a service. The first of `order` is the network that it is made on.
pub(super) fn of_service(
    unit: &Unit,
    around: &Around<'_>,
    order: &[&Attachment],
) -> ContainerCreateBody {
    let mut body = confined(unit, around);
    let mut labels = around.names.labels(&unit.service);
    labels.insert(label::KIND.to_owned(), label::SERVICE.to_owned());
    labels.insert(label::SPEC_HASH.to_owned(), unit.spec_hash.0.clone());
    let addresses = serde_json::to_string(&unit.addresses).expect("addresses become JSON");
    labels.insert(label::ADDRESSES.to_owned(), addresses);
    body.labels = Some(labels);
    body.entrypoint = Some(vec![unit.program.to_string_lossy().into_owned()]);
    body.cmd = Some(unit.args.clone());
    let host = body.host_config.get_or_insert_default();
    host.extra_hosts = Some(hosts(&unit.network));
    let closed = !unit
        .network
        .attachments
        .iter()
        .any(|one| one.kind == NetworkKind::WayOut);
    if closed {
        // Names must not leave either: nobody answers there, inside the container's own network.
        host.dns = Some(vec!["127.0.0.1".to_owned()]);
    }
    let (exposed, bindings) = ports(&unit.network);
    body.exposed_ports = Some(exposed);
    host.port_bindings = Some(bindings);
    match order.first() {
        None => host.network_mode = Some("none".to_owned()),
        Some(first) => {
            let name = around.names.network(&first.edge);
            host.network_mode = Some(name.clone());
            body.networking_config = Some(NetworkingConfig {
                endpoints_config: Some(HashMap::from([(name, endpoint(first))])),
            });
        }
    }
    body
}

/// Builds the container of a job, in the network `mode`.
pub(super) fn of_job(
    unit: &Unit,
    around: &Around<'_>,
    command: Vec<String>,
    hash: &str,
    mode: String,
) -> ContainerCreateBody {
    let mut body = confined(unit, around);
    let mut labels = around.names.labels(&unit.service);
    labels.insert(label::KIND.to_owned(), label::JOB.to_owned());
    labels.insert(label::SPEC_HASH.to_owned(), hash.to_owned());
    body.labels = Some(labels);
    body.entrypoint = command.first().map(|program| vec![program.clone()]);
    body.cmd = Some(command.into_iter().skip(1).collect());
    let host = body.host_config.get_or_insert_default();
    host.network_mode = Some(mode);
    body
}

/// Returns how a member stands on its network.
pub(super) fn endpoint(attachment: &Attachment) -> EndpointSettings {
    EndpointSettings {
        ipam_config: Some(EndpointIpamConfig {
            ipv4_address: Some(attachment.address.to_string()),
            ..EndpointIpamConfig::default()
        }),
        ..EndpointSettings::default()
    }
}

/// Writes the signal as the engine takes it.
pub(super) fn signal(signal: StopSignal) -> &'static str {
    match signal {
        StopSignal::Term => "SIGTERM",
        StopSignal::Int => "SIGINT",
        StopSignal::Quit => "SIGQUIT",
        StopSignal::Usr1 => "SIGUSR1",
    }
}

/// What every container has, service and job alike.
fn confined(unit: &Unit, around: &Around<'_>) -> ContainerCreateBody {
    let uid = unit.uid.unwrap_or(NOBODY);
    let memory = i64::from(unit.limits.memory_mib) * 1024 * 1024;
    let home = unit.volumes.first().map(|mount| mount.inside.clone());
    let folder = unit.folder.clone().or_else(|| home.clone());
    let host = HostConfig {
        cap_drop: Some(vec!["ALL".to_owned()]),
        security_opt: Some(vec!["no-new-privileges:true".to_owned()]),
        readonly_rootfs: Some(true),
        tmpfs: Some(HashMap::from([("/tmp".to_owned(), TMP.to_owned())])),
        pids_limit: Some(i64::from(unit.limits.pids)),
        memory: Some(memory),
        memory_swap: Some(memory),
        init: Some(true),
        privileged: Some(false),
        ipc_mode: Some("private".to_owned()),
        shm_size: Some(SHARED_MEMORY),
        restart_policy: Some(RestartPolicy {
            name: Some(RestartPolicyNameEnum::NO),
            maximum_retry_count: None,
        }),
        log_config: Some(HostConfigLogConfig {
            typ: Some("json-file".to_owned()),
            config: Some(HashMap::from([
                ("max-size".to_owned(), ENGINE_LOG_SIZE.to_owned()),
                ("max-file".to_owned(), ENGINE_LOG_FILES.to_owned()),
            ])),
        }),
        mounts: Some(mounts(unit, around)),
        ..HostConfig::default()
    };
    ContainerCreateBody {
        image: unit.image.as_ref().map(|image| image.0.clone()),
        user: Some(format!("{uid}:{uid}")),
        env: Some(environment(unit, home.as_deref(), &around.image_env)),
        working_dir: Some(folder.map_or_else(
            || "/".to_owned(),
            |folder| folder.to_string_lossy().into_owned(),
        )),
        stop_signal: Some(signal(unit.stop.signal).to_owned()),
        stop_timeout: Some(i64::from(unit.stop.grace_seconds)),
        host_config: Some(host),
        ..ContainerCreateBody::default()
    }
}

/// Lists the environment: ours, and nothing of the image's but its PATH. A name without `=` takes a variable away that
/// the image or the engine would set. Source: moby, `runconfig` and `container.ReplaceOrAppendEnvValues`.
fn environment(unit: &Unit, home: Option<&Path>, image: &[String]) -> Vec<String> {
    let mut env: BTreeMap<&str, String> = BTreeMap::new();
    let mut taken_away = vec!["HOSTNAME".to_owned()];
    env.insert("PATH", PATH.to_owned());
    for variable in image {
        match variable.split_once('=') {
            Some(("PATH", path)) => {
                env.insert("PATH", path.to_owned());
            }
            Some((name, _)) => taken_away.push(name.to_owned()),
            None => {}
        }
    }
    let home = home.unwrap_or_else(|| Path::new("/"));
    env.insert("HOME", home.to_string_lossy().into_owned());
    env.insert("LANG", LANG.to_owned());
    for (name, value) in &unit.env {
        env.insert(name, value.clone());
    }
    taken_away.retain(|name| !env.contains_key(name.as_str()));
    let given = env
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"));
    given.chain(taken_away).collect()
}

fn mounts(unit: &Unit, around: &Around<'_>) -> Vec<Mount> {
    let bind = |source: PathBuf, target: &Path, read_only: bool| Mount {
        typ: Some(MountType::BIND),
        source: Some(source.to_string_lossy().into_owned()),
        target: Some(target.to_string_lossy().into_owned()),
        read_only: Some(read_only),
        ..Mount::default()
    };
    let mut mounts = vec![
        bind(around.files.clone(), Path::new(FILES_INSIDE), true),
        // Some programs ask for the name of their own number. These two files are never replaced while they are mounted.
        bind(
            around.identity.join("passwd"),
            Path::new("/etc/passwd"),
            true,
        ),
        bind(around.identity.join("group"), Path::new("/etc/group"), true),
    ];
    let volumes = unit.volumes.iter();
    mounts.extend(volumes.map(|mount| bind(mount.on_host.clone(), &mount.inside, false)));
    mounts
}

fn hosts(network: &NetworkSpec) -> Vec<String> {
    let hosts = network.hosts.iter();
    hosts
        .map(|(name, address)| format!("{name}:{address}"))
        .collect()
}

fn ports(network: &NetworkSpec) -> (Vec<String>, PortMap) {
    let mut bindings = PortMap::new();
    let mut exposed = Vec::new();
    for one in &network.publish {
        let inside = format!("{}/tcp", one.number);
        exposed.push(inside.clone());
        let binding = PortBinding {
            host_ip: Some(one.on.ip().to_string()),
            host_port: Some(one.on.port().to_string()),
        };
        bindings
            .entry(inside)
            .or_insert_with(|| Some(Vec::new()))
            .get_or_insert_default()
            .push(binding);
    }
    (exposed, bindings)
}

/// Sorts the attachments of a unit: the way out or in is first, for it decides the default route.
pub(super) fn order(network: &NetworkSpec) -> Vec<&Attachment> {
    let mut order: Vec<&Attachment> = network.attachments.iter().collect();
    order.sort_by(|a, b| b.kind.cmp(&a.kind).then(a.edge.cmp(&b.edge)));
    order
}

#[cfg(test)]
mod tests;
