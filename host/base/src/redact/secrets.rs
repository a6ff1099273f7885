//! Omits texts from outside that quote a known secret.

use std::borrow::Cow;

use super::{plain, redact};

/// Replaces a text that quotes a secret.
pub const LEFT_OUT: &str = "(its words quote a secret and are left out)";

/// Shortest value that counts as a secret, in bytes. Shorter values of a query, a header or a setting are common words, such as `1` or
/// `live`.
const VALUE_MIN: usize = 6;

/// The secrets that must not be shown, such as those of one destination.
#[derive(Clone, Default)]
pub struct Secrets {
    values: Vec<String>,
    /// A secret of any length, such as a stream key.
    key: Option<String>,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secrets({})", self.values.len() + usize::from(self.key.is_some()))
    }
}

impl Secrets {
    /// Values that may be secrets, such as parts of a URL and values of headers; short ones are ignored. Each is also recognised without
    /// its percent-encoding, and by its parts, such as those of an `Authorization` or a `Cookie` header.
    pub fn new(values: impl IntoIterator<Item = String>) -> Self {
        let mut known = Vec::new();
        for value in values {
            let pairs = value.split([';', ',']).filter_map(|pair| pair.split_once('=')).map(|(_, value)| value);
            let mut words = value.split_whitespace();
            let credential = (words.next().and(words.next())).filter(|_| words.next().is_none());
            let parts = pairs.chain(credential).map(|part| part.trim().trim_matches('"')).chain([value.as_str()]);
            known.extend(parts.flat_map(|part| [part.to_owned(), decoded(part).into_owned()]));
        }
        known.retain(|value| value.len() >= VALUE_MIN);
        known.sort_unstable();
        known.dedup();
        Self { values: known, key: None }
    }

    /// Adds a key, which is a secret of any length.
    pub fn and_key(self, key: &str) -> Self {
        Self { key: (!key.is_empty()).then(|| key.to_owned()), ..self }
    }

    /// A text from outside on one line, without the secrets of URLs. If it quotes one of these secrets, all of it is replaced by
    /// [`LEFT_OUT`]: in a known sentence, a single gap would reveal the secret. Not for the host's own texts.
    pub fn hide(&self, said: &str) -> String {
        let text = redact(said);
        if self.quoted_in(&text) { LEFT_OUT.to_owned() } else { plain(&text).into_owned() }
    }

    /// True if a text quotes one of the secrets.
    pub fn quoted_in(&self, text: &str) -> bool {
        let plain = decoded(text);
        [text, &*plain].into_iter().any(|text| {
            self.key.as_deref().is_some_and(|key| has_word(text, key) || has_word(text, &decoded(key)))
                || self.values.iter().any(|value| text.contains(value.as_str()))
        })
    }
}

/// The text with its percent-encoding decoded.
pub(super) fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let digits = after.get(..2).filter(|digits| *first == b'%' && digits.iter().all(u8::is_ascii_hexdigit));
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

/// True if a text has this as a whole word; a short key may be part of many words.
fn has_word(text: &str, word: &str) -> bool {
    let joins = |letter: char| letter.is_alphanumeric() || letter == '_';
    let ends = |before: Option<char>, inside: Option<char>| !before.is_some_and(joins) || !inside.is_some_and(joins);
    text.match_indices(word).any(|(at, _)| {
        let (before, after) = (text.get(..at).unwrap_or_default(), text.get(at + word.len()..).unwrap_or_default());
        word.len() >= VALUE_MIN
            || (ends(before.chars().next_back(), word.chars().next())
                && ends(after.chars().next(), word.chars().next_back()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_quote_a_secret_are_left_out_as_a_whole() {
        let secrets = Secrets::new(["PASSWORD".to_owned(), "1".to_owned()]).and_key("a");
        for said in ["the PASSWORD is wrong", "stream a is busy", "live/a", "a", "xPASSWORDx"] {
            assert_eq!(secrets.hide(said), LEFT_OUT, "{said}");
        }
        for (said, shown) in [
            ("stream is already publishing", "stream is already publishing"),
            ("1 of 3", "1 of 3"),
            ("bad\r\nline", "bad\u{fffd}\u{fffd}line"),
            ("rtmp://h/live/PASSWORD: no", "rtmp://h/live/… no"),
        ] {
            assert_eq!(secrets.hide(said), shown);
        }
        assert_eq!(Secrets::default().and_key("long-key").hide("xlong-keyx"), LEFT_OUT);
        assert_eq!(Secrets::default().hide("anything"), "anything");
        assert_eq!(format!("{secrets:?}"), "Secrets(2)");
    }

    #[test]
    fn a_secret_is_known_in_every_form_it_can_be_quoted_in() {
        let secrets = |value: &str| Secrets::new([value.to_owned()]);
        for (value, said) in [
            ("pass%2Fword", "wrong password: pass/word"),
            ("pass/word", "no such path: /a/pass%2fword"),
            ("Bearer SECRET1", "SECRET1 has expired"),
            ("sid=SECRET1; theme=dark", "no session SECRET1"),
            ("Digest username=\"ann\", response=\"SECRET1\"", "bad response SECRET1"),
        ] {
            assert_eq!(secrets(value).hide(said), LEFT_OUT, "{said}");
        }
        assert_eq!(Secrets::default().and_key("a%20b").hide("no stream a b here"), LEFT_OUT);
        assert_eq!(secrets("Bearer SECRET1").hide("no scheme but Bearer"), "no scheme but Bearer");
        assert_eq!(secrets("sid=SECRET1; theme=dark").hide("100 % dark, %zz"), "100 % dark, %zz");
    }
}
