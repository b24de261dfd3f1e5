//! Owns the way from a manifest's probe to a question: address, credential, rendered texts, certificate.
//!
//! Templates are rendered with a marker where a secret stands; values are filled in last, so that no template and no
//! error of one ever sees a value.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use serde_json::json;

use super::HealthTarget;
use super::NodeCredential;
use super::judge::Asked;
use super::judge::Withheld;
use super::render;
use crate::id::Name;
use crate::manifest::schema::Ask;
use crate::manifest::schema::HttpMethod;
use crate::manifest::schema::Probe;
use crate::manifest::schema::ProviderFile;
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

/// Longest certificate file. Units: bytes.
const MAX_CERTIFICATE: u64 = 64 * 1024;

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
    node_credentials: &'a BTreeMap<Name, NodeCredential>,
    volumes: &'a BTreeMap<Name, PathBuf>,
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
        context: context(target, own_secrets),
        secrets,
    };
    let (ask, pin) = asking(&probe.ask, &texts)?;
    let ask = match (ask, pin) {
        (
            Asking::Http {
                post,
                path,
                headers,
                body,
                ..
            },
            Some(pin),
        ) => Asking::Http {
            post,
            path,
            headers,
            body,
            pinned: Some(certificate(&party, pin, &texts).await?),
        },
        (ask, _) => ask,
    };
    let credential = match &probe.credential {
        Some(name) => Some(credential(&party, name, secrets)?),
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
            node_credentials: &provider.node_credentials,
            volumes: &provider.volumes,
        });
    }
    let address = probe
        .port
        .as_ref()
        .and_then(|port| target.addresses.get(port))
        .ok_or(Unasked::Missing(ProbeError::Question))?;
    Ok(Party {
        address: *address,
        node_credentials: &target.node_credentials,
        volumes: &target.volumes,
    })
}

fn credential(
    party: &Party<'_>,
    name: &Name,
    secrets: &dyn SecretSource,
) -> Result<Credential, Unasked> {
    let ours = party
        .node_credentials
        .get(name)
        .ok_or(Unasked::Withheld(Withheld::SecretMissing))?;
    Ok(Credential {
        user: ours.user.clone(),
        password: secrets.secret(&ours.secret)?,
    })
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
        },
    };
    Ok((asking, None))
}

fn parameters(params: Option<&str>) -> Result<Value, Unasked> {
    match params {
        None => Ok(json!([])),
        Some(text) => {
            serde_json::from_str(text).map_err(|_| Unasked::Missing(ProbeError::Question))
        }
    }
}

async fn certificate(
    party: &Party<'_>,
    pin: &ProviderFile,
    texts: &Texts<'_>,
) -> Result<PinnedCertificate, Unasked> {
    let missing = Unasked::Missing(ProbeError::CertificateMissing);
    let root = party.volumes.get(&pin.volume).ok_or(missing)?.clone();
    let path = texts.plain(&pin.path)?;
    let read =
        tokio::task::spawn_blocking(move || volume_file::read(&root, &path, MAX_CERTIFICATE));
    let bytes = read.await.map_err(|_| missing)?.map_err(|_| missing)?;
    PinnedCertificate::read(&bytes).map_err(|_| missing)
}

/// Renders texts of a manifest, and fills secrets in.
pub(in crate::service) struct Texts<'a> {
    pub(in crate::service) context: Value,
    pub(in crate::service) secrets: &'a dyn SecretSource,
}

impl Texts<'_> {
    fn fill_optional(&self, source: Option<&String>) -> Result<Option<SecretBytes>, Unasked> {
        source.map(|source| self.fill(source)).transpose()
    }

    /// Renders `source` with the values of secrets.
    fn fill(&self, source: &str) -> Result<SecretBytes, Unasked> {
        let rendered = self.render(source)?;
        let filled = marker::fill(&rendered, |secret, form| {
            let value = self.secrets.secret(secret)?;
            match form {
                Form::Plain => value
                    .expose_text()
                    .map(str::to_owned)
                    .ok_or(Unasked::Missing(ProbeError::Question)),
                Form::Base64 => Ok(STANDARD.encode(value.expose())),
                Form::Rpcauth => Err(Unasked::Missing(ProbeError::Question)),
            }
        })?;
        Ok(SecretBytes::from(filled))
    }

    /// Renders `source`, which must not read a secret's value: paths and arguments are visible to others.
    pub(in crate::service) fn plain(&self, source: &str) -> Result<String, Unasked> {
        let rendered = self.render(source)?;
        if marker::holds_marker(&rendered) {
            return Err(Unasked::Missing(ProbeError::Question));
        }
        Ok(rendered)
    }

    fn render(&self, source: &str) -> Result<String, Unasked> {
        render::text(source, &self.context).map_err(|_| Unasked::Missing(ProbeError::Question))
    }
}

/// Builds the variables of a question: the target's, and a marker for each secret that the node may use.
pub(in crate::service) fn context(
    target: &HealthTarget<'_>,
    own_secrets: &BTreeMap<Name, SecretRef>,
) -> Value {
    let mut context = target.variables.clone();
    if !context.is_object() {
        context = json!({});
    }
    for name in target.manifest.secrets.keys() {
        let secret = own_secrets.get(name).cloned().unwrap_or_else(|| SecretRef {
            // No vault holds a generation 0, so that asking for it says "missing".
            key: own_key(target, name),
            generation: 0,
        });
        put(
            &mut context,
            ["secret", name.as_str(), "value"],
            marker::marker(&secret, Form::Plain),
        );
    }
    for (name, credential) in &target.node_credentials {
        put(
            &mut context,
            ["node_credential", name.as_str(), "user"],
            credential.user.clone(),
        );
        let password = marker::marker(&credential.secret, Form::Plain);
        put(
            &mut context,
            ["node_credential", name.as_str(), "password"],
            password,
        );
    }
    context
}

/// Names a secret of the target's own in the vault.
pub(in crate::service) fn own_key(target: &HealthTarget<'_>, name: &Name) -> SecretKey {
    SecretKey(format!("service/{}/{name}", target.service))
}

fn put(context: &mut Value, path: [&str; 3], value: String) {
    let mut place = context;
    for part in path {
        if !place.is_object() {
            *place = json!({});
        }
        place = &mut place[part];
    }
    *place = Value::from(value);
}
