//! A stored event, for readers of events and for webhooks.

use serde::Serialize;
use serde_json::{Value, json};

use outboard_pipeline::cause::HealthCause;
use outboard_pipeline::event::Severity;

/// An event as it is stored in the database.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EventRow {
    /// Number of the event; later events have higher ones.
    pub id: u64,
    /// The tenant; `None`: an event of the host.
    pub tenant: Option<String>,
    /// Stream id of the pipeline; `None`: the event is about the tenant or the host.
    pub stream: Option<String>,
    /// When it happened, Unix time in milliseconds.
    pub at_ms: u64,
    /// Name of the kind, see [`outboard_pipeline::event::EventKind::name`].
    pub kind: String,
    /// The severity of the event.
    pub severity: Severity,
    /// A sentence for people; its wording may change.
    pub message: String,
    /// The batch that it is about.
    pub batch: Option<u64>,
    /// Cause, advice, destination and incident, as a JSON object.
    pub detail: Option<Value>,
}

// === impl EventRow ===

impl EventRow {
    /// The incident that it belongs to.
    pub fn incident(&self) -> Option<u64> {
        self.detail.as_ref()?.pointer("/incident/id")?.as_u64()
    }

    /// The part that caused it.
    pub fn cause(&self) -> Option<HealthCause> {
        HealthCause::of(self.detail.as_ref()?.get("cause")?.as_str()?)
    }

    /// The body of a webhook request.
    pub(super) fn payload(&self) -> Value {
        let pipeline =
            self.tenant.as_ref().zip(self.stream.as_ref()).map(|(tenant, stream)| format!("{tenant}:{stream}"));
        json!({
            "id": self.id, "tenant": self.tenant, "pipeline": pipeline, "streamId": self.stream, "atMs": self.at_ms,
            "kind": self.kind, "severity": self.severity, "message": self.message, "batch": self.batch,
            "detail": self.detail,
        })
    }
}

/// A severity as it is stored, so that SQL can compare.
pub(super) fn number(severity: Severity) -> u8 {
    match severity {
        Severity::Info => 0,
        Severity::Warning => 1,
        Severity::Error => 2,
    }
}

/// The severity of a stored number.
pub(super) fn severity(number: u8) -> Severity {
    match number {
        0 => Severity::Info,
        1 => Severity::Warning,
        _ => Severity::Error,
    }
}
