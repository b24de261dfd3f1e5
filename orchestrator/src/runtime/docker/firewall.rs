//! Owns the one chain of firewall rules by which a node's containers reach nothing of the machine, and nothing outside
//! but what an edge declares. An internal network of the engine separates peers; it leaves the machine itself open.
//!
//! It never touches a rule of others. Source: iptables(8), iptables-restore(8), Docker's `DOCKER-USER` chain.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;

use sha2::Digest as _;
use sha2::Sha256;

use super::names::Names;
use crate::id::NodeId;
use crate::service::desired::Desired;
use crate::service::desired::Wanted;
use crate::service::spec::Attachment;
use crate::service::spec::NetworkKind;
use crate::service::spec::ServiceSpec;

/// How long another program may hold the tables. Units: seconds.
const WAIT_SECONDS: &str = "10";

/// Why the rules are not in force.
#[derive(Debug, thiserror::Error)]
pub enum FirewallError {
    /// The program cannot be started.
    #[error("{program} could not be started")]
    NoProgram {
        /// Which one.
        program: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The engine's own chain is missing, before which ours must stand. The rest is in force.
    #[error(
        "the engine's chain DOCKER-USER is not there: it runs with iptables switched off, or has not started yet"
    )]
    NoEngineChain,
    /// It refused.
    #[error("{program} refused: {said}")]
    Refused {
        /// Which one.
        program: &'static str,
        /// What it said.
        said: String,
    },
}

/// What is not in force, and why.
#[derive(Debug)]
pub struct NotInForce {
    /// Containers may reach ports of this machine.
    pub host_ports: bool,
    /// What may leave and enter by the ways in and out is not held to what was declared.
    pub ways: bool,
    /// Why; the first reason of several.
    pub why: FirewallError,
}

/// The rules of a node, as text for iptables-restore, and the hash by which they are known again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleSet {
    input: String,
    forward: String,
    inward: String,
    bridges: String,
    text: String,
    text6: String,
    hash: String,
}

/// Makes the rules for what is desired, and for what still runs with an older specification: a service that serves on
/// must not lose its peers. What is not listed is refused.
#[must_use]
pub fn rules(node: &NodeId, desired: &Desired, running: &[ServiceSpec]) -> RuleSet {
    let names = Names::new(node.clone());
    let mut bridges: BTreeMap<String, Attachment> = BTreeMap::new();
    let wanted = desired
        .services
        .values()
        .filter_map(|service| match &service.wanted {
            Wanted::Run { spec, .. } => Some(&**spec),
            Wanted::External | Wanted::HeldBack { .. } => None,
        });
    for one in wanted
        .chain(running)
        .flat_map(|spec| &spec.network.attachments)
    {
        let bridge = bridges.entry(names.bridge(one.subnet));
        let kept = bridge.or_insert_with(|| Attachment {
            may_reach: Vec::new(),
            ..one.clone()
        });
        // A network that was given to another edge meanwhile is that edge's alone.
        if kept.edge != one.edge {
            continue;
        }
        // Two members of one edge are one bridge; only its consumer may reach something beyond it.
        for address in &one.may_reach {
            if !kept.may_reach.contains(address) {
                kept.may_reach.push(*address);
            }
        }
        kept.kind = kept.kind.max(one.kind);
    }
    write(&names, &bridges)
}

fn write(names: &Names, bridges: &BTreeMap<String, Attachment>) -> RuleSet {
    let short = names.short().to_uppercase();
    let (input, forward) = (format!("FLASH-{short}"), format!("FLASHF-{short}"));
    let (inward, all) = (format!("FLASHT-{short}"), format!("{}+", names.bridges()));
    let mut rules = String::new();
    let established = "-m conntrack --ctstate RELATED,ESTABLISHED -j RETURN";
    add(&mut rules, &input, established);
    for (bridge, one) in bridges {
        for address in v4(&one.may_reach) {
            add(
                &mut rules,
                &input,
                &format!("-i {bridge} {address} -j RETURN"),
            );
        }
    }
    add(&mut rules, &input, "-j DROP");
    add(&mut rules, &forward, established);
    for (bridge, one) in bridges {
        // Members of one bridge meet here only where the kernel shows bridged packets to the firewall.
        add(
            &mut rules,
            &forward,
            &format!("-i {bridge} -o {bridge} -j RETURN"),
        );
        match (one.kind, one.may_reach.as_slice()) {
            (NetworkKind::WayOut, []) => {
                add(&mut rules, &forward, &format!("-i {bridge} -j RETURN"));
            }
            (NetworkKind::WayOut, reach) => {
                for address in v4(reach) {
                    add(
                        &mut rules,
                        &forward,
                        &format!("-i {bridge} {address} -j RETURN"),
                    );
                }
            }
            (NetworkKind::Edge | NetworkKind::WayIn, _) => {}
        }
    }
    add(&mut rules, &forward, "-j DROP");
    // The engine lets everybody on the network in who asks a container's own address for a published port, even one that
    // is published on 127.0.0.1. Who came by the published address was sent on by the engine's DNAT.
    add(&mut rules, &inward, established);
    add(&mut rules, &inward, &format!("-i {all} -j RETURN"));
    add(&mut rules, &inward, "-m conntrack --ctstate DNAT -j RETURN");
    add(&mut rules, &inward, "-j DROP");
    let hash = hex::encode(&Sha256::digest(rules.as_bytes())[..8]);
    // A rule that matches nothing carries the hash: whoever looks need not know how iptables writes the others.
    let mark = format!("-s 255.255.255.255/32 -m comment --comment flash:{hash} -j RETURN");
    let text = format!(
        "*filter\n:{input} - [0:0]\n:{forward} - [0:0]\n:{inward} - [0:0]\n-A {input} {mark}\n{rules}COMMIT\n"
    );
    let text6 = format!("*filter\n:{input} - [0:0]\n-A {input} -j DROP\nCOMMIT\n");
    RuleSet {
        input,
        forward,
        inward,
        bridges: all,
        text,
        text6,
        hash,
    }
}

fn add(rules: &mut String, chain: &str, rule: &str) {
    writeln!(rules, "-A {chain} {rule}").expect("a String takes every text");
}

fn v4(addresses: &[SocketAddr]) -> impl Iterator<Item = String> + '_ {
    addresses.iter().filter_map(|address| match address {
        SocketAddr::V4(at) => Some(format!(
            "-d {}/32 -p tcp -m tcp --dport {}",
            at.ip(),
            at.port()
        )),
        SocketAddr::V6(_) => None,
    })
}

/// Puts `rules` in force, in one step each for IPv4 and IPv6; what is in force already is left alone.
///
/// What can be put is put, whatever else fails. It starts programs and waits for them: call it where blocking is
/// allowed. Errors: [`NotInForce`].
pub fn apply(rules: &RuleSet) -> Result<(), NotInForce> {
    let nothing = |why| NotInForce {
        host_ports: true,
        ways: true,
        why,
    };
    if in_force(rules).map_err(nothing)? {
        return Ok(());
    }
    feed("iptables-restore", &rules.text).map_err(nothing)?;
    let [input, ways @ ..] = jumps(rules);
    let host = input.put();
    let host6 = if has_ipv6() {
        let fed = feed("ip6tables-restore", &rules.text6);
        fed.and_then(|()| input_v6(rules).put())
    } else {
        Ok(())
    };
    let ways = match listed("iptables", "DOCKER-USER") {
        Ok(None) => Err(FirewallError::NoEngineChain),
        Ok(Some(_)) => ways.iter().try_for_each(Jump::put),
        Err(error) => Err(error),
    };
    let (host_ports, ways_open) = (host.is_err() || host6.is_err(), ways.is_err());
    host.and(ways).and(host6).map_err(|why| NotInForce {
        host_ports,
        ways: ways_open,
        why,
    })
}

/// Whether `rules` are in force as they are. Errors: the firewall cannot be asked.
pub fn in_force(rules: &RuleSet) -> Result<bool, FirewallError> {
    let Some(input) = listed("iptables", &rules.input)? else {
        return Ok(false);
    };
    if !input.contains(&format!("flash:{}", rules.hash)) {
        return Ok(false);
    }
    for chain in [&rules.input, &rules.forward, &rules.inward] {
        let ended = listed("iptables", chain)?.is_some_and(|text| {
            text.lines()
                .last()
                .is_some_and(|line| line.ends_with("-j DROP"))
        });
        if !ended {
            return Ok(false);
        }
    }
    for jump in all_jumps(rules) {
        if !jump.there()? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Takes the node's chains away, with the jumps to them. What is not there is no error.
pub fn remove(rules: &RuleSet) -> Result<(), FirewallError> {
    for jump in all_jumps(rules) {
        while jump.there()? {
            let rule = ["-D", jump.from, jump.side, jump.bridges, "-j", jump.to];
            run(jump.program, &rule)?;
        }
        if listed(jump.program, jump.to)?.is_some() {
            run(jump.program, &["-F", jump.to])?;
            run(jump.program, &["-X", jump.to])?;
        }
    }
    Ok(())
}

/// Whether this machine speaks IPv6 at all. Source: Linux, `ipv6.disable`, which takes this file away.
fn has_ipv6() -> bool {
    Path::new("/proc/net/if_inet6").exists()
}

/// A jump from a chain that others made too, for packets from (`-i`) or to (`-o`) the node's bridges.
struct Jump<'a> {
    program: &'static str,
    from: &'static str,
    side: &'static str,
    bridges: &'a str,
    to: &'a str,
}

/// Lists the jumps of IPv4; the one that guards the machine's own ports comes first.
fn jumps(rules: &RuleSet) -> [Jump<'_>; 3] {
    let jump = |from, side, to| Jump {
        program: "iptables",
        from,
        side,
        bridges: &rules.bridges,
        to,
    };
    [
        jump("INPUT", "-i", &rules.input),
        jump("DOCKER-USER", "-i", &rules.forward),
        jump("DOCKER-USER", "-o", &rules.inward),
    ]
}

fn input_v6(rules: &RuleSet) -> Jump<'_> {
    let [input, ..] = jumps(rules);
    Jump {
        program: "ip6tables",
        ..input
    }
}

fn all_jumps(rules: &RuleSet) -> impl Iterator<Item = Jump<'_>> {
    let v6 = has_ipv6().then(|| input_v6(rules));
    jumps(rules).into_iter().chain(v6)
}

impl Jump<'_> {
    fn rule(&self) -> String {
        format!("{} {} -j {}", self.side, self.bridges, self.to)
    }

    fn there(&self) -> Result<bool, FirewallError> {
        let rule = self.rule();
        let found = listed(self.program, self.from)?;
        Ok(found.is_some_and(|text| text.lines().any(|line| line.ends_with(&rule))))
    }

    /// Puts the jump first of all rules, once.
    fn put(&self) -> Result<(), FirewallError> {
        if self.there()? {
            return Ok(());
        }
        let rule = ["-I", self.from, "1", self.side, self.bridges, "-j", self.to];
        run(self.program, &rule).map(drop)
    }
}

/// Returns the rules of a chain, or nothing where there is none.
fn listed(program: &'static str, chain: &str) -> Result<Option<String>, FirewallError> {
    match run(program, &["-S", chain]) {
        Ok(text) => Ok(Some(text)),
        Err(FirewallError::Refused { said, .. })
            if said.contains("No chain")
                || said.contains("does not exist")
                || said.contains("incompatible") =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the firewall has no library that is kept; its own programs are started here and nowhere else"
)]
fn command(program: &'static str) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env(
            "PATH",
            "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin",
        )
        .args(["-w", WAIT_SECONDS])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn run(program: &'static str, args: &[&str]) -> Result<String, FirewallError> {
    let output = command(program)
        .args(args)
        .stdin(Stdio::null())
        .output()
        .map_err(|source| FirewallError::NoProgram { program, source })?;
    told(program, &output)
}

/// Changes the chains that `text` names and no others, all or nothing.
fn feed(program: &'static str, text: &str) -> Result<(), FirewallError> {
    let no_program = |source| FirewallError::NoProgram { program, source };
    let mut child = command(program)
        .arg("--noflush")
        .stdin(Stdio::piped())
        .spawn()
        .map_err(no_program)?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(text.as_bytes()).map_err(no_program)?;
    }
    let output = child.wait_with_output().map_err(no_program)?;
    told(program, &output).map(drop)
}

fn told(program: &'static str, output: &std::process::Output) -> Result<String, FirewallError> {
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(FirewallError::Refused {
        program,
        said: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}

#[cfg(test)]
mod tests;
