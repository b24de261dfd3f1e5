//! Owns how this machine is called and found in its own network.
//!
//! Addresses beyond private networks are left out: what is meant for the shop is not offered to the world.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// How other machines of the network find this one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Names: the machine's own, and with `.local`, where it has one that fits.
    pub names: BTreeSet<String>,
    /// Addresses in private networks.
    pub addresses: BTreeSet<Ipv4Addr>,
}

/// Looks at the machine as it is now.
#[must_use]
pub fn look() -> Found {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    Found {
        names: names(read("/proc/sys/kernel/hostname").trim()),
        addresses: addresses(&read("/proc/net/route"), &read("/proc/net/fib_trie")),
    }
}

/// Returns the names by which a machine called `own` is found. Source: RFC 1123, RFC 6762 (`.local`).
#[must_use]
pub fn names(own: &str) -> BTreeSet<String> {
    let first = own.split('.').next().unwrap_or_default().to_lowercase();
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let fits = (1..=63).contains(&first.len())
        && first.chars().all(letters)
        && !first.starts_with('-')
        && !first.ends_with('-')
        && first != "localhost";
    if fits {
        BTreeSet::from([format!("{first}.local"), first])
    } else {
        BTreeSet::new()
    }
}

/// Returns the machine's addresses in private networks that are not made for containers or virtual machines.
/// Source: Linux, Documentation/networking/proc_net_tcp and fib_trie: `route` lists networks in host byte order.
#[must_use]
pub fn addresses(route: &str, fib_trie: &str) -> BTreeSet<Ipv4Addr> {
    let networks: Vec<(u32, u32)> = route.lines().skip(1).filter_map(network).collect();
    let within = |address: &Ipv4Addr| {
        let number = u32::from(*address);
        networks.iter().any(|(net, mask)| number & mask == *net)
    };
    let private = |address: &Ipv4Addr| address.is_private() || address.is_link_local();
    let own = local(fib_trie).into_iter();
    own.filter(|address| private(address) && within(address))
        .collect()
}

/// Reads a network to which the machine is joined directly, as address and mask.
fn network(line: &str) -> Option<(u32, u32)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let number = |at: usize| {
        u32::from_str_radix(words.get(at)?, 16)
            .ok()
            .map(u32::swap_bytes)
    };
    let interface = words.first()?;
    let inner = [
        "lo", "docker", "br-", "veth", "fn", "virbr", "lxc", "cni", "podman",
    ];
    let (net, gateway, mask) = (number(1)?, number(2)?, number(7)?);
    let direct = gateway == 0 && mask != 0;
    (direct && !inner.iter().any(|start| interface.starts_with(start))).then_some((net, mask))
}

/// Lists the addresses that are the machine's own, of whatever network.
#[must_use]
pub fn own() -> BTreeSet<Ipv4Addr> {
    local(&std::fs::read_to_string("/proc/net/fib_trie").unwrap_or_default())
}

/// Lists the addresses that are the machine's own.
fn local(fib_trie: &str) -> BTreeSet<Ipv4Addr> {
    let mut found = BTreeSet::new();
    let mut last: Option<Ipv4Addr> = None;
    for line in fib_trie.lines() {
        if let Some((_, leaf)) = line.split_once("|-- ") {
            last = leaf.trim().parse().ok();
        } else if line.trim() == "/32 host LOCAL" {
            found.extend(last);
        }
    }
    found
}

#[cfg(test)]
mod tests;
