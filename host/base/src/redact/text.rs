//! Removes secrets from any text before it is logged or shown.
//!
//! Callers must not pass secrets in the first place; this removes those that they overlook. Removed are: in URLs the user, the
//! password, the path of RTMP and SRT after the application (the stream key), values of the query and the fragment; the word after
//! `Bearer`, and after `Basic` if it is a name and a password; the host's own tokens and webhook secrets; and values whose name says
//! that they are secret ([`redact_named`]). A text without any of these is not copied.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::named::redact_named;
use super::words::{PUNCTUATION, word_end};

/// Schemes of URLs whose path has a key.
const KEYED: [&str; 7] = ["rtmp", "rtmps", "rtmpt", "rtmpe", "rtmpts", "srt", "udp"];

/// Prefixes of the host's own tokens and webhook secrets.
const OURS: [&str; 2] = ["obt_", "whsec_"];
/// Most URLs that are nested in a path or follow each other without a space; the rest is not shown.
const NESTED_URLS_MAX: usize = 16;
/// Longest name of a query's value, in bytes; a longer one may be a secret itself.
const QUERY_NAME_BYTES_MAX: usize = 32;
/// The text `://` in percent-encoding, lower case.
const ENCODED: &str = "%3a%2f%2f";
/// Fewest characters after such a prefix that count as a token.
const OURS_LETTERS_MIN: usize = 20;

/// The text without secrets.
pub fn redact(text: &str) -> Cow<'_, str> {
    let named = redact_named(text);
    if !has_signs(&named) {
        return named;
    }
    let mut clean = String::with_capacity(named.len());
    let (mut bearer, mut basic, mut rest) = (false, false, &*named);
    while !rest.is_empty() {
        let (word, after) = rest.split_at(word_end(rest));
        if !word.is_empty() && (bearer || (basic && is_name_and_password(word))) {
            clean.push_str("***");
            (bearer, basic) = (false, false);
        } else {
            redact_whole(word, &mut clean);
            let lower = word.to_ascii_lowercase();
            bearer = lower.ends_with("bearer") || (bearer && word.is_empty());
            basic = lower.ends_with("basic") || (basic && word.is_empty());
        }
        rest = after.strip_prefix(|_: char| true).unwrap_or_default();
        clean.push_str(after.strip_suffix(rest).unwrap_or_default());
    }
    if clean == text { Cow::Borrowed(text) } else { Cow::Owned(clean) }
}

/// Appends one URL or word without its secrets, whatever characters it has.
pub(super) fn redact_whole(word: &str, clean: &mut String) {
    redact_word(&redact_ours(word), clean, NESTED_URLS_MAX);
}

/// True if the text may have a secret.
fn has_signs(text: &str) -> bool {
    let signs = ["://", "?"];
    let any_case = ["bearer", "basic", ENCODED];
    signs.iter().chain(&OURS).any(|sign| text.contains(sign))
        || any_case.iter().any(|sign| find_any_case(text, sign).is_some())
}

/// Position of an ASCII text in another, ignoring case.
fn find_any_case(text: &str, sign: &str) -> Option<usize> {
    text.as_bytes().windows(sign.len()).position(|window| window.eq_ignore_ascii_case(sign.as_bytes()))
}

/// True if a word after `Basic` is a name and a password in base64.
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

fn redact_word(word: &str, clean: &mut String, nested: usize) {
    let Some(nested) = nested.checked_sub(1) else { return clean.push('…') };
    let (scheme, rest) = match word.split_once("://") {
        // A query before it: the URL is a part of a value.
        Some((before, _)) if before.split_once('?').is_some_and(|(_, query)| query.contains('=')) => (word, None),
        Some((scheme, rest)) => (scheme, Some(rest)),
        None => (word, None),
    };
    let Some(rest) = rest else {
        // A relative URL; a question has no '=' behind its mark.
        match word.split_once('?') {
            Some((path, query)) if query.contains('=') => {
                redact_encoded(path, clean);
                redact_query(query, clean);
            }
            _ => redact_encoded(word, clean),
        }
        return;
    };
    redact_encoded(scheme, clean);
    clean.push_str("://");
    let rest = without_login(rest);
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if authority.ends_with(':') && path.starts_with("//") {
        // Another URL follows a host without a path.
        return redact_word(rest, clean, nested);
    }
    clean.push_str(authority);
    let (path, rest) = path.split_at(path.find(['?', '#']).unwrap_or(path.len()));
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
        redact_word(path, clean, nested)
    } else {
        redact_encoded(path, clean)
    }
    match rest.strip_prefix('?') {
        Some(query) => redact_query(query, clean),
        None if rest.is_empty() => {}
        None => clean.push_str("#…"),
    }
}

/// The text after `://`, without user and password. Passwords may have unencoded characters that end an authority, which is recognised
/// by an invalid port.
fn without_login(rest: &str) -> &str {
    let authority = rest.get(..rest.find(['/', '?', '#']).unwrap_or(rest.len())).unwrap_or_default();
    if let Some((login, _)) = authority.rsplit_once('@') {
        return rest.get(login.len() + 1..).unwrap_or_default();
    }
    let port = authority.rsplit_once(':').map_or("", |(_, port)| port);
    let odd = !authority.starts_with('[') && port.contains(|letter: char| !letter.is_ascii_digit());
    match rest.rsplit_once('@') {
        Some((_, host)) if odd => host,
        _ => rest,
    }
}

/// Appends a text that may have a percent-encoded URL, of which only scheme and host are kept.
fn redact_encoded(text: &str, clean: &mut String) {
    let Some(at) = find_any_case(text, ENCODED) else { return clean.push_str(text) };
    let (scheme, rest) = text.split_at(at + ENCODED.len());
    clean.push_str(scheme);
    let ends = ["%2f", "%3f", "%23"].iter().filter_map(|sign| find_any_case(rest, sign));
    let end = ends.chain(rest.find(['/', '?', '#', '&'])).min().unwrap_or(rest.len());
    let authority = rest.get(..end).unwrap_or_default();
    let host = authority.rsplit_once("%40").map_or(authority, |(_, host)| host);
    clean.push_str(host.rsplit_once('@').map_or(host, |(_, host)| host));
    if end < rest.len() {
        clean.push('…');
    }
}

/// Appends the path up to the application, if a key follows it; alone, the application may be a key itself.
fn redact_key(path: &str, clean: &mut String) {
    let mut parts = path.trim_start_matches('/').splitn(2, '/');
    match (parts.next().filter(|part| !part.is_empty()), parts.next().filter(|part| !part.is_empty())) {
        (None, _) => {}
        (Some(_), None) => clean.push_str("/…"),
        // Another URL follows a key alone.
        (Some(_), Some(_)) if path.contains("://") => clean.push_str("/…"),
        (Some(app), Some(_)) => {
            clean.push('/');
            clean.push_str(app);
            clean.push_str("/…");
        }
    }
}

/// True if this is the name of a query's value.
fn is_name(text: &str) -> bool {
    let letters = |letter: char| letter.is_ascii_alphanumeric() || "-_.~[]%:$".contains(letter);
    text.len() <= QUERY_NAME_BYTES_MAX && text.chars().all(letters)
}

/// True if the character after a `=` shows that the text before it is base64 with padding.
fn ends_no_name(sign: char) -> bool {
    matches!(sign, '=' | '|') || PUNCTUATION.contains(&sign)
}

/// Appends a query without its values. A name without a value may be a secret in base64 with padding.
fn redact_query(query: &str, clean: &mut String) {
    let query = query.split_once('#').map_or(query, |(query, _)| query);
    // What follows a URL in a value may be a part of its password.
    let mut names = true;
    for (n, pair) in query.split('&').enumerate() {
        clean.push(if n == 0 { '?' } else { '&' });
        match pair.split_once('=') {
            Some((name, value)) if names && is_name(name) && value.starts_with(|sign| !ends_no_name(sign)) => {
                clean.push_str(name);
                clean.push_str("=***");
            }
            None if pair.is_empty() => {}
            _ => clean.push_str("***"),
        }
        names &= !pair.contains("://");
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
            ("BEARER SECRET", "BEARER ***"),
            ("https://h,https://u:SECRET@i/x", "https://h,https://i/x"),
            ("rtmp://u:SEC/RET?S#S@h/live/SECRET", "rtmp://h/live/…"),
            ("'http://u:p'SECRET@h/x', 'http://i/'", "'http://h/x', 'http://i/'"),
            ("/x?t=SECRET&next=http://h/", "/x?t=***&next=***"),
            ("http://h/x?U0VDUkVUU0VDUkVU=", "http://h/x?***"),
            ("http://h/p/https%3A%2F%2Fu%3ASECRET%40i%2Fx", "http://h/p/https%3A%2F%2Fi…"),
            ("Authorization: Basic dXNlcjpTRUNSRVQ=, next", "Authorization: Basic *** next"),
            ("basic  dXNlcjpTRUNSRVQ=", "basic  ***"),
            ("token obt_SECRETSECRETSECRETSECRET0123456789-_abcdefg, no", "token obt_***, no"),
            (r#"{"secret":"whsec_SECRETSECRETSECRETSECRET0123456789-_abcdefg"}"#, r#"{"secret":"***"}"#),
            (r#"["whsec_SECRET+SECRET/SECRET/SECRET+0123456789+/abcdef="]"#, r#"["whsec_***"]"#),
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
    fn urls_in_urls_end() {
        let shown = redact(&"http://u:SECRET@h/".repeat(100_000)).into_owned();
        assert_eq!(shown, format!("{}…", "http://h/".repeat(NESTED_URLS_MAX).trim_end_matches('/')));
        assert_eq!(redact(&shown), shown);
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
