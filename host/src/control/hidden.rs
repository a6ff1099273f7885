//! Values that must not get out by accident: nothing prints or serialises them.

use std::fmt;

/// Holds a secret. `Debug` does not show it, and it has no `Display` and no `Serialize`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Hidden<T>(T);

impl<T> Hidden<T> {
    /// Hides it.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// Looks at it.
    pub fn get(&self) -> &T {
        &self.0
    }

    /// Takes it out.
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
