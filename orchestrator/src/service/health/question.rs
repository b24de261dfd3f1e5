//! Owns the way from a manifest's probe to a question: address, credential, rendered texts, certificate.
//!
//! A text gets the values of just those secrets that it reads, and they are wiped from its variables afterwards. What
//! the template engine says of a failure is dropped, for it may quote a value.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use serde_json::json;
use zeroize::Zeroize;
use zeroize::Zeroizing;

use super::HealthTarget;
use super::NodeCredential;
use super::judge::Asked;
use super::judge::Withheld;
use crate::id::Name;
use crate::manifest::schema::Ask;
use crate::manifest::schema::CredentialKind;
use crate::manifest::schema::HttpMethod;
use crate::manifest::schema::Manifest;
use crate::manifest::schema::Probe;
use crate::manifest::schema::ProviderFile;
use crate::manifest::template;
use crate::secret::SecretBytes;
use crate::secret::SecretKey;
use crate::secret::SecretRef;
use crate::secret::SecretSource;
use crate::secret::SecretUnavailable;
use crate::service::marker;
use crate::service::marker::Form;
use crate::service::marker::MarkerError;
use crate::service::probe::Answer;
use crate::service::probe::Asking;
use crate::service::probe::Credential;
use crate::service::probe::PinnedCertificate;
use crate::service::probe::ProbeError;
use crate::service::probe::Question;
use crate::service::volume_file;

/// Longest certificate or cookie file. Units: bytes.
const MAX_FILE: u64 = 64 * 1024;

/// Why a probe does not become a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::service) enum Unasked {
    /// It says nothing about the service.
    Withheld(Withheld),
    /// It stands for the absence of an answer.
    Missing(ProbeError),
}

impl From<Unasked> for Asked {
    fn from(unasked: Unasked) -> Self {
        match unasked {
            Unasked::Withheld(why) => Self::Withheld(why),
            Unasked::Missing(error) => Self::Answer(Answer::missing(error)),
        }
    }
}

impl From<SecretUnavailable> for Unasked {
    fn from(error: SecretUnavailable) -> Self {
        Self::Withheld(match error {
            SecretUnavailable::Sealed => Withheld::Sealed,
            SecretUnavailable::Missing(_) => Withheld::SecretMissing,
            SecretUnavailable::Unreadable(_) => Withheld::VaultUnreadable,
        })
    }
}

impl From<MarkerError> for Unasked {
    fn from(_: MarkerError) -> Self {
        Self::Missing(ProbeError::Question)
    }
}

/// Who is asked: the service itself, or the provider at the end of an edge.
struct Party<'a> {
    address: SocketAddr,
    manifest: &'a Manifest,
    node_credentials: &'a BTreeMap<Name, NodeCredential>,
    volumes: &'a BTreeMap<Name, PathBuf>,
    variables: &'a Value,
}

/// Decides a question. `own_secrets` are the service's own, those captured just now included.
pub(in crate::service) async fn resolve(
    target: &HealthTarget<'_>,
    own_secrets: &BTreeMap<Name, SecretRef>,
    probe: &Probe,
    secrets: &dyn SecretSource,
) -> Result<Question, Unasked> {
    let party = party(target, probe)?;
    let texts = Texts {
        target,
        own_secrets,
        secrets,
    };
    let (mut ask, pin) = asking(&probe.ask, &texts)?;
    if let (Asking::Http { pinned, .. }, Some(pin)) = (&mut ask, pin) {
        *pinned = Some(certificate(&party, pin).await?);
    }
    let credential = match &probe.credential {
        Some(name) => credential(&party, name, &mut ask, secrets).await?,
        None => None,
    };
    Ok(Question {
        address: party.address,
        credential,
        ask,
        timeout: Duration::from_millis(u64::from(probe.timeout_ms)),
    })
}

fn party<'a>(target: &'a HealthTarget<'_>, probe: &Probe) -> Result<Party<'a>, Unasked> {
    if let Some(edge) = &probe.edge {
        let provider = target
            .providers
            .get(edge)
            .ok_or(Unasked::Withheld(Withheld::NoProvider))?;
        return Ok(Party {
            address: provider.address,
            manifest: provider.manifest,
            node_credentials: &provider.node_credentials,
            volumes: &provider.volumes,
            variables: &provider.variables,
        });
    }
    let address = probe
        .port
        .as_ref()
        .and_then(|port| target.addresses.get(port))
        .ok_or(unaskable())?;
    Ok(Party {
        address: *address,
        manifest: target.manifest,
        node_credentials: &target.node_credentials,
        volumes: &target.volumes,
        variables: &target.variables,
    })
}

/// Finds out who the node is at `party`: by the vault, or by the file that only the provider can make.
async fn credential(
    party: &Party<'_>,
    name: &Name,
    ask: &mut Asking,
    secrets: &dyn SecretSource,
) -> Result<Option<Credential>, Unasked> {
    let interface = party.manifest.interfaces.get(name);
    let file = interface
        .filter(|interface| interface.credential == Some(CredentialKind::ProviderFile))
        .and_then(|interface| interface.file.as_ref());
    let Some(file) = file else {
        let ours = party
            .node_credentials
            .get(name)
            .ok_or(Unasked::Withheld(Withheld::SecretMissing))?;
        return Ok(Some(Credential {
            user: ours.user.clone(),
            password: secrets.secret(&ours.secret)?,
        }));
    };
    let missing = Unasked::Missing(ProbeError::CredentialMissing);
    let bytes = SecretBytes::new(provider_file(party, file, missing).await?);
    if let Asking::TorControl { cookie, .. } = ask {
        *cookie = Some(bytes);
        return Ok(None);
    }
    // A cookie of Bitcoin Core's kind: `user:password`.
    let (user, password) = text(&bytes)?.trim().split_once(':').ok_or(missing)?;
    Ok(Some(Credential {
        user: user.to_owned(),
        password: SecretBytes::from(password.to_owned()),
    }))
}

/// Reads a file that the party made in one of its volumes; `missing` where it cannot be read.
async fn provider_file(
    party: &Party<'_>,
    file: &ProviderFile,
    missing: Unasked,
) -> Result<Vec<u8>, Unasked> {
    let root = party.volumes.get(&file.volume).ok_or(missing)?.clone();
    let path = plain(party.variables, &file.path)?;
    let read = tokio::task::spawn_blocking(move || volume_file::read(&root, &path, MAX_FILE));
    read.await.map_err(|_| missing)?.map_err(|_| missing)
}

fn asking<'a>(
    ask: &'a Ask,
    texts: &Texts<'_>,
) -> Result<(Asking, Option<&'a ProviderFile>), Unasked> {
    let asking = match ask {
        Ask::Tcp { send, until } => Asking::Tcp {
            send: texts.fill_optional(send.as_ref())?,
            until: until.clone(),
        },
        Ask::Http {
            method,
            path,
            headers,
            body,
            tls,
        } => {
            let mut filled = Vec::with_capacity(headers.len());
            for (name, value) in headers {
                filled.push((name.clone(), texts.fill(value)?));
            }
            let asking = Asking::Http {
                post: *method == HttpMethod::Post,
                path: texts.fill(path)?,
                headers: filled,
                body: texts.fill_optional(body.as_ref())?,
                pinned: None,
            };
            return Ok((asking, tls.as_ref()));
        }
        Ask::Jsonrpc { method, params } => Asking::Jsonrpc {
            method: method.clone(),
            params: parameters(params.as_deref())?,
        },
        Ask::Electrum { method, params } => Asking::Electrum {
            method: method.clone(),
            params: parameters(params.as_deref())?,
        },
        Ask::Websocket { path, send } => Asking::Websocket {
            path: path.clone(),
            send: texts.fill_optional(send.as_ref())?,
        },
        Ask::Sql { query, database } => Asking::Sql {
            query: query.clone(),
            database: database.clone(),
        },
        Ask::TorControl { getinfo } => Asking::TorControl {
            getinfo: getinfo.clone(),
            cookie: None,
        },
    };
    Ok((asking, None))
}

fn parameters(params: Option<&str>) -> Result<Value, Unasked> {
    match params {
        None => Ok(json!([])),
        Some(text) => serde_json::from_str(text).map_err(|_| unaskable()),
    }
}

async fn certificate(party: &Party<'_>, pin: &ProviderFile) -> Result<PinnedCertificate, Unasked> {
    let missing = Unasked::Missing(ProbeError::CertificateMissing);
    let bytes = provider_file(party, pin, missing).await?;
    PinnedCertificate::read(&bytes).map_err(|_| missing)
}

/// Renders texts of one manifest, and puts secrets in.
pub(in crate::service) struct Texts<'a> {
    /// The service, with the variables that hold no secret's value.
    pub(in crate::service) target: &'a HealthTarget<'a>,
    /// Its own secrets, those captured just now included.
    pub(in crate::service) own_secrets: &'a BTreeMap<Name, SecretRef>,
    /// Gives the values.
    pub(in crate::service) secrets: &'a dyn SecretSource,
}

impl Texts<'_> {
    fn fill_optional(&self, source: Option<&String>) -> Result<Option<SecretBytes>, Unasked> {
        source.map(|source| self.fill(source)).transpose()
    }

    /// Renders `source` with the values of the secrets that it reads, and of no others.
    fn fill(&self, source: &str) -> Result<SecretBytes, Unasked> {
        let mut context = self.target.variables.clone();
        for variable in template::variables_read(source) {
            let parts: Vec<&str> = variable.split('.').collect();
            if let ["secret", name, "value"] = parts.as_slice() {
                let value = self.own_secret(name)?;
                put(&mut context, &parts, text(&value)?);
            } else if let ["node_credential", name, leaf] = parts.as_slice() {
                let value = self.node_credential(name, leaf)?;
                put(&mut context, &parts, text(&value)?);
            }
        }
        let rendered = template::render(source, &context);
        wipe_value(&mut context);
        let rendered = rendered.map(Zeroizing::new).map_err(|_| unaskable())?;
        // Variables that were resolved for the service's files hold a marker where a secret stands.
        let filled = marker::fill(&rendered, |secret, form| {
            let value = self.secrets.secret(secret)?;
            match form {
                Form::Plain => text(&value).map(str::to_owned),
                Form::Base64 => Ok(STANDARD.encode(value.expose())),
                Form::Rpcauth => Err(unaskable()),
            }
        })?;
        Ok(SecretBytes::from(filled))
    }

    fn own_secret(&self, name: &str) -> Result<SecretBytes, Unasked> {
        let (_, secret) = self
            .own_secrets
            .iter()
            .find(|(own, _)| own.as_str() == name)
            .ok_or(Unasked::Withheld(Withheld::SecretMissing))?;
        Ok(self.secrets.secret(secret)?)
    }

    fn node_credential(&self, name: &str, leaf: &str) -> Result<SecretBytes, Unasked> {
        let ours = self
            .target
            .node_credentials
            .iter()
            .find(|(entry, _)| entry.as_str() == name);
        let (_, ours) = ours.ok_or(Unasked::Withheld(Withheld::SecretMissing))?;
        match leaf {
            "user" => Ok(SecretBytes::from(ours.user.clone())),
            "password" => Ok(self.secrets.secret(&ours.secret)?),
            _ => Err(unaskable()),
        }
    }

    /// Renders `source`, which must not read a secret's value: paths and arguments are visible to others.
    pub(in crate::service) fn plain(&self, source: &str) -> Result<String, Unasked> {
        plain(&self.target.variables, source)
    }
}

fn plain(variables: &Value, source: &str) -> Result<String, Unasked> {
    match template::render(source, variables) {
        Ok(rendered) if !marker::holds_marker(&rendered) => Ok(rendered),
        _ => Err(unaskable()),
    }
}

fn text(value: &SecretBytes) -> Result<&str, Unasked> {
    value.expose_text().ok_or(unaskable())
}

fn unaskable() -> Unasked {
    Unasked::Missing(ProbeError::Question)
}

/// Names a secret of the target's own in the vault.
pub(in crate::service) fn own_key(target: &HealthTarget<'_>, name: &Name) -> SecretKey {
    SecretKey(format!("service/{}/{name}", target.service))
}

fn put(context: &mut Value, path: &[&str], value: &str) {
    let mut place = context;
    for part in path {
        if !place.is_object() {
            *place = json!({});
        }
        place = &mut place[part];
    }
    *place = Value::from(value);
}

/// Overwrites every text in `value`.
pub(in crate::service) fn wipe_value(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(values) => values.iter_mut().for_each(wipe_value),
        Value::Object(map) => map.values_mut().for_each(wipe_value),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
