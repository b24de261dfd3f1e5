//! Owns `check`: it reads files as the daemon would, and prints every mistake.
//!
//! It does not know the rules of a manifest (`manifest`).

use std::path::Path;
use std::path::PathBuf;

use serde::de::DeserializeOwned;

use super::Context;
use super::exit::Exit;
use super::exit::Failure;
use super::exit::chain;
use crate::manifest::choices::Choices;
use crate::manifest::profile::Profile;
use crate::manifest::schema::Manifest;

/// Checks files, or the `.toml` files of folders. Errors: exit 65 where any holds a mistake.
pub(super) fn check(context: &mut Context, paths: &[PathBuf]) -> Result<Exit, Failure> {
    let mut files = Vec::new();
    for path in paths {
        files.extend(files_in(path)?);
    }
    let mut wrong = 0_usize;
    for file in &files {
        match check_file(file) {
            Ok(kind) => context
                .screen
                .foreign_line(&format!("{}: ok ({kind})", file.display())),
            Err(mistakes) => {
                wrong += 1;
                for line in mistakes.lines() {
                    context.screen.foreign_line(line);
                }
            }
        }
    }
    if wrong == 0 {
        return Ok(Exit::Ok);
    }
    Err(Failure::new(
        Exit::BadData,
        format!("{wrong} of {} files hold mistakes", files.len()),
        "mend the lines above, then check again",
    ))
}

fn files_in(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    let unreadable = |error: std::io::Error| {
        Failure::new(
            Exit::Usage,
            format!("{} cannot be read: {error}", path.display()),
            "name a TOML file, or a folder that holds some",
        )
    };
    if !path.is_dir() {
        std::fs::metadata(path).map_err(unreadable)?;
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(unreadable)? {
        let file = entry.map_err(unreadable)?.path();
        if file.extension().is_some_and(|ending| ending == "toml") {
            files.push(file);
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(Failure::new(
            Exit::Usage,
            format!("{} holds no TOML files", path.display()),
            "name a TOML file, or a folder that holds some",
        ));
    }
    Ok(files)
}

/// Reads one file as what it says it is. Errors: every mistake, a line each.
pub(super) fn check_file(path: &Path) -> Result<&'static str, String> {
    let file = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("{file}: cannot be read: {}", chain(&error)))?;
    let table: toml::Table = parse(&text, &file)?;
    if table.contains_key("manifest") {
        parse::<Manifest>(&text, &file).map(|_| "manifest")
    } else if table.contains_key("profile") {
        parse::<Profile>(&text, &file).map(|_| "profile")
    } else {
        parse::<Choices>(&text, &file).map(|_| "node.toml")
    }
}

fn parse<T: DeserializeOwned>(text: &str, file: &str) -> Result<T, String> {
    toml::from_str(text).map_err(|error| {
        let (line, column) = place(text, error.span().map_or(0, |span| span.start));
        format!("{file}:{line}:{column}: {}", error.message())
    })
}

/// Returns line and column of a byte, both counted from 1.
pub(super) fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    (line, column)
}
