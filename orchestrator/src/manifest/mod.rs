//! Owns what an author declares: the schema of manifests and profiles, and the rules they must keep.

pub mod catalog;
pub mod choices;
mod compose;
pub mod error;
#[cfg(test)]
mod golden;
mod hint;
mod kinded;
pub mod locate;
mod parse;
pub mod profile;
mod references;
mod rule;
pub mod schema;
pub mod schema_json;
pub mod template;
pub mod validate;
pub mod version;

pub use catalog::Catalog;
pub use error::ManifestError;
pub use error::ManifestErrors;
pub use parse::parse;
pub use profile::profile;
