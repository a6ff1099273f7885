//! Shortens external texts and puts them on one line, before they are stored or logged.

use crate::redact::plain;

/// At most `limit` bytes of the text, truncated at a character and marked with an ellipsis; control characters are
/// removed.
pub fn shortened(mut text: String, limit: usize) -> String {
    if text.len() > limit {
        let end = (0..=limit).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    match plain(&text) {
        std::borrow::Cow::Borrowed(_) => text,
        std::borrow::Cow::Owned(plain) => plain,
    }
}

/// The text on one line: each run of white space and control characters becomes one space, and the ends are trimmed.
pub fn one_line(text: &str) -> String {
    let words = text.split(|letter: char| letter.is_whitespace() || letter.is_control());
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::{one_line, shortened};

    #[test]
    fn a_text_becomes_one_line() {
        assert_eq!(one_line(" a\r\n\tb\u{1b}[31m \u{7}"), "a b [31m");
    }

    #[test]
    fn a_text_is_cut_at_a_character() {
        assert_eq!(shortened("été".to_owned(), 5), "été");
        assert_eq!(shortened("été".to_owned(), 4), "ét…");
        assert_eq!(shortened("été".to_owned(), 1), "…");
        assert_eq!(shortened(String::new(), 0), "");
        assert_eq!(shortened("a\r\nb".to_owned(), 9), "a\u{fffd}\u{fffd}b");
    }
}
