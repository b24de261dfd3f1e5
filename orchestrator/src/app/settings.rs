//! Owns what can be set, as it was accepted: manifest < profile < choices.

use serde_json::Value;

use crate::app::world::World;
use crate::manifest::schema;
use crate::manifest::schema::SettingKind;
use crate::service::desired::Wanted;
use crate::view::ServiceSettings;
use crate::view::Setting;
use crate::view::SettingType;
use crate::view::SettingValue;
use crate::view::Settings;

/// Lists the settings of every service that this node runs; what is external is set where it runs.
pub(super) fn settings(world: &World) -> Settings {
    let mut services = Vec::new();
    for (id, service) in &world.resolved.desired.services {
        let Some(manifest) = world.catalog.get(&service.manifest) else {
            continue;
        };
        if manifest.settings.is_empty() || matches!(service.wanted, Wanted::External) {
            continue;
        }
        let choice = world.choices.services.get(id);
        let profile = world.profile.services.get(id);
        let settings = manifest.settings.iter().map(|(name, declared)| {
            let chosen = choice.and_then(|choice| choice.settings.get(name));
            let mut setting = shape(name.to_string(), declared);
            let of_profile = profile.and_then(|one| one.settings.get(name));
            if let Some(value) = of_profile.and_then(typed) {
                setting.default = value;
            }
            let value = chosen.and_then(typed);
            setting.chosen = value.is_some();
            setting.value = value.unwrap_or_else(|| setting.default.clone());
            setting
        });
        services.push(ServiceSettings {
            id: id.to_string(),
            title: manifest.title.clone(),
            settings: settings.collect(),
        });
    }
    Settings { services }
}

fn shape(name: String, declared: &schema::Setting) -> Setting {
    let (kind, default) = match &declared.kind {
        SettingKind::Bool { default } => (SettingType::Bool, SettingValue::Bool(*default)),
        SettingKind::Integer { default, .. } => {
            (SettingType::Integer, SettingValue::Integer(*default))
        }
        SettingKind::Text { default, .. } => {
            (SettingType::Text, SettingValue::Text(default.clone()))
        }
        SettingKind::Choice { default, .. } => {
            (SettingType::Choice, SettingValue::Text(default.clone()))
        }
    };
    let mut setting = Setting {
        name,
        help: declared.help.clone(),
        kind,
        value: default.clone(),
        default,
        chosen: false,
        min: None,
        max: None,
        unit: None,
        max_length: None,
        options: None,
    };
    match &declared.kind {
        SettingKind::Bool { .. } => {}
        SettingKind::Integer { min, max, unit, .. } => {
            (setting.min, setting.max) = (Some(*min), Some(*max));
            setting.unit.clone_from(unit);
        }
        SettingKind::Text { max_length, .. } => setting.max_length = Some(*max_length),
        SettingKind::Choice { options, .. } => setting.options = Some(options.clone()),
    }
    setting
}

/// Reads an accepted value; what is no value of a setting was never accepted.
fn typed(value: &Value) -> Option<SettingValue> {
    match value {
        Value::Bool(value) => Some(SettingValue::Bool(*value)),
        Value::Number(number) => number.as_i64().map(SettingValue::Integer),
        Value::String(text) => Some(SettingValue::Text(text.clone())),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
