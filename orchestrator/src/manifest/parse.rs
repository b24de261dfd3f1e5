//! Owns the reading of TOML: from a text to a value, or to errors with line, column and hint.
//!
//! It does not know what the values mean.

use std::ops::Range;

use serde::de::DeserializeOwned;

use super::error::ManifestError;
use super::error::ManifestErrors;
use super::error::Rule;
use super::error::Subject;
use super::hint;
use super::locate::Locator;
use super::locate::Path;
use super::locate::position;
use super::schema::Manifest;
use super::validate;

/// Reads and checks one manifest; `file` is only named in errors.
///
/// Errors: everything that is wrong with it, as far as it could be read.
pub fn parse(text: &str, file: &str) -> Result<Manifest, ManifestErrors> {
    let manifest: Manifest = read(text, &Subject::Manifest, file)?;
    let findings = validate::validate(&manifest);
    match ManifestErrors::place(findings, &Subject::Manifest, file, Some(text)) {
        Some(errors) => Err(errors),
        None => Ok(manifest),
    }
}

/// Reads TOML into a value whose type rejects unknown keys.
///
/// Errors: the first thing that cannot be read.
pub(super) fn read<T: DeserializeOwned>(
    text: &str,
    subject: &Subject,
    file: &str,
) -> Result<T, ManifestErrors> {
    toml::from_str(text).map_err(|error| ManifestErrors::one(explain(text, subject, file, &error)))
}

/// Turns what the TOML library says into one of our errors.
fn explain(text: &str, subject: &Subject, file: &str, error: &toml::de::Error) -> ManifestError {
    let span = error.span().unwrap_or(0..0);
    let said = error.message().trim();
    let locator = Locator::new(text);
    let mut start = span.start;
    let (rule, message, hint) = if locator.is_none() {
        (Rule::Syntax, said.replace('\n', ", "), None)
    } else if let Some((word, known)) = quoted(said, "unknown field `") {
        start = locator
            .as_ref()
            .and_then(|locator| locator.key_within(&span, &word))
            .unwrap_or(start);
        let hint = unknown_key_hint(&word, &known);
        (
            Rule::UnknownKey,
            format!("unknown key `{word}`"),
            Some(hint),
        )
    } else if let Some((word, known)) = quoted(said, "unknown variant `") {
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        let hint = hint::nearest(&word, known.iter().copied()).map_or_else(
            || format!("allowed: {}", hint::list(&known)),
            |word| format!("did you mean `{word}`?"),
        );
        (
            Rule::UnknownWord,
            format!("unknown word `{word}`"),
            Some(hint),
        )
    } else if let Some((word, _)) = quoted(said, "missing field `") {
        let hint = missing_key_hint(&word).map(str::to_owned);
        (
            Rule::MissingKey,
            format!("the key `{word}` is missing"),
            hint,
        )
    } else if said.starts_with("the image `") {
        let (message, hint) = said.split_once("; ").unwrap_or((said, ""));
        (Rule::ImageDigest, message.to_owned(), Some(hint.to_owned()))
    } else if let Some((word, _)) = said.starts_with('`').then(|| quoted(said, "`")).flatten() {
        start = locator
            .as_ref()
            .and_then(|locator| locator.key_within(&span, &word))
            .unwrap_or(start);
        (Rule::WrongType, said.replace('\n', ", "), None)
    } else if said.starts_with("the name `") {
        (Rule::Name, said.to_owned(), None)
    } else {
        (Rule::WrongType, said.replace('\n', ", "), None)
    };
    ManifestError {
        rule,
        subject: subject.clone(),
        file: file.to_owned(),
        position: Some(position(text, start)),
        path: Path::root(),
        message,
        hint,
    }
}

/// Where the word that chooses a table's kind stands, where the library only knows the whole table.
fn kind_key(
    locator: Option<&Locator<'_>>,
    text: &str,
    span: &Range<usize>,
    word: &str,
) -> Option<usize> {
    let exact = text
        .get(span.clone())
        .is_some_and(|said| said.trim_matches(['"', '\'']) == word);
    let keys = ["kind", "type", "method"];
    let find = |key| locator.and_then(|locator| locator.key_within(span, key));
    (!exact).then(|| keys.into_iter().find_map(find)).flatten()
}

/// Reads `opening` and the quoted word behind it, and the quoted words that follow.
fn quoted(said: &str, opening: &str) -> Option<(String, Vec<String>)> {
    let (_, rest) = said.split_once(opening)?;
    let (word, rest) = rest.split_once('`')?;
    let known = rest
        .split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect();
    Some((word.to_owned(), known))
}

fn unknown_key_hint(word: &str, known: &[String]) -> String {
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    match hint::nearest(word, known.iter().copied()) {
        Some(word) => format!("did you mean `{word}`?"),
        None if known.is_empty() => "no key is allowed here".to_owned(),
        None => format!("allowed here: {}", hint::list(&known)),
    }
}

fn missing_key_hint(word: &str) -> Option<&'static str> {
    Some(match word {
        "digest" => "an image is pinned by its digest; a tag alone can be moved",
        "manifest" => "the first line of a manifest is its schema version, `manifest = 1`",
        "health" => {
            "a service without health rules cannot be waited for; give it `alive` and `ready`"
        }
        "limits" => "every service is bounded; give `memory_mib` by class and `pids`",
        "stop_signal" | "stop_grace_seconds" => {
            "say how the program is asked to stop and how long it may take"
        }
        "help" => "each setting is explained to the operator in one sentence",
        _ => return None,
    })
}
