//! events -> **webhooks** -> the tenants' receivers: sends what is due, until it is taken or was tried too often.
//!
//! In: the queue of deliveries in the [`Registry`], which survives the process. Out: POST requests, signed in the form
//! of [Standard Webhooks](https://www.standardwebhooks.com), through the tenant's own [`Guard`], and how each went, back in the queue. At least once: a receiver tells a repeated one by its
//! delivery id. One request at a time for each webhook, so that a healthy receiver gets events in their order; a few for
//! each tenant, so that dead receivers hold up nobody but themselves. Nothing waits in memory: only what can be sent at
//! once is claimed.
//!
//! Limits: [`crate::limits`], section webhooks. For receivers: docs/webhooks.md.

mod send;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, Notify};
use tokio::task::{AbortHandle, Id, JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::limits::{
    WEBHOOK_LEASE, WEBHOOK_LOOK_EVERY, WEBHOOK_RETRY, WEBHOOK_SENDINGS_MAX, WEBHOOK_TENANT_SENDINGS_MAX,
    WEBHOOK_TIMEOUT,
};
use crate::registry::{Busy, Due, Registry, RegistryError};
use outboard_base::backoff::Schedule;
use outboard_base::unix_time::now_ms;
use outboard_net::Guard;

/// What a tenant's webhooks may reach; `None`: there is no such tenant any more.
pub type Guards = Arc<dyn Fn(&str) -> Option<Guard> + Send + Sync>;

/// How long is waited for what.
#[derive(Debug, Clone)]
pub struct Patience {
    /// For a receiver's answer, name lookup and connection included.
    pub answer: Duration,
    /// After this a delivery that was claimed and never heard of again is due again.
    pub lease: Duration,
    /// The queue is looked at so often, whether or not anybody says that something is due.
    pub look: Duration,
    /// When a delivery that failed is tried again.
    pub schedule: Schedule,
}

impl Default for Patience {
    fn default() -> Self {
        Self { answer: WEBHOOK_TIMEOUT, lease: WEBHOOK_LEASE, look: WEBHOOK_LOOK_EVERY, schedule: WEBHOOK_RETRY }
    }
}

/// What was sent since the start of the process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SenderStats {
    /// Requests in progress now.
    pub sending: u64,
    /// Deliveries that a receiver took.
    pub delivered: u64,
    /// Requests that failed, since the start of the server.
    pub failed: u64,
    /// Deliveries that were tried in vain too often.
    pub given_up: u64,
}

#[derive(Debug, Default)]
struct Counters {
    sending: AtomicU64,
    delivered: AtomicU64,
    failed: AtomicU64,
    given_up: AtomicU64,
}

/// The task that sends. Dropping it ends it and what is under way; that is due again when its lease ends.
#[derive(Debug)]
pub struct Sender {
    wake: Arc<Notify>,
    counters: Arc<Counters>,
    cancel: CancellationToken,
    abort: AbortHandle,
    task: Mutex<JoinHandle<()>>,
}

// === impl Sender ===

impl Sender {
    /// Begins to send what is due. `guards` is asked anew for each request.
    pub fn start(registry: Registry, guards: Guards, patience: Patience) -> Self {
        let (wake, counters, cancel) = (Arc::<Notify>::default(), Arc::<Counters>::default(), CancellationToken::new());
        let driver = Driver {
            registry,
            guards,
            patience: Arc::new(patience),
            wake: Arc::clone(&wake),
            counters: Arc::clone(&counters),
            cancel: cancel.clone(),
            sending: JoinSet::new(),
            busy: HashMap::new(),
        };
        let task = tokio::spawn(driver.run());
        Self { wake, counters, cancel, abort: task.abort_handle(), task: Mutex::new(task) }
    }

    /// Something may be due: an event was written, or somebody wants to try a webhook.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Counters of all webhooks since the start of the server.
    pub fn stats(&self) -> SenderStats {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Counters { sending, delivered, failed, given_up } = &*self.counters;
        SenderStats { sending: of(sending), delivered: of(delivered), failed: of(failed), given_up: of(given_up) }
    }

    /// Sends nothing new, and waits for what is under way, but not longer than this.
    pub async fn shutdown(&self, limit: Duration) {
        self.cancel.cancel();
        let ended = async {
            let mut task = self.task.lock().await;
            // Ended before: there is nothing to wait for.
            if !task.is_finished() {
                let _ = (&mut *task).await;
            }
        };
        if timeout(limit, ended).await.is_err() {
            tracing::debug!("webhook requests in progress will be sent again after the next start");
            self.abort.abort();
        }
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.abort.abort();
    }
}

// === the task ===

struct Driver {
    registry: Registry,
    guards: Guards,
    patience: Arc<Patience>,
    wake: Arc<Notify>,
    counters: Arc<Counters>,
    cancel: CancellationToken,
    sending: JoinSet<()>,
    /// Webhook and tenant of each request under way.
    busy: HashMap<Id, (u64, String)>,
}

impl Driver {
    async fn run(mut self) {
        let cancel = self.cancel.clone();
        while !cancel.is_cancelled() {
            let wait = self.claim().await.unwrap_or_else(|error| {
                tracing::warn!(%error, "webhooks: failed to read the queue");
                self.patience.look
            });
            tokio::select! {
                biased;
                () = cancel.cancelled() => break,
                Some(done) = self.sending.join_next_with_id() => self.done(done.map(|(id, ())| id)),
                () = self.wake.notified() => {}
                () = sleep(wait) => {}
            }
        }
        while let Some(done) = self.sending.join_next_with_id().await {
            self.done(done.map(|(id, ())| id));
        }
    }

    /// Sends what is due and may be sent. Answers how long nothing more will be due.
    async fn claim(&mut self) -> Result<Duration, RegistryError> {
        let look = self.patience.look;
        loop {
            let free = WEBHOOK_SENDINGS_MAX.saturating_sub(self.sending.len());
            if free == 0 {
                return Ok(look);
            }
            let (busy, now) = (self.busy(), now_ms());
            match self.registry.next_due(busy.clone()).await? {
                Some(at) if at <= now => {}
                Some(at) => return Ok(look.min(Duration::from_millis(at - now))),
                None => return Ok(look),
            }
            let claimed = self.registry.claim_due(now, self.patience.lease, busy, free).await?;
            if claimed.is_empty() {
                return Ok(look);
            }
            claimed.into_iter().for_each(|due| self.send(due));
        }
    }

    fn busy(&self) -> Busy {
        let mut tenants = HashMap::<&str, usize>::new();
        self.busy.values().for_each(|(_, tenant)| *tenants.entry(tenant).or_default() += 1);
        let full = tenants.into_iter().filter(|(_, sending)| *sending >= WEBHOOK_TENANT_SENDINGS_MAX);
        Busy {
            webhooks: self.busy.values().map(|(webhook, _)| *webhook).collect(),
            tenants: full.map(|(tenant, _)| tenant.to_owned()).collect(),
        }
    }

    fn send(&mut self, due: Due) {
        let of = (due.delivery.webhook, due.tenant.clone());
        let guard = (self.guards)(&due.tenant);
        let (registry, patience) = (self.registry.clone(), Arc::clone(&self.patience));
        let counters = Arc::clone(&self.counters);
        counters.sending.fetch_add(1, Ordering::Relaxed);
        let task = self.sending.spawn(async move {
            if let Err(error) = deliver(due, guard, &registry, &patience, &counters).await {
                // It is sent again when its lease ends.
                tracing::warn!(%error, "webhooks: failed to record the delivery result");
            }
        });
        self.busy.insert(task.id(), of);
    }

    fn done(&mut self, ended: Result<Id, tokio::task::JoinError>) {
        let id = ended.unwrap_or_else(|error| {
            tracing::error!(%error, "webhooks: the task of a delivery failed");
            error.id()
        });
        self.busy.remove(&id);
        self.counters.sending.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One request, and what follows from how it went.
async fn deliver(
    due: Due,
    guard: Option<Guard>,
    registry: &Registry,
    patience: &Patience,
    counters: &Counters,
) -> Result<(), RegistryError> {
    let (id, webhook, attempts) = (due.delivery.id, due.delivery.webhook, due.delivery.attempts);
    let count = |counter: &AtomicU64| {
        counter.fetch_add(1, Ordering::Relaxed);
    };
    let Some(guard) = guard else {
        count(&counters.given_up);
        return registry.give_up_delivery(id, None, "its tenant was deleted").await;
    };
    let failure = match send::once(&due, &guard, patience.answer).await {
        Ok(status) => {
            count(&counters.delivered);
            tracing::debug!(webhook, delivery = id, status, "webhook delivered");
            return registry.delivered(id, status).await;
        }
        Err(failure) => failure,
    };
    count(&counters.failed);
    let (status, reason) = (failure.status, failure.reason);
    match patience.schedule.next_attempt(attempts.max(1), rand::random()).filter(|_| !failure.last) {
        Some(wait) => {
            tracing::debug!(webhook, delivery = id, attempts, reason, ?wait, "webhook delivery failed; will retry");
            let wait = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
            registry.delivery_failed(id, status, &reason, now_ms().saturating_add(wait)).await
        }
        None => {
            count(&counters.given_up);
            tracing::info!(
                webhook,
                delivery = id,
                attempts,
                reason,
                "webhook delivery failed permanently; no more retries"
            );
            registry.give_up_delivery(id, status, &reason).await
        }
    }
}

#[cfg(test)]
mod tests;
