//! Owns under which names of the node there can be passkeys, and what each is to an authenticator.
//!
//! Source: Web Authentication Level 3, "effective domain" and "RP ID": a name, never an address, in a secure context.

use std::net::IpAddr;
use std::time::Duration;

use webauthn_rs::prelude::Url;
use webauthn_rs::prelude::Webauthn;
use webauthn_rs::prelude::WebauthnBuilder;
use webauthn_rs::prelude::WebauthnResult;

/// What an authenticator calls the node.
const SHOWN_AS: &str = "Flash Node";

/// A name by which the node was reached, and whose pages a browser trusts: passkeys of one are none of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// The name without its port, in lower case. It is the RP ID.
    name: String,
    /// The only page that may ask for its passkeys. Shape: `scheme://name[:port]`.
    origin: Url,
}

impl Site {
    /// Reads how a request named the node; nothing where that is an address, or where a browser trusts nothing it shows.
    ///
    /// Shape: `scheme` is `http` or `https`, `host` is what stands in `Host`.
    #[must_use]
    pub fn of(scheme: &str, host: &str) -> Option<Self> {
        let host = host.to_ascii_lowercase();
        let name = match host.rsplit_once(':') {
            Some((name, _)) => name,
            None => host.as_str(),
        };
        if name.starts_with('[') || name.parse::<IpAddr>().is_ok() {
            return None;
        }
        // Without encryption a browser trusts its own machine alone.
        if scheme != "https" && name != "localhost" {
            return None;
        }
        let origin = Url::parse(&format!("{scheme}://{host}")).ok()?;
        // What the browser takes for an address after all, such as 127.1, has no domain.
        (origin.domain() == Some(name)).then(|| Self {
            name: name.to_owned(),
            origin,
        })
    }

    /// Returns the name without its port.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Makes what looks at the ceremonies of this name: its own page alone, with its own port.
    pub(super) fn checker(&self, lives: Duration) -> WebauthnResult<Webauthn> {
        WebauthnBuilder::new(&self.name, &self.origin)?
            .rp_name(SHOWN_AS)
            .allow_subdomains(false)
            .allow_any_port(false)
            .timeout(lives)
            .build()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(scheme: &str, host: &str) -> Option<(String, String)> {
        let site = Site::of(scheme, host)?;
        let origin = site.origin.origin().ascii_serialization();
        Some((site.name, origin))
    }

    #[test]
    fn names_have_passkeys_and_addresses_have_none() {
        let found = |name: &str, origin: &str| Some((name.to_owned(), origin.to_owned()));
        assert_eq!(
            named("http", "localhost:4420"),
            found("localhost", "http://localhost:4420")
        );
        assert_eq!(
            named("https", "Shop.local:4443"),
            found("shop.local", "https://shop.local:4443")
        );
        assert_eq!(
            named("https", "shop.example"),
            found("shop.example", "https://shop.example")
        );
        for (scheme, host) in [
            ("http", "127.0.0.1:4420"),
            ("http", "[::1]:4420"),
            ("http", "shop.local:4420"),
            ("https", "192.168.1.5:4443"),
            ("https", "192.168.1.5"),
            ("https", "[fd00::5]:4443"),
            ("https", "127.1"),
            ("https", ""),
        ] {
            assert_eq!(named(scheme, host), None, "{scheme}://{host}");
        }
    }
}
