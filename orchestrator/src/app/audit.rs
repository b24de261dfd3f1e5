//! Owns `doctor --audit`: what runs against what was declared, what others can reach, and how old every credential is.
//!
//! It changes nothing, and prints no secret.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::app::edges;
use crate::app::engine::Engine;
use crate::app::node::RealNode;
use crate::app::sentence::sentence;
use crate::app::world::World;
use crate::node::Refusal;
use crate::node::Reply;
use crate::service::desired::Wanted;
use crate::store::vault::SecretEntry;
use crate::store::vault::VaultState;

/// Units: milliseconds.
const DAY: u64 = 24 * 60 * 60 * 1000;
/// From this age on a credential is named as old. Units: days.
const OLD: u64 = 365;

/// How much a line says.
#[derive(Clone, Copy)]
enum Weight {
    Good,
    Note,
    Bad,
}

struct Lines(String);

impl Lines {
    fn add(&mut self, weight: Weight, text: &str) {
        let head = match weight {
            Weight::Good => "ok   ",
            Weight::Note => "note ",
            Weight::Bad => "bad  ",
        };
        writeln!(self.0, "{head} {text}").expect("a String takes every text");
    }
}

impl RealNode {
    /// Compares what runs with what was declared.
    pub(super) async fn audit(&self) -> Result<Reply, Refusal> {
        let mut lines = Lines(String::new());
        let world = self.parts.services.world();
        self.containers(&world, &mut lines).await;
        let missing = self.parts.services.engine.not_enforced();
        match missing.is_empty() {
            true => lines.add(
                Weight::Good,
                "everything that confines services is in force",
            ),
            false => lines.add(
                Weight::Note,
                &format!("not enforced on this machine: {}", missing.join(", ")),
            ),
        }
        reachable(&world, &mut lines);
        self.credentials(&mut lines).await?;
        Ok(Reply::said(lines.0, false))
    }

    async fn containers(&self, world: &World, lines: &mut Lines) {
        let services = &self.parts.services;
        let Engine::Docker(all) = &*services.engine else {
            lines.add(
                Weight::Note,
                "services run as processes of this machine: there are no containers to look at",
            );
            return;
        };
        let found = match all.runtime.audit(&services.applied()).await {
            Ok(found) => found,
            Err(error) => {
                lines.add(Weight::Bad, &sentence(&error));
                return;
            }
        };
        let wanted = images(self, world);
        for one in &found {
            for text in &one.differs {
                lines.add(Weight::Bad, &format!("{}: {text}", one.name));
            }
            match wanted.get(&one.name) {
                Some(image) if *image != one.image => {
                    let text = format!(
                        "{}: runs the image {}, and {image} was accepted: `flash-node plan` says what is due",
                        one.name, one.image
                    );
                    lines.add(Weight::Bad, &text);
                }
                Some(_) if one.differs.is_empty() => {
                    let text = format!("{}: confined, runs {}", one.name, one.image);
                    lines.add(Weight::Good, &text);
                }
                // What is wrong with it, or with a stranger, stands above.
                _ => {}
            }
        }
    }

    async fn credentials(&self, lines: &mut Lines) -> Result<(), Refusal> {
        if self.parts.services.vault.state() == VaultState::Sealed {
            lines.add(
                Weight::Note,
                "the vault is sealed: the ages of the credentials are not known (`flash-node unlock`)",
            );
            return Ok(());
        }
        let all = self.with_vault(|vault| vault.list()).await?;
        let now = self.parts.clock.wall();
        for entry in newest(&all) {
            let days = now.0.saturating_sub(entry.made_at.0) / DAY;
            let text = format!(
                "{}: generation {}, {} old",
                entry.key.0,
                entry.generation,
                counted(days)
            );
            // Only what `rotate` can replace is worth a remark; a wallet's seed only grows older.
            let weight = match entry.key.0.starts_with("edge/") && days >= OLD {
                true => Weight::Note,
                false => Weight::Good,
            };
            lines.add(weight, &text);
        }
        Ok(())
    }
}

fn counted(days: u64) -> String {
    match days {
        0 => "less than a day".to_owned(),
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    }
}

/// Lists the newest generation of every secret.
fn newest(all: &[SecretEntry]) -> Vec<&SecretEntry> {
    let mut newest: BTreeMap<&str, &SecretEntry> = BTreeMap::new();
    for entry in all {
        let kept = newest.entry(&entry.key.0).or_insert(entry);
        if kept.generation < entry.generation {
            *kept = entry;
        }
    }
    newest.into_values().collect()
}

/// Returns the ID of the image that each service should run.
fn images(node: &RealNode, world: &World) -> BTreeMap<String, String> {
    let state = &node.parts.services.ground.state;
    let mut images = BTreeMap::new();
    for (id, service) in &world.resolved.desired.services {
        if let Wanted::Run { spec, .. } = &service.wanted
            && let Some(reference) = &spec.program.image
            && let Ok(Some(known)) = state.image(reference)
        {
            images.insert(id.to_string(), known.id.0);
        }
    }
    images
}

/// Lists what others than this machine can reach.
fn reachable(world: &World, lines: &mut Lines) {
    let open = edges::open(world);
    if open.is_empty() {
        lines.add(
            Weight::Good,
            "no port of a service is open to other machines",
        );
    }
    for text in open {
        lines.add(
            Weight::Note,
            &format!("{text}; a firewall such as ufw does not cover it"),
        );
    }
}

#[cfg(test)]
mod tests;
