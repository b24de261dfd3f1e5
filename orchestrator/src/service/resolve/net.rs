//! Owns the network of each service where services have networks of their own: which edges get one, the address of
//! each member, what is published and what may be reached.
//!
//! It does not know how a runtime makes networks, and chooses no address (`service::subnets`).

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::SocketAddr;

use crate::id::EdgeId;
use crate::id::Name;
use crate::id::ServiceId;
use crate::id::node_party;
use crate::manifest::schema::Image;
use crate::manifest::schema::Interface;
use crate::manifest::schema::Listen;
use crate::manifest::schema::OwnImage;
use crate::runtime::RuntimeKind;
use crate::service::ports::LOOPBACK;
use crate::service::resolve::Problem;
use crate::service::resolve::bond::Bond;
use crate::service::resolve::bond::Provider;
use crate::service::resolve::bond::internet_party;
use crate::service::resolve::compose::Part;
use crate::service::resolve::scope::Plot;
use crate::service::resolve::scope::node_edge;
use crate::service::spec::Attachment;
use crate::service::spec::NetworkKind;
use crate::service::spec::NetworkSpec;
use crate::service::spec::Publish;
use crate::service::spec::Subnet;

/// The interface of the edge by which strangers reach what a service publishes.
const PUBLISHED: &str = "published";

impl<'a> Plot<'a> {
    /// Whether services have networks of their own.
    pub(crate) fn separated(&self) -> bool {
        self.inputs.places.kind == RuntimeKind::Docker
    }

    /// Lists every edge that needs a network, by whoever stands at its ends.
    pub(crate) fn networks(&self) -> BTreeSet<EdgeId> {
        let mut edges = BTreeSet::new();
        for (service, part) in self.parts {
            if part.external.is_some() || !self.runs(service) {
                continue;
            }
            edges.extend(self.present(service).map(|bond| bond.id.clone()));
            let own = part.manifest.node.keys();
            edges.extend(own.map(|interface| node_edge(service, interface)));
            if self.way_in(service).is_some() {
                edges.insert(way_in_edge(service));
            }
        }
        edges
    }

    fn subnet(&self, edge: &EdgeId) -> Result<Subnet, Problem> {
        self.inputs
            .subnets
            .and_then(|table| table.get(edge))
            .ok_or_else(|| Problem::NoSubnet { edge: edge.clone() })
    }

    /// Returns the edge of the way out of `service`, where it has one.
    fn way_out(&self, service: &ServiceId) -> Option<&'a Bond<'a>> {
        self.present(service)
            .find(|bond| matches!(bond.provider, Provider::Internet))
    }

    /// Lists the ports that the machine leads to the service: those of strangers, and those of endpoints.
    fn published(&self, service: &ServiceId) -> BTreeSet<Name> {
        let manifest = self.parts[service].manifest;
        let public = manifest.ports.iter().filter(|(_, port)| port.public);
        let shown = manifest.endpoints.values().map(|endpoint| &endpoint.port);
        public.map(|(name, _)| name).chain(shown).cloned().collect()
    }

    /// Returns the edge by which strangers come in, where the service publishes something and has no way out on which
    /// it could: a port that is published on an internal network only is silently dropped by the engine.
    fn way_in(&self, service: &ServiceId) -> Option<EdgeId> {
        let closed = !self.published(service).is_empty() && self.way_out(service).is_none();
        closed.then(|| way_in_edge(service))
    }

    /// Returns the address on which the service listens for strangers.
    fn stranger_address(&self, service: &ServiceId) -> Result<Option<Ipv4Addr>, Problem> {
        if self.published(service).is_empty() {
            return Ok(None);
        }
        match self.way_out(service) {
            Some(bond) => self.subnet(&bond.id).map(|net| Some(net.consumer())),
            None => self
                .subnet(&way_in_edge(service))
                .map(|net| Some(net.provider())),
        }
    }

    /// Returns where the machine leads to `port`, or nothing where it does not.
    pub(crate) fn published_on(&self, service: &ServiceId, port: &Name) -> Option<SocketAddr> {
        if !self.published(service).contains(port) {
            return None;
        }
        let choice = self.parts[service].choice;
        let host = choice
            .and_then(|choice| choice.publish.get(port))
            .copied()
            .map_or(LOOPBACK, IpAddr::V4);
        let number = self.inputs.ports.get(service, port)?;
        Some(SocketAddr::new(host, number))
    }

    /// Lists the addresses on which `service` listens on `port`, each once: one for each edge that leads to it.
    pub(crate) fn listens_on(
        &self,
        service: &ServiceId,
        port: &Name,
    ) -> Result<Vec<Ipv4Addr>, Problem> {
        let manifest = self.parts[service].manifest;
        let mut addresses = Vec::new();
        for (name, interface) in &manifest.interfaces {
            if leads_to(interface, port) {
                addresses.extend(self.interface_addresses(service, name)?);
            }
        }
        if self.published(service).contains(port) {
            addresses.extend(self.stranger_address(service)?);
        }
        addresses.sort();
        addresses.dedup();
        Ok(addresses)
    }

    fn interface_addresses(
        &self,
        service: &ServiceId,
        interface: &Name,
    ) -> Result<Vec<Ipv4Addr>, Problem> {
        self.consumers(service, interface)
            .iter()
            .map(|consumer| self.subnet(&consumer.id).map(Subnet::provider))
            .collect()
    }

    /// Returns the one address that a program which can name only one listens on, or nothing where it has several and
    /// can name each.
    pub(crate) fn bind(&self, service: &ServiceId, port: &Name) -> Result<Option<IpAddr>, Problem> {
        if !self.separated() {
            return self
                .address(service, port)
                .map(|address| Some(address.ip()));
        }
        let single = self.parts[service].manifest.program.listen == Listen::Single;
        Ok(match self.listens_on(service, port)?.as_slice() {
            [] => Some(LOOPBACK),
            [only] => Some(IpAddr::V4(*only)),
            // All addresses inside its own networks; the plan says so.
            _ if single => Some(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            _ => None,
        })
    }

    /// Lists where `interface` is listened for: once where services share the machine's network, else for each consumer.
    pub(crate) fn binds(
        &self,
        service: &ServiceId,
        name: &Name,
        interface: &Interface,
    ) -> Result<Vec<SocketAddr>, Problem> {
        if !self.separated() {
            return self
                .address(service, &interface.port)
                .map(|address| vec![address]);
        }
        let number = self.number(service, &interface.port)?;
        let mut addresses = self.interface_addresses(service, name)?;
        if self.published(service).contains(&interface.port) {
            addresses.extend(self.stranger_address(service)?);
        }
        addresses.sort();
        addresses.dedup();
        Ok(addresses
            .into_iter()
            .map(|address| SocketAddr::new(IpAddr::V4(address), number))
            .collect())
    }

    /// Returns where the consumer of `edge` reaches `port` of the provider.
    pub(crate) fn reached(
        &self,
        edge: &EdgeId,
        provider: &ServiceId,
        port: &Name,
    ) -> Result<SocketAddr, Problem> {
        let external = self.parts[provider].external.is_some();
        if !self.separated() || external {
            let address = self.address(provider, port)?;
            if self.separated() && address.ip().is_loopback() {
                return Err(Problem::ExternalLoopback { address });
            }
            return Ok(address);
        }
        let address = IpAddr::V4(self.subnet(edge)?.provider());
        Ok(SocketAddr::new(address, self.number(provider, port)?))
    }

    /// Returns where the node is reached on `edge`.
    pub(crate) fn node_at(&self, edge: &EdgeId, port: u16) -> Result<SocketAddr, Problem> {
        let host = if self.separated() {
            IpAddr::V4(self.subnet(edge)?.gateway())
        } else {
            LOOPBACK
        };
        Ok(SocketAddr::new(host, port))
    }

    /// Returns the addresses, as a network, from which the consumer of `edge` calls.
    pub(crate) fn called_from(
        &self,
        edge: &EdgeId,
        provider: SocketAddr,
    ) -> Result<String, Problem> {
        if !self.separated() {
            // Without networks of their own, services come from one address.
            return Ok(match provider {
                SocketAddr::V4(v4) => format!("{}/32", v4.ip()),
                SocketAddr::V6(v6) => format!("{}/128", v6.ip()),
            });
        }
        let net = self.subnet(edge)?;
        let from = if edge.consumer == node_party() {
            net.gateway()
        } else {
            net.consumer()
        };
        Ok(format!("{from}/32"))
    }

    /// Returns where the node itself reaches `port` of a service of its own: on its edge there, else on any other, since
    /// the machine is a member of every network. Nothing where the port is the program's own affair.
    pub(crate) fn node_reaches(
        &self,
        service: &ServiceId,
        port: &Name,
    ) -> Result<Option<SocketAddr>, Problem> {
        if !self.separated() {
            return self.address(service, port).map(Some);
        }
        let number = self.number(service, port)?;
        let manifest = self.parts[service].manifest;
        let own = manifest.node.keys().find(|name| {
            manifest
                .interfaces
                .get(*name)
                .is_some_and(|interface| leads_to(interface, port))
        });
        let address = match own {
            Some(interface) => Some(self.subnet(&node_edge(service, interface))?.provider()),
            None => self.listens_on(service, port)?.first().copied(),
        };
        Ok(address.map(|address| SocketAddr::new(IpAddr::V4(address), number)))
    }

    /// Returns the image's own folder in which the program starts.
    pub(crate) fn folder(&self, part: &Part<'_>) -> Option<String> {
        match &part.manifest.image {
            Some(Image::Pinned(image)) if self.separated() => image.folder.clone(),
            _ => None,
        }
    }

    /// Returns which image the program runs in: the operator's, the one that replaces the manifest's, or the manifest's.
    pub(crate) fn image(&self, part: &Part<'_>) -> Option<String> {
        if !self.separated() {
            return None;
        }
        if let Some(chosen) = part.choice.and_then(|choice| choice.image.as_ref()) {
            return Some(chosen.clone());
        }
        match part.manifest.image.as_ref()? {
            Image::Pinned(image) => {
                let reference = format!("{}@{}", image.repository, image.digest);
                let replaced = self.inputs.choices.images.get(&reference);
                Some(replaced.cloned().unwrap_or(reference))
            }
            Image::Own(OwnImage::Own) => {
                let command = &part.manifest.program.command;
                let digest = self.inputs.programs.digest(command)?;
                Some(format!("self:{command}@{digest}"))
            }
        }
    }

    fn number(&self, service: &ServiceId, port: &Name) -> Result<u16, Problem> {
        self.inputs
            .ports
            .get(service, port)
            .ok_or_else(|| Problem::NoPort { port: port.clone() })
    }

    /// Builds the networks of a service; none where it shares the machine's.
    pub(crate) fn network(&self, service: &ServiceId) -> Result<NetworkSpec, Problem> {
        if !self.separated() {
            return Ok(NetworkSpec::default());
        }
        let mut attachments = Vec::new();
        let mut hosts = BTreeMap::new();
        for bond in self.present(service) {
            attachments.push(self.as_consumer(bond)?);
            if let Provider::Service { id, .. } = &bond.provider
                && self.parts[id].external.is_none()
            {
                let address = self.subnet(&bond.id)?.provider();
                let name = format!("{}.{id}", bond.id.interface);
                hosts.insert(name, address);
                hosts.entry(id.to_string()).or_insert(address);
            }
        }
        for name in self.parts[service].manifest.interfaces.keys() {
            for consumer in self.consumers(service, name) {
                attachments.push(self.as_provider(&consumer.id, NetworkKind::Edge)?);
            }
        }
        if let Some(edge) = self.way_in(service) {
            attachments.push(self.as_provider(&edge, NetworkKind::WayIn)?);
        }
        attachments.sort_by(|a, b| a.edge.cmp(&b.edge));
        let publish = self.published(service).into_iter().filter_map(|port| {
            let on = self.published_on(service, &port)?;
            let number = on.port();
            Some(Publish { port, on, number })
        });
        Ok(NetworkSpec {
            attachments,
            hosts,
            publish: publish.collect(),
        })
    }

    fn as_provider(&self, edge: &EdgeId, kind: NetworkKind) -> Result<Attachment, Problem> {
        let subnet = self.subnet(edge)?;
        Ok(Attachment {
            edge: edge.clone(),
            kind,
            subnet,
            address: subnet.provider(),
            may_reach: Vec::new(),
        })
    }

    fn as_consumer(&self, bond: &Bond<'_>) -> Result<Attachment, Problem> {
        let subnet = self.subnet(&bond.id)?;
        let (kind, may_reach) = match &bond.provider {
            Provider::Internet => (NetworkKind::WayOut, Vec::new()),
            Provider::Node { port } => (NetworkKind::Edge, vec![self.node_at(&bond.id, *port)?]),
            Provider::Service { id, interface } => match self.parts[id].external {
                None => (NetworkKind::Edge, Vec::new()),
                Some(_) => {
                    let ports = std::iter::once(&interface.port).chain(&interface.also);
                    let reached = ports.map(|port| self.reached(&bond.id, id, port));
                    (NetworkKind::WayOut, reached.collect::<Result<_, _>>()?)
                }
            },
        };
        Ok(Attachment {
            edge: bond.id.clone(),
            kind,
            subnet,
            address: subnet.consumer(),
            may_reach,
        })
    }
}

fn leads_to(interface: &Interface, port: &Name) -> bool {
    interface.port == *port || interface.also.contains(port)
}

/// The edge by which strangers reach what `service` publishes.
fn way_in_edge(service: &ServiceId) -> EdgeId {
    EdgeId {
        consumer: internet_party(),
        interface: Name::new(PUBLISHED).expect("`published` is a name"),
        provider: service.clone(),
    }
}
