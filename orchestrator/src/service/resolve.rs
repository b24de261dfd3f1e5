//! Owns the way from manifests, profile and operator's choices to the desired state: pure, total, deterministic.
//!
//! It does not know what runs, reads no file and asks no clock; every fact it needs is in [`Inputs`].

pub(crate) mod bond;
pub(crate) mod compose;
mod error;
mod held;
mod net;
mod scope;
mod spec;

use std::collections::BTreeMap;
use std::collections::BTreeSet;

pub use error::Problem;
pub use error::ResolveError;

use crate::id::EdgeId;
use crate::id::ServiceId;
use crate::manifest::Catalog;
use crate::manifest::choices::Choices;
use crate::manifest::profile::Profile;
use crate::manifest::schema::MemoryByClass;
use crate::secret::SecretKey;
use crate::secret::SecretRef;
use crate::service::desired::Desired;
use crate::service::places::Places;
use crate::service::ports::PortTable;
use crate::service::programs::Programs;
use crate::service::render::Scope;
use crate::service::subnets::SubnetTable;

/// Everything that decides what should run.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// The profile.
    pub profile: &'a Profile,
    /// The operator's choices.
    pub choices: &'a Choices,
    /// Every known manifest.
    pub catalog: &'a Catalog,
    /// Port numbers, chosen by `ports::assign`.
    pub ports: &'a PortTable,
    /// The network of each edge, chosen by `subnets::assign`; nothing where services share the machine's.
    pub subnets: Option<&'a SubnetTable>,
    /// The newest generation of each secret that was rotated or captured; 1 where nothing is said.
    pub generations: &'a BTreeMap<SecretKey, u32>,
    /// Where files and folders lie.
    pub places: &'a Places,
    /// Which programs the machine has.
    pub programs: &'a Programs,
    /// The machine's memory.
    pub memory_class: MemoryClass,
    /// The node's id.
    pub node_id: &'a str,
}

impl Inputs<'_> {
    /// Returns `key` at its newest generation.
    pub(crate) fn secret(&self, key: SecretKey) -> SecretRef {
        let generation = self.generations.get(&key).copied().unwrap_or(1);
        SecretRef { key, generation }
    }
}

/// A machine's memory, in three classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemoryClass {
    /// Up to 4 GiB.
    Small,
    /// Up to 8 GiB.
    Medium,
    /// Over 8 GiB.
    Large,
}

impl MemoryClass {
    /// Classes a machine with `mib` MiB of memory.
    #[must_use]
    pub fn of_mib(mib: u64) -> Self {
        match mib {
            0..=4_096 => Self::Small,
            4_097..=8_192 => Self::Medium,
            _ => Self::Large,
        }
    }

    /// Returns what `limits` gives this class. Units: MiB.
    #[must_use]
    pub fn pick(self, limits: MemoryByClass) -> u32 {
        let MemoryByClass {
            small,
            medium,
            large,
        } = limits;
        match self {
            Self::Small => small,
            Self::Medium => medium,
            Self::Large => large,
        }
    }
}

/// The desired state, and for each service that runs the variables of its templates, for probes and init jobs.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolved {
    /// What should run.
    pub desired: Desired,
    /// Variables by service; services that do not run, or not here, have none.
    pub scopes: BTreeMap<ServiceId, Scope>,
}

/// Resolves `inputs` into the desired state. Errors: everything that is wrong, in a stable order.
pub fn resolve(inputs: &Inputs<'_>) -> Result<Desired, Vec<ResolveError>> {
    resolve_with_scopes(inputs).map(|resolved| resolved.desired)
}

/// Resolves `inputs` like [`resolve`] and keeps the variables of each service.
pub fn resolve_with_scopes(inputs: &Inputs<'_>) -> Result<Resolved, Vec<ResolveError>> {
    let Ties { parts, bonds, held } = ties(inputs)?;
    let mut errors = Vec::new();
    let plot = scope::Plot {
        inputs,
        parts: &parts,
        bonds: &bonds,
        held: &held,
    };
    let mut resolved = Resolved {
        desired: Desired {
            network: inputs.profile.network,
            services: BTreeMap::new(),
        },
        scopes: BTreeMap::new(),
    };
    for (service, part) in &parts {
        match spec::desired_service(&plot, service, part) {
            Ok((desired, scope)) => {
                resolved.desired.services.insert(service.clone(), desired);
                if let Some(scope) = scope {
                    resolved.scopes.insert(service.clone(), scope);
                }
            }
            Err(problems) => errors.extend(problems),
        }
    }
    if errors.is_empty() {
        Ok(resolved)
    } else {
        Err(sorted(errors))
    }
}

/// Lists every edge that needs a network of its own, for `subnets::assign`. Errors: as [`resolve`].
pub fn networks(inputs: &Inputs<'_>) -> Result<BTreeSet<EdgeId>, Vec<ResolveError>> {
    let Ties { parts, bonds, held } = ties(inputs)?;
    let plot = scope::Plot {
        inputs,
        parts: &parts,
        bonds: &bonds,
        held: &held,
    };
    Ok(plot.networks())
}

/// Who runs, and who calls whom.
struct Ties<'a> {
    parts: BTreeMap<ServiceId, compose::Part<'a>>,
    bonds: bond::Bonds<'a>,
    held: BTreeMap<ServiceId, held::Held>,
}

fn ties<'a>(inputs: &Inputs<'a>) -> Result<Ties<'a>, Vec<ResolveError>> {
    let (parts, mut errors) = compose::compose(inputs.profile, inputs.choices, inputs.catalog);
    compose::check_choices(&parts, inputs.choices, &mut errors);
    let bonds = bond::tie(inputs, &parts, &mut errors);
    if !errors.is_empty() {
        return Err(sorted(errors));
    }
    let held = held::judge(inputs, &parts, &bonds);
    Ok(Ties { parts, bonds, held })
}

fn sorted(mut errors: Vec<ResolveError>) -> Vec<ResolveError> {
    errors.sort_by_cached_key(|error| (error.service.clone(), error.to_string()));
    errors.dedup();
    errors
}

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;
