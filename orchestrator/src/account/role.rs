//! Owns the roles and what each may do, as plain data.
//!
//! It does not know a single path (`http::access` does), nor who holds a role.

use serde::Deserialize;
use serde::Serialize;
use utoipa::ToSchema;

/// What a person or a token may do on this node.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything.
    Owner,
    /// Runs the node day by day: everything but people, the vault, tokens, images, ways in, advisories, stopping the node
    /// and deleting.
    Manager,
    /// Takes payments; sees whether the shop is open, and its own account.
    Cashier,
    /// Reads everything but logs, and changes nothing.
    Auditor,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 4] = [Self::Owner, Self::Manager, Self::Cashier, Self::Auditor];

    /// Returns the role as it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Manager => "manager",
            Self::Cashier => "cashier",
            Self::Auditor => "auditor",
        }
    }

    /// Reads a role as it is written; nothing where there is none of that name.
    #[must_use]
    pub fn read(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == word)
    }

    /// Whether this role may do `right`.
    #[must_use]
    pub fn may(self, right: Right) -> bool {
        match right {
            Right::Self_ | Right::Shop => true,
            Right::Read => matches!(self, Self::Owner | Self::Manager | Self::Auditor),
            Right::Run => matches!(self, Self::Owner | Self::Manager),
            Right::Own => matches!(self, Self::Owner),
        }
    }

    /// Whether whoever holds this role may hand out `other`: never more than one's own.
    #[must_use]
    pub fn covers(self, other: Self) -> bool {
        [
            Right::Self_,
            Right::Shop,
            Right::Read,
            Right::Run,
            Right::Own,
        ]
        .into_iter()
        .all(|right| self.may(right) || !other.may(right))
    }
}

/// What an operation asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Right {
    /// One's own account and sessions.
    Self_,
    /// Whether the shop is open.
    Shop,
    /// Reading how the node is.
    Read,
    /// Running it: settings, restarts, credentials, logs.
    Run,
    /// People, tokens, the vault, images, deleting.
    Own,
}
