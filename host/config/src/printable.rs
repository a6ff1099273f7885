//! Which texts of a configuration may be shown when they are invalid.

use outboard_base::printable::{check, check_hidden};

/// Prefixes of settings that may contain a key or a password: their values are never shown.
const SECRET: [&str; 8] = [
    "source.url",
    "source.backup_url",
    "source.headers",
    "processor.url",
    "processor.auth",
    "processor.headers",
    "air.to",
    "defaults.",
];
/// Checks the text of the setting `path`; the error shows the value only if the setting is not secret.
///
/// # Errors
/// Those of [`check`] or [`check_hidden`].
pub fn check_setting(path: &str, text: &str) -> Result<(), String> {
    let secret = SECRET.iter().any(|start| path.starts_with(start));
    if secret { check_hidden(text) } else { check(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown() {
        for path in ["source.headers[0]", "air.to[3]", "processor.auth"] {
            let hidden = check_setting(path, "a\nSECRET").unwrap_err();
            assert!(hidden.starts_with("contains \\") && !hidden.contains("SECRET"), "{hidden}");
        }
        let shown = check_setting("storage.dir", "a\nb").unwrap_err();
        assert!(shown.starts_with("\"a\\nb\" contains \\n"), "{shown}");
    }
}
