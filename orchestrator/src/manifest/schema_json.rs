//! Owns the published JSON Schema: generated from the types, so that editors know what authors may write.

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::choices::Choices;
use super::profile::Profile;
use super::schema::Manifest;

/// Returns `manifests/schema.json`: the schema of a manifest, with those of a profile and of `node.toml` under `$defs`.
#[must_use]
pub fn schema() -> String {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    generator.subschema_for::<Profile>();
    generator.subschema_for::<Choices>();
    let mut schema = generator.into_root_schema_for::<Manifest>();
    schema.insert(
        "title".to_owned(),
        Value::from("Flash Node service manifest, version 1"),
    );
    let mut text = serde_json::to_string_pretty(&schema).expect("a schema is JSON");
    text.push('\n');
    text
}

#[cfg(test)]
mod tests;
