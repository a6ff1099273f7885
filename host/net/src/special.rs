//! The addresses that are not on the public internet, and IPv4 addresses embedded in IPv6 addresses.
//!
//! Source: IANA's IPv4 and IPv6 special-purpose address registries. All IPv6 addresses outside `2000::/3` are reserved.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(high: [u16; 4], prefix: u8) -> Ipv6Net {
    let [a, b, c, d] = high;
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0), prefix)
}

const RESERVED: &str = "a reserved address";
const DOCUMENTATION: &str = "an address for documentation";

const V4: [(Ipv4Net, &str); 16] = [
    (v4(0, 0, 0, 0, 8), "an unspecified address"),
    (v4(10, 0, 0, 0, 8), "a private address"),
    (v4(100, 64, 0, 0, 10), "a carrier's shared address"),
    (v4(127, 0, 0, 0, 8), "a loopback address"),
    // Azure's platform: a public number that every machine there reaches.
    (v4(168, 63, 129, 16, 32), "a cloud's metadata address"),
    (v4(169, 254, 0, 0, 16), "a link-local or metadata address"),
    (v4(172, 16, 0, 0, 12), "a private address"),
    (v4(192, 0, 0, 0, 24), RESERVED),
    (v4(192, 0, 2, 0, 24), DOCUMENTATION),
    (v4(192, 88, 99, 0, 24), RESERVED),
    (v4(192, 168, 0, 0, 16), "a private address"),
    (v4(198, 18, 0, 0, 15), "an address for benchmarks"),
    (v4(198, 51, 100, 0, 24), DOCUMENTATION),
    (v4(203, 0, 113, 0, 24), DOCUMENTATION),
    (v4(224, 0, 0, 0, 4), "a multicast address"),
    (v4(240, 0, 0, 0, 4), RESERVED),
];

const V6: [(Ipv6Net, &str); 9] = [
    (Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 128), "an unspecified address"),
    (Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128), "a loopback address"),
    (v6([0xfc00, 0, 0, 0], 7), "a private address"),
    (v6([0xfe80, 0, 0, 0], 10), "a link-local address"),
    (v6([0xff00, 0, 0, 0], 8), "a multicast address"),
    // Protocol assignments; Teredo, which is among them, is judged by what it carries.
    (v6([0x2001, 0, 0, 0], 23), RESERVED),
    (v6([0x2001, 0xdb8, 0, 0], 32), DOCUMENTATION),
    (v6([0x3fff, 0, 0, 0], 20), DOCUMENTATION),
    (v6([0x5f00, 0, 0, 0], 16), RESERVED),
];

const GLOBAL: Ipv6Net = v6([0x2000, 0, 0, 0], 3);
const NAT64: Ipv6Net = v6([0x64, 0xff9b, 0, 0], 96);
const SIX_TO_FOUR: Ipv6Net = v6([0x2002, 0, 0, 0], 16);
const TEREDO: Ipv6Net = v6([0x2001, 0, 0, 0], 32);

/// The kind of an address that is not on the public internet; `None` for one that is.
pub(super) fn special(address: IpAddr) -> Option<&'static str> {
    match address.to_canonical() {
        IpAddr::V4(address) => special_v4(address),
        IpAddr::V6(address) => {
            if let Some(kind) = embedded(address).into_iter().flatten().find_map(special_v4) {
                return Some(kind);
            }
            if [NAT64, SIX_TO_FOUR, TEREDO].iter().any(|net| net.contains(&address)) {
                return None;
            }
            let listed = V6.iter().find(|(net, _)| net.contains(&address)).map(|(_, kind)| *kind);
            listed.or_else(|| (!GLOBAL.contains(&address)).then_some(RESERVED))
        }
    }
}

fn special_v4(address: Ipv4Addr) -> Option<&'static str> {
    V4.iter().find(|(net, _)| net.contains(&address)).map(|(_, kind)| *kind)
}

/// The IPv4 addresses to which packets to this address may be forwarded: by NAT64, 6to4, Teredo (server and client) or ISATAP. A mapped
/// address (`::ffff:a.b.c.d`) is the IPv4 address itself, and not among them.
pub(super) fn embedded(address: Ipv6Addr) -> [Option<Ipv4Addr>; 2] {
    let octets = address.octets();
    let at = |start: usize| octets.get(start..start + 4).and_then(|part| <[u8; 4]>::try_from(part).ok());
    let plain = |start| at(start).map(Ipv4Addr::from);
    if NAT64.contains(&address) {
        return [plain(12), None];
    }
    if SIX_TO_FOUR.contains(&address) {
        return [plain(2), None];
    }
    if TEREDO.contains(&address) {
        return [plain(4), at(12).map(|part| Ipv4Addr::from(part.map(|byte| !byte)))];
    }
    let isatap = matches!(at(8), Some([0 | 2, 0, 0x5e, 0xfe]));
    [if isatap { plain(12) } else { None }, None]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &str) -> Option<&'static str> {
        special(text.parse().unwrap())
    }

    #[test]
    fn public_addresses_are_public() {
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.255.255",
            "172.32.0.1",
            "192.0.1.1",
            "193.0.0.1",
            "198.17.255.255",
            "198.20.0.1",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2a00:1450:4001:800::200e",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2002:808:808::1",
            // Teredo: server 65.54.227.120, client 8.8.8.8 behind port 40000.
            "2001:0:4136:e378:8000:63bf:f7f7:f7f7",
            "2600::5efe:808:808",
        ] {
            assert_eq!(kind(text), None, "{text}");
        }
    }

    #[test]
    fn others_are_named() {
        for (text, words) in [
            ("0.0.0.0", "unspecified"),
            ("0.1.2.3", "unspecified"),
            ("10.0.0.1", "private"),
            ("100.64.0.1", "carrier"),
            ("100.100.100.200", "carrier"),
            ("127.0.0.1", "loopback"),
            ("127.255.255.254", "loopback"),
            ("168.63.129.16", "metadata"),
            ("169.254.169.254", "metadata"),
            ("172.16.0.1", "private"),
            ("172.31.255.255", "private"),
            ("192.0.0.192", "reserved"),
            ("192.168.1.1", "private"),
            ("198.19.0.1", "benchmarks"),
            ("203.0.113.9", "documentation"),
            ("224.0.0.1", "multicast"),
            ("239.1.2.3", "multicast"),
            ("240.0.0.1", "reserved"),
            ("255.255.255.255", "reserved"),
            ("::", "unspecified"),
            ("::1", "loopback"),
            ("fc00::1", "private"),
            ("fd00:ec2::254", "private"),
            ("fe80::1", "link-local"),
            ("fec0::1", "reserved"),
            ("ff02::1", "multicast"),
            ("100::1", "reserved"),
            ("2001:db8::1", "documentation"),
            ("2001:2::1", "reserved"),
            ("3fff::1", "documentation"),
            ("4000::1", "reserved"),
            ("::127.0.0.1", "reserved"),
            ("::ffff:0:127.0.0.1", "reserved"),
            ("64:ff9b:1::7f00:1", "reserved"),
            // IPv4 in disguise.
            ("::ffff:127.0.0.1", "loopback"),
            ("::ffff:169.254.169.254", "metadata"),
            ("64:ff9b::10.0.0.1", "private"),
            ("2002:7f00:1::", "loopback"),
            ("2002:a9fe:a9fe::1", "metadata"),
            ("2001:0:7f00:1:0:0:f7f7:f7f7", "loopback"),
            ("2001:0:4136:e378:8000:63bf:80ff:fffe", "loopback"),
            ("2600::5efe:a00:1", "private"),
            ("2600::200:5efe:c0a8:1", "private"),
        ] {
            let kind = kind(text);
            assert!(kind.is_some_and(|kind| kind.contains(words)), "{text}: {kind:?}, not {words}");
        }
    }
}
