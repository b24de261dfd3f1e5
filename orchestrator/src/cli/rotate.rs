//! Owns the command `rotate`: it asks for the replacement, then waits for what the node says of each old credential.
//!
//! It does not know how a credential is replaced or proved dead.

use std::collections::BTreeSet;
use std::time::Duration;

use hyper::Method;

use super::Context;
use super::args;
use super::client::Client;
use super::client::Lines;
use super::client::SentReader;
use super::exit::Exit;
use super::exit::Failure;
use super::render;
use crate::node::Event;
use crate::node::Reply;

/// Replaces credentials and waits for the proofs.
pub(super) async fn rotate(context: &mut Context, wanted: &args::Rotate) -> Result<Exit, Failure> {
    let client = context.client()?;
    // What happens from here on is told by the events after this one.
    let before = newest(&client).await?;
    let edges = if wanted.all { &[][..] } else { &wanted.edges };
    let body = serde_json::json!({ "edges": edges, "dry_run": wanted.dry_run });
    let reply: Reply = client
        .post("/api/v1/rotate", Some(body.to_string().into_bytes()))
        .await?;
    context.print_reply(&reply);
    if wanted.dry_run || wanted.timeout == 0 {
        return Ok(Exit::Ok);
    }
    let watching = watch(context, &client, before);
    match tokio::time::timeout(Duration::from_secs(wanted.timeout), watching).await {
        Ok(told) => told,
        Err(_) => Err(Failure::new(
            Exit::Failed,
            format!(
                "not every old credential was proved dead within {} s",
                wanted.timeout
            ),
            "the node goes on trying; `flash-node events --follow` tells",
        )),
    }
}

async fn newest(client: &Client) -> Result<u64, Failure> {
    let mut newest = 0;
    let mut answer = client
        .open(Method::GET, "/api/v1/events?tail=1&follow=false", None)
        .await?;
    let (mut lines, mut reader) = (Lines::default(), SentReader::default());
    while let Some(piece) = answer.chunk().await? {
        for line in lines.push(&piece) {
            if let Some(event) = event(&mut reader, &line)? {
                newest = event.cursor;
            }
        }
    }
    Ok(newest)
}

fn event(reader: &mut SentReader, line: &str) -> Result<Option<Event>, Failure> {
    let Some(sent) = reader.line(line).filter(|sent| sent.kind == "event") else {
        return Ok(None);
    };
    let event = serde_json::from_str(&sent.data)
        .map_err(|_| Failure::internal("an event is not understood"))?;
    Ok(Some(event))
}

/// Prints each outcome, until there is one for every credential that was replaced.
async fn watch(context: &mut Context, client: &Client, before: u64) -> Result<Exit, Failure> {
    let path = "/api/v1/events?tail=1000&follow=true";
    let mut answer = client.open(Method::GET, path, None).await?;
    let (mut lines, mut reader) = (Lines::default(), SentReader::default());
    let (mut pending, mut begun, mut bad) = (BTreeSet::new(), false, Vec::new());
    while let Some(piece) = answer.chunk().await? {
        for line in lines.push(&piece) {
            let Some(event) = event(&mut reader, &line)?.filter(|event| event.cursor > before)
            else {
                continue;
            };
            let edge = named(&event.text);
            match event.code.as_str() {
                "rotation_begun" => {
                    begun = true;
                    pending.insert(edge);
                }
                "rotated" => {
                    context.screen.foreign_line(&render::event(&event));
                    pending.remove(&edge);
                }
                "rotation_failed" | "rotation_unproved" => {
                    context.screen.foreign_line(&render::event(&event));
                    pending.remove(&edge);
                    bad.push(edge);
                }
                _ => {}
            }
        }
        if begun && pending.is_empty() {
            break;
        }
    }
    if begun && bad.is_empty() && pending.is_empty() {
        return Ok(Exit::Ok);
    }
    if bad.is_empty() {
        return Err(Failure::new(
            Exit::Failed,
            "the node stopped telling before every old credential was proved dead",
            "it goes on trying once it runs: `flash-node events` tells",
        ));
    }
    Err(Failure::new(
        Exit::Failed,
        format!(
            "the old credential of {} was not proved dead",
            bad.join(", ")
        ),
        "the lines above say why; `flash-node events` keeps them",
    ))
}

/// Finds the edge in what an event of a rotation says.
fn named(text: &str) -> String {
    let word = text
        .split_whitespace()
        .find(|word| word.matches('/').count() == 2);
    word.unwrap_or_default().trim_end_matches(':').to_owned()
}
