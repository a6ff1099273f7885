//! Removes values whose name says that they are secret: of headers, and of fields in JSON, `Debug` output and log lines.

use std::borrow::Cow;

use super::words::word_end;

/// Endings of the names of secrets, in lower case.
const NAMES: [&str; 20] = [
    "authorization",
    "cookie",
    "token",
    "secret",
    "password",
    "passwd",
    "pwd",
    "passphrase",
    "apikey",
    "api_key",
    "api-key",
    "streamkey",
    "stream_key",
    "stream-key",
    "secretkey",
    "secret_key",
    "access_key",
    "private_key",
    "credentials",
    "signature",
];

/// Schemes of `Authorization` that are followed by one word.
const ONE_WORD: [&str; 5] = ["bearer", "basic", "token", "negotiate", "apikey"];

/// The text without the values of such names. Names and values are recognised by their form: `name=value`,
/// `"name": "value"`, `name: "value"` and, for headers, `Name: value`.
pub(super) fn redact_named(text: &str) -> Cow<'_, str> {
    let (mut clean, mut done, mut from) = (String::new(), 0, 0);
    while let Some(found) = text.get(from..).and_then(|rest| rest.find([':', '='])) {
        let at = from + found;
        from = at + 1;
        let (before, after) = (text.get(..at).unwrap_or_default(), text.get(at..).unwrap_or_default());
        let Some(name) = Name::at_the_end_of(before) else { continue };
        let Some((skipped, length)) = value(after, &name).filter(|(_, length)| *length > 0) else { continue };
        let start = at + skipped;
        clean.push_str(text.get(done..start).unwrap_or_default());
        clean.push_str("***");
        done = start + length;
        from = done;
    }
    if done == 0 {
        return Cow::Borrowed(text);
    }
    clean.push_str(text.get(done..).unwrap_or_default());
    Cow::Owned(clean)
}

/// A name whose value is secret.
struct Name<'a> {
    text: &'a str,
    /// True if it can be the name of a header: not inside a URL.
    header: bool,
}

impl<'a> Name<'a> {
    fn at_the_end_of(text: &'a str) -> Option<Self> {
        let text = without_colour(text.trim_end_matches(' '));
        let text = text.strip_suffix(['"', '\'']).map_or(text, |quoted| quoted.trim_end_matches('\\'));
        let letters = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
        let head = text.trim_end_matches(letters);
        let name = text.get(head.len()..)?;
        let ends = |end: &&&str| {
            let at = name.len().checked_sub(end.len());
            at.and_then(|at| name.get(at..)).is_some_and(|tail| tail.eq_ignore_ascii_case(end))
        };
        let end = NAMES.iter().find(ends)?;
        let header =
            (matches!(*end, "authorization" | "cookie") || name.contains('-')) && !head.ends_with(['/', '@', ':']);
        Some(Self { text: name, header })
    }

    fn is(&self, end: &str) -> bool {
        self.text.to_ascii_lowercase().ends_with(end)
    }
}

/// Start and length of the value in a text that begins with `:` or `=`.
fn value(text: &str, name: &Name<'_>) -> Option<(usize, usize)> {
    let separator = text.chars().next()?;
    let mut rest = text.get(1..)?;
    // `::` is a path of code, `==` a comparison, `=>` and `://` are something else.
    if rest.starts_with([':', '=', '>']) || rest.starts_with("//") {
        return None;
    }
    let spaces = rest.len() - rest.trim_start_matches([' ', '\t']).len();
    rest = after_colour(rest.get(spaces..)?);
    rest = rest.strip_prefix("Some(").unwrap_or(rest);
    let skipped = |rest: &str| text.len() - rest.len();
    if let Some(list) = rest.strip_prefix('[') {
        return Some((skipped(list), list.find([']', '\n']).unwrap_or(list.len())));
    }
    let slashes = rest.len() - rest.trim_start_matches('\\').len();
    if let Some(quote) = rest.get(slashes..)?.chars().next().filter(|letter| matches!(letter, '"' | '\'')) {
        let inside = rest.get(slashes + 1..)?;
        return Some((skipped(inside), quoted_length(inside, quote, slashes)));
    }
    match separator {
        '=' if spaces == 0 => {
            let whole = word_end(rest);
            let pair = whole.min(rest.find('&').unwrap_or(rest.len()));
            // A URL that follows without a space may have the sign in its password.
            let followed = rest.get(..pair).is_some_and(|value| value.contains("://"));
            Some((skipped(rest), if followed { whole } else { pair }))
        }
        ':' if name.header => Some(header_value(rest, name)).map(|(start, length)| (skipped(rest) + start, length)),
        _ => None,
    }
}

/// Length up to the closing quote of a text that began with a quote behind this many backslashes; without one, up to the end.
fn quoted_length(text: &str, quote: char, slashes: usize) -> usize {
    let ends = text.match_indices(quote).find(|(at, _)| {
        let before = text.get(..*at).unwrap_or_default();
        before.len() - before.trim_end_matches('\\').len() <= slashes
    });
    ends.map_or(text.len(), |(at, _)| text.get(..at).unwrap_or_default().trim_end_matches('\\').len())
}

/// Start and length of the secret in a header's value.
fn header_value(text: &str, name: &Name<'_>) -> (usize, usize) {
    let line = [text.find(['\n', '\r', '\u{fffd}']), text.find("\\r"), text.find("\\n")];
    let line = line.into_iter().flatten().min().unwrap_or(text.len());
    let line_text = text.get(..line).unwrap_or_default();
    if name.is("authorization") {
        // The scheme is no secret.
        let scheme = line_text.find(' ').unwrap_or(line_text.len());
        let one = ONE_WORD.iter().any(|one| line_text.get(..scheme).is_some_and(|word| word.eq_ignore_ascii_case(one)));
        let rest = line_text.get(scheme..).unwrap_or_default();
        let word = rest.trim_start_matches(' ');
        let start = line - word.len();
        if one && !word.is_empty() {
            return (start, word_end(word));
        }
        return (0, line);
    }
    if name.is("cookie") {
        return (0, line);
    }
    (0, word_end(line_text))
}

/// The text without a terminal's colour code at its end, which may be between name and value.
fn without_colour(text: &str) -> &str {
    let mut text = text;
    while let Some(at) = text.strip_suffix('m').and_then(|head| {
        let digits = head.trim_end_matches(|letter: char| letter.is_ascii_digit() || letter == ';');
        digits.strip_suffix("\u{1b}[").map(str::len)
    }) {
        text = text.get(..at).unwrap_or_default();
    }
    text
}

/// The text without a terminal's colour code at its beginning.
fn after_colour(text: &str) -> &str {
    let mut text = text;
    while let Some(rest) = text.strip_prefix("\u{1b}[").and_then(|rest| {
        rest.trim_start_matches(|letter: char| letter.is_ascii_digit() || letter == ';').strip_prefix('m')
    }) {
        text = rest;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_secret_names_are_cut_out() {
        for (text, shown) in [
            ("Authorization: Bearer SECRET, next", "Authorization: Bearer *** next"),
            ("authorization: Digest username=\"ann\", response=\"SECRET\"\nnext", "authorization: ***\nnext"),
            ("Cookie: a=SECRET; b=SECRET\r\nHost: h", "Cookie: ***\r\nHost: h"),
            (r"Cookie: a=SECRET\r\nHost: h", r"Cookie: ***\r\nHost: h"),
            (r#"{"set-cookie": "a=\"SECRET\"; Path=/", "x": 1}"#, r#"{"set-cookie": "***", "x": 1}"#),
            ("X-Api-Key: SECRET next", "X-Api-Key: *** next"),
            (r#"{"auth":{"accessToken":"SECRET","n":1}}"#, r#"{"auth":{"accessToken":"***","n":1}}"#),
            (r#""{\"token\":\"SECRET\",\"n\":1}""#, r#""{\"token\":\"***\",\"n\":1}""#),
            (r#"Auth { password: Some("SECRET"), n: 1 }"#, r#"Auth { password: Some("***"), n: 1 }"#),
            (r#"{"cookie":["SECRET","SECRET"],"n":1}"#, r#"{"cookie":[***],"n":1}"#),
            ("/x?token=SECRET&e=1", "/x?token=***&e=1"),
            ("/x?token=SECRET,http://u:SEC&RET=@h/ n=1", "/x?token=*** n=1"),
            ("password = 'SECRET SECRET', n = 1", "password = '***', n = 1"),
            ("\u{1b}[3mtoken\u{1b}[0m\u{1b}[2m=\u{1b}[0mSECRET n", "\u{1b}[3mtoken\u{1b}[0m\u{1b}[2m=\u{1b}[0m*** n"),
        ] {
            assert_eq!(redact_named(text), shown);
            assert_eq!(redact_named(shown), shown, "what is shown stays as it is");
        }
    }

    #[test]
    fn other_names_and_forms_are_left_alone() {
        for text in [
            "token: not found",
            "the password is wrong: try again",
            "tokens=5",
            "https://token:x@h/",
            "access::token::Kind",
            "token == other",
            "signature:",
            "processor.auth.token: is no text",
        ] {
            assert!(matches!(redact_named(text), Cow::Borrowed(_)), "{text}");
        }
    }
}
