//! An event as it is stored, for those who read it and those who tell webhooks of it.

use serde::Serialize;
use serde_json::{Value, json};

use crate::pipeline::cause::HealthCause;
use crate::pipeline::event::Severity;

/// An event as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EventRow {
    /// Number of the event; later events have higher ones.
    pub id: u64,
    /// Whose; `None`: the host's.
    pub tenant: Option<String>,
    /// Stream id of the pipeline; `None`: the event is about the tenant or the host.
    pub stream: Option<String>,
    /// Unix time in milliseconds.
    pub at_ms: u64,
    /// Name of the kind, see [`crate::pipeline::event::EventKind::name`].
    pub kind: String,
    /// How much it matters.
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
    /// The incident that it tells of.
    pub fn incident(&self) -> Option<u64> {
        self.detail.as_ref()?.pointer("/incident/id")?.as_u64()
    }

    /// The part that it comes from.
    pub fn cause(&self) -> Option<HealthCause> {
        HealthCause::of(self.detail.as_ref()?.get("cause")?.as_str()?)
    }

    /// The body that webhooks are sent.
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
