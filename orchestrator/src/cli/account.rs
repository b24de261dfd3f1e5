//! Owns the commands about people: the set-up code, and the accounts.
//!
//! It does not know how a person is kept (`account`).

use std::path::Path;

use serde::Deserialize;

use super::Context;
use super::args;
use super::client::Client;
use super::exit::Exit;
use super::exit::Failure;
use super::render;
use super::screen::plain;
use super::vault::read_new_secret;
use crate::account::Account;
use crate::account::Role;
use crate::account::Session;

#[derive(Deserialize)]
struct Code {
    code: String,
}

#[derive(Deserialize)]
struct Sessions {
    items: Vec<Session>,
}

/// Prints the code that makes the first owner.
pub(super) async fn set_up_code(context: &mut Context) -> Result<Exit, Failure> {
    let client = context.client()?;
    let code: Code = client.post("/api/v1/setup-code", None).await?;
    let api = client.status().await?.api;
    context.screen.print(&format!("{}\n", code.code));
    context
        .screen
        .note(&format!("open {api} on this machine and type it there"));
    Ok(Exit::Ok)
}

/// Says, once a node is up, how its first owner begins; nothing where it has one.
pub(super) async fn invite(context: &mut Context, data: &Path) {
    let named = context.global.data.is_some();
    let Ok(client) = Client::find(&context.surroundings, data, named) else {
        return;
    };
    let (Ok(status), Ok(code)) = (
        client.status().await,
        client.post::<Code>("/api/v1/setup-code", None).await,
    ) else {
        return;
    };
    let text = format!(
        "open {} to begin; set-up code for the first owner: {} (`flash-node setup-code` prints it again)\n",
        status.api, code.code
    );
    context.screen.print(&text);
}

/// Lists the accounts, changes one, or lets somebody in again.
pub(super) async fn account(context: &mut Context, wanted: args::Account) -> Result<Exit, Failure> {
    match wanted {
        args::Account::List => list(context).await,
        args::Account::Add {
            name,
            role,
            language,
        } => add(context, &name, role.into(), &language).await,
        args::Account::Role { name, role } => change_role(context, &name, role.into()).await,
        args::Account::Sessions { name } => sessions(context, &name).await,
        args::Account::SignOut { name } => sign_out(context, &name).await,
        args::Account::Remove { name } => remove(context, &name).await,
        args::Account::Reset { name } => reset(context, &name).await,
    }
}

async fn add(
    context: &mut Context,
    name: &str,
    role: Role,
    language: &str,
) -> Result<Exit, Failure> {
    let client = context.client()?;
    // Asked first, so that nobody types a password for nothing.
    let _known: Vec<Account> = client.all("/api/v1/accounts").await?;
    let again = "flash-node account add NAME --role ROLE";
    let password = read_new_secret(context, "password", again)?;
    let body = serde_json::json!({
        "name": name, "role": role, "language": language, "password": *password,
    });
    let body = body.to_string().into_bytes();
    let account: Account = client.post("/api/v1/accounts", Some(body)).await?;
    let text = format!(
        "{} was added as {}, and signs in with this password\n",
        plain(&account.name),
        account.role.as_str()
    );
    context.screen.print(&text);
    Ok(Exit::Ok)
}

async fn change_role(context: &mut Context, name: &str, role: Role) -> Result<Exit, Failure> {
    let client = context.client()?;
    let found = find(&client, name).await?;
    let body = serde_json::json!({ "role": role }).to_string().into_bytes();
    let path = format!("/api/v1/accounts/{}", found.id);
    let account: Account = client.patch(&path, body).await?;
    let text = format!(
        "{} is {} now\n",
        plain(&account.name),
        account.role.as_str()
    );
    context.screen.print(&text);
    Ok(Exit::Ok)
}

async fn sessions(context: &mut Context, name: &str) -> Result<Exit, Failure> {
    let client = context.client()?;
    let found = find(&client, name).await?;
    let path = format!("/api/v1/accounts/{}/sessions", found.id);
    let list: Sessions = client.get(&path).await?;
    if list.items.is_empty() {
        let text = format!("{} is signed in nowhere", plain(&found.name));
        context.screen.note(&text);
    }
    for session in list.items {
        let line = format!(
            "since {}  used {}  from {}  {}",
            render::utc(session.created_at),
            render::utc(session.seen_at),
            session.from,
            session.agent
        );
        context.screen.foreign_line(&line);
    }
    Ok(Exit::Ok)
}

async fn sign_out(context: &mut Context, name: &str) -> Result<Exit, Failure> {
    let client = context.client()?;
    let found = find(&client, name).await?;
    let path = format!("/api/v1/accounts/{}/sessions", found.id);
    client.delete(&path).await?;
    let text = format!("{} is signed in nowhere any more\n", plain(&found.name));
    context.screen.print(&text);
    Ok(Exit::Ok)
}

async fn remove(context: &mut Context, name: &str) -> Result<Exit, Failure> {
    let client = context.client()?;
    let found = find(&client, name).await?;
    let path = format!("/api/v1/accounts/{}", found.id);
    client.delete(&path).await?;
    let text = format!(
        "{} is gone, with every session, token and passkey of the account\n",
        plain(&found.name)
    );
    context.screen.print(&text);
    Ok(Exit::Ok)
}

/// Finds an account by its name. Errors: nobody is called so; it names who is there.
async fn find(client: &Client, name: &str) -> Result<Account, Failure> {
    let mut items: Vec<Account> = client.all("/api/v1/accounts").await?;
    if let Some(index) = items
        .iter()
        .position(|one| one.name.eq_ignore_ascii_case(name))
    {
        return Ok(items.swap_remove(index));
    }
    let names: Vec<String> = items.into_iter().map(|one| one.name).collect();
    Err(Failure::new(
        Exit::Failed,
        format!("nobody is called {name}"),
        match names.as_slice() {
            [] => "nobody owns this node yet: `flash-node setup-code`".to_owned(),
            names => format!("there are: {}", names.join(", ")),
        },
    ))
}

async fn list(context: &mut Context) -> Result<Exit, Failure> {
    let items: Vec<Account> = context.client()?.all("/api/v1/accounts").await?;
    if items.is_empty() {
        context
            .screen
            .note("nobody owns this node yet: `flash-node setup-code` prints how to begin");
    }
    let width = items.iter().map(|one| one.name.chars().count()).max();
    for account in items {
        let second = if account.second_factor {
            "second factor"
        } else {
            "no second factor"
        };
        let line = format!(
            "{:<width$}  {:<7}  {second}",
            account.name,
            account.role.as_str(),
            width = width.unwrap_or_default()
        );
        context.screen.foreign_line(&line);
    }
    Ok(Exit::Ok)
}

async fn reset(context: &mut Context, name: &str) -> Result<Exit, Failure> {
    let client = context.client()?;
    find(&client, name).await?;
    let new = read_new_secret(context, "password", "flash-node account reset NAME")?;
    let body = serde_json::json!({ "name": name, "password": *new }).to_string();
    let account: Account = client
        .post("/api/v1/accounts/reset", Some(body.into_bytes()))
        .await?;
    let text = format!(
        "{} signs in with the new password; the second factor, every session and every token of the account are gone\n",
        account.name
    );
    context.screen.print(&text);
    Ok(Exit::Ok)
}
