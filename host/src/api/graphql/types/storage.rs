//! What lies on disk, and what cleaning it removes.

use async_graphql::{ID, SimpleObject};

use crate::api::graphql::scalars::{BigInt, DateTime};
use crate::control::StorageView;
use crate::control::id::PipelineId;
use crate::store::usage::{Kind, Totals};
use crate::unix_time::now_ms;

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
    /// Stage components that the tenant added; of no pipeline.
    pub components: BigInt,
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
    /// The size of the disk.
    pub disk_bytes: BigInt,
    /// Why no segments are fetched for the tenant now, in a sentence; null while they are.
    pub refusal: Option<String>,
}

/// What cleaning removed, or would remove.
#[derive(Debug, Clone, SimpleObject)]
pub struct CleanStoragePayload {
    /// The pipeline.
    pub pipeline: ID,
    /// Batches whose files were removed.
    pub batches: BigInt,
    /// Bytes that were freed.
    pub bytes: BigInt,
    /// Nothing was removed: it was only asked.
    pub dry_run: bool,
}

// === from the core ===

impl From<&Totals> for StorageUsage {
    fn from(totals: &Totals) -> Self {
        let all = totals.all();
        let bytes = |kind| BigInt(totals.of(kind).bytes);
        Self {
            total_bytes: BigInt(all.bytes),
            files: BigInt(all.files),
            breakdown: StorageBreakdown {
                original_segments: bytes(Kind::OriginalSegments),
                video_fragments: bytes(Kind::VideoFragments),
                audio_fragments: bytes(Kind::AudioFragments),
                processed_audio: bytes(Kind::ProcessedAudio),
                remuxed_output: bytes(Kind::RemuxedOutput),
                components: bytes(Kind::Components),
                logs: bytes(Kind::Logs),
                other: bytes(Kind::Other),
            },
        }
    }
}

impl StorageStatistics {
    /// Of a tenant, or of all of them.
    pub fn new(tenant: Option<String>, view: StorageView) -> Self {
        Self {
            at: DateTime(now_ms()),
            tenant: tenant.map(ID),
            usage: (&view.totals).into(),
            pipelines: view.pipelines.iter().map(|(id, totals)| PipelineStorage::new(id, totals)).collect(),
            quota_bytes: view.quota.map(BigInt),
            available_bytes: BigInt(view.space.free),
            disk_bytes: BigInt(view.space.total),
            refusal: view.refusal,
        }
    }
}

impl PipelineStorage {
    /// Of one pipeline.
    pub fn new(id: &PipelineId, totals: &Totals) -> Self {
        Self { pipeline_id: ID(id.to_string()), usage: totals.into() }
    }
}
