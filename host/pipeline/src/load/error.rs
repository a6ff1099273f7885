//! Why a pipeline does not open.

use crate::cause::{HealthCause, Origin};
use outboard_exchange::ExchangeError;
use outboard_store::files::FilesError;
use outboard_store::journal::JournalError;

/// Why a pipeline cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// ffmpeg is not there.
    #[error(transparent)]
    Ffmpeg(#[from] outboard_ffmpeg::FfmpegError),
    /// A folder of the stream could not be created or read.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// The journal could not be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// No threads for what leaves.
    #[error("the threads that send to destinations could not be started: {0}")]
    Threads(#[source] std::io::Error),
    /// The runtime of stages could not be started.
    #[error("stages: {0}")]
    Runtime(#[from] outboard_stage::RuntimeError),
    /// A component cannot be used as this stage.
    #[error("stages.{kind}: {source}")]
    Component {
        /// Its kind in the settings.
        kind: &'static str,
        /// Why it cannot be loaded.
        source: outboard_stage::LoadError,
    },
    /// A component of another kind than its place asks for.
    #[error("stages.{kind}: {file} is a {found} stage")]
    Kind {
        /// Its kind in the settings.
        kind: &'static str,
        /// Name of the component's file.
        file: String,
        /// The kind of stage that it is.
        found: &'static str,
    },
    /// A stage that does not open.
    #[error("stages.{kind}: {source}")]
    Stage {
        /// Its kind in the settings.
        kind: &'static str,
        /// The stage's error or trap.
        source: outboard_stage::StageError,
    },
    /// The exchange could not be started.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
}

impl Origin for LoadError {
    fn origin(&self) -> HealthCause {
        match self {
            Self::Files(_) | Self::Journal(_) => HealthCause::Disk,
            Self::Stage { .. } | Self::Component { .. } | Self::Runtime(_) => HealthCause::Stage,
            _ => HealthCause::Settings,
        }
    }
}
