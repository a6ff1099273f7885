//! Where a word of a text ends: a URL, or a value.

/// What can follow a URL in a text.
pub(super) const PUNCTUATION: [char; 7] = [',', ';', ':', ')', ']', '}', '.'];

/// Where the word ends that a text begins with: before what cannot stand in a URL. A bracket or a comma can, and goes with
/// what it follows; so can some quotes, which end a word only where nothing of it can follow.
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
