//! Script tests: each `scripts/*.txt` holds a situation and, below `---`, the plan that is expected.
//!
//! `UPDATE_SCRIPTS=1` rewrites the expectations; the difference is then read like any other change.

mod properties;
mod script;
mod table;

use std::path::PathBuf;

use super::plan;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/reconcile/scripts")
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test asks whether to rewrite its expectations"
)]
fn updating() -> bool {
    std::env::var("UPDATE_SCRIPTS").is_ok()
}

#[test]
fn every_script_gives_the_plan_it_expects() {
    let mut wrong = Vec::new();
    let mut count = 0;
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder())
        .expect("scripts exist")
        .map(|entry| entry.expect("readable").path())
        .collect();
    paths.sort();
    for path in paths {
        let text = std::fs::read_to_string(&path).expect("a script is text");
        let (situation, expected) = text.split_once("---\n").expect("a script has a line `---`");
        let (desired, observed) = script::read(situation);
        let got = plan(&desired, &observed).to_string();
        count += 1;
        if got != expected {
            if updating() {
                std::fs::write(&path, format!("{situation}---\n{got}")).expect("writable");
            } else {
                wrong.push(format!(
                    "{}\nexpected:\n{expected}got:\n{got}",
                    path.display()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(
        count,
        script::STATES.len() * script::EVENTS.len() + script::SCENES,
        "one script per cell of the table"
    );
}

#[test]
fn every_cell_of_the_table_has_its_script() {
    for state in script::STATES {
        for event in script::EVENTS {
            let path = folder().join(format!("{state}__{event}.txt"));
            assert!(path.exists(), "{} is missing", path.display());
        }
    }
}

#[test]
fn a_failure_is_counted_in_words_that_fit() {
    assert_eq!(super::times(1), "once");
    assert_eq!(super::times(3), "3 times");
}
