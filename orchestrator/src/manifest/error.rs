//! Owns what is said about a bad manifest, profile or choice: file, line, column, message and hint.
//!
//! It does not know the rules; [`Rule`] only names them, so that tests can prove each has a golden file.

use std::fmt;

use super::locate::Locator;
use super::locate::Path;
pub use super::rule::Rule;

/// What a rule found, before it is known where in the text it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule that is broken.
    pub rule: Rule,
    /// Which key or table breaks it.
    pub path: Path,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// Which text a finding is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// A manifest.
    Manifest,
    /// The embedded profile.
    Profile,
    /// The operator's `node.toml`.
    Choices,
}

/// One error, with the place where it stands.
///
/// Shape: `file:line:column: message`, then `  hint: …` where there is one. Without a known line, the key's path
/// stands in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestError {
    /// The broken rule.
    pub rule: Rule,
    /// What kind of text it stands in.
    pub subject: Subject,
    /// The file, as it was named to us.
    pub file: String,
    /// Line and column, from 1, columns in characters; nothing where only a value and no text was checked.
    pub position: Option<(usize, usize)>,
    /// The key's path.
    pub path: Path,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file)?;
        match self.position {
            Some((line, column)) => write!(f, "{line}:{column}: ")?,
            None if self.path.is_root() => f.write_str(" ")?,
            None => write!(f, " {}: ", self.path)?,
        }
        f.write_str(&self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ManifestError {}

/// Everything that is wrong, sorted by place. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestErrors(Vec<ManifestError>);

impl ManifestErrors {
    /// Wraps errors, sorted by file and place; nothing where there are none.
    #[must_use]
    pub fn new(mut errors: Vec<ManifestError>) -> Option<Self> {
        errors.sort_by(|a, b| (&a.file, a.position, &a.path).cmp(&(&b.file, b.position, &b.path)));
        (!errors.is_empty()).then_some(Self(errors))
    }

    /// Wraps one error.
    #[must_use]
    pub fn one(error: ManifestError) -> Self {
        Self(vec![error])
    }

    /// Places `findings` in `text`; nothing where there are none.
    #[must_use]
    pub fn place(
        findings: Vec<Finding>,
        subject: &Subject,
        file: &str,
        text: Option<&str>,
    ) -> Option<Self> {
        let locator = text.and_then(Locator::new);
        let errors = findings
            .into_iter()
            .map(|finding| ManifestError {
                rule: finding.rule,
                subject: subject.clone(),
                file: file.to_owned(),
                position: locator.as_ref().map(|at| at.position(&finding.path)),
                path: finding.path,
                message: finding.message,
                hint: finding.hint,
            })
            .collect();
        Self::new(errors)
    }

    /// Gives the errors about the operator's choices their lines in `text`, which is what `file` holds.
    #[must_use]
    pub fn in_choices(mut self, file: &str, text: &str) -> Self {
        if let Some(locator) = Locator::new(text) {
            for error in &mut self.0 {
                if error.subject == Subject::Choices {
                    file.clone_into(&mut error.file);
                    error.position = Some(locator.position(&error.path));
                }
            }
        }
        self
    }

    /// Returns the errors.
    #[must_use]
    pub fn errors(&self) -> &[ManifestError] {
        &self.0
    }

    /// Joins both.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Joins any number of results; the errors of all where one has any.
    pub fn all(results: impl IntoIterator<Item = Option<Self>>) -> Result<(), Self> {
        match results.into_iter().flatten().reduce(Self::and) {
            Some(errors) => Err(errors),
            None => Ok(()),
        }
    }
}

impl fmt::Display for ManifestErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ManifestErrors {}
