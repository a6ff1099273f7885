//! Whether there is room on disk to fetch more.
//!
//! The storage's [`Cleaner`] opens and closes the gate. The source calls [`Room::wait`] before each segment; a caller that
//! gets a disk-full error calls [`Room::make`].

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::limits::DISK_FULL_WAIT;

/// Why nothing more is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoRoom {
    /// The tenant's files exceed its quota, and none can be removed.
    Quota {
        /// Size of the tenant's files in bytes.
        used: u64,
        /// The quota in bytes.
        quota: u64,
    },
    /// The disk is nearly full, and no file can be removed.
    Disk,
}

impl fmt::Display for NoRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Quota { used, quota } => {
                write!(f, "the storage quota is reached: {} of {}", shown(*used), shown(*quota))
            }
            // The state of the disk is not shown to tenants.
            Self::Disk => f.write_str("the disk is nearly full"),
        }
    }
}

/// Removes files when the disk is full: the storage's janitor.
pub trait Cleaner: fmt::Debug + Send + Sync {
    /// Removes finished batches. Returns false if nothing could be removed.
    fn make_room(&self) -> Pin<Box<dyn Future<Output = bool> + Send + '_>>;
    /// Starts cleaning soon, without waiting for it.
    fn nudge(&self);
}

/// Whether one tenant may write more. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Room {
    gate: watch::Receiver<Gate>,
    /// `None`: there is always room.
    cleaner: Option<Arc<dyn Cleaner>>,
}

/// When and why fetching stopped; `None`: open.
pub type Gate = Option<(Instant, NoRoom)>;

impl Default for Room {
    /// Unlimited room, for a source without a janitor.
    fn default() -> Self {
        Self { gate: watch::Sender::new(None).subscribe(), cleaner: None }
    }
}

impl Room {
    /// The room behind `gate`, which `cleaner` opens and closes.
    pub fn new(gate: watch::Receiver<Gate>, cleaner: Arc<dyn Cleaner>) -> Self {
        Self { gate, cleaner: Some(cleaner) }
    }

    /// Why nothing may be fetched now; `None` if there is room.
    pub fn refusal(&self) -> Option<NoRoom> {
        self.gate.borrow().map(|(_, why)| why)
    }

    /// Waits for room. Fails after `patience`, counted from the moment when the room ran out; without `patience`, waits
    /// without limit.
    pub async fn wait(&self, patience: Option<Duration>) -> Result<(), NoRoom> {
        let mut gate = self.gate.clone();
        loop {
            let Some((since, why)) = *gate.borrow_and_update() else { return Ok(()) };
            let changed = async {
                // Without a cleaner the state never changes.
                if gate.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            };
            match patience {
                None => changed.await,
                Some(patience) => {
                    if tokio::time::timeout_at(since + patience, changed).await.is_err() {
                        return Err(why);
                    }
                }
            }
        }
    }

    /// Called when the disk refused a write: removes finished batches, or waits for [`DISK_FULL_WAIT`] if there are
    /// none.
    pub async fn make(&self) {
        let made = match &self.cleaner {
            Some(cleaner) => cleaner.make_room().await,
            None => false,
        };
        if !made {
            tokio::time::sleep(DISK_FULL_WAIT).await;
        }
    }

    /// Wakes the janitor after the disk refused a write; the caller does not retry.
    pub fn nudge(&self) {
        if let Some(cleaner) = &self.cleaner {
            cleaner.nudge();
        }
    }
}

/// Whether a write failed because the disk is full or a disk quota is exceeded.
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Formats a number of bytes for people, in decimal units.
pub fn shown(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    let unit_name = UNITS.get(unit).copied().unwrap_or_default();
    if unit == 0 { format!("{bytes} B") } else { format!("{value:.1} {unit_name}") }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn closed() -> (watch::Sender<Gate>, Room) {
        let gate = watch::Sender::new(Some((Instant::now(), NoRoom::Disk)));
        let room = Room { gate: gate.subscribe(), cleaner: None };
        (gate, room)
    }

    #[tokio::test]
    async fn waits_for_room_and_gives_up_some_time_after_it_ran_out() {
        let (gate, room) = closed();
        let patience = Duration::from_millis(40);
        let start = Instant::now();
        assert_eq!(room.wait(Some(patience)).await, Err(NoRoom::Disk));
        assert!(start.elapsed() >= patience - Duration::from_millis(1));
        assert_eq!(room.wait(Some(patience)).now_or_never(), Some(Err(NoRoom::Disk)), "later ones do not wait again");
        let mut waiting = Box::pin(room.wait(None));
        assert_eq!(waiting.as_mut().now_or_never(), None);
        gate.send_replace(None);
        assert_eq!(waiting.await, Ok(()));
        assert_eq!(room.wait(Some(patience)).await, Ok(()));
    }

    #[tokio::test]
    async fn without_a_cleaner_there_is_room() {
        let (room, start) = (Room::default(), Instant::now());
        assert_eq!((room.refusal(), room.wait(None).await), (None, Ok(())));
        room.make().await;
        assert!(start.elapsed() >= DISK_FULL_WAIT, "somebody else may make room");
    }

    #[test]
    fn tells_a_full_disk_from_other_trouble() {
        let of = |code| is_full(&io::Error::from_raw_os_error(code));
        assert!(of(libc::ENOSPC) && of(libc::EDQUOT) && !of(libc::EIO) && !of(libc::EACCES));
        assert!(is_full(&std::fs::write("/dev/full", b"x").unwrap_err()), "as the kernel says it");
    }

    #[test]
    fn bytes_are_shown_in_the_unit_that_fits() {
        for (bytes, text) in
            [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (512_000_000, "512.0 MB"), (3_000_000_000_000, "3.0 TB")]
        {
            assert_eq!(shown(bytes), text);
        }
        assert!(!NoRoom::Disk.to_string().contains('B'), "a tenant is not told how full the disk is");
        assert_eq!(
            NoRoom::Quota { used: 2000, quota: 1000 }.to_string(),
            "the storage quota is reached: 2.0 kB of 1.0 kB"
        );
    }
}
