//! Finds the end of a word, such as a URL or a value, in a text.

/// Characters that may follow a URL in a text.
pub(super) const PUNCTUATION: [char; 7] = [',', ';', ':', ')', ']', '}', '.'];

/// The end of the word at the beginning of a text: before the first character that cannot be in a URL. Brackets and commas can be in
/// one, and belong to the word. So can some quotes, which end the word only if no part of it can follow.
pub(super) fn word_end(text: &str) -> usize {
    let hard = |letter: char| letter.is_whitespace() || letter.is_control() || matches!(letter, '"' | '<' | '>');
    let soft = |letter: char| matches!(letter, '\'' | '`' | '\\' | '|');
    let closes = |rest: &str| {
        let behind = rest.trim_start_matches(PUNCTUATION);
        behind.chars().next().is_none_or(|letter| hard(letter) || (soft(letter) && behind.len() < rest.len()))
    };
    let ends = |(at, letter): &(usize, char)| {
        hard(*letter) || (soft(*letter) && closes(text.get(at + letter.len_utf8()..).unwrap_or_default()))
    };
    text.char_indices().find(ends).map_or(text.len(), |(at, _)| at)
}
