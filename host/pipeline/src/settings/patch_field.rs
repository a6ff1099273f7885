//! Single fields of a change.

use serde::{Deserialize, Deserializer};
use url::Origin;

/// Distinguishes an absent field from `null`.
pub(super) fn named<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Changes a field if the patch contains it.
pub(super) fn set<T>(field: &mut Option<T>, patch: Option<Option<T>>) {
    if let Some(value) = patch {
        *field = value;
    }
}

/// Scheme, host and port; `None` for an invalid URL.
pub(super) fn origin(url: &str) -> Option<Origin> {
    url::Url::parse(url).ok().map(|url| url.origin())
}
