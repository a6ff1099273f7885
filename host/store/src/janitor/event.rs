//! Events of the storage.

use std::fmt;

use outboard_base::room::shown;

/// A storage event. A tenant only receives its own events, and those of a full disk without numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StorageEvent {
    /// A tenant's files reached its quota; the oldest finished batches are removed.
    QuotaReached {
        /// Size of the tenant's files in bytes.
        used: u64,
        /// The quota in bytes.
        quota: u64,
        /// No finished batch is left: segments are not fetched until there is room.
        full: bool,
    },
    /// The disk is nearly full; the oldest finished batches are removed.
    DiskLow {
        /// No finished batch is left: segments are not fetched until there is room.
        full: bool,
    },
    /// There is enough room again.
    Recovered,
    /// Finished batches were removed to free space, or by a request. Removals by a pipeline's own retention are not
    /// reported.
    Cleaned {
        /// Number of batches whose files were removed.
        batches: u64,
        /// Bytes of the batches.
        bytes: u64,
    },
}

impl fmt::Display for StorageEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, full) = match self {
            Self::QuotaReached { used, quota, full } => {
                (format!("the storage quota is reached, {} of {} are in use", shown(*used), shown(*quota)), *full)
            }
            Self::DiskLow { full } => ("the disk is nearly full".to_owned(), *full),
            Self::Recovered => return f.write_str("storage: space is available again"),
            Self::Cleaned { batches, bytes } => {
                return write!(f, "storage: {batches} finished batches removed, {} freed", shown(*bytes));
            }
        };
        let then = if full {
            "no finished batch is left to remove; fetching stops until there is room, and buffered media still goes on air"
        } else {
            "removing the oldest finished batches"
        };
        write!(f, "storage: {what}: {then}")
    }
}

/// The subject of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope<'a> {
    /// The disk, which all tenants share.
    Host,
    /// The tenant with this name.
    Tenant(&'a str),
    /// One stream of a tenant.
    Stream(&'a str, &'a str),
}

/// Receives each event of the host, of a tenant, and of a stream without a running pipeline, once. Must not block.
pub trait StorageEvents: Send + Sync {
    /// Called with each event.
    fn storage_event(&self, scope: Scope<'_>, event: StorageEvent);
}
