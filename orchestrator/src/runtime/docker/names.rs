//! Owns how a node's containers, networks and bridges are called, and the labels by which they are known again.

use std::collections::HashMap;

use crate::id::EdgeId;
use crate::id::NodeId;
use crate::id::ServiceId;
use crate::service::spec::Subnet;
use crate::service::subnets::bridge_prefix;

/// Labels of everything that a node makes. What does not carry [`label::NODE`] is never touched.
pub(crate) mod label {
    /// The node's whole id.
    pub(crate) const NODE: &str = "flash.node";
    /// The service.
    pub(crate) const NAME: &str = "flash.service";
    /// [`SERVICE`] or [`JOB`].
    pub(crate) const KIND: &str = "flash.kind";
    /// A container that stays.
    pub(crate) const SERVICE: &str = "service";
    /// A container that runs to its end.
    pub(crate) const JOB: &str = "job";
    /// The hash of the specification; of a job, what the job is.
    pub(crate) const SPEC_HASH: &str = "flash.spec-hash";
    /// Where the service listens, as JSON.
    pub(crate) const ADDRESSES: &str = "flash.addresses";
    /// The edge of a network.
    pub(crate) const EDGE: &str = "flash.edge";
}

/// The names of one node.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    node: NodeId,
    short: String,
}

impl Names {
    /// Takes the node's id.
    pub(crate) fn new(node: NodeId) -> Self {
        let short = node.as_str().chars().take(6).collect();
        Self { node, short }
    }

    /// Returns the node's whole id.
    pub(crate) fn node(&self) -> &str {
        self.node.as_str()
    }

    /// Returns the six digits by which the node's things are called.
    pub(crate) fn short(&self) -> &str {
        &self.short
    }

    /// Returns how the names of all bridges begin.
    pub(crate) fn bridges(&self) -> String {
        bridge_prefix(&self.node)
    }

    /// Names the container of a service.
    pub(crate) fn container(&self, service: &ServiceId) -> String {
        format!("flash-{}-{service}", self.short)
    }

    /// Names the container of a service's job. A service's own name holds no dot.
    pub(crate) fn job(&self, service: &ServiceId) -> String {
        format!("flash-{}-{service}.job", self.short)
    }

    /// Names the network of an edge.
    pub(crate) fn network(&self, edge: &EdgeId) -> String {
        format!(
            "flash-{}-{}.{}.{}",
            self.short, edge.consumer, edge.interface, edge.provider
        )
    }

    /// Names the bridge of a network: by its place, since an interface's name has 15 letters at most.
    pub(crate) fn bridge(&self, subnet: Subnet) -> String {
        let [_, _, third, fourth] = subnet.first().octets();
        let place = (u16::from(third) << 4 | u16::from(fourth) >> 4) & 0xfff;
        format!("{}{place:03x}", bridge_prefix(&self.node))
    }

    /// Returns the labels of everything of a service.
    pub(crate) fn labels(&self, service: &ServiceId) -> HashMap<String, String> {
        HashMap::from([
            (label::NODE.to_owned(), self.node().to_owned()),
            (label::NAME.to_owned(), service.to_string()),
        ])
    }
}
