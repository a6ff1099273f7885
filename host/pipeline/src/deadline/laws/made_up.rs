//! Made-up pipelines for the laws: ordinary times, the edges, and times that no one would configure. The same seed makes the
//! same case.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};

use crate::deadline::arithmetic::SPAN_MAX;
use crate::deadline::*;

const CASES: u64 = 2_000;

/// A source of made-up times.
pub(super) struct Case {
    seed: u64,
    pub(super) random: StdRng,
    pub(super) base: Instant,
}

impl Drop for Case {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the law does not hold for the case of seed {}", self.seed);
        }
    }
}

/// Holds a law against all cases.
pub(super) fn each_case(law: impl Fn(&mut Case)) {
    for seed in 0..CASES {
        law(&mut Case { seed, random: StdRng::seed_from_u64(seed), base: Instant::now() });
    }
}

impl Case {
    pub(super) fn one_in(&mut self, count: u32) -> bool {
        self.random.random_range(0..count) == 0
    }

    /// Up to so many seconds.
    pub(super) fn up_to(&mut self, seconds: u64) -> Duration {
        Duration::from_micros(self.random.random_range(0..=seconds * 1_000_000))
    }

    /// Any length of time: mostly an ordinary one.
    pub(super) fn span(&mut self) -> Duration {
        let edges = [Duration::ZERO, Duration::from_nanos(1), SPAN_MAX, Duration::from_millis(u64::MAX), Duration::MAX];
        if self.one_in(4) { *edges.choose(&mut self.random).unwrap() } else { self.up_to(200) }
    }

    /// Any instant near `base`, or as far away as saturating goes.
    pub(super) fn instant(&mut self) -> Instant {
        let span = self.span();
        if self.one_in(2) { after(self.base, span) } else { before(self.base, span.min(SPAN_MAX)) }
    }

    pub(super) fn ms(&mut self) -> u64 {
        if self.one_in(8) { u64::MAX } else { self.random.random_range(0..10_000_000) }
    }

    pub(super) fn settings_of(&mut self, span: impl Fn(&mut Self) -> Duration) -> PaceSettings {
        let hold = if self.one_in(2) { Hold::Auto } else { Hold::After(span(self)) };
        PaceSettings { batch: span(self), hold, cushion: span(self) }
    }

    pub(super) fn batch(&mut self) -> BatchTimes {
        let (start_ms, complete) = (self.ms(), self.instant());
        let end_ms = start_ms.saturating_add(self.ms());
        let open = if self.one_in(2) { Duration::ZERO } else { self.span() };
        BatchTimes { start_ms, end_ms, complete, sent: after(complete, self.span()), asked: self.one_in(2), open }
    }

    pub(super) fn work(&mut self) -> Work {
        let arrived = self.instant();
        let began = after(arrived, self.span());
        let replies = [ReplyOutcome::NotAsked, ReplyOutcome::Answered, ReplyOutcome::TimedOut, ReplyOutcome::Absent];
        Work {
            arrived,
            began,
            ready: after(began, self.span()),
            due: self.instant(),
            reply: *replies.choose(&mut self.random).unwrap(),
            usual_reply: self.span(),
            recording: self.one_in(4),
        }
    }

    /// Deadlines after a history of any kind.
    pub(super) fn deadlines(&mut self) -> Deadlines {
        let settings = self.settings_of(Self::span);
        let mut deadlines = Deadlines::new(settings, self.instant());
        if self.one_in(2) {
            deadlines.go_on_from(Some(self.ms()));
        }
        for _ in 0..self.random.random_range(0..6) {
            deadlines.remuxed(self.span());
            deadlines.answered(self.span());
            let (batch, work) = (self.batch(), self.work());
            deadlines.ready(&batch, batch.end_ms, &work);
        }
        deadlines
    }

    pub(super) fn due(&mut self) -> Option<Instant> {
        (!self.one_in(3)).then(|| self.instant())
    }

    pub(super) fn standing(&mut self) -> Duration {
        if self.one_in(2) { Duration::ZERO } else { self.span() }
    }

    /// The newest batch that is ready, after a history of any kind, or an ordinary one.
    pub(super) fn newest(&mut self) -> Newest {
        if self.one_in(2) {
            let (mut deadlines, batch, work) = (self.deadlines(), self.batch(), self.work());
            return deadlines.ready(&batch, batch.end_ms, &work).newest;
        }
        let (work_min, work) = (self.up_to(5), Some(self.up_to(30)));
        Newest { end_ms: self.ms(), complete: self.base, work_min, work }
    }

    /// When a batch is due that was complete at `complete`: in an ordinary time, or whenever.
    pub(super) fn due_after(&mut self, complete: Instant) -> Option<Instant> {
        if self.one_in(2) { Some(after(complete, self.up_to(240))) } else { self.due() }
    }
}
