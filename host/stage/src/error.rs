//! The errors of stages, by who caused them: the stage returned an error value, the stage broke (trap, limit, invalid answer), or
//! the host failed.

use super::contract;
use super::kind::StageKind;
use crate::limits::{STAGE_PROBLEMS_MAX, STAGE_TEXT_CHARS_MAX};
use outboard_base::Digest;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;
use thiserror::Error;

/// Why a call of a stage returned no valid answer.
#[derive(Debug, Clone, Error)]
pub enum StageError {
    /// The stage returned an error value. The instance stays in use.
    #[error("{call}: the stage answered: {}", ErrorText(.error))]
    Answered {
        /// The contract's function that was called.
        call: &'static str,
        /// The error value that the stage returned.
        error: contract::Error,
    },
    /// The stage trapped. The instance is dropped.
    #[error("{call}: the stage trapped: {message}{}", Frames(.frames))]
    Trap {
        /// The contract's function that was called.
        call: &'static str,
        /// The kind of trap, and the last lines that the stage wrote to stderr.
        message: String,
        /// Names of the functions on the stack, innermost first.
        frames: Vec<String>,
    },
    /// The stage exceeded a limit. The instance is dropped.
    #[error("{call}: the stage went over its limit of {limit}")]
    Limit {
        /// The contract's function that was called.
        call: &'static str,
        /// The limit that was exceeded.
        limit: Limit,
    },
    /// The stage's answer breaks the contract's rules. The instance is dropped.
    #[error("{call}: the stage's answer breaks the contract: {reason}")]
    Invalid {
        /// The contract's function that was called.
        call: &'static str,
        /// The rule that was broken, with the numbers.
        reason: String,
    },
    /// The host could not run the stage.
    #[error("{call}: the host could not run the stage: {reason}")]
    Host {
        /// The contract's function that was called, or `instantiate`.
        call: &'static str,
        /// What failed in the host.
        reason: String,
    },
    /// The stage failed before, and the wait before its next start is not over.
    #[error("{call}: the stage failed {failures} times; it is restarted in {remaining:?}")]
    BackingOff {
        /// The contract's function that was called.
        call: &'static str,
        /// Failures since an instance last ran long enough to reset the count.
        failures: u32,
        /// Time until it may be started again.
        remaining: Duration,
    },
}

/// A limit that a stage exceeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Linear memory and tables of the instance, in bytes.
    Memory(u64),
    /// Processor time of one call.
    Cpu(Duration),
    /// Wall-clock time of one call.
    WallClock(Duration),
    /// Size of the guest's call stack.
    Stack,
    /// Size of one snapshot.
    Snapshot {
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// Number of instances that the host runs at once.
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
        /// The path of the file.
        path: PathBuf,
        /// The error that the system returned.
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
    /// It is not a WebAssembly component.
    #[error("this is not a WebAssembly component: {0}")]
    NotAComponent(String),
    /// It imports interfaces that a stage must not use.
    #[error("a stage has nothing but its calls, and this component imports {}", .0.join(", "))]
    ForbiddenImports(Vec<String>),
    /// It does not implement exactly one of the contract's worlds.
    #[error("{0}")]
    World(String),
    /// It is another kind of stage than the caller needs.
    #[error("this is a {is} stage; a {wanted} stage is wanted")]
    WrongKind {
        /// The kind of the component.
        is: StageKind,
        /// The kind that the caller needs.
        wanted: StageKind,
    },
    /// Its first call, `describe`, failed.
    #[error(transparent)]
    Describe(#[from] StageError),
    /// Its first call, `describe`, failed in the compiling process.
    #[error("{0}")]
    FirstCall(String),
    /// It exceeds a bound that is checked before compilation, or cannot be read.
    #[error("the component is not compiled: {0}")]
    Unfit(String),
    /// The host could not compile or load it.
    #[error("the component could not be compiled: {0}")]
    Compile(String),
    /// It crashed the compiling process or reached that process's limits. It is quarantined.
    #[error("the component could not be compiled: {0}. It is not tried again")]
    Broke(String),
    /// It is quarantined: an earlier compilation crashed or reached its limits.
    #[error(
        "sha256:{digest} is not compiled again: when it was, {reason}. It is tried again once limits.compile_seconds or \
         limits.compile_memory is raised, or the host's operator runs: outboard stage release sha256:{digest}"
    )]
    Quarantined {
        /// SHA-256 of the file.
        digest: Digest,
        /// How the earlier compilation ended.
        reason: String,
    },
    /// Too many components of the tenant wait to be compiled.
    #[error("{waiting} components of this tenant wait to be compiled already; try again later")]
    Busy {
        /// How many of the tenant's components wait.
        waiting: usize,
    },
    /// The host cannot compile now; the component is not the reason.
    #[error("the component cannot be compiled now: {0}")]
    Unavailable(String),
}

impl LoadError {
    /// True if loading the same file may succeed later.
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
    /// The thread that limits the processor time of calls could not be started.
    #[error("the thread that keeps stages' time could not be started: {0}")]
    Ticker(std::io::Error),
}

impl StageError {
    /// An error value, with texts and lists cut to their limits.
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

    /// The contract's function that failed, or `instantiate`.
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

    /// True if the stage rejected the state that it was opened with.
    pub fn is_unreadable_state(&self) -> bool {
        matches!(self, StageError::Answered { error: contract::Error::UnreadableState(_), .. })
    }

    /// True if the instance must be dropped.
    pub(super) fn ends_instance(&self) -> bool {
        !matches!(self, StageError::Answered { .. } | StageError::BackingOff { .. })
    }

    /// True if the guest caused the failure; false for the host's failures and its lack of instances.
    pub(super) fn is_guests_doing(&self) -> bool {
        match self {
            StageError::Trap { .. } | StageError::Invalid { .. } => true,
            StageError::Limit { limit, .. } => !matches!(limit, Limit::Instances(_)),
            StageError::Answered { .. } | StageError::Host { .. } | StageError::BackingOff { .. } => false,
        }
    }
}

/// Cuts a stage's text for people to [`STAGE_TEXT_CHARS_MAX`] characters.
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
        // The innermost four frames, without those of the language's abort code. The variant has the whole list.
        const ENDING: [&str; 7] = ["abort", "_Exit", "exit", "std[", "core[", "alloc[", "__rust"];
        let own = |frame: &&String| !ENDING.iter().any(|start| frame.starts_with(start));
        let shown: Vec<&str> = self.0.iter().filter(own).take(4).map(String::as_str).collect();
        if shown.is_empty() { Ok(()) } else { write!(f, " (in {})", shown.join(" < ")) }
    }
}
