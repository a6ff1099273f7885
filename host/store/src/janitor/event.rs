//! What the janitor tells.

use std::fmt;

use outboard_base::room::shown;

/// Something happened to the storage. A tenant is told of its own only, and of a full disk without numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StorageEvent {
    /// A tenant's files reached its quota; the oldest finished batches go.
    QuotaReached {
        /// Bytes in use.
        used: u64,
        /// Bytes allowed.
        quota: u64,
        /// Nothing is left to remove: segments are not fetched until there is room.
        full: bool,
    },
    /// The disk is nearly full; the oldest finished batches go.
    DiskLow {
        /// Nothing is left to remove: segments are not fetched until there is room.
        full: bool,
    },
    /// There is room again.
    Recovered,
    /// Finished batches were removed to make room, or by hand. What goes by a pipeline's own settings is not told.
    Cleaned {
        /// How many.
        batches: u64,
        /// Their bytes.
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
            Self::Recovered => return f.write_str("storage: there is room again"),
            Self::Cleaned { batches, bytes } => {
                return write!(f, "storage: {batches} finished batches were removed, {}", shown(*bytes));
            }
        };
        let then = if full {
            "nothing is left to remove, so segments are not fetched until there is room; what is on disk still goes on air"
        } else {
            "the oldest finished batches go"
        };
        write!(f, "storage: {what}: {then}")
    }
}

/// Whom an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope<'a> {
    /// The disk that all share.
    Host,
    /// A tenant.
    Tenant(&'a str),
    /// A tenant's stream.
    Stream(&'a str, &'a str),
}

/// Is told each event of the host, of a tenant, and of a stream that no pipeline runs, once. Must not block.
pub trait StorageEvents: Send + Sync {
    /// Something happened.
    fn storage_event(&self, scope: Scope<'_>, event: StorageEvent);
}
