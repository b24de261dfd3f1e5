//! Owns the changes of the node, for who may ask for them (`access`), and writes them into the audit log.
//!
//! Each handler reads its request, makes one [`Command`] and hands on the answer. It does not know what a command does.

#![allow(
    unused_qualifications,
    reason = "utoipa's macros write out the path of each type"
)]

use axum::extract::Path;
use axum::extract::State;
use axum::extract::rejection::PathRejection;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::access::Acting;
use super::body::Form;
use super::error::ApiError;
use super::error::ErrorBody;
use super::json::Json;
use super::read;
use super::router::Face;
use super::session::blocking;
use crate::advisory::Signed;
use crate::id::EdgeId;
use crate::id::ServiceId;
use crate::node::Command;
use crate::node::Reply;

pub(super) type Answer = Result<Json<Reply>, ApiError>;
type ServicePath = Result<Path<String>, PathRejection>;

/// Prints what `apply` would do.
#[utoipa::path(post, path = "/api/v1/plan", tag = "change", responses(
    (status = 200, description = "The plan, as text", body = Reply),
    (status = 422, description = "A file holds a mistake", body = ErrorBody)))]
pub(super) async fn plan(State(face): State<Face>, by: Acting) -> Answer {
    carry_out(&face, by, Command::Plan).await
}

/// What is accepted.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ApplyBody {
    /// `plan` of the plan that was read; where the files are others by now, nothing is accepted.
    plan: Option<String>,
}

/// Accepts the files as the desired state.
#[utoipa::path(post, path = "/api/v1/apply", tag = "change", request_body = Option<ApplyBody>, responses(
    (status = 200, description = "What is done now", body = Reply),
    (status = 409, description = "The files were changed since the plan was made", body = ErrorBody),
    (status = 422, description = "A file holds a mistake", body = ErrorBody)))]
pub(super) async fn apply(
    State(face): State<Face>,
    by: Acting,
    Form(body): Form<ApplyBody>,
) -> Answer {
    carry_out(&face, by, Command::Apply { plan: body.plan }).await
}

/// How a service is left out.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RemoveBody {
    /// Whether only the plan is wanted.
    #[serde(default)]
    dry_run: bool,
}

/// Leaves a service out; its data stay.
#[utoipa::path(post, path = "/api/v1/services/{id}/remove", tag = "change",
    params(("id" = String, Path, description = "The service")), request_body = Option<RemoveBody>,
    responses((status = 200, description = "What is done now", body = Reply),
        (status = 404, description = "There is no such service", body = ErrorBody)))]
pub(super) async fn remove(
    State(face): State<Face>,
    by: Acting,
    id: ServicePath,
    Form(body): Form<RemoveBody>,
) -> Answer {
    let service = service(&face, id)?;
    let dry_run = body.dry_run;
    carry_out(&face, by, Command::Remove { service, dry_run }).await
}

/// The name of a service, typed again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PurgeBody {
    /// The name.
    confirm: String,
}

/// Deletes the data of a removed service.
#[utoipa::path(post, path = "/api/v1/services/{id}/purge", tag = "change",
    params(("id" = String, Path, description = "The service")), request_body = PurgeBody,
    responses((status = 200, description = "What was deleted", body = Reply),
        (status = 403, description = "The name typed again is another", body = ErrorBody),
        (status = 404, description = "There is no such service", body = ErrorBody)))]
pub(super) async fn purge(
    State(face): State<Face>,
    by: Acting,
    id: ServicePath,
    Form(body): Form<PurgeBody>,
) -> Answer {
    let service = service(&face, id)?;
    if body.confirm != service.as_str() {
        return Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "confirm_mismatch",
            format!(
                "`{}` is not the name of {service}; nothing was deleted",
                body.confirm
            ),
            "type the service's name again, exactly",
        ));
    }
    let confirm = body.confirm;
    carry_out(&face, by, Command::Purge { service, confirm }).await
}

/// Tries a service again that needs the operator.
#[utoipa::path(post, path = "/api/v1/services/{id}/retry", tag = "change",
    params(("id" = String, Path, description = "The service")),
    responses((status = 200, description = "What is done now", body = Reply),
        (status = 404, description = "There is no such service", body = ErrorBody)))]
pub(super) async fn retry(State(face): State<Face>, by: Acting, id: ServicePath) -> Answer {
    let service = service(&face, id)?;
    carry_out(&face, by, Command::Retry { service }).await
}

/// Lists who may reach whom, for what.
#[utoipa::path(post, path = "/api/v1/edges", tag = "change", responses(
    (status = 200, description = "Every edge, as text", body = Reply)))]
pub(super) async fn edges(State(face): State<Face>, by: Acting) -> Answer {
    carry_out(&face, by, Command::Edges).await
}

/// Compares what runs with what was declared, and tells the age of every credential.
#[utoipa::path(post, path = "/api/v1/audit", tag = "change", responses(
    (status = 200, description = "What was found, a line each", body = Reply)))]
pub(super) async fn audit(State(face): State<Face>, by: Acting) -> Answer {
    carry_out(&face, by, Command::Audit).await
}

/// Lists the image of every service.
#[utoipa::path(post, path = "/api/v1/images", tag = "change", responses(
    (status = 200, description = "Every image, as text", body = Reply)))]
pub(super) async fn images(State(face): State<Face>, by: Acting) -> Answer {
    carry_out(&face, by, Command::Images).await
}

/// Another image of a service.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ImageBody {
    /// `repository@sha256:…`, or `sha256:…` for an image of this machine.
    image: String,
    /// Whether only the plan is wanted.
    #[serde(default)]
    dry_run: bool,
}

/// Lets a service run in another image.
#[utoipa::path(post, path = "/api/v1/services/{id}/image", tag = "change",
    params(("id" = String, Path, description = "The service")), request_body = ImageBody,
    responses((status = 200, description = "What is done now", body = Reply),
        (status = 404, description = "There is no such service", body = ErrorBody),
        (status = 422, description = "The image is not named by what it holds", body = ErrorBody)))]
pub(super) async fn set_image(
    State(face): State<Face>,
    by: Acting,
    id: ServicePath,
    Form(body): Form<ImageBody>,
) -> Answer {
    let service = service(&face, id)?;
    let command = Command::SetImage {
        service,
        image: body.image,
        dry_run: body.dry_run,
    };
    carry_out(&face, by, command).await
}

/// Who is to reach the node.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AccessBody {
    /// Whether the node's own network does, by HTTPS. Left away: as before.
    #[serde(default)]
    lan: Option<bool>,
    /// Whether the Tor network does, by an onion address. Left away: as before.
    #[serde(default)]
    onion: Option<bool>,
    /// Whether only the plan is wanted.
    #[serde(default)]
    dry_run: bool,
}

/// Opens the node to its own network and to the Tor network, or closes it.
#[utoipa::path(post, path = "/api/v1/access", operation_id = "set_access", tag = "change", request_body = AccessBody,
    responses((status = 200, description = "What is done now", body = Reply)))]
pub(super) async fn set_access(
    State(face): State<Face>,
    by: Acting,
    Form(body): Form<AccessBody>,
) -> Answer {
    let AccessBody {
        lan,
        onion,
        dry_run,
    } = body;
    if lan.is_none() && onion.is_none() {
        return Err(ApiError::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "nothing_said",
            "no way in was named",
            "say `lan` or `onion`, each true or false",
        ));
    }
    let command = Command::Open {
        lan,
        onion,
        dry_run,
    };
    carry_out(&face, by, command).await
}

/// A newer file of advisories.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AdvisoriesBody {
    /// The file.
    text: String,
    /// What minisign wrote beside it (`.minisig`).
    signature: String,
}

/// Takes a newer file of advisories, where the release's key signed it.
#[utoipa::path(post, path = "/api/v1/advisories", tag = "change", request_body = AdvisoriesBody,
    responses((status = 200, description = "It is known from now on", body = Reply)))]
pub(super) async fn import_advisories(
    State(face): State<Face>,
    by: Acting,
    Form(body): Form<AdvisoriesBody>,
) -> Answer {
    let AdvisoriesBody { text, signature } = body;
    let signed = Signed { text, signature };
    carry_out(&face, by, Command::ImportAdvisories { signed }).await
}

/// Credentials to replace.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RotateBody {
    /// Whose, each as `consumer/interface/provider`. Empty: every one that the node makes.
    edges: Vec<String>,
    /// Whether only the plan is wanted.
    #[serde(default)]
    dry_run: bool,
}

/// Replaces credentials; events say when each old one was refused.
#[utoipa::path(post, path = "/api/v1/rotate", tag = "change", request_body = RotateBody, responses(
    (status = 200, description = "What is done now", body = Reply),
    (status = 404, description = "There is no such edge", body = ErrorBody),
    (status = 409, description = "The node does not make this credential", body = ErrorBody)))]
pub(super) async fn rotate(
    State(face): State<Face>,
    by: Acting,
    Form(body): Form<RotateBody>,
) -> Answer {
    let edges: Result<Vec<EdgeId>, _> = body.edges.into_iter().map(EdgeId::try_from).collect();
    let edges = edges.map_err(|error| {
        ApiError::new(
            StatusCode::NOT_FOUND,
            "unknown_edge",
            error.to_string(),
            "`flash-node edges` lists every edge",
        )
    })?;
    let dry_run = body.dry_run;
    carry_out(&face, by, Command::Rotate { edges, dry_run }).await
}

/// Stops every service, then the daemon.
#[utoipa::path(post, path = "/api/v1/down", tag = "change", responses(
    (status = 200, description = "What is done now", body = Reply)))]
pub(super) async fn down(State(face): State<Face>, by: Acting) -> Answer {
    carry_out(&face, by, Command::Down).await
}

pub(super) async fn carry_out(face: &Face, by: Acting, command: Command) -> Answer {
    if let Some(act) = act(&command) {
        let by = blocking(face, move |accounts| by.confirm(accounts).map(|()| by.who)).await?;
        if matches!(command, Command::Down | Command::Seal) {
            // A disk that takes no more must not keep a node from being stopped or closed.
            record_if_possible(face, &by.actor(), act).await;
        } else {
            // Before it is done: what was done and stands in no log must not be.
            record(face, &by.actor(), act).await?;
        }
    }
    Ok(Json(face.node.command(command).await?))
}

/// Writes into the audit log; while the vault is sealed the node's history alone has it.
async fn record(
    face: &Face,
    actor: &str,
    (action, text): (&'static str, String),
) -> Result<(), ApiError> {
    let actor = actor.to_owned();
    blocking(face, move |accounts| accounts.record(&actor, action, &text)).await?;
    Ok(())
}

/// Writes into the audit log, or warns where that fails.
pub(super) async fn record_if_possible(face: &Face, actor: &str, act: (&'static str, String)) {
    let action = act.0;
    if let Err(error) = record(face, actor, act).await {
        tracing::warn!(?error, "{action} is not in the audit log");
    }
}

/// Says which ways in are opened and closed.
fn opened(lan: Option<bool>, onion: Option<bool>) -> String {
    let verb = |open: bool| if open { "open" } else { "close" };
    let lan = lan.map(|open| format!("{} the node to its own network", verb(open)));
    let onion = onion.map(|open| format!("{} the node to the Tor network", verb(open)));
    lan.into_iter()
        .chain(onion)
        .collect::<Vec<_>>()
        .join(" and ")
}

/// Returns what a command is called in the audit log, and what it does; nothing for one that only looks.
fn act(command: &Command) -> Option<(&'static str, String)> {
    Some(match command {
        Command::Plan | Command::Edges | Command::Audit | Command::Images => return None,
        Command::Set { dry_run, .. }
        | Command::SetImage { dry_run, .. }
        | Command::Remove { dry_run, .. }
        | Command::Open { dry_run, .. }
        | Command::Rotate { dry_run, .. }
            if *dry_run =>
        {
            return None;
        }
        Command::Apply { .. } => ("apply", "apply the files as they are".to_owned()),
        Command::Set { changes, .. } => {
            let changes = changes.iter().map(|one| {
                let value = shortened(&one.value);
                format!("{}.{} to `{value}`", one.service, one.setting)
            });
            let text = changes.collect::<Vec<_>>().join(", ");
            ("set", format!("set {text}"))
        }
        Command::Remove { service, .. } => ("remove", format!("leave {service} out")),
        Command::Purge { service, .. } => ("purge", format!("delete the data of {service}")),
        Command::Retry { service } => ("retry", format!("try {service} again")),
        Command::SetImage { service, image, .. } => (
            "set_image",
            format!("let {service} run in {}", shortened(image)),
        ),
        Command::ImportAdvisories { .. } => ("advisories", "import advisories".to_owned()),
        Command::Open { lan, onion, .. } => ("access", opened(*lan, *onion)),
        Command::Rotate { edges, .. } if edges.is_empty() => {
            ("rotate", "replace every credential".to_owned())
        }
        Command::Rotate { edges, .. } => {
            let edges: Vec<String> = edges.iter().map(ToString::to_string).collect();
            let text = format!("replace the credential of {}", edges.join(", "));
            ("rotate", text)
        }
        Command::Down => ("down", "stop the node".to_owned()),
        Command::Unlock { .. } => ("unlock", "unlock the vault".to_owned()),
        Command::Seal => ("seal", "seal the vault".to_owned()),
        Command::ChangePassphrase { .. } => {
            ("passphrase", "set or change the passphrase".to_owned())
        }
        Command::AddKeyFile { path } => (
            "key_file",
            format!("write a key file to {}", path.display()),
        ),
    })
}

/// What somebody typed, cut to what a line of a log holds and without what would break it.
fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}

/// Reads a service's name. A name that no service can have is as unknown as one that none has.
pub(super) fn service(face: &Face, id: ServicePath) -> Result<ServiceId, ApiError> {
    let Path(id) = id.map_err(|_| read::unknown_path())?;
    ServiceId::new(id.clone()).map_err(|_| {
        let status = face.status();
        let known: Vec<String> = status.services.into_iter().map(|each| each.id).collect();
        read::unknown_service(&id, &known)
    })
}
