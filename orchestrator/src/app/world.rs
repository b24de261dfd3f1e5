//! Owns what was accepted, read and resolved: texts on one side, specifications on the other.
//!
//! It does not know what runs. Accepting is the only way from the files in the data folder to the desired state.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use sha2::Digest;
use sha2::Sha256;

use crate::clock::UnixMillis;
use crate::id::ManifestId;
use crate::id::NodeId;
use crate::id::ServiceId;
use crate::manifest::Catalog;
use crate::manifest::choices;
use crate::manifest::choices::Choices;
use crate::manifest::error::ManifestErrors;
use crate::manifest::profile;
use crate::manifest::profile::Profile;
use crate::manifest::profile::ProfileName;
use crate::runtime::RuntimeKind;
use crate::runtime::process::version::ProcessRunner;
use crate::secret::SecretKey;
use crate::service::places::Places;
use crate::service::ports;
use crate::service::ports::PortTable;
use crate::service::programs;
use crate::service::programs::Programs;
use crate::service::programs::VersionCache;
use crate::service::resolve;
use crate::service::resolve::Inputs;
use crate::service::resolve::MemoryClass;
use crate::service::resolve::Resolved;
use crate::service::subnets;
use crate::service::subnets::SubnetError;
use crate::service::subnets::SubnetTable;
use crate::service::subnets::bridge_prefix;
use crate::store::StoreError;
use crate::store::folder;
use crate::store::folder::FolderError;
use crate::store::state::Accepted;
use crate::store::state::StateDb;

/// The name of the operator's file.
pub(crate) const CHOICES_FILE: &str = "node.toml";
/// The folder of the operator's own manifests.
pub(crate) const MANIFESTS_DIR: &str = "manifests";

/// Why texts do not make a desired state. Nothing was accepted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WorldError {
    /// A manifest, a profile or `node.toml` holds mistakes.
    #[error("{0}")]
    Texts(ManifestErrors),
    /// The texts are well-formed and cannot be brought together.
    #[error("{}", list(.0))]
    Resolve(Vec<resolve::ResolveError>),
    /// A port is taken.
    #[error(transparent)]
    Ports(#[from] ports::PortTaken),
    /// A file of the operator's cannot be read.
    #[error("{path} could not be read")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A storage root that is named for the first time cannot be used.
    #[error(transparent)]
    Storage(#[from] FolderError),
    /// There is no address plan.
    #[error(transparent)]
    Subnets(#[from] SubnetError),
    /// The node's memory cannot be read.
    #[error("the node's memory could not be read")]
    Store(#[from] StoreError),
}

impl From<ManifestErrors> for WorldError {
    fn from(errors: ManifestErrors) -> Self {
        Self::Texts(errors)
    }
}

fn list(errors: &[resolve::ResolveError]) -> String {
    errors
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

/// The texts that make a desired state, word for word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Texts {
    /// `node.toml`.
    pub(crate) choices: String,
    /// Manifests and the profile by file name, the release's and the operator's.
    pub(crate) manifests: BTreeMap<String, String>,
}

impl Texts {
    /// Reads the release's texts and the operator's files. Errors: whatever is wrong with one of them by itself.
    pub(crate) fn read(data: &Path, name: ProfileName) -> Result<Self, WorldError> {
        let path = data.join(CHOICES_FILE);
        let choices = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(source) => return Err(WorldError::Read { path, source }),
        };
        let catalog = Catalog::load(Some(&data.join(MANIFESTS_DIR)))?;
        let mut manifests: BTreeMap<String, String> = catalog
            .iter()
            .map(|(_, entry)| (entry.file.clone(), entry.text.clone()))
            .collect();
        let (file, text) = name.source();
        manifests.insert(file, text.to_owned());
        Ok(Self { choices, manifests })
    }

    /// Takes what was accepted.
    pub(crate) fn accepted(accepted: &Accepted) -> Self {
        Self {
            choices: accepted.choices.clone(),
            manifests: accepted.manifests.clone(),
        }
    }

    /// Names these texts. Shape: 64 hexadecimal digits.
    pub(crate) fn name(&self) -> String {
        let mut hash = Sha256::new();
        let mut add = |text: &str| {
            hash.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(text);
        };
        add(&self.choices);
        for (file, text) in &self.manifests {
            add(file);
            add(text);
        }
        hex::encode(hash.finalize())
    }

    /// Makes the next acceptance.
    pub(crate) fn into_accepted(self, revision: u64, at: UnixMillis) -> Accepted {
        let release = env!("CARGO_PKG_VERSION").to_owned();
        Accepted {
            revision,
            at,
            choices: self.choices,
            manifests: self.manifests,
            release,
        }
    }
}

/// What does not change while the node runs.
pub(crate) struct Ground {
    pub(crate) profile: ProfileName,
    pub(crate) places: Places,
    pub(crate) search: Vec<PathBuf>,
    pub(crate) node_id: NodeId,
    pub(crate) memory_class: MemoryClass,
    pub(crate) state: Arc<StateDb>,
    pub(crate) versions: Mutex<VersionCache>,
}

/// A desired state with everything it was made of.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) texts: Texts,
    pub(crate) profile: Profile,
    pub(crate) catalog: Catalog,
    pub(crate) choices: Choices,
    pub(crate) ports: PortTable,
    pub(crate) subnets: Option<SubnetTable>,
    pub(crate) programs: Programs,
    pub(crate) resolved: Resolved,
}

impl World {
    /// Brings `texts` together. It starts programs to read their versions: call it where blocking is allowed.
    pub(crate) fn build(ground: &Ground, texts: Texts) -> Result<Self, WorldError> {
        Self::build_with(ground, texts, BTreeMap::new())
    }

    /// Brings `texts` together like [`World::build`], as if the secrets in `newer` had these generations already.
    pub(crate) fn build_with(
        ground: &Ground,
        texts: Texts,
        newer: BTreeMap<SecretKey, u32>,
    ) -> Result<Self, WorldError> {
        let profile_file = ground.profile.file();
        let profile = match texts.manifests.get(&profile_file) {
            Some(text) => profile::parse(text, &profile_file)?,
            None => profile(ground.profile),
        };
        let manifests = texts
            .manifests
            .iter()
            .filter(|(file, _)| **file != profile_file);
        let catalog =
            Catalog::of_texts(manifests.map(|(file, text)| (file.as_str(), text.as_str())))?;
        let choices = choices::read(&catalog, &profile, &texts.choices, CHOICES_FILE)?;
        let kind = ground.places.kind;
        let requests = ports::requests(&profile, &choices, &catalog, kind);
        let mut kept = PortTable::default();
        for ((service, name), port) in ground.state.ports()? {
            kept.insert(service, name, port);
        }
        let ports = ports::assign(&requests, &kept, profile.next_free_port, &ports::bindable)?;
        let needed: BTreeSet<ManifestId> = catalog.iter().map(|(id, _)| id.clone()).collect();
        let mut programs = {
            let mut cache = ground
                .versions
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            programs::find(
                &catalog,
                &needed,
                &ground.search,
                &ProcessRunner,
                &mut cache,
            )
        };
        if kind == RuntimeKind::Docker {
            let mut cache = ground
                .versions
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            programs.take_digests(&catalog, &ground.search, &mut cache);
        }
        let mut generations = ground.state.generations()?;
        generations.extend(newer);
        let mut inputs = Inputs {
            profile: &profile,
            choices: &choices,
            catalog: &catalog,
            ports: &ports,
            subnets: None,
            generations: &generations,
            places: &ground.places,
            programs: &programs,
            memory_class: ground.memory_class,
            node_id: ground.node_id.as_str(),
        };
        let subnets = match kind {
            RuntimeKind::Docker => Some(plan_addresses(ground, &inputs)?),
            RuntimeKind::Process | RuntimeKind::Fake => None,
        };
        inputs.subnets = subnets.as_ref();
        let resolved = resolve::resolve_with_scopes(&inputs).map_err(WorldError::Resolve)?;
        Ok(Self {
            texts,
            profile,
            catalog,
            choices,
            ports,
            subnets,
            programs,
            resolved,
        })
    }

    /// Returns what people call a service that is part of the node no more. Most are called after their manifest; of
    /// what else is gone nobody knows the title.
    pub(crate) fn title_left(&self, service: &ServiceId) -> String {
        let manifest = ManifestId::new(service.as_str()).ok();
        let manifest = manifest.and_then(|manifest| self.catalog.get(&manifest));
        manifest.map_or_else(|| service.to_string(), |manifest| manifest.title.clone())
    }

    /// Returns the operator's storage roots.
    pub(crate) fn storage_roots(&self) -> impl Iterator<Item = &Path> {
        self.choices
            .storage
            .values()
            .map(|root| root.path.as_path())
    }

    /// Marks the storage roots that the operator names for the first time. One that was accepted before is never
    /// marked again: without its mark its disk is not mounted.
    pub(crate) fn mark_new_storage(
        &self,
        ground: &Ground,
        at: UnixMillis,
    ) -> Result<(), WorldError> {
        let mut known: BTreeSet<PathBuf> = BTreeSet::new();
        for accepted in ground.state.history()? {
            // What an older release accepted may be unreadable to this one: then its roots are not known.
            if let Ok(choices) = choices::parse(&accepted.choices, CHOICES_FILE) {
                known.extend(choices.storage.into_values().map(|root| root.path));
            }
        }
        for root in self.storage_roots().filter(|root| !known.contains(*root)) {
            folder::accept_storage_root(root, &ground.node_id, at)?;
        }
        Ok(())
    }

    /// Writes down the ports that were chosen, for services that came to be installed since.
    pub(crate) fn keep_ports(&self, ground: &Ground) -> Result<(), StoreError> {
        ground.state.transaction(|tx| {
            for (service, name, port) in self.ports.iter() {
                tx.keep_port(service, name, port)?;
            }
            if let Some(subnets) = &self.subnets {
                tx.keep_subnets(subnets)?;
            }
            Ok::<(), StoreError>(())
        })
    }

    /// Writes the acceptance down with the ports that it chose, all or nothing.
    pub(crate) fn accept(&self, ground: &Ground, at: UnixMillis) -> Result<u64, StoreError> {
        let revision = ground
            .state
            .accepted()?
            .map_or(1, |accepted| accepted.revision + 1);
        let accepted = self.texts.clone().into_accepted(revision, at);
        ground.state.transaction(|tx| {
            tx.accept(&accepted)?;
            for (service, name, port) in self.ports.iter() {
                tx.keep_port(service, name, port)?;
            }
            if let Some(subnets) = &self.subnets {
                tx.keep_subnets(subnets)?;
            }
            tx.append_event(
                None,
                "accepted",
                &format!("revision {revision} of the desired state was accepted"),
                at,
            )?;
            Ok::<(), StoreError>(())
        })?;
        Ok(revision)
    }
}

/// Chooses the pool and the network of every edge. Errors: [`WorldError`].
fn plan_addresses(ground: &Ground, inputs: &Inputs<'_>) -> Result<SubnetTable, WorldError> {
    let edges = resolve::networks(inputs).map_err(WorldError::Resolve)?;
    let kept = ground.state.subnets()?;
    let path = PathBuf::from("/proc/net/route");
    let text =
        std::fs::read_to_string(&path).map_err(|source| WorldError::Read { path, source })?;
    let own = bridge_prefix(&ground.node_id);
    let routes = subnets::routes(&text, |interface| interface.starts_with(&own));
    let pool = subnets::choose_pool(
        inputs.choices.network.pool,
        kept.as_ref().map(|table| table.pool),
        &routes,
    )?;
    if let Some(route) = subnets::overlapping(pool, &routes) {
        tracing::warn!(
            "the address pool {pool} of this node overlaps {}, which this machine reaches over {} by now: one of the two does not reach everything; another pool is named in node.toml, [network]",
            route.to,
            route.interface
        );
    }
    Ok(subnets::assign(&edges, kept.as_ref(), pool)?)
}

#[cfg(test)]
mod tests;
