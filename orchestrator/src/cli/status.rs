//! Owns the commands that only look: `status` and `events`.
//!
//! It does not know how a status is drawn (`render`).

use std::time::Duration;

use hyper::Method;

use super::Context;
use super::args;
use super::client::Client;
use super::client::Lines;
use super::client::SentReader;
use super::exit::Exit;
use super::exit::Failure;
use super::progress::Progress;
use super::progress::Settled;
use super::progress::settled;
use super::render;
use crate::http::ErrorBody;
use crate::node::Event;
use crate::status::NodeStatus;

/// How often a waiting command looks.
pub(super) const LOOK: Duration = Duration::from_millis(250);

/// Shows the status, at once or when the services have settled.
pub(super) async fn status(context: &mut Context, wanted: &args::Status) -> Result<Exit, Failure> {
    let client = context.client()?;
    let mut waited = Ok(Exit::Ok);
    if let Some(seconds) = wanted.wait {
        waited = wait(context, &client, seconds).await;
    }
    if wanted.json {
        let text = client.text("/api/v1/status").await?;
        context.screen.print(&format!("{text}\n"));
    } else {
        let now = client.status().await?;
        let text = render::status(&now, context.screen.color);
        context.screen.print(&text);
    }
    waited
}

/// Waits until every service serves. Errors: exit 1 or 76 where one waits for the operator, or time ran out.
async fn wait(context: &mut Context, client: &Client, seconds: u64) -> Result<Exit, Failure> {
    let mut progress = Progress::new(&context.screen);
    let waiting = async {
        loop {
            let now = client.status().await?;
            progress.show(&mut context.screen, &now);
            match settled(&now) {
                Settled::NotYet => tokio::time::sleep(LOOK).await,
                done => return Ok::<_, Failure>((done, now)),
            }
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(seconds), waiting).await;
    progress.clear();
    match waited {
        Err(_) => Err(Failure::new(
            Exit::Failed,
            format!("the services are not ready after {seconds} s"),
            "`flash-node logs SERVICE` shows what a service says; --wait=SECONDS waits longer",
        )),
        Ok(Err(failure)) => Err(failure),
        Ok(Ok((done, now))) => verdict(&done, &now),
    }
}

fn verdict(done: &Settled, now: &NodeStatus) -> Result<Exit, Failure> {
    let Settled::NeedsYou(waiting) = done else {
        return Ok(Exit::Ok);
    };
    let (exit, next) = if waiting.vault.is_empty() {
        (Exit::Failed, "`flash-node status` says what to do for each")
    } else {
        (Exit::Sealed, render::to_open(&now.vault))
    };
    Err(Failure::new(exit, waiting.sentence(), next))
}

/// Prints the newest events and, where asked, each later one.
pub(super) async fn events(
    context: &mut Context,
    follow: bool,
    tail: u64,
) -> Result<Exit, Failure> {
    let client = context.client()?;
    let path = format!("/api/v1/events?tail={tail}&follow={follow}");
    let mut answer = client.open(Method::GET, &path, None).await?;
    let (mut lines, mut reader) = (Lines::default(), SentReader::default());
    while let Some(piece) = answer.chunk().await? {
        for line in lines.push(&piece) {
            let Some(sent) = reader.line(&line) else {
                continue;
            };
            match sent.kind.as_str() {
                "event" => {
                    let event: Event = serde_json::from_str(&sent.data)
                        .map_err(|_| Failure::internal("an event is not understood"))?;
                    context.screen.foreign_line(&render::event(&event));
                }
                "gap" => context
                    .screen
                    .note("some events in between are no longer kept"),
                "error" => {
                    let error: ErrorBody = serde_json::from_str(&sent.data)
                        .map_err(|_| Failure::internal("an error is not understood"))?;
                    return Err(error.into());
                }
                _ => {}
            }
        }
        if context.screen.closed {
            break;
        }
    }
    Ok(Exit::Ok)
}
