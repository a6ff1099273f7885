//! Writes events down and tells whoever listens, in that order: what a subscriber or a webhook saw can be looked up.
//!
//! One task a control plane, batches of rows in one transaction. A pipeline never waits for it.

use std::sync::Arc;

use tokio::sync::{broadcast, mpsc};

use super::id::PipelineId;
use crate::pipeline::event::Event;

/// An event of a tenant, kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedEvent {
    /// Rises with time.
    pub id: u64,
    /// Whose.
    pub tenant: String,
    /// Of which pipeline.
    pub stream: Option<String>,
    /// What happened.
    pub event: Event,
}
