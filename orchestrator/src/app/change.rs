//! Owns a change of what is desired: from the files of the operator to a plan, and from a plan to what was accepted.
//!
//! It does not know who asks, nor what a command is.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::app::moved;
use crate::app::moved::Moved;
use crate::app::node::RealNode;
use crate::app::pending;
use crate::app::refusal::internal;
use crate::app::refusal::refuse_moved;
use crate::app::refusal::refuse_set;
use crate::app::refusal::refuse_store;
use crate::app::refusal::refuse_world;
use crate::app::world::CHOICES_FILE;
use crate::app::world::Texts;
use crate::app::world::World;
use crate::id::ServiceId;
use crate::manifest::choices;
use crate::manifest::choices::SetError;
use crate::node::Change;
use crate::node::Refusal;
use crate::node::Reply;
use crate::reconcile::plan::plan;
use crate::reconcile::step::Step;
use crate::secret::SecretKey;
use crate::store::durable;

impl RealNode {
    pub(super) async fn build(&self, texts: Texts) -> Result<World, Refusal> {
        self.build_with(texts, BTreeMap::new()).await
    }

    /// Builds what `texts` make, as if the secrets in `newer` had these generations already.
    pub(super) async fn build_with(
        &self,
        texts: Texts,
        newer: BTreeMap<SecretKey, u32>,
    ) -> Result<World, Refusal> {
        let ground = Arc::clone(&self.parts.services.ground);
        tokio::task::spawn_blocking(move || World::build_with(&ground, texts, newer))
            .await
            .map_err(|error| internal(&error.to_string()))?
            .map_err(|error| refuse_world(&error))
    }

    pub(super) fn texts(&self) -> Result<Texts, Refusal> {
        Texts::read(&self.parts.data, self.parts.services.ground.profile)
            .map_err(|error| refuse_world(&error))
    }

    /// Plans for `world` against what was seen last. Errors: nobody can say now what runs.
    pub(super) fn planned(&self, world: &World) -> Result<Reply, Refusal> {
        let view = self.parts.handle.view().borrow().clone();
        if let Some(problem) = view.problem.as_ref().filter(|_| view.unseen()) {
            return Err(Refusal {
                code: problem.code.clone(),
                message: format!("no plan can be made: {}", problem.text),
                hint: "try again once it answers; nothing was changed".to_owned(),
            });
        }
        let due = plan(&world.resolved.desired, &view.observed);
        let changed = !due.nothing_due() || world.texts != self.parts.services.world().texts;
        let mut text = due.to_string();
        for moved in self.moved(world) {
            text.push_str(&format!("{}\n", moved.line()));
        }
        Ok(Reply {
            steps: due.steps.iter().map(Step::planned).collect(),
            ..Reply::said(text, changed)
        })
    }

    fn moved(&self, world: &World) -> Vec<Moved> {
        let services = &self.parts.services;
        moved::moved(&services.ground.places, &services.world(), world)
    }

    pub(super) fn accept(&self, world: World) -> Result<Reply, Refusal> {
        let reply = self.planned(&world)?;
        if let Some(moved) = self.moved(&world).iter().find(|moved| moved.protected) {
            return Err(refuse_moved(moved));
        }
        let services = &self.parts.services;
        if world.texts == services.world().texts {
            // Nothing new in the files; programs may have come or gone.
            services.replace(Arc::new(world));
        } else {
            let at = self.parts.clock.wall();
            world
                .mark_new_storage(&services.ground, at)
                .map_err(|error| refuse_world(&error))?;
            world
                .accept(&services.ground, at)
                .map_err(|error| refuse_store(&error))?;
            crate::fail::point("apply.accepted");
            services.replace(Arc::new(world));
        }
        self.take_external_passwords();
        self.parts
            .handle
            .want(services.world().resolved.desired.clone());
        Ok(reply)
    }

    /// Takes the passwords of the operator's own servers into the vault wherever it is open.
    pub(super) fn take_external_passwords(&self) {
        if let Err(obstacle) = self.parts.services.take_external_passwords() {
            tracing::warn!(
                code = obstacle.code,
                "passwords of external services were not taken: {}",
                obstacle.text
            );
        }
    }

    pub(super) async fn set(&self, changes: &[Change], dry_run: bool) -> Result<Reply, Refusal> {
        let world = self.parts.services.world();
        let mut values = Vec::new();
        for change in changes {
            let value = choices::value(
                &world.catalog,
                &world.profile,
                &world.choices,
                &change.service,
                &change.setting,
                &change.value,
            )
            .map_err(|error| refuse_set(&error))?;
            values.push((&change.service, &change.setting, value));
        }
        let texts = self.edited(|text| {
            values
                .iter()
                .try_fold(text.to_owned(), |text, (service, setting, value)| {
                    choices::set(&text, service, setting, value)
                })
        })?;
        self.change(texts, dry_run).await
    }

    /// Reads the files and edits `node.toml`. Errors: where they hold changes that nobody applied, which would be
    /// accepted along with the edit although nobody asked for them.
    pub(super) fn edited(
        &self,
        edit: impl Fn(&str) -> Result<String, SetError>,
    ) -> Result<Texts, Refusal> {
        let mut texts = self.texts()?;
        let edited = edit(&texts.choices).map_err(|error| refuse_set(&error))?;
        let pending = pending::files(&texts, &self.parts.services.world().texts, edit);
        if !pending.is_empty() {
            let verb = if pending.len() == 1 { "holds" } else { "hold" };
            return Err(Refusal {
                code: "pending_changes".to_owned(),
                message: format!(
                    "{} {verb} changes that were not applied yet",
                    pending.join(" and ")
                ),
                hint: "look with `flash-node plan`, then `flash-node apply`, or undo them"
                    .to_owned(),
            });
        }
        texts.choices = edited;
        Ok(texts)
    }

    /// Brings changed choices to a plan; writes and accepts them unless it is only asked about.
    pub(super) async fn change(&self, texts: Texts, dry_run: bool) -> Result<Reply, Refusal> {
        let written = texts.choices.clone();
        let world = self.build(texts).await?;
        if dry_run {
            return self.planned(&world);
        }
        let write = |text: &str| {
            let path = self.parts.data.join(CHOICES_FILE);
            durable::write(&path, text.as_bytes(), 0o600)
        };
        let before = self.texts()?.choices;
        write(&written).map_err(|error| refuse_store(&error))?;
        crate::fail::point("set.written");
        let accepted = self.accept(world);
        if accepted.is_err()
            && let Err(error) = write(&before)
        {
            tracing::warn!(%error, "node.toml keeps a change that was not accepted");
        }
        accepted
    }

    /// Opens ways in, or closes them; of what is not said nothing changes. For the one by Tor the service Tor changes.
    pub(super) async fn open_ways(
        &self,
        lan: Option<bool>,
        onion: Option<bool>,
        dry_run: bool,
    ) -> Result<Reply, Refusal> {
        let texts = self.edited(|text| {
            let text =
                lan.map_or_else(|| Ok(text.to_owned()), |lan| choices::set_lan(text, lan))?;
            onion.map_or(Ok(text.clone()), |onion| choices::set_onion(&text, onion))
        })?;
        let mut reply = self.change(texts, dry_run).await?;
        let port = self.parts.services.world().choices.access.lan_port();
        let reaches = if dry_run { "would reach" } else { "reaches" };
        let network = lan.map(|lan| if lan {
            format!(
                "your own network {reaches} the node by HTTPS on port {port}, at this machine's private addresses; `flash-node access` shows how\n"
            )
        } else {
            format!("nobody of your network {reaches} the node\n")
        });
        let tor = onion.map(|onion| if onion {
            format!(
                "whoever knows its onion address {reaches} the node through Tor; `flash-node access` shows the address once there is one\n"
            )
        } else {
            format!("nobody {reaches} the node through Tor; its onion address is kept\n")
        });
        reply.text.extend(network.into_iter().chain(tor));
        reply.changed |= !dry_run;
        Ok(reply)
    }

    pub(super) async fn remove(
        &self,
        service: &ServiceId,
        dry_run: bool,
    ) -> Result<Reply, Refusal> {
        if !self
            .parts
            .services
            .world()
            .resolved
            .desired
            .services
            .contains_key(service)
        {
            return Err(Refusal {
                code: "unknown_service".to_owned(),
                message: format!("there is no service {service} to remove"),
                hint: "`flash-node status` lists the services".to_owned(),
            });
        }
        let texts = self.edited(|text| choices::leave_out(text, service))?;
        let mut reply = self.change(texts, dry_run).await?;
        reply.text.push_str(&format!(
            "its data stay; `flash-node purge {service}` deletes them\nto bring it back: `enabled = true` under [services.{service}] in node.toml, then `flash-node apply`\n"
        ));
        Ok(reply)
    }
}
