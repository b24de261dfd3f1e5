//! Owns the command `access`: how the node's pages are reached, and by what its certificate is known.

use super::Context;
use super::args::Switch;
use super::exit::Exit;
use super::exit::Failure;
use super::screen::plain;
use crate::view::Access;
use crate::view::EntranceKind;

/// Prints each way in with how it is; 1 where one that is wanted does not work.
pub(super) async fn access(context: &mut Context) -> Result<Exit, Failure> {
    let client = context.client()?;
    let access: Access = client.get("/api/v1/access").await?;
    context.screen.print(&text(&access));
    let broken = access.entrances.iter().any(|one| one.ok == Some(false));
    Ok(if broken { Exit::Failed } else { Exit::Ok })
}

/// Opens the node to its own network and to the Tor network, or closes it, as far as it is said, and prints what follows.
pub(super) async fn switch(
    context: &mut Context,
    (lan, onion): (Option<Switch>, Option<Switch>),
    dry_run: bool,
) -> Result<Exit, Failure> {
    let mut body = serde_json::json!({ "dry_run": dry_run });
    for (way, switch) in [("lan", lan), ("onion", onion)] {
        if let Some(switch) = switch {
            body[way] = (switch == Switch::On).into();
        }
    }
    let body = Some(body.to_string().into_bytes());
    context.change("/api/v1/access", body).await
}

fn text(access: &Access) -> String {
    let mut text = String::new();
    for one in &access.entrances {
        let from = match one.kind {
            EntranceKind::Machine => "this machine",
            EntranceKind::Network => "your network",
            EntranceKind::Public => "the internet",
            EntranceKind::Onion => "the Tor network",
        };
        let mark = match one.ok {
            Some(true) => "ok ",
            Some(false) => "bad",
            None => "-  ",
        };
        text.push_str(&format!("{mark} {from}: {}\n", plain(&one.text)));
        for url in &one.urls {
            text.push_str(&format!("      {}\n", plain(url)));
        }
    }
    let network = access
        .entrances
        .iter()
        .find(|one| !one.urls.is_empty() && one.kind == EntranceKind::Network);
    if let (Some(authority), Some(network)) = (&access.authority, network) {
        let page = network.urls.last().map_or("", String::as_str);
        text.push_str(&format!(
            "\nOn each device open {page}/authority.crt once, go on although it warns, and install what it gives.\nBefore you trust it, compare its fingerprint (SHA-256):\n\n  {}\n",
            plain(&authority.fingerprint)
        ));
    }
    text
}
