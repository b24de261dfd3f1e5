//! Owns the way from a key's path to its line and column in the text.
//!
//! It does not know what a path means.

use std::fmt;
use std::ops::Range;

use toml::Spanned;
use toml::de::DeTable;
use toml::de::DeValue;

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// A key of a table.
    Key(String),
    /// An entry of an array, from 0.
    Index(usize),
}

impl From<&str> for Step {
    fn from(key: &str) -> Self {
        Self::Key(key.to_owned())
    }
}

impl From<String> for Step {
    fn from(key: String) -> Self {
        Self::Key(key)
    }
}

impl From<&String> for Step {
    fn from(key: &String) -> Self {
        Self::Key(key.clone())
    }
}

impl From<usize> for Step {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

macro_rules! step_from_name {
    ($($type:ty),*) => {$(
        impl From<&$type> for Step {
            fn from(name: &$type) -> Self {
                Self::Key(name.to_string())
            }
        }
    )*};
}
step_from_name!(crate::id::Name, crate::id::ServiceId, crate::id::ManifestId);

/// Names a key or table by the keys that lead to it.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Path(Vec<Step>);

impl Path {
    /// The whole file.
    #[must_use]
    pub fn root() -> Self {
        Self::default()
    }

    /// Goes one step deeper.
    #[must_use]
    pub fn then(&self, step: impl Into<Step>) -> Self {
        let mut steps = self.0.clone();
        steps.push(step.into());
        Self(steps)
    }

    /// Whether it is the whole file.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }
}

/// Builds a [`Path`] from its steps.
macro_rules! place {
    ($($step:expr),* $(,)?) => {
        $crate::manifest::locate::Path::from_steps(vec![$($crate::manifest::locate::Step::from($step)),*])
    };
}
pub(crate) use place;

impl Path {
    pub(crate) fn from_steps(steps: Vec<Step>) -> Self {
        Self(steps)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if index == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Index(entry) => write!(f, "[{entry}]")?,
            }
        }
        Ok(())
    }
}

/// Finds places in one text.
#[derive(Debug)]
pub struct Locator<'a> {
    text: &'a str,
    root: Spanned<DeTable<'a>>,
}

impl<'a> Locator<'a> {
    /// Reads `text`; nothing where it is not TOML.
    #[must_use]
    pub fn new(text: &'a str) -> Option<Self> {
        let root = DeTable::parse(text).ok()?;
        Some(Self { text, root })
    }

    /// Returns line and column of what `path` names, or of the deepest part of it that the text holds.
    #[must_use]
    pub fn position(&self, path: &Path) -> (usize, usize) {
        position(self.text, self.offset(path))
    }

    fn offset(&self, path: &Path) -> usize {
        let mut place = 0;
        let mut table = Some(self.root.get_ref());
        let mut array = None;
        for step in &path.0 {
            let value = match step {
                Step::Key(name) => {
                    let Some((key, value)) =
                        table.and_then(|table| table.iter().find(|(key, _)| key.get_ref() == name))
                    else {
                        return place;
                    };
                    place = key.span().start;
                    value
                }
                Step::Index(index) => {
                    let Some(value) =
                        array.and_then(|array: &toml::de::DeArray<'_>| array.get(*index))
                    else {
                        return place;
                    };
                    place = value.span().start;
                    value
                }
            };
            table = value.get_ref().as_table();
            array = value.get_ref().as_array();
        }
        place
    }

    /// Returns where the key `name` stands in the smallest table whose span begins at or around `near`.
    #[must_use]
    pub fn key_within(&self, near: &Range<usize>, name: &str) -> Option<usize> {
        let mut found = None;
        search(self.root.get_ref(), None, near, name, &mut found);
        found.map(|(_, start)| start)
    }
}

/// Walks every table; of those that hold the key, the one whose span lies closest around or inside `near` wins.
fn search(
    table: &DeTable<'_>,
    span: Option<Range<usize>>,
    near: &Range<usize>,
    name: &str,
    found: &mut Option<(usize, usize)>,
) {
    let inside = span.as_ref().is_some_and(|span| {
        (span.start <= near.start && near.end <= span.end)
            || (near.start <= span.start && span.end <= near.end)
    });
    if inside && let Some((key, _)) = table.iter().find(|(key, _)| key.get_ref() == name) {
        let start = key.span().start;
        let distance = start.abs_diff(near.start);
        if found.is_none_or(|(best, _)| distance < best) {
            *found = Some((distance, start));
        }
    }
    for value in table.values() {
        search_value(value, near, name, found);
    }
}

fn search_value(
    value: &Spanned<DeValue<'_>>,
    near: &Range<usize>,
    name: &str,
    found: &mut Option<(usize, usize)>,
) {
    match value.get_ref() {
        DeValue::Table(table) => search(table, Some(value.span()), near, name, found),
        DeValue::Array(array) => {
            for entry in array.iter() {
                search_value(entry, near, name, found);
            }
        }
        _ => {}
    }
}

/// Returns line and column, from 1, of the byte at `offset`; columns count characters.
#[must_use]
pub fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = &text[..text.floor_char_boundary(offset.min(text.len()))];
    let line = before.matches('\n').count() + 1;
    let column = before
        .rsplit('\n')
        .next()
        .map_or(0, |rest| rest.chars().count())
        + 1;
    (line, column)
}
