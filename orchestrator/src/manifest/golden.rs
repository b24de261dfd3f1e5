//! Walks `golden/`: each `bad_*.toml` stands beside the exact text of what is said about it.
//!
//! `bad_choices_*` is a `node.toml` against the profile regtest, `bad_profile_*` a profile, all others manifests.
//! UPDATE_GOLDEN=1 writes the texts anew; read them before they are committed.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::sync::LazyLock;

use super::Catalog;
use super::ManifestErrors;
use super::choices;
use super::choices::Choices;
use super::error::Rule;
use super::profile;
use super::profile::ProfileName;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/manifest/golden")
}

fn files(extension: &str) -> BTreeSet<String> {
    let listing = fs::read_dir(folder()).unwrap();
    let names = listing.map(|file| file.unwrap().file_name().into_string().unwrap());
    let suffix = format!(".{extension}");
    names
        .filter_map(|name| name.strip_suffix(&suffix).map(str::to_owned))
        .collect()
}

/// Read once: reading it is what `Catalog::with` does again for each bad manifest.
fn embedded() -> &'static Catalog {
    static EMBEDDED: LazyLock<Catalog> = LazyLock::new(|| Catalog::load(None).unwrap());
    &EMBEDDED
}

fn check(name: &str, text: &str) -> Result<(), ManifestErrors> {
    let file = format!("{name}.toml");
    if name.starts_with("bad_choices_") {
        let profile = profile(ProfileName::Regtest);
        choices::read(embedded(), &profile, text, &file).map(drop)
    } else if name.starts_with("bad_profile_") {
        let profile = profile::parse(text, &file)?;
        embedded().validate(&profile, &Choices::default())
    } else {
        Catalog::with([(file.as_str(), text)]).map(drop)
    }
}

#[test]
fn each_bad_file_is_refused_with_its_exact_text() {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test has no configuration; the variable only rewrites golden files"
    )]
    let update = std::env::var("UPDATE_GOLDEN").is_ok();
    let mut wrong = Vec::new();
    for name in files("toml") {
        let text = fs::read_to_string(folder().join(format!("{name}.toml"))).unwrap();
        let said = match check(&name, &text) {
            Ok(()) => "accepted\n".to_owned(),
            Err(errors) => format!("{errors}\n"),
        };
        let golden = folder().join(format!("{name}.err"));
        if update {
            fs::write(&golden, &said).unwrap();
        }
        let expected =
            fs::read_to_string(&golden).unwrap_or_else(|_| format!("{name}.err does not exist\n"));
        if said != expected || said == "accepted\n" {
            wrong.push(format!("{name}\n--- expected\n{expected}--- said\n{said}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_text_has_its_bad_file() {
    assert_eq!(files("err"), files("toml"));
}

/// A golden file shows the rule it is named after, and each rule has one. Two cannot be shown by a text alone.
#[test]
fn each_rule_has_a_golden_file() {
    let elsewhere = [Rule::Unreadable, Rule::WaitCycle];
    let mut shown: BTreeSet<Rule> = BTreeSet::new();
    for name in files("toml") {
        let text = fs::read_to_string(folder().join(format!("{name}.toml"))).unwrap();
        let errors = check(&name, &text).unwrap_err();
        let rules: BTreeSet<Rule> = errors.errors().iter().map(|error| error.rule).collect();
        let stem = ["bad_choices_", "bad_profile_", "bad_"]
            .iter()
            .find_map(|prefix| name.strip_prefix(prefix))
            .unwrap();
        let own = rules
            .iter()
            .copied()
            .find(|rule| stem.starts_with(rule.name()));
        shown.extend(own);
        assert!(own.is_some(), "{name} breaks {rules:?}");
    }
    let missing: Vec<&Rule> = Rule::ALL
        .iter()
        .filter(|rule| !shown.contains(rule) && !elsewhere.contains(rule))
        .collect();
    assert!(missing.is_empty(), "no golden file for {missing:?}");
}

#[test]
fn both_examples_are_read_and_fit_the_catalogue() {
    for name in ["minimal.toml", "maximal.toml"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../manifests/examples")
            .join(name);
        let text = fs::read_to_string(path).unwrap();
        Catalog::with([(name, text.as_str())]).unwrap_or_else(|errors| panic!("{errors}"));
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("a.toml")).unwrap();
    let errors = Catalog::load(Some(folder.path())).unwrap_err();
    assert_eq!(errors.errors()[0].rule, Rule::Unreadable);
    assert!(errors.to_string().contains("a.toml"), "{errors}");
}

#[test]
fn the_four_profiles_hold_with_no_choices() {
    let catalog = Catalog::load(None).unwrap();
    for &name in ProfileName::ALL {
        let result = catalog.validate(&profile(name), &Choices::default());
        result.unwrap_or_else(|errors| panic!("{name}: {errors}"));
    }
}

#[test]
fn services_that_wait_for_each_other_are_refused() {
    let minimal = include_str!("../../../manifests/examples/minimal.toml");
    let member = |id: &str, to: &str| {
        let text = minimal.replace("id = \"minimal\"", &format!("id = \"{id}\""));
        format!(
            "{text}\n[interfaces.page]\nport = \"http\"\n\n[edges.next]\nto = \"{to}\"\ninterface = \"page\"\n"
        )
    };
    let (a, b) = (member("a", "b"), member("b", "a"));
    let catalog = Catalog::with([("a.toml", a.as_str()), ("b.toml", b.as_str())]).unwrap();
    let text = "[services.a]\nmanifest = \"a\"\n\n[services.b]\nmanifest = \"b\"\n";
    let choices = choices::parse(text, "node.toml").unwrap();
    let errors = catalog
        .validate(&profile(ProfileName::Demo), &choices)
        .unwrap_err();
    assert_eq!(errors.errors()[0].rule, Rule::WaitCycle);
    assert!(errors.to_string().contains("a → b → a"), "{errors}");
}

/// The author's reference lists the rules in their own words.
#[test]
fn the_manual_lists_each_rule() {
    let manual =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/manifests.md"))
            .unwrap();
    let lines = Rule::ALL
        .iter()
        .map(|rule| format!("- `{}`: {}", rule.name(), rule.sentence()));
    let missing: Vec<String> = lines
        .filter(|line| !manual.contains(line.as_str()))
        .collect();
    assert!(
        missing.is_empty(),
        "docs/manifests.md lacks:\n{}",
        missing.join("\n")
    );
}
