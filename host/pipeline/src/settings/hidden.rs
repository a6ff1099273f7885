//! The visible form of values that may be secret.

use serde_json::{Value, json};

use super::Header;
use outboard_base::redact;

/// The text that is shown in place of a secret.
pub const HIDDEN: &str = "…";

/// Headers with hidden values.
pub(super) fn shown_headers(headers: &[Header]) -> Value {
    headers.iter().map(|header| json!({ "name": header.name, "value": HIDDEN })).collect()
}

/// A source's URL without credentials; an invalid URL is hidden completely.
pub fn shown_url(url: &str) -> String {
    redact::url(url)
}
