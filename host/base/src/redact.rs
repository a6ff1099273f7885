//! What may be shown of a text or a URL. The one place for it: logs, events, status and errors all come here.
//!
//! Secrets are found by where they stand in a URL ([`redact`], [`url()`]), not by looking for them in a text: a search for a
//! short key would tear holes into every message, and the holes would tell the key. Words that somebody else said may quote
//! a secret without a URL around it; such words are left out as a whole ([`Secrets`]). What would steer a terminal or
//! begin a line of its own is taken out where texts of others come in and where lines go out ([`plain()`]).

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

/// A URL without what gives access: user, password, what follows the application of RTMP and SRT, values of the query, the
/// fragment. What is no URL, or names no host, is not shown; a `file:` URL is.
pub fn url(text: &str) -> String {
    let text = text.trim();
    match ::url::Url::parse(text) {
        Ok(parsed) if parsed.scheme() == "file" => text.to_owned(),
        // A fragment alone is nothing that anybody looks for.
        Ok(mut parsed) if parsed.has_authority() => {
            parsed.set_fragment(None);
            let mut clean = String::new();
            text::redact_whole(parsed.as_str(), &mut clean);
            clean
        }
        // A key in a playlist, or a name and a secret that look like a scheme and a path.
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
