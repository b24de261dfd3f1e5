//! Owns the commands about tokens, which programs use the node with.
//!
//! It does not know what a token may do (`account`).

use serde::Deserialize;
use zeroize::Zeroizing;

use super::Context;
use super::args;
use super::exit::Exit;
use super::exit::Failure;
use super::render;
use super::screen::plain;
use crate::account::Role;
use crate::account::Token;

#[derive(Deserialize)]
struct Made {
    value: Zeroizing<String>,
    token: Token,
}

pub(super) async fn token(context: &mut Context, wanted: args::Token) -> Result<Exit, Failure> {
    match wanted {
        args::Token::List => list(context).await,
        args::Token::Add { name, role, days } => add(context, &name, role.into(), days).await,
        args::Token::Revoke { id } => revoke(context, &id).await,
    }
}

async fn list(context: &mut Context) -> Result<Exit, Failure> {
    let items: Vec<Token> = context.client()?.all("/api/v1/tokens").await?;
    if items.is_empty() {
        context.screen.note("no program has a token");
    }
    for token in items {
        let used = token
            .used_at
            .map_or_else(|| "never used".to_owned(), |at| format!("used {}", day(at)));
        let line = format!(
            "{}  {:<7}  until {}  {used}  {}",
            token.id,
            token.role.as_str(),
            day(token.expires_at),
            token.name
        );
        context.screen.foreign_line(&line);
    }
    Ok(Exit::Ok)
}

/// Makes a token. Its value alone goes to standard output, so that it can be piped.
async fn add(context: &mut Context, name: &str, role: Role, days: u64) -> Result<Exit, Failure> {
    let body = serde_json::json!({ "name": name, "role": role, "expires_in_days": days });
    let body = body.to_string().into_bytes();
    let made: Made = context.client()?.post("/api/v1/tokens", Some(body)).await?;
    let line = Zeroizing::new(format!("{}\n", *made.value));
    context.screen.print(&line);
    context.screen.note(&format!(
        "token {} ({}, {}) is good until {}; it is shown this once, and `flash-node token revoke {}` takes it back",
        made.token.id,
        plain(&made.token.name),
        made.token.role.as_str(),
        day(made.token.expires_at),
        made.token.id
    ));
    Ok(Exit::Ok)
}

async fn revoke(context: &mut Context, id: &str) -> Result<Exit, Failure> {
    let client = context.client()?;
    let known: Vec<Token> = client.all("/api/v1/tokens").await?;
    let Some(token) = known.into_iter().find(|token| token.id == id) else {
        return Err(Failure::new(
            Exit::Failed,
            format!("no token has the ID {id}"),
            "`flash-node token list` shows the ID of each in its first column",
        ));
    };
    client
        .delete(&format!("/api/v1/tokens/{}", token.id))
        .await?;
    let text = format!("{} is worth nothing any more\n", plain(&token.name));
    context.screen.print(&text);
    Ok(Exit::Ok)
}

/// Writes the day of a time, in UTC.
fn day(at: u64) -> String {
    render::utc(at).chars().take(10).collect()
}
