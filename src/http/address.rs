//! From which address a request comes. The connection tells, and a client cannot lie about it; what a header tells is
//! believed only as far as proxies of our own wrote it.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;
use ipnet::IpNet;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// The other end of the connection, among the extensions of a request that came over one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

/// The client's address. Each proxy adds, on the right, whom it was called by: so from the right, the first
/// that is not a proxy of ours is the client. What stands left of it the client may have made up.
pub(super) fn client(peer: Option<Peer>, headers: &HeaderMap, trusted: &[IpNet]) -> Option<IpAddr> {
    let mut client = peer?.0.to_canonical();
    let is_ours = |address: IpAddr| trusted.iter().any(|network| network.contains(&address));
    let mut lines = headers.get_all(FORWARDED_FOR).iter().collect::<Vec<_>>();
    lines.reverse();
    let hops = lines
        .into_iter()
        .flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
    for hop in hops {
        if !is_ours(client) {
            break;
        }
        // Who called it our proxy does not say: then all that is known is the proxy.
        let Some(address) = address(hop) else { break };
        client = address;
    }
    Some(client)
}

/// `192.0.2.1`, `2001:db8::1`, and both with a port as some proxies write them.
fn address(hop: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(hop).ok()?.trim();
    let with_port = || text.parse::<SocketAddr>().map(|address| address.ip());
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
        .unwrap_or(text);
    let address = bare.parse::<IpAddr>().or_else(|_| with_port()).ok()?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(peer: &str, lines: &[&str]) -> String {
        let trusted = ["10.0.0.0/8", "2001:db8:1::/48", "192.0.2.1/32"].map(|text| text.parse().unwrap());
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, line.parse().unwrap());
        }
        let peer = Some(Peer(peer.parse().unwrap()));
        client(peer, &headers, &trusted).unwrap().to_string()
    }

    #[test]
    fn nobody_is_believed_who_is_no_proxy_of_ours() {
        assert_eq!(from("203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
        assert_eq!(from("203.0.113.9", &["198.51.100.1, 10.0.0.1"]), "203.0.113.9");
        assert_eq!(from("2001:db8:2::1", &["198.51.100.1"]), "2001:db8:2::1");
        let headers = HeaderMap::from_iter([(
            axum::http::HeaderName::from_static(FORWARDED_FOR),
            "198.51.100.1".parse().unwrap(),
        )]);
        assert_eq!(client(None, &headers, &["0.0.0.0/0".parse().unwrap()]), None);
        assert_eq!(
            client(Some(Peer([10, 0, 0, 1].into())), &headers, &[]),
            Some([10, 0, 0, 1].into())
        );
    }

    #[test]
    fn what_a_client_made_up_stands_left_of_what_our_proxies_saw() {
        for (lines, expected) in [
            (vec!["198.51.100.1"], "198.51.100.1"),
            (vec!["6.6.6.6, 198.51.100.1"], "198.51.100.1"),
            (vec!["6.6.6.6", "198.51.100.1"], "198.51.100.1"),
            (vec!["6.6.6.6, 198.51.100.1 , 10.1.2.3"], "198.51.100.1"),
            (vec!["198.51.100.1, 10.1.2.3", "2001:db8:1::7"], "198.51.100.1"),
            // It claims to be a proxy of ours; the real one saw otherwise.
            (vec!["10.6.6.6, 198.51.100.1"], "198.51.100.1"),
            (vec!["10.6.6.6"], "10.6.6.6"),
            (vec!["nonsense, 198.51.100.1"], "198.51.100.1"),
            (vec!["198.51.100.1, nonsense"], "10.0.0.1"),
            (vec!["198.51.100.1,"], "10.0.0.1"),
            (vec!["198.51.100.1, unknown, 10.1.2.3"], "10.1.2.3"),
            (vec![""], "10.0.0.1"),
            (vec![], "10.0.0.1"),
        ] {
            assert_eq!(from("10.0.0.1", &lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn an_address_is_read_however_it_is_written() {
        for (written, read) in [
            ("198.51.100.1:4711", "198.51.100.1"),
            ("2001:db8::9", "2001:db8::9"),
            ("[2001:db8::9]", "2001:db8::9"),
            ("[2001:db8::9]:4711", "2001:db8::9"),
            ("::ffff:198.51.100.1", "198.51.100.1"),
        ] {
            assert_eq!(from("::ffff:10.0.0.1", &[written]), read);
        }
    }
}
