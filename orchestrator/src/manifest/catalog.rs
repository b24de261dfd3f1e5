//! Owns the set of manifests a node knows: those embedded in the program and the operator's own.
//!
//! It does not know which of them were accepted, nor which run.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path as FilePath;

use include_dir::Dir;
use include_dir::include_dir;

use super::error::ManifestError;
use super::error::ManifestErrors;
use super::error::Rule;
use super::error::Subject;
use super::locate::Path;
use super::references;
use super::schema::Manifest;
use super::validate::Findings;
use crate::id::ManifestId;

static EMBEDDED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../manifests/services");

/// Where a manifest comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// It is part of this program.
    Embedded,
    /// The operator put it into the data folder.
    Operator,
}

/// One manifest with the text it was read from.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The manifest.
    pub manifest: Manifest,
    /// Its text.
    pub text: String,
    /// Its file, as errors name it.
    pub file: String,
    /// Where it comes from.
    pub origin: Origin,
}

/// Every manifest that a node knows, by id.
#[derive(Debug, Clone)]
pub struct Catalog {
    entries: BTreeMap<ManifestId, Entry>,
}

impl Catalog {
    /// Reads the embedded manifests, and the operator's own from `operator_dir` under the same rules.
    ///
    /// A folder that does not exist holds nothing. Errors: everything that is wrong with any manifest by itself or
    /// with how they refer to each other.
    pub fn load(operator_dir: Option<&FilePath>) -> Result<Self, ManifestErrors> {
        let mut sources: Vec<Source> = embedded().collect();
        if let Some(dir) = operator_dir {
            sources.extend(operator_sources(dir)?);
        }
        Self::read(sources)
    }

    /// Reads the embedded manifests and further ones, each with the name of its file: for `flash-node check` and tests.
    ///
    /// Errors: as [`Catalog::load`].
    pub fn with<'a>(
        texts: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, ManifestErrors> {
        let further = texts.into_iter().map(|(file, text)| Source {
            file: file.to_owned(),
            text: text.to_owned(),
            origin: Origin::Operator,
        });
        Self::read(embedded().chain(further))
    }

    /// Builds a catalogue from texts alone, each with the name of its file: what was accepted, or is to be checked.
    ///
    /// Errors: as [`Catalog::load`].
    pub fn of_texts<'a>(
        texts: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, ManifestErrors> {
        Self::read(texts.into_iter().map(|(file, text)| Source {
            file: file.to_owned(),
            text: text.to_owned(),
            origin: Origin::Operator,
        }))
    }

    fn read(sources: impl IntoIterator<Item = Source>) -> Result<Self, ManifestErrors> {
        let mut entries: BTreeMap<ManifestId, Entry> = BTreeMap::new();
        let mut results = Vec::new();
        for Source { file, text, origin } in sources {
            match super::parse(&text, &file) {
                Err(errors) => results.push(Some(errors)),
                Ok(manifest) => {
                    if let Some(first) = entries.get(&manifest.id) {
                        results.push(Some(ManifestErrors::one(taken(
                            &manifest, &file, &text, first,
                        ))));
                        continue;
                    }
                    entries.insert(
                        manifest.id.clone(),
                        Entry {
                            manifest,
                            text,
                            file,
                            origin,
                        },
                    );
                }
            }
        }
        ManifestErrors::all(results)?;
        let catalog = Self { entries };
        ManifestErrors::all(catalog.check_references())?;
        Ok(catalog)
    }

    fn check_references(&self) -> Vec<Option<ManifestErrors>> {
        let ids: Vec<&str> = self.entries.keys().map(ManifestId::as_str).collect();
        let check = |entry: &Entry| {
            let mut found = Findings::default();
            references::check(&entry.manifest, &ids, &|id| self.get(id), &mut found);
            ManifestErrors::place(found.0, &Subject::Manifest, &entry.file, Some(&entry.text))
        };
        self.entries.values().map(check).collect()
    }

    /// Returns one manifest.
    #[must_use]
    pub fn get(&self, id: &ManifestId) -> Option<&Manifest> {
        self.entries.get(id).map(|entry| &entry.manifest)
    }

    /// Returns one manifest with its text and origin.
    #[must_use]
    pub fn entry(&self, id: &ManifestId) -> Option<&Entry> {
        self.entries.get(id)
    }

    /// Goes through all manifests, sorted by id.
    pub fn iter(&self) -> impl Iterator<Item = (&ManifestId, &Entry)> {
        self.entries.iter()
    }
}

struct Source {
    file: String,
    text: String,
    origin: Origin,
}

fn embedded() -> impl Iterator<Item = Source> {
    EMBEDDED.files().filter_map(|file| {
        let name = file.path().file_name()?.to_str()?.to_owned();
        let text = file.contents_utf8()?.to_owned();
        Some(Source {
            file: format!("manifests/services/{name}"),
            text,
            origin: Origin::Embedded,
        })
    })
}

fn taken(manifest: &Manifest, file: &str, text: &str, first: &Entry) -> ManifestError {
    let path = Path::root().then("id");
    ManifestError {
        rule: Rule::IdTaken,
        subject: Subject::Manifest,
        file: file.to_owned(),
        position: super::locate::Locator::new(text).map(|at| at.position(&path)),
        path,
        message: format!("the id `{}` is taken by {}", manifest.id, first.file),
        hint: Some(
            "give the manifest an id of its own; a service may still use any name".to_owned(),
        ),
    }
}

/// Reads the operator's own manifests, sorted by name. Errors: a folder or file that cannot be read.
fn operator_sources(dir: &FilePath) -> Result<Vec<Source>, ManifestErrors> {
    let unreadable = |path: &FilePath, error: &std::io::Error| {
        ManifestErrors::one(ManifestError {
            rule: Rule::Unreadable,
            subject: Subject::Manifest,
            file: path.display().to_string(),
            position: None,
            path: Path::root(),
            message: format!("the manifest could not be read: {error}"),
            hint: None,
        })
    };
    let listing = match fs::read_dir(dir) {
        Ok(listing) => listing,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(dir, &error)),
    };
    let mut paths = Vec::new();
    for file in listing {
        let path = file.map_err(|error| unreadable(dir, &error))?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            paths.push(path);
        }
    }
    paths.sort();
    let read = |path: std::path::PathBuf| {
        let text = fs::read_to_string(&path).map_err(|error| unreadable(&path, &error))?;
        Ok(Source {
            file: path.display().to_string(),
            text,
            origin: Origin::Operator,
        })
    };
    paths.into_iter().map(read).collect()
}

#[cfg(test)]
mod tests;
