//! The types of disk usage and of cleaning.

use async_graphql::{ID, SimpleObject};

use crate::graphql::scalars::BigInt;
use crate::graphql::scalars::DateTime;
use outboard_base::unix_time::now_ms;
use outboard_control::StorageView;
use outboard_control::id::PipelineId;

use outboard_store::usage::FileKind;
use outboard_store::usage::Totals;

/// Disk usage by kind of file.
#[derive(Debug, Clone, Default, SimpleObject)]
pub struct StorageUsage {
    /// Total size of all files, in bytes.
    pub total_bytes: BigInt,
    /// Total number of files.
    pub files: BigInt,
    /// Bytes by kind of file.
    pub breakdown: StorageBreakdown,
}

/// Disk usage by kind of file, in bytes.
#[derive(Debug, Clone, Default, SimpleObject)]
pub struct StorageBreakdown {
    /// Segments as fetched from the source.
    pub original_segments: BigInt,
    /// Video of the batches.
    pub video_fragments: BigInt,
    /// Original audio of the batches.
    pub audio_fragments: BigInt,
    /// Audio returned by the processor.
    pub processed_audio: BigInt,
    /// Remuxed output for air, and previews.
    pub remuxed_output: BigInt,
    /// Stage components that the tenant added. They belong to no pipeline.
    pub components: BigInt,
    /// Log files of the streams.
    pub logs: BigInt,
    /// All other files, such as packet lists and incomplete files.
    pub other: BigInt,
}

/// Disk usage of one pipeline.
#[derive(Debug, Clone, SimpleObject)]
pub struct PipelineStorage {
    /// ID of the pipeline.
    pub pipeline_id: ID,
    /// Disk usage of the pipeline.
    pub usage: StorageUsage,
}

/// Disk usage of a tenant or of the whole host.
#[derive(Debug, Clone, SimpleObject)]
pub struct StorageStatistics {
    /// Time of these values.
    pub at: DateTime,
    /// The tenant. Null: all tenants together.
    pub tenant: Option<ID>,
    /// Disk usage in total, by kind of file.
    pub usage: StorageUsage,
    /// Disk usage by pipeline.
    pub pipelines: Vec<PipelineStorage>,
    /// Storage quota of the tenant, in bytes. Null for all tenants together.
    pub quota_bytes: Option<BigInt>,
    /// Disk space available for new files, in bytes.
    pub available_bytes: BigInt,
    /// Size of the disk, in bytes.
    pub disk_bytes: BigInt,
    /// Reason why no segments are fetched for the tenant, as a sentence. Null while segments are fetched.
    pub refusal: Option<String>,
}

/// The result of `cleanStorage`.
#[derive(Debug, Clone, SimpleObject)]
pub struct CleanStoragePayload {
    /// ID of the pipeline.
    pub pipeline: ID,
    /// Number of batches whose files were removed or, with `dryRun`, would be removed.
    pub batches: BigInt,
    /// Number of bytes freed or, with `dryRun`, that would be freed.
    pub bytes: BigInt,
    /// True if nothing was removed because `dryRun` was set.
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
                original_segments: bytes(FileKind::OriginalSegments),
                video_fragments: bytes(FileKind::VideoFragments),
                audio_fragments: bytes(FileKind::AudioFragments),
                processed_audio: bytes(FileKind::ProcessedAudio),
                remuxed_output: bytes(FileKind::RemuxedOutput),
                components: bytes(FileKind::Components),
                logs: bytes(FileKind::Logs),
                other: bytes(FileKind::Other),
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
    /// The disk usage of one pipeline.
    pub fn new(id: &PipelineId, totals: &Totals) -> Self {
        Self { pipeline_id: ID(id.to_string()), usage: totals.into() }
    }
}
