//! Owns the set of manifests a node knows.

use std::collections::BTreeMap;

use super::schema::Manifest;
use crate::id::ManifestId;

/// One manifest.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The manifest.
    pub manifest: Manifest,
}

/// Every manifest that a node knows, by id.
#[derive(Debug, Clone)]
pub struct Catalog {
    entries: BTreeMap<ManifestId, Entry>,
}

impl Catalog {
    /// Builds a catalogue from texts, each with the name of its file. Errors: the first text that is no manifest.
    pub fn of_texts<'a>(
        texts: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, toml::de::Error> {
        let mut entries = BTreeMap::new();
        for (_file, text) in texts {
            let manifest: Manifest = toml::from_str(text)?;
            entries.insert(manifest.id.clone(), Entry { manifest });
        }
        Ok(Self { entries })
    }

    /// Returns one manifest.
    #[must_use]
    pub fn get(&self, id: &ManifestId) -> Option<&Manifest> {
        self.entries.get(id).map(|entry| &entry.manifest)
    }

    /// Goes through all manifests, sorted by id.
    pub fn iter(&self) -> impl Iterator<Item = (&ManifestId, &Entry)> {
        self.entries.iter()
    }
}
