use std::collections::BTreeSet;
use std::panic::catch_unwind;
use std::path::Path;
use std::path::PathBuf;

use super::POINTS;
use super::armed;
use super::point;

#[test]
fn every_failpoint_has_a_name_of_its_own() {
    let names: BTreeSet<_> = POINTS.iter().collect();
    assert_eq!(names.len(), POINTS.len());
}

#[test]
fn an_unknown_failpoint_panics_in_the_code_and_in_the_environment() {
    assert!(catch_unwind(|| point("state.no_such_point")).is_err());
    assert!(catch_unwind(|| armed::parse("state.no_such_point")).is_err());
    assert!(catch_unwind(|| armed::parse("state.before_commit:often")).is_err());
}

#[test]
fn a_failpoint_may_name_the_hit_at_which_it_kills() {
    let armed = armed::parse("state.before_commit:3");
    assert_eq!((armed.name.as_str(), armed.at), ("state.before_commit", 3));
    assert_eq!(armed::parse("state.after_commit").at, 1);
}

/// Calls that write to the disk what the next start will read.
const WRITES: &[&str] = &[
    ".transaction(",
    "put_record(",
    "append_event(",
    ".update_record(",
    // The executor's own ways to the same.
    "self.update(",
    "self.intend(",
    ".keep_generation(",
    ".keep_port(",
    ".keep_ports(",
    ".keep_api_port(",
    "durable::write",
    "durable::rename(",
    "durable::remove(",
];

/// Functions that write without a failpoint of their own, and why that is enough.
const WITHOUT: &[(&str, &str, &str)] = &[
    (
        "app/copies.rs",
        "follow",
        "an event alone; each look compares copy and original anew",
    ),
    (
        "app/advisories.rs",
        "import_advisories",
        "one file, replaced whole; whoever imports it again loses nothing",
    ),
    (
        "app/ways.rs",
        "tell",
        "an event alone; each look says how a way in is",
    ),
    (
        "app/ways/acme.rs",
        "write",
        "one file, replaced whole; what was not written is asked for again",
    ),
    (
        "app/ways/lan.rs",
        "leaf",
        "a certificate that was not written is issued anew at the next look",
    ),
    (
        "reconcile/execute.rs",
        "update",
        "its callers hold the points around it",
    ),
    (
        "store/state/tables.rs",
        "update_record",
        "it is a part of a transaction, whose points lie in `transaction`",
    ),
    (
        "reconcile/execute.rs",
        "intend",
        "its callers hold the points around it",
    ),
    (
        "reconcile/execute.rs",
        "note_trouble",
        "one transaction, between state.before_commit and state.after_commit",
    ),
    (
        "reconcile/jobs.rs",
        "note_jobs",
        "one transaction each, between state.before_commit and state.after_commit",
    ),
    ("app/world.rs", "keep_ports", "app.ports_kept follows it"),
    (
        "app/world.rs",
        "accept",
        "app.accepted and apply.accepted follow it",
    ),
    (
        "app/node.rs",
        "note",
        "one transaction, between state.before_commit and state.after_commit",
    ),
    (
        "app/services/jobs.rs",
        "change",
        "one transaction, between state.before_commit and state.after_commit; job.begun follows it",
    ),
    (
        "app/services/jobs.rs",
        "existing",
        "one transaction, between state.before_commit and state.after_commit",
    ),
    (
        "app/mod.rs",
        "write_default_choices",
        "app.state_created lies before it and app.vault_created after it",
    ),
    (
        "store/folder.rs",
        "clear_unfinished",
        "what it removes was never finished: it begins anew",
    ),
    (
        "store/folder.rs",
        "write_identity",
        "folder.identity_written, folder.moved and app.initialised follow it",
    ),
    ("store/sqlite.rs", "read", "its transaction writes nothing"),
    (
        "store/sqlite.rs",
        "build",
        "migrate.before_commit lies in it; its file is a neighbour that nobody reads",
    ),
    (
        "store/sqlite.rs",
        "copy_before_migrating",
        "migrate.copied follows it",
    ),
    (
        "store/vault/slots.rs",
        "settle",
        "vault.create.slots_written and vault.passphrase.self_key_removed lie before it",
    ),
    (
        "store/vault/mod.rs",
        "attach",
        "it finishes what vault.create.database_built and slots_written cut short",
    ),
    (
        "store/vault/attempts.rs",
        "keep",
        "a count: an older one only shortens a wait",
    ),
    (
        "store/state/mod.rs",
        "create",
        "app.folder lies before it and app.state_created after it",
    ),
    (
        "store/state/mod.rs",
        "",
        "its methods are one transaction each: the points lie in `transaction`",
    ),
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            found.push(path);
        }
    }
}

/// The functions of a source, each as its name and its text up to the next one.
fn functions(text: &str) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = Vec::new();
    for line in text.lines().take_while(|line| *line != "#[cfg(test)]") {
        let code = line.split("//").next().expect("a part");
        let begins = [
            "fn ",
            "pub fn ",
            "pub(crate) fn ",
            "pub(super) fn ",
            "async fn ",
            "pub async fn ",
            "pub(crate) async fn ",
            "pub(super) async fn ",
        ]
        .iter()
        .find_map(|start| code.trim_start().strip_prefix(start));
        if let Some(rest) = begins {
            let name = rest.split(['(', '<']).next().expect("a name").to_owned();
            all.push((name, String::new()));
        } else if let Some((_, body)) = all.last_mut() {
            body.push_str(code);
            body.push('\n');
        }
    }
    all
}

#[test]
fn every_function_that_writes_holds_a_failpoint_or_says_why_not() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut used = BTreeSet::new();
    let mut bare = Vec::new();
    for file in files {
        let name = file
            .strip_prefix(&root)
            .expect("below")
            .display()
            .to_string();
        if name.contains("tests") || name == "store/surgery.rs" {
            continue;
        }
        let text = std::fs::read_to_string(&file).expect("text");
        for (function, body) in functions(&text) {
            let writes = WRITES.iter().any(|call| body.contains(call));
            if !writes || body.contains("fail::point(") {
                continue;
            }
            let excused = WITHOUT
                .iter()
                .find(|(of, one, _)| *of == name && (one.is_empty() || *one == function));
            match excused {
                Some(excuse) => {
                    used.insert(excuse);
                }
                None => bare.push(format!("{name}: {function}")),
            }
        }
    }
    assert_eq!(
        bare,
        Vec::<String>::new(),
        "give them a failpoint and a scenario in tests/kill_loop.rs"
    );
    let all: BTreeSet<_> = WITHOUT.iter().collect();
    assert_eq!(used, all, "an excuse that nothing needs any more");
}
