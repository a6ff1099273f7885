//! Limits of a pipeline: its folders, its journal and evidence of failed stages.

use std::time::Duration;

/// Newest evidence files of a pipeline that are kept.
pub const EVIDENCE_KEPT: usize = 40;
/// Evidence queued for writing; more is dropped and logged.
pub const EVIDENCE_WAITING: usize = 16;
/// Interval for checking a running pipeline's folders, which are created again if they were removed.
pub const FOLDERS_LOOK_EVERY: Duration = Duration::from_millis(500);
/// Minimum number of attempts to remux on a full disk; remuxing is retried until its batch is due, at intervals of
/// `DISK_FULL_WAIT`.
pub const DISK_FULL_TRIES: u32 = 3;
/// How long a step of a batch waits for a journal that the disk refuses; then the stream continues without it.
pub const JOURNAL_PATIENCE: Duration = Duration::from_millis(500);
/// Steps of one pipeline that wait to be journalled while the disk refuses; after that the pipeline ends.
pub const JOURNAL_LATE_MAX: usize = 4096;
/// After a standstill of this length the clock has run dry: the next batch is held like the first one. Where the source was
/// away, any standstill is enough.
pub const AIR_DRY_AFTER: Duration = Duration::from_secs(1);
/// Events of a pipeline that a listener may be behind; after that it loses the oldest.
pub const PIPELINE_EVENTS_WAITING: usize = 512;
/// Minimum duration of a fragment of `output.fmp4`; it ends with the next key frame.
pub const OUTPUT_FRAGMENT_MIN: Duration = Duration::from_secs(1);
/// Batches whose `output.fmp4` waits to be written as a file; of further ones none is written.
pub const OUTPUTS_WAITING: usize = 4;
/// Batches between complete and on air whose time is measured; beyond that the oldest are not.
pub const METRICS_BATCHES_UNDER_WAY_MAX: usize = 256;
