//! Owns the reading of TOML: from a text to a value, or to errors with line, column and hint.
//!
//! It does not know what the values mean.

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
    let located = Locator::new(text);
    let Said {
        rule,
        message,
        hint,
        keys,
    } = match located {
        Some(_) => classify(said),
        None => Said::new(Rule::Syntax, said.replace('\n', ", ")),
    };
    // Where the library knows only the whole table, the key is found in it.
    let exact = text
        .get(span.clone())
        .is_some_and(|at| keys.contains(&at.trim_matches(['"', '\''])));
    let find = |key: &&str| located.as_ref()?.key_within(&span, key);
    let start = if exact {
        None
    } else {
        keys.iter().find_map(find)
    };
    ManifestError {
        rule,
        subject: subject.clone(),
        file: file.to_owned(),
        position: Some(position(text, start.unwrap_or(span.start))),
        path: Path::root(),
        message,
        hint,
    }
}

/// What an error of the TOML library means.
struct Said<'a> {
    rule: Rule,
    message: String,
    hint: Option<String>,
    /// The keys at which it may stand, the likeliest first.
    keys: Vec<&'a str>,
}

impl<'a> Said<'a> {
    fn new(rule: Rule, message: impl Into<String>) -> Self {
        Self {
            rule,
            message: message.into(),
            hint: None,
            keys: Vec::new(),
        }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    fn at(mut self, keys: Vec<&'a str>) -> Self {
        self.keys = keys;
        self
    }
}

fn classify(said: &str) -> Said<'_> {
    if let Some((word, known)) = quoted(said, "unknown field `") {
        let hint = allowed_hint(word, &known);
        return Said::new(Rule::UnknownKey, format!("unknown key `{word}`"))
            .hint(hint)
            .at(vec![word]);
    }
    if let Some((word, known)) = quoted(said, "unknown variant `") {
        let hint = allowed_hint(word, &known);
        return Said::new(Rule::UnknownWord, format!("unknown word `{word}`"))
            .hint(hint)
            .at(vec![word, "kind", "type"]);
    }
    if let Some((word, _)) = quoted(said, "missing field `") {
        let rule = match word {
            "digest" => Rule::ImageDigest,
            _ => Rule::MissingKey,
        };
        let mut missing = Said::new(rule, format!("the key `{word}` is missing"));
        missing.hint = missing_key_hint(word).map(str::to_owned);
        return missing;
    }
    if said.starts_with("the image `") {
        let (message, hint) = said.split_once("; ").unwrap_or((said, ""));
        return Said::new(Rule::ImageDigest, message).hint(hint);
    }
    if said.starts_with("the name `") {
        return Said::new(Rule::Name, said);
    }
    let wrong = Said::new(Rule::WrongType, said.replace('\n', ", "));
    match quoted(said, "`") {
        Some((word, _)) if said.starts_with('`') => wrong.at(vec![word]),
        _ => wrong,
    }
}

/// Reads `opening` and the quoted word behind it, and the quoted words that follow.
fn quoted<'a>(said: &'a str, opening: &str) -> Option<(&'a str, Vec<&'a str>)> {
    let (_, rest) = said.split_once(opening)?;
    let (word, rest) = rest.split_once('`')?;
    Some((word, rest.split('`').skip(1).step_by(2).collect()))
}

fn allowed_hint(word: &str, known: &[&str]) -> String {
    match hint::nearest(word, known.iter().copied()) {
        Some(word) => format!("did you mean `{word}`?"),
        None if known.is_empty() => "nothing is allowed here".to_owned(),
        None => format!("allowed here: {}", hint::list(known)),
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
