//! Owns the rules about what a service is: id, image, program, versions, limits.

use super::Findings;
use crate::manifest::error::Rule;
use crate::manifest::locate::Path;
use crate::manifest::locate::place;
use crate::manifest::schema::Image;
use crate::manifest::schema::Manifest;
use crate::manifest::schema::SCHEMA_VERSION;
use crate::manifest::schema::SettingKind;
use crate::manifest::version::Version;

pub(super) fn check_schema_version(manifest: &Manifest, found: &mut Findings) {
    if manifest.manifest != SCHEMA_VERSION {
        found.add_with_hint(
            Rule::SchemaVersion,
            place!["manifest"],
            format!("schema version {} is not known", manifest.manifest),
            format!(
                "this build reads version {SCHEMA_VERSION}; a newer one may need a newer flash-node"
            ),
        );
    }
}

pub(super) fn check_id(manifest: &Manifest, found: &mut Findings) {
    if matches!(manifest.id.as_str(), "node" | "internet") {
        found.add(
            Rule::ReservedId,
            place!["id"],
            format!("the id `{}` is reserved", manifest.id),
        );
    }
}

pub(super) fn check_networks_reason(manifest: &Manifest, found: &mut Findings) {
    if !manifest.networks.is_empty() && manifest.networks_reason.is_none() {
        found.add_with_hint(
            Rule::NetworksReason,
            place!["networks"],
            "the service is bound to some networks without a reason",
            "add `networks_reason`; the operator reads it where the service is refused",
        );
    }
}

pub(super) fn check_image(manifest: &Manifest, found: &mut Findings) {
    let Some(Image::Pinned(image)) = &manifest.image else {
        return;
    };
    let digest = image.digest.strip_prefix("sha256:").unwrap_or_default();
    let hexadecimal = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    if digest.len() != 64 || !digest.chars().all(hexadecimal) {
        found.add_with_hint(
            Rule::ImageDigest,
            place!["image", "digest"],
            format!("`{}` is not a digest", image.digest),
            "write `sha256:` and 64 lower-case hex digits",
        );
    }
    let (registry, rest) = image.repository.split_once('/').unwrap_or_default();
    let plain = rest
        .chars()
        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "/._-".contains(c));
    if !registry.contains('.') || rest.is_empty() || !plain {
        found.add_with_hint(
            Rule::ImageRepository,
            place!["image", "repository"],
            format!("`{}` is not a repository", image.repository),
            "write it with its registry and without a tag, such as `docker.io/bitcoin/bitcoin`",
        );
    }
}

pub(super) fn check_program(manifest: &Manifest, found: &mut Findings) {
    let mut commands = vec![(place!["program", "command"], &manifest.program.command)];
    for (index, init) in manifest.init.iter().enumerate() {
        for (step_index, step) in init.steps.iter().enumerate() {
            if let Some(run) = &step.run {
                let at = place!["init", index, "steps", step_index, "run", "command"];
                commands.push((at, &run.command));
            }
        }
    }
    for (path, command) in commands {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._+-".contains(c);
        if command.is_empty() || command.starts_with('.') || !command.chars().all(plain) {
            found.add_with_hint(
                Rule::ProgramPath,
                path,
                format!("`{command}` is not a file name"),
                "name the program alone; it is looked up on the PATH, or beside flash-node",
            );
        }
    }
}

pub(super) fn check_stop_grace(manifest: &Manifest, found: &mut Findings) {
    let seconds = manifest.program.stop_grace_seconds;
    if !(1..=3600).contains(&seconds) {
        found.add_with_hint(
            Rule::StopGrace,
            place!["program", "stop_grace_seconds"],
            format!("a program cannot have {seconds} seconds to stop"),
            "give 1 to 3600: what it needs to write everything down",
        );
    }
}

pub(super) fn check_versions(manifest: &Manifest, found: &mut Findings) {
    let version = &manifest.version;
    let refused = version.refused.iter().enumerate();
    let mut texts = vec![(place!["version", "current"], &version.current)];
    texts.extend(
        version
            .minimum_safe
            .iter()
            .map(|text| (place!["version", "minimum_safe"], text)),
    );
    texts.extend(refused.map(|(index, text)| (place!["version", "refused", index], text)));
    let before = found.0.len();
    for (path, text) in texts {
        if let Err(error) = text.parse::<Version>() {
            found.add(Rule::VersionUnparsable, path, error.to_string());
        }
    }
    if found.0.len() > before {
        return;
    }
    let current: Version = version.current.parse().expect("read just before");
    if let Err(refusal) = version.check(&current) {
        found.add_with_hint(
            Rule::VersionUnsafe,
            place!["version", "current"],
            refusal.to_string(),
            "a manifest never ships what it refuses",
        );
    }
    if (version.minimum_safe.is_some() || !version.refused.is_empty()) && version.reason.is_none() {
        found.add_with_hint(
            Rule::VersionReason,
            place!["version"],
            "versions are refused without a reason",
            "add `reason`; the operator reads it where a version is refused",
        );
    }
}

pub(super) fn check_limits(manifest: &Manifest, found: &mut Findings) {
    let memory = manifest.limits.memory_mib;
    if memory.small == 0 || memory.small > memory.medium || memory.medium > memory.large {
        found.add_with_hint(
            Rule::LimitRange,
            place!["limits", "memory_mib"],
            format!(
                "the memory limits {}, {} and {} MiB do not grow with the machine",
                memory.small, memory.medium, memory.large
            ),
            "give small ≤ medium ≤ large, each over 0",
        );
    }
    if manifest.limits.pids == 0 {
        found.add(
            Rule::LimitRange,
            place!["limits", "pids"],
            "a service cannot run with 0 processes",
        );
    }
}

/// Sentences and defaults reach terminals, pages and configuration files: no control characters, and not the brackets
/// by which a secret is marked in a rendered file.
pub(super) fn check_control_characters(manifest: &Manifest, found: &mut Findings) {
    let mut texts: Vec<(Path, &str)> = vec![
        (place!["title"], &manifest.title),
        (place!["summary"], &manifest.summary),
    ];
    for (name, setting) in &manifest.settings {
        texts.push((place!["settings", name, "help"], &setting.help));
        if let SettingKind::Text { default, .. } | SettingKind::Choice { default, .. } =
            &setting.kind
        {
            texts.push((place!["settings", name, "default"], default));
        }
    }
    for (name, volume) in &manifest.volumes {
        texts.push((place!["volumes", name, "holds"], &volume.holds));
    }
    for (index, check) in manifest.checks.iter().enumerate() {
        texts.push((place!["checks", index, "message"], &check.message));
    }
    for (signal, rules) in manifest.health.signals() {
        for (index, rule) in rules.iter().enumerate() {
            texts.push((place!["health", signal, index, "text"], &rule.text));
        }
    }
    for (path, text) in texts {
        if let Some(c) = text.chars().find(|c| forbidden(*c)) {
            found.add_with_hint(
                Rule::ControlCharacter,
                path,
                format!("the text holds the character {}", c.escape_unicode()),
                "one line of plain text is meant",
            );
        }
    }
    for template in crate::manifest::template::templates(manifest) {
        if template.source.contains(['\u{27e6}', '\u{27e7}']) {
            found.add(
                Rule::ControlCharacter,
                template.path,
                "the template holds a bracket that marks secrets",
            );
        }
    }
}

/// Whether a character may not stand in a line of text.
pub(in crate::manifest) fn forbidden(c: char) -> bool {
    c.is_control() || matches!(c, '\u{27e6}' | '\u{27e7}' | '\u{2028}' | '\u{2029}')
}
