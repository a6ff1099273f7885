//! The types of events and their filter.

use async_graphql::{Enum, ID, InputObject, SimpleObject};

use super::status::HealthCause;
use crate::graphql::scalars::DateTime;
use outboard_control::history::EventQuery;
use outboard_control::recorder::RecordedEvent;
use outboard_control::registry::EventRow;
use outboard_pipeline::event;

/// The severity of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "event::Severity")]
pub enum Severity {
    /// Normal operation; nothing needs attention.
    Info,
    /// The stream is on air, but degraded.
    Warning,
    /// Media was lost, or the stream is off air.
    Error,
}

/// The kind of an event. More kinds may be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "event::EventKind")]
pub enum EventKind {
    /// The pipeline was created.
    Created,
    /// The settings of the pipeline were changed.
    Updated,
    /// The settings of the pipeline were rolled back to an earlier revision.
    RolledBack,
    /// The pipeline was deleted.
    Deleted,
    /// A caller started the pipeline.
    Started,
    /// A caller stopped the pipeline.
    Stopped,
    /// The pipeline ended by itself because its source ended.
    Ended,
    /// The pipeline failed to start or failed while running. A retry follows.
    Failed,
    /// The source is reachable.
    SourceConnected,
    /// The source is unreachable, or its live playlist has ended. A retry follows.
    SourceLost,
    /// The playlist has no new segments.
    SourceStale,
    /// The playlist has new segments again.
    SourceFresh,
    /// The pipeline switched between the source URL and the backup URL.
    SourceFailover,
    /// Segments are missing and will not be fetched.
    SourceGap,
    /// The playlist restarted with a new sequence.
    SourceRestarted,
    /// The source has a defect that an operator may want to correct.
    SourceWarning,
    /// The processor is connected.
    ProcessorConnected,
    /// The connection to the processor was lost.
    ProcessorLost,
    /// The circuit breaker opened: no fragments are sent to the processor.
    BreakerOpened,
    /// The circuit breaker closed: fragments are sent to the processor again.
    BreakerClosed,
    /// A batch goes on air with its original audio although a processor is configured.
    Fallback,
    /// A batch, or part of it, was lost.
    BatchLost,
    /// A batch is longer than the delay between source and air, so it is ready too late.
    BatchTooLong,
    /// A stage failed. The previous version or the host answered in its place.
    StageFailed,
    /// A stage was swapped on air.
    StageSwapped,
    /// A swap of a stage was rolled back.
    StageRolledBack,
    /// Packets are sent to at least one destination.
    OnAir,
    /// No packets are sent to any destination any more.
    OffAir,
    /// A destination accepts packets.
    DestinationConnected,
    /// A destination is unavailable or accepts no packets.
    DestinationLost,
    /// Packets were skipped for a destination.
    DestinationDropped,
    /// A quota of the tenant is reached.
    QuotaReached,
    /// The disk is nearly full.
    DiskLow,
    /// Space is available again, within the quota or on the disk.
    StorageRecovered,
    /// Files of finished batches were removed, by retention or by a caller.
    StorageCleaned,
    /// Directories of the stream were removed while it runs. They are created again.
    FilesLost,
    /// An incident was opened.
    IncidentOpened,
    /// The severity of an incident increased.
    IncidentEscalated,
    /// An incident was resolved.
    IncidentResolved,
}

/// An event of a pipeline, a tenant or the host.
#[derive(Debug, Clone, SimpleObject)]
pub struct Event {
    /// ID of the event. IDs increase over time.
    pub id: ID,
    /// Time of the event.
    pub at: DateTime,
    /// The tenant that the event belongs to. Null: the host.
    pub tenant: Option<ID>,
    /// ID of the pipeline that the event belongs to. Null if it belongs to no single pipeline.
    pub pipeline_id: Option<ID>,
    /// Kind of the event.
    pub kind: EventKind,
    /// Severity of the event.
    pub severity: Severity,
    /// Description of the event, as a sentence.
    pub message: String,
    /// Number of the batch that the event concerns. Null if it concerns no single batch.
    pub batch: Option<u64>,
    /// The component that caused the problem, or that recovered. Null if the event concerns none.
    pub cause: Option<HealthCause>,
    /// ID of the incident that the event belongs to. Null if it belongs to none.
    pub incident: Option<ID>,
}

/// Selects events. Fields that are not set match all events.
#[derive(Debug, Clone, Default, InputObject)]
pub struct EventFilterInput {
    /// Only events of this tenant. Default: the caller's tenant; for host-wide callers, all tenants.
    pub tenant: Option<ID>,
    /// Only events of this pipeline.
    pub pipeline: Option<ID>,
    /// Only events of these kinds.
    pub kinds: Option<Vec<EventKind>>,
    /// Only events of this severity or higher.
    pub min_severity: Option<Severity>,
}

// === to and from the core ===

impl EventFilterInput {
    /// The filter for the control plane.
    pub fn query(&self) -> EventQuery {
        EventQuery {
            tenant: self.tenant.clone().map(Into::into),
            pipeline: self.pipeline.clone().map(Into::into),
            kinds: self.kinds.iter().flatten().copied().map(Into::into).collect(),
            at_least: self.min_severity.map(Into::into),
        }
    }
}

impl Event {
    /// As it is kept; `None`: of a kind that another version wrote.
    pub fn of_row(row: EventRow) -> Option<Self> {
        let kind = event::EventKind::ALL.iter().find(|kind| kind.name() == row.kind)?;
        Some(Self {
            cause: row.cause().map(Into::into),
            incident: row.incident().map(ID::from),
            id: ID::from(row.id),
            at: DateTime(row.at_ms),
            pipeline_id: pipeline_id(row.tenant.as_deref(), row.stream.as_deref()),
            tenant: row.tenant.map(ID),
            kind: (*kind).into(),
            severity: row.severity.into(),
            message: row.message,
            batch: row.batch,
        })
    }
}

impl From<&RecordedEvent> for Event {
    fn from(recorded: &RecordedEvent) -> Self {
        let RecordedEvent { id, tenant, stream, event, incident } = recorded;
        Self {
            id: ID::from(*id),
            at: DateTime(event.at_ms),
            tenant: tenant.clone().map(ID),
            pipeline_id: pipeline_id(tenant.as_deref(), stream.as_deref()),
            kind: event.kind.into(),
            severity: event.severity.into(),
            message: event.message.clone(),
            batch: event.batch,
            cause: event.cause.map(Into::into),
            incident: incident.map(ID::from),
        }
    }
}

/// A pipeline's id from its parts.
pub fn pipeline_id(tenant: Option<&str>, stream: Option<&str>) -> Option<ID> {
    Some(ID(format!("{}:{}", tenant?, stream?)))
}

/// The words of kinds.
pub fn words(kinds: Vec<EventKind>) -> Vec<String> {
    kinds.into_iter().map(|kind| event::EventKind::from(kind).name().to_owned()).collect()
}

/// The kinds of words; those of another version are left out.
pub fn kinds(words: &[String]) -> Vec<EventKind> {
    let all = event::EventKind::ALL.iter();
    all.filter(|kind| words.iter().any(|word| word == kind.name())).map(|kind| (*kind).into()).collect()
}
