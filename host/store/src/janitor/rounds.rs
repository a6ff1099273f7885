//! The rounds of the janitor: scan, clean, and open or close each tenant's room.

use std::sync::{Arc, Weak};
use std::time::SystemTime;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::event::{Scope, StorageEvent};
use super::pressure::{BoundReading, Level};
use super::{Cleaned, Inner, Janitor, Owner, Stream, locked};
use crate::journal::{JournalError, StreamJournal};
use crate::limits::{
    CLEAN_AT_ONCE, INIT_UNUSED_FOR, INITS_KEPT_MIN, INITS_LOOK_EVERY, STORAGE_CALM_PART, STORAGE_LOOK_ALL_EVERY,
    STORAGE_LOOK_EVERY,
};
use crate::retention::{self, Candidate, Held, Keep};
use outboard_base::room::NoRoom;
use outboard_base::unix_time::now_ms;

/// Which streams a round scans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// Every stream on disk.
    All,
    /// Streams with a running pipeline.
    Running,
    /// Running streams that finished a batch since the last round.
    Dirty,
}

/// Runs rounds until the last handle of the janitor is dropped.
pub(super) async fn run(inner: Weak<Inner>, wake: Arc<Notify>) {
    let start = Instant::now();
    let (mut all_due, mut running_due) = (start, start);
    loop {
        let Some(janitor) = inner.upgrade().map(Janitor) else { return };
        let now = Instant::now();
        let look = match now {
            _ if now >= all_due => Look::All,
            _ if now >= running_due => Look::Running,
            _ => Look::Dirty,
        };
        janitor.round(look).await;
        if look == Look::All {
            all_due = Instant::now() + STORAGE_LOOK_ALL_EVERY;
        }
        if look != Look::Dirty {
            running_due = Instant::now() + STORAGE_LOOK_EVERY;
        }
        drop(janitor);
        let _ = tokio::time::timeout_at(running_due, wake.notified()).await;
    }
}

impl Janitor {
    pub(super) async fn round(&self, look: Look) {
        let _broom = self.0.broom.lock().await;
        if look == Look::All {
            let ledger = self.0.ledger.clone();
            self.blocking(move || ledger.look_at_all()).await;
        } else {
            let wanted = |stream: &Stream| look == Look::Running || stream.dirty;
            let streams = {
                let books = self.books();
                let streams = books.streams.iter().filter(|(_, stream)| wanted(stream));
                streams.map(|(owner, _)| owner.clone()).collect()
            };
            self.look(streams).await;
        }
        if look != Look::Dirty {
            // Logs when the database's file is no longer in place.
            self.0.journal.look_after().await;
        }
        if let Err(error) = self.clean_up().await {
            tracing::warn!(%error, "failed to clean the storage");
        }
    }

    async fn clean_up(&self) -> Result<(), JournalError> {
        let dirty: Vec<(Owner, Keep, StreamJournal)> = {
            let mut books = self.books();
            let all = books.streams.iter_mut();
            // A batch can exceed its age although no batch finished.
            let due = all.filter(|(_, stream)| stream.dirty || stream.keep.max_age.is_some());
            due.map(|(owner, stream)| {
                stream.dirty = false;
                (owner.clone(), stream.keep, stream.journal.clone())
            })
            .collect()
        };
        for (owner, keep, journal) in &dirty {
            self.keep(owner, journal, *keep).await?;
            self.clean_inits(owner, journal).await?;
        }
        let quotas: Vec<(String, u64)> = {
            let books = self.books();
            books.tenants.iter().filter_map(|(name, tenant)| Some((name.clone(), tenant.quota?))).collect()
        };
        for (tenant, quota) in quotas {
            self.enforce_quota(&tenant, quota).await?;
        }
        self.enforce_disk().await?;
        self.set_gates();
        Ok(())
    }

    async fn enforce_quota(&self, tenant: &str, quota: u64) -> Result<(), JournalError> {
        let mut used = self.0.ledger.tenant(tenant).all().bytes;
        let observe = |seen: BoundReading, used: u64| {
            let changed = self.books().tenant(tenant).pressure.observe(seen, Instant::now());
            let event = match changed {
                Some(Level::Fine) => StorageEvent::Recovered,
                Some(level) => StorageEvent::QuotaReached { used, quota, full: level == Level::Full },
                None => return,
            };
            self.tell(Scope::Tenant(tenant), event);
        };
        if used > quota {
            observe(BoundReading { over: true, full: false, calm: false }, used);
        }
        while used > quota {
            let cleaned = self.remove_oldest(tenant, used - quota).await?;
            used = self.0.ledger.tenant(tenant).all().bytes;
            if cleaned.batches == 0 {
                break;
            }
        }
        let calm = used <= quota - quota / STORAGE_CALM_PART;
        observe(BoundReading { over: false, full: used > quota, calm }, used);
        Ok(())
    }

    async fn enforce_disk(&self) -> Result<(), JournalError> {
        let Ok(mut space) = self.0.ledger.space() else { return Ok(()) };
        let min_free = self.min_free(space);
        let observe = |seen: BoundReading| {
            let changed = self.books().disk.observe(seen, Instant::now());
            match changed {
                Some(Level::Fine) => self.tell(Scope::Host, StorageEvent::Recovered),
                Some(level) => self.tell(Scope::Host, StorageEvent::DiskLow { full: level == Level::Full }),
                None => {}
            }
        };
        if space.free < min_free {
            observe(BoundReading { over: true, full: false, calm: false });
            // Batches of the tenant that uses most are removed first; tenants that use less keep theirs.
            for tenant in self.tenants_by_size() {
                while space.free < min_free {
                    let cleaned = self.remove_oldest(&tenant, min_free - space.free).await?;
                    space = self.0.ledger.space().unwrap_or(space);
                    if cleaned.batches == 0 {
                        break;
                    }
                }
            }
        }
        let calm = space.free >= min_free.saturating_add(min_free / STORAGE_CALM_PART);
        observe(BoundReading { over: false, full: space.free < min_free, calm });
        Ok(())
    }

    /// Opens or closes every tenant's room.
    fn set_gates(&self) {
        let mut books = self.books();
        let disk = (books.disk.level() == Level::Full).then_some(NoRoom::Disk);
        for (name, tenant) in &mut books.tenants {
            let quota = tenant.quota.filter(|_| tenant.pressure.level() == Level::Full);
            let quota = quota.map(|quota| NoRoom::Quota { used: self.0.ledger.tenant(name).all().bytes, quota });
            let now = quota.or(disk);
            tenant.gate.send_if_modified(|gate| {
                let changed = gate.is_some() != now.is_some();
                *gate = now.map(|why| (gate.map_or_else(Instant::now, |(since, _)| since), why));
                changed
            });
        }
    }

    /// Called when a write was refused: removes the oldest finished batch of the tenant that uses most. Returns true if
    /// one was removed.
    pub(super) async fn remove_for_room(&self) -> bool {
        let broom = self.0.broom.lock().await;
        let mut room = false;
        for tenant in self.tenants_by_size() {
            match self.remove_oldest(&tenant, 1).await {
                Ok(cleaned) => room |= cleaned.batches > 0,
                Err(error) => tracing::warn!(%error, "failed to free disk space"),
            }
            if room {
                break;
            }
        }
        drop(broom);
        self.nudge();
        room
    }

    pub(super) async fn settle(&self, owner: &Owner) {
        let _broom = self.0.broom.lock().await;
        let Some((keep, journal)) = self.books().streams.get(owner).map(|stream| (stream.keep, stream.journal.clone()))
        else {
            return;
        };
        self.look(vec![owner.clone()]).await;
        if let Err(error) = self.keep(owner, &journal, keep).await {
            tracing::warn!(%error, "failed to remove finished batches");
        }
    }

    /// Removes the batches that exceed `keep`.
    pub(super) async fn keep(
        &self,
        owner: &Owner,
        journal: &StreamJournal,
        keep: Keep,
    ) -> Result<Cleaned, JournalError> {
        let mut cleaned = Cleaned::default();
        loop {
            let held = self.held(owner, journal, CLEAN_AT_ONCE).await?;
            let surplus = keep.surplus(&held, now_ms());
            let going = held.oldest.get(..surplus).unwrap_or_default();
            let gone = self.remove(owner, journal, going).await?;
            cleaned.batches += gone.batches;
            cleaned.bytes += gone.bytes;
            if gone.batches == 0 || surplus < CLEAN_AT_ONCE {
                return Ok(cleaned);
            }
        }
    }

    /// Removes the tenant's oldest finished batches until `bytes` are freed or none is left.
    async fn remove_oldest(&self, tenant: &str, bytes: u64) -> Result<Cleaned, JournalError> {
        let streams = self.0.ledger.streams().into_iter().map(|(owner, _)| owner).filter(|owner| owner.0 == tenant);
        let mut oldest: Vec<(Owner, StreamJournal, Candidate)> = Vec::new();
        for owner in streams {
            let Some(journal) = self.0.journal.find(&owner.0, &owner.1).await? else { continue };
            let held = self.held(&owner, &journal, CLEAN_AT_ONCE).await?;
            oldest.extend(held.oldest.into_iter().map(|batch| (owner.clone(), journal.clone(), batch)));
        }
        oldest.sort_by_key(|(owner, _, batch)| (batch.done_ms, owner.clone(), batch.batch));
        let mut cleaned = Cleaned::default();
        for (owner, journal, batch) in oldest {
            if cleaned.bytes >= bytes {
                break;
            }
            let gone = self.remove(&owner, &journal, &[batch]).await?;
            if gone.batches > 0 {
                cleaned.batches += gone.batches;
                cleaned.bytes += gone.bytes;
                self.tell_stream(&owner, StorageEvent::Cleaned { batches: gone.batches, bytes: gone.bytes });
            }
        }
        Ok(cleaned)
    }

    /// Removes these batches and the journal's reference to their files.
    async fn remove(
        &self,
        owner: &Owner,
        journal: &StreamJournal,
        batches: &[Candidate],
    ) -> Result<Cleaned, JournalError> {
        if batches.is_empty() {
            return Ok(Cleaned::default());
        }
        let (files, list) = (self.files(owner), batches.to_vec());
        let gone = self.blocking(move || retention::remove(&files, &list)).await.unwrap_or_default();
        let mut cleaned = Cleaned::default();
        for batch in batches.iter().filter(|batch| gone.contains(&batch.batch)) {
            cleaned.batches += 1;
            cleaned.bytes += batch.bytes;
            match journal.forget(batch.batch).await {
                // The row is found again later; the space is freed because the files are gone.
                Err(error @ JournalError::Full(_)) => {
                    tracing::warn!(%error, "failed to remove a cleaned batch from the journal")
                }
                forgotten => forgotten?,
            }
        }
        tracing::debug!(tenant = owner.0, stream = owner.1, ?cleaned, "finished batches removed");
        self.look(vec![owner.clone()]).await;
        Ok(cleaned)
    }

    /// The files of the stream, with its `most` oldest finished batches.
    pub(super) async fn held(&self, owner: &Owner, journal: &StreamJournal, most: usize) -> Result<Held, JournalError> {
        let finished = journal.finished(most).await?;
        let places: Vec<_> = finished.oldest.iter().map(|batch| (batch.number, batch.first, batch.last)).collect();
        let (tenant, stream) = owner;
        let sizes = self.0.ledger.batches(tenant, stream, &places);
        let oldest = finished.oldest.into_iter().zip(sizes).map(|(batch, bytes)| Candidate::new(batch, bytes));
        let bytes = self.0.ledger.stream(tenant, stream).all().bytes;
        Ok(Held { count: finished.count, bytes, oldest: oldest.collect() })
    }

    /// Removes initialization sections that no segment needs, occasionally, when there are many.
    async fn clean_inits(&self, owner: &Owner, journal: &StreamJournal) -> Result<(), JournalError> {
        let due = self.books().streams.get_mut(owner).is_some_and(|stream| {
            let due = stream.inits_looked_at.elapsed() >= INITS_LOOK_EVERY;
            if due {
                stream.inits_looked_at = Instant::now();
            }
            due
        });
        if !due {
            return Ok(());
        }
        let files = self.files(owner);
        if self.blocking(move || retention::inits(&files).count()).await.unwrap_or_default() <= INITS_KEPT_MIN {
            return Ok(());
        }
        let (files, known) = (self.files(owner), journal.segment_inits().await?);
        let unused_since = SystemTime::now().checked_sub(INIT_UNUSED_FOR).unwrap_or(SystemTime::UNIX_EPOCH);
        self.blocking(move || retention::remove_inits(&files, &known, unused_since)).await;
        Ok(())
    }

    pub(super) async fn look(&self, streams: Vec<Owner>) {
        let ledger = self.0.ledger.clone();
        self.blocking(move || streams.iter().for_each(|(tenant, stream)| ledger.look(tenant, stream))).await;
    }

    async fn blocking<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        tokio::task::spawn_blocking(work).await.inspect_err(|error| tracing::error!(%error, "storage")).ok()
    }

    fn tenants_by_size(&self) -> Vec<String> {
        let mut sizes = std::collections::BTreeMap::<String, u64>::new();
        for ((tenant, _), totals) in self.0.ledger.streams() {
            *sizes.entry(tenant).or_default() += totals.all().bytes;
        }
        let mut tenants: Vec<_> = sizes.into_iter().collect();
        tenants.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
        tenants.into_iter().map(|(tenant, _)| tenant).collect()
    }

    /// Sends the event to every running pipeline that it concerns, and to the listener.
    fn tell(&self, scope: Scope<'_>, event: StorageEvent) {
        let concerned: Vec<_> = {
            let books = self.books();
            let streams = books.streams.iter().filter(|((tenant, stream), _)| match scope {
                Scope::Host => true,
                Scope::Tenant(of) => of == tenant,
                Scope::Stream(of, name) => of == tenant && name == stream,
            });
            streams.map(|(_, stream)| stream.tell.clone()).collect()
        };
        match event {
            StorageEvent::Recovered | StorageEvent::Cleaned { .. } => tracing::info!(?scope, "{event}"),
            _ => tracing::warn!(?scope, "{event}"),
        }
        concerned.iter().for_each(|tell| tell(event));
        // A running pipeline receives the events of its stream itself; the listener receives them only while no
        // pipeline runs.
        if matches!(scope, Scope::Stream(..)) && !concerned.is_empty() {
            return;
        }
        let listener = locked(&self.0.listener).clone();
        if let Some(listener) = listener {
            listener.storage_event(scope, event);
        }
    }

    pub(super) fn tell_stream(&self, owner: &Owner, event: StorageEvent) {
        self.tell(Scope::Stream(&owner.0, &owner.1), event);
    }
}
