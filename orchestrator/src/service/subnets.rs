//! Owns the address plan: which network of 16 addresses each edge gets, once and for good.
//!
//! It does not know who the members are, and asks the machine nothing: its routes are an argument.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt;
use std::net::Ipv4Addr;

use serde::Deserialize;
use serde::Serialize;

use crate::id::EdgeId;
use crate::id::NodeId;
use crate::service::spec::Subnet;

/// Where pools are looked for where the operator names none: 16 pools of 256 edges each, in a part of 10.0.0.0/8 that
/// home routers, VPNs and Docker's own defaults leave alone.
const CANDIDATES: (Ipv4Addr, u8) = (Ipv4Addr::new(10, 213, 0, 0), 16);

/// The prefix of a pool that is chosen by itself.
const OWN_PREFIX: u8 = 20;

/// The prefix of an edge's network.
const EDGE_PREFIX: u8 = 28;

/// An IPv4 network in CIDR notation. Shape: `10.213.0.0/20`.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(into = "String", try_from = "String")]
#[schemars(with = "String")]
pub struct Cidr {
    first: Ipv4Addr,
    prefix: u8,
}

/// Why a text is no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CidrError {
    /// It has another shape.
    #[error("`{0}` is no IPv4 network; write it like 10.213.0.0/20")]
    Shape(String),
    /// It names an address inside a network.
    #[error("`{text}` begins inside a network; its first address is {first}")]
    Inside {
        /// What was written.
        text: String,
        /// Where the network begins.
        first: Ipv4Addr,
    },
}

impl Cidr {
    /// Reads `text`. Errors: [`CidrError`].
    pub fn parse(text: &str) -> Result<Self, CidrError> {
        let shape = || CidrError::Shape(text.to_owned());
        let (first, prefix) = text.split_once('/').ok_or_else(shape)?;
        let first: Ipv4Addr = first.parse().map_err(|_| shape())?;
        let prefix: u8 = prefix.parse().map_err(|_| shape())?;
        if prefix > 32 {
            return Err(shape());
        }
        let begins = Ipv4Addr::from(u32::from(first) & mask(prefix));
        if begins != first {
            return Err(CidrError::Inside {
                text: text.to_owned(),
                first: begins,
            });
        }
        Ok(Self { first, prefix })
    }

    /// Whether any address lies in both.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        let shared = mask(self.prefix.min(other.prefix));
        u32::from(self.first) & shared == u32::from(other.first) & shared
    }

    /// Whether `address` lies in it.
    #[must_use]
    pub fn contains(self, address: Ipv4Addr) -> bool {
        u32::from(address) & mask(self.prefix) == u32::from(self.first)
    }

    /// Returns how many networks of edges fit into it.
    #[must_use]
    pub fn edges(self) -> u32 {
        if self.prefix > EDGE_PREFIX {
            return 0;
        }
        1u32.checked_shl(u32::from(EDGE_PREFIX - self.prefix))
            .unwrap_or(u32::MAX)
    }

    fn nth(self, number: u32) -> Option<Subnet> {
        let first = u32::from(self.first).checked_add(number.checked_mul(16)?)?;
        Subnet::new(Ipv4Addr::from(first)).filter(|_| number < self.edges())
    }
}

impl From<Subnet> for Cidr {
    fn from(subnet: Subnet) -> Self {
        Self {
            first: subnet.first(),
            prefix: EDGE_PREFIX,
        }
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

impl From<Cidr> for String {
    fn from(cidr: Cidr) -> Self {
        cidr.to_string()
    }
}

impl TryFrom<String> for Cidr {
    type Error = CidrError;

    fn try_from(text: String) -> Result<Self, CidrError> {
        Self::parse(&text)
    }
}

fn mask(prefix: u8) -> u32 {
    u32::MAX
        .checked_shl(32 - u32::from(prefix))
        .unwrap_or_default()
}

/// A network that the machine reaches already, through somebody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The network.
    pub to: Cidr,
    /// The interface that leads there.
    pub interface: String,
}

/// Reads the machine's routes as `/proc/net/route` shows them, the default route and those of this node's own bridges
/// (`is_own`) left out. Lines of another shape are passed over. Source: Linux, `net/ipv4/fib_trie.c`.
#[must_use]
pub fn routes(text: &str, is_own: impl Fn(&str) -> bool) -> Vec<Route> {
    text.lines()
        .skip(1)
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_ascii_whitespace().collect();
            let interface = (*fields.first()?).to_owned();
            // Both are written as the machine keeps them: on little-endian ones backwards.
            let number = |at: usize| u32::from_str_radix(fields.get(at)?, 16).ok();
            let first = Ipv4Addr::from(number(1)?.to_ne_bytes());
            let mask = u32::from(Ipv4Addr::from(number(7)?.to_ne_bytes()));
            let prefix = u8::try_from(mask.leading_ones()).ok()?;
            (prefix > 0 && !is_own(&interface)).then_some(Route {
                to: Cidr { first, prefix },
                interface,
            })
        })
        .collect()
}

/// Returns how the names of a node's bridges begin. Shape: `fn` and six hex digits; a name has at most 15 letters.
#[must_use]
pub fn bridge_prefix(node: &NodeId) -> String {
    let short: String = node.as_str().chars().take(6).collect();
    format!("fn{short}")
}

/// The pool, and the network of each edge in it, by number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubnetTable {
    /// Where all of them lie.
    pub pool: Cidr,
    slots: BTreeMap<EdgeId, u32>,
}

impl SubnetTable {
    /// Returns a table without any edge.
    #[must_use]
    pub fn new(pool: Cidr) -> Self {
        Self {
            pool,
            slots: BTreeMap::new(),
        }
    }

    /// Puts `edge` into the place `slot` of the pool.
    pub fn insert(&mut self, edge: EdgeId, slot: u32) {
        self.slots.insert(edge, slot);
    }

    /// Returns the network of `edge`.
    #[must_use]
    pub fn get(&self, edge: &EdgeId) -> Option<Subnet> {
        self.pool.nth(*self.slots.get(edge)?)
    }

    /// Lists every edge and its place in the pool, sorted.
    pub fn iter(&self) -> impl Iterator<Item = (&EdgeId, u32)> {
        self.slots.iter().map(|(edge, slot)| (edge, *slot))
    }
}

/// Why there is no address plan. Nothing was chosen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubnetError {
    /// More edges than networks.
    #[error(
        "the address pool {pool} holds {room} networks, and this node needs {needed}: name a larger one in node.toml, [network] pool = \"10.214.0.0/20\""
    )]
    Exhausted {
        /// The pool.
        pool: Cidr,
        /// How many fit.
        room: u32,
        /// How many are needed.
        needed: usize,
    },
    /// The pool overlaps a network that the machine reaches already.
    #[error(
        "the address pool {pool} overlaps {route}, which this machine reaches over {interface}: name another one in node.toml, [network] pool = \"10.214.0.0/20\""
    )]
    Overlaps {
        /// The pool.
        pool: Cidr,
        /// The network.
        route: Cidr,
        /// The interface.
        interface: String,
    },
    /// Every pool that would be chosen overlaps something.
    #[error(
        "no address pool in 10.213.0.0/16 is free on this machine: name one in node.toml, [network] pool = \"10.214.0.0/20\""
    )]
    NoPool,
}

/// A route this wide is no neighbour: VPNs halve the default route to go before it. Source: OpenVPN, `redirect-gateway
/// def1`.
const WIDEST: u8 = 1;

/// Finds the route that `pool` takes something away from.
#[must_use]
pub fn overlapping(pool: Cidr, routes: &[Route]) -> Option<&Route> {
    let mut neighbours = routes.iter().filter(|route| route.to.prefix > WIDEST);
    neighbours.find(|route| route.to.overlaps(pool))
}

/// Chooses the pool: the operator's, else the one kept, else the first that overlaps no route.
///
/// One that was kept is taken whatever the routes are now: services run in it, and a route that came later must not keep
/// the node from looking after them. [`overlapping`] tells whether there is one.
///
/// Errors: [`SubnetError::Overlaps`] where a new one that was named overlaps a route, else [`SubnetError::NoPool`].
pub fn choose_pool(
    named: Option<Cidr>,
    kept: Option<Cidr>,
    routes: &[Route],
) -> Result<Cidr, SubnetError> {
    let taken = |pool: Cidr| overlapping(pool, routes);
    if let Some(pool) = named.or(kept) {
        let taken = taken(pool).filter(|_| kept != Some(pool));
        return match taken {
            None => Ok(pool),
            Some(route) => Err(SubnetError::Overlaps {
                pool,
                route: route.to,
                interface: route.interface.clone(),
            }),
        };
    }
    let (first, prefix) = CANDIDATES;
    let step = 1u32 << (32 - u32::from(OWN_PREFIX));
    (0..1u32 << (OWN_PREFIX - prefix))
        .map(|number| Cidr {
            first: Ipv4Addr::from(u32::from(first) + number * step),
            prefix: OWN_PREFIX,
        })
        .find(|pool| taken(*pool).is_none())
        .ok_or(SubnetError::NoPool)
}

/// Gives each of `edges` its network: the kept one in the same pool, else the first that nobody ever had, else one
/// whose edge is no longer wanted.
///
/// Errors: [`SubnetError::Exhausted`].
pub fn assign(
    edges: &BTreeSet<EdgeId>,
    kept: Option<&SubnetTable>,
    pool: Cidr,
) -> Result<SubnetTable, SubnetError> {
    let room = pool.edges();
    if u32::try_from(edges.len()).map_or(true, |needed| needed > room) {
        return Err(SubnetError::Exhausted {
            pool,
            room,
            needed: edges.len(),
        });
    }
    // Another pool is another plan: no place in the old one means anything.
    let kept: BTreeMap<EdgeId, u32> = kept
        .filter(|table| table.pool == pool)
        .map(|table| table.slots.clone())
        .unwrap_or_default();
    let mut table = SubnetTable::new(pool);
    let held: BTreeSet<u32> = kept.values().copied().collect();
    let wanted: BTreeSet<u32> = kept
        .iter()
        .filter(|(edge, _)| edges.contains(*edge))
        .map(|(_, slot)| *slot)
        .collect();
    let mut fresh = (0..room).filter(|slot| !held.contains(slot));
    let mut left = held.iter().copied().filter(|slot| !wanted.contains(slot));
    for edge in edges {
        let slot = kept.get(edge).copied().filter(|slot| *slot < room);
        let slot = slot.or_else(|| fresh.next()).or_else(|| left.next());
        let slot = slot.ok_or(SubnetError::Exhausted {
            pool,
            room,
            needed: edges.len(),
        })?;
        table.insert(edge.clone(), slot);
    }
    // What is not wanted now keeps its place, as long as nobody else needed it.
    let given: BTreeSet<u32> = table.slots.values().copied().collect();
    for (edge, slot) in kept {
        if !given.contains(&slot) {
            table.slots.entry(edge).or_insert(slot);
        }
    }
    Ok(table)
}

#[cfg(test)]
mod tests;
