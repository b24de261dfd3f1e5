//! Owns the shape of `[access]` in `node.toml`: who reaches the node's own pages and API, beside this machine.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU16;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;

/// A port that needs no right of its own.
const LAN_PORT: u16 = 4443;
/// The port that visitors of a name come to.
const HTTPS_PORT: u16 = 443;
/// Who issues certificates where nothing is said. Source: letsencrypt.org, its documentation on ACME's directory.
const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// Who reaches the node's own pages and API, beside this machine.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccessChoice {
    /// Whether your own network does, by HTTPS with a certificate authority of the node's own.
    #[serde(default)]
    pub lan: bool,
    /// On which port; 4443 where nothing is said.
    pub lan_port: Option<NonZeroU16>,
    /// Whether the Tor network does, at an onion address of the node's own, through the node's service Tor.
    #[serde(default)]
    pub onion: bool,
    /// By which name the world reaches it.
    pub public: Option<PublicChoice>,
}

impl AccessChoice {
    /// Returns the port for the network.
    #[must_use]
    pub fn lan_port(&self) -> u16 {
        self.lan_port.map_or(LAN_PORT, NonZeroU16::get)
    }
}

/// A name in the internet: either a reverse proxy passes its visitors on, or the node has a certificate for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PublicChoice {
    /// The name, such as `shop.example`, by HTTPS on port 443.
    pub name: HostName,
    /// The proxies whose `X-Forwarded-For`, `-Proto` and `-Host` are believed; nobody else's are. Addresses, or networks
    /// such as `10.9.0.0/24`.
    #[serde(default)]
    pub trusted_proxies: Vec<TrustedNet>,
    /// A certificate of the node's own for the name, from an authority that browsers trust.
    pub acme: Option<AcmeChoice>,
}

impl PublicChoice {
    /// Says why the choice cannot be carried out, and what to write instead.
    #[must_use]
    pub fn mistake(&self) -> Option<(&'static str, &'static str)> {
        match (&self.acme, self.trusted_proxies.is_empty()) {
            (None, true) => Some((
                "a name needs a reverse proxy that is trusted, or a certificate of the node's own",
                "write `trusted_proxies`, or `acme = {}` for a certificate",
            )),
            (Some(_), false) => Some((
                "a name has either a reverse proxy or a certificate of the node's own",
                "leave out `trusted_proxies` or `acme`",
            )),
            _ => None,
        }
    }
}

/// From whom the node has the certificate of its name, by ACME; whoever writes this agrees to the authority's terms.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AcmeChoice {
    /// The authority's directory; Let's Encrypt's where nothing is said.
    pub directory: Option<HttpsUrl>,
    /// An address for mail of the authority's, such as `you@shop.example`; none where nothing is said.
    pub contact: Option<String>,
    /// The port of this machine to which the router passes port 443 of the name; 443 where nothing is said.
    pub port: Option<NonZeroU16>,
}

impl AcmeChoice {
    /// Returns the address of the authority's directory.
    #[must_use]
    pub fn directory(&self) -> &str {
        self.directory.as_ref().map_or(LETS_ENCRYPT, |url| &url.0)
    }

    /// Returns the port of this machine.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.map_or(HTTPS_PORT, NonZeroU16::get)
    }
}

/// The address of something that is asked by HTTPS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(into = "String", try_from = "String")]
#[schemars(with = "String")]
pub struct HttpsUrl(String);

impl From<HttpsUrl> for String {
    fn from(url: HttpsUrl) -> Self {
        url.0
    }
}

impl TryFrom<String> for HttpsUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let host = text.strip_prefix("https://");
        let host = host.and_then(|rest| rest.split(['/', '?', '#']).next());
        let fits = |host: &str| !host.is_empty() && !host.starts_with(':') && !host.contains('@');
        if host.is_some_and(fits) && text.chars().all(|c| c.is_ascii_graphic()) {
            Ok(Self(text))
        } else {
            Err(format!(
                "`{text}` is no address by HTTPS; write it like https://acme.example/directory"
            ))
        }
    }
}

/// An address, or a network, that is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(into = "String", try_from = "String")]
#[schemars(with = "String")]
pub struct TrustedNet(IpNet);

impl TrustedNet {
    /// Whether `address` lies in it.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl From<IpAddr> for TrustedNet {
    fn from(address: IpAddr) -> Self {
        Self(address.to_canonical().into())
    }
}

impl fmt::Display for TrustedNet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.prefix_len() == self.0.max_prefix_len() {
            write!(f, "{}", self.0.addr())
        } else {
            write!(f, "{}", self.0)
        }
    }
}

impl From<TrustedNet> for String {
    fn from(net: TrustedNet) -> Self {
        net.to_string()
    }
}

impl TryFrom<String> for TrustedNet {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::from(address));
        }
        let Ok(net) = text.parse::<IpNet>() else {
            return Err(format!(
                "`{text}` is no address and no network; write it like 127.0.0.1 or 10.9.0.0/24"
            ));
        };
        if net.trunc() != net {
            return Err(format!(
                "`{text}` begins inside a network; its first address is {}",
                net.network()
            ));
        }
        if net.prefix_len() == 0 {
            return Err(format!(
                "`{text}` is everybody; name the proxy's own address or network"
            ));
        }
        Ok(Self(net))
    }
}

/// A name in the DNS, in lower case. Source: RFC 1123, 2.1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(into = "String", try_from = "String")]
#[schemars(with = "String")]
pub struct HostName(String);

impl HostName {
    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<HostName> for String {
    fn from(name: HostName) -> Self {
        name.0
    }
}

impl TryFrom<String> for HostName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let fits = |label: &str| {
            (1..=63).contains(&label.len())
                && label.chars().all(letters)
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        let lower = text.to_ascii_lowercase();
        let labels = lower.split('.').count();
        // The last label of a name is no number: that would be an address.
        let last = lower.rsplit('.').next().unwrap_or_default();
        if lower.len() <= 253
            && labels >= 2
            && lower.split('.').all(fits)
            && !last.chars().all(|c| c.is_ascii_digit())
        {
            Ok(Self(lower))
        } else {
            Err(format!(
                "`{text}` is no name in the internet; write it like shop.example, without https:// or a port"
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_trusted_by_its_address_or_its_network() {
        let net = |text: &str| TrustedNet::try_from(text.to_owned());
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        for (text, inside, outside) in [
            ("127.0.0.1", "127.0.0.1", "127.0.0.2"),
            ("::ffff:10.0.0.7", "10.0.0.7", "10.0.0.8"),
            ("10.9.0.0/24", "::ffff:10.9.0.200", "10.9.1.1"),
            ("fd00:1::/32", "fd00:1::9", "fd00:2::9"),
        ] {
            let net = net(text).unwrap();
            assert!(net.contains(ip(inside)), "{text}");
            assert!(!net.contains(ip(outside)), "{text}");
        }
        assert_eq!(net("10.9.0.0/24").unwrap().to_string(), "10.9.0.0/24");
        assert_eq!(net("10.9.0.1/32").unwrap().to_string(), "10.9.0.1");
        for (text, why) in [
            ("10.9.0.1/24", "its first address is 10.9.0.0"),
            ("0.0.0.0/0", "everybody"),
            ("::/0", "everybody"),
            ("proxy.example", "no address and no network"),
            ("10.9.0.0/33", "no address and no network"),
        ] {
            assert!(net(text).unwrap_err().contains(why), "{text}");
        }
    }

    #[test]
    fn an_authority_is_asked_by_https_alone() {
        let url = |text: &str| HttpsUrl::try_from(text.to_owned());
        for good in [
            LETS_ENCRYPT,
            "https://ca.lan:14000/dir",
            "https://[fd00::1]/dir",
        ] {
            assert_eq!(String::from(url(good).unwrap()), good);
        }
        for bad in [
            "http://ca.example/dir",
            "ca.example",
            "https://",
            "https://me:secret@ca.example/dir",
            "",
        ] {
            assert!(url(bad).unwrap_err().contains("by HTTPS"), "{bad}");
        }
    }
}
