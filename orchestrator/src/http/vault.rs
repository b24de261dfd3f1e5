//! Owns the vault over HTTP: opening and closing it, its passphrase, and its key files.
//!
//! Wrong passphrases wait by the place from which they came. It does not know how a vault opens (`store::vault`).

#![allow(
    unused_qualifications,
    reason = "utoipa's macros write out the path of each type"
)]

use std::path::PathBuf;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use base64::Engine;
use serde::Deserialize;
use utoipa::ToSchema;

use super::access::Acting;
use super::body::Form;
use super::body::SecretText;
use super::control::Answer;
use super::control::carry_out;
use super::control::record_if_possible;
use super::error::ApiError;
use super::error::ErrorBody;
use super::json::Json;
use super::router::Face;
use super::session::From;
use super::session::blocking;
use crate::account::AccountError;
use crate::account::Origin;
use crate::account::Principal;
use crate::account::Right;
use crate::account::Stage;
use crate::node::Command;
use crate::node::MACHINE;
use crate::node::Reply;
use crate::node::Unlock;
use crate::secret::SecretBytes;

/// A way to open the vault.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum UnlockBody {
    /// The passphrase.
    Passphrase(SecretText),
    /// The recovery key, as printed.
    RecoveryKey(SecretText),
    /// The content of a key file, in base64.
    KeyFile(SecretText),
}

impl UnlockBody {
    fn open(self) -> Result<Unlock, ApiError> {
        Ok(match self {
            Self::Passphrase(text) => Unlock::Passphrase(text.0),
            Self::RecoveryKey(text) => Unlock::RecoveryKey(text.0),
            Self::KeyFile(text) => Unlock::KeyFile(SecretBytes::new(
                base64::engine::general_purpose::STANDARD
                    .decode(text.0.expose())
                    .map_err(|_| {
                        ApiError::bad_request(
                            "the key file's content is not base64",
                            "use `flash-node unlock --key-file PATH`",
                        )
                    })?,
            )),
        })
    }
}

/// Opens the vault.
#[utoipa::path(post, path = "/api/v1/vault/unlock", tag = "change", request_body = UnlockBody,
    responses((status = 200, description = "The vault is open", body = Reply),
        (status = 401, description = "It is open already, and nobody is signed in", body = ErrorBody),
        (status = 403, description = "It did not open with this, or it is open already and the role is not the owner's", body = ErrorBody),
        (status = 409, description = "It is open already, and nobody owns the node yet", body = ErrorBody),
        (status = 429, description = "Too many attempts", body = ErrorBody)))]
pub(super) async fn unlock(
    State(face): State<Face>,
    who: Option<Extension<Principal>>,
    From(origin): From,
    Form(body): Form<UnlockBody>,
) -> Answer {
    let with = body.open()?;
    // At a vault that is open nobody but an owner has anything to try.
    if !who.as_ref().is_some_and(|who| who.may(Right::Own)) {
        match blocking(&face, |accounts| Ok(accounts.stage())).await? {
            Stage::SignIn if who.is_some() => return Err(AccountError::NotAllowed.into()),
            Stage::SignIn => return Err(AccountError::SignedOut.into()),
            Stage::SetUp => return Err(AccountError::NotSetUp.into()),
            Stage::Sealed | Stage::NoVault => {}
        }
    }
    let from = place(&origin);
    let command = Command::Unlock { with, from };
    let reply = face.node.command(command).await?;
    // Only an open vault has a log to write into.
    let actor = match who.as_deref() {
        Some(who) => who.actor(),
        None => format!("somebody at {}", origin.address),
    };
    let act = ("unlock", "the vault was unlocked".to_owned());
    record_if_possible(&face, &actor, act).await;
    Ok(Json(reply))
}

/// Returns by what wrong passphrases from there are counted; whoever owns the machine is a place of its own.
fn place(origin: &Origin) -> String {
    if origin.address.is_empty() {
        MACHINE.to_owned()
    } else {
        origin.place()
    }
}

/// Closes the vault; services go on.
#[utoipa::path(post, path = "/api/v1/vault/seal", tag = "change", responses(
    (status = 200, description = "The vault is closed", body = Reply),
    (status = 409, description = "There is no vault, or it opens itself", body = ErrorBody)))]
pub(super) async fn seal(State(face): State<Face>, by: Acting) -> Answer {
    carry_out(&face, by, Command::Seal).await
}

/// A new passphrase.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PassphraseBody {
    /// How the vault opens today; nothing where no passphrase was set.
    current: Option<UnlockBody>,
    /// The new passphrase.
    new: SecretText,
}

/// Sets or changes the passphrase.
#[utoipa::path(post, path = "/api/v1/vault/passphrase", tag = "change", request_body = PassphraseBody,
    responses((status = 200, description = "It is changed; the text may hold a recovery key to write down", body = Reply),
        (status = 403, description = "The vault did not open with this", body = ErrorBody),
        (status = 422, description = "The new passphrase is too weak", body = ErrorBody)))]
pub(super) async fn change_passphrase(
    State(face): State<Face>,
    by: Acting,
    From(origin): From,
    Form(body): Form<PassphraseBody>,
) -> Answer {
    let with = body.current.map(UnlockBody::open).transpose()?;
    let new = body.new.0;
    let from = place(&origin);
    carry_out(&face, by, Command::ChangePassphrase { with, new, from }).await
}

/// Where a key file is written.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyFileBody {
    /// Its absolute path.
    #[schema(value_type = String)]
    path: PathBuf,
}

/// Writes a key file as a further way to open the vault.
#[utoipa::path(post, path = "/api/v1/vault/key-file", tag = "local-only", request_body = KeyFileBody,
    responses((status = 200, description = "It is written", body = Reply),
        (status = 422, description = "It cannot be written there", body = ErrorBody)))]
pub(super) async fn add_key_file(
    State(face): State<Face>,
    by: Acting,
    Form(body): Form<KeyFileBody>,
) -> Answer {
    if !body.path.is_absolute() {
        return Err(ApiError::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "bad_path",
            format!("{} is not an absolute path", body.path.display()),
            "name the key file from the root on",
        ));
    }
    carry_out(&face, by, Command::AddKeyFile { path: body.path }).await
}
