//! Owns the names of the rules, so that a test can prove each has a golden file.

macro_rules! rules {
    ($($(#[doc = $doc:literal])+ $rule:ident = $name:literal,)+) => {
        /// Names a rule that a manifest, profile or choice can break.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Rule {
            $($(#[doc = $doc])+ $rule,)+
        }

        impl Rule {
            /// Every rule.
            pub const ALL: &[Self] = &[$(Self::$rule),+];

            /// Returns its name, `snake_case`: the `bad_NAME.toml` of its golden file.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$rule => $name,)+
                }
            }
        }
    };
}

rules! {
    /// The text is TOML.
    Syntax = "syntax",
    /// Every key is known.
    UnknownKey = "unknown_key",
    /// Every word is from its closed set.
    UnknownWord = "unknown_word",
    /// No required key is missing.
    MissingKey = "missing_key",
    /// Every value has its key's type.
    WrongType = "wrong_type",
    /// Every name is well formed.
    Name = "name",
    /// Every manifest has an id of its own.
    IdTaken = "id_taken",
    /// Every file can be read.
    Unreadable = "unreadable",
}
