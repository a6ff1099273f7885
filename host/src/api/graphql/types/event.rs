//! What happened, and which of it is wanted.

use async_graphql::{Enum, ID, InputObject, SimpleObject};

use super::status::HealthCause;
use crate::api::graphql::scalars::DateTime;
use crate::control::listing::EventQuery;
use crate::control::recorder::RecordedEvent;
use crate::control::registry::EventRow;
use crate::pipeline::event;

/// How much an event matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "event::Severity")]
pub enum Severity {
    /// Good to know.
    Info,
    /// The stream goes on, but not as it should.
    Warning,
    /// Something was lost, or the stream is off air.
    Error,
}

/// What happened. Further kinds may be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "event::EventKind")]
pub enum EventKind {
    /// The pipeline was made.
    Created,
    /// Its settings were changed.
    Updated,
    /// Its settings went back to an earlier revision.
    RolledBack,
    /// It was deleted.
    Deleted,
    /// It was told to run.
    Started,
    /// It was told to stop.
    Stopped,
    /// It ended by itself: the source is over.
    Ended,
    /// It could not start or go on; it is tried again.
    Failed,
    /// The source is there.
    SourceConnected,
    /// The source cannot be reached, or was live and has ended; it is looked at again.
    SourceLost,
    /// The source brings nothing new.
    SourceStale,
    /// The source goes on.
    SourceFresh,
    /// The other URL is followed.
    SourceFailover,
    /// Segments will not come.
    SourceGap,
    /// The playlist started anew.
    SourceRestarted,
    /// Something about the source that a person may want to mend.
    SourceWarning,
    /// The processor is connected.
    ProcessorConnected,
    /// The processor is away.
    ProcessorLost,
    /// The circuit breaker holds fragments back.
    BreakerOpened,
    /// The circuit breaker lets fragments through again.
    BreakerClosed,
    /// A batch goes on air with its original audio though there is a processor.
    Fallback,
    /// A batch, or part of it, is lost.
    BatchLost,
    /// A batch is longer than the stream is behind its source: it comes too late.
    BatchTooLong,
    /// A stage failed; another answered for it.
    StageFailed,
    /// A stage was swapped on air.
    StageSwapped,
    /// A swap was taken back.
    StageRolledBack,
    /// Packets leave for at least one destination.
    OnAir,
    /// Packets leave for no destination any more.
    OffAir,
    /// A destination takes packets.
    DestinationConnected,
    /// A destination is away, or takes nothing.
    DestinationLost,
    /// Packets were passed over for a destination.
    DestinationDropped,
    /// A quota of the tenant is reached.
    QuotaReached,
    /// The disk is nearly full.
    DiskLow,
    /// There is room again, below the quota or on the disk.
    StorageRecovered,
    /// Files of finished batches were removed to make room, or by hand.
    StorageCleaned,
    /// Folders of the stream were removed while it runs; they are made again.
    FilesLost,
    /// A problem began.
    IncidentOpened,
    /// A problem became more severe.
    IncidentEscalated,
    /// A problem is over.
    IncidentResolved,
}

/// Something that happened.
#[derive(Debug, Clone, SimpleObject)]
pub struct Event {
    /// Its id; it rises with time.
    pub id: ID,
    /// When.
    pub at: DateTime,
    /// Whose it is; null: the host's.
    pub tenant: Option<ID>,
    /// The pipeline in which it happened; null: it is about the tenant.
    pub pipeline_id: Option<ID>,
    /// What.
    pub kind: EventKind,
    /// How much it matters.
    pub severity: Severity,
    /// In a sentence, for people.
    pub message: String,
    /// The batch that it is about.
    pub batch: Option<u64>,
    /// The part that it comes from, or that is back; null where it is about none.
    pub cause: Option<HealthCause>,
    /// The id of the incident that it tells of.
    pub incident: Option<ID>,
}

/// Which events. What is left out does not narrow.
#[derive(Debug, Clone, Default, InputObject)]
pub struct EventFilterInput {
    /// Of this tenant. Left out: of the caller's own; for callers of the whole host, of all tenants.
    pub tenant: Option<ID>,
    /// Of this pipeline.
    pub pipeline: Option<ID>,
    /// Of these kinds.
    pub kinds: Option<Vec<EventKind>>,
    /// That matter at least so much.
    pub min_severity: Option<Severity>,
}

// === to and from the core ===

impl EventFilterInput {
    /// As the core takes it.
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
