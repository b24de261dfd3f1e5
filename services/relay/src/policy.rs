//! Owns which events the relay takes, before any signature is checked or any disk is asked.
//!
//! Deliberately does not know about connections or storage: plain functions of an event, the limits,
//! the hour and the keys its sender has proved.

use std::collections::BTreeSet;

use nostr::event::Event;
use nostr::types::Timestamp;
use serde_json::Value;

use crate::deletion::DELETION;
use crate::limits::Limits;
use crate::visibility;
use crate::visibility::Readers;

const AUTHENTICATION: u16 = 22242;
const REQUEST_TO_VANISH: u16 = 62;
const REPOSTS: [u16; 2] = [6, 16];

/// The longest `d` tag that the database tells apart: it indexes no more bytes of a tag's value.
///
/// Source: nostr-lmdb 0.45.3 `store/lmdb/index.rs`, `TAG_VALUE_PAD_LEN`.
const MAX_IDENTIFIER_BYTES: usize = 182;

/// Why an event is not taken; each text begins with a prefix of NIP-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refusal(pub(crate) &'static str);

/// Decides whether `event` may be taken from a sender who has proved `sender`.
///
/// Errors: the first reason against it.
pub(crate) fn admit(
    event: &Event,
    bytes: usize,
    limits: &Limits,
    now: Timestamp,
    sender: &Readers,
) -> Result<(), Refusal> {
    let kind = event.kind.as_u16();
    if bytes > limits.max_event_bytes {
        return Err(Refusal("invalid: the event is too large"));
    }
    if event.tags.len() > limits.max_event_tags {
        return Err(Refusal("invalid: the event has too many tags"));
    }
    if event.created_at.as_secs() > now.as_secs().saturating_add(limits.created_at_future_secs) {
        return Err(Refusal("invalid: the event is dated in the future"));
    }
    if event.is_expired_at(now) {
        return Err(Refusal("blocked: the event is expired"));
    }
    if kind == AUTHENTICATION {
        return Err(Refusal(
            "invalid: kind 22242 belongs in AUTH and is never passed on",
        ));
    }
    if kind == REQUEST_TO_VANISH {
        return Err(Refusal(
            "blocked: this relay does not carry out requests to vanish",
        ));
    }
    if event.kind == DELETION && event.tags.expiration().is_some() {
        return Err(Refusal(
            "invalid: a deletion that expires would let what it deleted come back",
        ));
    }
    if event.kind.is_addressable() {
        admit_identifier(event)?;
    }
    if visibility::wrap(event.kind) && visibility::recipients(event).next().is_none() {
        return Err(Refusal(
            "invalid: a wrapped message names its recipient in a p tag",
        ));
    }
    if visibility::private_kind(event.kind) {
        let recipients: BTreeSet<_> = visibility::recipients(event).collect();
        if recipients.len() > limits.recipients_per_private_event {
            return Err(Refusal(
                "invalid: a private message has too many recipients",
            ));
        }
    }
    admit_protected(event, sender)?;
    if REPOSTS.contains(&kind) && reposts_protected(event) {
        return Err(Refusal(
            "blocked: the author of the reposted event forbids it (NIP-70)",
        ));
    }
    Ok(())
}

/// An addressable event replaces the one with the same `d` tag: what would be confused is refused.
fn admit_identifier(event: &Event) -> Result<(), Refusal> {
    let mut identifiers = event
        .tags
        .iter()
        .map(|tag| tag.as_slice())
        .filter(|tag| tag[0] == "d");
    let (Some(tag), None) = (identifiers.next(), identifiers.next()) else {
        return Err(Refusal(
            "invalid: an addressable event has exactly one d tag",
        ));
    };
    match tag.get(1) {
        Some(value) if value.len() > MAX_IDENTIFIER_BYTES => {
            Err(Refusal("invalid: the d tag is longer than 182 bytes"))
        }
        Some(value) if value.contains('\0') => Err(Refusal("invalid: the d tag holds a NUL")),
        Some(_) => Ok(()),
        None => Err(Refusal(
            "invalid: an addressable event has exactly one d tag",
        )),
    }
}

/// NIP-70: an event with a `-` tag is taken from its authenticated author alone.
fn admit_protected(event: &Event, sender: &Readers) -> Result<(), Refusal> {
    if !protected(event) || sender.contains(&event.pubkey) {
        return Ok(());
    }
    if sender.anonymous() {
        return Err(Refusal(
            "auth-required: a protected event is taken from its author alone",
        ));
    }
    Err(Refusal(
        "restricted: a protected event is taken from its author alone",
    ))
}

fn protected(event: &Event) -> bool {
    event.tags.iter().any(|tag| tag.as_slice()[0] == "-")
}

/// Looks at the tags alone: what is reposted without a signature, or otherwise incomplete, is reposted as well.
fn reposts_protected(event: &Event) -> bool {
    let reposted: Option<Value> = serde_json::from_str(&event.content).ok();
    let tags = reposted
        .as_ref()
        .and_then(|event| event.get("tags")?.as_array());
    tags.is_some_and(|tags| tags.iter().any(|tag| tag.get(0) == Some(&Value::from("-"))))
}

#[cfg(test)]
mod tests;
