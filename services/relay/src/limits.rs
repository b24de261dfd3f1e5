//! Owns every bound on what one client may ask for: the numbers, their ranges, and the counters over time.
//!
//! Deliberately does not know how a refusal is worded or sent.

use std::collections::BTreeSet;
use std::hash::Hash;
use std::net::IpAddr;
use std::net::Ipv6Addr;
use std::num::NonZeroU32;

use governor::DefaultKeyedRateLimiter;
use governor::Quota;
use governor::RateLimiter;
use nostr::key::PublicKey;
use serde::Deserialize;
use tokio::time::Instant;

use crate::allowance::Allowances;
use crate::config::ConfigError;

macro_rules! limits {
    ($($(#[doc = $doc:literal])+ $name:ident: $type:ty = $default:literal, $min:literal..=$max:literal;)+) => {
        /// The bounds on what one client may ask for.
        ///
        /// Shape: the table `[limits]` of the configuration; every key is optional.
        #[derive(Debug, Clone, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct Limits {
            $($(#[doc = $doc])+ pub $name: $type,)+
        }

        impl Default for Limits {
            fn default() -> Self {
                Self { $($name: $default,)+ }
            }
        }

        impl Limits {
            /// Checks that every bound is within what the relay can keep.
            ///
            /// Errors: the first bound that is not.
            pub fn validate(&self) -> Result<(), ConfigError> {
                $(if !($min..=$max).contains(&self.$name) {
                    return Err(ConfigError::Range {
                        key: concat!("limits.", stringify!($name)),
                        reason: format!("{} is not between {} and {}", self.$name, $min, $max),
                    });
                })+
                Ok(())
            }
        }
    };
}

limits! {
    /// Open WebSocket connections in all.
    max_connections: usize = 2000, 1..=100_000;
    /// Open WebSocket connections from one address (one /64 network under IPv6).
    connections_per_address: usize = 64, 1..=100_000;
    /// Open subscriptions of one connection.
    subscriptions_per_connection: usize = 32, 1..=10_000;
    /// Filters in one REQ or COUNT.
    filters_per_request: usize = 10, 1..=1000;
    /// Ids, authors, kinds and tag values in one filter, added up.
    filter_values: usize = 1000, 1..=100_000;
    /// Authors × kinds × tag values of one filter: the number of index look-ups it costs.
    filter_combinations: usize = 20_000, 1..=10_000_000;
    /// Bytes of one tag value in a filter.
    filter_value_bytes: usize = 1024, 64..=1_048_576;
    /// Bytes that the filters of all open subscriptions of one connection take, roughly.
    subscription_bytes_per_connection: usize = 1_048_576, 1024..=1_073_741_824;
    /// The largest and the default `limit` of a filter.
    max_limit: usize = 500, 1..=100_000;
    /// Events looked at to answer one filter of a REQ; what the reader may not see never counts.
    scan_events: usize = 200_000, 1..=100_000_000;
    /// Events looked at to answer one COUNT; what the reader may not see never counts.
    count_events: usize = 100_000, 1..=100_000_000;
    /// Events looked at to open one negentropy session; what the reader may not see never counts.
    negentropy_events: usize = 100_000, 1..=10_000_000;
    /// Open negentropy sessions of one connection.
    negentropy_sessions_per_connection: usize = 2, 1..=100;
    /// Seconds after which a negentropy session that nobody goes on with ends.
    negentropy_idle_secs: u64 = 120, 1..=86_400;
    /// Bytes of one event as JSON.
    max_event_bytes: usize = 131_072, 512..=16_777_216;
    /// Bytes of one message of a client.
    max_message_bytes: usize = 524_288, 1024..=67_108_864;
    /// Recipients of one private message.
    recipients_per_private_event: usize = 16, 1..=1000;
    /// Tags of one event.
    max_event_tags: usize = 2500, 1..=100_000;
    /// Seconds by which an event may be dated ahead of the relay's clock.
    created_at_future_secs: u64 = 900, 0..=31_536_000;
    /// Messages of any kind per minute from one address.
    messages_per_minute_per_address: u32 = 6000, 1..=1_000_000_000;
    /// Events per minute from one address.
    events_per_minute_per_address: u32 = 1200, 1..=1_000_000_000;
    /// Stored events per minute signed by one key; what was stored before does not count. Ephemeral events are
    /// counted for the key and the sender's address together.
    events_per_minute_per_key: u32 = 600, 1..=1_000_000_000;
    /// Private messages per minute from one address to one recipient, since each wrap is signed by a key of its own.
    private_events_per_minute_per_recipient: u32 = 600, 1..=1_000_000_000;
    /// REQ, COUNT and NEG-OPEN per minute from one address.
    requests_per_minute_per_address: u32 = 2400, 1..=1_000_000_000;
    /// REQ, COUNT and NEG-OPEN per minute by one authenticated key; each key of a connection counts.
    requests_per_minute_per_key: u32 = 2400, 1..=1_000_000_000;
    /// AUTH per minute from one address.
    auths_per_minute_per_address: u32 = 60, 1..=1_000_000_000;
    /// Keys that one connection may authenticate as.
    keys_per_connection: usize = 16, 1..=1000;
    /// Events of one connection that wait for the disk before its next message is read.
    unsaved_events_per_connection: usize = 256, 1..=100_000;
    /// Bytes that wait for a reader before it is given up: for answers, for the live feed, and for what is new
    /// while a subscription still reads what is stored, each.
    outgoing_bytes: usize = 4_194_304, 65_536..=1_073_741_824;
    /// Seconds a reader may take to accept bytes before it is given up.
    slow_reader_secs: u64 = 30, 1..=3600;
    /// Seconds between pings; a connection that stays silent for three is closed.
    ping_secs: u64 = 60, 1..=3600;
    /// Seconds a stop may take before open connections are cut.
    drain_secs: u64 = 10, 1..=600;
    /// Seconds between two removals of expired events.
    purge_secs: u64 = 60, 1..=86_400;
}

/// Counts what addresses and keys do per minute.
#[derive(Debug)]
pub(crate) struct Rates {
    messages: Rate<IpAddr>,
    events: Rate<IpAddr>,
    events_by_key: Allowances<PublicKey>,
    passing_by_key: Rate<(PublicKey, IpAddr)>,
    events_to: Allowances<(PublicKey, IpAddr)>,
    requests: Rate<IpAddr>,
    requests_by_key: Rate<PublicKey>,
    auths: Rate<IpAddr>,
}

impl Rates {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            messages: Rate::new(limits.messages_per_minute_per_address),
            events: Rate::new(limits.events_per_minute_per_address),
            events_by_key: Allowances::new(limits.events_per_minute_per_key),
            passing_by_key: Rate::new(limits.events_per_minute_per_key),
            events_to: Allowances::new(limits.private_events_per_minute_per_recipient),
            requests: Rate::new(limits.requests_per_minute_per_address),
            requests_by_key: Rate::new(limits.requests_per_minute_per_key),
            auths: Rate::new(limits.auths_per_minute_per_address),
        }
    }

    /// Counts one message of any kind; false when the address has sent too many.
    pub(crate) fn message(&self, address: IpAddr) -> bool {
        self.messages.allows(&bucket(address))
    }

    /// Counts one event before its signature is checked; false when the address has sent too many.
    pub(crate) fn event(&self, address: IpAddr) -> bool {
        self.events.allows(&bucket(address))
    }

    /// Counts one event that is about to be stored; false when its author has had too many stored.
    pub(crate) fn event_by(&self, author: &PublicKey) -> bool {
        self.events_by_key
            .take(std::slice::from_ref(author), Instant::now())
    }

    /// Takes the count of an event back, which was not stored after all.
    pub(crate) fn event_not_stored(&self, author: &PublicKey) {
        self.events_by_key.give_back(author, Instant::now());
    }

    /// Counts one ephemeral event; false when too many by its author have come from this address.
    pub(crate) fn passing_event(&self, author: PublicKey, address: IpAddr) -> bool {
        self.passing_by_key.allows(&(author, bucket(address)))
    }

    /// Counts one private message; false when this address has sent too many to one of its recipients.
    pub(crate) fn event_to(&self, recipients: &BTreeSet<PublicKey>, address: IpAddr) -> bool {
        let address = bucket(address);
        let keys: Vec<_> = recipients.iter().map(|key| (*key, address)).collect();
        self.events_to.take(&keys, Instant::now())
    }

    /// Counts one query; false when the address or one of the authenticated keys has sent too many.
    pub(crate) fn request<'k>(
        &self,
        address: IpAddr,
        keys: impl Iterator<Item = &'k PublicKey>,
    ) -> bool {
        if !self.requests.allows(&bucket(address)) {
            return false;
        }
        // Every key is counted, also those behind one that is exhausted.
        let exhausted = keys.filter(|key| !self.requests_by_key.allows(key)).count();
        exhausted == 0
    }

    /// Counts one attempt to authenticate; false when the address has made too many.
    pub(crate) fn auth(&self, address: IpAddr) -> bool {
        self.auths.allows(&bucket(address))
    }

    /// Forgets addresses and keys whose counters are full again.
    pub(crate) fn forget_idle(&self) {
        self.messages.forget_idle();
        self.events.forget_idle();
        self.events_by_key.forget_idle(Instant::now());
        self.passing_by_key.forget_idle();
        self.events_to.forget_idle(Instant::now());
        self.requests.forget_idle();
        self.requests_by_key.forget_idle();
        self.auths.forget_idle();
    }
}

/// One counter per key: a minute's allowance at once, refilled evenly.
#[derive(Debug)]
struct Rate<K: Hash + Eq + Clone>(DefaultKeyedRateLimiter<K>);

impl<K: Hash + Eq + Clone> Rate<K> {
    fn new(per_minute: u32) -> Self {
        let per_minute = NonZeroU32::new(per_minute).unwrap_or(NonZeroU32::MIN);
        Self(RateLimiter::keyed(Quota::per_minute(per_minute)))
    }

    fn allows(&self, key: &K) -> bool {
        self.0.check_key(key).is_ok()
    }

    fn forget_idle(&self) {
        self.0.retain_recent();
        self.0.shrink_to_fit();
    }
}

/// Returns the address under which a peer is counted: an IPv6 customer owns a whole /64.
pub(crate) fn bucket(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => IpAddr::V4(v4),
            None => {
                let s = v6.segments();
                IpAddr::V6(Ipv6Addr::new(s[0], s[1], s[2], s[3], 0, 0, 0, 0))
            }
        },
    }
}

#[cfg(test)]
mod tests;
