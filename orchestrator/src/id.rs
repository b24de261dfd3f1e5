//! Owns the names of things: services, manifests, edges, ports, volumes, secrets.
//!
//! It does not know what any of them means; it only makes bad names unrepresentable.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use schemars::Schema;
use schemars::SchemaGenerator;
use schemars::json_schema;
use serde::Deserialize;
use serde::Serialize;

/// Says why a name was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The name is empty or longer than [`MAX_NAME_LENGTH`].
    #[error("the name `{name}` has {length} characters; 1 to {MAX_NAME_LENGTH} are allowed")]
    Length {
        /// The refused name.
        name: String,
        /// Its length in characters.
        length: usize,
    },
    /// The name holds a character outside the closed set.
    #[error(
        "the name `{name}` may hold only lower-case letters, digits and `{separator}`, and begins with a letter"
    )]
    Character {
        /// The refused name.
        name: String,
        /// The one separator that this kind of name allows.
        separator: char,
    },
}

/// Longest name of any kind, in characters; container and network names are built from several.
pub const MAX_NAME_LENGTH: usize = 32;

fn check(name: &str, separator: char) -> Result<(), NameError> {
    let length = name.chars().count();
    if length == 0 || length > MAX_NAME_LENGTH {
        return Err(NameError::Length {
            name: name.to_owned(),
            length,
        });
    }
    let begins = name.starts_with(|c: char| c.is_ascii_lowercase());
    let holds = name
        .chars()
        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == separator);
    if !begins || !holds || name.ends_with(separator) {
        return Err(NameError::Character {
            name: name.to_owned(),
            separator,
        });
    }
    Ok(())
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $separator:literal, $pattern:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": $pattern, "maxLength": MAX_NAME_LENGTH })
            }
        }

        impl $type {
            /// Checks `name` and wraps it. Errors: [`NameError`].
            pub fn new(name: impl Into<String>) -> Result<Self, NameError> {
                let name = name.into();
                check(&name, $separator)?;
                Ok(Self(name))
            }

            /// Returns the name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $type {
            type Error = NameError;
            fn try_from(name: String) -> Result<Self, NameError> {
                Self::new(name)
            }
        }

        impl FromStr for $type {
            type Err = NameError;
            fn from_str(name: &str) -> Result<Self, NameError> {
                Self::new(name)
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> String {
                name.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

name! {
    /// Names one running instance of a manifest. Shape: `kebab-case`.
    ServiceId, '-', "^[a-z][a-z0-9-]*$"
}
name! {
    /// Names a manifest, the author's declaration. Shape: `kebab-case`.
    ManifestId, '-', "^[a-z][a-z0-9-]*$"
}
name! {
    /// Names anything inside one manifest: a port, volume, secret, file, setting, probe, edge,
    /// interface or init job. Shape: `snake_case`.
    Name, '_', "^[a-z][a-z0-9_]*$"
}

/// Names one edge: who talks to whom, for what.
///
/// Shape: `consumer/interface/provider`. The node itself is a legal party, named `node`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EdgeId {
    /// The service that calls.
    pub consumer: ServiceId,
    /// What it calls.
    pub interface: Name,
    /// The service that answers.
    pub provider: ServiceId,
}

impl fmt::Display for EdgeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.consumer, self.interface, self.provider)
    }
}

impl From<EdgeId> for String {
    fn from(edge: EdgeId) -> String {
        edge.to_string()
    }
}

/// Says why a text is not an edge's name.
#[derive(Debug, thiserror::Error)]
pub enum EdgeIdError {
    /// It has not exactly three parts.
    #[error("`{0}` is not an edge; write it as consumer/interface/provider")]
    Shape(String),
    /// One part is not a name.
    #[error(transparent)]
    Name(#[from] NameError),
}

impl TryFrom<String> for EdgeId {
    type Error = EdgeIdError;
    fn try_from(text: String) -> Result<Self, EdgeIdError> {
        let parts: Vec<&str> = text.split('/').collect();
        let [consumer, interface, provider] = parts.as_slice() else {
            return Err(EdgeIdError::Shape(text));
        };
        Ok(Self {
            consumer: consumer.parse()?,
            interface: interface.parse()?,
            provider: provider.parse()?,
        })
    }
}

/// The name under which the node itself takes part in edges.
#[must_use]
pub fn node_party() -> ServiceId {
    ServiceId("node".to_owned())
}

/// Names one node for good: chosen at random when its data folder is made.
///
/// Shape: 32 lower-case hex digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NodeId(String);

/// A text is not a node's id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a node id; it has 32 lower-case hex digits")]
pub struct NodeIdError(String);

impl NodeId {
    /// Writes random bytes as an id.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(hex::encode(bytes))
    }

    /// Returns the whole id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the first six digits, which stand in the names of things outside the data folder.
    #[must_use]
    pub fn short(&self) -> &str {
        &self.0[..6]
    }

    /// Returns a number that depends on the id alone, below `below`. Panics where `below` is zero.
    #[must_use]
    pub fn spread(&self, below: u32) -> u32 {
        u32::from_str_radix(&self.0[..8], 16).expect("an id holds hex digits") % below
    }
}

impl TryFrom<String> for NodeId {
    type Error = NodeIdError;
    fn try_from(text: String) -> Result<Self, NodeIdError> {
        let digits = text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if text.len() == 32 && digits {
            Ok(Self(text))
        } else {
            Err(NodeIdError(text))
        }
    }
}

impl From<NodeId> for String {
    fn from(id: NodeId) -> String {
        id.0
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
