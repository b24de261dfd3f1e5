//! Owns the rules about what a service offers: ports, interfaces, volumes, files, endpoints.

use std::collections::BTreeMap;

use super::Findings;
use crate::id::Name;
use crate::manifest::error::Rule;
use crate::manifest::locate::Path;
use crate::manifest::locate::place;
use crate::manifest::schema::CredentialKind;
use crate::manifest::schema::Listen;
use crate::manifest::schema::Manifest;
use crate::manifest::schema::Network;
use crate::manifest::schema::NetworkKey;
use crate::manifest::schema::Port;
use crate::manifest::schema::ProviderFile;

const NETWORKS: [Network; 3] = [Network::Mainnet, Network::Signet, Network::Regtest];

impl Port {
    /// Returns the port's number on `network`.
    #[must_use]
    pub fn number_on(&self, network: Network) -> Option<u16> {
        let given = self.number.get(&network.into());
        given
            .or_else(|| self.number.get(&NetworkKey::Default))
            .copied()
    }
}

impl Manifest {
    /// Whether the service may run on `network`.
    #[must_use]
    pub fn runs_on(&self, network: Network) -> bool {
        self.networks.is_empty() || self.networks.contains(&network)
    }
}

pub(super) fn check_port_numbers(manifest: &Manifest, found: &mut Findings) {
    for (name, port) in &manifest.ports {
        if port.number.values().any(|number| *number == 0) {
            found.add(
                Rule::PortNumber,
                place!["ports", name, "number"],
                format!("the port `{name}` has the number 0"),
            );
        }
        for network in NETWORKS {
            if manifest.runs_on(network) && port.number_on(network).is_none() {
                found.add_with_hint(
                    Rule::PortNumber,
                    place!["ports", name, "number"],
                    format!("the port `{name}` has no number on {}", network.as_str()),
                    "add it, or `default` for all networks that are not named",
                );
            }
        }
    }
}

pub(super) fn check_duplicate_ports(manifest: &Manifest, found: &mut Findings) {
    for network in NETWORKS {
        let mut taken: BTreeMap<u16, &Name> = BTreeMap::new();
        if !manifest.runs_on(network) {
            continue;
        }
        for (name, port) in &manifest.ports {
            let Some(number) = port.number_on(network).filter(|number| *number != 0) else {
                continue;
            };
            if let Some(first) = taken.insert(number, name) {
                found.add(
                    Rule::DuplicatePort,
                    place!["ports", name, "number"],
                    format!(
                        "the ports `{first}` and `{name}` both have the number {number} on {}",
                        network.as_str()
                    ),
                );
                return;
            }
        }
    }
}

/// A program that binds one address binds all of them inside a container: whoever reaches one port reaches the others.
pub(super) fn check_single_listener(manifest: &Manifest, found: &mut Findings) {
    if manifest.program.listen != Listen::Single {
        return;
    }
    let mut ports: Vec<&Name> = manifest
        .interfaces
        .values()
        .flat_map(|interface| std::iter::once(&interface.port).chain(&interface.also))
        .collect();
    ports.sort();
    ports.dedup();
    if ports.len() > 1 {
        let ports: Vec<&str> = ports.into_iter().map(Name::as_str).collect();
        found.add_with_hint(
            Rule::SingleListener,
            place!["program", "listen"],
            format!("a single listener offers the ports {}", crate::manifest::hint::list(&ports)),
            "a program that binds one address only may offer one port, since every consumer reaches all of them",
        );
    }
}

pub(super) fn check_interfaces(manifest: &Manifest, found: &mut Findings) {
    for (name, interface) in &manifest.interfaces {
        let at = place!["interfaces", name];
        found.refer(
            at.then("port"),
            "port",
            &interface.port,
            manifest.ports.keys(),
        );
        for (index, port) in interface.also.iter().enumerate() {
            found.refer(
                at.then("also").then(index),
                "port",
                port,
                manifest.ports.keys(),
            );
        }
        let needs_file = interface.credential == Some(CredentialKind::ProviderFile);
        match (&interface.file, needs_file) {
            (None, true) => found.add_with_hint(
                Rule::CredentialFile,
                at.then("credential"),
                format!("the interface `{name}` gives a file that it does not name"),
                "add `file = { volume = \"…\", path = \"…\" }`",
            ),
            (Some(_), false) => found.add_with_hint(
                Rule::CredentialFile,
                at.then("file"),
                format!("the interface `{name}` names a file that its credential has no use for"),
                "a file belongs to `credential = \"provider-file\"` alone",
            ),
            _ => {}
        }
        if let Some(file) = &interface.file {
            check_provider_file(manifest, &at.then("file"), file, found);
        }
    }
}

/// Checks that a file lies below a declared volume.
pub(super) fn check_provider_file(
    manifest: &Manifest,
    at: &Path,
    file: &ProviderFile,
    found: &mut Findings,
) {
    found.refer(
        at.then("volume"),
        "volume",
        &file.volume,
        manifest.volumes.keys(),
    );
    if escapes(&file.path) {
        found.add_with_hint(
            Rule::PathEscapes,
            at.then("path"),
            format!("`{}` does not stay below the volume", file.path),
            "write it relative to the volume, without `..`",
        );
    }
}

fn escapes(path: &str) -> bool {
    path.is_empty() || path.starts_with('/') || path.split('/').any(|part| part == "..")
}

pub(super) fn check_volume_parts(manifest: &Manifest, found: &mut Findings) {
    for (name, volume) in &manifest.volumes {
        for part in volume.parts.keys().filter(|part| escapes(part)) {
            found.add_with_hint(
                Rule::PathEscapes,
                place!["volumes", name, "parts", part],
                format!("`{part}` does not stay below the volume"),
                "write it relative to the volume, without `..`",
            );
        }
    }
}

const PLAIN: &str = "letters, digits, `.`, `_` and `-`, and no folder";

fn plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    !name.is_empty() && !name.starts_with('.') && name.chars().all(plain)
}

/// The longest name of a socket: the whole path of one has 107 bytes at most.
const LONGEST_SOCKET: usize = 32;

pub(super) fn check_onion(manifest: &Manifest, found: &mut Findings) {
    let Some(onion) = &manifest.onion else { return };
    let at = place!["onion"];
    found.refer(
        at.then("volume"),
        "volume",
        &onion.volume,
        manifest.volumes.keys(),
    );
    found.refer(
        at.then("socks"),
        "interface under [node]",
        &onion.socks,
        manifest.node.keys(),
    );
    if !plain(&onion.socket) || onion.socket.len() > LONGEST_SOCKET {
        found.add_with_hint(
            Rule::OnionSocket,
            at.then("socket"),
            format!(
                "`{}` is not a plain file name of at most {LONGEST_SOCKET} characters",
                onion.socket
            ),
            PLAIN,
        );
    }
    if escapes(&onion.hostname) {
        found.add_with_hint(
            Rule::PathEscapes,
            at.then("hostname"),
            format!("`{}` does not stay below the volume", onion.hostname),
            "write it relative to the volume, without `..`",
        );
    }
}

pub(super) fn check_file_names(manifest: &Manifest, found: &mut Findings) {
    let mut names: BTreeMap<&str, &Name> = BTreeMap::new();
    let secrets = manifest.secrets.iter().filter(|(_, secret)| secret.file);
    for (name, _) in secrets {
        names.insert(name.as_str(), name);
    }
    for (key, file) in &manifest.files {
        let at = place!["files", key, "name"];
        if !plain(&file.name) {
            found.add_with_hint(
                Rule::FileName,
                at,
                format!("`{}` is not a plain file name", file.name),
                PLAIN,
            );
        } else if let Some(first) = names.insert(&file.name, key) {
            found.add(
                Rule::FileName,
                at,
                format!("the file name `{}` is taken by `{first}`", file.name),
            );
        }
    }
}

pub(super) fn check_endpoints(manifest: &Manifest, found: &mut Findings) {
    for (name, endpoint) in &manifest.endpoints {
        let at = place!["endpoints", name];
        found.refer(
            at.then("port"),
            "port",
            &endpoint.port,
            manifest.ports.keys(),
        );
        if !endpoint.path.is_empty() && !endpoint.path.starts_with('/') {
            found.add(
                Rule::EndpointPath,
                at.then("path"),
                format!("the path `{}` does not begin with `/`", endpoint.path),
            );
        }
    }
}
