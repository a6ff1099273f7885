//! What lies on disk, and what cleaning it removes.

use async_graphql::{ID, InputObject, SimpleObject};

use crate::api::graphql::context::Result;
use crate::api::graphql::scalars::{BigInt, DateTime};
use crate::control::Control;
use crate::control::access::Actor;
use crate::control::error::ControlError;
use crate::control::id::PipelineId;

/// Bytes and files on disk, by kind.
#[derive(Debug, Clone, Default, SimpleObject)]
pub struct StorageUsage {
    /// All bytes together.
    pub total_bytes: BigInt,
    /// All files together.
    pub files: BigInt,
    /// Bytes by kind of file.
    pub breakdown: StorageBreakdown,
}

/// Bytes on disk by kind of file.
#[derive(Debug, Clone, Default, SimpleObject)]
pub struct StorageBreakdown {
    /// Segments of the source, as they came.
    pub original_segments: BigInt,
    /// Pictures of batches.
    pub video_fragments: BigInt,
    /// Original sound of batches.
    pub audio_fragments: BigInt,
    /// Sound that the processor sent back.
    pub processed_audio: BigInt,
    /// What goes on air, and previews.
    pub remuxed_output: BigInt,
    /// Log files.
    pub logs: BigInt,
    /// All else.
    pub other: BigInt,
}

/// What one pipeline has on disk.
#[derive(Debug, Clone, SimpleObject)]
pub struct PipelineStorage {
    /// The pipeline.
    pub pipeline_id: ID,
    /// What it has.
    pub usage: StorageUsage,
    /// Batches whose files are there.
    pub batches: BigInt,
}

/// What lies on disk.
#[derive(Debug, Clone, SimpleObject)]
pub struct StorageStatistics {
    /// When it was counted.
    pub at: DateTime,
    /// The tenant; null: all tenants together.
    pub tenant: Option<ID>,
    /// All together.
    pub usage: StorageUsage,
    /// By pipeline.
    pub pipelines: Vec<PipelineStorage>,
    /// What the tenant may have; null for all tenants together.
    pub quota_bytes: Option<BigInt>,
    /// What the disk has left for new files.
    pub available_bytes: BigInt,
}

/// What to clean. Batches that are not yet on air everywhere always stay.
#[derive(Debug, Clone, InputObject)]
pub struct CleanStorageInput {
    /// Of this pipeline. Left out: of all pipelines of the tenant.
    pub pipeline: Option<ID>,
    /// Of this tenant. Left out: the caller's own; `default` for callers of the whole host.
    pub tenant: Option<ID>,
    /// So many of the newest finished batches of each pipeline stay.
    pub keep_batches: u32,
    /// Remove nothing, only say what would be removed.
    #[graphql(default)]
    pub dry_run: bool,
}

/// What cleaning removed, or would remove.
#[derive(Debug, Clone, SimpleObject)]
pub struct CleanStoragePayload {
    /// Batches whose files were removed.
    pub batches: BigInt,
    /// Files that were removed.
    pub files: BigInt,
    /// Bytes that were freed.
    pub bytes: BigInt,
    /// Nothing was removed: it was only asked.
    pub dry_run: bool,
}

// === from the core ===

impl StorageStatistics {
    /// Of a tenant, or of all of them.
    ///
    /// # Errors
    /// A tenant that is not there for the caller.
    pub async fn of(_control: &Control, _actor: &Actor, _tenant: Option<&ID>) -> Result<Self> {
        Err(ControlError::Unavailable("this is not built yet".to_owned()))
    }
}

impl PipelineStorage {
    /// Of one pipeline.
    ///
    /// # Errors
    /// A pipeline that is not there for the caller.
    pub async fn of(_control: &Control, _actor: &Actor, _id: &PipelineId) -> Result<Self> {
        Err(ControlError::Unavailable("this is not built yet".to_owned()))
    }
}
