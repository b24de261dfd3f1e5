//! Owns the reading of tables whose legal keys depend on one of them: settings, probes and images.
//!
//! serde cannot reject unknown keys of a flattened table, so each is read in two halves: its common keys, and the rest
//! by its kind.

use serde::Deserialize;
use serde::Deserializer;
use serde::de::DeserializeOwned;
use serde::de::Error;
use serde::de::MapAccess;
use serde::de::Visitor;
use serde::de::value::MapAccessDeserializer;
use serde_json::Map;
use serde_json::Value;

use super::schema::Image;
use super::schema::OwnImage;
use super::schema::PROBE_TIMEOUT_MS;
use super::schema::PinnedImage;
use super::schema::Probe;
use super::schema::Setting;

impl<'de> Deserialize<'de> for Setting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut table = Map::deserialize(deserializer)?;
        let help = table
            .remove("help")
            .ok_or_else(|| D::Error::missing_field("help"))?;
        Ok(Self {
            help: field("help", help)?,
            kind: rest(table, "type", &["type", "help"])?,
        })
    }
}

const PROBE_KEYS: &[&str] = &["kind", "port", "edge", "credential", "timeout_ms"];

impl<'de> Deserialize<'de> for Probe {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut table = Map::deserialize(deserializer)?;
        let mut optional = |key| table.remove(key);
        let port = optional("port")
            .map(|value| field("port", value))
            .transpose()?;
        let edge = optional("edge")
            .map(|value| field("edge", value))
            .transpose()?;
        let credential = optional("credential")
            .map(|value| field("credential", value))
            .transpose()?;
        let timeout_ms = optional("timeout_ms")
            .map(|value| field("timeout_ms", value))
            .transpose()?
            .unwrap_or(PROBE_TIMEOUT_MS);
        Ok(Self {
            ask: rest(table, "kind", PROBE_KEYS)?,
            port,
            edge,
            credential,
            timeout_ms,
        })
    }
}

impl<'de> Deserialize<'de> for Image {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ImageVisitor;

        impl<'de> Visitor<'de> for ImageVisitor {
            type Value = Image;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("`self`, or a table with `repository`, `tag` and `digest`")
            }

            fn visit_str<E: Error>(self, word: &str) -> Result<Image, E> {
                match word {
                    "self" => Ok(Image::Own(OwnImage::Own)),
                    _ => Err(E::custom(format!(
                        "the image `{word}` has no digest; write a table with `repository`, `tag` and `digest`"
                    ))),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Image, A::Error> {
                PinnedImage::deserialize(MapAccessDeserializer::new(map)).map(Image::Pinned)
            }
        }

        deserializer.deserialize_any(ImageVisitor)
    }
}

fn field<T: DeserializeOwned, E: Error>(key: &str, value: Value) -> Result<T, E> {
    serde_json::from_value(value).map_err(|error| {
        let said = error.to_string();
        if said.starts_with("the name `") || said.starts_with("unknown ") {
            E::custom(said)
        } else {
            E::custom(format!("`{key}`: {said}"))
        }
    })
}

/// Reads what is left of a table by its kind, and names the common keys too where one is unknown.
fn rest<T: DeserializeOwned, E: Error>(
    table: Map<String, Value>,
    tag: &'static str,
    common: &[&str],
) -> Result<T, E> {
    if !table.contains_key(tag) {
        return Err(E::missing_field(tag));
    }
    serde_json::from_value(Value::Object(table)).map_err(|error| {
        let mut said = error.to_string();
        if said.starts_with("unknown field") {
            for key in common {
                said.push_str(&format!(", `{key}`"));
            }
        }
        E::custom(said)
    })
}
