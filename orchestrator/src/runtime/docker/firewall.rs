//! Owns the one chain of firewall rules by which a node's containers reach nothing of the machine, and nothing outside
//! but what an edge declares. An internal network of the engine separates peers; it leaves the machine itself open.
//!
//! It never touches a rule of others. Source: iptables(8), iptables-restore(8), Docker's `DOCKER-USER` chain.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::io::Write as _;
use std::net::SocketAddr;
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

/// The rules of a node, as text for iptables-restore, and the hash by which they are known again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleSet {
    input: String,
    forward: String,
    bridges: String,
    text: String,
    text6: String,
    hash: String,
}

/// Makes the rules for what is desired. What is not listed is refused: a bridge of a service that is on its way out has
/// no rule that opens anything.
#[must_use]
pub fn rules(node: &NodeId, desired: &Desired) -> RuleSet {
    let names = Names::new(node.clone());
    let mut bridges: BTreeMap<String, Attachment> = BTreeMap::new();
    for service in desired.services.values() {
        let Wanted::Run { spec, .. } = &service.wanted else {
            continue;
        };
        for one in &spec.network.attachments {
            let bridge = bridges.entry(names.bridge(one.subnet));
            let kept = bridge.or_insert_with(|| Attachment {
                may_reach: Vec::new(),
                ..one.clone()
            });
            // Two members of one edge are one bridge; only its consumer may reach something beyond it.
            kept.may_reach.extend(&one.may_reach);
            kept.kind = kept.kind.max(one.kind);
        }
    }
    write(&names, &bridges)
}

fn write(names: &Names, bridges: &BTreeMap<String, Attachment>) -> RuleSet {
    let short = names.short().to_uppercase();
    let (input, forward) = (format!("FLASH-{short}"), format!("FLASHF-{short}"));
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
    let hash = hex::encode(&Sha256::digest(rules.as_bytes())[..8]);
    // A rule that matches nothing carries the hash: whoever looks need not know how iptables writes the others.
    let mark = format!("-s 255.255.255.255/32 -m comment --comment flash:{hash} -j RETURN");
    let text = format!(
        "*filter\n:{input} - [0:0]\n:{forward} - [0:0]\n-A {input} {mark}\n{rules}COMMIT\n"
    );
    let text6 = format!("*filter\n:{input} - [0:0]\n-A {input} -j DROP\nCOMMIT\n");
    RuleSet {
        input,
        forward,
        bridges: format!("{}+", names.bridges()),
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
/// It starts programs and waits for them: call it where blocking is allowed. Errors: [`FirewallError`].
pub fn apply(rules: &RuleSet) -> Result<(), FirewallError> {
    if in_force(rules)? {
        return Ok(());
    }
    feed("iptables-restore", &rules.text)?;
    jump("iptables", "INPUT", &rules.bridges, &rules.input)?;
    feed("ip6tables-restore", &rules.text6)?;
    jump("ip6tables", "INPUT", &rules.bridges, &rules.input)?;
    if listed("iptables", "DOCKER-USER")?.is_none() {
        return Err(FirewallError::NoEngineChain);
    }
    jump("iptables", "DOCKER-USER", &rules.bridges, &rules.forward)
}

/// Whether `rules` are in force as they are. Errors: the firewall cannot be asked.
pub fn in_force(rules: &RuleSet) -> Result<bool, FirewallError> {
    let Some(input) = listed("iptables", &rules.input)? else {
        return Ok(false);
    };
    let marked = input.contains(&format!("flash:{}", rules.hash));
    let ended = input
        .lines()
        .last()
        .is_some_and(|line| line.ends_with("-j DROP"));
    let jumps = |program, from: &str, to: &str| -> Result<bool, FirewallError> {
        let rule = jump_rule(&rules.bridges, to);
        Ok(listed(program, from)?
            .is_some_and(|text| text.lines().any(|line| line.ends_with(&rule))))
    };
    Ok(marked
        && ended
        && jumps("iptables", "INPUT", &rules.input)?
        && jumps("iptables", "DOCKER-USER", &rules.forward)?
        && jumps("ip6tables", "INPUT", &rules.input)?)
}

/// Takes the node's chains away, with the jumps to them. What is not there is no error.
pub fn remove(rules: &RuleSet) -> Result<(), FirewallError> {
    for (program, from, to) in [
        ("iptables", "INPUT", &rules.input),
        ("iptables", "DOCKER-USER", &rules.forward),
        ("ip6tables", "INPUT", &rules.input),
    ] {
        while listed(program, from)?.is_some_and(|text| {
            let rule = jump_rule(&rules.bridges, to);
            text.lines().any(|line| line.ends_with(&rule))
        }) {
            run(program, &["-D", from, "-i", &rules.bridges, "-j", to])?;
        }
        if listed(program, to)?.is_some() {
            run(program, &["-F", to])?;
            run(program, &["-X", to])?;
        }
    }
    Ok(())
}

fn jump_rule(bridges: &str, to: &str) -> String {
    format!("-i {bridges} -j {to}")
}

/// Jumps from `from` to `to` for all of the node's bridges, first of all rules, once.
fn jump(program: &'static str, from: &str, bridges: &str, to: &str) -> Result<(), FirewallError> {
    let rule = jump_rule(bridges, to);
    let there = listed(program, from)?.unwrap_or_default();
    if there.lines().any(|line| line.ends_with(&rule)) {
        return Ok(());
    }
    run(program, &["-I", from, "1", "-i", bridges, "-j", to]).map(drop)
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
