//! Owns `set SERVICE` without a value: it lists what can be set, from the files in the data folder.
//!
//! It needs no daemon, and does not know which of the values were accepted.

use super::Context;
use super::client::typed;
use super::exit::Exit;
use super::exit::Failure;
use super::exit::chain;
use super::service::advice;
use crate::config::Card;
use crate::id::Name;
use crate::id::ServiceId;
use crate::manifest;
use crate::manifest::Catalog;
use crate::manifest::choices;
use crate::manifest::choices::Choices;
use crate::manifest::error::ManifestErrors;
use crate::manifest::profile::Profile;

/// Lists the settings of the service that `target` names, or the one setting (`SERVICE.SETTING`).
pub(super) fn list(context: &mut Context, target: &str) -> Result<Exit, Failure> {
    let data = context.data()?;
    let Some(card) = Card::read(&data)? else {
        let named = context.global.data.is_some();
        let up = typed(&context.surroundings, "up", &data, named);
        return Err(Failure::new(
            Exit::NotRunning,
            format!("there is no node in {} yet", data.display()),
            format!("start one with `{up}`, or name its folder with --data DIR"),
        ));
    };
    let broken = |mistakes: ManifestErrors| {
        Failure::new(
            Exit::BadData,
            mistakes.to_string(),
            "mend it; `flash-node check` reads the files without starting anything",
        )
    };
    let path = data.join(choices::FILE);
    let text = match std::fs::read_to_string(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        other => other.map_err(|error| {
            Failure::new(
                Exit::BadData,
                format!("{} cannot be read: {}", path.display(), chain(&error)),
                "make the file readable",
            )
        })?,
    };
    let choices = choices::parse(&text, choices::FILE).map_err(broken)?;
    let catalog = Catalog::load(Some(&data.join("manifests"))).map_err(broken)?;
    let (service, setting) = match target.split_once('.') {
        Some((service, setting)) => (service, Some(setting)),
        None => (target, None),
    };
    let profile = manifest::profile(card.profile);
    for line in lines(&profile, &choices, &catalog, service, setting)? {
        context.screen.foreign_line(&line);
    }
    Ok(Exit::Ok)
}

/// Writes each setting with its value, its type and range, its default and its help.
pub(super) fn lines(
    profile: &Profile,
    choices: &Choices,
    catalog: &Catalog,
    service: &str,
    setting: Option<&str>,
) -> Result<Vec<String>, Failure> {
    let id = ServiceId::new(service).ok();
    let instance = id.as_ref().and_then(|id| profile.services.get(id));
    let choice = id.as_ref().and_then(|id| choices.services.get(id));
    let declared = instance
        .map(|instance| &instance.manifest)
        .or_else(|| choice.and_then(|choice| choice.manifest.as_ref()))
        .and_then(|manifest| catalog.get(manifest));
    let Some(declared) = declared else {
        let known = profile.services.keys().chain(choices.services.keys());
        return Err(unknown(
            format!("no service is named `{service}`"),
            "services",
            service,
            known.map(ToString::to_string),
        ));
    };
    let chosen = |name: &Name| {
        choice
            .and_then(|choice| choice.settings.get(name))
            .or_else(|| instance.and_then(|instance| instance.settings.get(name)))
            .cloned()
    };
    let mut lines = Vec::new();
    let wanted = declared
        .settings
        .iter()
        .filter(|(name, _)| setting.is_none_or(|setting| setting == name.as_str()));
    for (name, declared) in wanted {
        let default = declared.kind.default_value();
        let value = chosen(name).unwrap_or_else(|| default.clone());
        lines.push(format!("{service}.{name} = {value}"));
        lines.push(format!("    {}", declared.help));
        lines.push(format!(
            "    takes {}; default {default}",
            declared.kind.range()
        ));
    }
    match (lines.is_empty(), setting) {
        (false, _) => Ok(lines),
        (true, None) => Ok(vec![format!("{service} has no settings")]),
        (true, Some(setting)) => Err(unknown(
            format!("`{service}` has no setting `{setting}`"),
            "settings",
            setting,
            declared.settings.keys().map(ToString::to_string),
        )),
    }
}

fn unknown(
    message: String,
    what: &str,
    typed: &str,
    known: impl Iterator<Item = String>,
) -> Failure {
    let mut known: Vec<String> = known.collect();
    known.sort();
    known.dedup();
    Failure::new(Exit::Failed, message, advice(what, typed, &known))
}
