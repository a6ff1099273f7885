//! What can go wrong with a stage, kept apart by whose doing it is: the stage decided so (error value), the stage broke
//! (trap, limit, invalid answer), or we broke (host failure).

use super::contract;
use super::kind::StageKind;
use crate::limits::{STAGE_PROBLEMS_MAX, STAGE_TEXT_CHARS_MAX};
use outboard_base::Digest;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;
use thiserror::Error;

/// Why a call of a stage brought no answer of the stage's own.
#[derive(Debug, Clone, Error)]
pub enum StageError {
    /// The stage answered with an error value. It stays in use.
    #[error("{call}: the stage answered: {}", ErrorText(.error))]
    Answered {
        /// The contract's function.
        call: &'static str,
        /// The error value.
        error: contract::Error,
    },
    /// The stage trapped. The instance is gone.
    #[error("{call}: the stage trapped: {message}{}", Frames(.frames))]
    Trap {
        /// The contract's function.
        call: &'static str,
        /// What the trap was, and what the stage last wrote to stderr.
        message: String,
        /// Names of the functions on the stack, innermost first.
        frames: Vec<String>,
    },
    /// The stage went over a limit. The instance is gone.
    #[error("{call}: the stage went over its limit of {limit}")]
    Limit {
        /// The contract's function.
        call: &'static str,
        /// Which limit.
        limit: Limit,
    },
    /// The stage answered something that breaks the contract's rules. The instance is gone.
    #[error("{call}: the stage's answer breaks the contract: {reason}")]
    Invalid {
        /// The contract's function.
        call: &'static str,
        /// Which rule, with the numbers.
        reason: String,
    },
    /// The host could not run the stage.
    #[error("{call}: the host could not run the stage: {reason}")]
    Host {
        /// The contract's function, or `instantiate`.
        call: &'static str,
        /// What failed.
        reason: String,
    },
    /// The stage failed before, and the wait before its next start is not over.
    #[error("{call}: the stage failed {failures} times; it is restarted in {remaining:?}")]
    BackingOff {
        /// The contract's function.
        call: &'static str,
        /// Failures since an instance last ran long enough to reset the count.
        failures: u32,
        /// Time until it may be started again.
        remaining: Duration,
    },
}

/// A limit that a stage went over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Linear memory and tables of the instance, in bytes.
    Memory(u64),
    /// Time spent executing in one call.
    Cpu(Duration),
    /// Time from start to end of one call, also while the stage only waits.
    WallClock(Duration),
    /// Call stack.
    Stack,
    /// Size of a snapshot.
    Snapshot {
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// Instances that the host runs at once.
    Instances(u32),
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Limit::Memory(bytes) => write!(f, "{bytes} bytes of memory"),
            Limit::Cpu(time) => write!(f, "{time:?} of execution"),
            Limit::WallClock(time) => write!(f, "{time:?} from start to end"),
            Limit::Stack => write!(f, "stack"),
            Limit::Snapshot { size, limit } => write!(f, "{limit} bytes for a snapshot ({size} were given)"),
            Limit::Instances(count) => write!(f, "{count} instances in this host"),
        }
    }
}

/// Why a file cannot be used as a stage.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The file could not be read.
    #[error("{path}: {source}", path = .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is larger than a component may be.
    #[error("{size} bytes; a component may have {limit} at most")]
    TooLarge {
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// It is no WebAssembly component at all.
    #[error("this is not a WebAssembly component: {0}")]
    NotAComponent(String),
    /// It wants more than a stage gets.
    #[error("a stage has nothing but its calls, and this component imports {}", .0.join(", "))]
    ForbiddenImports(Vec<String>),
    /// It does not implement exactly one of the contract's worlds.
    #[error("{0}")]
    World(String),
    /// It is another kind of stage than is wanted here.
    #[error("this is a {is} stage; a {wanted} stage is wanted")]
    WrongKind {
        /// Its kind.
        is: StageKind,
        /// The wanted kind.
        wanted: StageKind,
    },
    /// It failed in its first call, `describe`.
    #[error(transparent)]
    Describe(#[from] StageError),
    /// It failed in its first call, in a process of its own.
    #[error("{0}")]
    FirstCall(String),
    /// It is over a bound of what is compiled at all, or cannot be read.
    #[error("the component is not compiled: {0}")]
    Unfit(String),
    /// The host could not compile or load it.
    #[error("the component could not be compiled: {0}")]
    Compile(String),
    /// It ended the process that compiled it, or reached its limits.
    #[error("the component could not be compiled: {0}. It is not tried again")]
    Broke(String),
    /// It did so before.
    #[error(
        "sha256:{digest} is not compiled again: when it was, {reason}. It is tried again once limits.compile_seconds or \
         limits.compile_memory is raised, or the host's operator runs: outboard stage release sha256:{digest}"
    )]
    Quarantined {
        /// The file's digest.
        digest: Digest,
        /// What happened then.
        reason: String,
    },
    /// Too many of the tenant's components wait to be compiled.
    #[error("{waiting} components of this tenant wait to be compiled already; try again later")]
    Busy {
        /// So many.
        waiting: usize,
    },
    /// The host cannot compile now; not for a reason in the component.
    #[error("the component cannot be compiled now: {0}")]
    Unavailable(String),
}

impl LoadError {
    /// Whether the same file may be taken later.
    pub fn passes(&self) -> bool {
        matches!(self, Self::Busy { .. } | Self::Unavailable(_))
    }
}

/// Why the stage runtime could not start.
#[derive(Debug, Error)]
pub enum RuntimeError {
    /// The WebAssembly engine could not be set up.
    #[error("the WebAssembly engine could not be set up: {0}")]
    Engine(String),
    /// The thread that keeps stages' time could not be started.
    #[error("the thread that keeps stages' time could not be started: {0}")]
    Ticker(std::io::Error),
}

impl StageError {
    /// An error value as it is kept: texts and lists cut to length.
    pub(super) fn answered(call: &'static str, error: contract::Error) -> Self {
        let error = match error {
            contract::Error::InvalidSettings(mut problems) => {
                problems.truncate(STAGE_PROBLEMS_MAX);
                let short = |problem: contract::Problem| contract::Problem {
                    path: clipped(problem.path),
                    message: clipped(problem.message),
                };
                contract::Error::InvalidSettings(problems.into_iter().map(short).collect())
            }
            contract::Error::UnreadableState(text) => contract::Error::UnreadableState(clipped(text)),
            contract::Error::InvalidInput(text) => contract::Error::InvalidInput(clipped(text)),
            contract::Error::Other(text) => contract::Error::Other(clipped(text)),
        };
        StageError::Answered { call, error }
    }

    /// The contract's function in which it happened.
    pub fn call(&self) -> &'static str {
        match self {
            StageError::Answered { call, .. }
            | StageError::Trap { call, .. }
            | StageError::Limit { call, .. }
            | StageError::Invalid { call, .. }
            | StageError::Host { call, .. }
            | StageError::BackingOff { call, .. } => call,
        }
    }

    /// Whether the stage could not read the state that it was opened with.
    pub fn is_unreadable_state(&self) -> bool {
        matches!(self, StageError::Answered { error: contract::Error::UnreadableState(_), .. })
    }

    /// Whether the instance is of no more use.
    pub(super) fn ends_instance(&self) -> bool {
        !matches!(self, StageError::Answered { .. } | StageError::BackingOff { .. })
    }

    /// Whether the guest broke, not the host or a shortage in it.
    pub(super) fn is_guests_doing(&self) -> bool {
        match self {
            StageError::Trap { .. } | StageError::Invalid { .. } => true,
            StageError::Limit { limit, .. } => !matches!(limit, Limit::Instances(_)),
            StageError::Answered { .. } | StageError::Host { .. } | StageError::BackingOff { .. } => false,
        }
    }
}

/// A stage's text for people, cut to [`STAGE_TEXT_CHARS_MAX`].
pub(super) fn clipped(mut text: String) -> String {
    if let Some((at, _)) = text.char_indices().nth(STAGE_TEXT_CHARS_MAX) {
        text.truncate(at);
    }
    text
}

struct ErrorText<'a>(&'a contract::Error);

impl fmt::Display for ErrorText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            contract::Error::InvalidSettings(problems) => {
                write!(f, "the settings do not fit")?;
                for contract::Problem { path, message } in problems {
                    let path = if path.is_empty() { "settings" } else { path };
                    write!(f, "; {path}: {message}")?;
                }
                Ok(())
            }
            contract::Error::UnreadableState(why) => write!(f, "the state cannot be read: {why}"),
            contract::Error::InvalidInput(why) => write!(f, "the input makes no sense: {why}"),
            contract::Error::Other(why) => write!(f, "{why}"),
        }
    }
}

struct Frames<'a>(&'a [String]);

impl fmt::Display for Frames<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The innermost frames tell most, past the language's own way of ending; the whole list is in the variant.
        const ENDING: [&str; 7] = ["abort", "_Exit", "exit", "std[", "core[", "alloc[", "__rust"];
        let own = |frame: &&String| !ENDING.iter().any(|start| frame.starts_with(start));
        let shown: Vec<&str> = self.0.iter().filter(own).take(4).map(String::as_str).collect();
        if shown.is_empty() { Ok(()) } else { write!(f, " (in {})", shown.join(" < ")) }
    }
}
