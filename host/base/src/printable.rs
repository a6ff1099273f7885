//! The common check of all texts in settings: one line of characters that are displayed as they are written.
//!
//! Settings are used in request headers, log lines, playlists, arguments of ffmpeg and RTMP messages. Control
//! characters there could add a line or change the terminal, which the author of the setting did not intend.

use crate::redact::steers;

/// Characters of an invalid value that are shown.
const SHOWN_CHARS_MAX: usize = 80;

/// Whether a setting may not contain this character: a control character, a line separator, or one that changes the
/// writing direction.
pub fn is_refused(letter: char) -> bool {
    letter.is_control() || steers(letter)
}

/// Checks a text that is not secret.
///
/// # Errors
/// The value with the refused characters escaped, and what would be valid.
pub fn check(text: &str) -> Result<(), String> {
    check_hidden(text).map_err(|wrong| {
        let shown: String = text.chars().take(SHOWN_CHARS_MAX).collect();
        format!("{shown:?} {wrong}")
    })
}

/// Checks a text that may be secret.
///
/// # Errors
/// The refused character, escaped, and what would be valid; without the value.
pub fn check_hidden(text: &str) -> Result<(), String> {
    match text.chars().enumerate().find(|(_, letter)| is_refused(*letter)) {
        None => Ok(()),
        Some((n, letter)) => Err(format!(
            "contains {} as character {}; it must be one line without control characters",
            letter.escape_debug(),
            n + 1
        )),
    }
}

/// The text without the refused characters, for further checks after the problem is reported.
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
            assert!(hidden.starts_with("contains \\") && !hidden.contains("SECRET"), "{hidden}");
            assert_eq!(cleaned(&text), "aSECRET");
        }
        for text in ["", "été 三 …", "https://u:p@h.test/x?y=z#w", "a b\u{a0}c"] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }
}
