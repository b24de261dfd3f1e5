//! Owns what needs a person: it is read off the status, the machine and the account of whoever asks.
//!
//! Each task has a code, by which pages say it in the reader's language, and a sentence of the node's own.

#![allow(
    unused_qualifications,
    reason = "utoipa's macros write out the path of each type"
)]

use axum::Extension;
use axum::extract::State;
use serde::Deserialize;
use serde::Serialize;
use utoipa::ToSchema;

use super::error::ApiError;
use super::error::ErrorBody;
use super::json::Json;
use super::router::Face;
use crate::account::Account;
use crate::account::Principal;
use crate::account::Right;
use crate::status::NodeStatus;
use crate::view::Advisories;
use crate::view::Machine;
use crate::view::Severity;

/// A disk of which less is left is nearly full. Units: bytes.
const LOW_DISK: u64 = 5_000_000_000;
/// Memory of which less than one part in so many is left is nearly used up.
const LOW_MEMORY: u64 = 20;
/// With so few recovery codes or fewer it is time for new ones.
const FEW_CODES: u64 = 3;

/// What needs a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(super) struct TaskList {
    /// What is urgent comes first.
    tasks: Vec<Task>,
}

/// One thing that somebody should do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(super) struct Task {
    /// Unique in the list: the code, and what it is about.
    id: String,
    /// How urgent it is.
    level: Level,
    /// The machine code: `needs_operator`, `disk_low`, `memory_low`, `confinement`, `no_passphrase`, `no_second_factor`,
    /// `recovery_codes_low` or `advisory`.
    code: String,
    /// The service it is about, if one.
    service: Option<String>,
    /// One sentence for a person.
    text: String,
    /// What to do.
    hint: String,
}

/// How urgent a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Level {
    /// Something does not work, or soon will not.
    Now,
    /// It works, and should be better protected.
    Soon,
}

/// Lists what needs whoever asks.
#[utoipa::path(get, path = "/api/v1/tasks", tag = "read", responses(
    (status = 200, description = "What is to be done", body = TaskList),
    (status = 503, description = "A disk does not answer", body = ErrorBody),
))]
pub(super) async fn tasks(
    State(face): State<Face>,
    who: Option<Extension<Principal>>,
) -> Result<Json<TaskList>, ApiError> {
    let machine = face.node.machine().await?;
    // Until the node has an owner, nobody in particular may ask.
    let who = who.map(|Extension(who)| who);
    let mut tasks = of_node(&face.status(), &machine);
    tasks.extend(of_advisories(
        &face.status(),
        &face.node.advisories().await?,
    ));
    if who.as_ref().is_some_and(|who| who.may(Right::Own)) {
        tasks.extend(of_owner(&face.status()));
    }
    if let Some(Principal::Person(person)) = &who {
        tasks.extend(of_person(&person.account));
    }
    tasks.sort_by_key(|task| task.level);
    Ok(Json(TaskList { tasks }))
}

fn task(level: Level, code: &str, about: Option<&str>, text: String, hint: String) -> Task {
    Task {
        id: about.map_or_else(|| code.to_owned(), |about| format!("{code}:{about}")),
        level,
        code: code.to_owned(),
        service: None,
        text,
        hint,
    }
}

fn of_node(status: &NodeStatus, machine: &Machine) -> Vec<Task> {
    let mut tasks = Vec::new();
    for service in &status.services {
        let code = match (service.state.as_str(), &service.next) {
            ("needs_you", _) => "needs_operator",
            // Something is in its way that does not go by itself.
            ("absent" | "exited" | "held_back", Some(_)) => "blocked",
            _ => continue,
        };
        let hint = service.next.clone().unwrap_or_default();
        let text = format!("{}: {}", service.title, service.alive.text);
        let mut stuck = task(Level::Now, code, Some(&service.id), text, hint);
        stuck.service = Some(service.id.clone());
        tasks.push(stuck);
    }
    for disk in &machine.disks {
        let free = disk.total.saturating_sub(disk.used);
        if free < LOW_DISK {
            let text = format!("the disk `{}` has {} MB left", disk.name, free / 1_000_000);
            let hint = "make room, or move the data to a larger disk".to_owned();
            tasks.push(task(Level::Now, "disk_low", Some(&disk.name), text, hint));
        }
    }
    let free = machine.memory.total.saturating_sub(machine.memory.used);
    if free < machine.memory.total / LOW_MEMORY {
        let text = format!("{} MB of memory are left", free / 1_000_000);
        let hint = "switch a service off that is not needed, or give the machine more memory";
        tasks.push(task(Level::Now, "memory_low", None, text, hint.to_owned()));
    }
    // Processes are never confined as containers are, and nobody at a page can change that.
    let open = status
        .services
        .iter()
        .any(|service| service.runtime == "docker" && !service.not_enforced.is_empty());
    if open {
        let text = "the firewall does not hold services back as it should".to_owned();
        let hint = "`flash-node doctor` says why".to_owned();
        tasks.push(task(Level::Now, "confinement", None, text, hint));
    }
    tasks
}

/// One for each service that an advisory names: what is bad for money is urgent.
fn of_advisories(status: &NodeStatus, known: &Advisories) -> Vec<Task> {
    let mut tasks = Vec::new();
    for one in &known.advisories {
        for here in &one.here {
            let level = match one.severity {
                Severity::Critical | Severity::High => Level::Now,
                Severity::Medium | Severity::Low => Level::Soon,
            };
            let mut services = status.services.iter();
            let title = services.find(|service| service.id == here.service);
            let title = title.map_or(here.service.as_str(), |service| service.title.as_str());
            let text = format!("{title} {}: {}", here.version, one.text);
            let about = format!("{}:{}", one.id, here.service);
            let mut task = task(level, "advisory", Some(&about), text, one.action.clone());
            task.service = Some(here.service.clone());
            tasks.push(task);
        }
    }
    tasks
}

fn of_owner(status: &NodeStatus) -> Option<Task> {
    (!status.vault.passphrase_set).then(|| {
        let text = "no passphrase guards the node's keys".to_owned();
        let hint = "set one before the node holds real money".to_owned();
        task(Level::Soon, "no_passphrase", None, text, hint)
    })
}

fn of_person(account: &Account) -> Option<Task> {
    if !account.second_factor {
        let text = "a stolen password alone is enough to sign in as you".to_owned();
        let hint = "set an authenticator app up".to_owned();
        return Some(task(Level::Soon, "no_second_factor", None, text, hint));
    }
    let left = account.recovery_codes_left;
    (left <= FEW_CODES).then(|| {
        let text = format!("{left} of your recovery codes are left");
        let hint = "make new ones".to_owned();
        task(Level::Soon, "recovery_codes_low", None, text, hint)
    })
}
