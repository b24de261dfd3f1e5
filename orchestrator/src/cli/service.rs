//! Owns the commands about one service: `logs`, `set`, `remove`, `purge`, `retry`; and `removed`.
//!
//! It does not know what they do; it helps with what was typed.

use hyper::Method;

use super::Context;
use super::args;
use super::client::Client;
use super::client::Lines;
use super::exit::Exit;
use super::exit::Failure;
use super::settings;
use crate::id::Name;
use crate::id::ServiceId;
use crate::node::Reply;
use crate::view::Removed;

/// How alike two names must be for one to be suggested. Units: Jaro-Winkler similarity, 0 to 1.
const ALIKE: f64 = 0.7;

/// Prints a service's log.
pub(super) async fn logs(context: &mut Context, wanted: &args::Logs) -> Result<Exit, Failure> {
    let client = context.client()?;
    let service = parse(&client, &wanted.service).await?;
    let path = format!(
        "/api/v1/services/{service}/logs?tail={}&follow={}",
        wanted.tail, wanted.follow
    );
    let opened = client.open(Method::GET, &path, None).await;
    let mut answer = suggest(&client, &wanted.service, opened).await?;
    let mut lines = Lines::default();
    while let Some(piece) = answer.chunk().await? {
        for line in lines.push(&piece) {
            context.screen.foreign_line(&line);
        }
        if context.screen.closed {
            break;
        }
    }
    Ok(Exit::Ok)
}

/// Changes a setting.
pub(super) async fn set(context: &mut Context, set: &args::Set) -> Result<Exit, Failure> {
    let Some(value) = &set.value else {
        return settings::list(context, &set.target);
    };
    let Some((service, setting)) = set.target.split_once('.') else {
        return Err(Failure::new(
            Exit::Usage,
            format!("`{}` does not name a setting", set.target),
            "write it as SERVICE.SETTING, such as relay.name; `flash-node set SERVICE` lists them",
        ));
    };
    let setting = Name::new(setting).map_err(|error| {
        Failure::new(
            Exit::Usage,
            error.to_string(),
            "write it as SERVICE.SETTING, such as relay.name; `flash-node set SERVICE` lists them",
        )
    })?;
    let body = serde_json::json!({ "value": value, "dry_run": set.dry_run });
    let path = format!("settings/{setting}");
    ask(context, service, &path, Some(body)).await
}

/// Lets a service run in another image.
pub(super) async fn set_image(
    context: &mut Context,
    service: &str,
    image: &str,
    dry_run: bool,
) -> Result<Exit, Failure> {
    let body = serde_json::json!({ "image": image, "dry_run": dry_run });
    ask(context, service, "image", Some(body)).await
}

/// Leaves a service out.
pub(super) async fn remove(
    context: &mut Context,
    service: &str,
    dry_run: bool,
) -> Result<Exit, Failure> {
    let body = serde_json::json!({ "dry_run": dry_run });
    ask(context, service, "remove", Some(body)).await
}

/// Tries a service again.
pub(super) async fn retry(context: &mut Context, service: &str) -> Result<Exit, Failure> {
    ask(context, service, "retry", None).await
}

/// Lists what was left out, and where its data lie.
pub(super) async fn removed(context: &mut Context) -> Result<Exit, Failure> {
    let removed: Removed = context.client()?.get("/api/v1/removed").await?;
    if removed.items.is_empty() {
        context.screen.note("nothing is left of any other service");
    }
    for one in removed.items {
        let folders = match one.folders.as_slice() {
            [] => "no data".to_owned(),
            folders => folders.join(", "),
        };
        context
            .screen
            .foreign_line(&format!("{}  {folders}", one.id));
    }
    Ok(Exit::Ok)
}

/// Deletes a removed service's data, after its name was typed again.
pub(super) async fn purge(
    context: &mut Context,
    service: &str,
    confirm: Option<String>,
) -> Result<Exit, Failure> {
    let confirm = match confirm {
        Some(confirm) => confirm,
        None => typed_name(context, service)?,
    };
    let body = serde_json::json!({ "confirm": confirm });
    ask(context, service, "purge", Some(body)).await
}

fn typed_name(context: &mut Context, service: &str) -> Result<String, Failure> {
    let unconfirmed = || {
        Failure::new(
            Exit::Refused,
            format!("the data of {service} were not deleted: its name was not typed again"),
            format!("add --confirm {service}, or run this on a terminal"),
        )
    };
    // Asked before anything is typed, so that nobody types a name for nothing.
    context.client()?;
    if !std::io::IsTerminal::is_terminal(&std::io::stdin()) {
        return Err(unconfirmed());
    }
    context.screen.note(&format!(
        "This deletes the data of {service} for ever. Type its name to go on:"
    ));
    let mut typed = String::new();
    std::io::stdin()
        .read_line(&mut typed)
        .map_err(|_| unconfirmed())?;
    Ok(typed.trim().to_owned())
}

async fn ask(
    context: &mut Context,
    service: &str,
    what: &str,
    body: Option<serde_json::Value>,
) -> Result<Exit, Failure> {
    let client = context.client()?;
    let id = parse(&client, service).await?;
    let path = format!("/api/v1/services/{id}/{what}");
    let body = body.map(|body| body.to_string().into_bytes());
    let reply: Result<Reply, Failure> = client.post(&path, body).await;
    let reply = suggest(&client, service, reply).await?;
    context.print_reply(&reply);
    Ok(Exit::Ok)
}

/// Reads a service's name. A name that none can have gets the same help as one that none has.
async fn parse(client: &Client, service: &str) -> Result<ServiceId, Failure> {
    match ServiceId::new(service) {
        Ok(id) => Ok(id),
        Err(error) => {
            let mut failure = Failure::new(
                Exit::Usage,
                error.to_string(),
                "`flash-node status` lists the services",
            );
            failure.code = Some("unknown_service".to_owned());
            suggest(client, service, Err(failure)).await
        }
    }
}

/// Adds the nearest name to a failure about an unknown one.
async fn suggest<T>(
    client: &Client,
    service: &str,
    result: Result<T, Failure>,
) -> Result<T, Failure> {
    let mut failure = match result {
        Err(failure) if failure.code.as_deref() == Some("unknown_service") => failure,
        other => return other,
    };
    if let Ok(status) = client.status().await {
        let known: Vec<String> = status.services.into_iter().map(|each| each.id).collect();
        failure.next = advice("services", service, &known);
    }
    Err(failure)
}

/// Says which of the known names may have been meant; `what` they name, in the plural.
pub(super) fn advice(what: &str, typed: &str, known: &[String]) -> String {
    let likeness = |name: &String| strsim::jaro_winkler(typed, name);
    let nearest = known
        .iter()
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)))
        .filter(|name| likeness(name) >= ALIKE);
    match nearest {
        Some(name) => format!("did you mean `{name}`?"),
        None if known.is_empty() => format!("there are no {what}"),
        None => format!("its {what} are: {}", known.join(", ")),
    }
}
