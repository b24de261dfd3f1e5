//! How much one address may ask for, and how much is served at once.
//!
//! Owns the token buckets. Deliberately knows nothing of what is asked. cdk has no limit of its own.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
};

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::config::Limits;

/// What a request counts against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Wallets.
    Wallet,
    /// Health checks and metrics, so that a busy wallet on the same address cannot make the mint look dead.
    Probe,
}

/// The token buckets of all addresses.
#[derive(Debug)]
pub struct Gate {
    buckets: Option<DefaultKeyedRateLimiter<(IpAddr, Lane)>>,
    trusted_proxies: BTreeSet<IpAddr>,
}

impl Gate {
    /// Makes the buckets that `limits` describes.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        let rate = NonZeroU32::new(limits.requests_per_minute);
        let burst = NonZeroU32::new(limits.burst);
        let buckets = rate
            .zip(burst)
            .map(|(rate, burst)| RateLimiter::keyed(Quota::per_minute(rate).allow_burst(burst)));
        Self {
            buckets,
            trusted_proxies: limits.trusted_proxies.clone(),
        }
    }

    /// Takes one token of the client behind `peer`; false where its bucket is empty.
    ///
    /// `forwarded_for` is the request's `X-Forwarded-For`, believed only when a trusted proxy sent it.
    #[must_use]
    pub fn admit(&self, peer: IpAddr, forwarded_for: Option<&str>, lane: Lane) -> bool {
        let Some(buckets) = &self.buckets else {
            return true;
        };
        let client = self.client(peer, forwarded_for);
        buckets.check_key(&(network_of(client), lane)).is_ok()
    }

    fn client(&self, peer: IpAddr, forwarded_for: Option<&str>) -> IpAddr {
        if !self.trusted_proxies.contains(&peer.to_canonical()) {
            return peer.to_canonical();
        }
        // The last entry is the one the trusted proxy wrote itself; all before it are the client's own words.
        forwarded_for
            .and_then(|list| list.rsplit(',').next())
            .and_then(|entry| entry.trim().parse::<IpAddr>().ok())
            .map_or(peer, |address| address.to_canonical())
    }

    /// Forgets addresses whose buckets are full again, so that memory does not grow with every passer-by.
    pub fn forget_idle(&self) {
        if let Some(buckets) = &self.buckets {
            buckets.retain_recent();
            buckets.shrink_to_fit();
        }
    }
}

/// A home or a phone has a whole /64 of IPv6, so that is what a bucket belongs to.
fn network_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests;
