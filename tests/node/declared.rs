//! Owns what manifests and node.toml declare, read here once more without the product: who may reach whom, on which ports.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each target that holds it uses a part of it"
)]

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;

use toml::Table;
use toml::Value;

use crate::node::TestNode;

/// A way from one service to another. Shape of its network's name: `consumer.interface.provider`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    pub consumer: String,
    pub interface: String,
    pub provider: String,
}

impl Edge {
    fn new(consumer: &str, interface: &str, provider: &str) -> Self {
        Self {
            consumer: consumer.to_owned(),
            interface: interface.to_owned(),
            provider: provider.to_owned(),
        }
    }

    pub fn network(&self) -> String {
        format!("{}.{}.{}", self.consumer, self.interface, self.provider)
    }
}

struct Service {
    manifest: Table,
    choices: Table,
}

/// Every service of a node that is to run.
pub struct Declared {
    services: BTreeMap<String, Service>,
}

impl Declared {
    /// Reads the manifests of the source tree and of the node's own folder, and what its node.toml says of them.
    pub fn of(node: &TestNode) -> Self {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests/services");
        let mut manifests = BTreeMap::new();
        for folder in [source, node.data().join("manifests")] {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                let text = std::fs::read_to_string(entry.path()).expect("a manifest");
                let manifest: Table = toml::from_str(&text).expect("TOML");
                let id = manifest["id"].as_str().expect("an id").to_owned();
                manifests.insert(id, manifest);
            }
        }
        let text = std::fs::read_to_string(node.data().join("node.toml")).expect("choices");
        let choices: Table = toml::from_str(&text).expect("TOML");
        let mut services = BTreeMap::new();
        for (id, chosen) in choices["services"].as_table().expect("services") {
            let chosen = chosen.as_table().expect("a table");
            if chosen.get("enabled").and_then(Value::as_bool) == Some(false) {
                continue;
            }
            let manifest = chosen.get("manifest").and_then(Value::as_str).unwrap_or(id);
            let service = Service {
                manifest: manifests[manifest].clone(),
                choices: chosen.clone(),
            };
            services.insert(id.clone(), service);
        }
        Self { services }
    }

    /// Every service, sorted.
    pub fn services(&self) -> Vec<&str> {
        self.services.keys().map(String::as_str).collect()
    }

    /// Every edge of which `service` is one end, with its way in or out.
    pub fn edges(&self, service: &str) -> BTreeSet<Edge> {
        let mut edges = BTreeSet::new();
        for (id, one) in &self.services {
            for edge in table(&one.manifest, "edges")
                .into_iter()
                .flat_map(Table::values)
            {
                let to = edge["to"].as_str().expect("a provider");
                let interface = edge.get("interface").and_then(Value::as_str);
                if to == "internet" || self.services.contains_key(to) {
                    edges.insert(Edge::new(id, interface.unwrap_or("internet"), to));
                }
            }
            for interface in table(&one.manifest, "node")
                .into_iter()
                .flat_map(Table::keys)
            {
                edges.insert(Edge::new("node", interface, id));
            }
            if !self.published(id).is_empty() && !self.has_way_out(id) {
                edges.insert(Edge::new("internet", "published", id));
            }
        }
        edges.retain(|edge| edge.consumer == service || edge.provider == service);
        edges
    }

    /// What `consumer` may ask for at `interface` of `provider`, by its own manifest, or by the provider's for the node.
    pub fn allow(&self, consumer: &str, interface: &str, provider: &str) -> BTreeSet<String> {
        let edge = if consumer == "node" {
            Some(&self.services[provider].manifest["node"][interface])
        } else {
            let edges = table(&self.services[consumer].manifest, "edges");
            let is = |edge: &&Value| {
                edge["to"].as_str() == Some(provider)
                    && edge.get("interface").and_then(Value::as_str) == Some(interface)
            };
            edges.into_iter().flat_map(Table::values).find(is)
        };
        let allow = edge.and_then(|edge| edge.get("allow")?.as_array());
        let names = allow.expect("a list").iter();
        names
            .map(|name| name.as_str().expect("a name").to_owned())
            .collect()
    }

    /// How much memory and how many processes it may have. Units: bytes, processes.
    pub fn limits(&self, service: &str) -> (i64, i64) {
        let limits = &self.services[service].manifest["limits"];
        let about = std::fs::read_to_string("/proc/meminfo").expect("what the machine has");
        let kib = about.split_whitespace().nth(1).map(str::parse::<u64>);
        let class = match kib.expect("a number").expect("KiB") / 1024 {
            0..=4_096 => "small",
            4_097..=8_192 => "medium",
            _ => "large",
        };
        let number = |value: &Value| value.as_integer().expect("a number");
        let mib = number(&limits["memory_mib"][class]);
        (mib * 1024 * 1024, number(&limits["pids"]))
    }

    pub fn has_way_out(&self, service: &str) -> bool {
        table(&self.services[service].manifest, "edges")
            .into_iter()
            .flat_map(Table::values)
            .any(|edge| edge["to"].as_str() == Some("internet"))
    }

    /// The ports that `interface` of `provider` means.
    pub fn ports(&self, provider: &str, interface: &str) -> BTreeSet<u16> {
        let interface = &self.services[provider].manifest["interfaces"][interface];
        let also = interface.get("also").and_then(Value::as_array);
        std::iter::once(&interface["port"])
            .chain(also.into_iter().flatten())
            .map(|port| self.number(provider, port.as_str().expect("a port's name")))
            .collect()
    }

    /// The ports to which the machine leads.
    pub fn published(&self, service: &str) -> BTreeSet<u16> {
        let manifest = &self.services[service].manifest;
        let public = table(manifest, "ports").into_iter().flatten();
        let public =
            public.filter(|(_, port)| port.get("public").and_then(Value::as_bool) == Some(true));
        let shown = table(manifest, "endpoints")
            .into_iter()
            .flat_map(Table::values);
        let shown = shown.map(|one| one["port"].as_str().expect("a port's name"));
        let names: BTreeSet<&str> = public.map(|(name, _)| name.as_str()).chain(shown).collect();
        names
            .into_iter()
            .map(|name| self.number(service, name))
            .collect()
    }

    /// Whether it can bind one address only, and so binds all of its own.
    pub fn binds_all(&self, service: &str) -> bool {
        let program = &self.services[service].manifest["program"];
        program.get("listen").and_then(Value::as_str) == Some("single")
    }

    fn number(&self, service: &str, port: &str) -> u16 {
        let service = &self.services[service];
        let chosen = table(&service.choices, "ports").and_then(|ports| ports.get(port));
        let number = &service.manifest["ports"][port]["number"];
        let number = chosen.unwrap_or_else(|| number.get("regtest").unwrap_or(&number["default"]));
        let number = number.as_integer().expect("a number");
        u16::try_from(number).expect("a port")
    }
}

fn table<'a>(of: &'a Table, key: &str) -> Option<&'a Table> {
    of.get(key).and_then(Value::as_table)
}
