//! Host names in the forms of URLs and settings, and the patterns that match them.

use std::net::IpAddr;

/// A host in normal form, in which the rules are applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Host {
    /// A name in lower case, in ASCII (IDNA), without a trailing dot.
    Name(String),
    /// An address, parsed with or without brackets, and from old forms that systems still accept (`127.1`, `0x7f000001`).
    Address(IpAddr),
}

impl Host {
    /// Parses a host; `None` if it is neither a name nor an address.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Some(Self::Address(address.to_canonical()));
        }
        match url::Host::parse(text).ok()? {
            url::Host::Domain(name) => {
                let name = name.strip_suffix('.').unwrap_or(&name);
                (!name.is_empty()).then(|| Self::Name(name.to_ascii_lowercase()))
            }
            url::Host::Ipv4(address) => Some(Self::Address(address.into())),
            url::Host::Ipv6(address) => Some(Self::Address(IpAddr::V6(address).to_canonical())),
        }
    }
}

/// A pattern of host names. `example.com`: that name; `*.example.com`: every name below it, at any depth, but not itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    name: String,
    below: bool,
}

impl Pattern {
    /// # Errors
    /// A sentence with the error and what would be right.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (name, below) = match text.strip_prefix("*.") {
            Some(name) => (name, true),
            None => (text, false),
        };
        let wrong = |what: &str| Err(format!("{text:?} {what}; wanted is a name such as example.com or *.example.com"));
        if name.contains('*') {
            return wrong("has a * elsewhere than at the start, before a dot");
        }
        if name.contains(['/', ':', '@']) {
            return wrong("is more than a host name (no scheme, port or path here)");
        }
        match Host::parse(name) {
            Some(Host::Name(name)) => Ok(Self { name, below }),
            Some(Host::Address(_)) => Err(format!("{text:?} is an address: those belong to the ranges")),
            None => wrong("is no host name"),
        }
    }

    pub(super) fn matches(&self, name: &str) -> bool {
        match name.strip_suffix(self.name.as_str()) {
            Some("") => !self.below,
            Some(rest) => self.below && rest.len() > 1 && rest.ends_with('.'),
            None => false,
        }
    }
}

impl std::fmt::Display for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", if self.below { "*." } else { "" }, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_have_one_form() {
        let name = |text: &str| Some(Host::Name(text.to_owned()));
        let address = |text: &str| Some(Host::Address(text.parse().unwrap()));
        assert_eq!(Host::parse("Example.COM."), name("example.com"));
        assert_eq!(Host::parse("bücher.example"), name("xn--bcher-kva.example"));
        assert_eq!(Host::parse("my_srs"), name("my_srs"));
        assert_eq!(Host::parse("ex%61mple.com"), name("example.com"));
        for text in ["127.0.0.1", "127.1", "0x7f.1", "0177.0.0.1", "2130706433", "[::ffff:127.0.0.1]", "127.0.0.1."] {
            assert_eq!(Host::parse(text), address("127.0.0.1"), "{text}");
        }
        assert_eq!(Host::parse("[::1]"), address("::1"));
        assert_eq!(Host::parse("::1"), address("::1"));
        for text in ["", ".", "a b", "a/b", "fe80::1%eth0", "[::1", "1.2.3.4.5", "a@b"] {
            assert_eq!(Host::parse(text), None, "{text}");
        }
    }

    #[test]
    fn patterns_match_names_and_what_is_below() {
        let matches = |pattern: &str, name: &str| Pattern::parse(pattern).unwrap().matches(name);
        assert!(matches("example.com", "example.com"));
        assert!(matches("EXAMPLE.com.", "example.com"));
        assert!(!matches("example.com", "a.example.com"));
        assert!(!matches("example.com", "badexample.com"));
        assert!(matches("*.example.com", "a.example.com"));
        assert!(matches("*.example.com", "a.b.example.com"));
        assert!(!matches("*.example.com", "example.com"));
        assert!(!matches("*.example.com", ".example.com"));
        assert!(!matches("*.example.com", "badexample.com"));
        assert!(!matches("*.example.com", "example.com.evil.test"));
    }

    #[test]
    fn what_is_no_pattern_is_named() {
        for (text, words) in [
            ("*", "has a *"),
            ("a.*.com", "has a *"),
            ("**.com", "has a *"),
            ("http://a.com", "is more than"),
            ("a.com:80", "is more than"),
            ("10.0.0.1", "is an address"),
            ("", "is no host name"),
            ("a b", "is no host name"),
        ] {
            let error = Pattern::parse(text).unwrap_err();
            assert!(error.contains(words) && error.contains(&format!("{text:?}")), "{error}");
        }
    }
}
