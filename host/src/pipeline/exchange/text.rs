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

#[cfg(test)]
mod tests {
    use super::shortened;

    #[test]
    fn a_text_is_cut_at_a_character() {
        assert_eq!(shortened("été".to_owned(), 5), "été");
        assert_eq!(shortened("été".to_owned(), 4), "ét…");
        assert_eq!(shortened("été".to_owned(), 1), "…");
        assert_eq!(shortened(String::new(), 0), "");
    }
}
