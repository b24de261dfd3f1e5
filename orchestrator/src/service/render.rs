//! Owns the rendering of a manifest's templates with the variables of one service.
//!
//! A secret stands in a rendered text as a marker (`service::marker`), so that the text is canonical and holds no
//! value. It does not know where the variables come from (`service::resolve`).

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde_json::Value;

use crate::manifest::template;
use crate::manifest::template::TemplateError;
use crate::secret::SecretRef;
use crate::service::marker;
use crate::service::marker::MarkerError;

/// Why a template could not be rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// The template engine refused it.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// A secret's marker was cut or changed by a filter.
    #[error(
        "a secret may only be written as it is or through `base64`; no other filter may touch it"
    )]
    SpoiltSecret,
    /// A marker of a secret that this service was not given.
    #[error("it names the secret {}, which this service was not given", .0.key)]
    ForeignSecret(SecretRef),
    /// A secret where the whole machine could read it.
    #[error("it holds a secret, and arguments and environment can be read by others; use a file")]
    ExposedSecret,
    /// A character that could end a line or a setting in the program's configuration.
    #[error("it holds the control character {0:?}")]
    ControlCharacter(char),
}

impl From<MarkerError> for RenderError {
    fn from(_: MarkerError) -> Self {
        Self::SpoiltSecret
    }
}

/// The variables of one service, and the secrets that its texts may name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scope {
    values: BTreeMap<String, Value>,
    secrets: BTreeSet<SecretRef>,
}

impl Scope {
    /// Sets a top-level variable.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.values.insert(name.to_owned(), value.into());
    }

    /// Sets `value` under `group` and `name`, as in `port.rpc`.
    pub fn set_in(&mut self, group: &str, name: &str, value: impl Into<Value>) {
        let group = self
            .values
            .entry(group.to_owned())
            .or_insert_with(|| Value::Object(serde_json::Map::new()));
        if let Value::Object(group) = group {
            group.insert(name.to_owned(), value.into());
        }
    }

    /// Makes an empty group, so that a name that is not in it is an error about that name.
    pub fn open(&mut self, group: &str) {
        self.values
            .entry(group.to_owned())
            .or_insert_with(|| Value::Object(serde_json::Map::new()));
    }

    /// Allows texts of this service to name `secret`.
    pub fn allow(&mut self, secret: SecretRef) {
        self.secrets.insert(secret);
    }

    /// Returns one variable, for tests and for `plan`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.values.get(name)
    }

    /// Returns all variables as one object, for the questions of probes and init jobs. Secrets are markers in it.
    #[must_use]
    pub fn variables(&self) -> Value {
        Value::Object(self.values.clone().into_iter().collect())
    }

    /// Renders a file's template. Errors: [`RenderError`].
    pub fn file(&self, template: &str) -> Result<String, RenderError> {
        let text = self.render(template)?;
        match text
            .chars()
            .find(|c| c.is_control() && !matches!(c, '\n' | '\t'))
        {
            Some(c) => Err(RenderError::ControlCharacter(c)),
            None => Ok(text),
        }
    }

    /// Renders one argument or one value of the environment: a single line without secrets. Errors: [`RenderError`].
    pub fn word(&self, template: &str) -> Result<String, RenderError> {
        let text = self.render(template)?;
        if marker::holds_marker(&text) {
            return Err(RenderError::ExposedSecret);
        }
        match text.chars().find(|c| c.is_control()) {
            Some(c) => Err(RenderError::ControlCharacter(c)),
            None => Ok(text),
        }
    }

    /// Renders any text, such as a probe's body; markers stay. Errors: [`RenderError`].
    pub fn render(&self, template: &str) -> Result<String, RenderError> {
        let text = template::render(template, &self.values)?;
        marker::fill(&text, |secret, _form| {
            if self.secrets.contains(secret) {
                Ok(String::new())
            } else {
                Err(RenderError::ForeignSecret(secret.clone()))
            }
        })
        .map(|_| text)
    }
}

#[cfg(test)]
mod tests;
