//! Errors of the network guard. Their texts name host or address and the rule, but never a URL, which may have secrets.

use std::fmt;
use std::io;
use std::net::IpAddr;

use thiserror::Error;

/// The network policy does not allow a connection.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Denied {
    /// The host's name is in `denyHosts`.
    #[error("the network policy denies {host} (denyHosts: {rule})")]
    Host {
        /// The host in its normal form.
        host: String,
        /// The entry of the policy that matched.
        rule: String,
    },
    /// The address is in `denyRanges`.
    #[error("{}, which the network policy denies (denyRanges: {rule})", At(.host, .address))]
    Range {
        /// The name that was looked up; `None`: the URL has the address itself.
        host: Option<String>,
        /// The address that was checked.
        address: IpAddr,
        /// The entry of the policy that matched.
        rule: String,
    },
    /// The address is not on the public internet, and `private` is off.
    #[error("{}, {kind}, which the network policy does not allow (private is off, allowRanges do not hold it)", At(.host, .address))]
    Private {
        /// The name that was looked up; `None`: the URL has the address itself.
        host: Option<String>,
        /// The address that was checked.
        address: IpAddr,
        /// The kind of address, such as a loopback address.
        kind: &'static str,
    },
    /// `public` is off, and neither `allowHosts` nor `allowRanges` has the host.
    #[error("{host} is not among what the network policy allows (public is off; allowHosts, allowRanges)")]
    NotAllowed {
        /// The host in its normal form.
        host: String,
        /// The address that was checked; `None` if the name was not looked up.
        address: Option<IpAddr>,
    },
    /// The text is no host name and no address.
    #[error("{host:?} is no host name and no address")]
    NoHost {
        /// The text as it was given.
        host: String,
    },
    /// The destination is a file of this machine, and `files` is off.
    #[error("the network policy does not allow files as destinations (files is off)")]
    Files,
    /// The destination listens for connections, and `private` is off.
    #[error("the network policy does not allow to listen on this machine (private is off): {what}")]
    Listen {
        /// The kind of destination that listens.
        what: &'static str,
    },
    /// The URL has an option that could bypass the rules.
    #[error("the network policy does not allow the option {option:?} of {scheme}: destinations")]
    Option {
        /// The scheme of the URL.
        scheme: &'static str,
        /// The name of the option.
        option: String,
    },
}

/// Displays an address, with the name that it was found for.
struct At<'a>(&'a Option<String>, &'a IpAddr);

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(host) => write!(f, "{host} is at {}", self.1),
            None => write!(f, "{}", self.1),
        }
    }
}

/// Why a connection could not be opened.
#[derive(Debug, Error)]
pub enum NetError {
    /// The network policy does not allow it.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// Name lookup or TCP failed.
    #[error("{0}")]
    Failed(#[from] io::Error),
}
