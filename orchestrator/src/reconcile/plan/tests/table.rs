//! Keeps the table of docs/ARCHITECTURE.md (state of a service × event) true to the scripts.
//!
//! `UPDATE_SCRIPTS=1` rewrites the table. A cell is the word of the step that the script's plan takes on the mint, in
//! bold, or what its note says in short.

use super::script::EVENTS;
use super::script::STATES;

const BEGIN: &str =
    "<!-- plan table: written by the test `the_table_in_the_docs_is_what_the_scripts_say` -->\n";
const END: &str = "<!-- end of plan table -->";

/// Notes in a few words, by a phrase that only they contain.
const NOTES: &[(&str, &str)] = &[
    ("runs as wanted, not ready yet", "starting"),
    ("runs as wanted", "keep"),
    ("keeps the old specification until", "waits for unlock"),
    ("keeps the old specification:", "keeps the old"),
    ("degraded:", "degraded"),
    ("runs on, but could not be started again", "runs on"),
    ("unlock the vault", "sealed"),
    ("its record cannot be read", "hands off"),
    ("needs you", "needs you"),
    ("waits before", "backs off"),
    ("stopping; it may take", "stopping"),
    ("waits for db", "waits"),
    ("the operator's own", "external"),
    ("no program `mint`", "held back"),
    ("the disk `big` is not mounted", "blocked"),
];

/// The cell of one script: what its plan does with the mint.
fn cell(state: &str, event: &str) -> String {
    let path = super::folder().join(format!("{state}__{event}.txt"));
    let text = std::fs::read_to_string(&path).expect("a script exists for every cell");
    let (_, plan) = text.split_once("---\n").expect("a script has a line `---`");
    let line = plan.lines().find_map(|line| {
        let (word, rest) = line.trim_start().split_once(' ')?;
        let said = rest.trim_start().strip_prefix("mint")?;
        Some((word, said))
    });
    match line {
        None => "gone".to_owned(),
        Some(("-", said)) => {
            let known = NOTES.iter().find(|(phrase, _)| said.contains(phrase));
            let (_, short) = known.unwrap_or_else(|| {
                panic!(
                    "{}: the table has no short word for `{said}`",
                    path.display()
                )
            });
            (*short).to_owned()
        }
        Some((step, _)) => format!("**{step}**"),
    }
}

fn table() -> String {
    let words = |name: &str| name.replace('_', " ");
    let heads: Vec<String> = EVENTS.iter().map(|event| words(event)).collect();
    let mut text = format!("| state | {} |\n", heads.join(" | "));
    text.push_str(&"|---".repeat(EVENTS.len() + 1));
    text.push_str("|\n");
    for state in STATES {
        let cells: Vec<String> = EVENTS.iter().map(|event| cell(state, event)).collect();
        text.push_str(&format!("| {} | {} |\n", words(state), cells.join(" | ")));
    }
    text
}

#[test]
fn the_table_in_the_docs_is_what_the_scripts_say() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/ARCHITECTURE.md");
    let page = std::fs::read_to_string(&path).expect("docs/ARCHITECTURE.md exists");
    let (before, rest) = page
        .split_once(BEGIN)
        .expect("the page says where the table begins");
    let (kept, after) = rest
        .split_once(END)
        .expect("the page says where the table ends");
    let table = table();
    if kept != table && super::updating() {
        std::fs::write(&path, format!("{before}{BEGIN}{table}{END}{after}")).expect("writable");
    } else {
        assert_eq!(
            kept, table,
            "run the test again with UPDATE_SCRIPTS=1, and read the difference"
        );
    }
}
