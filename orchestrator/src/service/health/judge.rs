//! Owns the judging of answers by a manifest's rules: pure, total, and positive only on evidence.
//!
//! It does not know how an answer was had. A condition is true, false or not knowable; nothing but `answered = false`
//! is ever true of a silence, so that no timeout can be read as "ready" or "synced".

use std::collections::BTreeMap;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::id::Name;
use crate::manifest::schema::Condition;
use crate::manifest::schema::Rule;
use crate::manifest::template;
use crate::service::probe::Answer;
use crate::status::Signal;

/// Longest sentence of a signal. Units: characters.
const MAX_SENTENCE: usize = 400;

/// What became of one probe in a round.
#[derive(Debug, Clone, PartialEq)]
pub enum Asked {
    /// It was asked.
    Answer(Answer),
    /// It could not be asked, which says nothing about the service.
    Withheld(Withheld),
}

/// Why a probe could not be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Withheld {
    /// It needs a credential and the vault is sealed.
    Sealed,
    /// It needs a secret that the vault does not hold (yet).
    SecretMissing,
    /// It needs a secret and the vault could not be read.
    VaultUnreadable,
    /// The edge through which it asks has no provider on this node.
    NoProvider,
}

impl Withheld {
    /// Returns the signal where a verdict hangs on the withheld probe.
    #[must_use]
    pub fn signal(self) -> Signal {
        let (code, text) = match self {
            Self::Sealed => (
                "sealed",
                "The vault is sealed, so the node cannot ask: unlock it with `flash-node unlock`.",
            ),
            Self::SecretMissing => (
                "secret_missing",
                "The vault does not hold the credential with which the node would ask.",
            ),
            Self::VaultUnreadable => (
                "vault_unreadable",
                "The vault could not be read, so the node cannot ask.",
            ),
            Self::NoProvider => (
                "no_provider",
                "The service that would have to be asked is not on this node.",
            ),
        };
        Signal::new(None, code, text)
    }
}

/// What a condition is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// It cannot be known now.
    Unknown(Withheld),
}

/// Decides one signal: the first rule whose conditions all hold. Where a rule hangs on a withheld probe alone, the
/// signal is not knowable, for no later rule may overtake it.
#[must_use]
pub fn judge(
    rules: &[Rule],
    answers: &BTreeMap<Name, Asked>,
    settings: &BTreeMap<Name, Value>,
) -> Signal {
    for rule in rules {
        match all(&rule.when, answers) {
            Truth::True => {
                let text = sentence(rule, answers, settings);
                return Signal {
                    share: share(rule, answers),
                    ..Signal::new(rule.ok, rule.code.as_str(), text)
                };
            }
            Truth::False => {}
            Truth::Unknown(why) => return why.signal(),
        }
    }
    Signal::new(
        None,
        "undecided",
        "No rule of the manifest covers what the service answers.",
    )
}

/// Says whether all of `conditions` hold: false as soon as one is false, whatever the others are.
#[must_use]
pub fn all(conditions: &[Condition], answers: &BTreeMap<Name, Asked>) -> Truth {
    let mut truth = Truth::True;
    for condition in conditions {
        match holds(condition, answers) {
            Truth::False => return Truth::False,
            Truth::Unknown(why) => truth = Truth::Unknown(why),
            Truth::True => {}
        }
    }
    truth
}

fn holds(condition: &Condition, answers: &BTreeMap<Name, Asked>) -> Truth {
    let Some(asked) = answers.get(&condition.probe) else {
        return Truth::False;
    };
    let answer = match asked {
        Asked::Answer(answer) => answer,
        Asked::Withheld(why) => return Truth::Unknown(*why),
    };
    let other = match &condition.same_as {
        Some(same_as) => match answers.get(&same_as.probe) {
            Some(Asked::Answer(other)) => Some(at(other, &same_as.pointer)),
            Some(Asked::Withheld(why)) => return Truth::Unknown(*why),
            None => Some(None),
        },
        None => None,
    };
    if answered_and(condition, answer, other) {
        Truth::True
    } else {
        Truth::False
    }
}

/// `other`: nothing where no `same_as` is asked for; else what stands there, if anything.
fn answered_and(condition: &Condition, answer: &Answer, other: Option<Option<&Value>>) -> bool {
    let Condition {
        probe: _,
        pointer,
        answered,
        status,
        contains,
        exists,
        equals,
        differs,
        at_least,
        at_most,
        same_as: _,
    } = condition;
    if answered.is_some_and(|answered| answered != answer.reached) {
        return false;
    }
    let about_content = status.is_some()
        || contains.is_some()
        || exists.is_some()
        || equals.is_some()
        || differs.is_some()
        || at_least.is_some()
        || at_most.is_some()
        || other.is_some();
    if !about_content {
        return answered.is_some();
    }
    // What did not come, or is not JSON where a pointer is asked, has no value that could exist, be absent or differ.
    if !answer.reached {
        return false;
    }
    let value = at(answer, pointer.as_deref().unwrap_or_default());
    let known = answer.json.is_some();
    status.is_none_or(|status| answer.status == Some(status))
        && contains
            .as_ref()
            .is_none_or(|part| answer.text.contains(part.as_str()))
        && exists.is_none_or(|exists| known && exists == value.is_some())
        && equals
            .as_ref()
            .is_none_or(|wanted| value.is_some_and(|value| equal(value, wanted)))
        && differs
            .as_ref()
            .is_none_or(|other| known && value.is_none_or(|value| !equal(value, other)))
        && at_least.is_none_or(|least| number_at(value).is_some_and(|number| number >= least))
        && at_most.is_none_or(|most| number_at(value).is_some_and(|number| number <= most))
        && other.is_none_or(|other| same(value, other))
}

/// Returns what stands at `pointer`; JSON's null counts as absent, since JSON-RPC writes `"error": null`.
fn at<'a>(answer: &'a Answer, pointer: &str) -> Option<&'a Value> {
    answer
        .json
        .as_ref()
        .filter(|_| answer.reached)?
        .pointer(pointer)
        .filter(|value| !value.is_null())
}

/// Reads a number, or a text that is one: LND writes 64-bit numbers as text.
fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    number.filter(|number: &f64| number.is_finite())
}

fn number_at(value: Option<&Value>) -> Option<f64> {
    value.and_then(number)
}

/// Equal as JSON, where 1 and 1.0 are the same number.
fn equal(left: &Value, right: &Value) -> bool {
    left == right
        || matches!((left, right), (Value::Number(left), Value::Number(right))
            if left.as_f64().zip(right.as_f64()).is_some_and(|(left, right)| left == right))
}

/// Equal across two services, one of which may write a number as text. Two absences are not the same thing.
fn same(left: Option<&Value>, right: Option<&Value>) -> bool {
    let (Some(left), Some(right)) = (left, right) else {
        return false;
    };
    let as_numbers = number(left)
        .zip(number(right))
        .is_some_and(|(left, right)| left == right);
    equal(left, right) || as_numbers
}

/// Reads how far the service is. Units: millionths; nothing where it does not say so.
fn share(rule: &Rule, answers: &BTreeMap<Name, Asked>) -> Option<u32> {
    let of = rule.share.as_ref()?;
    let Some(Asked::Answer(answer)) = answers.get(&of.probe) else {
        return None;
    };
    let number = number_at(at(answer, &of.pointer)).filter(|share| (0.0..=1.0).contains(share))?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it lies between 0 and a million"
    )]
    let millionths = (number * 1e6).floor() as u32;
    Some(millionths)
}

/// Renders a rule's text over the settings and the answers: a probe's name stands for its answer's JSON, or for its
/// text where it is not JSON. A template that fails gives a plain sentence about the code instead.
fn sentence(
    rule: &Rule,
    answers: &BTreeMap<Name, Asked>,
    settings: &BTreeMap<Name, Value>,
) -> String {
    if !rule.text.contains(['{', '}']) {
        return bounded(&rule.text);
    }
    match template::render(&rule.text, context(answers, settings)) {
        Ok(text) => bounded(&text),
        Err(_) => format!(
            "The service reports {}.",
            rule.code.as_str().replace('_', " ")
        ),
    }
}

fn context(answers: &BTreeMap<Name, Asked>, settings: &BTreeMap<Name, Value>) -> Value {
    let mut context = Map::new();
    for (name, asked) in answers {
        let Asked::Answer(answer) = asked else {
            continue;
        };
        if answer.reached {
            let text = || Value::from(answer.text.as_str());
            let value = answer.json.clone().unwrap_or_else(text);
            context.insert(name.to_string(), value);
        }
    }
    context.insert("setting".to_owned(), json!(settings));
    Value::Object(context)
}

/// Keeps a sentence on one line and short: parts of it come from a service.
fn bounded(text: &str) -> String {
    text.chars()
        .map(|character| {
            if character.is_control() {
                ' '
            } else {
                character
            }
        })
        .take(MAX_SENTENCE)
        .collect()
}
