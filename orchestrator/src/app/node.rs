//! Owns the node as its faces see it: status, history, logs and the carrying out of commands.
//!
//! It does not know HTTP or a terminal. One command is carried out at a time.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;
use tokio::sync::watch;

use crate::app::edges;
use crate::app::engine::Engine;
use crate::app::images;
use crate::app::machine;
use crate::app::machine::Seen;
use crate::app::obstacles;
use crate::app::publish::Publisher;
use crate::app::publish::Sources;
use crate::app::purge;
use crate::app::refusal::internal;
use crate::app::refusal::refuse_store;
use crate::app::refusal::refuse_vault;
use crate::app::sentence::sentence;
use crate::app::services::RealServices;
use crate::app::settings;
use crate::cli::Stop;
use crate::clock::Clock;
use crate::id::ServiceId;
use crate::node::Command;
use crate::node::Event;
use crate::node::Node;
use crate::node::Refusal;
use crate::node::Reply;
use crate::node::Unlock;
use crate::reconcile::Handle;
use crate::runtime::LogLine;
use crate::runtime::LogQuery;
use crate::secret::SecretBytes;
use crate::status::NodeStatus;
use crate::store::StoreError;
use crate::store::vault::VaultError;
use crate::task::OnExit;
use crate::task::Tasks;
use crate::view::Access;
use crate::view::Advisories;
use crate::view::Edges;
use crate::view::Images;
use crate::view::Machine;
use crate::view::Removed;
use crate::view::Settings;

/// How long the answer to a command waits for the reconciler's next look.
const LONGEST_LOOK: Duration = Duration::from_secs(10);

/// What a node is made of.
pub(super) struct Parts {
    pub(super) handle: Handle,
    pub(super) services: Arc<RealServices>,
    pub(super) engine: Arc<Engine>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) data: PathBuf,
    /// Where the API listens, if it does.
    pub(super) api: Option<SocketAddr>,
    /// The ways in, as they are.
    pub(super) ways: watch::Receiver<Access>,
    /// Told when a face asks for a stop.
    pub(super) down: watch::Sender<Stop>,
    /// Told when the command line asks for one.
    pub(super) stopping: watch::Receiver<Stop>,
}

/// The node as it really is.
pub(super) struct RealNode {
    pub(super) parts: Parts,
    publisher: Arc<Publisher>,
    status: watch::Receiver<NodeStatus>,
    events: watch::Receiver<u64>,
    one_at_a_time: tokio::sync::Mutex<()>,
    /// One look at a time at the disks, for what is left of removed services.
    looks_for_left: Arc<tokio::sync::Mutex<()>>,
    machine: Seen,
}

impl RealNode {
    /// Starts publishing the status.
    pub(super) fn start(parts: Parts, tasks: &Tasks) -> Arc<Self> {
        let sources = Sources {
            services: Arc::clone(&parts.services),
            not_enforced: parts.engine.not_enforced(),
            kind: parts.services.ground.places.kind,
            api: parts.api,
            forecast: std::sync::Mutex::default(),
        };
        let publisher = Arc::new(Publisher::new(sources, parts.handle.view()));
        let (status, events) = (publisher.status.subscribe(), publisher.events.subscribe());
        let mut view = parts.handle.view();
        let publishes = Arc::clone(&publisher);
        let publishing = async move {
            while view.changed().await.is_ok() {
                publishes.publish();
            }
        };
        // It ends with the reconciler, whose end stops the node by itself.
        tasks.spawn("publish", OnExit::Done, publishing);
        let (seen, machine) = watch::channel(None);
        let looking = machine::watch(
            seen,
            Arc::clone(&parts.services),
            parts.data.clone(),
            Arc::clone(&parts.clock),
            tasks.token(),
        );
        tasks.spawn("machine", OnExit::Shutdown, looking);
        Arc::new(Self {
            parts,
            publisher,
            status,
            events,
            one_at_a_time: tokio::sync::Mutex::new(()),
            looks_for_left: Arc::default(),
            machine,
        })
    }

    /// Waits until the reconciler has looked at what is wanted now, and publishes what it saw: whoever reads the
    /// status after the answer to a command must not read what was true before it.
    async fn publish(&self) {
        let handle = &self.parts.handle;
        let mut view = handle.view();
        let follows = view.wait_for(|view| handle.is_followed_by(view));
        // A runtime that hangs holds the answer up, but not for ever.
        let _ = tokio::time::timeout(LONGEST_LOOK, follows).await;
        self.publisher.publish();
    }

    fn retry(&self, service: &ServiceId) -> Result<Reply, Refusal> {
        let at = self.parts.clock.wall();
        let state = &self.parts.services.ground.state;
        // One transaction: the reconciler writes the same record.
        let waited = state
            .transaction(|tx| {
                if !tx.records()?.contains_key(service) {
                    return Ok(None);
                }
                let mut waited = false;
                tx.update_record(service, |record| {
                    waited = record.needs_you || record.retry_at.is_some();
                    record.needs_you = false;
                    record.failures = 0;
                    record.retry_at = None;
                    record.cause = None;
                })?;
                let text = "the operator asked for another try";
                tx.append_event(Some(service), "retry", text, at)?;
                Ok::<_, StoreError>(Some(waited))
            })
            .map_err(|error| refuse_store(&error))?;
        let Some(changed) = waited else {
            let world = self.parts.services.world();
            if world.resolved.desired.services.contains_key(service) {
                return Err(Refusal {
                    code: "not_started".to_owned(),
                    message: format!(
                        "{service} was not started yet, so there is nothing to try again"
                    ),
                    hint: "`flash-node status` says what it waits for".to_owned(),
                });
            }
            return Err(Refusal {
                code: "unknown_service".to_owned(),
                message: format!("there is no service {service} to try again"),
                hint: "`flash-node status` lists the services".to_owned(),
            });
        };
        crate::fail::point("retry.noted");
        self.parts.handle.nudge();
        let text = if changed {
            format!("{service} is tried again\n")
        } else {
            format!("{service} was not waiting\n")
        };
        Ok(Reply::said(text, changed))
    }

    /// A change that arrives while services stop would start them again behind the operator's back.
    fn refuse_while_stopping(&self) -> Result<(), Refusal> {
        let asked = (*self.parts.down.borrow()).max(*self.parts.stopping.borrow());
        if asked == Stop::No {
            return Ok(());
        }
        Err(Refusal {
            code: "stopping".to_owned(),
            message: "the node is stopping; nothing was changed".to_owned(),
            hint: "ask again once it is up: `flash-node up`".to_owned(),
        })
    }

    pub(super) async fn with_vault<T: Send + 'static>(
        &self,
        act: impl FnOnce(&super::vault::VaultSeat) -> Result<T, VaultError> + Send + 'static,
    ) -> Result<T, Refusal> {
        // Argon2id takes its time: it does not hold the other tasks up.
        let seat = self.parts.services.vault.clone();
        let done = tokio::task::spawn_blocking(move || act(&seat))
            .await
            .map_err(|error| internal(&error.to_string()))?;
        let done = done.map_err(|error| refuse_vault(&error))?;
        self.parts.handle.nudge();
        Ok(done)
    }

    /// Opens the vault. A try that failed is part of the node's history: somebody may be guessing.
    async fn unlock(&self, with: Unlock, from: String) -> Result<(), Refusal> {
        let tried = match &with {
            Unlock::Passphrase(_) => "a passphrase",
            Unlock::RecoveryKey(_) => "a recovery key",
            Unlock::KeyFile(_) => "a key file",
        };
        let opened = self
            .with_vault(move |vault| vault.unlock(&with, &from))
            .await;
        // What was not looked at is none: whoever asks again and again fills no history.
        if let Some(refusal) = opened
            .as_ref()
            .err()
            .filter(|refusal| refusal.code != "too_soon")
        {
            let text = format!("the vault was not unlocked with {tried} ({})", refusal.code);
            self.note("unlock_refused", &text);
        }
        opened
    }

    async fn change_passphrase(
        &self,
        with: Option<Unlock>,
        new: SecretBytes,
        from: String,
    ) -> Result<Reply, Refusal> {
        let recovery = self
            .with_vault(move |vault| vault.change_passphrase(with.as_ref(), &new, &from))
            .await?;
        let mut text = "the passphrase is set\n".to_owned();
        if let Some(recovery) = recovery {
            let key = recovery.expose().expose_text().unwrap_or_default();
            text.push_str(&format!(
                "recovery key (write it down now; it is not shown again):\n\n  {key}\n\nwhoever holds it can open this vault\n"
            ));
            self.with_vault(|vault| vault.recovery_key_shown()).await?;
        }
        Ok(Reply::said(text, true))
    }

    pub(super) fn note(&self, code: &str, text: &str) {
        let at = self.parts.clock.wall();
        if let Err(error) = self
            .parts
            .services
            .ground
            .state
            .append_event(None, code, text, at)
        {
            tracing::warn!(%error, "an event could not be written: {text}");
        }
        self.parts.handle.nudge();
    }
}

#[async_trait]
impl Node for RealNode {
    fn status(&self) -> watch::Receiver<NodeStatus> {
        self.status.clone()
    }

    async fn events(&self, cursor: u64, limit: usize) -> Result<Vec<Event>, Refusal> {
        let found = self.parts.services.ground.state.events_after(cursor, limit);
        Ok(found.map_err(|error| refuse_store(&error))?.events)
    }

    fn events_watch(&self) -> watch::Receiver<u64> {
        self.events.clone()
    }

    async fn logs(
        &self,
        service: &ServiceId,
        query: LogQuery,
    ) -> Result<BoxStream<'static, LogLine>, Refusal> {
        let known = self
            .status
            .borrow()
            .services
            .iter()
            .any(|one| one.id == service.as_str());
        if !known {
            return Err(Refusal {
                code: "unknown_service".to_owned(),
                message: format!("there is no service {service}"),
                hint: "`flash-node status` lists the services".to_owned(),
            });
        }
        self.parts
            .engine
            .runtime()
            .logs(service, query)
            .await
            .map_err(|error| internal(&sentence(&error)))
    }

    fn settings(&self) -> Settings {
        settings::settings(&self.parts.services.world())
    }

    fn edges(&self) -> Edges {
        edges::edges(&self.parts.services.world())
    }

    async fn images(&self) -> Images {
        self.kept_images().await
    }

    async fn removed(&self) -> Result<Removed, Refusal> {
        let silent = |_| Refusal {
            code: "disk_silent".to_owned(),
            message: "the disks with the data of services do not answer".to_owned(),
            hint: "look at their mounts, then ask again".to_owned(),
        };
        let (looks, services) = (&self.looks_for_left, Arc::clone(&self.parts.services));
        let look = async {
            // A look that hangs is waited for by those after it, and no second one begins.
            let turn = Arc::clone(looks).lock_owned().await;
            let looked = tokio::task::spawn_blocking(move || {
                let _turn = turn;
                purge::left(&services)
            });
            looked
                .await
                .map_err(|error| internal(&error.to_string()))?
                .map_err(|error| refuse_store(&error))
        };
        let looked = tokio::time::timeout(obstacles::LONGEST_LOOK, look).await;
        let items = looked.map_err(silent)??;
        Ok(Removed { items })
    }

    fn access(&self) -> Access {
        self.parts.ways.borrow().clone()
    }

    async fn advisories(&self) -> Result<Advisories, Refusal> {
        self.known_advisories().await
    }

    async fn machine(&self) -> Result<Machine, Refusal> {
        machine::last(self.machine.clone()).await
    }

    async fn command(&self, command: Command) -> Result<Reply, Refusal> {
        let _turn = self.one_at_a_time.lock().await;
        if changes_services(&command) {
            self.refuse_while_stopping()?;
        }
        let looks = matches!(
            &command,
            Command::Plan | Command::Edges | Command::Audit | Command::Images
        );
        let reply = self.carry_out(command).await;
        if !looks {
            self.publish().await;
        }
        reply
    }
}

impl RealNode {
    async fn carry_out(&self, command: Command) -> Result<Reply, Refusal> {
        match command {
            Command::Plan => {
                let texts = self.texts()?;
                let plan = Some(texts.name());
                let reply = self.planned(&self.build(texts).await?)?;
                Ok(Reply { plan, ..reply })
            }
            Command::Apply { plan } => {
                let texts = self.texts()?;
                if plan.is_some_and(|read| read != texts.name()) {
                    return Err(Refusal {
                        code: "changed_meanwhile".to_owned(),
                        message:
                            "the files were changed since this plan was made; nothing was applied"
                                .to_owned(),
                        hint: "read the plan again, then apply it".to_owned(),
                    });
                }
                self.accept(self.build(texts).await?)
            }
            Command::Set { changes, dry_run } => self.set(&changes, dry_run).await,
            Command::Remove { service, dry_run } => self.remove(&service, dry_run).await,
            Command::Purge { service, confirm } => {
                let Parts {
                    handle,
                    services,
                    clock,
                    ..
                } = &self.parts;
                purge::purge(handle, services, clock, &service, &confirm).await
            }
            Command::Retry { service } => self.retry(&service),
            Command::Edges => Ok(Reply::said(
                edges::table(&edges::edges(&self.parts.services.world())),
                false,
            )),
            Command::Audit => self.audit().await,
            Command::Images => Ok(Reply::said(images::table(&self.kept_images().await), false)),
            Command::SetImage {
                service,
                image,
                dry_run,
            } => self.set_image(&service, &image, dry_run).await,
            Command::Open {
                lan,
                onion,
                dry_run,
            } => self.open_ways(lan, onion, dry_run).await,
            Command::ImportAdvisories { signed } => self.import_advisories(signed).await,
            Command::Rotate { edges, dry_run } => self.rotate(&edges, dry_run).await,
            Command::Down => {
                self.note("down", "the operator stopped the node");
                self.parts
                    .down
                    .send_modify(|stop| *stop = (*stop).max(Stop::Services));
                Ok(Reply::said(
                    "stopping every service, then the daemon\n",
                    true,
                ))
            }
            Command::Unlock { with, from } => {
                self.unlock(with, from).await?;
                self.take_external_passwords();
                self.note("unlocked", "the vault was unlocked");
                Ok(Reply::said("the vault is open\n", true))
            }
            Command::Seal => {
                self.with_vault(|vault| vault.seal()).await?;
                self.note("sealed", "the vault was sealed; services go on");
                Ok(Reply::said("the vault is sealed; services go on\n", true))
            }
            Command::ChangePassphrase { with, new, from } => {
                let reply = self.change_passphrase(with, new, from).await?;
                // The first passphrase makes the vault: only now it can hold them.
                self.take_external_passwords();
                self.note("passphrase_changed", "the passphrase was set or changed");
                Ok(reply)
            }
            Command::AddKeyFile { path } => {
                let shown = path.display().to_string();
                self.with_vault(move |vault| vault.add_key_file(&path))
                    .await?;
                self.note("key_file_added", "a key file was added");
                let text = format!(
                    "{shown} opens this vault from now on: whoever takes it and this machine has everything\n"
                );
                Ok(Reply::said(text, true))
            }
        }
    }
}

/// Whether a command changes which services run or what they hold.
fn changes_services(command: &Command) -> bool {
    match command {
        Command::Apply { .. } | Command::Purge { .. } | Command::Retry { .. } => true,
        Command::Set { dry_run, .. }
        | Command::Remove { dry_run, .. }
        | Command::Rotate { dry_run, .. }
        | Command::Open { dry_run, .. }
        | Command::SetImage { dry_run, .. } => !dry_run,
        Command::Plan
        | Command::Edges
        | Command::Audit
        | Command::Images
        | Command::ImportAdvisories { .. }
        | Command::Down
        | Command::Unlock { .. }
        | Command::Seal
        | Command::ChangePassphrase { .. }
        | Command::AddKeyFile { .. } => false,
    }
}
