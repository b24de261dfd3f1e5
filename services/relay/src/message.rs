//! Owns the wire: what a client's message says, and the frames the relay answers with (NIP-01, 42, 45, 77).
//!
//! Deliberately does not know what is allowed. A message that cannot be understood becomes a refusal that
//! names as much of it as could be read, so that the client learns which of its questions failed.

use nostr::event::Event;
use nostr::event::EventId;
use nostr::filter::Filter;
use serde_json::value::RawValue;

/// The longest subscription id. Source: NIP-01.
pub(crate) const MAX_SUBSCRIPTION_ID_CHARS: usize = 64;

/// What a client asks for.
#[derive(Debug)]
pub(crate) enum Request {
    /// Store and pass on an event; the number is its size as JSON in bytes.
    Publish(Box<Event>, usize),
    /// Send what is stored and what comes.
    Subscribe(Name, Vec<Filter>),
    /// Say how many events match.
    Count(Name, Vec<Filter>),
    /// End a subscription.
    Close(Name),
    /// Prove a key.
    Auth(Box<Event>),
    /// Begin to compare sets of events; the bytes are the first message.
    NegOpen(Name, Box<Filter>, Vec<u8>),
    /// Go on comparing.
    NegMessage(Name, Vec<u8>),
    /// Stop comparing.
    NegClose(Name),
}

/// Why a message could not be understood, in the form of the answer it deserves.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Misread {
    /// Nobody knows what was meant.
    Notice(String),
    /// An event with this id was meant.
    Event(EventId, String),
    /// A subscription or count with this name was meant.
    Request(Name, String),
    /// A negentropy session with this name was meant.
    Negentropy(Name, String),
}

/// The name that a client gives to a subscription, a count or a negentropy session.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Name(String);

impl Name {
    #[cfg(test)]
    pub(crate) fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Returns the name as a JSON string with its quotes.
    pub(crate) fn json(&self) -> String {
        json_string(&self.0)
    }
}

/// Reads one text message.
///
/// Errors: the answer to give when it is not a message of NIP-01, 42, 45 or 77.
pub(crate) fn read(text: &str) -> Result<Request, Misread> {
    let notice = |text: &str| Misread::Notice(format!("invalid: {text}"));
    let parts: Vec<&RawValue> =
        serde_json::from_str(text).map_err(|_| notice("a message is a JSON array"))?;
    let verb: String = parts
        .first()
        .and_then(|part| serde_json::from_str(part.get()).ok())
        .ok_or_else(|| notice("a message begins with its name"))?;
    match verb.as_str() {
        "EVENT" => {
            let raw = parts
                .get(1)
                .ok_or_else(|| notice("EVENT without an event"))?;
            Ok(Request::Publish(read_event(raw)?, raw.get().len()))
        }
        "AUTH" => {
            let raw = parts
                .get(1)
                .ok_or_else(|| notice("AUTH without an event"))?;
            Ok(Request::Auth(read_event(raw)?))
        }
        "REQ" => {
            let name = read_name(&parts)?;
            let filters = read_filters(&parts, &name)?;
            Ok(Request::Subscribe(name, filters))
        }
        "COUNT" => {
            let name = read_name(&parts)?;
            let filters = read_filters(&parts, &name)?;
            Ok(Request::Count(name, filters))
        }
        "CLOSE" => Ok(Request::Close(read_name(&parts)?)),
        "NEG-OPEN" => {
            let name = read_name(&parts)?;
            let misread =
                |text: &str| Misread::Negentropy(name.clone(), format!("invalid: {text}"));
            let filter = parts
                .get(2)
                .and_then(|raw| read_filter(raw).ok())
                .ok_or_else(|| misread("the filter cannot be read"))?;
            let message =
                read_hex(parts.get(3)).ok_or_else(|| misread("the message is not hex"))?;
            Ok(Request::NegOpen(name, Box::new(filter), message))
        }
        "NEG-MSG" => {
            let name = read_name(&parts)?;
            let message = read_hex(parts.get(2)).ok_or_else(|| {
                Misread::Negentropy(name.clone(), "invalid: the message is not hex".to_owned())
            })?;
            Ok(Request::NegMessage(name, message))
        }
        "NEG-CLOSE" => Ok(Request::NegClose(read_name(&parts)?)),
        _ => Err(notice("unknown message")),
    }
}

fn read_event(raw: &RawValue) -> Result<Box<Event>, Misread> {
    if let Ok(event) = Event::from_json(raw.get()) {
        return Ok(Box::new(event));
    }
    let id = serde_json::from_str::<serde_json::Value>(raw.get())
        .ok()
        .and_then(|value| EventId::from_hex(value.get("id")?.as_str()?).ok());
    Err(match id {
        Some(id) => Misread::Event(id, "invalid: this is not an event of NIP-01".to_owned()),
        None => Misread::Notice("invalid: this is not an event of NIP-01".to_owned()),
    })
}

fn read_name(parts: &[&RawValue]) -> Result<Name, Misread> {
    let name: Option<String> = parts
        .get(1)
        .and_then(|raw| serde_json::from_str(raw.get()).ok());
    match name {
        Some(name) if !name.is_empty() && name.chars().count() <= MAX_SUBSCRIPTION_ID_CHARS => {
            Ok(Name(name))
        }
        _ => Err(Misread::Notice(format!(
            "invalid: a subscription id has 1 to {MAX_SUBSCRIPTION_ID_CHARS} characters"
        ))),
    }
}

fn read_filters(parts: &[&RawValue], name: &Name) -> Result<Vec<Filter>, Misread> {
    let misread = |text: String| Misread::Request(name.clone(), text);
    if parts.len() < 3 {
        return Err(misread("invalid: at least one filter is needed".to_owned()));
    }
    parts[2..]
        .iter()
        .map(|raw| read_filter(raw).map_err(|text| misread(format!("invalid: {text}"))))
        .collect()
}

/// Reads a filter; a key that is not understood would widen it silently and so is refused.
fn read_filter(raw: &RawValue) -> Result<Filter, String> {
    let value: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(raw.get()).map_err(|_| "a filter is a JSON object".to_owned())?;
    for key in value.keys() {
        let known = matches!(
            key.as_str(),
            "ids" | "authors" | "kinds" | "since" | "until" | "limit" | "search"
        );
        let tag = key.len() == 2 && key.starts_with('#') && key.as_bytes()[1].is_ascii_alphabetic();
        if !known && !tag {
            return Err("the filter has a key that this relay does not know".to_owned());
        }
    }
    Filter::from_json(raw.get()).map_err(|_| "the filter cannot be read".to_owned())
}

fn read_hex(raw: Option<&&RawValue>) -> Option<Vec<u8>> {
    let text: String = serde_json::from_str(raw?.get()).ok()?;
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|d| u8::try_from(d).ok())
    };
    digits
        .chunks_exact(2)
        .map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?))
        .collect()
}

fn json_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Frames a stored or new event; `event` is JSON.
pub(crate) fn event(name_json: &str, event: &str) -> String {
    format!(r#"["EVENT",{name_json},{event}]"#)
}

/// Frames the end of what was stored.
pub(crate) fn end_of_stored(name: &Name) -> String {
    format!(r#"["EOSE",{}]"#, name.json())
}

/// Frames the fate of an event.
pub(crate) fn ok(id: &EventId, accepted: bool, text: &str) -> String {
    format!(
        r#"["OK","{}",{accepted},{}]"#,
        id.to_hex(),
        json_string(text)
    )
}

/// Frames the end of a subscription or the refusal of a query.
pub(crate) fn closed(name: &Name, text: &str) -> String {
    format!(r#"["CLOSED",{},{}]"#, name.json(), json_string(text))
}

/// Frames a remark for people.
pub(crate) fn notice(text: &str) -> String {
    format!(r#"["NOTICE",{}]"#, json_string(text))
}

/// Frames the challenge of NIP-42.
pub(crate) fn auth(challenge: &str) -> String {
    format!(r#"["AUTH",{}]"#, json_string(challenge))
}

/// Frames the answer to COUNT.
pub(crate) fn count(name: &Name, count: usize) -> String {
    format!(r#"["COUNT",{},{{"count":{count}}}]"#, name.json())
}

/// Frames a negentropy message.
pub(crate) fn neg_message(name: &Name, message: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut hex = String::with_capacity(message.len() * 2);
    for byte in message {
        let _ = write!(hex, "{byte:02x}");
    }
    format!(r#"["NEG-MSG",{},"{hex}"]"#, name.json())
}

/// Frames the end of a negentropy session.
pub(crate) fn neg_error(name: &Name, text: &str) -> String {
    format!(r#"["NEG-ERR",{},{}]"#, name.json(), json_string(text))
}

#[cfg(test)]
mod tests;
