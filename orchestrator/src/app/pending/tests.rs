use std::collections::BTreeMap;

use super::files;
use crate::app::world::Texts;
use crate::manifest::choices::SetError;

fn texts(choices: &str, manifests: &[(&str, &str)]) -> Texts {
    let manifests: BTreeMap<String, String> = manifests
        .iter()
        .map(|(file, text)| ((*file).to_owned(), (*text).to_owned()))
        .collect();
    Texts {
        choices: choices.to_owned(),
        manifests,
    }
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "it stands for an edit that may fail"
)]
fn edit(text: &str) -> Result<String, SetError> {
    Ok(format!("{text}name = 1\n"))
}

#[test]
fn an_edit_of_the_operator_is_pending_until_it_is_applied() {
    let accepted = texts("a\n", &[("/d/manifests/own.toml", "one")]);
    assert!(files(&accepted, &accepted, edit).is_empty());
    let edited = texts("b\n", &[("/d/manifests/own.toml", "two")]);
    assert_eq!(files(&edited, &accepted, edit), ["node.toml", "own.toml"]);
    let gone = texts("a\n", &[]);
    assert_eq!(files(&gone, &accepted, edit), ["own.toml"]);
    assert_eq!(files(&accepted, &gone, edit), ["own.toml"]);
}

#[test]
fn the_same_change_cut_short_is_no_edit_of_the_operator() {
    let accepted = texts("a\n", &[]);
    let written = texts("a\nname = 1\n", &[]);
    assert!(files(&written, &accepted, edit).is_empty());
    let more = texts("a\nname = 1\nother = 2\n", &[]);
    assert_eq!(files(&more, &accepted, edit), ["node.toml"]);
}

#[test]
fn a_new_release_and_a_moved_folder_are_no_edits_of_the_operator() {
    let accepted = texts(
        "",
        &[
            ("manifests/services/relay.toml", "old"),
            ("/old/manifests/own.toml", "one"),
        ],
    );
    let fresh = texts(
        "",
        &[
            ("manifests/services/relay.toml", "new"),
            ("manifests/services/mint.toml", "new"),
            ("/new/manifests/own.toml", "one"),
        ],
    );
    assert!(files(&fresh, &accepted, edit).is_empty());
}
