//! A pipeline at a moment: everything that status shows, made once for all who look.
//!
//! One task a pipeline makes a new [`Snapshot`] when something changes (at most each [`SNAPSHOT_EVERY_MIN`]) and each
//! [`SNAPSHOT_EVERY`] while it runs; subscribers share it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, select_all};
use tokio::sync::watch;
use tokio::time::Instant;

use super::health::{Health, HealthState, Vitals, judge};
use super::runner::{Run, RunState};
use super::srs::{SrsView, SrsViews};
use crate::limits::{ERROR_OVER_AFTER, SNAPSHOT_EVERY, SNAPSHOT_EVERY_MIN};
use outboard_base::unix_time::now_ms;
use outboard_egress::status::DestinationStatus;
use outboard_exchange::ExchangeStatus;
use outboard_pipeline::problems::{Problem, Signs};
use outboard_pipeline::status::{Phase, Stats};
use outboard_pipeline::{RunningStage, Watch};
use outboard_stage::Digest;
use outboard_stage::slot_status::ProbationStatus;

/// The phase of a pipeline that was on air and from which no packet left within the last seconds.
pub const OFF_AIR: &str = "off-air";

/// A pipeline at a moment.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// When, Unix time in milliseconds.
    pub at_ms: u64,
    /// What the runner does, since when, with which revision, and why it last failed.
    pub run: Run,
    /// Health at that moment.
    pub health: Health,
    /// Since when it is so, Unix time in milliseconds.
    pub health_since_ms: u64,
    /// What last went wrong and is not over, and when (Unix time in milliseconds).
    pub last_error: Option<(String, u64)>,
    /// Errors up to this time are over, Unix time in milliseconds.
    over_ms: u64,
    /// Every problem, the cause first.
    pub problems: Vec<Problem>,
    /// Counts of this run, or of the last one.
    pub stats: Option<Stats>,
    /// Destinations, in the order of the settings.
    pub destinations: Vec<DestinationView>,
    /// The connection to the processor.
    pub exchange: Option<ExchangeStatus>,
    /// Media time on air in milliseconds, once the clock runs.
    pub air_ms: Option<u64>,
    /// Media time up to which everything is ready, in milliseconds.
    pub ready_ms: u64,
    /// Batches that are ready and have not aired at every destination.
    pub batches_ready: usize,
    /// Digests of the stages that decide, and how far a probation is.
    seats: Vec<(Digest, Option<ProbationStatus>)>,
}

/// A destination, as we and as the server see it.
#[derive(Debug, Clone)]
pub struct DestinationView {
    /// State and counters of our own session.
    pub status: DestinationStatus,
    /// Packets left within the last seconds.
    pub on_air: bool,
    /// When the last packet left, Unix time in milliseconds.
    pub last_packet_ms: Option<u64>,
    /// What SRS says, where its API is set.
    pub srs: Option<SrsView>,
}

impl Snapshot {
    /// The stages that run or ran last.
    pub fn stages(&self) -> &[RunningStage] {
        self.run.watch.as_ref().map_or(&[], |watch| watch.stages())
    }

    /// Packets leave for at least one destination.
    pub fn on_air(&self) -> bool {
        self.destinations.iter().any(|destination| destination.on_air)
    }

    /// A pipeline runs; else what is counted is of the last run, and what only makes sense now is not told.
    pub fn live(&self) -> bool {
        matches!(self.run.state, RunState::Running | RunState::Stopping)
    }

    /// Time in hand when the newest batch was ready, in milliseconds; `None` off air, or where it was late.
    pub fn time_left_ms(&self) -> Option<u64> {
        self.slack_ms().and_then(|ms| u64::try_from(ms).ok())
    }

    /// How late the newest batch was ready, or how far the destination furthest behind is behind the clock, in milliseconds;
    /// `None` off air, and where nothing is behind.
    pub fn behind_ms(&self) -> Option<u64> {
        let late = self.slack_ms().filter(|ms| *ms < 0).map(i64::unsigned_abs);
        let behind = self.destinations.iter().filter(|to| to.on_air).filter_map(|to| to.status.behind_ms());
        behind.chain(late).max()
    }

    fn slack_ms(&self) -> Option<i64> {
        self.stats.as_ref().filter(|_| self.live() && self.on_air())?.time_left_ms
    }

    /// A problem that is not among [`Self::problems`] is away. Before a pipeline is on air nobody knows.
    pub(super) fn settled(&self) -> bool {
        matches!(self.phase(), "on-air" | OFF_AIR | "draining" | "ended" | "stopped")
    }

    /// The API's word for where the pipeline is: the runner's while no pipeline runs, else the pipeline's own.
    pub fn phase(&self) -> &'static str {
        match (&self.run.state, &self.stats) {
            (RunState::Stopped, _) => "stopped",
            (RunState::Waiting { .. }, _) => "waiting",
            (RunState::Loading, _) | (_, None) => "starting",
            // The clock runs on whether anything leaves or not; the word is for what leaves (law 7).
            (_, Some(stats)) if stats.phase == Phase::OnAir && !self.on_air() => OFF_AIR,
            (_, Some(stats)) => stats.phase.name(),
        }
    }

    /// Before anything was done.
    pub(super) fn first() -> Self {
        Self { at_ms: 0, ..Self::take(&Run::default(), &SrsViews::default(), &Self::default()) }
    }

    fn take(run: &Run, srs: &SrsViews, before: &Self) -> Self {
        let (now, now_ms) = (Instant::now(), now_ms());
        let live = matches!(run.state, RunState::Running | RunState::Stopping);
        let watch = run.watch.as_ref();
        let stats = watch.map(Watch::stats);
        let statuses = watch.map(Watch::destinations).unwrap_or_default();
        let exchange = watch.and_then(Watch::exchange);
        let signs = watch.zip(stats.as_ref()).filter(|_| live).map(|(watch, stats)| Signs {
            stats,
            destinations: &statuses,
            exchange: exchange.as_ref(),
            room: watch.refusal(),
            starved: watch.starved(),
        });
        let (ended, error) = (run.error.as_deref(), run.cause.as_ref());
        let (health, problems) = judge(&Vitals { run: &run.state, ended, error, signs });
        let health_since_ms = if health.state == before.health.state { before.health_since_ms } else { now_ms };
        let happened = (run.error_ms, stats.as_ref().and_then(|stats| stats.last_error_ms));
        let over_ms = match health.state {
            HealthState::Healthy => {
                over(happened.0, health_since_ms, now_ms).max(over(happened.1, health_since_ms, now_ms))
            }
            _ => 0,
        };
        let over_ms = over_ms.max(before.over_ms);
        let ago = |at: Instant| u64::try_from(now.saturating_duration_since(at).as_millis()).unwrap_or(u64::MAX);
        let destinations = statuses.into_iter().map(|status| DestinationView {
            on_air: live && status.on_air(),
            last_packet_ms: status.last_packet_at.map(|at| now_ms.saturating_sub(ago(at))),
            srs: srs.get(&status.name).cloned(),
            status,
        });
        Self {
            at_ms: now_ms,
            health,
            last_error: last_error(run, stats.as_ref(), over_ms),
            over_ms,
            problems,
            health_since_ms: if health_since_ms == 0 { now_ms } else { health_since_ms },
            destinations: destinations.collect(),
            exchange: exchange.filter(|_| live),
            air_ms: watch.filter(|_| live).and_then(Watch::air_ms),
            ready_ms: watch.map_or(0, Watch::end_ms),
            batches_ready: watch.filter(|_| live).map_or(0, Watch::batches_ready),
            seats: watch.map(seats).unwrap_or_default(),
            stats,
            run: run.clone(),
        }
    }

    /// What a subscriber must learn of at once.
    fn differs(&self, other: &Self) -> bool {
        let air = |snapshot: &Self| -> Vec<_> {
            snapshot
                .destinations
                .iter()
                .map(|to| {
                    (to.on_air, to.status.disabled, to.status.label.clone(), to.status.state.clone(), to.srs.clone())
                })
                .collect()
        };
        self.run.state != other.run.state
            || self.run.revision != other.run.revision
            || self.run.error != other.run.error
            || self.health != other.health
            || self.last_error != other.last_error
            || self.problems != other.problems
            || self.stats != other.stats
            || air(self) != air(other)
            || self.seats != other.seats
            || self.exchange.as_ref().map(|e| (e.connected, e.ready, e.paused, e.in_flight, e.breaker))
                != other.exchange.as_ref().map(|e| (e.connected, e.ready, e.paused, e.in_flight, e.breaker))
    }
}

/// When an error happened that is over, else 0: a healthy stream began after it, or went on healthy for
/// [`ERROR_OVER_AFTER`].
fn over(at_ms: Option<u64>, healthy_since_ms: u64, now_ms: u64) -> u64 {
    let long_ago =
        |at: u64| now_ms.saturating_sub(at) > u64::try_from(ERROR_OVER_AFTER.as_millis()).unwrap_or(u64::MAX);
    at_ms.filter(|at| *at < healthy_since_ms || long_ago(*at)).unwrap_or_default()
}

/// Why the pipeline last failed, or else what last went wrong in it, unless that is over. Settings that cannot run stay an
/// error while older ones run well.
fn last_error(run: &Run, stats: Option<&Stats>, over_ms: u64) -> Option<(String, u64)> {
    let failed = run.error.clone().zip(run.error_ms).filter(|(_, at)| run.reverted || *at > over_ms);
    let wrong = stats.and_then(|stats| stats.last_error.clone().zip(stats.last_error_ms));
    failed.or_else(|| wrong.filter(|(_, at)| *at > over_ms))
}

fn seats(watch: &Watch) -> Vec<(Digest, Option<ProbationStatus>)> {
    let seat = |stage: &RunningStage| {
        let status = stage.status.current();
        (status.component.digest(), status.probation)
    };
    watch.stages().iter().map(seat).collect()
}

/// Makes snapshots until nobody can look any more.
pub(super) async fn keep(
    mut run: watch::Receiver<Run>,
    mut srs: watch::Receiver<SrsViews>,
    shown: watch::Sender<Arc<Snapshot>>,
) {
    let mut last = Instant::now();
    loop {
        let now = run.borrow_and_update().clone();
        let seen = srs.borrow_and_update().clone();
        let before = shown.borrow().clone();
        let idle = matches!(now.state, RunState::Stopped);
        // Watched first: what changes from here on is not missed.
        let changed = changes(now.watch.as_ref().filter(|_| !idle));
        let next = Snapshot::take(&now, &seen, &before);
        if next.differs(&before) || (!idle && last.elapsed() >= SNAPSHOT_EVERY) || before.at_ms == 0 {
            last = Instant::now();
            shown.send_replace(Arc::new(next));
        }
        let wait = if idle { Duration::MAX } else { SNAPSHOT_EVERY.saturating_sub(last.elapsed()) };
        tokio::select! {
            changed = run.changed() => if changed.is_err() { return },
            _ = srs.changed() => {}
            () = changed => {}
            () = tokio::time::sleep(wait.min(SNAPSHOT_EVERY * 60)) => {}
        }
        tokio::time::sleep_until(last + SNAPSHOT_EVERY_MIN).await;
    }
}

/// The next change of anything that a running pipeline reports, from the call on.
fn changes(watch: Option<&Watch>) -> impl Future<Output = ()> + use<> {
    let mut waits: Vec<BoxFuture<'static, ()>> = vec![Box::pin(std::future::pending())];
    if let Some(watch) = watch {
        waits.push(change(watch.changes()));
        waits.extend(watch.exchange_changes().map(change));
        waits.push(change(watch.destination_list()));
        waits.extend(watch.destination_changes().into_iter().map(change));
        waits.extend(watch.stage_changes().into_iter().map(change));
    }
    select_all(waits).map(|_| ())
}

/// The next change; never, where nothing can change any more.
fn change<T: Send + Sync + 'static>(mut receiver: watch::Receiver<T>) -> BoxFuture<'static, ()> {
    receiver.mark_unchanged();
    Box::pin(async move {
        if receiver.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stats(at_ms: u64) -> Stats {
        Stats { last_error: Some("a destination was lost".into()), last_error_ms: Some(at_ms), ..Stats::default() }
    }

    #[test]
    fn an_error_is_over_when_a_healthy_stream_began_after_it() {
        let (before, after) = (over(Some(1_000), 2_000, 2_100), over(Some(2_050), 2_000, 2_100));
        assert_eq!((before, after), (1_000, 0));
        assert_eq!(last_error(&Run::default(), Some(&stats(1_000)), before), None);
        let (what, at) = last_error(&Run::default(), Some(&stats(2_050)), before).unwrap();
        assert_eq!((what.as_str(), at), ("a destination was lost", 2_050));
    }

    #[test]
    fn an_error_that_changes_no_health_is_over_after_a_while() {
        let later = 2_050 + u64::try_from(ERROR_OVER_AFTER.as_millis()).unwrap();
        assert_eq!((over(Some(2_050), 2_000, later), over(Some(2_050), 2_000, later + 1)), (0, 2_050));
    }

    #[test]
    fn settings_that_cannot_run_stay_an_error() {
        let run = Run { error: Some("no stage".into()), error_ms: Some(1_000), ..Run::default() };
        assert_eq!(last_error(&run, None, 1_000), None);
        let run = Run { reverted: true, ..run };
        assert_eq!(last_error(&run, None, 1_000), Some(("no stage".into(), 1_000)));
    }
}
