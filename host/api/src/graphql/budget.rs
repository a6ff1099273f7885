//! Limits the processor time of each tenant's requests.
//!
//! The cost of a request is not known before it is run. So the processor time that threads spend on a tenant's requests is measured,
//! by the system's clock. A tenant may always use its share of one processor, and [`API_BUSY_BURST`] in addition; then its requests
//! are refused until its share has made up for it. Host-wide callers are not measured.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::Stream;
use nix::time::{ClockId, clock_gettime};
use tokio::time::Instant;

use super::context::Result;
use crate::limits::{API_BUSY_BURST, API_BUSY_PERCENT};
use outboard_control::access::Actor;
use outboard_control::error::ControlError;

/// The processor time of each tenant above its share. Cheap to clone; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Budget(Arc<Mutex<HashMap<String, Spent>>>);

#[derive(Debug, Clone, Copy)]
struct Spent {
    over: Duration,
    at: Instant,
}

impl Spent {
    /// The time above the share now: reduced by the share since the last use.
    fn now(self, now: Instant) -> Self {
        let paid = now.saturating_duration_since(self.at) * API_BUSY_PERCENT / 100;
        Self { over: self.over.saturating_sub(paid), at: now }
    }
}

impl Budget {
    /// Checks that the caller's tenant may run another request.
    ///
    /// # Errors
    /// [`ControlError::LimitExceeded`] with how long to wait.
    pub fn check(&self, actor: &Actor) -> Result<()> {
        self.check_at(actor, Instant::now())
    }

    fn check_at(&self, actor: &Actor, now: Instant) -> Result<()> {
        let Some(tenant) = &actor.tenant else { return Ok(()) };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(spent) = all.get(tenant).map(|spent| spent.now(now)) else { return Ok(()) };
        if spent.over.is_zero() {
            all.remove(tenant);
        }
        let Some(over) = spent.over.checked_sub(API_BUSY_BURST) else { return Ok(()) };
        let wait = (over * 100 / API_BUSY_PERCENT).as_secs() + 1;
        Err(ControlError::LimitExceeded(format!(
            "the requests of tenant {tenant} took more than their share of the server's time; wait {wait} s, and ask for less \
             at once"
        )))
    }

    /// Wraps a caller's work, so that its processor time is measured.
    pub fn measured<T>(&self, actor: &Actor, work: T) -> Measured<T> {
        Measured { budget: self.clone(), tenant: actor.tenant.clone(), work }
    }

    fn spend(&self, tenant: &str, time: Duration) {
        let now = Instant::now();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match all.get_mut(tenant) {
            Some(spent) => *spent = Spent { over: spent.now(now).over + time, at: now },
            None => drop(all.insert(tenant.to_owned(), Spent { over: time, at: now })),
        }
    }
}

/// Work whose processor time is measured while it is polled.
#[derive(Debug)]
pub struct Measured<T> {
    budget: Budget,
    tenant: Option<String>,
    work: T,
}

impl<T> Measured<T> {
    fn poll<R>(&mut self, poll: impl FnOnce(&mut T) -> R) -> R {
        let Some(tenant) = &self.tenant else { return poll(&mut self.work) };
        let before = thread_time();
        let polled = poll(&mut self.work);
        self.budget.spend(tenant, thread_time().saturating_sub(before));
        polled
    }
}

impl<F: Future + Unpin> Future for Measured<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        Self::poll(&mut self, |work| Pin::new(work).poll(cx))
    }
}

impl<S: Stream + Unpin> Stream for Measured<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        Self::poll(&mut self, |work| Pin::new(work).poll_next(cx))
    }
}

impl<T> Measured<T> {
    /// Runs blocking work at once, measured.
    pub fn at_once<R>(mut self, act: impl FnOnce(&mut T) -> R) -> R {
        self.poll(act)
    }
}

/// The processor time that this thread has used.
fn thread_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use outboard_control::access::Role;

    fn of(tenant: Option<&str>) -> Actor {
        Actor { tenant: tenant.map(str::to_owned), role: Role::Viewer, token: None, name: "x".into() }
    }

    #[test]
    fn what_a_tenant_spends_comes_back_with_time() {
        let budget = Budget::default();
        let check_at = |tenant, now| budget.check_at(&of(tenant), now).map_err(|error| error.code());
        let start = Instant::now();
        let check = |tenant| check_at(tenant, start);
        budget.spend("a", API_BUSY_BURST);
        budget.spend("a", Duration::from_secs(10));
        assert_eq!((check(Some("a")), check(Some("b")), check(None)), (Err("LIMIT_EXCEEDED"), Ok(()), Ok(())));
        let wait = Duration::from_secs(10) * 100 / API_BUSY_PERCENT;
        assert_eq!(check_at(Some("a"), start + wait - Duration::from_secs(1)), Err("LIMIT_EXCEEDED"));
        assert_eq!(check_at(Some("a"), start + wait + Duration::from_secs(1)), Ok(()));
        assert_eq!(check_at(Some("a"), start + Duration::from_secs(3600)), Ok(()));
        assert!(budget.0.lock().unwrap().is_empty(), "who owes nothing is not kept");
    }

    #[tokio::test]
    async fn the_time_that_counts_is_the_processor_s() {
        let budget = Budget::default();
        let spent = || budget.0.lock().unwrap().get("a").map_or(Duration::ZERO, |spent| spent.over);
        let sleeping = Box::pin(tokio::time::sleep(Duration::from_millis(50)));
        budget.measured(&of(Some("a")), sleeping).await;
        assert!(spent() < Duration::from_millis(40), "{:?}", spent());
        budget.measured(&of(Some("a")), ()).at_once(|()| {
            let until = thread_time() + Duration::from_millis(300);
            while thread_time() < until {
                std::hint::black_box(0);
            }
        });
        assert!(spent() > Duration::from_millis(100), "{:?}", spent());
        budget.measured(&of(None), ()).at_once(|()| ());
        assert_eq!(budget.0.lock().unwrap().len(), 1);
    }
}
