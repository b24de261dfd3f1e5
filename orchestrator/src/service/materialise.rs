//! Owns the last moment before a start: a specification and the vault's values become a [`Unit`].
//!
//! It does not know how a unit is run, and keeps no value.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::id::ServiceId;
use crate::runtime::Mount;
use crate::runtime::RuntimeKind;
use crate::runtime::Unit;
use crate::secret::SecretBytes;
use crate::secret::SecretKey;
use crate::secret::SecretRef;
use crate::secret::SecretSource;
use crate::secret::SecretUnavailable;
use crate::service::credential;
use crate::service::hash::spec_hash;
use crate::service::marker;
use crate::service::marker::Form;
use crate::service::marker::MarkerError;
use crate::service::places::Places;
use crate::service::programs::Programs;
use crate::service::spec::ServiceSpec;

/// Why a service cannot be made ready to start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MaterialiseError {
    /// The vault is sealed, and the service needs a secret.
    #[error("{service} waits for the vault to be unlocked: it needs {secret}")]
    Sealed {
        /// The service.
        service: ServiceId,
        /// The first secret that it needs.
        secret: SecretKey,
    },
    /// The vault is open and does not hold a secret. Nothing is made in its place.
    #[error("{service} cannot start: the vault does not hold {} in generation {}", secret.key, secret.generation)]
    Missing {
        /// The service.
        service: ServiceId,
        /// The secret.
        secret: SecretRef,
    },
    /// The vault could not be read.
    #[error("{service} cannot start: the vault could not give {secret} ({why})")]
    Unreadable {
        /// The service.
        service: ServiceId,
        /// The secret.
        secret: SecretKey,
        /// Why.
        why: String,
    },
    /// A secret's value would break out of its place in a file.
    #[error(
        "{service} cannot start: {secret} holds a control character or is not text, and {file} is a text file"
    )]
    UnfitSecret {
        /// The service.
        service: ServiceId,
        /// The secret.
        secret: SecretKey,
        /// The file.
        file: String,
    },
    /// The program is not there.
    #[error("{service} cannot start: its program `{command}` is not installed")]
    NoProgram {
        /// The service.
        service: ServiceId,
        /// The program.
        command: String,
    },
    /// The specification holds a marker where no secret may stand, or a broken one.
    #[error("{service} cannot start: {place} holds a marker that is broken or out of place")]
    Marker {
        /// The service.
        service: ServiceId,
        /// Where.
        place: String,
    },
}

/// Makes `spec` ready to start: fills in secrets, and makes every path absolute. Errors: [`MaterialiseError`].
pub fn unit(
    spec: &ServiceSpec,
    secrets: &dyn SecretSource,
    programs: &Programs,
    uid: Option<u32>,
    places: &Places,
) -> Result<Unit, MaterialiseError> {
    let service = &spec.id;
    for (place, text) in exposed(spec) {
        if marker::holds_marker(text) {
            let service = service.clone();
            return Err(MaterialiseError::Marker { service, place });
        }
    }
    let mut files = BTreeMap::new();
    for (name, text) in &spec.files {
        let filled = fill_file(service, name, text, secrets)?;
        files.insert(name.clone(), SecretBytes::from(filled));
    }
    for (name, secret) in &spec.secrets {
        files.insert(name.clone(), value(service, secret, secrets)?);
    }
    Ok(Unit {
        service: service.clone(),
        spec_hash: spec_hash(spec),
        program: program(service, &spec.program.command, programs, places)?,
        image: None,
        folder: spec.program.folder.as_ref().map(PathBuf::from),
        args: spec.program.args.clone(),
        env: spec.program.env.clone(),
        files,
        volumes: spec
            .volumes
            .iter()
            .map(|(name, volume)| Mount {
                on_host: volume.path.clone(),
                inside: places.volume_for_program(name, &volume.path),
            })
            .collect(),
        addresses: spec
            .listeners
            .iter()
            .map(|(name, at)| (name.clone(), SocketAddr::new(at.host, at.port)))
            .collect(),
        network: spec.network.clone(),
        stop: spec.stop,
        limits: spec.limits,
        uid,
    })
}

/// Returns the path of a program of `service`, for the runtime of the data folder. Errors: it is not there.
pub fn program(
    service: &ServiceId,
    command: &str,
    programs: &Programs,
    places: &Places,
) -> Result<PathBuf, MaterialiseError> {
    let found = match places.kind {
        RuntimeKind::Process => programs.path(command).map(PathBuf::from),
        // The image or the fake finds the program by its name.
        RuntimeKind::Docker | RuntimeKind::Fake => Some(PathBuf::from(command)),
    };
    found.ok_or_else(|| MaterialiseError::NoProgram {
        service: service.clone(),
        command: command.to_owned(),
    })
}

/// Fills the secrets into any text of `service`, such as the body of an init job's question. Errors: [`MaterialiseError`].
pub fn fill(
    service: &ServiceId,
    place: &str,
    text: &str,
    secrets: &dyn SecretSource,
) -> Result<SecretBytes, MaterialiseError> {
    fill_file(service, place, text, secrets).map(SecretBytes::from)
}

fn exposed(spec: &ServiceSpec) -> impl Iterator<Item = (String, &str)> {
    let args = (1..)
        .zip(&spec.program.args)
        .map(|(number, arg)| (format!("argument {number}"), arg.as_str()));
    let env = spec
        .program
        .env
        .iter()
        .map(|(name, value)| (format!("environment variable {name}"), value.as_str()));
    args.chain(env)
}

enum Failure {
    Marker,
    Materialise(MaterialiseError),
}

impl From<MarkerError> for Failure {
    fn from(_: MarkerError) -> Self {
        Self::Marker
    }
}

fn fill_file(
    service: &ServiceId,
    file: &str,
    text: &str,
    secrets: &dyn SecretSource,
) -> Result<String, MaterialiseError> {
    let filled = marker::fill(text, |secret, form| {
        let bytes = value(service, secret, secrets).map_err(Failure::Materialise)?;
        formed(&bytes, form).ok_or_else(|| {
            Failure::Materialise(MaterialiseError::UnfitSecret {
                service: service.clone(),
                secret: secret.key.clone(),
                file: file.to_owned(),
            })
        })
    });
    filled.map_err(|failure| match failure {
        Failure::Materialise(error) => error,
        Failure::Marker => MaterialiseError::Marker {
            service: service.clone(),
            place: file.to_owned(),
        },
    })
}

/// Writes a value in a marker's form. Nothing where it could end the line or the setting that it stands in.
fn formed(bytes: &SecretBytes, form: Form) -> Option<String> {
    match form {
        Form::Plain => bytes
            .expose_text()
            .filter(|text| !text.contains(char::is_control))
            .map(str::to_owned),
        Form::Base64 => Some(STANDARD.encode(bytes.expose())),
        Form::Rpcauth => Some(credential::rpcauth(bytes)),
    }
}

fn value(
    service: &ServiceId,
    secret: &SecretRef,
    secrets: &dyn SecretSource,
) -> Result<SecretBytes, MaterialiseError> {
    let service = service.clone();
    secrets.secret(secret).map_err(|why| match why {
        SecretUnavailable::Sealed => MaterialiseError::Sealed {
            service,
            secret: secret.key.clone(),
        },
        SecretUnavailable::Missing(_) => MaterialiseError::Missing {
            service,
            secret: secret.clone(),
        },
        SecretUnavailable::Unreadable(why) => MaterialiseError::Unreadable {
            service,
            secret: secret.key.clone(),
            why,
        },
    })
}

#[cfg(test)]
mod tests;
