//! Owns from where somebody asks: an address, a browser, and what of both counts as one place.

use std::net::IpAddr;

/// Where a request came from.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// The address.
    pub address: String,
    /// What the browser says it is.
    pub agent: String,
    /// The mark of a browser that somebody signed in with before.
    pub mark: Option<String>,
}

impl Origin {
    /// Returns in what lane of attempts it is: a site has 2^64 addresses of IPv6 to itself. Source: RFC 6177.
    #[must_use]
    pub fn place(&self) -> String {
        match self.address.parse() {
            Ok(IpAddr::V6(address)) if address.to_ipv4_mapped().is_none() => {
                let [a, b, c, d, ..] = address.segments();
                format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
            }
            _ => self.address.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_a_site_is_one_place_and_nothing_else_is() {
        let place = |address: &str| {
            let origin = Origin {
                address: address.to_owned(),
                ..Origin::default()
            };
            origin.place()
        };
        assert_eq!(place("2001:db8:1:2:3::4"), place("2001:db8:1:2:ffff::1"));
        assert_ne!(place("2001:db8:1:2::4"), place("2001:db8:1:3::4"));
        for alone in ["192.168.1.7", "::ffff:192.168.1.7", "Tor"] {
            assert_eq!(place(alone), alone);
        }
    }
}
