//! Owns a node in memory, for the tests of its faces: it keeps settings, events, logs and a vault's state.
//!
//! It runs nothing. What it answers follows from what it was told, as with a real node.

mod views;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream;
use futures::stream::BoxStream;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Change;
use super::Command;
use super::Event;
use super::Node;
use super::Refusal;
use super::Reply;
use super::Unlock;
use crate::id::ServiceId;
use crate::runtime::LogLine;
use crate::runtime::LogQuery;
use crate::secret::SecretBytes;
use crate::status::NodeStatus;
use crate::view::Access;
use crate::view::Advisories;
use crate::view::Advisory;
use crate::view::Edge;
use crate::view::Edges;
use crate::view::Entrance;
use crate::view::EntranceKind;
use crate::view::Images;
use crate::view::Machine;
use crate::view::Removed;
use crate::view::RemovedService;
use crate::view::ServiceSettings;
use crate::view::Setting;
use crate::view::SettingType;
use crate::view::SettingValue;
use crate::view::Settings;
use crate::view::Way;

pub use self::views::machine;
pub use self::views::service;
pub use self::views::status;

/// What the one plan is called that there is.
pub const PLAN: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// A node in memory.
#[derive(Debug)]
pub struct FixtureNode {
    status: watch::Sender<NodeStatus>,
    moved: watch::Sender<u64>,
    inside: Mutex<Inside>,
    token: CancellationToken,
}

#[derive(Debug)]
struct Inside {
    events: Vec<Event>,
    logs: BTreeMap<String, Vec<String>>,
    settings: BTreeMap<(String, String), String>,
    removed: Vec<String>,
    passphrase: Option<SecretBytes>,
    machine: Machine,
    advisories: Advisories,
}

impl FixtureNode {
    /// Changes how much of the machine is used.
    pub fn change_machine(&self, change: impl FnOnce(&mut Machine)) {
        change(&mut self.inside().machine);
    }

    /// Changes what is known to be dangerous.
    pub fn warn_of(&self, advisories: Vec<Advisory>) {
        self.inside().advisories.advisories = advisories;
    }

    /// Starts a demo node whose `Down` cancels `token`.
    #[must_use]
    pub fn new(token: CancellationToken) -> Arc<Self> {
        let logs = BTreeMap::from([(
            "relay".to_owned(),
            vec!["first".to_owned(), "second".to_owned(), "third".to_owned()],
        )]);
        Arc::new(Self {
            status: watch::Sender::new(status()),
            moved: watch::Sender::new(0),
            inside: Mutex::new(Inside {
                events: Vec::new(),
                logs,
                settings: BTreeMap::new(),
                removed: Vec::new(),
                passphrase: None,
                machine: machine(),
                advisories: Advisories {
                    serial: 1,
                    issued: "2026-11-28".to_owned(),
                    imported: false,
                    advisories: Vec::new(),
                },
            }),
            token,
        })
    }

    fn inside(&self) -> std::sync::MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the status and publishes it.
    pub fn change(&self, change: impl FnOnce(&mut NodeStatus)) {
        self.status.send_modify(|status| {
            change(status);
            status.cursor += 1;
        });
    }

    /// Adds an event and returns its cursor.
    pub fn push(&self, code: &str, text: &str) -> u64 {
        let mut inside = self.inside();
        let cursor = inside.events.last().map_or(0, |last| last.cursor) + 1;
        inside.events.push(Event {
            cursor,
            at: 1_700_000_000_000 + cursor,
            service: None,
            code: code.to_owned(),
            text: text.to_owned(),
        });
        drop(inside);
        self.moved.send_replace(cursor);
        cursor
    }

    /// Forgets every event before `cursor`.
    pub fn prune(&self, cursor: u64) {
        self.inside().events.retain(|event| event.cursor >= cursor);
    }

    /// Returns the value of a setting, where one was set.
    pub fn setting(&self, service: &str, name: &str) -> Option<String> {
        let key = (service.to_owned(), name.to_owned());
        self.inside().settings.get(&key).cloned()
    }

    fn known(&self, service: &ServiceId) -> Result<(), Refusal> {
        let status = self.status.borrow();
        if status.services.iter().any(|s| s.id == service.as_str()) {
            return Ok(());
        }
        Err(refusal(
            "unknown_service",
            &format!("there is no service `{service}` on this node"),
            "`flash-node status` lists the services",
        ))
    }

    fn set(&self, changes: Vec<Change>, dry_run: bool) -> Result<Reply, Refusal> {
        for change in &changes {
            self.known(&change.service)?;
            if change.setting.as_str() != "name" {
                return Err(refusal(
                    "unknown_setting",
                    &format!("{} has no setting `{}`", change.service, change.setting),
                    "its settings are: name",
                ));
            }
        }
        if !dry_run {
            let mut inside = self.inside();
            for change in changes {
                let key = (change.service.to_string(), change.setting.to_string());
                inside.settings.insert(key, change.value);
            }
        }
        reply("restart relay: the setting `name` changed\n", !dry_run)
    }

    fn purge(&self, service: &ServiceId) -> Result<Reply, Refusal> {
        if self.known(service).is_ok() {
            return Err(refusal(
                "not_removed",
                &format!("{service} is still part of the node; nothing was deleted"),
                &format!("run `flash-node remove {service}` first"),
            ));
        }
        if !self
            .inside()
            .removed
            .iter()
            .any(|id| id == service.as_str())
        {
            return Err(refusal(
                "unknown_service",
                &format!("there is no service `{service}` on this node"),
                "`flash-node status` lists the services",
            ));
        }
        reply(&format!("the data of {service} are deleted\n"), true)
    }

    fn unlock(&self, with: &Unlock) -> Result<Reply, Refusal> {
        let opens = match with {
            Unlock::Passphrase(given) => self.inside().passphrase.as_ref() == Some(given),
            Unlock::RecoveryKey(given) => given.expose() == b"recovery",
            Unlock::KeyFile(given) => given.expose() == b"\x00key\xff",
        };
        if !opens {
            return Err(refusal(
                "wrong_passphrase",
                "the vault did not open with this",
                "try again, or use the recovery key",
            ));
        }
        self.seal_state("open");
        reply("the vault is open\n", true)
    }

    fn seal_state(&self, state: &str) {
        self.change(|status| state.clone_into(&mut status.vault.state));
    }
}

fn reply(text: &str, changed: bool) -> Result<Reply, Refusal> {
    Ok(Reply::said(text, changed))
}

fn refusal(code: &str, message: &str, hint: &str) -> Refusal {
    Refusal {
        code: code.to_owned(),
        message: message.to_owned(),
        hint: hint.to_owned(),
    }
}

#[async_trait]
impl Node for FixtureNode {
    fn status(&self) -> watch::Receiver<NodeStatus> {
        self.status.subscribe()
    }

    async fn events(&self, cursor: u64, limit: usize) -> Result<Vec<Event>, Refusal> {
        let inside = self.inside();
        let after = inside.events.iter().filter(|event| event.cursor > cursor);
        Ok(after.take(limit).cloned().collect())
    }

    fn events_watch(&self) -> watch::Receiver<u64> {
        self.moved.subscribe()
    }

    async fn logs(
        &self,
        service: &ServiceId,
        query: LogQuery,
    ) -> Result<BoxStream<'static, LogLine>, Refusal> {
        self.known(service)?;
        let lines = self.inside().logs.get(service.as_str()).cloned();
        let mut lines = lines.unwrap_or_default();
        let skipped = lines.len().saturating_sub(query.tail);
        let kept = lines.split_off(skipped);
        let kept = stream::iter(kept.into_iter().map(|text| LogLine { text }));
        Ok(if query.follow {
            kept.chain(stream::pending()).boxed()
        } else {
            kept.boxed()
        })
    }

    fn settings(&self) -> Settings {
        let value = |value: &str| SettingValue::Text(value.to_owned());
        let chosen = self.setting("relay", "name");
        Settings {
            services: vec![ServiceSettings {
                id: "relay".to_owned(),
                title: "The relay".to_owned(),
                settings: vec![Setting {
                    name: "name".to_owned(),
                    help: "What the relay calls itself.".to_owned(),
                    kind: SettingType::Text,
                    default: value("Flash"),
                    value: value(chosen.as_deref().unwrap_or("Flash")),
                    chosen: chosen.is_some(),
                    min: None,
                    max: None,
                    unit: None,
                    max_length: Some(64),
                    options: None,
                }],
            }],
        }
    }

    fn edges(&self) -> Edges {
        Edges {
            edges: vec![Edge {
                id: Some("node/nostr/relay".to_owned()),
                from: "node".to_owned(),
                to: "relay".to_owned(),
                interface: "nostr".to_owned(),
                allow: Vec::new(),
                credential: None,
                way: Way::Between,
                network: None,
                reach: Vec::new(),
            }],
            notes: Vec::new(),
        }
    }

    async fn images(&self) -> Images {
        Images {
            in_containers: false,
            images: Vec::new(),
        }
    }

    fn access(&self) -> Access {
        Access {
            entrances: vec![Entrance {
                kind: EntranceKind::Machine,
                urls: vec!["http://127.0.0.1:4420".to_owned()],
                ok: Some(true),
                code: "open".to_owned(),
                text: "This machine itself, and nobody else.".to_owned(),
            }],
            authority: Some(crate::view::Authority {
                fingerprint: "00:11".to_owned(),
                certificate: "-----BEGIN CERTIFICATE-----\n".to_owned(),
            }),
        }
    }

    async fn removed(&self) -> Result<Removed, Refusal> {
        let removed = self.inside().removed.clone();
        let items = removed.into_iter().map(|id| RemovedService {
            title: id.clone(),
            folders: vec![format!("/data/volumes/{id}")],
            id,
        });
        Ok(Removed {
            items: items.collect(),
        })
    }

    async fn advisories(&self) -> Result<Advisories, Refusal> {
        Ok(self.inside().advisories.clone())
    }

    async fn machine(&self) -> Result<Machine, Refusal> {
        Ok(self.inside().machine.clone())
    }

    async fn command(&self, command: Command) -> Result<Reply, Refusal> {
        match command {
            Command::Plan => Ok(Reply {
                plan: Some(PLAN.to_owned()),
                ..Reply::said("nothing to do\n", false)
            }),
            Command::Apply { plan } if plan.as_deref().is_some_and(|plan| plan != PLAN) => {
                Err(refusal(
                    "changed_meanwhile",
                    "the files changed",
                    "read the plan again",
                ))
            }
            Command::Apply { .. } => reply("accepted; nothing to do\n", false),
            Command::Set { changes, dry_run } => self.set(changes, dry_run),
            Command::Remove { service, dry_run } => {
                self.known(&service)?;
                if dry_run {
                    return reply(&format!("stop {service}; its data stay\n"), true);
                }
                self.change(|status| status.services.retain(|s| s.id != service.as_str()));
                self.inside().removed.push(service.as_str().to_owned());
                reply(&format!("stop {service}; its data stay\n"), true)
            }
            Command::Purge { service, .. } => self.purge(&service),
            Command::Retry { service } => {
                self.known(&service)?;
                if service.as_str() == "mint" {
                    return Err(refusal("internal", "the secret cause", "the secret hint"));
                }
                reply(&format!("{service} is tried again\n"), true)
            }
            Command::Edges => reply(
                "FROM  TO     FOR    CREDENTIAL  NETWORK\nnode  relay  nostr  -           -\n",
                false,
            ),
            Command::Audit => reply("ok    relay: confined\n", false),
            Command::Images => reply("SERVICE  IMAGE\nrelay    -\n", false),
            Command::SetImage { service, .. } => {
                self.known(&service)?;
                reply(&format!("restart {service}: image\n"), true)
            }
            Command::ImportAdvisories { .. } => reply("no advisory\n", false),
            Command::Open { lan, onion, .. } => {
                reply(&format!("network: {lan:?}, Tor: {onion:?}\n"), true)
            }
            Command::Rotate { edges, .. } => match edges.first() {
                Some(edge) => Err(refusal(
                    "unknown_edge",
                    &format!("there is no edge {edge}"),
                    "`flash-node edges` lists every edge",
                )),
                None => Err(refusal(
                    "nothing_to_rotate",
                    "no edge has a credential",
                    "`flash-node edges` lists every edge",
                )),
            },
            Command::Down => {
                self.token.cancel();
                reply("every service is being stopped\n", true)
            }
            Command::Unlock { with, .. } => self.unlock(&with),
            Command::Seal => {
                if self.inside().passphrase.is_none() {
                    return Err(refusal(
                        "vault_opens_itself",
                        "no passphrase is set",
                        "set a passphrase first: `flash-node passphrase change`",
                    ));
                }
                self.seal_state("sealed");
                reply("the vault is sealed; services go on\n", true)
            }
            Command::ChangePassphrase { with, new, .. } => {
                if self.inside().passphrase.is_some() {
                    let with = with.ok_or_else(|| {
                        refusal("wrong_passphrase", "a passphrase is set", "type it first")
                    })?;
                    self.unlock(&with)?;
                }
                self.inside().passphrase = Some(new);
                self.change(|status| {
                    status.vault.exists = true;
                    status.vault.passphrase_set = true;
                });
                self.seal_state("open");
                reply("the passphrase is set\n", true)
            }
            Command::AddKeyFile { path } => {
                std::fs::write(&path, b"\x00key\xff").map_err(|_| {
                    refusal(
                        "bad_path",
                        "the key file could not be written",
                        "name a folder that exists",
                    )
                })?;
                reply("the key file is written\n", true)
            }
        }
    }
}
