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
use super::exit::Exit;
use super::exit::Failure;

/// The longest secret that is read. Units: bytes.
const LIMIT: u64 = 4096;

/// Opens the vault.
pub(super) async fn unlock(
    context: &mut Context,
    recovery_key: bool,
    key_file: Option<&Path>,
) -> Result<Exit, Failure> {
    // Asked first, so that nobody types a secret for nothing.
    context.client()?;
    let body = if let Some(path) = key_file {
        let content = read_key_file(path)?;
        let text = Zeroizing::new(base64::engine::general_purpose::STANDARD.encode(&*content));
        json(&[("key_file", &text)])
    } else if recovery_key {
        json(&[("recovery_key", &read_secret(context, "Recovery key: ")?)])
    } else {
        json(&[("passphrase", &read_secret(context, "Passphrase: ")?)])
    };
    context.change("/api/v1/vault/unlock", Some(body)).await
}

/// Sets or changes the passphrase.
pub(super) async fn change_passphrase(context: &mut Context) -> Result<Exit, Failure> {
    let status = context.client()?.status().await?;
    // Before the first passphrase nothing needs to be proved: the vault opens itself.
    let current = if status.vault.state == "self_unsealing" {
        None
    } else {
        Some(read_secret(context, "Current passphrase: ")?)
    };
    let new = read_secret(context, "New passphrase: ")?;
    if std::io::stdin().is_terminal() {
        let again = read_secret(context, "New passphrase again: ")?;
        if *again != *new {
            return Err(Failure::new(
                Exit::Refused,
                "the two passphrases differ; nothing was changed",
                "run `flash-node passphrase change` again",
            ));
        }
    }
    let body = serde_json::json!({
        "current": current.as_ref().map(|text| serde_json::json!({ "passphrase": **text })),
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

fn json(fields: &[(&str, &Zeroizing<String>)]) -> Vec<u8> {
    let map: serde_json::Map<String, serde_json::Value> = fields
        .iter()
        .map(|(name, text)| ((*name).to_owned(), serde_json::Value::from(text.as_str())))
        .collect();
    serde_json::Value::from(map).to_string().into_bytes()
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
        .and_then(|file| file.take(LIMIT).read_to_end(&mut content))
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
        Zeroizing::new(
            console::Term::stderr()
                .read_secure_line()
                .map_err(|_| nothing())?,
        )
    } else {
        let mut line = Zeroizing::new(String::new());
        std::io::stdin()
            .lock()
            .take(LIMIT)
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
