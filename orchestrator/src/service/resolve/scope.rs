//! Owns the variables of one service's templates, built from the whole node.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::id::EdgeId;
use crate::id::Name;
use crate::id::ServiceId;
use crate::id::node_party;
use crate::manifest::schema::CredentialKind;
use crate::manifest::schema::Interface;
use crate::manifest::schema::ONION_PORT;
use crate::manifest::schema::SecretMake;
use crate::secret::SecretRef;
use crate::service::credential;
use crate::service::desired::DesiredEndpoint;
use crate::service::marker::Form;
use crate::service::marker::marker;
use crate::service::ports::LOOPBACK;
use crate::service::render::Scope;
use crate::service::resolve::Inputs;
use crate::service::resolve::Problem;
use crate::service::resolve::bond;
use crate::service::resolve::bond::Bond;
use crate::service::resolve::bond::Bonds;
use crate::service::resolve::bond::Login;
use crate::service::resolve::bond::Provider;
use crate::service::resolve::compose::DATA_ROOT;
use crate::service::resolve::compose::Part;
use crate::service::resolve::held::Held;
use crate::service::resolve::held::network_word;
use crate::service::spec::ProvidedFile;

/// Everything that is decided before the first template is rendered.
pub(crate) struct Plot<'a> {
    pub(crate) inputs: &'a Inputs<'a>,
    pub(crate) parts: &'a BTreeMap<ServiceId, Part<'a>>,
    pub(crate) bonds: &'a Bonds<'a>,
    pub(crate) held: &'a BTreeMap<ServiceId, Held>,
}

/// One consumer of a service's interface.
pub(crate) struct Consumer<'a> {
    pub(crate) id: EdgeId,
    pub(crate) allow: &'a [String],
    pub(crate) login: Option<Login>,
}

impl<'a> Plot<'a> {
    /// Whether a service of the node runs, under us or elsewhere.
    pub(crate) fn runs(&self, service: &ServiceId) -> bool {
        !self.held.contains_key(service)
    }

    /// Whether visitors of the Tor network come in by `service`: by the first that can and runs here, where that is wanted.
    fn leads_in(&self, service: &ServiceId) -> bool {
        let first = self.parts.iter().find(|(id, part)| {
            part.manifest.onion.is_some() && part.external.is_none() && self.runs(id)
        });
        self.inputs.choices.access.onion && first.is_some_and(|(id, _)| id == service)
    }

    /// Lists the edges of `service` that are there: an optional one to a service that is held back is not.
    pub(crate) fn present(
        &self,
        service: &ServiceId,
    ) -> impl Iterator<Item = &'a Bond<'a>> + use<'a, '_> {
        self.bonds
            .get(service)
            .into_iter()
            .flatten()
            .filter(|bond| match &bond.provider {
                Provider::Service { id, .. } => self.runs(id),
                Provider::Internet | Provider::Node { .. } => true,
            })
    }

    /// Lists who calls `interface` of `service`, sorted, the node included.
    pub(crate) fn consumers(&self, service: &ServiceId, interface: &Name) -> Vec<Consumer<'a>> {
        let part = &self.parts[service];
        let mut consumers = Vec::new();
        let mut push = |id: EdgeId, allow: &'a [String]| {
            let login = bond::login(self.inputs, part, &id);
            consumers.push(Consumer { id, allow, login });
        };
        for consumer in self.bonds.keys().filter(|consumer| self.runs(consumer)) {
            for bond in self.present(consumer) {
                if bond.id.provider == *service && bond.id.interface == *interface {
                    push(bond.id.clone(), &bond.edge.allow);
                }
            }
        }
        if let Some(edge) = part.manifest.node.get(interface) {
            push(node_edge(service, interface), &edge.allow);
        }
        consumers.sort_by(|a, b| a.id.cmp(&b.id));
        consumers
    }

    /// Returns where a port of a service of the node answers.
    pub(crate) fn address(&self, service: &ServiceId, port: &Name) -> Result<SocketAddr, Problem> {
        let missing = || Problem::NoPort { port: port.clone() };
        match self.parts[service].external {
            Some(external) => external.addresses.get(port).copied().ok_or_else(missing),
            None => self
                .inputs
                .ports
                .get(service, port)
                .map(|number| SocketAddr::new(LOOPBACK, number))
                .ok_or_else(missing),
        }
    }

    /// Returns where a volume lies on the host, and in which storage root.
    pub(crate) fn volume(&self, service: &ServiceId, volume: &Name) -> (PathBuf, String) {
        let Inputs {
            choices, places, ..
        } = self.inputs;
        let root = self.parts[service]
            .choice
            .and_then(|choice| choice.volumes.get(volume))
            .filter(|root| root.as_str() != DATA_ROOT);
        let path = root
            .and_then(|root| choices.storage.get(root))
            .map(|storage| storage.path.as_path());
        (
            places.volume_on_host(service, volume, path),
            root.map_or(DATA_ROOT, Name::as_str).to_owned(),
        )
    }

    /// Lists the endpoints of a service for people.
    pub(crate) fn endpoints(&self, service: &ServiceId) -> Result<Vec<DesiredEndpoint>, Problem> {
        let part = &self.parts[service];
        let published = self.separated() && part.external.is_none();
        let endpoints = part.manifest.endpoints.iter();
        endpoints
            .map(|(name, endpoint)| {
                let missing = || Problem::NoPort {
                    port: endpoint.port.clone(),
                };
                let address = if published {
                    self.published_on(service, &endpoint.port)
                        .ok_or_else(missing)?
                } else {
                    self.address(service, &endpoint.port)?
                };
                Ok(DesiredEndpoint {
                    name: name.clone(),
                    scheme: endpoint.scheme,
                    address,
                    path: endpoint.path.clone(),
                })
            })
            .collect()
    }

    /// Builds the variables that need no other service.
    fn base(&self, service: &ServiceId) -> Result<Scope, Problem> {
        let Inputs {
            profile, places, ..
        } = self.inputs;
        let part = &self.parts[service];
        let mut scope = Scope::default();
        scope.set("service", service.as_str());
        scope.set("network", network_word(profile.network));
        scope.set("play_money", profile.play_money);
        let memory_mib = self
            .inputs
            .memory_class
            .pick(part.manifest.limits.memory_mib);
        scope.set("memory_mib", memory_mib);
        for group in [
            "port",
            "bind",
            "volume",
            "file",
            "secret",
            "setting",
            "url",
            "edge",
            "interface",
        ] {
            scope.open(group);
        }
        for name in part.manifest.ports.keys() {
            let address = self.address(service, name)?;
            scope.set_in("port", name.as_str(), address.port());
            if let Some(host) = self.bind(service, name)? {
                scope.set_in("bind", name.as_str(), host.to_string());
            }
        }
        for name in part.manifest.volumes.keys() {
            let (on_host, _root) = self.volume(service, name);
            let path = path_text(&places.volume_for_program(name, &on_host))?;
            scope.set_in("volume", name.as_str(), json!({ "path": path }));
        }
        for (name, file) in &part.manifest.files {
            let path = path_text(&places.file_for_program(service, &file.name))?;
            scope.set_in("file", name.as_str(), json!({ "path": path }));
        }
        for (name, value) in &part.settings {
            scope.set_in("setting", name.as_str(), value.clone());
        }
        if let Some(onion) = &part.manifest.onion {
            let (on_host, _root) = self.volume(service, &onion.volume);
            let volume = places.volume_for_program(&onion.volume, &on_host);
            let socket = path_text(&volume.join(&onion.socket))?;
            let wanted = self.leads_in(service);
            scope.set(
                "onion",
                json!({ "wanted": wanted, "socket": socket, "port": ONION_PORT }),
            );
        }
        for endpoint in self.endpoints(service)? {
            scope.set_in("url", endpoint.name.as_str(), endpoint.url());
        }
        Ok(scope)
    }

    /// Builds all variables of a service that runs here.
    pub(crate) fn scope(&self, service: &ServiceId) -> Result<Scope, Problem> {
        let mut scope = self.base(service)?;
        let part = &self.parts[service];
        for (name, secret) in &part.manifest.secrets {
            let own = self.inputs.secret(credential::own_key(service, name));
            let mut object = Map::new();
            object.insert("value".into(), marker(&own, Form::Plain).into());
            if secret.file {
                object.insert(
                    "path".into(),
                    self.file_path(service, name.as_str())?.into(),
                );
            }
            scope.set_in("secret", name.as_str(), object);
            scope.allow(own);
        }
        for name in part.manifest.edges.keys() {
            scope.set_in("edge", name.as_str(), json!({ "present": false }));
        }
        for bond in self.present(service) {
            let object = self.edge(&mut scope, service, bond)?;
            scope.set_in("edge", bond.name.as_str(), object);
        }
        for (name, interface) in &part.manifest.interfaces {
            let object = self.interface(&mut scope, service, name, interface)?;
            scope.set_in("interface", name.as_str(), object);
        }
        Ok(scope)
    }

    fn edge(
        &self,
        scope: &mut Scope,
        service: &ServiceId,
        bond: &Bond<'_>,
    ) -> Result<Value, Problem> {
        let mut object = Map::new();
        object.insert("present".into(), true.into());
        match &bond.provider {
            Provider::Internet => {}
            Provider::Node { port } => {
                let at = self.node_at(&bond.id, *port)?;
                self.place(&mut object, &bond.id, at)?;
            }
            Provider::Service { id, interface } => {
                let at = self.reached(&bond.id, id, &interface.port)?;
                self.place(&mut object, &bond.id, at)?;
                let mut ports = Map::new();
                for port in std::iter::once(&interface.port).chain(&interface.also) {
                    let number = self.reached(&bond.id, id, port)?.port();
                    ports.insert(port.to_string(), number.into());
                }
                object.insert("ports".into(), ports.into());
                if let Some(login) = bond::login(self.inputs, &self.parts[id], &bond.id) {
                    object.insert("user".into(), login.user.into());
                    object.insert("password".into(), marker(&login.secret, Form::Plain).into());
                    let path = self.file_path(service, &password_file(bond.name))?;
                    object.insert("password_path".into(), path.into());
                    scope.allow(login.secret);
                }
                if let Some(file) = self.provider_file(id, interface)? {
                    // In a container of its own the consumer gets a copy: another service's volume is never mounted.
                    let path = if self.separated() {
                        self.file_path(service, &provided_file(bond.name))?
                    } else {
                        path_text(&file.volume.join(&file.below))?
                    };
                    object.insert("file_path".into(), path.into());
                }
            }
        }
        Ok(object.into())
    }

    fn interface(
        &self,
        scope: &mut Scope,
        service: &ServiceId,
        name: &Name,
        interface: &Interface,
    ) -> Result<Value, Problem> {
        let address = self.address(service, &interface.port)?;
        let consumers: Result<Vec<Value>, Problem> = self
            .consumers(service, name)
            .into_iter()
            .map(|consumer| {
                let mut object = Map::new();
                let subnet = self.called_from(&consumer.id, address)?;
                let user = credential::user(&consumer.id.consumer);
                object.insert("service".into(), consumer.id.consumer.as_str().into());
                object.insert("user".into(), user.as_str().into());
                object.insert("allow".into(), json!(consumer.allow));
                object.insert("subnet".into(), subnet.into());
                if let Some(login) = consumer.login {
                    object.insert("password".into(), marker(&login.secret, Form::Plain).into());
                    if interface.credential == Some(CredentialKind::Rpcauth) {
                        let proof = marker(&login.secret, Form::Rpcauth);
                        object.insert("rpcauth".into(), format!("{user}:{proof}").into());
                    }
                    scope.allow(login.secret);
                }
                Ok(object.into())
            })
            .collect();
        let binds: Vec<Value> = self
            .binds(service, name, interface)?
            .into_iter()
            .map(|bind| json!({ "host": bind.ip().to_string(), "port": bind.port() }))
            .collect();
        Ok(json!({ "binds": binds, "consumers": consumers? }))
    }

    fn place(
        &self,
        object: &mut Map<String, Value>,
        edge: &EdgeId,
        at: SocketAddr,
    ) -> Result<(), Problem> {
        object.insert("host".into(), at.ip().to_string().into());
        object.insert("port".into(), at.port().into());
        object.insert("subnet".into(), self.called_from(edge, at)?.into());
        Ok(())
    }

    /// Returns where, on the machine, a file lies that only the provider can make.
    pub(crate) fn provider_file(
        &self,
        provider: &ServiceId,
        interface: &Interface,
    ) -> Result<Option<ProvidedFile>, Problem> {
        let Some(file) = &interface.file else {
            return Ok(None);
        };
        let below = self
            .base(provider)?
            .word(&file.path)
            .map_err(|problem| Problem::Template {
                place: format!("the file that {provider} offers"),
                problem,
            })?;
        let (volume, _root) = self.volume(provider, &file.volume);
        Ok(Some(ProvidedFile {
            provider: provider.clone(),
            volume,
            below,
        }))
    }

    fn file_path(&self, service: &ServiceId, file: &str) -> Result<String, Problem> {
        path_text(&self.inputs.places.file_for_program(service, file))
    }

    /// Returns the node's own credentials at a service, by interface.
    pub(crate) fn node_logins(&self, service: &ServiceId) -> BTreeMap<Name, Login> {
        let part = &self.parts[service];
        part.manifest
            .node
            .keys()
            .filter_map(|interface| {
                let edge = node_edge(service, interface);
                Some((interface.clone(), bond::login(self.inputs, part, &edge)?))
            })
            .collect()
    }

    /// Lists the secrets of the service's own that it gets as files. One that is captured is there once it exists.
    pub(crate) fn own_files(&self, service: &ServiceId) -> Vec<(String, SecretRef)> {
        let secrets = &self.parts[service].manifest.secrets;
        secrets
            .iter()
            .filter(|(_, secret)| secret.file)
            .map(|(name, secret)| {
                let key = credential::own_key(service, name);
                let known = self.inputs.generations.contains_key(&key);
                (name, secret.make != SecretMake::Captured || known, key)
            })
            .filter(|(_, exists, _)| *exists)
            .map(|(name, _, key)| (name.to_string(), self.inputs.secret(key)))
            .collect()
    }
}

pub(crate) fn node_edge(service: &ServiceId, interface: &Name) -> EdgeId {
    EdgeId {
        consumer: node_party(),
        interface: interface.clone(),
        provider: service.clone(),
    }
}

/// Names the file that holds the password of an edge, where a template asks for one.
pub(crate) fn password_file(edge: &Name) -> String {
    format!("edge-{edge}")
}

/// Names the copy of a file that only the provider of an edge can make.
pub(crate) fn provided_file(edge: &Name) -> String {
    format!("edge-{edge}-file")
}

/// Returns a path as text that may stand in a configuration file.
pub(crate) fn path_text(path: &Path) -> Result<String, Problem> {
    match path.to_str() {
        Some(text)
            if !text.contains(char::is_control) && !crate::service::marker::holds_marker(text) =>
        {
            Ok(text.to_owned())
        }
        _ => Err(Problem::BadPath {
            path: format!("{}", path.display()).escape_default().to_string(),
        }),
    }
}
