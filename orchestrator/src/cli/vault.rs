//! Owns the commands about the vault: secrets are read from the terminal without echo, or from standard input.
//!
//! It does not know how a vault opens.

use std::io::BufRead;
use std::io::IsTerminal;
use std::io::Read;
use std::path::Path;

use base64::Engine;
use zeroize::Zeroizing;

use super::Context;
use super::args;
use super::exit::Exit;
use super::exit::Failure;
use super::hidden;

/// The longest secret that is read. Units: bytes.
const LIMIT: usize = 4096;

/// Opens the vault.
pub(super) async fn unlock(context: &mut Context, with: &args::Opener) -> Result<Exit, Failure> {
    // Asked first, so that nobody types a secret for nothing.
    let vault = context.client()?.status().await?.vault;
    if !vault.exists {
        return Err(Failure::new(
            Exit::Failed,
            "there is no vault yet, so there is nothing to unlock",
            "make it by setting a passphrase: `flash-node passphrase change`",
        ));
    }
    let opener = read_opener(context, with, "Passphrase: ")?;
    let body = serde_json::json!({ opener.kind: *opener.text });
    let body = body.to_string().into_bytes();
    context.change("/api/v1/vault/unlock", Some(body)).await
}

/// A way to open the vault, as it goes into a body.
struct Opener {
    kind: &'static str,
    text: Zeroizing<String>,
}

/// Reads what opens the vault: a key file, the recovery key, or else the passphrase.
fn read_opener(
    context: &mut Context,
    with: &args::Opener,
    passphrase: &str,
) -> Result<Opener, Failure> {
    let (kind, text) = if let Some(path) = &with.key_file {
        let content = read_key_file(path)?;
        let text = base64::engine::general_purpose::STANDARD.encode(&*content);
        ("key_file", Zeroizing::new(text))
    } else if with.recovery_key {
        ("recovery_key", read_secret(context, "Recovery key: ")?)
    } else {
        ("passphrase", read_secret(context, passphrase)?)
    };
    Ok(Opener { kind, text })
}

/// Reads a new secret: twice on a terminal, once from standard input. `again` is the command to try again with.
pub(super) fn read_new_secret(
    context: &mut Context,
    what: &str,
    again: &str,
) -> Result<Zeroizing<String>, Failure> {
    let new = read_secret(context, &format!("New {what}: "))?;
    if std::io::stdin().is_terminal() {
        let second = read_secret(context, &format!("New {what} again: "))?;
        if *second != *new {
            return Err(Failure::new(
                Exit::Refused,
                format!("the two {what}s differ; nothing was changed"),
                format!("run `{again}` again"),
            ));
        }
    }
    Ok(new)
}

/// Sets or changes the passphrase.
pub(super) async fn change_passphrase(
    context: &mut Context,
    with: &args::Opener,
) -> Result<Exit, Failure> {
    let vault = context.client()?.status().await?.vault;
    // Before the first passphrase nothing needs to be proved: there is no vault yet, or it opens itself.
    let current = if vault.passphrase_set {
        Some(read_opener(context, with, "Current passphrase: ")?)
    } else {
        None
    };
    let new = read_new_secret(context, "passphrase", "flash-node passphrase change")?;
    let body = serde_json::json!({
        "current": current.as_ref().map(|opener| serde_json::json!({ opener.kind: *opener.text })),
        "new": *new,
    });
    let body = body.to_string().into_bytes();
    context.change("/api/v1/vault/passphrase", Some(body)).await
}

/// Writes a key file.
pub(super) async fn add_key_file(context: &mut Context, path: &Path) -> Result<Exit, Failure> {
    let path = std::path::absolute(path).map_err(|error| {
        Failure::new(
            Exit::Usage,
            format!("{} is not a path: {error}", path.display()),
            "name a file that does not exist yet",
        )
    })?;
    let body = serde_json::json!({ "path": path });
    let body = body.to_string().into_bytes();
    let done = context.change("/api/v1/vault/key-file", Some(body)).await?;
    context
        .screen
        .note("note: whoever has this file and the data folder can open the vault");
    Ok(done)
}

fn read_key_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(
            Exit::Failed,
            format!("the key file {} cannot be read: {error}", path.display()),
            "plug in the medium that holds it, or unlock with the passphrase",
        )
    };
    let mut content = Zeroizing::new(Vec::new());
    std::fs::File::open(path)
        .and_then(|file| file.take(LIMIT as u64).read_to_end(&mut content))
        .map_err(failed)?;
    Ok(content)
}

/// Reads one secret: from the terminal without echo, else one line of standard input.
fn read_secret(context: &mut Context, prompt: &str) -> Result<Zeroizing<String>, Failure> {
    let nothing = || {
        Failure::new(
            Exit::Refused,
            "nothing was typed",
            "type the secret, or give it as a line on standard input",
        )
    };
    let text = if std::io::stdin().is_terminal() {
        context.screen.note(prompt.trim_end());
        hidden::read_line(std::io::stdin(), LIMIT)
            .map_err(|_| nothing())?
            .ok_or_else(|| {
                Failure::new(
                    Exit::Refused,
                    "cancelled; nothing was changed",
                    "run the command again when you have the secret at hand",
                )
            })?
    } else {
        let mut line = Zeroizing::new(String::new());
        std::io::stdin()
            .lock()
            .take(LIMIT as u64)
            .read_line(&mut line)
            .map_err(|_| nothing())?;
        let bare = line.trim_end_matches(['\r', '\n']);
        Zeroizing::new(bare.to_owned())
    };
    if text.is_empty() {
        return Err(nothing());
    }
    Ok(text)
}
