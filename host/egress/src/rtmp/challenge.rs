//! What the description of a refused `connect` says about a login.

/// Whether the description of a refused `connect` requests a login.
pub(super) fn is_asked_for(description: &str) -> bool {
    description.contains("authmod=")
}

/// The method: the text after `authmod=`.
pub(super) fn method(description: &str) -> &str {
    let rest = description.split("authmod=").nth(1).unwrap_or_default();
    rest.split(|letter: char| !letter.is_ascii_alphanumeric()).next().unwrap_or_default()
}
