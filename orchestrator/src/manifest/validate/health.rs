//! Owns the rules about health: signals, conditions and probes.

use super::Findings;
use super::network::check_provider_file;
use crate::manifest::error::Rule;
use crate::manifest::locate::Path;
use crate::manifest::locate::place;
use crate::manifest::schema::Ask;
use crate::manifest::schema::Condition;
use crate::manifest::schema::Manifest;
use crate::manifest::schema::Probe;
use crate::manifest::schema::SameAs;

pub(super) fn check_signals(manifest: &Manifest, found: &mut Findings) {
    for (signal, rules) in manifest.health.signals() {
        let at = place!["health", signal];
        let Some(last) = rules.len().checked_sub(1) else {
            if signal != "synced" {
                found.add_with_hint(
                    Rule::EmptySignal,
                    at,
                    format!("the signal `{signal}` has no rules"),
                    "every service says how it is known to run and to serve",
                );
            }
            continue;
        };
        for (index, rule) in rules.iter().enumerate() {
            if rule.when.is_empty() && index < last {
                found.add_with_hint(
                    Rule::RuleOrder,
                    at.then(index),
                    format!(
                        "the rule `{}` always holds, so that those behind it never do",
                        rule.code
                    ),
                    "move it to the end, or give it `when`",
                );
            }
        }
        if !rules[last].when.is_empty() {
            found.add_with_hint(
                Rule::RuleOrder,
                at.then(last),
                format!("no rule of `{signal}` holds where none of the conditions does"),
                "end with a rule without `when`: no answer is never taken for a good one",
            );
        }
    }
}

pub(super) fn check_conditions(manifest: &Manifest, found: &mut Findings) {
    for (signal, rules) in manifest.health.signals() {
        for (index, rule) in rules.iter().enumerate() {
            if let Some(share) = &rule.share {
                let at = place!["health", signal, index, "share"];
                check_share(manifest, signal, &at, share, found);
            }
            for (condition_index, condition) in rule.when.iter().enumerate() {
                let at = place!["health", signal, index, "when", condition_index];
                check_condition(manifest, &at, condition, found);
            }
        }
    }
    for (index, init) in manifest.init.iter().enumerate() {
        for (condition_index, condition) in init.only_if.iter().enumerate() {
            let at = place!["init", index, "only_if", condition_index];
            check_condition(manifest, &at, condition, found);
        }
    }
}

fn check_share(manifest: &Manifest, signal: &str, at: &Path, share: &SameAs, found: &mut Findings) {
    found.refer(
        at.then("probe"),
        "probe",
        &share.probe,
        manifest.probes.keys(),
    );
    if !is_pointer(&share.pointer) {
        found.add_with_hint(
            Rule::ConditionPointer,
            at.then("pointer"),
            "the pointer is not a JSON pointer",
            "write it like `/result/verificationprogress`",
        );
    }
    if signal != "synced" {
        found.add_with_hint(
            Rule::ShareElsewhere,
            at.clone(),
            format!("`{signal}` has no share: only what catches up is so far and no further"),
            "move it to a rule of `synced`",
        );
    }
}

fn check_condition(manifest: &Manifest, at: &Path, condition: &Condition, found: &mut Findings) {
    let Condition {
        probe,
        pointer,
        answered,
        status,
        contains,
        exists,
        equals,
        differs,
        at_least,
        at_most,
        same_as,
    } = condition;
    found.refer(at.then("probe"), "probe", probe, manifest.probes.keys());
    let whole = [answered.is_some(), status.is_some(), contains.is_some()];
    let pointed = [
        exists.is_some(),
        equals.is_some(),
        differs.is_some(),
        at_least.is_some(),
        at_most.is_some(),
        same_as.is_some(),
    ];
    let count = |asked: &[bool]| asked.iter().filter(|asked| **asked).count();
    let questions = count(&whole) + count(&pointed);
    if questions != 1 {
        found.add_with_hint(
            Rule::ConditionQuestion,
            at.clone(),
            format!("a condition asks one question; this one asks {questions}"),
            "give one of `answered`, `status`, `contains`, `exists`, `equals`, `differs`, `at_least`, `at_most`, `same_as`; \
             several conditions in `when` must all hold",
        );
        return;
    }
    let pointers = [
        pointer.as_deref(),
        same_as.as_ref().map(|same| same.pointer.as_str()),
    ];
    if pointers
        .into_iter()
        .flatten()
        .any(|pointer| !is_pointer(pointer))
    {
        found.add_with_hint(
            Rule::ConditionPointer,
            at.clone(),
            "the pointer is not a JSON pointer",
            "write it like `/result/blocks`",
        );
    } else if (count(&pointed) == 1) != pointer.is_some() {
        let message = if pointer.is_some() {
            "the question is about the whole answer and takes no pointer"
        } else {
            "the question is about a value and needs a pointer"
        };
        found.add(Rule::ConditionPointer, at.clone(), message);
    }
    if let Some(same) = same_as {
        found.refer(
            at.then("same_as").then("probe"),
            "probe",
            &same.probe,
            manifest.probes.keys(),
        );
    }
}

/// Whether a text is a JSON pointer. Source: RFC 6901.
pub(super) fn is_pointer(text: &str) -> bool {
    text.is_empty() || text.starts_with('/')
}

pub(super) fn check_probes(manifest: &Manifest, found: &mut Findings) {
    for (name, probe) in &manifest.probes {
        check_probe(manifest, &place!["probes", name], probe, found);
    }
    for (index, init) in manifest.init.iter().enumerate() {
        for (step_index, step) in init.steps.iter().enumerate() {
            if let Some(ask) = &step.ask {
                check_probe(
                    manifest,
                    &place!["init", index, "steps", step_index, "ask"],
                    ask,
                    found,
                );
            }
        }
    }
}

fn check_probe(manifest: &Manifest, at: &Path, probe: &Probe, found: &mut Findings) {
    match (&probe.port, &probe.edge) {
        (Some(port), None) => {
            found.refer(at.then("port"), "port", port, manifest.ports.keys());
            if let Some(credential) = &probe.credential {
                let known = found.refer(
                    at.then("credential"),
                    "node credential",
                    credential,
                    manifest.node.keys(),
                );
                let allow = manifest
                    .node
                    .get(credential)
                    .map(|edge| edge.allow.as_slice());
                if let Some(allow) = allow.filter(|_| known) {
                    check_method(at, &probe.ask, allow, found);
                }
            }
        }
        (None, Some(edge)) => {
            found.refer(at.then("edge"), "edge", edge, manifest.edges.keys());
        }
        (port, _) => {
            let gives = if port.is_some() {
                "both `port` and `edge`"
            } else {
                "neither `port` nor `edge`"
            };
            found.add_with_hint(
                Rule::ProbeTarget,
                at.clone(),
                format!("the question has {gives}"),
                "give `port` to ask this service, `edge` to ask one that it calls",
            );
        }
    }
    if !(1..=60_000).contains(&probe.timeout_ms) {
        found.add(
            Rule::ProbeTimeout,
            at.then("timeout_ms"),
            format!(
                "a question cannot wait {} ms; give 1 to 60000",
                probe.timeout_ms
            ),
        );
    }
    match &probe.ask {
        Ask::Jsonrpc {
            params: Some(params),
            ..
        }
        | Ask::Electrum {
            params: Some(params),
            ..
        } if !matches!(
            serde_json::from_str(params),
            Ok(serde_json::Value::Array(_))
        ) =>
        {
            found.add_with_hint(
                Rule::ProbeParams,
                at.then("params"),
                format!("`{params}` is not a JSON array"),
                "write the parameters like '[1, \"raw(51)\"]'",
            );
        }
        Ask::Http {
            tls: Some(file), ..
        } => check_provider_file(manifest, &at.then("tls"), file, found),
        _ => {}
    }
}

/// Checks that a method of Bitcoin Core is on the whitelist of the credential that asks it.
pub(in crate::manifest) fn check_method(
    at: &Path,
    ask: &Ask,
    allow: &[String],
    found: &mut Findings,
) {
    if let Ask::Jsonrpc { method, .. } = ask
        && !allow.contains(method)
    {
        let allow: Vec<&str> = allow.iter().map(String::as_str).collect();
        found.add_with_hint(
            Rule::ProbeGrant,
            at.then("method"),
            format!("the node's credential does not allow `{method}`"),
            format!(
                "add it to `allow` under [node]; there now: {}",
                crate::manifest::hint::list(&allow)
            ),
        );
    }
}
