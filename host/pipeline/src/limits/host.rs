//! The pipeline: its folders and evidence of failed stages.

use std::time::Duration;

/// Evidence of failed stages that is kept of a pipeline, the newest.
pub const EVIDENCE_KEPT: usize = 40;
/// Evidence that may wait to be written; more is left out and logged.
pub const EVIDENCE_WAITING: usize = 16;
/// A running pipeline's folders are looked for this often, and made again where they were removed.
pub const FOLDERS_LOOK_EVERY: Duration = Duration::from_millis(500);
/// Remuxing that was refused by a full disk is tried again until its batch is due, and at least so often;
/// between two tries it waits for `DISK_FULL_WAIT`.
pub const DISK_FULL_TRIES: u32 = 3;
/// A step of a batch waits so long for a journal that the disk refuses; then the stream goes on without it.
pub const JOURNAL_PATIENCE: Duration = Duration::from_millis(500);
/// Steps of one pipeline that wait to be journalled while the disk refuses; beyond, the pipeline ends.
pub const JOURNAL_LATE_MAX: usize = 4096;
/// A clock that has stood still for this long has run dry: the next batch is held as the first one was.
pub const AIR_DRY_AFTER: Duration = Duration::from_secs(1);
/// Events of a pipeline that a listener may be behind; then it loses the oldest.
pub const PIPELINE_EVENTS_WAITING: usize = 512;
/// Shortest fragment of an `output.fmp4`; it ends with the next key frame.
pub const OUTPUT_FRAGMENT_MIN: Duration = Duration::from_secs(1);
/// Batches between complete and on air whose time is measured; beyond it the oldest are not.
pub const METRICS_BATCHES_UNDER_WAY_MAX: usize = 256;
