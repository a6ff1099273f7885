//! A destination's URL, checked and parsed, and its form for display.
//!
//! In: a URL as users paste it. Out: what the RTMP client or ffmpeg needs. Keys, queries and credentials stay here:
//! everything that is logged or shown passes through [`redact`] or [`Secrets`].

use std::path::PathBuf;

use thiserror::Error;
use url::Url;

use super::rtmp::credentials::Login;
use outboard_base::redact::{self, Secrets};

/// Why a URL is not a valid destination. Never contains the URL.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum TargetError {
    /// Not a URL at all.
    #[error("the destination is not a URL: {0}")]
    NotUrl(String),
    /// A scheme that is not supported.
    #[error("destinations with {0}: are not supported, expected rtmp:, rtmps:, srt:, udp: or file:")]
    Scheme(String),
    /// The URL of this scheme has no host.
    #[error("the {0}: destination names no host")]
    NoHost(String),
    /// The application or the stream key is missing.
    #[error("the {0}: destination must have the form {0}://host[:port]/app/key")]
    NoKey(String),
    /// The URL of this scheme has no port.
    #[error("the {0}: destination names no port")]
    NoPort(String),
    /// The file's extension does not name a supported format.
    #[error("the file destination ends in {0:?}, expected .flv, .ts, .mp4 or .mkv")]
    Extension(String),
}

/// Protocol and address of a destination; contains secrets.
#[derive(Clone, PartialEq, Eq)]
pub enum Target {
    /// RTMP or RTMPS, sent by the host itself.
    Rtmp(RtmpTarget),
    /// A network scheme of ffmpeg, as the whole URL; carries MPEG-TS.
    Stream(Url),
    /// A file that ffmpeg writes.
    File(PathBuf, FileFormat),
}

/// The parameters of an RTMP session.
#[derive(Clone, PartialEq, Eq)]
pub struct RtmpTarget {
    /// Whether TLS is used from the first byte.
    pub tls: bool,
    /// Host name or address, without brackets.
    pub host: String,
    /// TCP port of the server.
    pub port: u16,
    /// Application, with its instance if there is one.
    pub app: String,
    /// The URL for `connect`, without key and credentials.
    pub tc_url: String,
    /// Stream key with its query: a secret.
    pub key: String,
    /// User and password, for servers that require a login.
    pub login: Option<Login>,
}

/// Container of a file destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFormat {
    /// A file with the extension `.flv`.
    Flv,
    /// A file with the extension `.ts`.
    Ts,
    /// A file with the extension `.mp4`, fragmented.
    Mp4,
    /// A file with the extension `.mkv`.
    Mkv,
}

impl Target {
    /// Parses a destination URL.
    ///
    /// # Errors
    /// [`TargetError`], which never contains the URL.
    pub fn parse(text: &str) -> Result<Self, TargetError> {
        let text = text.trim();
        // Users write a plain path after `file:`; in a URL it would have to be absolute and escaped.
        if let Some(path) = text.strip_prefix("file:") {
            let path = PathBuf::from(path.strip_prefix("//").unwrap_or(path));
            let ending = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
            let format = match ending.as_str() {
                "flv" => FileFormat::Flv,
                "ts" => FileFormat::Ts,
                "mp4" | "m4v" => FileFormat::Mp4,
                "mkv" => FileFormat::Mkv,
                _ => return Err(TargetError::Extension(ending)),
            };
            return Ok(Self::File(path, format));
        }
        let url = Url::parse(text).map_err(|error| TargetError::NotUrl(error.to_string()))?;
        let scheme = url.scheme().to_owned();
        match scheme.as_str() {
            "rtmp" | "rtmps" => rtmp(&url).map(Self::Rtmp),
            "srt" | "udp" => {
                url.host_str().filter(|host| !host.is_empty()).ok_or(TargetError::NoHost(scheme.clone()))?;
                url.port().ok_or(TargetError::NoPort(scheme))?;
                Ok(Self::Stream(url))
            }
            _ => Err(TargetError::Scheme(scheme)),
        }
    }

    /// The form for logs and display.
    pub fn redacted(&self) -> String {
        match self {
            Self::Rtmp(target) => format!("{}/…", target.tc_url),
            Self::Stream(url) => redact::url(url.as_str()),
            Self::File(path, _) => format!("file:{}", path.display()),
        }
    }

    /// Texts that must not be shown.
    pub fn secrets(&self) -> Secrets {
        match self {
            Self::Rtmp(target) => {
                // Servers name the stream with or without its query.
                let (key, query) = target.key.split_once('?').unwrap_or((&target.key, ""));
                let values = query.split('&').filter_map(|pair| pair.split_once('=')).map(|(_, value)| value);
                let password = target.login.iter().map(|login| login.password.as_str());
                let parts = [target.key.as_str(), query].into_iter().chain(values).chain(password);
                Secrets::new(parts.map(str::to_owned)).and_key(key)
            }
            Self::Stream(url) => {
                // After `streamid=`, in SRS's form, there is a fragment.
                let parts = url.query().into_iter().chain(url.fragment()).chain(url.password()).map(str::to_owned);
                Secrets::new(parts.chain(url.query_pairs().map(|(_, value)| value.into_owned())))
            }
            Self::File(..) => Secrets::default(),
        }
    }
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Target({})", self.redacted())
    }
}

impl std::fmt::Debug for RtmpTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RtmpTarget({}/…)", self.tc_url)
    }
}

/// Splits application and key as ffmpeg does: `/app/key`, `/app/instance/key...`; the query belongs to the key.
fn rtmp(url: &Url) -> Result<RtmpTarget, TargetError> {
    let scheme = url.scheme();
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or(TargetError::NoHost(scheme.to_owned()))?;
    let path = url.path().strip_prefix('/').unwrap_or_default();
    let no_key = || TargetError::NoKey(scheme.to_owned());
    let (first, rest) = path.split_once('/').ok_or_else(no_key)?;
    // A colon before the next slash is a play path like `mp4:name`, not an instance.
    let (app, key) = match rest.split_once('/') {
        Some((instance, key)) if !instance.contains(':') => (format!("{first}/{instance}"), key),
        _ => (first.to_owned(), rest),
    };
    if app.is_empty() || key.is_empty() {
        return Err(no_key());
    }
    let tls = scheme == "rtmps";
    let port = url.port().unwrap_or(if tls { 443 } else { 1935 });
    let shown_port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    Ok(RtmpTarget {
        tls,
        host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
        port,
        tc_url: format!("{scheme}://{host}{shown_port}/{app}"),
        app,
        key: url.query().map_or_else(|| key.to_owned(), |query| format!("{key}?{query}")),
        login: login(url),
    })
}

/// User and password before the host, percent-decoded.
fn login(url: &Url) -> Option<Login> {
    let (user, password) = (decoded(url.username()), decoded(url.password().unwrap_or_default()));
    (!user.is_empty() || !password.is_empty()).then_some(Login { user, password })
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, more @ ..] = rest {
        let hex = more.get(..2).filter(|_| *first == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = more.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = more;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use outboard_base::redact::LEFT_OUT;

    fn rtmp_of(text: &str) -> RtmpTarget {
        match Target::parse(text).unwrap() {
            Target::Rtmp(target) => target,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn rtmp_urls_split_as_ffmpeg_splits_them() {
        let plain = rtmp_of("rtmp://a.example/live/key");
        assert_eq!((plain.host.as_str(), plain.port, plain.tls), ("a.example", 1935, false));
        assert_eq!((plain.app.as_str(), plain.key.as_str()), ("live", "key"));
        assert_eq!(plain.tc_url, "rtmp://a.example/live");
        let full = rtmp_of("rtmps://user:pw@[::1]:1443/app/inst/key/more?x=y&z=%20");
        assert_eq!((full.host.as_str(), full.port, full.tls), ("::1", 1443, true));
        assert_eq!((full.app.as_str(), full.key.as_str()), ("app/inst", "key/more?x=y&z=%20"));
        assert_eq!(full.tc_url, "rtmps://[::1]:1443/app/inst");
        assert_eq!(full.login, Some(Login { user: "user".into(), password: "pw".into() }));
        assert_eq!(plain.login, None);
        let escaped = rtmp_of("rtmp://me%40x:p%3Aw%zz@h/app/key").login.unwrap();
        assert_eq!((escaped.user.as_str(), escaped.password.as_str()), ("me@x", "p:w%zz"));
        assert_eq!(rtmp_of("rtmps://h/app/key").port, 443);
        assert_eq!(rtmp_of("rtmp://h/vod/mp4:a/b").app, "vod");
    }

    #[test]
    fn others_go_through_ffmpeg() {
        assert!(matches!(Target::parse("srt://h:9000?passphrase=0123456789").unwrap(), Target::Stream(_)));
        assert!(matches!(Target::parse("udp://127.0.0.1:5000?pkt_size=1316").unwrap(), Target::Stream(_)));
        assert_eq!(Target::parse("file:/a b/c.MP4").unwrap(), Target::File("/a b/c.MP4".into(), FileFormat::Mp4));
        assert_eq!(Target::parse("file:///a/c.mkv").unwrap(), Target::File("/a/c.mkv".into(), FileFormat::Mkv));
        assert_eq!(Target::parse("file:c.ts").unwrap(), Target::File("c.ts".into(), FileFormat::Ts));
        assert_eq!(Target::parse("file:c.flv").unwrap().redacted(), "file:c.flv");
    }

    #[test]
    fn what_is_wrong_is_said_without_the_url() {
        let wrong = |text: &str| Target::parse(text).unwrap_err();
        assert_eq!(wrong("rtmp://h/live"), TargetError::NoKey("rtmp".into()));
        assert_eq!(wrong("rtmp://h/live/"), TargetError::NoKey("rtmp".into()));
        assert_eq!(wrong("rtmp:///live/k"), TargetError::NoHost("rtmp".into()));
        assert_eq!(wrong("srt://h"), TargetError::NoPort("srt".into()));
        assert_eq!(wrong("http://h/x"), TargetError::Scheme("http".into()));
        assert_eq!(wrong("file:/x/y"), TargetError::Extension(String::new()));
        assert!(matches!(wrong("secret key"), TargetError::NotUrl(_)));
        assert!(!wrong("secret key").to_string().contains("secret"));
    }

    #[test]
    fn secrets_are_hidden() {
        let target = Target::parse("rtmp://h/live/SECRET").unwrap();
        assert_eq!(format!("{target:?}"), "Target(rtmp://h/live/…)");
        assert_eq!(format!("{:?}", rtmp_of("rtmp://h/live/SECRET")), "RtmpTarget(rtmp://h/live/…)");
        assert_eq!(target.secrets().hide("no SECRET here"), LEFT_OUT);
        let login = Target::parse("rtmp://someone:SECRET0@h/live/key").unwrap();
        assert_eq!(
            (login.redacted().as_str(), format!("{login:?}").as_str()),
            ("rtmp://h/live/…", "Target(rtmp://h/live/…)")
        );
        assert_eq!(login.secrets().hide("the password SECRET0 is wrong"), LEFT_OUT);
        assert_eq!(
            (login.secrets().hide("stream key is busy"), login.secrets().hide("keys")),
            (LEFT_OUT.into(), "keys".into())
        );
        let srt = Target::parse("srt://h:9000?passphrase=SECRET0123&mode=caller").unwrap();
        let shown = srt.secrets().hide("srt://h:9000?passphrase=SECRET0123&mode=caller: failed");
        assert_eq!(shown, "srt://h:9000?… failed");
        assert_eq!(srt.secrets().hide("passphrase SECRET0123"), LEFT_OUT);
        assert_eq!(Target::parse("file:a.ts").unwrap().secrets().hide("a"), "a");
    }
}
