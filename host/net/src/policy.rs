//! The network policy of a tenant: its settings, their checks, and how hosts and addresses are checked by it.
//!
//! The rules, for each address by itself, in this order:
//! 1. a host in `denyHosts`, or an address in `denyRanges`, is refused;
//! 2. an address in `allowRanges` is allowed, whatever kind of address it is;
//! 3. an address that is not on the public internet is allowed if `private` is on. `allowHosts` does not allow these, as whoever
//!    controls the DNS of a name may not be trusted;
//! 4. an address on the public internet is allowed if `public` is on, or if its host is in `allowHosts`.

use std::fmt::Display;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::error::Denied;
use super::host::Pattern;
use super::special::{embedded, special};
use outboard_base::{Problem, Problems};

use crate::limits::NET_RULES_MAX;

/// The hosts and addresses that sources, processors, destinations and webhooks may use. Absent fields are those of
/// [`Policy::strict`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Policy {
    /// Names that are refused: `example.com`, or `*.example.com` for all names below it.
    #[serde(alias = "deny_hosts")]
    pub deny_hosts: Vec<String>,
    /// Addresses that are refused: `192.0.2.0/24`, `2001:db8::/32` or a single address. An IPv4 range also covers IPv6 addresses that
    /// contain such an address.
    #[serde(alias = "deny_ranges")]
    pub deny_ranges: Vec<String>,
    /// Names that are allowed even if `public` is off.
    #[serde(alias = "allow_hosts")]
    pub allow_hosts: Vec<String>,
    /// Addresses that are allowed even if `public` or `private` is off.
    #[serde(alias = "allow_ranges")]
    pub allow_ranges: Vec<String>,
    /// True: addresses on the public internet are allowed.
    pub public: bool,
    /// True: all other addresses are allowed: loopback, private, link-local (with the metadata services of clouds), shared, multicast,
    /// reserved. Destinations may then also listen on a port of this machine (SRT's listener mode).
    pub private: bool,
    /// True: destinations may be files of this machine.
    pub files: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self::strict()
    }
}

impl Policy {
    /// Allows everything: for a machine with a single user.
    pub fn open() -> Self {
        Self { private: true, files: true, ..Self::strict() }
    }

    /// Allows the public internet only: the default of new tenants.
    pub fn strict() -> Self {
        Self {
            deny_hosts: Vec::new(),
            deny_ranges: Vec::new(),
            allow_hosts: Vec::new(),
            allow_ranges: Vec::new(),
            public: true,
            private: false,
            files: false,
        }
    }

    /// All problems of the policy, with paths such as `denyRanges[2]`; empty if it is valid.
    pub fn problems(&self) -> Vec<Problem> {
        Rules::new(self).err().map(|problems| problems.0).unwrap_or_default()
    }
}

/// A policy with its patterns and ranges parsed.
#[derive(Debug)]
pub(super) struct Rules {
    deny_hosts: Vec<Pattern>,
    deny_ranges: Vec<IpNet>,
    allow_hosts: Vec<Pattern>,
    allow_ranges: Vec<IpNet>,
    public: bool,
    private: bool,
}

impl Rules {
    pub(super) fn new(policy: &Policy) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let rules = Self {
            deny_hosts: read("denyHosts", &policy.deny_hosts, Pattern::parse, &mut problems),
            deny_ranges: read("denyRanges", &policy.deny_ranges, range, &mut problems),
            allow_hosts: read("allowHosts", &policy.allow_hosts, Pattern::parse, &mut problems),
            allow_ranges: read("allowRanges", &policy.allow_ranges, range, &mut problems),
            public: policy.public,
            private: policy.private,
        };
        if problems.is_empty() { Ok(rules) } else { Err(Problems(problems)) }
    }

    /// The rules of [`Policy::open`].
    pub(super) fn open() -> Self {
        let (deny_hosts, allow_hosts, deny_ranges, allow_ranges) = Default::default();
        Self { deny_hosts, deny_ranges, allow_hosts, allow_ranges, public: true, private: true }
    }

    /// True if no address and no host is refused.
    pub(super) fn allow_all(&self) -> bool {
        self.public && self.private && self.deny_hosts.is_empty() && self.deny_ranges.is_empty()
    }

    /// Checks a name before its lookup: refuses it if no address could be allowed.
    pub(super) fn name(&self, name: &str) -> Result<(), Denied> {
        if let Some(rule) = self.deny_hosts.iter().find(|rule| rule.matches(name)) {
            return Err(Denied::Host { host: name.to_owned(), rule: rule.to_string() });
        }
        let hopeless = !self.public && !self.private && self.allow_ranges.is_empty();
        if hopeless && !self.allows_name(name) {
            return Err(Denied::NotAllowed { host: name.to_owned(), address: None });
        }
        Ok(())
    }

    /// Checks an address, and the name that it was found for (`None`: the URL has the address itself).
    pub(super) fn address(&self, name: Option<&str>, address: IpAddr) -> Result<(), Denied> {
        let address = address.to_canonical();
        let carried = match address {
            IpAddr::V4(_) => [None; 2],
            IpAddr::V6(address) => embedded(address),
        };
        let faces = [Some(address)].into_iter().chain(carried.map(|address| address.map(IpAddr::V4))).flatten();
        for face in faces {
            if let Some(rule) = self.deny_ranges.iter().find(|rule| rule.contains(&face)) {
                return Err(Denied::Range { host: name.map(str::to_owned), address, rule: rule.to_string() });
            }
        }
        if self.allow_ranges.iter().any(|rule| rule.contains(&address)) {
            return Ok(());
        }
        if let Some(kind) = special(address) {
            let denied = || Denied::Private { host: name.map(str::to_owned), address, kind };
            return if self.private { Ok(()) } else { Err(denied()) };
        }
        if self.public || name.is_some_and(|name| self.allows_name(name)) {
            return Ok(());
        }
        let host = name.map_or_else(|| address.to_string(), str::to_owned);
        Err(Denied::NotAllowed { host, address: name.map(|_| address) })
    }

    fn allows_name(&self, name: &str) -> bool {
        self.allow_hosts.iter().any(|rule| rule.matches(name))
    }
}

fn read<T>(
    path: &str,
    texts: &[String],
    parse: impl Fn(&str) -> Result<T, String>,
    problems: &mut Vec<Problem>,
) -> Vec<T> {
    if texts.len() > NET_RULES_MAX {
        let message = format!("has {} entries, at most {NET_RULES_MAX} are possible", texts.len());
        problems.push(Problem { path: path.to_owned(), message });
        return Vec::new();
    }
    let mut read = Vec::with_capacity(texts.len());
    for (n, text) in texts.iter().enumerate() {
        match parse(text.trim()) {
            Ok(rule) => read.push(rule),
            Err(message) => problems.push(Problem { path: format!("{path}[{n}]"), message }),
        }
    }
    read
}

/// Parses a range; a single address is a range of one.
fn range(text: &str) -> Result<IpNet, String> {
    let wrong = |what: &dyn Display| format!("{text:?} {what}");
    let net = match text.parse::<IpAddr>() {
        Ok(address) => IpNet::from(address),
        Err(_) => text.parse::<IpNet>().map_err(|_| {
            wrong(&"is no range of addresses; wanted is one such as 10.1.0.0/16, 2001:db8::/32 or 192.0.2.7")
        })?,
    };
    if net.addr() != net.network() {
        return Err(wrong(&format!("has bits set behind its prefix; {} would be the range", net.trunc())));
    }
    if matches!(net.addr(), IpAddr::V6(address) if address.to_ipv4_mapped().is_some()) {
        return Err(wrong(&"is IPv4 written as IPv6; write it as IPv4, which covers both"));
    }
    Ok(net)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    fn judge(policy: &Policy, name: Option<&str>, address: &str) -> Result<(), String> {
        let rules = Rules::new(policy).unwrap();
        if let Some(name) = name {
            rules.name(name).map_err(|denied| denied.to_string())?;
        }
        rules.address(name, address.parse().unwrap()).map_err(|denied| denied.to_string())
    }

    #[test]
    fn strict_is_the_public_internet_only() {
        let strict = Policy::strict();
        assert_eq!(judge(&strict, Some("example.com"), "8.8.8.8"), Ok(()));
        assert_eq!(judge(&strict, None, "2606:4700::1111"), Ok(()));
        for address in ["127.0.0.1", "::1", "10.0.0.1", "169.254.169.254", "::ffff:127.0.0.1", "2002:7f00:1::"] {
            let error = judge(&strict, Some("example.com"), address).unwrap_err();
            let shown = address.parse::<IpAddr>().unwrap().to_canonical().to_string();
            assert!(error.contains("example.com") && error.contains(&shown), "{error}");
            assert!(judge(&Policy::open(), Some("example.com"), address).is_ok(), "{address}");
        }
        assert!(Rules::new(&Policy::open()).unwrap().allow_all() && !Rules::new(&strict).unwrap().allow_all());
    }

    #[test]
    fn a_range_opens_private_addresses_and_a_host_does_not() {
        let range = Policy { allow_ranges: texts(&["10.1.0.0/16", "127.0.0.1"]), ..Policy::strict() };
        assert_eq!(judge(&range, None, "10.1.2.3"), Ok(()));
        assert_eq!(judge(&range, Some("srs"), "::ffff:10.1.2.3"), Ok(()));
        assert_eq!(judge(&range, None, "127.0.0.1"), Ok(()));
        assert_eq!(judge(&range, None, "8.8.8.8"), Ok(()), "the public internet stays open");
        for other in ["10.2.0.1", "127.0.0.2", "64:ff9b::a01:203", "2002:a01:203::"] {
            assert!(judge(&range, None, other).is_err(), "{other}");
        }
        let host = Policy { allow_hosts: texts(&["srs.internal"]), ..Policy::strict() };
        assert!(judge(&host, Some("srs.internal"), "10.1.2.3").is_err());
    }

    #[test]
    fn what_is_denied_is_denied_whatever_allows_it() {
        let policy = Policy {
            deny_hosts: texts(&["*.bad.example"]),
            deny_ranges: texts(&["10.1.9.0/24", "8.8.8.8", "2001:4860::/32"]),
            allow_hosts: texts(&["a.bad.example"]),
            allow_ranges: texts(&["10.1.0.0/16"]),
            ..Policy::open()
        };
        assert_eq!(judge(&policy, None, "10.1.8.1"), Ok(()));
        let error = judge(&policy, Some("a.bad.example"), "1.1.1.1").unwrap_err();
        assert!(error.contains("a.bad.example") && error.contains("*.bad.example"), "{error}");
        for address in ["10.1.9.1", "8.8.8.8", "::ffff:10.1.9.1", "64:ff9b::808:808", "2002:808:808::1", "2001:4860::1"]
        {
            let error = judge(&policy, None, address).unwrap_err();
            assert!(error.contains("denyRanges"), "{error}");
        }
    }

    #[test]
    fn without_public_only_what_is_listed_is_reached() {
        let closed = Policy {
            public: false,
            allow_hosts: texts(&["cdn.example", "*.cdn.example"]),
            allow_ranges: texts(&["192.88.98.0/24"]),
            ..Policy::strict()
        };
        assert_eq!(judge(&closed, Some("cdn.example"), "1.1.1.1"), Ok(()));
        assert_eq!(judge(&closed, Some("a.cdn.example"), "1.1.1.1"), Ok(()));
        assert_eq!(judge(&closed, Some("other.example"), "192.88.98.1"), Ok(()));
        for (name, address) in
            [(Some("other.example"), "1.1.1.1"), (None, "1.1.1.1"), (Some("cdn.example"), "10.0.0.1")]
        {
            assert!(judge(&closed, name, address).is_err(), "{name:?} {address}");
        }
        // Nothing to look up: the answer could not matter.
        let names_only = Policy { allow_ranges: Vec::new(), ..closed };
        let rules = Rules::new(&names_only).unwrap();
        assert!(rules.name("other.example").is_err() && rules.name("cdn.example").is_ok());
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let policy = Policy {
            deny_hosts: texts(&["good.example", "http://bad"]),
            deny_ranges: texts(&["10.0.0.1/8", "10.0.0.0/33", "::ffff:10.0.0.0/104"]),
            allow_hosts: texts(&["10.0.0.1"]),
            allow_ranges: vec!["10.0.0.0/8".to_owned(); NET_RULES_MAX + 1],
            ..Policy::strict()
        };
        let problems: Vec<_> =
            policy.problems().into_iter().map(|problem| format!("{}: {}", problem.path, problem.message)).collect();
        let starts = [
            "denyHosts[1]: \"http://bad\" is more than",
            "denyRanges[0]: \"10.0.0.1/8\" has bits set behind its prefix; 10.0.0.0/8",
            "denyRanges[1]: \"10.0.0.0/33\" is no range",
            "denyRanges[2]: \"::ffff:10.0.0.0/104\" is IPv4 written as IPv6",
            "allowHosts[0]: \"10.0.0.1\" is an address",
            "allowRanges: has 257 entries",
        ];
        assert_eq!(problems.len(), starts.len(), "{problems:?}");
        for (problem, start) in problems.iter().zip(starts) {
            assert!(problem.starts_with(start), "{problem}");
        }
        assert!(Policy::open().problems().is_empty() && Policy::strict().problems().is_empty());
    }

    #[test]
    fn as_json_it_is_strict_where_nothing_is_said_and_refuses_what_it_does_not_know() {
        assert_eq!(serde_json::from_str::<Policy>("{}").unwrap(), Policy::strict());
        let text = r#"{"denyHosts":["a.example"],"allow_ranges":["10.0.0.0/8"],"files":true}"#;
        let policy: Policy = serde_json::from_str(text).unwrap();
        assert_eq!(policy.deny_hosts, ["a.example"]);
        assert_eq!(policy.allow_ranges, ["10.0.0.0/8"]);
        assert!(policy.files && policy.public && !policy.private);
        let written = serde_json::to_string(&policy).unwrap();
        assert!(written.contains(r#""allowRanges":["10.0.0.0/8"]"#), "{written}");
        assert_eq!(serde_json::from_str::<Policy>(&written).unwrap(), policy);
        assert!(serde_json::from_str::<Policy>(r#"{"denyhosts":[]}"#).is_err());
    }
}
