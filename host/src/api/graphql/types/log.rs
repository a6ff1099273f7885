//! Lines of the log, and which of them are wanted.

use async_graphql::{Enum, ID, InputObject, SimpleObject};
use serde_json::Value;

use super::event::pipeline_id;
use crate::api::graphql::context::{Result, named};
use crate::api::graphql::scalars::{BigInt, DateTime};
use crate::control::Control;
use crate::control::access::Actor;
use crate::logs::{self, Filter, LogRecord};

/// How much a line matters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Enum)]
#[graphql(remote = "logs::Level")]
pub enum LogLevel {
    /// Every detail.
    Trace,
    /// For those who look for a fault.
    Debug,
    /// What happens.
    #[default]
    Info,
    /// What should not happen; the stream goes on.
    Warn,
    /// What somebody must look at.
    Error,
}

/// A line of the log.
#[derive(Debug, Clone, Default, SimpleObject)]
pub struct LogLine {
    /// Its id; it rises with time.
    pub id: ID,
    /// When.
    pub at: DateTime,
    /// How much it matters.
    pub level: LogLevel,
    /// Where it comes from: a part of the host such as `source` or `air`, `ffmpeg`, or `stage`.
    pub target: String,
    /// Whose it is; null: the host's own.
    pub tenant: Option<ID>,
    /// The pipeline that it is about.
    pub pipeline_id: Option<ID>,
    /// The batch that it is about.
    pub batch: Option<u64>,
    /// What it says.
    pub message: String,
    /// What else it says, by name.
    pub fields: Value,
}

/// Lines of the log, as they are written: some at once, several times a second at most.
#[derive(Debug, Clone, SimpleObject)]
pub struct LogUpdate {
    /// The next lines, oldest first.
    pub lines: Vec<LogLine>,
    /// Lines that this subscriber was too slow for, just before these.
    pub dropped: BigInt,
}

/// Which lines. What is left out does not narrow.
#[derive(Debug, Clone, Default, InputObject)]
pub struct LogFilterInput {
    /// Of this tenant. Left out: of the caller's own; for callers of the whole host, of all tenants and the host itself.
    pub tenant: Option<ID>,
    /// About this pipeline.
    pub pipeline: Option<ID>,
    /// Of this level and above; left out: from `INFO` on.
    pub level: Option<LogLevel>,
    /// From there: a part of the host such as `source` or `air`, `ffmpeg`, or `stage`.
    pub target: Option<String>,
    /// With this text in the message or a field, in upper or lower case.
    pub text: Option<String>,
    /// From this moment on.
    pub since: Option<DateTime>,
    /// Before this moment.
    pub until: Option<DateTime>,
    /// About this batch.
    pub batch: Option<u64>,
}

// === to and from the core ===

impl LogFilterInput {
    /// What the caller may see of what they want to.
    ///
    /// # Errors
    /// A tenant or pipeline that is not there for them.
    pub fn checked(&self, control: &Control, actor: &Actor) -> Result<Filter> {
        let filter = control.log_filter(actor, named(self.tenant.as_ref()), named(self.pipeline.as_ref()))?;
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
