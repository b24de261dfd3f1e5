use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use super::schema;

#[test]
fn the_published_schema_is_fresh() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../manifests/schema.json");
    #[expect(
        clippy::disallowed_methods,
        reason = "a test has no configuration; the variable only rewrites a golden file"
    )]
    let update = std::env::var("UPDATE_SCHEMA").is_ok();
    if update {
        fs::write(&path, schema()).unwrap();
    }
    assert_eq!(
        fs::read_to_string(&path).unwrap_or_default(),
        schema(),
        "manifests/schema.json is stale; write it anew with UPDATE_SCHEMA=1"
    );
}

/// Every object of the schema is closed, one way or the other: what serde refuses, an editor marks.
#[test]
fn each_table_of_the_schema_rejects_unknown_keys() {
    let schema: Value = serde_json::from_str(&schema()).unwrap();
    let mut open = Vec::new();
    for (name, table) in schema["$defs"]
        .as_object()
        .unwrap()
        .iter()
        .chain([(&"Manifest".to_owned(), &schema)])
    {
        let closed =
            table["additionalProperties"] == false || table["unevaluatedProperties"] == false;
        if table["type"] == "object" && !closed {
            open.push(name.clone());
        }
    }
    assert!(open.is_empty(), "open tables: {open:?}");
    assert!(schema["$defs"].get("Profile").is_some() && schema["$defs"].get("Choices").is_some());
}
