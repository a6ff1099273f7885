//! Names that may become names of folders: those of tenants, streams, webhooks and tokens.

use crate::limits::NAME_BYTES_MAX;

/// A name that cannot be that of a folder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {value:?} must be 1 to {NAME_BYTES_MAX} letters, digits, '-', '_' or '.', and not start with '.'")]
pub struct NameError {
    /// What the name is for, such as `tenant`.
    pub what: &'static str,
    /// The name that was refused.
    pub value: String,
}

/// Checks that a name can be that of a folder on every system. `what` says in the error what the name is for.
///
/// # Errors
/// [`NameError`], whose text says which names are valid.
pub fn check_name(what: &'static str, value: &str) -> Result<(), NameError> {
    let fits = (1..=NAME_BYTES_MAX).contains(&value.len())
        && !value.starts_with('.')
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if fits { Ok(()) } else { Err(NameError { what, value: value.to_owned() }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_folders_on_every_system() {
        for name in ["a", "tv-1", "A.b_c", &"x".repeat(NAME_BYTES_MAX)] {
            assert_eq!(check_name("tenant", name), Ok(()), "{name}");
        }
        for name in ["", ".", "..", ".x", "a/b", "a\\b", "a b", "é", "a:b", "a\0", &"x".repeat(NAME_BYTES_MAX + 1)] {
            let told = check_name("tenant", name).unwrap_err().to_string();
            assert!(told.starts_with(&format!("tenant {name:?} must be 1 to 64 letters")), "{told}");
        }
    }
}
