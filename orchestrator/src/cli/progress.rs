//! Owns how waiting looks: one line per service, moving on a terminal, plain lines elsewhere; and when it is over.
//!
//! It does not know where a status comes from.

use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::MultiProgress;
use indicatif::ProgressBar;
use indicatif::ProgressDrawTarget;
use indicatif::ProgressStyle;

use super::screen::Screen;
use super::screen::plain;
use crate::status::NodeStatus;
use crate::status::ServiceStatus;

/// Where a node stands on its way up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Settled {
    /// Something still moves by itself.
    NotYet,
    /// Every service serves.
    Ready,
    /// Nothing moves by itself any more, and something waits for the operator.
    NeedsYou(Waiting),
}

/// What waits for the operator.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Waiting {
    /// Services that wait for the vault.
    pub(super) vault: Vec<String>,
    /// Services that wait for something else.
    pub(super) others: Vec<String>,
}

impl Waiting {
    /// Says who waits for what, in one line.
    pub(super) fn sentence(&self) -> String {
        let mut parts = Vec::new();
        if !self.vault.is_empty() {
            parts.push(format!(
                "the vault is sealed; waiting for it: {}",
                self.vault.join(", ")
            ));
        }
        if !self.others.is_empty() {
            parts.push(format!(
                "these services need you: {}",
                self.others.join(", ")
            ));
        }
        parts.join("; ")
    }
}

/// Says whether waiting is over.
pub(super) fn settled(status: &NodeStatus) -> Settled {
    let mut waiting = Waiting::default();
    let mut follows = false;
    for service in &status.services {
        match step(service, status.vault.state == "sealed") {
            Step::Serves => {}
            Step::Moves => return Settled::NotYet,
            Step::Follows => follows = true,
            Step::WaitsForVault => waiting.vault.push(service.id.clone()),
            Step::NeedsYou => waiting.others.push(service.id.clone()),
        }
    }
    if waiting != Waiting::default() {
        Settled::NeedsYou(waiting)
    } else if follows {
        Settled::NotYet
    } else {
        Settled::Ready
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Serves,
    Moves,
    /// It waits for another service, and moves when that one does.
    Follows,
    WaitsForVault,
    NeedsYou,
}

fn step(service: &ServiceStatus, sealed: bool) -> Step {
    if matches!(service.state.as_str(), "needs_you" | "held_back") {
        return Step::NeedsYou;
    }
    match (service.ready.ok, service.ready.code.as_str()) {
        (Some(true), _) | (None, "not_applicable") => Step::Serves,
        // The node makes the wallet, once its vault can keep the seed.
        (None, "no_wallet") if sealed => Step::WaitsForVault,
        (_, "sealed") if sealed => Step::WaitsForVault,
        (None, "engine_gone") => Step::NeedsYou,
        (_, "waits") => Step::Follows,
        _ => Step::Moves,
    }
}

/// What a service's line says.
pub(super) fn line(service: &ServiceStatus) -> String {
    let signal = match (service.alive.ok, service.ready.ok) {
        (Some(true), _) => &service.ready,
        _ => &service.alive,
    };
    plain(&format!(
        "{}: {}, {}",
        service.id,
        service.state.replace('_', " "),
        signal.text
    ))
}

/// Shows the services while a person waits.
pub(super) struct Progress {
    bars: MultiProgress,
    style: ProgressStyle,
    shown: BTreeMap<String, (ProgressBar, String)>,
    terminal: bool,
}

impl Progress {
    /// Begins to show progress on standard error.
    pub(super) fn new(screen: &Screen) -> Self {
        let target = if screen.err_terminal {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        Self {
            bars: MultiProgress::with_draw_target(target),
            style: ProgressStyle::with_template("{spinner} {elapsed:>4} {msg}")
                .expect("the template is fixed"),
            shown: BTreeMap::new(),
            terminal: screen.err_terminal,
        }
    }

    /// Shows a status. Without a terminal only what changed is printed.
    pub(super) fn show(&mut self, screen: &mut Screen, status: &NodeStatus) {
        for service in &status.services {
            let text = line(service);
            let known = self.shown.get(&service.id);
            if known.is_some_and(|(_, before)| *before == text) {
                continue;
            }
            let bar = match known {
                Some((bar, _)) => bar.clone(),
                None => self.bar(),
            };
            bar.set_message(text.clone());
            if !self.terminal {
                screen.note(&text);
            }
            self.shown.insert(service.id.clone(), (bar, text));
        }
        let gone = |id: &String| !status.services.iter().any(|service| service.id == *id);
        let leaving: Vec<String> = self.shown.keys().filter(|id| gone(id)).cloned().collect();
        for id in leaving {
            if let Some((bar, _)) = self.shown.remove(&id) {
                bar.finish_and_clear();
            }
        }
    }

    fn bar(&self) -> ProgressBar {
        let bar = self.bars.add(ProgressBar::new_spinner());
        bar.set_style(self.style.clone());
        bar.enable_steady_tick(Duration::from_millis(200));
        bar
    }

    /// Takes the moving lines away.
    pub(super) fn clear(&mut self) {
        for (bar, _) in self.shown.values() {
            bar.finish_and_clear();
        }
        self.shown.clear();
    }
}
