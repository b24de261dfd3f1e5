//! temporary
use crate::id::{Name, ServiceId};
use crate::manifest::Catalog;
use crate::manifest::profile::Profile;
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct EditError(String);
impl EditError {
    pub(super) fn hint(&self) -> String {
        String::new()
    }
}
pub(super) fn set(
    text: &str,
    _: &Catalog,
    _: &Profile,
    service: &ServiceId,
    setting: &Name,
    value: &str,
) -> Result<String, EditError> {
    let mut doc: toml_edit::DocumentMut = text
        .parse()
        .map_err(|e: toml_edit::TomlError| EditError(e.to_string()))?;
    let v: toml_edit::Value = value.parse().unwrap_or_else(|_| value.into());
    doc["services"].or_insert(toml_edit::table())[service.as_str()].or_insert(toml_edit::table())
        ["settings"]
        .or_insert(toml_edit::table())[setting.as_str()] = toml_edit::value(v);
    Ok(doc.to_string())
}
pub(super) fn leave_out(text: &str, service: &ServiceId) -> Result<String, EditError> {
    let mut doc: toml_edit::DocumentMut = text
        .parse()
        .map_err(|e: toml_edit::TomlError| EditError(e.to_string()))?;
    doc["services"].or_insert(toml_edit::table())[service.as_str()].or_insert(toml_edit::table())
        ["enabled"] = toml_edit::value(false);
    Ok(doc.to_string())
}
