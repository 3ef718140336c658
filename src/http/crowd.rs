//! How many connections each address has, so that one of them cannot have all that there are; and how many sockets and streams
//! each client, whose connections may be a proxy's.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::StatusCode;
use axum::response::Response;
use ipnet::IpNet;

use super::accept::MediaType;
use super::{Shared, reply};
use crate::infra::metric::RATE_LIMIT_REFUSALS;
use crate::kernel::actor::{Origin, network};

/// What is open, by the network that it comes from.
#[derive(Clone, Debug)]
pub struct Crowd(Arc<Counted>);

#[derive(Debug)]
struct Counted {
    most: usize,
    /// Many clients come by one of these.
    proxies: Vec<IpNet>,
    open: Mutex<HashMap<String, usize>>,
}

/// One of them, until it is dropped.
#[derive(Debug)]
pub(super) struct Member(Option<(Crowd, String)>);

impl Crowd {
    pub fn new(most: usize, proxies: &[IpNet]) -> Self {
        Self(Arc::new(Counted {
            most,
            proxies: proxies.to_vec(),
            open: Mutex::default(),
        }))
    }

    /// None when this address has as many as it may.
    pub(super) fn join(&self, address: IpAddr) -> Option<Member> {
        let address = address.to_canonical();
        if self.0.proxies.iter().any(|proxy| proxy.contains(&address)) {
            return Some(Member(None));
        }
        let key = network(address);
        let mut open = self.open();
        let count = open.entry(key.clone()).or_default();
        if *count >= self.0.most {
            return None;
        }
        *count += 1;
        drop(open);
        Some(Member(Some((self.clone(), key))))
    }

    fn open(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place for a socket or a stream of whoever asks; None when all that this client may have are taken.
pub(super) fn place(shared: &Shared, origin: &Origin) -> Option<Member> {
    origin
        .address
        .map_or(Some(Member(None)), |client| shared.crowd.join(client))
}

pub(super) fn refusal(media_type: MediaType) -> Response {
    RATE_LIMIT_REFUSALS.counter(["connections"]).increment(1);
    let message = "As many sockets and streams are open as one address may have: close one first.";
    reply::refusal_as(StatusCode::TOO_MANY_REQUESTS, "THROTTLED", message, media_type)
}

impl Drop for Member {
    fn drop(&mut self) {
        let Some((crowd, key)) = &self.0 else { return };
        let mut open = crowd.open();
        if let Some(count) = open.get_mut(key) {
            *count -= 1;
            if *count == 0 {
                open.remove(key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_so_many_and_a_proxy_any_number() {
        let crowd = Crowd::new(2, &["10.0.0.0/8".parse().unwrap()]);
        let join = |address: &str| crowd.join(address.parse().unwrap());
        let (first, second) = (join("203.0.113.1"), join("::ffff:203.0.113.1"));
        assert!(first.is_some() && second.is_some());
        assert!(join("203.0.113.1").is_none());
        assert!(join("203.0.113.2").is_some());
        drop(second);
        assert!(join("203.0.113.1").is_some());
        // A household picks its own addresses.
        let _household = (join("2001:db8::1"), join("2001:db8::2"));
        assert!(join("2001:db8::3").is_none());
        let proxied: Vec<_> = (0..5).map(|_| join("10.1.2.3")).collect();
        assert!(proxied.iter().all(Option::is_some));
        drop(first);
        assert_eq!(crowd.open().len(), 1, "who is gone is forgotten");
    }
}
