//! Owns the rules about init jobs and the secrets that they capture.

use std::collections::BTreeSet;

use super::Findings;
use super::health::is_pointer;
use super::network::check_provider_file;
use crate::manifest::error::Rule;
use crate::manifest::locate::place;
use crate::manifest::schema::InitWhen;
use crate::manifest::schema::Manifest;
use crate::manifest::schema::SecretMake;

pub(super) fn check_names(manifest: &Manifest, found: &mut Findings) {
    let mut names = BTreeSet::new();
    for (index, init) in manifest.init.iter().enumerate() {
        if !names.insert(&init.name) {
            found.add_with_hint(
                Rule::DuplicateInit,
                place!["init", index, "name"],
                format!("two jobs are named `{}`", init.name),
                "the node remembers by name which jobs are done",
            );
        }
        if let Some(file) = &init.unless_exists {
            check_provider_file(
                manifest,
                &place!["init", index, "unless_exists"],
                file,
                found,
            );
        }
    }
}

pub(super) fn check_steps(manifest: &Manifest, found: &mut Findings) {
    for (index, init) in manifest.init.iter().enumerate() {
        let before = init.when == InitWhen::BeforeStart;
        if before && !init.only_if.is_empty() {
            found.add_with_hint(
                Rule::BeforeStartAsk,
                place!["init", index, "only_if"],
                format!(
                    "the job `{}` asks before anything runs that could answer",
                    init.name
                ),
                "use `unless_exists`, or run it when the service is alive",
            );
        }
        if init.steps.is_empty() {
            let message = format!("the job `{}` has no steps", init.name);
            found.add(Rule::StepKind, place!["init", index], message);
        }
        for (step_index, step) in init.steps.iter().enumerate() {
            let at = place!["init", index, "steps", step_index];
            if step.run.is_some() == step.ask.is_some() {
                let gives = if step.run.is_some() {
                    "both runs and asks"
                } else {
                    "neither runs nor asks"
                };
                found.add(
                    Rule::StepKind,
                    at.clone(),
                    format!("a step of `{}` {gives}; give `run` or `ask`", init.name),
                );
            }
            if before && step.ask.is_some() {
                found.add_with_hint(
                    Rule::BeforeStartAsk,
                    at.then("ask"),
                    format!(
                        "the job `{}` asks before anything runs that could answer",
                        init.name
                    ),
                    "run a program instead, or run the job when the service is alive",
                );
            }
            if step.ask.is_none() && !step.capture.is_empty() {
                found.add(
                    Rule::CaptureWithoutAsk,
                    at.then("capture"),
                    "there is no answer from which a value could be captured",
                );
            }
        }
    }
}

pub(super) fn check_captures(manifest: &Manifest, found: &mut Findings) {
    let mut captured = BTreeSet::new();
    for (index, init) in manifest.init.iter().enumerate() {
        for (step_index, step) in init.steps.iter().enumerate() {
            for (capture_index, capture) in step.capture.iter().enumerate() {
                let at = place!["init", index, "steps", step_index, "capture", capture_index];
                captured.insert(&capture.secret);
                if found.refer(
                    at.then("secret"),
                    "secret",
                    &capture.secret,
                    manifest.secrets.keys(),
                ) && manifest.secrets[&capture.secret].make != SecretMake::Captured
                {
                    found.add_with_hint(
                        Rule::CaptureSecret,
                        at.then("secret"),
                        format!(
                            "the secret `{}` is made by the vault and would be overwritten",
                            capture.secret
                        ),
                        "declare it with `make = \"captured\"`",
                    );
                }
                if !is_pointer(&capture.pointer) {
                    found.add(
                        Rule::ConditionPointer,
                        at.then("pointer"),
                        "the pointer is not a JSON pointer",
                    );
                }
            }
        }
    }
    for (name, secret) in &manifest.secrets {
        if secret.make != SecretMake::Captured {
            continue;
        }
        if !captured.contains(name) {
            found.add(
                Rule::UncapturedSecret,
                place!["secrets", name],
                format!("no step captures the secret `{name}`"),
            );
        } else if secret.file {
            found.add_with_hint(
                Rule::UncapturedSecret,
                place!["secrets", name],
                format!("the secret `{name}` cannot be a file of the first start, since it is captured later"),
                "add `file = false`",
            );
        }
    }
}
