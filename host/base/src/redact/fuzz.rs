//! Fuzz target `redactions`: URLs and headers of every accepted kind, with secrets in their usual positions, in the forms in which
//! texts quote them. No six characters of a secret may be shown; scheme and host must be.

use std::fmt::Write as _;

use arbitrary::{Result, Unstructured};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::secrets::decoded;
use super::{redact, url};

/// Consecutive characters of a secret that must not be shown.
const SEEN_MAX: usize = 6;

/// Generates a text and checks its redacted form.
pub fn redactions(data: &[u8]) {
    let mut u = Unstructured::new(data);
    // Input that runs out makes no text.
    if let Ok(text) = text(&mut u) {
        text.hold();
    }
    if let Ok(link) = Link::made_up(&mut u) {
        link.hold();
    }
    // Whatever else it is: what was redacted stays as it is.
    let other = String::from_utf8_lossy(data);
    let shown = redact(&other);
    assert_eq!(redact(&shown), shown, "{other:?}");
    let shown = url(&other);
    assert_eq!(url(&shown), shown, "{other:?}");
}

/// A generated text and the secrets in it.
#[derive(Default)]
struct Text {
    text: String,
    secrets: Vec<String>,
    /// Schemes with hosts that must remain readable.
    places: Vec<String>,
}

impl Text {
    fn hold(&self) {
        let shown = redact(&self.text);
        held_back(&self.secrets, &self.text, &shown);
        for place in &self.places {
            assert!(shown.contains(place.as_str()), "{place:?} is not readable: {:?} is shown as {shown:?}", self.text);
        }
        assert_eq!(redact(&shown), shown, "{:?}", self.text);
    }
}

/// Checks that no part of a secret is shown, neither encoded nor decoded.
fn held_back(secrets: &[String], whole: &str, shown: &str) {
    let shown = [shown.to_owned(), decoded(shown).into_owned()];
    for secret in secrets {
        let letters: Vec<char> = decoded(secret).chars().collect();
        for part in letters.windows(SEEN_MAX).map(|part| part.iter().collect::<String>()) {
            assert!(!shown.iter().any(|shown| shown.contains(&part)), "{part:?} of {whole:?} is shown: {shown:?}");
        }
    }
}

/// A secret of at least six characters: letters, digits, and those of `more`.
fn secret(u: &mut Unstructured<'_>, more: &str) -> Result<String> {
    const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let letters: Vec<char> = LETTERS.chars().collect();
    let signs: Vec<char> = more.chars().collect();
    // No host, name or word around it has these letters.
    let mut secret = "Zq7".to_owned();
    for _ in 0..u.int_in_range(4..=24)? {
        match u.int_in_range(0..=7)? {
            // Two quotes in a row, or one with a comma behind it, are the text's.
            0 if !signs.is_empty() && !secret.ends_with(['\'', '`', '|']) => secret.push(*u.choose(&signs)?),
            1 if signs.contains(&'%') => {
                let _ = write!(secret, "%{:02X}", u.choose(b"/:@?#& %'\"")?);
            }
            _ => secret.push(*u.choose(&letters)?),
        }
    }
    // A sign at the end would be one of the text's.
    secret.push_str("x9");
    Ok(escaped(&secret))
}

/// A percent sign that encodes nothing is none of a URL's.
fn escaped(secret: &str) -> String {
    let mut clean = String::new();
    let mut rest = secret;
    while let Some((before, after)) = rest.split_once('%') {
        clean.push_str(before);
        let encodes = after.as_bytes().get(..2).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        clean.push_str(if encodes { "%" } else { "%25" });
        rest = after;
    }
    clean + rest
}

/// A generated URL and its secrets.
struct Link {
    text: String,
    secrets: Vec<String>,
    scheme: &'static str,
    host: String,
}

/// The characters of user names and passwords, and of the path and the query of a URL.
const LOGIN: &str = "-._~!$&'()*+,;=%";
const PATH: &str = "-._~!$&'()*+,;=@%|";
const QUERY: &str = "-._~!$'()*+,;@/?%|`";

impl Link {
    /// One of a kind that a source, a processor, a destination, a webhook, a proxy or a database is named by.
    fn made_up(u: &mut Unstructured<'_>) -> Result<Self> {
        const SCHEMES: [&str; 15] = [
            "http",
            "https",
            "ws",
            "wss",
            "rtmp",
            "rtmps",
            "rtmpt",
            "srt",
            "udp",
            "postgres",
            "postgresql",
            "socks5",
            "socks5h",
            "file",
            "ftp",
        ];
        const HOSTS: [&str; 7] = [
            "h.example",
            "CDN.Example.COM",
            "127.0.0.1",
            "[2001:db8::1]",
            "bücher.example",
            "xn--bcher-kva.example",
            "h",
        ];
        let scheme = *u.choose(&SCHEMES)?;
        let host = (*u.choose(&HOSTS)?).to_owned();
        let mut link = Self { text: String::new(), secrets: Vec::new(), scheme, host };
        let upper = u.arbitrary::<bool>()?;
        link.text.push_str(&if upper { scheme.to_ascii_uppercase() } else { scheme.to_owned() });
        link.text.push_str("://");
        if scheme == "file" {
            link.host = String::new();
            link.text.push_str("/media/x.ts");
            return Ok(link);
        }
        match u.int_in_range(0..=3)? {
            0 => link.secret(u, "", LOGIN, "@")?,
            1 => {
                link.secret(u, "", LOGIN, ":")?;
                link.secret(u, "", LOGIN, "@")?;
            }
            2 => link.secret(u, "ann:", LOGIN, "@")?,
            _ => {}
        }
        link.text.push_str(&link.host.clone());
        if u.arbitrary()? {
            let _ = write!(link.text, ":{}", u.int_in_range(1..=65535)?);
        }
        match scheme {
            "rtmp" | "rtmps" | "rtmpt" => {
                link.text.push_str(if u.arbitrary()? { "/live" } else { "" });
                link.secret(u, "/", PATH, "")?;
            }
            "srt" | "udp" if u.arbitrary()? => link.secret(u, "/live/", PATH, "")?,
            _ => link.text.push_str(u.choose(&["/live/x.m3u8", "/", "/socket.io/", "/hook"])?),
        }
        link.query(u)?;
        Ok(link)
    }

    fn query(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        const NAMES: [&str; 12] = [
            "token",
            "e",
            "Policy",
            "Key-Pair-Id",
            "X-Amz-Signature",
            "hdnts",
            "passphrase",
            "streamid",
            "password",
            "auth",
            "sslpassword",
            "key",
        ];
        for n in 0..u.int_in_range(0..=3)? {
            let mark = if n == 0 { '?' } else { '&' };
            match u.int_in_range(0..=4)? {
                0 => self.secret(u, &mark.to_string(), QUERY, "")?,
                1 => {
                    let encoded = STANDARD.encode(secret(u, "")?);
                    let _ = write!(self.text, "{mark}{encoded}");
                    self.secrets.push(encoded);
                }
                2 => self.secret(u, &format!("{mark}hdnts=exp=1~acl=/*~hmac="), "", "")?,
                _ => {
                    let name = *u.choose(&NAMES)?;
                    self.secret(u, &format!("{mark}{name}="), QUERY, "")?;
                }
            }
        }
        if u.ratio(1, 4)? {
            self.secret(u, "#access_token=", "", "")?;
        }
        Ok(())
    }

    fn secret(&mut self, u: &mut Unstructured<'_>, before: &str, signs: &str, after: &str) -> Result<()> {
        let secret = secret(u, signs)?;
        self.text.push_str(before);
        self.text.push_str(&secret);
        self.text.push_str(after);
        self.secrets.push(secret);
        Ok(())
    }

    /// The redacted form of the URL alone.
    fn hold(&self) {
        let shown = url(&self.text);
        held_back(&self.secrets, &self.text, &shown);
        let host = ::url::Url::parse(&self.text).ok().and_then(|url| url.host_str().map(str::to_owned));
        let place = format!("{}://{}", self.scheme, host.unwrap_or_default());
        assert!(shown.to_lowercase().contains(&place.to_lowercase()), "{place:?} is not readable: {shown:?}");
        assert_eq!(url(&shown), shown, "{}", self.text);
    }
}

/// A header with its secrets.
fn header(u: &mut Unstructured<'_>) -> Result<(&'static str, String, Vec<String>)> {
    let key = secret(u, "-_.~+/")?;
    let other = secret(u, "")?;
    let pair = STANDARD.encode(format!("{other}:{key}"));
    Ok(match u.int_in_range(0..=9)? {
        0 => ("Authorization", format!("Bearer {key}"), vec![key]),
        1 => ("Authorization", format!("Basic {pair}"), vec![pair]),
        2 => {
            let value = format!("Digest username=\"{other}\", realm=\"r\", nonce=\"{key}\", response=\"{key}\"");
            ("Authorization", value, vec![key, other])
        }
        3 => ("Proxy-Authorization", format!("Basic {pair}"), vec![pair]),
        4 => ("Authorization", key.clone(), vec![key]),
        5 => ("Cookie", format!("sid={key}; theme=dark; other={other}"), vec![key, other]),
        6 => ("Set-Cookie", format!("sid=\"{key}\"; Path=/; HttpOnly"), vec![key]),
        7 => ("X-Api-Key", key.clone(), vec![key]),
        8 => ("X-Auth-Token", key.clone(), vec![key]),
        _ => {
            let value = format!("AWS4-HMAC-SHA256 Credential={other}/s3, SignedHeaders=host, Signature={key}");
            ("Authorization", value, vec![key, other])
        }
    })
}

/// One quoted URL or header, on its own line.
fn line(u: &mut Unstructured<'_>) -> Result<Text> {
    let (quote, other) = *u.choose(&[("'", "\""), ("\"", "'"), ("`", "'")])?;
    if u.ratio(1, 3)? {
        let (name, value, secrets) = header(u)?;
        let name = if u.arbitrary()? { name.to_owned() } else { name.to_ascii_lowercase() };
        let json = serde_json::json!({ "headers": { (name.as_str()): value.as_str() }, "n": 1 }).to_string();
        let text = match u.int_in_range(0..=6)? {
            0 => format!("{name}: {value}"),
            1 => format!("{name}:{value}"),
            2 => json,
            3 => serde_json::json!({ "said": json }).to_string(),
            4 => format!("{:?}", std::collections::BTreeMap::from([(name, value)])),
            5 => format!("-headers {}", format!("{name}: {value}\r\nHost: h\r\n").escape_debug()),
            _ => serde_json::json!({ name: [value] }).to_string(),
        };
        return Ok(Text { text, secrets, places: Vec::new() });
    }
    if u.ratio(1, 6)? {
        const NAMES: [&str; 8] =
            ["token", "accessToken", "password", "client_secret", "api_key", "streamKey", "secretKey", "signature"];
        let (name, key) = (*u.choose(&NAMES)?, secret(u, "-_.~+/=")?);
        let json = serde_json::json!({ "auth": { name: key } }).to_string();
        let text = match u.int_in_range(0..=3)? {
            0 => json,
            1 => serde_json::json!({ "said": json }).to_string(),
            2 => format!("Auth {{ {name}: Some({key:?}), n: 1 }}"),
            _ => format!("{name}={key} n=1"),
        };
        return Ok(Text { text, secrets: vec![key], places: Vec::new() });
    }
    let Link { text: link, secrets, host, .. } = Link::made_up(u)?;
    let scheme = link.split_once("://").map_or("", |(scheme, _)| scheme);
    let place = format!("{scheme}://{host}");
    let text = match u.int_in_range(0..=12)? {
        0 => link,
        1 => format!("{quote}{link}{quote}"),
        2 => format!("[https @ 0x55d0] Opening '{link}' for reading"),
        3 => format!("Input #0, hls, from '{link}':"),
        4 => format!("{link}: Connection refused"),
        5 => format!("Error opening output {link}: Input/output error"),
        6 => serde_json::json!({ "url": link, "n": 1 }).to_string(),
        7 => serde_json::json!({ "said": serde_json::json!([link]).to_string() }).to_string(),
        8 => format!("Some({link:?})"),
        9 => format!("url={link} n=1"),
        10 => format!("{{{other}url{other}: {other}{link}{other}, n: 1}}"),
        11 => format!("\u{1b}[2murl\u{1b}[0m={link}\u{1b}[0m"),
        _ => {
            let encoded: String = ::url::form_urlencoded::byte_serialize(link.as_bytes()).collect();
            let text = format!("GET /proxy/{encoded} HTTP/1.1");
            return Ok(Text { text, secrets, places: Vec::new() });
        }
    };
    Ok(Text { text, secrets, places: vec![place] })
}

/// Some lines, and some URLs in one line.
fn text(u: &mut Unstructured<'_>) -> Result<Text> {
    let mut all = Text::default();
    for _ in 0..u.int_in_range(1..=3)? {
        let line = line(u)?;
        all.text.push_str(&line.text);
        all.text.push_str(u.choose(&["\n", "\r\n"])?);
        all.secrets.extend(line.secrets);
        all.places.extend(line.places);
    }
    let between = *u.choose(&[" ", ", ", " | ", ",", "|", "\t"])?;
    for n in 0..u.int_in_range(0..=3)? {
        let link = Link::made_up(u)?;
        if n > 0 {
            all.text.push_str(between);
        }
        // What follows at once is a part of the first, as far as anybody can tell.
        if n == 0 || between.contains([' ', '\t']) {
            let scheme = link.text.split_once("://").map_or("", |(scheme, _)| scheme);
            all.places.push(format!("{scheme}://{}", link.host));
        }
        all.text.push_str(&link.text);
        all.secrets.extend(link.secrets);
    }
    Ok(all)
}
