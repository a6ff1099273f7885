//! The one check of every text that comes from a setting: it is one line that shows as it is written.
//!
//! Settings end up in request headers, log lines, playlists, arguments of ffmpeg and RTMP messages. A character that ends a
//! line or steers a terminal would mean something there that nobody wrote.

use crate::redact::steers;

/// Characters of a wrong value that are shown.
const SHOWN_CHARS_MAX: usize = 80;

/// Whether a setting may not hold this character: a control character, a separator of lines, or one that turns the direction
/// of reading.
pub fn is_refused(letter: char) -> bool {
    letter.is_control() || steers(letter)
}

/// Checks a text that is not secret.
///
/// # Errors
/// The value with what is refused written as an escape, and what would be right.
pub fn check(text: &str) -> Result<(), String> {
    check_hidden(text).map_err(|wrong| {
        let shown: String = text.chars().take(SHOWN_CHARS_MAX).collect();
        format!("{shown:?} {wrong}")
    })
}

/// Checks a text that may be secret.
///
/// # Errors
/// The character that is refused, written as an escape, and what would be right; without the value.
pub fn check_hidden(text: &str) -> Result<(), String> {
    match text.chars().enumerate().find(|(_, letter)| is_refused(*letter)) {
        None => Ok(()),
        Some((n, letter)) => Err(format!(
            "holds {} as its character {}; it must be one line without control characters",
            letter.escape_debug(),
            n + 1
        )),
    }
}

/// The text without what is refused: what is checked further once the problem is noted.
pub fn cleaned(text: &str) -> String {
    text.chars().filter(|letter| !is_refused(*letter)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_a_line_or_steers_is_refused_and_other_text_is_not() {
        for letter in
            ['\0', '\t', '\n', '\r', '\u{1b}', '\u{7f}', '\u{85}', '\u{9b}', '\u{2028}', '\u{2029}', '\u{202e}']
        {
            let text = format!("a{letter}SECRET");
            let wrong = check(&text).unwrap_err();
            assert!(wrong.contains("character 2") && wrong.starts_with("\"a\\"), "{wrong}");
            assert!(!wrong.contains(is_refused), "{wrong:?}");
            let hidden = check_hidden(&text).unwrap_err();
            assert!(hidden.starts_with("holds \\") && !hidden.contains("SECRET"), "{hidden}");
            assert_eq!(cleaned(&text), "aSECRET");
        }
        for text in ["", "été 三 …", "https://u:p@h.test/x?y=z#w", "a b\u{a0}c"] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }
}
