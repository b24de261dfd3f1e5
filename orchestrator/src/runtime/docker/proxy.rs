//! Owns who holds a published port: the engine does so by a `docker-proxy`, which says for which address.
//!
//! An engine that is killed while a container is started or removed may hold the port of one that is gone, and goes on
//! with it until the engine itself is restarted: it counts the port as taken, with or without its proxy.
//! Source: moby's libnetwork/portmapper/proxy_linux.go, proc(5); seen with engine 20.10.24.

use std::ffi::OsStr;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// What the engine calls its proxy.
const PROGRAM: &str = "docker-proxy";

/// Returns the address to which the engine leads whoever comes to `on`, if it does.
#[must_use]
pub fn leads_to(on: SocketAddr) -> Option<Ipv4Addr> {
    let processes = std::fs::read_dir("/proc").ok()?.flatten();
    let lines = processes.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines
        .filter_map(|line| {
            let words: Vec<&OsStr> = line
                .split(|byte| *byte == 0)
                .map(OsStr::from_bytes)
                .collect();
            read(&words)
        })
        .find_map(|(its, to)| (its == on).then_some(to))
}

/// Reads where a proxy listens and to which address it leads.
fn read(words: &[&OsStr]) -> Option<(SocketAddr, Ipv4Addr)> {
    let (program, rest) = words.split_first()?;
    if Path::new(program).file_name()? != PROGRAM {
        return None;
    }
    let after = |flag: &str| {
        let at = rest.iter().position(|word| *word == flag)?;
        rest.get(at + 1)?.to_str()
    };
    let host = after("-host-ip")?.parse().ok()?;
    let port = after("-host-port")?.parse().ok()?;
    let to = after("-container-ip")?.parse().ok()?;
    Some((SocketAddr::new(host, port), to))
}

#[cfg(test)]
mod tests;
