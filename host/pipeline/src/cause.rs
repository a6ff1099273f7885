//! Where a problem comes from, what it is, and what to do about it. Health, events, incidents, webhooks, REST and the end
//! of `run` all use these words.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::PipelineError;
use super::demux::DemuxError;
use super::remux::RemuxError;
use outboard_base::room::NoRoom;
use outboard_ffmpeg::FfmpegError;
use outboard_hls::{FetchError, SourceError};

/// The part that a problem comes from. The order is the ranking: of several problems at once, the first one is the cause
/// and the later ones may be its effects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HealthCause {
    /// The settings, or a program that this machine lacks.
    Settings,
    /// A quota of the tenant.
    Quota,
    /// The disk of the storage.
    Disk,
    /// The source cannot be read, has ended, or delivers too slowly or unusable media.
    Source,
    /// The processor is not connected, is late, or its replies cannot be used.
    Processor,
    /// A stage cannot be loaded, or a call of it failed.
    Stage,
    /// A destination receives no packets, or receives them late.
    Destination,
}

impl HealthCause {
    /// All of them, in the order of the ranking.
    pub const ALL: [Self; 7] =
        [Self::Settings, Self::Quota, Self::Disk, Self::Source, Self::Processor, Self::Stage, Self::Destination];

    /// The word in the API, the database and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Settings => "settings",
            Self::Quota => "quota",
            Self::Disk => "disk",
            Self::Source => "source",
            Self::Processor => "processor",
            Self::Stage => "stage",
            Self::Destination => "destination",
        }
    }

    /// The cause with this name; `None`: there is none.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.name() == word)
    }

    /// What an operator does about it, in one sentence.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Settings => "Correct the setting or install the program that the message names.",
            Self::Quota => "Raise the tenant's storage quota, keep fewer batches, or clean finished batches.",
            Self::Disk => "Free space on the disk of the storage folder, or keep fewer batches.",
            Self::Source => "Check that the encoder runs and that its playlist gets new segments.",
            Self::Processor => {
                "Check that the processor runs and answers in time; the original audio is on air meanwhile."
            }
            Self::Stage => "Roll the stage back to the version before, or swap in one that works.",
            Self::Destination => "Check that the receiver runs, and that its address and stream key are right.",
        }
    }
}

impl fmt::Display for HealthCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A problem: where it comes from and what it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// Where it comes from.
    pub kind: HealthCause,
    /// What it is, in one sentence, without secrets.
    pub message: String,
}

impl Cause {
    /// A problem of that part.
    pub fn new(kind: HealthCause, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// What an operator does about it.
    pub fn advice(&self) -> &'static str {
        self.kind.advice()
    }
}

/// As it is told at the end of a run.
impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}). {}", self.message, self.kind, self.advice())
    }
}

// === of errors ===

/// An error that knows where it comes from.
pub trait Origin: fmt::Display {
    /// The part that it comes from.
    fn origin(&self) -> HealthCause;

    /// The cause that explains this failure, with its text.
    fn cause(&self) -> Cause {
        Cause::new(self.origin(), self.to_string())
    }
}

impl Origin for NoRoom {
    fn origin(&self) -> HealthCause {
        match self {
            Self::Quota { .. } => HealthCause::Quota,
            Self::Disk => HealthCause::Disk,
        }
    }
}

impl Origin for FetchError {
    fn origin(&self) -> HealthCause {
        match self {
            Self::NoRoom(room) => room.origin(),
            Self::Disk(_) => HealthCause::Disk,
            Self::Denied(_) | Self::Scheme(_) => HealthCause::Settings,
            _ => HealthCause::Source,
        }
    }
}

impl Origin for SourceError {
    fn origin(&self) -> HealthCause {
        match self {
            Self::Unreachable { cause, .. } => cause.origin(),
            Self::Scheme { .. } | Self::Header { .. } | Self::Denied { .. } | Self::Client(_) => HealthCause::Settings,
            Self::Directory { .. } => HealthCause::Disk,
            _ => HealthCause::Source,
        }
    }
}

impl Origin for FfmpegError {
    /// Of a run that takes the source's media apart.
    fn origin(&self) -> HealthCause {
        match self {
            Self::Start { .. } | Self::Busy { .. } => HealthCause::Settings,
            error if error.is_disk_full() => HealthCause::Disk,
            _ => HealthCause::Source,
        }
    }
}

impl Origin for DemuxError {
    fn origin(&self) -> HealthCause {
        match self {
            Self::Ffmpeg(error) => error.origin(),
            Self::Files(_) | Self::File { .. } => HealthCause::Disk,
            Self::Unsupported(_) | Self::NoSound { .. } | Self::TooManyPackets { .. } | Self::Facts(_) => {
                HealthCause::Source
            }
        }
    }
}

impl Origin for RemuxError {
    fn origin(&self) -> HealthCause {
        match self {
            Self::Ffmpeg(error @ FfmpegError::Start { .. }) => error.origin(),
            Self::Io(_) | Self::File(_) => HealthCause::Disk,
            error if error.is_disk_full() => HealthCause::Disk,
            // What was put together was planned by a stage.
            Self::Missing(_) => HealthCause::Stage,
            _ => HealthCause::Source,
        }
    }
}

impl Origin for PipelineError {
    fn origin(&self) -> HealthCause {
        match self {
            Self::Source(error) => error.origin(),
            Self::Demux(error) => error.origin(),
            Self::Journal(_) => HealthCause::Disk,
            Self::NotDrained(cause) => cause.kind,
            // The step that broke.
            Self::Task("source" | "demux", _) => HealthCause::Source,
            Self::Task("air", _) => HealthCause::Destination,
            Self::Task(..) | Self::Stopped => HealthCause::Stage,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demux::DemuxStepError;

    #[test]
    fn every_cause_has_a_word_and_an_advice() {
        for cause in HealthCause::ALL {
            assert_eq!(serde_json::to_value(cause).unwrap(), cause.name());
            assert_eq!(HealthCause::of(cause.name()), Some(cause));
            let advice = cause.advice();
            assert!(advice.ends_with('.') && advice.matches('.').count() == 1, "one sentence: {advice}");
        }
        assert!(HealthCause::ALL.is_sorted());
    }

    #[test]
    fn errors_know_where_they_come_from() {
        let unreachable =
            |cause| PipelineError::Source(SourceError::Unreachable { url: "http://o/".into(), tries: 3, cause });
        let full = std::io::Error::from_raw_os_error(libc::ENOSPC);
        for (error, origin) in [
            (unreachable(FetchError::Status(404)), HealthCause::Source),
            (unreachable(FetchError::NoRoom(NoRoom::Quota { used: 2, quota: 1 })), HealthCause::Quota),
            (unreachable(FetchError::NoRoom(NoRoom::Disk)), HealthCause::Disk),
            (unreachable(FetchError::Disk(full)), HealthCause::Disk),
            (DemuxStepError::Unsupported("no sound".into()).into(), HealthCause::Source),
            (PipelineError::NotDrained(Cause::new(HealthCause::Source, "x")), HealthCause::Source),
        ] {
            assert_eq!(error.origin(), origin, "{error}");
        }
    }

    #[test]
    fn the_end_of_a_run_names_cause_and_advice() {
        let told = Cause::new(HealthCause::Source, "source: HTTP status 404").to_string();
        assert_eq!(
            told,
            "source: HTTP status 404 (source). Check that the encoder runs and that its playlist gets new segments."
        );
    }
}
