//! The last net under the log: what gives access is cut out of a text before anybody sees it.
//!
//! Those who log must not hand secrets in at all; this catches what slips through. It knows URLs: user, password, the
//! path of RTMP and SRT behind the application (the stream key), values of the query, the fragment; the word after
//! `Bearer`, and after `Basic` where it is a name and a password; our own tokens and webhook secrets, wherever they stand.
//! A text without any of these is not copied.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Schemes whose path holds a key.
const KEYED: [&str; 7] = ["rtmp", "rtmps", "rtmpt", "rtmpe", "rtmpts", "srt", "udp"];

/// Begin what this server makes: tokens, and secrets of webhooks.
const OURS: [&str; 2] = ["obt_", "whsec_"];
/// Fewer letters behind that are a word like any other.
const OURS_LETTERS_MIN: usize = 20;

/// The text without what gives access.
pub fn redact(text: &str) -> Cow<'_, str> {
    let signs = ["://", "?", "earer ", "asic "];
    if !signs.iter().chain(&OURS).any(|sign| text.contains(sign)) {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len());
    let (mut bearer, mut basic) = (false, false);
    for part in text.split_inclusive(ends_word) {
        let (word, end) = match part.char_indices().next_back() {
            Some((at, last)) if ends_word(last) => part.split_at(at),
            _ => (part, ""),
        };
        if !word.is_empty() && (bearer || (basic && is_name_and_password(word))) {
            clean.push_str("***");
            (bearer, basic) = (false, false);
        } else {
            redact_word(&redact_ours(word), &mut clean);
            let lower = word.to_ascii_lowercase();
            bearer = lower.ends_with("bearer") || (bearer && word.is_empty());
            basic = lower.ends_with("basic") || (basic && word.is_empty());
        }
        clean.push_str(end);
    }
    if clean == text { Cow::Borrowed(text) } else { Cow::Owned(clean) }
}

/// What cannot stand in a URL. A bracket or a comma can, and goes with what it follows.
fn ends_word(letter: char) -> bool {
    letter.is_whitespace() || letter.is_control() || matches!(letter, '"' | '\'' | '<' | '>' | '`' | '\\' | '|')
}

/// What follows `Basic` in a header; other words do too.
fn is_name_and_password(word: &str) -> bool {
    let encoded = word.trim_end_matches([',', ';', ')', ']', '}', '.']);
    STANDARD.decode(encoded).is_ok_and(|pair| pair.contains(&b':'))
}

fn redact_ours(word: &str) -> Cow<'_, str> {
    let mut word = Cow::Borrowed(word);
    for prefix in OURS {
        let mut from = 0;
        while let Some(at) = word.get(from..).and_then(|rest| rest.find(prefix)) {
            from += at + prefix.len();
            // Base64, in either alphabet; a token is in the one for URLs, and may stand in a path.
            let more = if prefix == "whsec_" { "-_+/=" } else { "-_" };
            let letters = |letter: char| letter.is_ascii_alphanumeric() || more.contains(letter);
            let length = word.get(from..).map_or(0, |rest| rest.find(|letter| !letters(letter)).unwrap_or(rest.len()));
            if length >= OURS_LETTERS_MIN {
                word.to_mut().replace_range(from..from + length, "***");
            }
        }
    }
    word
}

fn redact_word(word: &str, clean: &mut String) {
    let Some((scheme, rest)) = word.split_once("://") else {
        // A relative URL; a question has no '=' behind its mark.
        match word.split_once('?') {
            Some((path, query)) if query.contains('=') => {
                clean.push_str(path);
                redact_query(query, clean);
            }
            _ => clean.push_str(word),
        }
        return;
    };
    clean.push_str(scheme);
    clean.push_str("://");
    let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    clean.push_str(authority.rsplit_once('@').map_or(authority, |(_, host)| host));
    let (path, rest) = rest.split_at(rest.find(['?', '#']).unwrap_or(rest.len()));
    // Letters may stand before the scheme, such as the codes that colour a terminal.
    if KEYED.iter().any(|keyed| scheme.to_ascii_lowercase().ends_with(keyed)) {
        redact_key(path, clean);
        if rest.starts_with('?') {
            clean.push_str("?…");
        }
        return;
    }
    // One URL may stand in another's path.
    if path.contains("://") {
        redact_word(path, clean)
    } else {
        clean.push_str(path)
    }
    match rest.strip_prefix('?') {
        Some(query) => redact_query(query, clean),
        None if rest.is_empty() => {}
        None => clean.push_str("#…"),
    }
}

/// The application stays, if something follows it; alone it may be a key itself.
fn redact_key(path: &str, clean: &mut String) {
    let mut parts = path.trim_start_matches('/').splitn(2, '/');
    match (parts.next().filter(|part| !part.is_empty()), parts.next().filter(|part| !part.is_empty())) {
        (None, _) => {}
        (Some(_), None) => clean.push_str("/…"),
        (Some(app), Some(_)) => {
            clean.push('/');
            clean.push_str(app);
            clean.push_str("/…");
        }
    }
}

/// Names stay; a name without a value may be the secret itself.
fn redact_query(query: &str, clean: &mut String) {
    let query = query.split_once('#').map_or(query, |(query, _)| query);
    for (n, pair) in query.split('&').enumerate() {
        clean.push(if n == 0 { '?' } else { '&' });
        match pair.split_once('=') {
            Some((name, _)) => {
                clean.push_str(name);
                clean.push_str("=***");
            }
            None if pair.is_empty() => {}
            None => clean.push_str("***"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::url;

    #[test]
    fn what_gives_access_is_cut_out() {
        for (text, shown) in [
            ("to rtmp://h:1935/live/SECRET now", "to rtmp://h:1935/live/… now"),
            ("rtmps://u:SECRET@[::1]:443/app/inst/SECRET?x=SECRET", "rtmps://[::1]:443/app/…?…"),
            ("rtmp://h/SECRET", "rtmp://h/…"),
            ("srt://h:9000?passphrase=SECRET&mode=caller", "srt://h:9000?…"),
            ("(RTMP://h/live/SECRET)", "(RTMP://h/live/…"),
            ("https://ann:SECRET@h/live/x.m3u8?token=SECRET&e=1#SECRET", "https://h/live/x.m3u8?token=***&e=***"),
            ("http://h/x?SECRET", "http://h/x?***"),
            ("http://h/x#access_token=SECRET", "http://h/x#…"),
            ("http://h/a?next=http://u:SECRET@h/", "http://h/a?next=***"),
            ("http://h/http://u:SECRET@i/x", "http://h/http://i/x"),
            ("/live/x.m3u8?token=SECRET: 404", "/live/x.m3u8?token=*** 404"),
            (r#"{"url":"rtmp://h/live/SECRET","n":1}"#, r#"{"url":"rtmp://h/live/…","n":1}"#),
            (r#"Some(\"rtmp://h/live/SECRET\")"#, r#"Some(\"rtmp://h/live/…\")"#),
            ("\u{1b}[2m=\u{1b}[0mrtmp://h/live/SECRET\u{1b}[0m", "\u{1b}[2m=\u{1b}[0mrtmp://h/live/…\u{1b}[0m"),
            ("url=rtmp://h/live/SECRET why=x", "url=rtmp://h/live/… why=x"),
            ("Authorization: Bearer SECRET, next", "Authorization: Bearer *** next"),
            ("bearer  SECRET", "bearer  ***"),
            ("Authorization: Basic dXNlcjpTRUNSRVQ=, next", "Authorization: Basic *** next"),
            ("basic  dXNlcjpTRUNSRVQ=", "basic  ***"),
            ("token obt_SECRETSECRETSECRETSECRET0123456789-_abcdefg, no", "token obt_***, no"),
            (r#"{"secret":"whsec_SECRETSECRETSECRETSECRET0123456789-_abcdefg"}"#, r#"{"secret":"whsec_***"}"#),
            (r#"{"secret":"whsec_SECRET+SECRET/SECRET/SECRET+0123456789+/abcdef="}"#, r#"{"secret":"whsec_***"}"#),
            ("/x/obt_SECRETSECRETSECRETSECRET/whsec_SECRETSECRETSECRETSECRET", "/x/obt_***/whsec_***"),
        ] {
            assert_eq!(redact(text), shown);
        }
    }

    #[test]
    fn other_texts_are_left_alone_and_not_copied() {
        for text in [
            "on air in 2.0 s",
            "why? nobody knows = nothing",
            "http://127.0.0.1:3000/",
            "the bearer of this",
            "basic settings are enough",
            "Basic YQ== is no pair",
            "names that begin with obt_ or whsec_short",
            "obt_***",
            "rtmp://h",
            "https://h/live/x.m3u8?token=***&e=***",
            "wss://host/ns",
            "…?…",
            "",
        ] {
            assert_eq!(redact(text), text.replace("bearer of", "bearer ***"));
            if !text.contains("bearer") {
                assert!(matches!(redact(text), Cow::Borrowed(_)), "{text}");
            }
        }
    }

    #[test]
    fn what_is_redacted_already_stays_as_it_is() {
        for whole in ["rtmp://u:p@h:1/app/key?t=x", "rtmp://h:1/key", "srt://h:9000?passphrase=0123456789"] {
            let shown = url(whole);
            assert_eq!(redact(&shown), shown);
            assert_eq!(redact(whole), shown);
        }
    }
}
