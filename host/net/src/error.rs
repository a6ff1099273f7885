//! Why something is not reached. Texts name host or address and the rule; never a URL, which may hold secrets.

use std::fmt;
use std::io;
use std::net::IpAddr;

use thiserror::Error;

/// The network policy says no.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Denied {
    /// By its name.
    #[error("the network policy denies {host} (denyHosts: {rule})")]
    Host {
        /// As it was judged.
        host: String,
        /// The entry that says so.
        rule: String,
    },
    /// By its address.
    #[error("{}, which the network policy denies (denyRanges: {rule})", At(.host, .address))]
    Range {
        /// What was looked up; `None`: the address itself was given.
        host: Option<String>,
        /// What was found.
        address: IpAddr,
        /// The entry that says so.
        rule: String,
    },
    /// An address that is not on the public internet.
    #[error("{}, {kind}, which the network policy does not allow (private is off, allowRanges do not hold it)", At(.host, .address))]
    Private {
        /// What was looked up; `None`: the address itself was given.
        host: Option<String>,
        /// What was found.
        address: IpAddr,
        /// In words.
        kind: &'static str,
    },
    /// Only what is listed may be reached.
    #[error("{host} is not among what the network policy allows (public is off; allowHosts, allowRanges)")]
    NotAllowed {
        /// As it was judged.
        host: String,
        /// What was found, where it was looked up.
        address: Option<IpAddr>,
    },
    /// Not a name that can be judged.
    #[error("{host:?} is no host name and no address")]
    NoHost {
        /// As it was given.
        host: String,
    },
    /// Files of this machine.
    #[error("the network policy does not allow files as destinations (files is off)")]
    Files,
    /// A destination that waits for others to connect.
    #[error("the network policy does not allow to listen on this machine (private is off): {what}")]
    Listen {
        /// What asks for it.
        what: &'static str,
    },
    /// An option that could reach past the rules.
    #[error("the network policy does not allow the option {option:?} of {scheme}: destinations")]
    Option {
        /// Of the URL.
        scheme: &'static str,
        /// Its name.
        option: String,
    },
}

/// Where something was found.
struct At<'a>(&'a Option<String>, &'a IpAddr);

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(host) => write!(f, "{host} is at {}", self.1),
            None => write!(f, "{}", self.1),
        }
    }
}

/// Why there is no connection.
#[derive(Debug, Error)]
pub enum NetError {
    /// The policy.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// Name lookup or TCP.
    #[error("{0}")]
    Failed(#[from] io::Error),
}
