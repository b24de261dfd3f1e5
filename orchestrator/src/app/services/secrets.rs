//! Owns the secrets of services: each is made once, taken from a file of the operator's, or missed by name.
//!
//! It does not know how a secret is kept (`store::vault`).

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::app::services::RealServices;
use crate::app::world::World;
use crate::reconcile::observed::Obstacle;
use crate::reconcile::services::Services;
use crate::secret::SecretBytes;
use crate::secret::SecretKey;
use crate::secret::SecretRef;
use crate::secret::SecretSource;
use crate::service::credential;
use crate::service::credential::SecretOrigin;
use crate::service::spec::ServiceSpec;
use crate::store::vault::VaultError;

impl RealServices {
    /// Makes every secret that `wants` names, once, and keeps its generation.
    pub(super) fn make_secrets(
        &self,
        world: &World,
        wants: impl Fn(&SecretKey) -> bool,
    ) -> Result<(), Obstacle> {
        let generations = self.ground.state.generations().map_err(|error| Obstacle {
            code: "state_unreadable".to_owned(),
            text: format!("the generations of secrets could not be read: {error}"),
        })?;
        let needs =
            credential::needed_secrets(&world.resolved.desired, &world.catalog, &world.choices);
        for need in needs.into_iter().filter(|need| wants(&need.key)) {
            let promised = generations.get(&need.key).copied();
            let value = match &need.origin {
                SecretOrigin::Made(make) => credential::make(*make, &*self.entropy),
                SecretOrigin::ReadFrom(path) if promised.is_none() => Some(read_password(path)?),
                SecretOrigin::ReadFrom(_) => None,
            };
            let made = self
                .vault
                .ensure(&need.key, promised, || {
                    value.unwrap_or_else(|| SecretBytes::new(Vec::new()))
                })
                .map_err(|error| no_secret(&need.key, &error))?;
            crate::fail::point("secret.made");
            if promised != Some(made.generation) {
                self.ground
                    .state
                    .keep_generation(&need.key, made.generation)
                    .map_err(|error| Obstacle {
                        code: "state_unwritable".to_owned(),
                        text: format!(
                            "the generation of {} could not be written: {error}",
                            need.key
                        ),
                    })?;
                crate::fail::point("secret.promised");
            }
        }
        Ok(())
    }

    /// Reads the passwords of the operator's own servers into the vault, once each.
    pub(in crate::app) fn take_external_passwords(&self) -> Result<(), Obstacle> {
        self.make_secrets(&self.world(), |key| key.0.starts_with("external/"))
    }

    /// A secret that was promised and is not in the open vault: nothing is made in its place.
    pub(super) fn missing_secret(&self, spec: &ServiceSpec) -> Option<Obstacle> {
        if self.sealed() {
            return None;
        }
        let generations = self.ground.state.generations().ok()?;
        for secret in secrets_of(spec) {
            if !generations.contains_key(&secret.key) {
                continue;
            }
            if let Err(error) = self.vault.secret(&secret) {
                return Some(Obstacle {
                    code: "secret_missing".to_owned(),
                    text: format!(
                        "{error}; restore vault.db from a backup: nothing is made in its place"
                    ),
                });
            }
        }
        None
    }
}

/// Every secret that a specification names: as a file, in a text, or as an edge's credential.
pub(super) fn secrets_of(spec: &ServiceSpec) -> BTreeSet<SecretRef> {
    let files = spec.secrets.values().cloned();
    let consumed = spec.edges.iter().filter_map(|edge| edge.credential.clone());
    let provided = spec
        .consumers
        .iter()
        .filter_map(|consumer| consumer.credential.clone());
    files.chain(consumed).chain(provided).collect()
}

fn read_password(path: &PathBuf) -> Result<SecretBytes, Obstacle> {
    let text = std::fs::read_to_string(path).map_err(|error| Obstacle {
        code: "password_file_unreadable".to_owned(),
        text: format!("{} could not be read: {error}", path.display()),
    })?;
    Ok(SecretBytes::from(
        text.trim_end_matches(['\r', '\n']).to_owned(),
    ))
}

fn no_secret(key: &SecretKey, error: &VaultError) -> Obstacle {
    let code = match error {
        VaultError::Sealed => "sealed",
        VaultError::Missing { .. } => "secret_missing",
        _ => "vault_unreadable",
    };
    Obstacle {
        code: code.to_owned(),
        text: format!("{key}: {error}"),
    }
}
