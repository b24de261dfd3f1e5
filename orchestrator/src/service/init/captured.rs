//! Owns the keeping of what an answer captured: read, stored, and wiped from the answer.

use std::collections::BTreeMap;

use serde_json::Value;
use zeroize::Zeroize;

use super::At;
use super::InitError;
use super::InitJobs;
use crate::id::Name;
use crate::manifest::schema::Capture;
use crate::secret::SecretBytes;
use crate::secret::SecretRef;
use crate::service::health::question;
use crate::service::probe::Answer;

/// Stores each captured value of `answer`. A text is stored as it is; anything else as compact JSON, so that LND's
/// 24 words become `["abandon",…]`, ready to stand in the body of the next step.
///
/// Nothing is stored unless all of them are there, and all are stored anew: values of two answers never mix.
pub(super) fn keep(
    at: &At<'_>,
    captures: &[Capture],
    mut answer: Answer,
    jobs: &InitJobs<'_>,
    own_secrets: &mut BTreeMap<Name, SecretRef>,
) -> Result<(), InitError> {
    let read: Result<Vec<_>, InitError> = captures
        .iter()
        .map(|capture| {
            let value = read(&answer, &capture.pointer);
            value.ok_or_else(|| InitError::NotCaptured {
                job: at.job(),
                step: at.step,
                secret: capture.secret.clone(),
            })
        })
        .collect();
    wipe(&mut answer);
    for (capture, value) in captures.iter().zip(read?) {
        let key = question::own_key(jobs.target, &capture.secret);
        let stored = jobs
            .sink
            .store(&key, value)
            .map_err(|source| InitError::NotStored {
                job: at.job(),
                secret: capture.secret.clone(),
                source,
            })?;
        own_secrets.insert(capture.secret.clone(), stored);
    }
    Ok(())
}

fn read(answer: &Answer, pointer: &str) -> Option<SecretBytes> {
    match answer.json.as_ref()?.pointer(pointer)? {
        Value::Null => None,
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => Some(SecretBytes::from(text.clone())),
        other => Some(SecretBytes::from(other.to_string())),
    }
}

/// Overwrites every text of an answer that held a secret.
fn wipe(answer: &mut Answer) {
    answer.text.zeroize();
    if let Some(json) = &mut answer.json {
        question::wipe_value(json);
    }
}
