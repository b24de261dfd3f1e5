//! Owns the way from the reconciler's view to the status that people and programs read.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use crate::app::vault::VaultFacts;
use crate::app::world::World;
use crate::clock::UnixMillis;
use crate::id::ServiceId;
use crate::reconcile::View;
use crate::reconcile::observed::State;
use crate::reconcile::step::Action;
use crate::runtime::RuntimeKind;
use crate::service::desired::DesiredService;
use crate::service::desired::Wanted;
use crate::service::health::Signals;
use crate::status::EndpointStatus;
use crate::status::NodeStatus;
use crate::status::ServiceStatus;
use crate::status::Signal;
use crate::status::VaultStatus;
use crate::store::vault::VaultState;

/// What a status is made of, beside the view.
pub(super) struct Frame<'a> {
    pub(super) world: &'a World,
    /// How far the pulls are that go on.
    pub(super) pulling: &'a BTreeMap<ServiceId, String>,
    /// When services will have caught up.
    pub(super) foreseen: &'a BTreeMap<ServiceId, UnixMillis>,
    pub(super) runtime: RuntimeKind,
    pub(super) not_enforced: &'a [String],
    pub(super) vault: VaultFacts,
    pub(super) api: Option<SocketAddr>,
    pub(super) cursor: u64,
}

/// Builds the node's status.
pub(super) fn node_status(view: &View, frame: &Frame<'_>) -> NodeStatus {
    let profile = &frame.world.profile;
    let network = serde_json::to_value(profile.network).ok();
    let mut services: Vec<ServiceStatus> = Vec::new();
    if let Some(desired) = &view.desired {
        services.extend(
            desired
                .services
                .iter()
                .map(|(id, service)| wanted_status(view, frame, id, service)),
        );
        let there = view.instances.keys().chain(view.unreadable());
        let unwanted: BTreeSet<&ServiceId> = there
            .filter(|id| !desired.services.contains_key(*id))
            .collect();
        services.extend(
            unwanted
                .into_iter()
                .map(|id| leaving_status(view, frame, id)),
        );
        services.sort_by(|one, other| one.id.cmp(&other.id));
    }
    NodeStatus {
        profile: profile.name.as_str().to_owned(),
        network: network
            .and_then(|network| network.as_str().map(ToOwned::to_owned))
            .unwrap_or_default(),
        play_money: profile.play_money,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        vault: vault_status(&frame.vault),
        services,
        api: frame
            .api
            .map_or_else(String::new, |address| format!("http://{address}")),
        cursor: frame.cursor,
    }
}

fn vault_status(vault: &VaultFacts) -> VaultStatus {
    let (state, text) = match vault.state {
        VaultState::Sealed if !vault.exists => (
            "sealed",
            "there is none yet, and what needs a secret waits; `flash-node passphrase change` makes it",
        ),
        VaultState::Sealed if !vault.passphrase_set => (
            "sealed",
            "what runs goes on, what needs a secret waits; no passphrase is set, so that only a new start opens it",
        ),
        VaultState::Sealed => (
            "sealed",
            "what runs goes on, what needs a secret waits; `flash-node unlock` opens it",
        ),
        VaultState::Open => ("open", "`flash-node seal` closes it while services go on"),
        VaultState::SelfUnsealing => (
            "self_unsealing",
            "it opens itself, because no passphrase is set: anyone with this disk can read it; `flash-node passphrase change` sets one",
        ),
    };
    let text = match &vault.warning {
        Some(warning) => format!("{text} ({warning})"),
        None => text.to_owned(),
    };
    VaultStatus {
        state: state.to_owned(),
        exists: vault.exists,
        passphrase_set: vault.passphrase_set,
        text,
    }
}

fn wanted_status(
    view: &View,
    frame: &Frame<'_>,
    id: &ServiceId,
    service: &DesiredService,
) -> ServiceStatus {
    let external = service.wanted == Wanted::External;
    let state = state_code(view, id, &service.wanted);
    let asked = view.board.get(id).filter(|(since, _)| {
        external
            || view
                .instances
                .get(id)
                .is_some_and(|instance| instance.started_at == *since)
    });
    let Signals {
        alive,
        ready,
        synced,
    } = match asked {
        Some((_, signals)) if running(view, id) || external => with_jobs(view, id, signals.clone()),
        _ => match frame.pulling.get(id) {
            Some(text) => pulled(id, text),
            None => without_answer(view, id, &state, &service.wanted),
        },
    };
    ServiceStatus {
        id: id.to_string(),
        title: service.title.clone(),
        runtime: runtime_word(frame, &service.wanted).to_owned(),
        wanted: true,
        started_at: view
            .instances
            .get(id)
            .and_then(|one| one.started_at)
            .map(|at| at.0),
        next: next(view, id, &state).or_else(|| in_the_way(&service.wanted)),
        synced_at: frame.foreseen.get(id).map(|at| at.0),
        alive,
        ready,
        synced,
        endpoints: endpoints(service),
        not_enforced: if external {
            Vec::new()
        } else {
            frame.not_enforced.to_vec()
        },
        state,
    }
}

fn endpoints(service: &DesiredService) -> Vec<EndpointStatus> {
    if matches!(service.wanted, Wanted::HeldBack { .. }) {
        return Vec::new();
    }
    let one = |endpoint: &crate::service::desired::DesiredEndpoint| EndpointStatus {
        name: endpoint.name.to_string(),
        url: endpoint.url(),
    };
    service.endpoints.iter().map(one).collect()
}

fn leaving_status(view: &View, frame: &Frame<'_>, id: &ServiceId) -> ServiceStatus {
    let (code, text) = leaving_text(view, id);
    let signal = |ok| Signal::new(ok, code.clone(), text.clone());
    let unreadable = view.unreadable().contains(&id);
    ServiceStatus {
        id: id.to_string(),
        title: frame.world.title_left(id),
        runtime: runtime_word(
            frame,
            &Wanted::HeldBack {
                code: crate::id::Name::new("leaving").expect("a name"),
                text: String::new(),
            },
        )
        .to_owned(),
        wanted: false,
        state: leaving_state(view, id),
        started_at: view
            .instances
            .get(id)
            .and_then(|one| one.started_at)
            .map(|at| at.0),
        // Whether a program runs whose record cannot be read is not known.
        alive: signal((!unreadable).then(|| running(view, id))),
        ready: signal(Some(false)),
        synced: signal(None),
        synced_at: None,
        endpoints: Vec::new(),
        next: next(view, id, "stopping"),
        not_enforced: frame.not_enforced.to_vec(),
    }
}

/// What nobody wants any more is stopping as long as it is there: what others still need stops after them.
fn leaving_state(view: &View, id: &ServiceId) -> String {
    let state = state_code(view, id, &Wanted::External);
    match state.as_str() {
        "external" | "running" => "stopping".to_owned(),
        _ => state,
    }
}

/// Says how far the stop of a service is, and what holds it up.
fn leaving_text(view: &View, id: &ServiceId) -> (String, String) {
    if let Some(problem) = &view.problem {
        return (problem.code.clone(), problem.text.clone());
    }
    let note = view.plan.notes.iter().find(|note| note.service == *id);
    match (note, view.time_left.get(id)) {
        (Some(note), Some(left)) if note.code == "stopping" => {
            let text = format!("{}, {}; its data stay", note.text, left_in_words(*left));
            (note.code.clone(), text)
        }
        (Some(note), _) => (note.code.clone(), note.text.clone()),
        (None, _) => (
            "stopping".to_owned(),
            format!("{id} is no longer wanted and is being stopped; its data stay"),
        ),
    }
}

/// Rounds up: a line that changed each second would flood whoever only sees what changed.
fn left_in_words(left: Duration) -> String {
    let step = if left > Duration::from_secs(60) {
        60
    } else {
        10
    };
    let seconds = left.as_secs_f64().ceil();
    let rounded = (seconds / f64::from(step)).ceil() * f64::from(step);
    format!("up to {rounded:.0} s are left")
}

fn runtime_word(frame: &Frame<'_>, wanted: &Wanted) -> &'static str {
    match (wanted, frame.runtime) {
        (Wanted::External, _) => "external",
        (_, RuntimeKind::Process) => "process",
        (_, RuntimeKind::Docker) => "docker",
        (_, RuntimeKind::Fake) => "fake",
    }
}

fn running(view: &View, id: &ServiceId) -> bool {
    view.observed
        .services
        .get(id)
        .is_some_and(|service| service.state.occupied())
}

fn state_code(view: &View, id: &ServiceId, wanted: &Wanted) -> String {
    if view.unseen() && matches!(wanted, Wanted::Run { .. }) {
        return "unknown".to_owned();
    }
    let observed = view.observed.services.get(id);
    let word = match observed.map(|service| &service.state) {
        Some(State::Running { .. }) => "running",
        Some(State::Stopping { .. }) => "stopping",
        Some(State::Unreadable) => "needs_you",
        Some(State::Prepared { .. }) => "prepared",
        Some(State::Exited { .. }) => "exited",
        Some(State::Absent) | None => "absent",
    };
    let note = view
        .plan
        .notes
        .iter()
        .find(|note| note.service == *id)
        .map(|note| note.code.as_str());
    match (wanted, word, note) {
        (Wanted::External, "absent", _) => "external",
        (Wanted::HeldBack { .. }, "absent" | "exited" | "prepared", _) => "held_back",
        (_, "running" | "stopping", _) => word,
        (_, _, Some("backing_off")) => "backing_off",
        (_, _, Some("needs_you")) => "needs_you",
        _ => word,
    }
    .to_owned()
}

/// The probes speak of a program that answers; jobs that have not been done keep it from being ready.
fn with_jobs(view: &View, id: &ServiceId, mut signals: Signals) -> Signals {
    let observed = view.observed.services.get(id);
    if let Some(service) = observed
        && matches!(service.state, State::Stopping { .. })
    {
        signals.ready = Signal::new(Some(false), "stopping", format!("{id} was asked to stop"));
        return signals;
    }
    let restarts = view
        .plan
        .steps
        .iter()
        .any(|step| step.service == *id && matches!(step.action, Action::Restart { .. }));
    if restarts {
        // It answers with the old specification: nobody who waits for the new one may take it for ready.
        signals.ready = Signal::new(
            Some(false),
            "restarting",
            format!("{id} is about to be restarted"),
        );
    } else if let Some(obstacle) = view.jobs.get(id) {
        signals.ready = Signal::new(Some(false), obstacle.code.clone(), obstacle.text.clone());
    } else if signals.ready.ok == Some(true) && observed.is_some_and(|service| !service.ready) {
        signals.ready = Signal::new(
            Some(false),
            "initialising",
            format!("{id} answers; its first jobs are being done"),
        );
    }
    signals
}

/// What can be said of a service whose image is on its way.
fn pulled(id: &ServiceId, text: &str) -> Signals {
    let signal = || Signal::new(Some(false), "image_pulling", text.to_owned());
    Signals {
        alive: signal(),
        ready: signal(),
        synced: Signal::new(None, "not_running", format!("{id} is not running")),
    }
}

/// What can be said of a service that nobody answered for.
fn without_answer(view: &View, id: &ServiceId, state: &str, wanted: &Wanted) -> Signals {
    let note = view.plan.notes.iter().find(|note| note.service == *id);
    let (ok, code, text) = match (wanted, state) {
        (Wanted::HeldBack { code, text }, "held_back") => {
            (Some(false), code.to_string(), text.clone())
        }
        (_, "running" | "prepared") => (
            Some(false),
            "starting".to_owned(),
            format!("{id} was started and has not answered yet"),
        ),
        (_, "external") => (
            None,
            "unknown".to_owned(),
            format!("{id} is the operator's own and was not asked yet"),
        ),
        _ => match (note, view.problem.as_ref()) {
            (_, Some(problem)) => {
                let ok = (!view.unseen()).then_some(false);
                (ok, problem.code.clone(), problem.text.clone())
            }
            (Some(note), None) => (
                Some(false),
                obstacle_code(view, id, &note.code),
                cause(view, id, &note.text),
            ),
            (None, None) => (
                Some(false),
                "starting".to_owned(),
                format!("{id} is being started"),
            ),
        },
    };
    let synced = if view.unseen() {
        Signal::new(None, code.clone(), text.clone())
    } else {
        Signal::new(None, "not_running", format!("{id} is not running"))
    };
    Signals {
        alive: Signal::new(ok, code.clone(), text.clone()),
        ready: Signal::new(ok, code, text),
        synced,
    }
}

/// The obstacle's own code says more than "blocked".
fn obstacle_code(view: &View, id: &ServiceId, code: &str) -> String {
    let blocked = view
        .observed
        .services
        .get(id)
        .and_then(|service| service.blocked.as_ref());
    match blocked {
        Some(obstacle) if code == "blocked" => obstacle.code.clone(),
        _ => code.to_owned(),
    }
}

fn cause(view: &View, id: &ServiceId, text: &str) -> String {
    match view
        .records
        .get(id)
        .and_then(|record| record.cause.as_ref())
    {
        Some(cause) => format!("{cause}; {text}"),
        None => text.to_owned(),
    }
}

/// Says what keeps a service back that only a person can take away: not that another one is held back, nor that it does
/// not exist on this network.
fn in_the_way(wanted: &Wanted) -> Option<String> {
    let Wanted::HeldBack { code, text } = wanted else {
        return None;
    };
    let waits = ["provider_held_back", "not_on_this_network"].contains(&code.as_str());
    (!waits).then(|| text.clone())
}

fn next(view: &View, id: &ServiceId, state: &str) -> Option<String> {
    let observed = view.observed.services.get(id)?;
    if observed.state == State::Unreadable {
        return Some(format!(
            "its record in the data folder's run/{id} cannot be read: look at it, then remove that folder if nothing of {id} runs"
        ));
    }
    if state == "needs_you" {
        return Some(format!(
            "look at `flash-node logs {id}`, mend what is wrong, then `flash-node retry {id}`"
        ));
    }
    if state == "backing_off" {
        return Some(format!(
            "`flash-node logs {id}` shows what it said; it is tried again by itself"
        ));
    }
    // Where something else keeps it back, that comes first.
    let note = view.plan.notes.iter().find(|note| note.service == *id);
    let in_its_way = note.is_some_and(|note| ["blocked", "change_blocked"].contains(&&*note.code));
    observed
        .blocked
        .as_ref()
        .filter(|_| in_its_way)
        .map(|obstacle| obstacle.text.clone())
}

#[cfg(test)]
mod tests;
