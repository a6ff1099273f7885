//! Limits where ffmpeg may send to.
//!
//! ffmpeg resolves names itself, so it is given none: the host is replaced by an address that the guard has checked.
//! Only known options are passed on, because some options open ports or name further hosts.

use std::net::{IpAddr, SocketAddr};

use url::Url;

use super::target::Target;
use outboard_net::{Denied, Guard, NetError};

/// Options of SRT that do not affect where packets are sent. `mode` is checked separately.
const SRT: [&str; 27] = [
    "connect_timeout",
    "enforced_encryption",
    "ffs",
    "inputbw",
    "iptos",
    "ipttl",
    "kmpreannounce",
    "kmrefreshrate",
    "latency",
    "linger",
    "lossmaxttl",
    "maxbw",
    "messageapi",
    "minversion",
    "mode",
    "mss",
    "nakreport",
    "oheadbw",
    "passphrase",
    "payload_size",
    "pbkeylen",
    "peerlatency",
    "pkt_size",
    "sndbuf",
    "streamid",
    "tlpktdrop",
    "transtype",
];
/// Options of UDP that do not affect where packets are sent.
const UDP: [&str; 8] =
    ["bitrate", "buffer_size", "burst_bits", "dscp", "fifo_size", "overrun_nonfatal", "pkt_size", "ttl"];

/// The target with an address instead of a name. Resolved again each time ffmpeg is started.
///
/// # Errors
/// The network policy denies the address, or the lookup failed.
pub(super) async fn target(target: &Target, guard: &Guard) -> Result<Target, NetError> {
    match target {
        Target::File(..) => guard.check_files()?,
        Target::Stream(url) => {
            let options = if guard.allows_all() { all_options(url).to_owned() } else { options(url, guard)? };
            let port = url.port().unwrap_or_default();
            let addresses = guard.resolve(url.host_str().unwrap_or_default(), port).await?;
            if let Some(address) = addresses.first() {
                return Ok(Target::Stream(at(url.scheme(), *address, &options)?));
            }
        }
        // The RTMP client connects itself, through the guard.
        Target::Rtmp(_) => {}
    }
    Ok(target.clone())
}

impl Target {
    /// Checks the destination against the network policy, without resolving names.
    ///
    /// # Errors
    /// [`Denied`], which names host or address and the rule.
    pub fn check(&self, guard: &Guard) -> Result<(), Denied> {
        match self {
            Self::Rtmp(rtmp) => guard.check_host(&rtmp.host),
            Self::File(..) => guard.check_files(),
            Self::Stream(url) => {
                if !guard.allows_all() {
                    options(url, guard)?;
                }
                guard.check_host(url.host_str().unwrap_or_default())
            }
        }
    }
}

/// The options, if ffmpeg may have them. Parsed as ffmpeg does: from the question mark to the end (SRS's stream ids
/// begin with a `#`), split at each `&`, with names as written.
fn options(url: &Url, guard: &Guard) -> Result<String, Denied> {
    let (scheme, known): (_, &[&str]) = if url.scheme() == "srt" { ("srt", &SRT) } else { ("udp", &UDP) };
    let options = all_options(url);
    for option in options.split('&').filter(|option| !option.is_empty()) {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        if !known.contains(&name) {
            return Err(Denied::Option { scheme, option: name.to_owned() });
        }
        if name == "mode" && value != "caller" {
            guard.check_listen("an srt: destination that is not a caller")?;
        }
    }
    Ok(options.to_owned())
}

/// A question mark after a `#` would be a query for ffmpeg alone: without a real query nothing is passed on.
fn all_options(url: &Url) -> &str {
    url.query().map_or("", |_| &url[url::Position::BeforeQuery..])
}

/// Builds a new URL, so that ffmpeg cannot parse any part of the user's text differently.
fn at(scheme: &str, address: SocketAddr, options: &str) -> Result<Url, NetError> {
    let host = match address.ip() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    };
    let mark = if options.is_empty() { "" } else { "?" };
    let text = format!("{scheme}://{host}:{}{mark}{options}", address.port());
    Url::parse(&text).map_err(|error| NetError::Failed(std::io::Error::other(error)))
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use futures_util::FutureExt;
    use futures_util::future::BoxFuture;

    use super::*;
    use outboard_net::{Policy, Resolver};

    /// A resolver that returns this address for every name.
    #[derive(Debug)]
    struct At(&'static str);

    impl Resolver for At {
        fn lookup(&self, _host: &str, port: u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
            std::future::ready(Ok(vec![SocketAddr::new(self.0.parse().unwrap(), port)])).boxed()
        }
    }

    fn strict(address: &'static str) -> Guard {
        Guard::new(Policy::strict()).unwrap().with_resolver(Arc::new(At(address)))
    }

    async fn shown(url: &str, guard: &Guard) -> Result<String, String> {
        match target(&Target::parse(url).unwrap(), guard).await {
            Ok(Target::Stream(url)) => Ok(url.to_string()),
            Ok(other) => Ok(other.redacted()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[tokio::test]
    async fn ffmpeg_gets_an_address_instead_of_a_name() {
        let url = "srt://name.test:9000?mode=caller&passphrase=0123456789%20a&streamid=#!::r=a,m=publish";
        assert_eq!(
            shown(url, &strict("1.2.3.4")).await.unwrap(),
            "srt://1.2.3.4:9000?mode=caller&passphrase=0123456789%20a&streamid=#!::r=a,m=publish"
        );
        assert_eq!(shown("udp://name.test:5000", &strict("2606::1")).await.unwrap(), "udp://[2606::1]:5000");
        for url in ["srt://u:p@1.2.3.4:9000/x", "srt://1.2.3.4:9000#?mode=listener"] {
            assert_eq!(shown(url, &strict("5.6.7.8")).await.unwrap(), "srt://1.2.3.4:9000");
        }
        // A policy that allows everything passes all options to ffmpeg, but no name.
        let open = Guard::open().with_resolver(Arc::new(At("1.2.3.4")));
        assert_eq!(
            shown("srt://name.test:9000?mode=listener&localaddr=10.0.0.1", &open).await.unwrap(),
            "srt://1.2.3.4:9000?mode=listener&localaddr=10.0.0.1"
        );
    }

    #[tokio::test]
    async fn what_may_not_be_reached_is_refused() {
        for (url, address, words) in [
            ("srt://name.test:9000", "10.0.0.1", "name.test is at 10.0.0.1, a private address"),
            ("udp://127.0.0.1:9000", "1.2.3.4", "127.0.0.1, a loopback address"),
            ("udp://239.1.1.1:9000", "1.2.3.4", "multicast"),
            ("srt://0x7f.1:9000", "1.2.3.4", "127.0.0.1, a loopback address"),
            ("srt://name.test:9000?mode=listener", "1.2.3.4", "listen on this machine"),
            ("srt://name.test:9000?streamid=#a&mode=listener", "1.2.3.4", "listen on this machine"),
            ("srt://name.test:9000?mode=caller&mode=rendezvous", "1.2.3.4", "listen on this machine"),
            ("udp://name.test:9000?localaddr=10.0.0.1", "1.2.3.4", "\"localaddr\" of udp:"),
            ("udp://name.test:9000?pkt_size=1316&sources=10.0.0.1", "1.2.3.4", "\"sources\" of udp:"),
            ("file:/tmp/a.ts", "1.2.3.4", "does not allow files"),
        ] {
            let error = shown(url, &strict(address)).await.unwrap_err();
            assert!(error.contains(words), "{url}: {error}");
        }
        let private = Guard::new(Policy { private: true, public: false, ..Policy::strict() }).unwrap();
        assert!(shown("srt://127.0.0.1:9000?mode=listener", &private).await.is_ok());
    }

    #[test]
    fn what_needs_no_lookup_is_said_before() {
        let guard = strict("1.2.3.4");
        let check = |url: &str| Target::parse(url).unwrap().check(&guard).map_err(|denied| denied.to_string());
        assert_eq!(check("rtmp://name.test/live/key"), Ok(()));
        assert!(check("rtmp://127.0.0.1/live/SECRET").is_err_and(|error| !error.contains("SECRET")));
        assert!(check("rtmps://[::1]/live/key").is_err());
        assert!(check("srt://name.test:1?mode=listener").is_err());
        assert!(check("file:a.ts").is_err());
    }
}
