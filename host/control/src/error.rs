//! Why the control plane does not do something. One list for GraphQL, REST and the command line.

use outboard_base::Problem;
use outboard_store::journal::JournalError;

/// What a caller is told. Never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// Nobody knows who is calling.
    #[error("{0}")]
    Unauthenticated(String),
    /// The caller may not do this.
    #[error("{0}")]
    Forbidden(String),
    /// It is not there, or the caller may not know that it is.
    #[error("{0}")]
    NotFound(String),
    /// What was given is wrong.
    #[error("{}", sentence(.0))]
    InvalidInput(Vec<Problem>),
    /// It contradicts what is there.
    #[error("{0}")]
    Conflict(String),
    /// A quota or limit is reached.
    #[error("{0}")]
    LimitExceeded(String),
    /// It cannot be done now; the same call may work later.
    #[error("{0}")]
    Unavailable(String),
}

impl ControlError {
    /// One thing is wrong with what was given.
    pub fn invalid(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self::InvalidInput(vec![Problem { path: path.into(), message: message.into() }])
    }

    /// The word that clients act on (`extensions.code`).
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unauthenticated(_) => "UNAUTHENTICATED",
            Self::Forbidden(_) => "FORBIDDEN",
            Self::NotFound(_) => "NOT_FOUND",
            Self::InvalidInput(_) => "INVALID_INPUT",
            Self::Conflict(_) => "CONFLICT",
            Self::LimitExceeded(_) => "LIMIT_EXCEEDED",
            Self::Unavailable(_) => "UNAVAILABLE",
        }
    }

    /// What is wrong with the input, if that is it.
    pub fn problems(&self) -> &[Problem] {
        match self {
            Self::InvalidInput(problems) => problems,
            _ => &[],
        }
    }
}

pub(super) fn sentence(problems: &[Problem]) -> String {
    let all: Vec<String> = problems.iter().map(|problem| format!("{} {}", problem.path, problem.message)).collect();
    all.join("; ")
}

/// What a caller is told where the database or its journal does not answer; the rest is logged.
pub(super) fn unread(error: JournalError) -> ControlError {
    match error {
        // Logged when it was found.
        JournalError::Lost(trouble) => ControlError::Unavailable(format!("the server's database file {trouble}")),
        error => {
            tracing::error!(%error, "the journal does not answer");
            ControlError::Unavailable("the server's database does not answer".to_owned())
        }
    }
}
