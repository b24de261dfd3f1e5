//! Owns the difference between the operator's files and what was accepted of them.
//!
//! It does not know what a file means. A new release's own manifests are nobody's edit.

use std::collections::BTreeMap;
use std::path::Path;

use crate::app::world::CHOICES_FILE;
use crate::app::world::Texts;
use crate::manifest::choices::SetError;

/// Names the operator's files that hold changes which were not accepted. `edit` is the change that is asked for
/// now: a `node.toml` that holds it and nothing else was written by a try that was cut short.
pub(super) fn files(
    fresh: &Texts,
    accepted: &Texts,
    edit: impl Fn(&str) -> Result<String, SetError>,
) -> Vec<String> {
    let mut pending = Vec::new();
    let cut_short = || edit(&accepted.choices).is_ok_and(|edited| edited == fresh.choices);
    if fresh.choices != accepted.choices && !cut_short() {
        pending.push(CHOICES_FILE.to_owned());
    }
    let (fresh, accepted) = (own_manifests(fresh), own_manifests(accepted));
    let names = fresh.keys().chain(accepted.keys());
    for name in names {
        let known = pending.iter().any(|one| one == name);
        if !known && fresh.get(name) != accepted.get(name) {
            pending.push((*name).to_owned());
        }
    }
    pending
}

/// Returns the operator's manifests by the names of their files: the release's have no absolute path, and a data
/// folder may have been moved.
fn own_manifests(texts: &Texts) -> BTreeMap<&str, &str> {
    texts
        .manifests
        .iter()
        .map(|(file, text)| (Path::new(file), text.as_str()))
        .filter(|(file, _)| file.is_absolute())
        .filter_map(|(file, text)| Some((file.file_name()?.to_str()?, text)))
        .collect()
}

#[cfg(test)]
mod tests;
