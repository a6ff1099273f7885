//! Limits the connections of each client address.
//!
//! The address is that of the TCP connection, never from a header, which a client can choose. A proxy in `server.trusted_proxies`,
//! through which many clients come, is limited by the total number of connections only.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use ipnet::IpNet;

use outboard_config::ServerConfig;

/// The address that a request's connection comes from; `None` if it is not known (a router that is called directly).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub Option<IpAddr>);

impl<S: Send + Sync> FromRequestParts<S> for Peer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().copied().unwrap_or(Self(None)))
    }
}

/// Counts the connections of each address. Cheap to clone; clones share the counts.
#[derive(Debug, Clone)]
pub struct Peers(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    most: usize,
    trusted: Vec<IpNet>,
    /// Connections of each address that has at least one.
    counts: Mutex<HashMap<IpAddr, usize>>,
}

/// A counted connection; no longer counted when dropped.
#[derive(Debug)]
pub struct Connected {
    peers: Peers,
    counted: Option<IpAddr>,
}

impl Peers {
    /// Counters with the limits of `server.connections_per_peer` and `server.trusted_proxies`.
    pub fn new(config: &ServerConfig) -> Self {
        let (most, trusted) = (config.connections_per_peer, config.trusted_proxies.clone());
        Self(Arc::new(Inner { most, trusted, counts: Mutex::default() }))
    }

    /// Counts a new connection; `None` if its address has reached the limit.
    pub fn connect(&self, from: IpAddr) -> Option<Connected> {
        let from = from.to_canonical();
        if self.0.trusted.iter().any(|net| net.contains(&from)) {
            return Some(Connected { peers: self.clone(), counted: None });
        }
        let one = network(from);
        let mut counts = self.0.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(one).or_default();
        if *count >= self.0.most {
            return None;
        }
        *count += 1;
        Some(Connected { peers: self.clone(), counted: Some(one) })
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        let Some(from) = self.counted else { return };
        let mut counts = self.peers.0.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&from) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&from);
            }
        }
    }
}

/// The network that one subscriber typically has: an IPv4 address, or the /64 network of an IPv6 address.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peers(most: usize, trusted: &[&str]) -> Peers {
        let trusted = trusted.iter().map(|net| net.parse().unwrap()).collect();
        Peers(Arc::new(Inner { most, trusted, counts: Mutex::default() }))
    }

    #[test]
    fn an_address_has_so_many_and_a_trusted_proxy_any() {
        let peers = peers(2, &["10.0.0.0/8"]);
        let (own, other): (IpAddr, IpAddr) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let held: Vec<_> = (0..2).map(|_| peers.connect(own).unwrap()).collect();
        assert!(peers.connect(own).is_none());
        // The same host, as a dual-stack socket reports it.
        assert!(peers.connect("::ffff:192.0.2.1".parse().unwrap()).is_none());
        assert!(peers.connect(other).is_some());
        let proxied: Vec<_> = (0..9).map(|_| peers.connect("10.1.2.3".parse().unwrap()).unwrap()).collect();
        drop((held, proxied));
        assert!(peers.0.counts.lock().unwrap().is_empty());
        assert!(peers.connect(own).is_some());
    }

    #[test]
    fn addresses_of_one_ipv6_network_are_one() {
        let peers = peers(1, &[]);
        let _held = peers.connect("2001:db8:0:1::1".parse().unwrap()).unwrap();
        assert!(peers.connect("2001:db8:0:1:ffff::2".parse().unwrap()).is_none());
        assert!(peers.connect("2001:db8:0:2::1".parse().unwrap()).is_some());
    }
}
