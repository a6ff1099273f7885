//! The network guard: which hosts and addresses may be reached for whom.
//!
//! In: a tenant's [`Policy`], and each host that is to be reached for the tenant. Out: addresses that were checked one by one, or
//! [`Denied`] with the rule. Connections are opened to the very address that was checked: a name is looked up once, so a second,
//! different answer (DNS rebinding) is never used. All outgoing connections use this crate: the source ([`http::Client`], including
//! redirects), the exchange and RTMP ([`Guard::connect`]), the destinations of ffmpeg ([`Guard::resolve`]), webhooks, SRS's API and
//! registries ([`http::Client`]).
//!
//! Limits: [`limits`]. Not covered: incoming connections; ports; NAT64 with an operator's own prefix, which looks like any other
//! address (deny its range).
//!
//! It uses only the crate `outboard-base`, and never depends on what is fetched or sent, or for which tenant.

mod cookies;
mod dial;
mod error;
mod host;
pub mod http;
pub mod limits;
mod policy;
mod resolve;
mod special;
pub mod tls;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpStream;
use url::Url;

pub use cookies::Jar;
pub use error::{Denied, NetError};
pub use policy::Policy;
pub use resolve::Resolver;

use outboard_base::Problems;

use crate::limits::{NET_ADDRESSES_MAX, NET_LOOKUP_TIMEOUT};
use host::Host;
use policy::Rules;
use resolve::System;

/// Applies a tenant's policy. Cheap to clone; clones share the limit of lookups.
#[derive(Debug, Clone)]
pub struct Guard {
    policy: Arc<Policy>,
    rules: Arc<Rules>,
    resolver: Arc<dyn Resolver>,
}

/// Guards are equal if their policies are.
impl PartialEq for Guard {
    fn eq(&self, other: &Self) -> bool {
        self.policy == other.policy
    }
}

impl Default for Guard {
    fn default() -> Self {
        Self::open()
    }
}

// === impl Guard ===

impl Guard {
    /// A guard that allows everything, for the host itself.
    pub fn open() -> Self {
        let resolver = Arc::new(System::default());
        Self { policy: Arc::new(Policy::open()), rules: Arc::new(Rules::open()), resolver }
    }

    /// A guard that applies this policy.
    ///
    /// # Errors
    /// The problems of the policy: see [`Policy::problems`].
    pub fn new(policy: Policy) -> Result<Self, Problems> {
        let rules = Arc::new(Rules::new(&policy)?);
        Ok(Self { policy: Arc::new(policy), rules, resolver: Arc::new(System::default()) })
    }

    /// A guard with the same policy and another resolver, for example for names in tests.
    pub fn with_resolver(&self, resolver: Arc<dyn Resolver>) -> Self {
        Self { resolver, ..self.clone() }
    }

    /// The policy that it applies.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// True if no host and no address is refused.
    pub fn allows_all(&self) -> bool {
        self.rules.allow_all()
    }

    /// Checks a host name or address from a URL, without a lookup: the addresses of an allowed name may still be refused.
    ///
    /// # Errors
    /// [`Denied`] with the rule.
    pub fn check_host(&self, host: &str) -> Result<(), Denied> {
        if self.allows_all() {
            return Ok(());
        }
        match Host::parse(host) {
            Some(Host::Name(name)) => self.rules.name(&name),
            Some(Host::Address(address)) => self.rules.address(None, address),
            None => Err(Denied::NoHost { host: host.to_owned() }),
        }
    }

    /// Checks the host of a URL by [`Self::check_host`], a `file:` URL by [`Self::check_files`].
    ///
    /// # Errors
    /// [`Denied`] with the rule.
    pub fn check_url(&self, url: &Url) -> Result<(), Denied> {
        if url.scheme() == "file" { self.check_files() } else { self.check_host(url.host_str().unwrap_or_default()) }
    }

    /// Checks that destinations may be files of this machine.
    ///
    /// # Errors
    /// [`Denied::Files`].
    pub fn check_files(&self) -> Result<(), Denied> {
        if self.policy.files { Ok(()) } else { Err(Denied::Files) }
    }

    /// Checks that a destination may listen on a port of this machine; `what` names it in the error.
    ///
    /// # Errors
    /// [`Denied::Listen`].
    pub fn check_listen(&self, what: &'static str) -> Result<(), Denied> {
        if self.policy.private { Ok(()) } else { Err(Denied::Listen { what }) }
    }

    /// Looks up the allowed addresses of a host, in the resolver's order, at most [`NET_ADDRESSES_MAX`]. Takes at most
    /// [`NET_LOOKUP_TIMEOUT`].
    ///
    /// # Errors
    /// [`NetError::Denied`] if none of its addresses is allowed; the resolver's error if it has none.
    pub async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, NetError> {
        let rules = &self.rules;
        let parsed = Host::parse(host);
        let name = match &parsed {
            Some(Host::Address(address)) => {
                rules.address(None, *address)?;
                return Ok(vec![SocketAddr::new(*address, port)]);
            }
            Some(Host::Name(name)) => {
                rules.name(name)?;
                name
            }
            // The system's resolver may accept the text.
            None if self.allows_all() => host,
            None => return Err(Denied::NoHost { host: host.to_owned() }.into()),
        };
        // Looked up as it was written: a trailing dot keeps the resolver from adding a search domain.
        let found = resolve::within(NET_LOOKUP_TIMEOUT, &*self.resolver, host, port).await?;
        let mut allowed = Vec::new();
        let mut refused = None;
        for mut address in found {
            address.set_ip(address.ip().to_canonical());
            match rules.address(Some(name), address.ip()) {
                Ok(()) if allowed.len() < NET_ADDRESSES_MAX => allowed.push(address),
                Ok(()) => break,
                Err(denied) => refused = refused.or(Some(denied)),
            }
        }
        match (allowed.is_empty(), refused) {
            (false, _) => Ok(allowed),
            (true, Some(denied)) => Err(denied.into()),
            (true, None) => Err(io::Error::new(io::ErrorKind::NotFound, format!("{name} has no address")).into()),
        }
    }

    /// Opens a TCP connection to an allowed address of a host.
    ///
    /// # Errors
    /// Those of [`Self::resolve`], or the system's error for the last address.
    pub async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, NetError> {
        let addresses = self.resolve(host, port).await?;
        Ok(dial::dial(&addresses).await?)
    }
}

#[cfg(test)]
mod tests;
