//! Owns the rules about templates: what they read, and what must not stand in them literally.

use super::Findings;
use super::literals;
use crate::manifest::error::Rule;
use crate::manifest::locate::Path;
use crate::manifest::schema::Manifest;
use crate::manifest::template;
use crate::manifest::template::Scope;
use crate::manifest::template::TemplateError;

pub(super) fn check_templates(manifest: &Manifest, found: &mut Findings) {
    let mut checker = template::Checker::new(manifest);
    for place in template::templates(manifest) {
        let Err(error) = checker.check(place.scope, place.source) else {
            continue;
        };
        let message = error.to_string();
        match error {
            TemplateError::Syntax(_) => found.add(Rule::TemplateSyntax, place.path, message),
            TemplateError::Unknown { hint, .. } => {
                found.add_with_hint(Rule::TemplateVariable, place.path, message, hint);
            }
            TemplateError::Secret { .. } => found.add_with_hint(
                Rule::SecretOutsideFile,
                place.path,
                message,
                "arguments and environment are visible to others; put it into a file, or give the path of a secret's file",
            ),
            TemplateError::Fails(_) => found.add(Rule::TemplateFailure, place.path, message),
        }
    }
}

/// Whatever differs between runtimes, networks and machines is a variable. Sentences for people may name anything.
pub(super) fn check_literals(manifest: &Manifest, found: &mut Findings) {
    for place in template::templates(manifest) {
        if place.scope != Scope::Text {
            check_text(place.path, place.source, place.url_path, found);
        }
    }
    for (index, pair) in manifest.program.args.windows(2).enumerate() {
        let [name, value] = pair else { continue };
        let number = !value.is_empty() && value.chars().all(|c| c.is_ascii_digit());
        if name.starts_with('-') && name.ends_with("port") && number {
            literal_port(
                crate::manifest::locate::place!["program", "args", index + 1],
                value,
                found,
            );
        }
    }
}

fn check_text(path: Path, text: &str, url_path: bool, found: &mut Findings) {
    if let Some(host) = literals::host(text) {
        found.add_with_hint(
            Rule::LiteralHost,
            path,
            format!("the address `{host}` stands literally in a template"),
            "use `bind.PORT` to listen, `edge.EDGE.host` to call, `interface.NAME.consumers` to let somebody in",
        );
    } else if let Some(port) = literals::port(text) {
        literal_port(path, port, found);
    } else if let Some(literal) = literals::path(text).filter(|_| !url_path) {
        found.add_with_hint(
            Rule::LiteralPath,
            path,
            format!("the path `{literal}` stands literally in a template"),
            "use `volume.NAME.path`, `file.NAME.path` or `secret.NAME.path`",
        );
    }
}

fn literal_port(path: Path, port: &str, found: &mut Findings) {
    found.add_with_hint(
        Rule::LiteralPort,
        path,
        format!("the port {port} stands literally in a template"),
        "declare it under [ports] and use `port.NAME`, or `edge.EDGE.port` for a provider's",
    );
}
