//! Texts that others wrote, bounded before they are kept or logged.

/// At most so many bytes of the text, cut at a character, with an ellipsis where something is missing.
pub fn shortened(mut text: String, limit: usize) -> String {
    if text.len() > limit {
        let end = (0..=limit).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}

/// The text on one line: a run of white space and control characters becomes one space, none is left at the ends.
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
    }
}
