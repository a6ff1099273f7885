//! The types of log lines and their filter.

use async_graphql::{Enum, ID, InputObject, SimpleObject};
use serde_json::Value;

use super::event::pipeline_id;
use crate::graphql::context::{Result, named};
use crate::graphql::scalars::{BigInt, DateTime};
use outboard_control::Control;
use outboard_control::access::Actor;
use outboard_logs::{self as logs, Filter, LogRecord};

/// The level of a log line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Enum)]
#[graphql(remote = "logs::Level")]
pub enum LogLevel {
    /// Every detail, for developers.
    Trace,
    /// Details for finding errors.
    Debug,
    /// Conditions of normal operation.
    #[default]
    Info,
    /// Unexpected conditions that do not interrupt the stream.
    Warn,
    /// Conditions that need attention.
    Error,
}

/// A line of the log.
#[derive(Debug, Clone, Default, SimpleObject)]
pub struct LogLine {
    /// ID of the line. IDs increase over time.
    pub id: ID,
    /// Time at which the line was logged.
    pub at: DateTime,
    /// Level of the line.
    pub level: LogLevel,
    /// The component that logged the line: a part of the host such as `source` or `air`, `ffmpeg`, or `stage`.
    pub target: String,
    /// The tenant that the line belongs to. Null: the host.
    pub tenant: Option<ID>,
    /// ID of the pipeline that the line belongs to. Null if it belongs to none.
    pub pipeline_id: Option<ID>,
    /// Number of the batch that the line concerns. Null if it concerns none.
    pub batch: Option<u64>,
    /// Text of the line.
    pub message: String,
    /// Further values of the line, by name.
    pub fields: Value,
}

/// New log lines. Lines that are logged in quick succession arrive in one update; there are at most 5 updates per
/// second.
#[derive(Debug, Clone, SimpleObject)]
pub struct LogUpdate {
    /// The next lines, oldest first.
    pub lines: Vec<LogLine>,
    /// Number of lines that were skipped just before these because the subscriber was too slow.
    pub dropped: BigInt,
}

/// Selects log lines. Fields that are not set match all lines, except `tenant` and `level`.
#[derive(Debug, Clone, Default, InputObject)]
pub struct LogFilterInput {
    /// Only lines of this tenant. Default: the caller's tenant; for host-wide callers, all tenants and the host.
    pub tenant: Option<ID>,
    /// Only lines of this pipeline.
    pub pipeline: Option<ID>,
    /// Only lines of this level or higher. Default: `INFO`.
    pub level: Option<LogLevel>,
    /// Only lines of this component: a part of the host such as `source` or `air`, `ffmpeg`, or `stage`.
    pub target: Option<String>,
    /// Only lines with this text in the message or in a field. Upper and lower case ASCII letters are equal. At most
    /// 256 bytes.
    pub text: Option<String>,
    /// Only lines logged at or after this time.
    pub since: Option<DateTime>,
    /// Only lines logged before this time.
    pub until: Option<DateTime>,
    /// Only lines of the batch with this number.
    pub batch: Option<u64>,
}

// === to and from the core ===

impl LogFilterInput {
    /// The filter, limited to the lines that the caller may see.
    ///
    /// # Errors
    /// A tenant or pipeline that is not there for them.
    pub fn checked(&self, control: &Control, actor: &Actor) -> Result<Filter> {
        let filter = control.history().log_filter(actor, named(self.tenant.as_ref()), named(self.pipeline.as_ref()))?;
        Ok(filter
            .level(self.level.unwrap_or_default().into())
            .target(self.target.clone())
            .text(self.text.clone())
            .since_ms(self.since.map(|at| at.0))
            .until_ms(self.until.map(|at| at.0))
            .batch(self.batch))
    }
}

impl From<&LogRecord> for LogLine {
    fn from(record: &LogRecord) -> Self {
        let value = |value: &logs::Value| serde_json::to_value(value).unwrap_or_default();
        Self {
            id: ID::from(record.id),
            at: DateTime(record.at_ms),
            level: record.level.into(),
            target: record.target.to_owned(),
            tenant: record.tenant.as_deref().map(ID::from),
            pipeline_id: pipeline_id(record.tenant.as_deref(), record.stream.as_deref()),
            batch: record.batch,
            message: record.message.to_string(),
            fields: record.fields.iter().map(|(name, of)| ((*name).to_owned(), value(of))).collect(),
        }
    }
}
