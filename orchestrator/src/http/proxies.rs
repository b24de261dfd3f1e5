//! Owns which reverse proxies are trusted, how a request came in, and what the node's own try through them showed.
//!
//! `X-Forwarded-For`, `-Proto` and `-Host` are what proxies in the field send; of RFC 7239's `Forwarded` only its presence
//! counts. Who is not trusted gains nothing by any of them. It does not know who opens a listener (`server`).

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use axum::http::HeaderMap;
use axum::http::HeaderName;
use axum::http::header;
use tokio::time::Instant;

use super::guard::Names;
use crate::manifest::choices::TrustedNet;

const FOR: &str = "x-forwarded-for";
const PROTO: &str = "x-forwarded-proto";
const HOST: &str = "x-forwarded-host";
const FORWARDED: &str = "forwarded";
/// Lets a proxy pass on at once what is sent: one that gathers an answer first would keep what happens to itself.
/// Source: nginx, `proxy_buffering`.
pub(super) const UNGATHERED: (HeaderName, &str) =
    (HeaderName::from_static("x-accel-buffering"), "no");
/// By which a try of the node's own is recognised.
pub const PROBE: &str = "flash-node-probe";

/// How a request came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Way {
    /// Whether only this machine's own users can have sent it.
    pub(super) near: bool,
    /// Whether it came from this machine or its own network, and by no name or onion address.
    pub(super) within: bool,
    /// Whether it came encrypted as far as to the visitor.
    pub(super) secure: bool,
    /// The visitor, where a trusted proxy names one.
    pub(super) from: Option<IpAddr>,
}

/// Under which name the node is found beyond its network, and who passes its visitors on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Public {
    /// The name, in lower case.
    pub name: String,
    /// The proxies; nobody where visitors come to the node itself.
    pub trusted: Vec<TrustedNet>,
}

/// What a try through the proxy showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// It came in as it should.
    Well,
    /// It came from somebody who is not trusted.
    NotTrusted(IpAddr),
    /// The proxy does not say who its visitor is.
    Unmarked,
    /// The proxy does not say that its visitor came encrypted.
    NotEncrypted,
    /// The proxy passes another name on.
    OtherName,
}

/// The trusted proxies of a node, on all its listeners.
#[derive(Default)]
pub struct Proxies(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    public: Option<(Public, Arc<Names>)>,
    /// What the try that is under way is recognised by, and what it showed.
    probe: Option<(String, Option<Shown>)>,
    /// When somebody came through last.
    came: Option<Instant>,
}

/// What is to be made of a request.
pub(super) enum Passage {
    /// It came to the listener itself.
    Itself {
        /// Whether it says that it was passed on.
        forwarded: bool,
    },
    /// A trusted proxy passed it on.
    Through {
        /// The visitor.
        from: IpAddr,
        /// Under which names it may ask.
        names: Arc<Names>,
        /// Under which name it asks, where the proxy says so itself.
        host: Option<axum::http::HeaderValue>,
    },
    /// A trusted proxy passed it on, and the visitor did not come encrypted.
    NotEncrypted {
        /// To whom it should come.
        name: String,
    },
}

impl Proxies {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Trusts these from now on; nothing is known of others any more.
    pub fn trust(&self, public: Option<Public>) {
        let mut inner = self.inner();
        if inner.public.as_ref().map(|(public, _)| public) != public.as_ref() {
            *inner = Inner::default();
            inner.public = public.map(|public| {
                let names = Arc::new(Names::https([public.name.clone()], 443));
                (public, names)
            });
        }
    }

    /// Begins a try, which is recognised by `probe`.
    pub fn probe(&self, probe: String) {
        self.inner().probe = Some((probe, None));
    }

    /// Returns what the last try showed; nothing where it did not arrive here.
    pub fn shown(&self) -> Option<Shown> {
        self.inner().probe.as_ref()?.1.clone()
    }

    /// Returns when somebody else came through a trusted proxy last.
    pub fn came(&self) -> Option<Instant> {
        self.inner().came
    }

    /// Looks at a request that came to a listener of the name's own; whoever sent it says nothing of others.
    pub(super) fn came_itself(&self, headers: &HeaderMap) {
        let mut inner = self.inner();
        let sent = headers.get(PROBE);
        let probe = inner.probe.as_mut();
        match probe.filter(|(probe, _)| sent.is_some_and(|sent| sent == probe.as_str())) {
            Some((_, last)) => *last = Some(Shown::Well),
            None => inner.came = Some(Instant::now()),
        }
    }

    /// Looks at who passed a request on.
    pub(super) fn passage(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Passage {
        let marked = [FOR, PROTO, HOST, FORWARDED];
        let forwarded = marked.iter().any(|name| headers.contains_key(*name));
        let mut inner = self.inner();
        let Some((public, names)) = inner.public.clone() else {
            return Passage::Itself { forwarded };
        };
        let sent = headers.get(PROBE);
        let probe = inner.probe.as_ref();
        let own = probe.is_some_and(|(probe, _)| sent.is_some_and(|sent| sent == probe.as_str()));
        let trusted = peer.filter(|peer| trusts(&public.trusted, *peer));
        let (passage, shown) = match (trusted, headers.contains_key(FOR)) {
            (None, _) => {
                let shown = match peer {
                    Some(peer) if forwarded => Shown::NotTrusted(plain(peer)),
                    _ => Shown::Unmarked,
                };
                (Passage::Itself { forwarded }, shown)
            }
            (Some(_), false) => (Passage::Itself { forwarded }, Shown::Unmarked),
            (Some(_), true) if !encrypted(headers) => {
                let passage = Passage::NotEncrypted { name: public.name };
                (passage, Shown::NotEncrypted)
            }
            (Some(peer), true) => {
                let host = only(headers, HOST).cloned();
                let asked = host.as_ref().or_else(|| headers.get(header::HOST));
                let holds = asked.is_some_and(|host| host.to_str().is_ok_and(|h| names.holds(h)));
                let shown = if holds { Shown::Well } else { Shown::OtherName };
                if holds && !own {
                    inner.came = Some(Instant::now());
                }
                let from = visitor(peer, headers, &public.trusted);
                (Passage::Through { from, names, host }, shown)
            }
        };
        if let Some((_, last)) = inner.probe.as_mut().filter(|_| own) {
            *last = Some(shown);
        }
        passage
    }
}

/// Whether the proxy says that its visitor came by HTTPS. The nearest proxy has the last word.
fn encrypted(headers: &HeaderMap) -> bool {
    let last = headers.get_all(PROTO).iter().next_back();
    let word = last.and_then(|line| line.to_str().ok()?.rsplit(',').next());
    word.is_some_and(|word| word.trim().eq_ignore_ascii_case("https"))
}

/// Finds the visitor: of those that the list names, the last one that is no trusted proxy. What cannot be read was not
/// written by a proxy that is trusted.
fn visitor(peer: IpAddr, headers: &HeaderMap, trusted: &[TrustedNet]) -> IpAddr {
    let lines: Vec<&str> = headers
        .get_all(FOR)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .collect();
    let list = lines.join(",");
    let mut nearest = plain(peer);
    for word in list.rsplit(',').map(str::trim) {
        if !trusts(trusted, nearest) {
            break;
        }
        let Some(next) = address(word) else { break };
        nearest = next;
    }
    nearest
}

fn trusts(trusted: &[TrustedNet], address: IpAddr) -> bool {
    trusted.iter().any(|net| net.contains(address))
}

/// Reads an address, with its port or without.
fn address(word: &str) -> Option<IpAddr> {
    let bare = word
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
        .map_or(word, |(bare, _)| bare);
    let read = bare.parse().ok();
    let read = read.or_else(|| bare.split_once(':')?.0.parse().ok());
    read.map(plain)
}

/// An IPv4 address is one, however it is written.
fn plain(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// The one value of a header that may stand once.
fn only<'a>(headers: &'a HeaderMap, name: &'static str) -> Option<&'a axum::http::HeaderValue> {
    let mut all = headers.get_all(HeaderName::from_static(name)).iter();
    let first = all.next()?;
    all.next().is_none().then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(*name, value.parse().unwrap());
        }
        map
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_visitor_is_the_last_one_that_is_no_trusted_proxy() {
        let trusted = ["10.0.0.0/30", "fd00::1"];
        let trusted = trusted.map(|net| TrustedNet::try_from(net.to_owned()).unwrap());
        for (list, found) in [
            ("203.0.113.9", "203.0.113.9"),
            // What a visitor wrote itself stands before what the proxy adds.
            ("1.1.1.1, 203.0.113.9", "203.0.113.9"),
            ("1.1.1.1,203.0.113.9,10.0.0.2", "203.0.113.9"),
            ("203.0.113.9:51234, fd00::1", "203.0.113.9"),
            ("[2001:db8::7]:443", "2001:db8::7"),
            ("2001:db8::7", "2001:db8::7"),
            ("::ffff:203.0.113.9", "203.0.113.9"),
            ("unknown", "10.0.0.1"),
            ("203.0.113.9, nonsense", "10.0.0.1"),
            ("", "10.0.0.1"),
            ("10.0.0.2, 10.0.0.1", "10.0.0.2"),
        ] {
            let given = headers(&[(FOR, list)]);
            assert_eq!(
                visitor(ip("10.0.0.1"), &given, &trusted),
                ip(found),
                "{list}"
            );
        }
        // A second line is the list's end.
        let given = headers(&[(FOR, "1.1.1.1"), (FOR, "203.0.113.9")]);
        assert_eq!(visitor(ip("10.0.0.1"), &given, &trusted), ip("203.0.113.9"));
    }

    #[test]
    fn the_nearest_proxy_says_whether_its_visitor_came_encrypted() {
        for (lines, is) in [
            (vec!["https"], true),
            (vec!["HTTPS"], true),
            (vec!["http, https"], true),
            (vec!["https, http"], false),
            (vec!["http", "https"], true),
            (vec!["http"], false),
            (vec![""], false),
            (vec![], false),
        ] {
            let pairs: Vec<_> = lines.iter().map(|line| (PROTO, *line)).collect();
            assert_eq!(encrypted(&headers(&pairs)), is, "{lines:?}");
        }
    }
}
