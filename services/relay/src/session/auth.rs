//! Owns NIP-42: whether an event proves a key to this relay, on this connection, now.
//!
//! Deliberately does not know what a proved key may do.

use nostr::event::Event;
use nostr::types::Timestamp;

use super::Session;
use crate::message;
use crate::policy::Refusal;
use crate::public_url::PublicUrl;

const AUTHENTICATION: u16 = 22242;
/// How far the proof's date may be from the relay's clock. Source: NIP-42 ("~10 minutes").
const WINDOW_SECS: u64 = 600;

impl Session {
    /// Answers AUTH.
    pub(super) fn authenticate(&self, event: &Event) {
        let verdict = self.prove(event);
        let accepted = verdict.is_ok();
        let counter = if accepted {
            &self.shared.metrics.auth_accepted
        } else {
            &self.shared.metrics.auth_refused
        };
        counter.add();
        let text = verdict.err().map_or("", |refusal| refusal.0);
        self.connection
            .outbound
            .push(message::ok(&event.id, accepted, text));
    }

    fn prove(&self, event: &Event) -> Result<(), Refusal> {
        if !self.shared.rates.auth(self.address) {
            return Err(Refusal("rate-limited: too many AUTH from your address"));
        }
        check(
            event,
            &self.challenge,
            &self.shared.urls,
            self.shared.clock.now(),
        )?;
        if !self
            .connection
            .add_reader(event.pubkey, self.shared.limits.keys_per_connection)
        {
            return Err(Refusal("blocked: too many keys on one connection"));
        }
        Ok(())
    }
}

/// Decides whether `event` proves its key to a relay known as `urls` that sent `challenge`.
///
/// Errors: the first reason against it.
fn check(
    event: &Event,
    challenge: &str,
    urls: &[PublicUrl],
    now: Timestamp,
) -> Result<(), Refusal> {
    if event.kind.as_u16() != AUTHENTICATION {
        return Err(Refusal("invalid: AUTH takes an event of kind 22242"));
    }
    if event.created_at.as_secs().abs_diff(now.as_secs()) > WINDOW_SECS {
        return Err(Refusal(
            "invalid: the AUTH event is not dated within ten minutes of now",
        ));
    }
    if only_value(event, "challenge") != Some(challenge) {
        return Err(Refusal(
            "invalid: the AUTH event does not answer this connection's challenge",
        ));
    }
    let relay = only_value(event, "relay").and_then(|url| PublicUrl::parse(url).ok());
    if !relay.is_some_and(|relay| urls.contains(&relay)) {
        return Err(Refusal(
            "invalid: the AUTH event was made for another relay",
        ));
    }
    if event.verify().is_err() {
        return Err(Refusal(
            "invalid: the id or the signature of the AUTH event is wrong",
        ));
    }
    Ok(())
}

/// Returns the value of the only tag called `name`; two of them could be meant for two relays.
fn only_value<'e>(event: &'e Event, name: &str) -> Option<&'e str> {
    let mut tags = event
        .tags
        .iter()
        .map(|tag| tag.as_slice())
        .filter(|tag| tag[0] == name);
    match (tags.next(), tags.next()) {
        (Some(tag), None) => tag.get(1).map(String::as_str),
        _ => None,
    }
}
