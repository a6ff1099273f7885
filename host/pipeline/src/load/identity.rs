//! What tells sources and destinations apart over restarts: names that hold no secret.

use sha2::{Digest as _, Sha256};
use url::Url;

/// A name that stays the same over restarts and tells no key: the scheme and part of a digest.
pub fn destination_name(url: &str) -> String {
    let digest = Sha256::digest(url.as_bytes());
    let part: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{part}", url.split(':').next().unwrap_or_default())
}

/// Tells sources apart: without user, password, query and fragment, which may change with every token.
pub fn identity(url: &Url) -> String {
    format!(
        "{}://{}:{}{}",
        url.scheme(),
        url.host_str().unwrap_or_default(),
        url.port_or_known_default().unwrap_or(0),
        url.path()
    )
}
