//! Owns templates: the environment they are rendered in, and the closed set of variables they may read.
//!
//! It does not know any value; `service::resolve` gives those. A template sees nothing that is not named here.
//!
//! Whatever is written out of a value is refused where it holds a control character, so that a value can never begin a
//! line of its own in a configuration file.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use minijinja::Environment;
use minijinja::Error;
use minijinja::ErrorKind;
use minijinja::UndefinedBehavior;
use minijinja::Value;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::value::ValueKind;
use serde::Serialize;

use super::schema::Manifest;
use crate::service::marker;
use crate::service::marker::Form;
use crate::service::marker::MarkerError;

mod places;
mod sample;

pub use places::TemplateAt;
pub use places::templates;

/// Where a template stands, which decides what it may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Program arguments and environment, `run` steps, and paths of provider files: visible to every process.
    Argument,
    /// The text of a file, which lies on the runtime's tmpfs: secrets are allowed.
    File,
    /// What the node itself asks, in probes and init jobs: its own credentials too.
    Ask,
    /// A sentence for a person: the probes' answers and the settings.
    Text,
}

/// Why a template is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// It cannot be read.
    #[error("the template cannot be read: {0}")]
    Syntax(String),
    /// It reads a variable outside the closed set.
    #[error("the template reads `{variable}`, which is not a variable here")]
    Unknown {
        /// The variable.
        variable: String,
        /// What is meant, or what there is.
        hint: String,
    },
    /// It would put a secret where others can read it.
    #[error("the secret value `{variable}` must not stand outside a file")]
    Secret {
        /// The variable.
        variable: String,
    },
    /// It fails on some value that it may meet.
    #[error("the template fails: {0}")]
    Fails(String),
}

/// Builds the environment in which every template is checked and rendered: strict, the built-in filters, and
/// `base64`, `base64_to_hex` and `percent` (0.1234 → `12.3`).
#[must_use]
pub fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    // A line that holds a block alone leaves no line behind.
    environment.set_syntax(
        SyntaxConfig::builder()
            .keep_trailing_newline(true)
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build()
            .expect("the default delimiters are legal"),
    );
    environment.set_recursion_limit(50);
    for name in ["range", "dict", "debug", "namespace"] {
        environment.remove_global(name);
    }
    environment.add_filter("base64", base64_filter);
    environment.add_filter("base64_to_hex", base64_to_hex);
    environment.add_filter("percent", percent);
    environment.set_formatter(|out, state, value| {
        // The engine would write `True`, which no configuration file understands.
        if value.kind() == ValueKind::Bool {
            return Ok(out.write_str(if value.is_true() { "true" } else { "false" })?);
        }
        if value.to_string().chars().any(char::is_control) {
            return Err(Error::new(ErrorKind::InvalidOperation, CONTROL_CHARACTER));
        }
        minijinja::escape_formatter(out, state, value)
    });
    environment
}

/// Renders `source` with `context`. Errors: [`TemplateError::Fails`], without any value of the context.
pub fn render(source: &str, context: impl Serialize) -> Result<String, TemplateError> {
    environment()
        .render_str(source, Value::from(Serde(&context)))
        .map_err(|error| TemplateError::Fails(describe(&error, harmless(&error))))
}

const CONTROL_CHARACTER: &str = "a value holds a control character";

/// Whether an error's detail quotes the template at most; others may quote a value, and a value may be a secret.
fn harmless(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::UndefinedError | ErrorKind::UnknownFilter | ErrorKind::UnknownTest
    ) || error.detail() == Some(CONTROL_CHARACTER)
}

/// Only stand-ins were rendered, so that the whole error may be told.
fn fails(error: &Error) -> TemplateError {
    TemplateError::Fails(describe(error, true))
}

/// Names an error by its kind and line, and by its detail where that may be told.
fn describe(error: &Error, detailed: bool) -> String {
    let mut text = error.kind().to_string();
    if let Some(detail) = error.detail().filter(|_| detailed) {
        text.push_str(", ");
        text.push_str(detail);
    }
    if let Some(line) = error.line().filter(|line| *line > 1) {
        text.push_str(&format!(" (line {line} of the template)"));
    }
    text
}

/// Base64 of a text; of a secret's marker it makes the marker of the encoded secret.
fn base64_filter(value: &Value) -> Result<String, Error> {
    let text = value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned);
    if !marker::holds_marker(&text) {
        return Ok(STANDARD.encode(text));
    }
    encoded_marker(&text).ok_or_else(|| {
        Error::new(
            ErrorKind::InvalidOperation,
            "base64 takes a whole secret, not a text that holds one",
        )
    })
}

/// What base64 encodes, as hex digits. It takes values, not markers: only what the node asks itself holds values.
fn base64_to_hex(value: &Value) -> Result<String, Error> {
    let text = value.as_str().unwrap_or_default();
    let bytes = STANDARD
        .decode(text)
        .map_err(|_| Error::new(ErrorKind::InvalidOperation, "the value is not base64"))?;
    Ok(hex::encode(bytes))
}

/// The marker of the encoded secret, where `text` is exactly one marker of a plain one.
fn encoded_marker(text: &str) -> Option<String> {
    marker::fill::<MarkerError>(text, |secret, form| {
        if form == Form::Plain && marker::marker(secret, Form::Plain) == text {
            Ok(marker::marker(secret, Form::Base64))
        } else {
            Err(MarkerError)
        }
    })
    .ok()
}

/// A share as a percentage with one digit, rounded down, so that 100.0 means all of it.
fn percent(value: &Value) -> Result<String, Error> {
    let share = f64::try_from(value.clone())?;
    Ok(format!("{:.1}", (share * 1000.0).floor() / 10.0))
}

/// Checks that `source` can be read and reads only what `scope` allows in `manifest`.
///
/// It is rendered with stand-in values too, on each network and with and without each optional edge.
/// Errors: [`TemplateError`].
pub fn check_template(
    manifest: &Manifest,
    scope: Scope,
    source: &str,
) -> Result<(), TemplateError> {
    let mut checker = Checker::new(manifest);
    checker.ports.extend(variables_read(source));
    checker.check(scope, source)
}

/// Checks the templates of one manifest.
pub(super) struct Checker<'a> {
    manifest: &'a Manifest,
    environment: Environment<'static>,
    /// What the manifest's templates read, for the ports of its edges: which there are is the provider's to say.
    ports: BTreeSet<String>,
    /// What a template may read and the stand-ins it is tried with, once for each scope.
    scopes: BTreeMap<Scope, (BTreeSet<String>, Vec<Value>)>,
}

impl<'a> Checker<'a> {
    pub(super) fn new(manifest: &'a Manifest) -> Self {
        let environment = environment();
        let mut ports = BTreeSet::new();
        for place in templates(manifest) {
            if let Ok(template) = environment.template_from_str(place.source) {
                ports.extend(template.undeclared_variables(true));
            }
        }
        Self {
            manifest,
            environment,
            ports,
            scopes: BTreeMap::new(),
        }
    }

    pub(super) fn check(&mut self, scope: Scope, source: &str) -> Result<(), TemplateError> {
        let (allowed, contexts) = self.scopes.entry(scope).or_insert_with(|| {
            let contexts = sample::contexts(self.manifest, scope, &self.ports);
            (allowed(self.manifest, scope), contexts)
        });
        let template = self
            .environment
            .template_from_str(source)
            .map_err(|error| TemplateError::Syntax(describe(&error, true)))?;
        let mut read: Vec<String> = template.undeclared_variables(true).into_iter().collect();
        read.sort();
        for variable in &read {
            check_variable(self.manifest, scope, allowed, variable)?;
        }
        if scope == Scope::Text {
            return match template.render(sample::text(self.manifest, &read)) {
                Err(error) if sample::certainly_wrong(&error) => Err(fails(&error)),
                _ => Ok(()),
            };
        }
        for context in contexts {
            template
                .render(context.clone())
                .map_err(|error| fails(&error))?;
        }
        Ok(())
    }
}

/// Returns the variables that `source` reads, such as `setting.prune`; none where it cannot be read.
#[must_use]
pub fn variables_read(source: &str) -> BTreeSet<String> {
    let environment = environment();
    environment
        .template_from_str(source)
        .map(|template| template.undeclared_variables(true).into_iter().collect())
        .unwrap_or_default()
}

fn check_variable(
    manifest: &Manifest,
    scope: Scope,
    allowed: &BTreeSet<String>,
    variable: &str,
) -> Result<(), TemplateError> {
    let parts: Vec<&str> = variable.split('.').collect();
    if scope == Scope::Text
        && manifest
            .probes
            .keys()
            .any(|probe| probe.as_str() == parts[0])
    {
        return Ok(());
    }
    let port_of_edge = scope != Scope::Text
        && matches!(parts.as_slice(), ["edge", name, "ports", _]
            if allowed.contains(format!("edge.{name}.host").as_str()));
    if port_of_edge || allowed.contains(variable) {
        return Ok(());
    }
    if scope == Scope::Argument && self::allowed(manifest, Scope::File).contains(variable) {
        return Err(TemplateError::Secret {
            variable: variable.to_owned(),
        });
    }
    let hint = if scope == Scope::Text {
        let probes = manifest.probes.keys().map(|probe| probe.as_str());
        let probe = super::hint::nearest(parts[0], probes.clone());
        probe.map_or_else(
            || {
                super::hint::among(
                    "probe",
                    variable,
                    probes.chain(allowed.iter().map(String::as_str)),
                )
            },
            |probe| format!("did you mean the probe `{probe}`?"),
        )
    } else {
        super::hint::among("variable", variable, allowed.iter().map(String::as_str))
    };
    Err(TemplateError::Unknown {
        variable: variable.to_owned(),
        hint,
    })
}

/// Lists every variable that a template of `manifest` may read in `scope`.
///
/// `edge.NAME.ports.PORT` is legal besides: which ports there are is the provider's to say. In [`Scope::Text`] each
/// probe's name stands for its answer.
#[must_use]
pub fn allowed(manifest: &Manifest, scope: Scope) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = BTreeSet::new();
    let mut all =
        |prefix: &str, keys: &mut dyn Iterator<Item = &crate::id::Name>, leaves: &[&str]| {
            for key in keys {
                for leaf in leaves {
                    names.insert(format!("{prefix}.{key}{leaf}"));
                }
            }
        };
    all("setting", &mut manifest.settings.keys(), &[""]);
    if scope == Scope::Text {
        return names;
    }
    let secret_values = scope != Scope::Argument;
    all("port", &mut manifest.ports.keys(), &[""]);
    all("bind", &mut manifest.ports.keys(), &[""]);
    all("volume", &mut manifest.volumes.keys(), &[".path"]);
    all("file", &mut manifest.files.keys(), &[".path"]);
    all("url", &mut manifest.endpoints.keys(), &[""]);
    let as_files = |(_, secret): &(_, &super::schema::Secret)| secret.file;
    all(
        "secret",
        &mut manifest
            .secrets
            .iter()
            .filter(as_files)
            .map(|(name, _)| name),
        &[".path"],
    );
    if secret_values {
        all("secret", &mut manifest.secrets.keys(), &[".value"]);
    }
    let (out, inside): (Vec<_>, Vec<_>) = manifest
        .edges
        .iter()
        .partition(|(_, edge)| edge.interface.is_none());
    all(
        "edge",
        &mut out.iter().map(|(name, _)| *name),
        &[".present"],
    );
    all(
        "edge",
        &mut inside.iter().map(|(name, _)| *name),
        &[
            ".present",
            ".host",
            ".port",
            ".user",
            ".password_path",
            ".file_path",
            ".subnet",
        ],
    );
    if secret_values {
        all(
            "edge",
            &mut inside.iter().map(|(name, _)| *name),
            &[".password"],
        );
        all(
            "interface",
            &mut manifest.interfaces.keys(),
            &[".consumers"],
        );
    }
    all("interface", &mut manifest.interfaces.keys(), &[".binds"]);
    if scope == Scope::Ask {
        all(
            "node_credential",
            &mut manifest.node.keys(),
            &[".user", ".password"],
        );
    }
    for name in ["service", "network", "play_money", "memory_mib"] {
        names.insert(name.to_owned());
    }
    if manifest.onion.is_some() {
        names.extend(["onion.wanted", "onion.socket", "onion.port"].map(str::to_owned));
    }
    names
}

#[cfg(test)]
mod tests;
