//! Owns what an author declares: the schema of manifests and profiles, and the rules they must keep.

pub mod catalog;
pub mod choices;
pub mod profile;
pub mod schema;
pub mod version;

pub use catalog::Catalog;
