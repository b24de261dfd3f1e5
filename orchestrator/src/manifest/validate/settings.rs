//! Owns the rules about settings: what an operator may write, and what a default must keep.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Findings;
use super::identity::forbidden;
use crate::manifest::error::Rule;
use crate::manifest::hint;
use crate::manifest::locate::place;
use crate::manifest::schema::Manifest;
use crate::manifest::schema::SettingKind;
use crate::manifest::template;

/// Why a value is refused for a setting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// It has another type.
    #[error("{given} is not {expected}")]
    Type {
        /// The value as it was given.
        given: String,
        /// What is expected.
        expected: String,
    },
    /// It lies outside the range.
    #[error("{given} is {range}")]
    Range {
        /// The value as it was given.
        given: String,
        /// What it is not, such as `outside 1 to 10 s`.
        range: String,
    },
    /// It holds a character that no line of text may hold.
    #[error("the text holds the character {0}")]
    Character(String),
}

impl SettingKind {
    /// Returns the value where nobody says anything.
    #[must_use]
    pub fn default_value(&self) -> Value {
        match self {
            Self::Bool { default } => Value::from(*default),
            Self::Integer { default, .. } => Value::from(*default),
            Self::Text { default, .. } | Self::Choice { default, .. } => {
                Value::from(default.as_str())
            }
        }
    }

    /// Says what may be written, for people.
    #[must_use]
    pub fn range(&self) -> String {
        match self {
            Self::Bool { .. } => "true or false".to_owned(),
            Self::Integer { min, max, unit, .. } => {
                let unit = unit
                    .as_ref()
                    .map(|unit| format!(" {unit}"))
                    .unwrap_or_default();
                format!("{min} to {max}{unit}")
            }
            Self::Text { max_length, .. } => format!("a text of up to {max_length} characters"),
            Self::Choice { options, .. } => {
                let options: Vec<&str> = options.iter().map(String::as_str).collect();
                format!("one of {}", hint::list(&options))
            }
        }
    }

    /// Checks a value. Errors: [`SettingError`].
    pub fn check(&self, value: &Value) -> Result<(), SettingError> {
        let wrong_type = |expected: &str| SettingError::Type {
            given: value.to_string(),
            expected: expected.to_owned(),
        };
        let out_of_range = || SettingError::Range {
            given: value.to_string(),
            range: match self {
                Self::Integer { .. } => format!("outside {}", self.range()),
                _ => format!("not {}", self.range()),
            },
        };
        match self {
            Self::Bool { .. } => value
                .as_bool()
                .map(drop)
                .ok_or_else(|| wrong_type("true or false")),
            Self::Integer { min, max, .. } => {
                let number = value.as_i64().ok_or_else(|| wrong_type("a whole number"))?;
                (*min..=*max)
                    .contains(&number)
                    .then_some(())
                    .ok_or_else(out_of_range)
            }
            Self::Text { max_length, .. } => {
                let text = value.as_str().ok_or_else(|| wrong_type("a text"))?;
                if let Some(c) = text.chars().find(|c| forbidden(*c)) {
                    return Err(SettingError::Character(c.escape_unicode().to_string()));
                }
                (text.chars().count() <= *max_length)
                    .then_some(())
                    .ok_or_else(out_of_range)
            }
            Self::Choice { options, .. } => {
                let word = value.as_str().ok_or_else(|| wrong_type("a text"))?;
                options
                    .iter()
                    .any(|option| option == word)
                    .then_some(())
                    .ok_or_else(out_of_range)
            }
        }
    }

    /// Reads what a person typed as a value of this type. Errors: [`SettingError`], also where it lies out of range.
    pub fn typed(&self, text: &str) -> Result<Value, SettingError> {
        let expected = match self {
            Self::Bool { .. } => "true or false",
            Self::Integer { .. } => "a whole number",
            Self::Text { .. } | Self::Choice { .. } => "a text",
        };
        let value = match self {
            Self::Bool { .. } => text.parse().ok().map(Value::Bool),
            Self::Integer { .. } => text.parse::<i64>().ok().map(Value::from),
            Self::Text { .. } | Self::Choice { .. } => Some(Value::from(text)),
        };
        let value = value.ok_or_else(|| SettingError::Type {
            given: format!("`{text}`"),
            expected: expected.to_owned(),
        })?;
        self.check(&value)?;
        Ok(value)
    }
}

pub(super) fn check_defaults(manifest: &Manifest, found: &mut Findings) {
    for (name, setting) in &manifest.settings {
        let at = place!["settings", name];
        match &setting.kind {
            SettingKind::Integer { min, max, .. } if min > max => found.add(
                Rule::EmptyRange,
                at.then("min"),
                format!("no number lies between {min} and {max}"),
            ),
            SettingKind::Choice { options, .. } if options.is_empty() => found.add(
                Rule::EmptyRange,
                at.then("options"),
                "a choice needs options",
            ),
            kind => {
                let rule = match kind {
                    SettingKind::Choice { .. } => Rule::ChoiceDefault,
                    _ => Rule::DefaultRange,
                };
                match kind.check(&kind.default_value()) {
                    Ok(()) | Err(SettingError::Character(_)) => {}
                    Err(error) => {
                        found.add(rule, at.then("default"), format!("the default {error}"));
                    }
                }
            }
        }
    }
}

pub(super) fn check_checks(manifest: &Manifest, found: &mut Findings) {
    for (index, check) in manifest.checks.iter().enumerate() {
        let at = place!["checks", index];
        if let Some(edge) = &check.edge {
            found.refer(at.then("edge"), "edge", edge, manifest.edges.keys());
            continue;
        }
        let known = found.refer(
            at.then("setting"),
            "setting",
            &check.setting,
            manifest.settings.keys(),
        );
        if known && let Err(error) = manifest.settings[&check.setting].kind.check(&check.equals) {
            found.add(
                Rule::CheckValue,
                at.then("equals"),
                format!(
                    "the setting `{}` can never have this value: {error}",
                    check.setting
                ),
            );
        }
    }
}

/// A setting that nothing reads would be a switch that does nothing. Another service's check may read it, so that
/// only a check of the manifest's own counts besides its templates.
pub(super) fn check_unused(manifest: &Manifest, found: &mut Findings) {
    let mut read: BTreeSet<String> = BTreeSet::new();
    for place in template::templates(manifest) {
        read.extend(template::variables_read(place.source));
    }
    let own_checks = manifest.checks.iter().filter(|check| check.edge.is_none());
    read.extend(own_checks.map(|check| format!("setting.{}", check.setting)));
    for name in manifest.settings.keys() {
        if !read.contains(&format!("setting.{name}")) {
            found.add_with_hint(
                Rule::UnusedSetting,
                place!["settings", name],
                format!("the setting `{name}` is read by nothing"),
                format!(
                    "read it as `{{{{ setting.{name} }}}}` in a file or an argument, or remove it"
                ),
            );
        }
    }
}
