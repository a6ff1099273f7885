//! The network guard: which hosts and addresses may be reached for whom.
//!
//! In: a tenant's [`Policy`], and each host that something of the tenant's wants to reach. Out: addresses that were
//! judged one by one, or [`Denied`] with the rule. Whoever connects does so to the very address that was judged: a name
//! is looked up once, so a second, other answer (DNS rebinding) is never used. Everything that leaves the host goes
//! through here: the source ([`http::Client`], every redirect too), the exchange and RTMP ([`Guard::connect`]), what
//! ffmpeg is told to send to ([`Guard::resolve`]), webhooks, SRS's API and registries ([`http::Client`]).
//!
//! Limits: [`limits`]. Not done: who may connect to *us*; ports; NAT64 with an operator's own
//! prefix, which looks like any other address (deny its range).
//!
//! Of ours it uses `outboard-base` alone. It never knows what is fetched or sent, nor which tenant it is for.

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

/// A tenant's policy at work. Cheap to clone; clones share the bound on lookups.
#[derive(Debug, Clone)]
pub struct Guard {
    policy: Arc<Policy>,
    rules: Arc<Rules>,
    resolver: Arc<dyn Resolver>,
}

/// Guards are equal that allow the same.
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
    /// Allows everything.
    pub fn open() -> Self {
        let resolver = Arc::new(System::default());
        Self { policy: Arc::new(Policy::open()), rules: Arc::new(Rules::open()), resolver }
    }

    /// Holds everything against this policy.
    ///
    /// # Errors
    /// What is wrong with it: see [`Policy::problems`].
    pub fn new(policy: Policy) -> Result<Self, Problems> {
        let rules = Arc::new(Rules::new(&policy)?);
        Ok(Self { policy: Arc::new(policy), rules, resolver: Arc::new(System::default()) })
    }

    /// The same policy with another resolver, for those who have names of their own to look up, such as tests.
    pub fn with_resolver(&self, resolver: Arc<dyn Resolver>) -> Self {
        Self { resolver, ..self.clone() }
    }

    /// What it holds everything against.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// No host and no address is refused.
    pub fn allows_all(&self) -> bool {
        self.rules.allow_all()
    }

    /// A host name or address as it is written in a URL. Looks nothing up: a name that passes may still lead to
    /// addresses that don't.
    ///
    /// # Errors
    /// [`Denied`].
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

    /// The host of a URL as [`Self::check_host`]; a `file:` URL as [`Self::check_files`].
    ///
    /// # Errors
    /// [`Denied`].
    pub fn check_url(&self, url: &Url) -> Result<(), Denied> {
        if url.scheme() == "file" { self.check_files() } else { self.check_host(url.host_str().unwrap_or_default()) }
    }

    /// Files of this machine as destinations.
    ///
    /// # Errors
    /// [`Denied::Files`].
    pub fn check_files(&self) -> Result<(), Denied> {
        if self.policy.files { Ok(()) } else { Err(Denied::Files) }
    }

    /// Waiting on a port of this machine; `what` asks for it.
    ///
    /// # Errors
    /// [`Denied::Listen`].
    pub fn check_listen(&self, what: &'static str) -> Result<(), Denied> {
        if self.policy.private { Ok(()) } else { Err(Denied::Listen { what }) }
    }

    /// The addresses of a host that may be reached, in the resolver's order, at most [`NET_ADDRESSES_MAX`].
    ///
    /// # Errors
    /// [`NetError::Denied`] where it has addresses and none is allowed; the resolver's words where it has none.
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
            // The system may know what to make of it.
            None if self.allows_all() => host,
            None => return Err(Denied::NoHost { host: host.to_owned() }.into()),
        };
        // As it was written: a dot at the end says that no search domain is to be added.
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

    /// A TCP connection to a host, to an address that was judged and found allowed.
    ///
    /// # Errors
    /// As [`Self::resolve`], or what the system said of the last address.
    pub async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, NetError> {
        let addresses = self.resolve(host, port).await?;
        Ok(dial::dial(&addresses).await?)
    }
}

#[cfg(test)]
mod tests;
