//! Credentials of a destination that requires a login.

/// User and password from the destination's URL.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// User name, which errors may show.
    pub user: String,
    /// Password, which is never shown or logged.
    pub password: String,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").field("user", &self.user).finish_non_exhaustive()
    }
}
