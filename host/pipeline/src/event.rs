//! What happens in a pipeline, as a person would tell it: one [`Event`] each time something changes that they may have to
//! know or act on. Bounded: whoever listens too slowly loses the oldest.

use serde::{Deserialize, Serialize};

use super::cause::HealthCause;
use outboard_base::unix_time;

/// How much an event matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Normal operation; nothing has to be done.
    Info,
    /// The stream goes on, but not as it should.
    Warning,
    /// Something was lost, or the stream is off air.
    Error,
}

macro_rules! kinds {
    ($($(#[doc = $doc:literal])* $name:ident = $text:literal,)*) => {
        /// What happened. The words are scripted against: only ever add.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum EventKind {
            $($(#[doc = $doc])* #[serde(rename = $text)] $name,)*
        }

        impl EventKind {
            /// Every kind, in the order of their definition.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The word in the journal, the API and webhooks.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

kinds! {
    /// The pipeline was made.
    Created = "created",
    /// Its settings were changed.
    Updated = "updated",
    /// Its settings went back to an earlier revision.
    RolledBack = "rolled-back",
    /// A user deleted the pipeline.
    Deleted = "deleted",
    /// It was told to run.
    Started = "started",
    /// It was told to stop.
    Stopped = "stopped",
    /// It ended by itself: the source is over.
    Ended = "ended",
    /// It could not start or go on; it is tried again.
    Failed = "failed",
    /// The source is there.
    SourceConnected = "source-connected",
    /// The source cannot be reached, or was live and has ended; it is looked at again.
    SourceLost = "source-lost",
    /// The source brings nothing new.
    SourceStale = "source-stale",
    /// The source goes on.
    SourceFresh = "source-fresh",
    /// The other URL is followed.
    SourceFailover = "source-failover",
    /// Segments will not come.
    SourceGap = "source-gap",
    /// The playlist started anew.
    SourceRestarted = "source-restarted",
    /// Something about the source that a person may want to mend.
    SourceWarning = "source-warning",
    /// The processor is connected.
    ProcessorConnected = "processor-connected",
    /// The processor is away.
    ProcessorLost = "processor-lost",
    /// The circuit breaker holds fragments back.
    BreakerOpened = "breaker-opened",
    /// The circuit breaker lets fragments through again.
    BreakerClosed = "breaker-closed",
    /// A batch goes on air with its original audio though there is a processor.
    Fallback = "fallback",
    /// A batch, or part of it, is lost.
    BatchLost = "batch-lost",
    /// A batch is longer than the stream is behind its source: it comes too late.
    BatchTooLong = "batch-too-long",
    /// A stage failed; another answered for it.
    StageFailed = "stage-failed",
    /// A stage was swapped on air.
    StageSwapped = "stage-swapped",
    /// A swap was taken back.
    StageRolledBack = "stage-rolled-back",
    /// Packets leave for at least one destination.
    OnAir = "on-air",
    /// Packets leave for no destination any more.
    OffAir = "off-air",
    /// A destination takes packets.
    DestinationConnected = "destination-connected",
    /// A destination is away, or takes nothing.
    DestinationLost = "destination-lost",
    /// Packets were passed over for a destination.
    DestinationDropped = "destination-dropped",
    /// A quota of the tenant is reached.
    QuotaReached = "quota-reached",
    /// The disk is nearly full.
    DiskLow = "disk-low",
    /// There is room again, below the quota or on the disk.
    StorageRecovered = "storage-recovered",
    /// Files of finished batches were removed to make room, or by hand.
    StorageCleaned = "storage-cleaned",
    /// Folders of the stream were removed while it runs; they are made again.
    FilesLost = "files-lost",
    /// An incident was opened because a problem began.
    IncidentOpened = "incident-opened",
    /// A problem became more severe.
    IncidentEscalated = "incident-escalated",
    /// A problem is over.
    IncidentResolved = "incident-resolved",
}

impl EventKind {
    /// What a webhook is told that asks for no kinds of its own.
    pub const INCIDENTS: [Self; 3] = [Self::IncidentOpened, Self::IncidentEscalated, Self::IncidentResolved];

    /// The part that it is about, where that is always the same one.
    pub fn cause(self) -> Option<HealthCause> {
        Some(match self {
            Self::QuotaReached => HealthCause::Quota,
            Self::DiskLow => HealthCause::Disk,
            Self::SourceConnected
            | Self::SourceLost
            | Self::SourceStale
            | Self::SourceFresh
            | Self::SourceFailover
            | Self::SourceGap
            | Self::SourceRestarted
            | Self::SourceWarning
            | Self::BatchLost => HealthCause::Source,
            Self::ProcessorConnected
            | Self::ProcessorLost
            | Self::BreakerOpened
            | Self::BreakerClosed
            | Self::Fallback => HealthCause::Processor,
            Self::StageFailed => HealthCause::Stage,
            Self::DestinationConnected | Self::DestinationLost | Self::DestinationDropped => HealthCause::Destination,
            _ => return None,
        })
    }

    /// The same problem tells it again and again: within an incident it is written down once and then counted.
    pub fn repeats(self) -> bool {
        self == Self::Failed || self.cause().is_some()
    }
}

/// Something that a user may want to know of, before it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Unix time in milliseconds.
    pub at_ms: u64,
    /// The kind, which also determines the name.
    pub kind: EventKind,
    /// How much it matters.
    pub severity: Severity,
    /// In a sentence, without secrets.
    pub message: String,
    /// The batch that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<u64>,
    /// The part that it comes from, or that is back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<HealthCause>,
    /// The destination that it is about, by its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
}

impl Event {
    /// An event of now.
    pub fn new(kind: EventKind, severity: Severity, message: impl Into<String>) -> Self {
        let (at_ms, message, cause) = (unix_time::now_ms(), message.into(), kind.cause());
        Self { at_ms, kind, severity, message, batch: None, cause, destination: None }
    }

    /// Sets the number of the batch concerned.
    #[must_use]
    pub fn batch(mut self, number: u64) -> Self {
        self.batch = Some(number);
        self
    }

    /// Sets the part that causes the event.
    #[must_use]
    pub fn caused_by(mut self, cause: HealthCause) -> Self {
        self.cause = Some(cause);
        self
    }

    /// Sets the name of the destination concerned.
    #[must_use]
    pub fn destination(mut self, name: impl Into<String>) -> Self {
        self.destination = Some(name.into());
        self
    }

    /// Writes it to the log.
    pub fn log(&self) {
        let Self { kind, message, batch, .. } = self;
        let kind = kind.name();
        match (self.severity, batch) {
            (Severity::Info, Some(batch)) => tracing::info!(batch, event = kind, "{message}"),
            (Severity::Info, None) => tracing::info!(event = kind, "{message}"),
            (_, Some(batch)) => tracing::warn!(batch, event = kind, "{message}"),
            (_, None) => tracing::warn!(event = kind, "{message}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_written_as_it_is_named() {
        for kind in EventKind::ALL {
            assert_eq!(serde_json::to_string(kind).unwrap(), format!("\"{}\"", kind.name()));
        }
    }
}
