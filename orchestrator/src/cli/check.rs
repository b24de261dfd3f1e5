//! Owns `check`: it reads files as the daemon would, and prints every mistake.
//!
//! It does not know the rules of a manifest (`manifest`).

use std::path::Path;
use std::path::PathBuf;

use super::Context;
use super::exit::Exit;
use super::exit::Failure;
use super::exit::chain;
use crate::config::Card;
use crate::id::ManifestId;
use crate::manifest;
use crate::manifest::choices;
use crate::manifest::error::ManifestErrors;
use crate::manifest::profile;
use crate::manifest::profile::ProfileName;

/// Checks files, or the `.toml` files of folders. Errors: exit 65 where any holds a mistake.
pub(super) fn check(context: &mut Context, paths: &[PathBuf]) -> Result<Exit, Failure> {
    let mut files = Vec::new();
    for path in paths {
        files.extend(files_in(path)?);
    }
    let mut wrong = 0_usize;
    let mut manifests = Vec::new();
    for file in &files {
        match check_file(file, context.global.profile()) {
            Ok(checked) => {
                context.screen.foreign_line(&checked.line());
                if checked.kind == Kind::Manifest {
                    manifests.push(checked);
                }
            }
            Err(mistakes) => {
                wrong += 1;
                print(context, &mistakes);
            }
        }
    }
    let together = check_together(&manifests);
    if let Err(mistakes) = &together {
        print(context, mistakes);
    }
    if wrong == 0 && together.is_ok() {
        return Ok(Exit::Ok);
    }
    Err(Failure::new(
        Exit::BadData,
        match wrong {
            0 => "the manifests do not fit together".to_owned(),
            1 => "a mistake was found in 1 file".to_owned(),
            _ => format!("mistakes were found in {wrong} files"),
        },
        "mend the lines above, then check again",
    ))
}

fn print(context: &mut Context, mistakes: &str) {
    for line in mistakes.lines() {
        context.screen.foreign_line(line);
    }
}

/// Checks how manifests refer to each other and to the embedded ones; a checked file stands for the embedded one
/// of the same id, so that a release's own manifests can be checked too.
fn check_together(manifests: &[Checked]) -> Result<(), String> {
    if manifests.is_empty() {
        return Ok(());
    }
    let embedded = manifest::Catalog::load(None).map_err(|mistakes| mistakes.to_string())?;
    let replaced = |id: &ManifestId| {
        manifests
            .iter()
            .any(|checked| checked.id.as_ref() == Some(id))
    };
    let kept = embedded
        .iter()
        .filter(|(id, _)| !replaced(id))
        .map(|(_, entry)| (entry.file.as_str(), entry.text.as_str()));
    let given = manifests
        .iter()
        .map(|checked| (checked.file.as_str(), checked.text.as_str()));
    manifest::Catalog::of_texts(kept.chain(given))
        .map(|_| ())
        .map_err(|mistakes| mistakes.to_string())
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

/// What a file says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A service's manifest.
    Manifest,
    /// A profile.
    Profile,
    /// The operator's choices.
    Choices,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Manifest => "manifest",
            Self::Profile => "profile",
            Self::Choices => "node.toml",
        }
    }
}

/// A file without mistakes of its own.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Checked {
    /// What it is.
    pub(super) kind: Kind,
    /// Its id, where it is a manifest.
    id: Option<ManifestId>,
    file: String,
    text: String,
    /// Whether what it names was looked up, too: services and settings are known once a profile is.
    whole: bool,
}

impl Checked {
    /// Says what was found to be well.
    pub(super) fn line(&self) -> String {
        let (file, kind) = (&self.file, self.kind.name());
        if self.whole {
            format!("{file}: ok ({kind})")
        } else {
            format!(
                "{file}: syntax ok ({kind}); the rest needs a node: check it in its data folder, or name a --profile"
            )
        }
    }
}

/// Reads one file as what it says it is; `profile` is the one of a `node.toml` that lies in no data folder. Errors:
/// every mistake, a line each.
pub(super) fn check_file(path: &Path, profile: Option<ProfileName>) -> Result<Checked, String> {
    let file = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("{file}: cannot be read: {}", chain(&error)))?;
    let kind = kind(&text);
    let mut whole = true;
    let parsed = match kind {
        Kind::Manifest => manifest::parse(&text, &file).map(|manifest| Some(manifest.id)),
        Kind::Profile => profile::parse(&text, &file).map(|_| None),
        Kind::Choices => check_choices(path, profile, &text).map(|looked_up| {
            whole = looked_up;
            None
        }),
    };
    let id = parsed.map_err(|mistakes| mistakes.to_string())?;
    Ok(Checked {
        kind,
        id,
        file,
        text,
        whole,
    })
}

/// Checks a `node.toml` as the node in whose folder it lies would. Returns whether what it names could be looked up.
fn check_choices(
    path: &Path,
    profile: Option<ProfileName>,
    text: &str,
) -> Result<bool, ManifestErrors> {
    let file = path.display().to_string();
    let folder = path.parent().unwrap_or(Path::new(""));
    // A card that cannot be read says nothing; the daemon refuses it by itself.
    let card = Card::read(folder).ok().flatten();
    let name = match (&card, profile) {
        (Some(card), _) => card.profile,
        (None, Some(profile)) => profile,
        (None, None) => return choices::parse(text, &file).map(|_| false),
    };
    let own = folder.join("manifests");
    let catalog = manifest::Catalog::load(card.is_some().then_some(own.as_path()))?;
    choices::read(&catalog, &manifest::profile(name), text, &file).map(|_| true)
}

/// Says what a text is by its first key; what cannot be read at all is left to the parser of `node.toml`, which
/// says where it breaks.
fn kind(text: &str) -> Kind {
    let Ok(table) = toml::from_str::<toml::Table>(text) else {
        return Kind::Choices;
    };
    if table.contains_key("manifest") {
        Kind::Manifest
    } else if table.contains_key("profile") {
        Kind::Profile
    } else {
        Kind::Choices
    }
}
