//! Who the client is, when there are proxies in between.
//!
//! The rule: a header is a claim. `X-Forwarded-For` is read from its end, and only as far as each hop was written by a proxy that was
//! named; without named proxies it is not read at all. `Forwarded` is not read either: a proxy that writes one of the two lets the
//! other one through as the client sent it.

use axum::http::HeaderMap;
use axum::http::header::HeaderName;
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED: HeaderName = HeaderName::from_static("forwarded");

/// The proxies whose word counts: addresses and networks. None by default.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(Arc<[IpNet]>);

impl FromStr for TrustedProxies {
    type Err = String;

    /// Addresses and networks with commas: `10.0.0.7, 10.1.0.0/16, fd00::/8`.
    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let network = |part: &str| {
            let read = part.parse::<IpNet>().ok().or_else(|| part.parse::<IpAddr>().ok().map(IpNet::from));
            let read = read.ok_or_else(|| format!("TRUSTED_PROXIES: “{part}” is no address and no network such as 10.0.0.0/8"))?;
            if read.prefix_len() == 0 {
                return Err(format!("TRUSTED_PROXIES: {part} is everybody, so that anybody could claim any address"));
            }
            Ok(read.trunc())
        };
        parts.map(network).collect::<Result<Vec<_>, _>>().map(|all| Self(all.into()))
    }
}

impl TrustedProxies {
    /// Nobody's word counts.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }

    /// The client's address: the peer's, or, if that is a trusted proxy, the last hop that no trusted proxy has. Behind something
    /// unreadable nothing can be known: then it is the hop that passed it on.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        let lines: Vec<&str> = headers.get_all(FORWARDED_FOR).iter().map(|line| line.to_str().unwrap_or("?")).collect();
        let mut hops = lines.iter().rev().flat_map(|line| line.rsplit(','));
        while self.trusts(client)
            && let Some(hop) = hops.next().and_then(address)
        {
            client = hop;
        }
        client
    }

    /// Whether the request comes from this machine itself, and not through a proxy on it.
    pub fn is_this_machine(&self, peer: IpAddr, headers: &HeaderMap) -> bool {
        peer.to_canonical().is_loopback() && !headers.contains_key(FORWARDED_FOR) && !headers.contains_key(FORWARDED)
    }
}

/// A hop as proxies write it: an address, perhaps with a port.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let read = bare.parse::<IpAddr>().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()));
    read.map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn client(proxies: &str, peer: &str, lines: &[&str]) -> String {
        let proxies: TrustedProxies = proxies.parse().expect("networks");
        let lines = lines.iter().map(|line| (FORWARDED_FOR, HeaderValue::from_bytes(line.as_bytes()).expect("a value")));
        proxies.client(peer.parse().expect("an address"), &lines.collect()).to_string()
    }

    #[test]
    fn what_a_client_says_of_itself_is_not_believed() {
        assert_eq!(client("", "203.0.113.9", &["198.51.100.1"]), "203.0.113.9", "no proxy is trusted");
        assert_eq!(client("10.0.0.0/8", "203.0.113.9", &["198.51.100.1"]), "203.0.113.9", "the peer is no proxy");
        assert_eq!(client("10.0.0.0/8", "10.0.0.7", &["198.51.100.1, 203.0.113.9"]), "203.0.113.9", "what the proxy saw");
        assert_eq!(client("10.0.0.0/8", "10.0.0.7", &["10.0.0.1, 203.0.113.9"]), "203.0.113.9", "a trusted address is claimed in vain");
    }

    #[test]
    fn a_chain_of_trusted_proxies_leads_to_the_client() {
        assert_eq!(client("10.0.0.0/8,192.0.2.4", "10.0.0.7", &["1.2.3.4, 203.0.113.9, 192.0.2.4, 10.9.9.9"]), "203.0.113.9");
        assert_eq!(client("10.0.0.0/8", "10.0.0.7", &["1.2.3.4", "203.0.113.9", "10.0.0.8"]), "203.0.113.9", "lines are one list");
        assert_eq!(client("10.0.0.0/8", "10.0.0.7", &["10.0.0.8"]), "10.0.0.8", "all of them are trusted");
        assert_eq!(client("10.0.0.0/8", "10.0.0.7", &[]), "10.0.0.7", "the proxy asks for itself");
        assert_eq!(client("fd00::/8", "fd00::1", &["2001:db8::5"]), "2001:db8::5");
        assert_eq!(client("10.0.0.0/8", "::ffff:10.0.0.7", &["::ffff:203.0.113.9"]), "203.0.113.9", "one address, one spelling");
        assert_eq!(client("10.0.0.0/8", "10.0.0.7", &["203.0.113.9:4711"]), "203.0.113.9");
        assert_eq!(client("10.0.0.0/8", "10.0.0.7", &["[2001:db8::5]:4711"]), "2001:db8::5");
        assert_eq!(client("10.0.0.0/8", "10.0.0.7", &["[2001:db8::5]"]), "2001:db8::5");
    }

    #[test]
    fn behind_rubbish_nothing_is_believed() {
        for rubbish in ["", ",", "unknown", "1.2.3.4.5", "203.0.113.9 ", "<script>", "203.0.113.9;x", "\u{e4}", &"1,".repeat(5_000)] {
            let found = client("10.0.0.0/8", "10.0.0.7", &["198.51.100.1", rubbish, "10.0.0.8"]);
            let wanted = if rubbish == "203.0.113.9 " { "203.0.113.9" } else { "10.0.0.8" };
            assert_eq!(found, wanted, "{rubbish:?}");
        }
    }

    #[test]
    fn a_network_that_is_none_or_everybody_is_refused() {
        for wrong in ["proxy.example.com", "10.0.0.0/33", "0.0.0.0/0", "::/0", "10.0.0.7:80"] {
            assert!(wrong.parse::<TrustedProxies>().is_err(), "{wrong}");
        }
        assert!("".parse::<TrustedProxies>().is_ok_and(|none| none.is_empty()));
    }

    #[test]
    fn a_proxy_on_this_machine_is_not_this_machine() {
        let machine = |peer: &str, header: Option<HeaderName>| {
            let headers = header.map(|name| (name, HeaderValue::from_static("127.0.0.1"))).into_iter().collect();
            TrustedProxies::default().is_this_machine(peer.parse().expect("an address"), &headers)
        };
        assert!(machine("127.0.0.1", None) && machine("::1", None) && machine("::ffff:127.0.0.1", None));
        assert!(!machine("203.0.113.9", None) && !machine("127.0.0.1", Some(FORWARDED_FOR)) && !machine("127.0.0.1", Some(FORWARDED)));
    }
}
