//! Values that must not get out by accident: nothing prints or serialises them.

use std::fmt;

/// Holds a secret. `Debug` does not show it, and it has no `Display` and no `Serialize`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Hidden<T>(T);

impl<T> Hidden<T> {
    /// Takes a secret, which is then readable only through [`Self::get`] and [`Self::take`].
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The secret itself; the caller must not print, log or store it in the clear.
    pub fn get(&self) -> &T {
        &self.0
    }

    /// Unwraps the secret; the caller is then responsible for hiding it.
    pub fn take(self) -> T {
        self.0
    }
}

impl<T> From<T> for Hidden<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T> fmt::Debug for Hidden<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}
