//! Removes secrets from texts and URLs before they are shown. All logs, events, status and errors use this module.
//!
//! Secrets are found by their position in a URL ([`redact`], [`url()`]), not by searching a text for their values: a search for a
//! short key would cut pieces out of many messages, and so reveal it. A text from outside may quote a secret without its URL; such a
//! text is omitted as a whole ([`Secrets`]). Characters that control a terminal or begin a new line are removed where texts from
//! outside arrive, and where lines are written ([`plain()`]).

#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz;
mod named;
mod plain;
mod secrets;
mod text;
mod words;

pub use plain::{plain, plain_lines, steers};
pub use secrets::{LEFT_OUT, Secrets};
pub use text::redact;

/// A URL without its secrets: user, password, everything after the application of RTMP and SRT, values of the query, the fragment. A
/// text that is no URL, or has no host, becomes `…`; a `file:` URL is returned unchanged.
pub fn url(text: &str) -> String {
    let text = text.trim();
    match ::url::Url::parse(text) {
        Ok(parsed) if parsed.scheme() == "file" => text.to_owned(),
        // The fragment is of no use to a reader.
        Ok(mut parsed) if parsed.has_authority() => {
            parsed.set_fragment(None);
            let mut clean = String::new();
            text::redact_whole(parsed.as_str(), &mut clean);
            clean
        }
        // It may be a key in a playlist, or a name and a secret that look like a scheme and a path.
        Ok(parsed) if parsed.scheme() == "data" => "data:…".to_owned(),
        _ => "…".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::url;

    #[test]
    fn urls_keep_what_names_a_place_only() {
        for (whole, shown) in [
            (
                "https://ann:pw@host:8443/live/x.m3u8?token=abc&e=1#frag",
                "https://host:8443/live/x.m3u8?token=***&e=***",
            ),
            ("http://h/x", "http://h/x"),
            ("http://h/x?c2VjcmV0", "http://h/x?***"),
            (" rtmp://u:pw@h:1/app/SECRET?t=SECRET ", "rtmp://h:1/app/…?…"),
            ("rtmp://h:1/a", "rtmp://h:1/…"),
            ("srt://h:9000?passphrase=SECRET&mode=caller", "srt://h:9000?…"),
            ("udp://h:9000?pkt_size=1", "udp://h:9000?…"),
            ("rtmp://h", "rtmp://h"),
            ("file:/x.ts", "file:/x.ts"),
            ("SECRET", "…"),
            ("ann:SECRET", "…"),
            ("localhost:3000/live/SECRET", "…"),
            ("rtmp:/h/live/SECRET", "…"),
            ("data:text/plain;base64,SECRET", "data:…"),
            ("http://u:p'SECRET@h/x'SECRET?a|SECRET", "http://h/x'SECRET?***"),
        ] {
            assert_eq!(url(whole), shown);
            assert_eq!(url(shown.trim()), shown, "what is shown stays as it is");
        }
    }
}
