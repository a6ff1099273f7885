//! Removes characters that control a terminal, begin a line, or change the direction of text.

use std::borrow::Cow;

/// Replaces a removed character.
const REPLACEMENT: &str = "\u{fffd}";

/// True for a character that controls instead of being displayed.
pub fn steers(letter: char) -> bool {
    let turns = matches!(letter, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || (letter.is_control() && letter != '\t')
}

/// The text on one line, with each control character replaced by U+FFFD.
pub fn plain(text: &str) -> Cow<'_, str> {
    if text.contains(steers) { text.replace(steers, REPLACEMENT).into() } else { text.into() }
}

/// Like [`plain`], for a text that may have several lines.
pub fn plain_lines(text: &str) -> Cow<'_, str> {
    let steers = |letter| letter != '\n' && steers(letter);
    if text.contains(steers) { text.replace(steers, REPLACEMENT).into() } else { text.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_is_taken_out() {
        assert_eq!(plain("a\u{1b}[2J\r\n\tb\u{9b}1m\u{202e}c"), "a\u{fffd}[2J\u{fffd}\u{fffd}\tb\u{fffd}1m\u{fffd}c");
        assert_eq!(plain_lines("a\r\n\u{7}b"), "a\u{fffd}\n\u{fffd}b");
        assert!(matches!(plain("été …"), Cow::Borrowed(_)) && matches!(plain_lines("a\nb"), Cow::Borrowed(_)));
    }
}
