//! Owns port numbers: which ones a node asks for, and which ones it gets and keeps.
//!
//! It does not know who listens; a free port is what the caller's probe calls free.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use rustix::net::AddressFamily;
use rustix::net::SocketFlags;
use rustix::net::SocketType;
use rustix::net::socket_with;
use rustix::net::sockopt;
use serde::Deserialize;
use serde::Serialize;

use crate::id::Name;
use crate::id::ServiceId;
use crate::manifest::Catalog;
use crate::manifest::choices::Choices;
use crate::manifest::profile::Profile;
use crate::manifest::schema::Network;
use crate::manifest::schema::NetworkKey;
use crate::manifest::schema::Port;
use crate::runtime::RuntimeKind;
use crate::service::resolve::compose;

/// The address on which services listen under the process runtime; public ports too, until the operator opens them.
pub const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Port numbers that were chosen once and are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PortTable(pub BTreeMap<ServiceId, BTreeMap<Name, u16>>);

impl PortTable {
    /// Returns the number of a service's port.
    #[must_use]
    pub fn get(&self, service: &ServiceId, name: &Name) -> Option<u16> {
        self.0.get(service)?.get(name).copied()
    }

    /// Sets the number of a service's port.
    pub fn insert(&mut self, service: ServiceId, name: Name, number: u16) {
        self.0.entry(service).or_default().insert(name, number);
    }

    /// Lists every entry, sorted.
    pub fn iter(&self) -> impl Iterator<Item = (&ServiceId, &Name, u16)> {
        self.0.iter().flat_map(|(service, ports)| {
            ports
                .iter()
                .map(move |(name, number)| (service, name, *number))
        })
    }
}

/// A port that a service asks for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PortRequest {
    /// The service.
    pub service: ServiceId,
    /// The port's name in the manifest.
    pub name: Name,
    /// The number it would like, or must have.
    pub number: u16,
    /// Whether strangers reach it: never re-chosen silently.
    pub public: bool,
    /// Whether the operator fixed the number in `node.toml`.
    pub fixed: bool,
    /// Whether a port of the machine is needed. One inside a container's own networks meets no other.
    pub on_host: bool,
}

/// Lists every port of every service that would run here, sorted. Services that cannot be composed are left out:
/// `resolve` says what is wrong with them.
#[must_use]
pub fn requests(
    profile: &Profile,
    choices: &Choices,
    catalog: &Catalog,
    runtime: RuntimeKind,
) -> Vec<PortRequest> {
    let (composed, _errors) = compose::compose(profile, choices, catalog);
    let mut requests = Vec::new();
    for (service, part) in &composed {
        if part.external.is_some() {
            continue;
        }
        let chosen = choices.services.get(service);
        for (name, port) in &part.manifest.ports {
            let fixed = chosen.and_then(|choice| choice.ports.get(name)).copied();
            let Some(number) = fixed.or_else(|| default_number(port, profile.network)) else {
                continue;
            };
            let shown = part
                .manifest
                .endpoints
                .values()
                .any(|one| one.port == *name);
            let on_host = match runtime {
                RuntimeKind::Process | RuntimeKind::Fake => true,
                RuntimeKind::Docker => port.public || shown,
            };
            requests.push(PortRequest {
                service: service.clone(),
                name: name.clone(),
                number,
                public: port.public,
                fixed: fixed.is_some(),
                on_host,
            });
        }
    }
    requests.sort();
    requests
}

/// Returns the number that a manifest gives `port` on `network`.
#[must_use]
pub fn default_number(port: &Port, network: Network) -> Option<u16> {
    port.number
        .get(&NetworkKey::from(network))
        .or_else(|| port.number.get(&NetworkKey::Default))
        .copied()
}

/// A port that cannot be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenPort {
    /// The request.
    pub request: PortRequest,
    /// The service of this node that has it already; nothing where a stranger has it.
    pub holder: Option<(ServiceId, Name)>,
}

/// Ports that cannot be had, all of them; nothing was chosen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct PortTaken {
    /// Each of them.
    pub ports: Vec<TakenPort>,
}

impl fmt::Display for TakenPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PortRequest {
            service,
            name,
            number,
            public: _,
            fixed,
            on_host: _,
        } = &self.request;
        write!(f, "port {number} ({service}, {name}) is taken by ")?;
        match &self.holder {
            Some((holder, port)) => write!(f, "{holder} ({port}) of this node")?,
            None => write!(f, "another program on this machine")?,
        }
        if *fixed {
            write!(
                f,
                "; change it in node.toml under [services.{service}.ports]"
            )
        } else {
            write!(
                f,
                "; stop what holds it, or choose another in node.toml: [services.{service}.ports] {name} = NUMBER"
            )
        }
    }
}

impl fmt::Display for PortTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, port) in self.ports.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{port}")?;
        }
        Ok(())
    }
}

/// Gives every request a number.
///
/// Kept numbers stay and are not probed: our own service may be listening there. The operator's number wins over a
/// kept one. A new number must be free by `is_free`; where it is not, the next free one is taken if `next_free` allows
/// it and the port is neither public nor fixed. Numbers of services that are gone stay in the table, so that a
/// service comes back where it was, until another one asks for them by name. A port that needs none of the machine's
/// gets the number that it asks for.
///
/// Errors: [`PortTaken`] with every port that cannot be had.
pub fn assign(
    requests: &[PortRequest],
    kept: &PortTable,
    next_free: bool,
    is_free: &dyn Fn(SocketAddr) -> bool,
) -> Result<PortTable, PortTaken> {
    let (mut requests, inside): (Vec<&PortRequest>, Vec<_>) =
        requests.iter().partition(|request| request.on_host);
    requests.sort();
    let mut assignment = Assignment {
        wished: requests.iter().map(|request| request.number).collect(),
        is_free,
        next_free,
        table: PortTable::default(),
        holders: BTreeMap::new(),
        taken: Vec::new(),
    };
    for request in inside {
        let PortRequest {
            service,
            name,
            number,
            ..
        } = request;
        let table = &mut assignment.table;
        table.insert(service.clone(), name.clone(), *number);
    }
    // The operator's numbers first, then kept ones, then new ones: who came first is never moved by a newcomer.
    for request in requests.iter().filter(|request| request.fixed) {
        let probe = kept.get(&request.service, &request.name) != Some(request.number);
        assignment.take(request, request.number, probe);
    }
    let (known, new): (Vec<_>, Vec<_>) = requests
        .into_iter()
        .filter(|request| !request.fixed)
        .partition(|request| kept.get(&request.service, &request.name).is_some());
    for request in known {
        let number = kept.get(&request.service, &request.name);
        assignment.take(request, number.unwrap_or(request.number), false);
    }
    for request in new {
        assignment.choose(request, kept);
    }
    assignment.finish(kept)
}

struct Assignment<'a> {
    wished: BTreeSet<u16>,
    is_free: &'a dyn Fn(SocketAddr) -> bool,
    next_free: bool,
    table: PortTable,
    holders: BTreeMap<u16, (ServiceId, Name)>,
    taken: Vec<TakenPort>,
}

impl Assignment<'_> {
    /// Takes exactly `number`, or notes that it cannot be had.
    fn take(&mut self, request: &PortRequest, number: u16, probe: bool) {
        let holder = self.holders.get(&number).cloned();
        if holder.is_some() || (probe && !(self.is_free)(SocketAddr::new(LOOPBACK, number))) {
            let request = PortRequest {
                number,
                ..request.clone()
            };
            self.taken.push(TakenPort { request, holder });
            return;
        }
        self.holders
            .insert(number, (request.service.clone(), request.name.clone()));
        self.table
            .insert(request.service.clone(), request.name.clone(), number);
    }

    /// Takes the wished number or, where that is allowed, the next free one that nobody else wishes or keeps.
    fn choose(&mut self, request: &PortRequest, kept: &PortTable) {
        let free = |number: u16| {
            !self.holders.contains_key(&number) && (self.is_free)(SocketAddr::new(LOOPBACK, number))
        };
        if free(request.number) || !self.next_free || request.public {
            self.take(request, request.number, true);
            return;
        }
        let reserved: BTreeSet<u16> = kept.iter().map(|(_, _, number)| number).collect();
        let next = (request.number..=u16::MAX).find(|number| {
            !self.wished.contains(number) && !reserved.contains(number) && free(*number)
        });
        self.take(request, next.unwrap_or(request.number), next.is_none());
    }

    fn finish(mut self, kept: &PortTable) -> Result<PortTable, PortTaken> {
        if !self.taken.is_empty() {
            return Err(PortTaken { ports: self.taken });
        }
        for (service, name, number) in kept.iter() {
            if self.table.get(service, name).is_none() && !self.holders.contains_key(&number) {
                self.table.insert(service.clone(), name.clone(), number);
            }
        }
        Ok(self.table)
    }
}

/// Whether `address` can be bound now. Another node's service, running or about to, holds it otherwise.
///
/// The kernel is asked by a bind that never listens: its answer knows wildcard addresses, both families and who may
/// have a low port, which a list of sockets does not. With SO_REUSEADDR such a bind fails where somebody listens, and
/// keeps nobody from binding and listening meanwhile who sets it too, as servers do; one that does not set it can only
/// meet the microseconds between the bind and the close. A probe that listened would turn both away.
/// Who may not bind it cannot say that it is taken.
#[must_use]
pub fn bindable(address: SocketAddr) -> bool {
    !matches!(probe(address), Err(rustix::io::Errno::ADDRINUSE))
}

/// Binds `address` without listening, as [`bindable`] does.
fn probe(address: SocketAddr) -> rustix::io::Result<OwnedFd> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    rustix::net::bind(&socket, &address)?;
    Ok(socket)
}

#[cfg(test)]
mod tests;
