//! Every problem of a running pipeline that can be seen from outside, and which of them is the cause.
//!
//! A problem either explains why no packet leaves, or only why something else than wanted is on air. The cause is the
//! first problem, in the order of [`HealthCause`], that explains the state the pipeline is in: while it is off air, a
//! processor that is away explains nothing.

use std::collections::BTreeSet;

use super::cause::{Cause, HealthCause, Origin};
use super::event::Severity;
use super::status::{Phase, Stats};
use outboard_base::room::NoRoom;
use outboard_egress::status::{DestinationState, DestinationStatus};
use outboard_exchange::{BreakerState, ExchangeStatus};

/// What a running pipeline is judged by.
#[derive(Debug, Clone, Copy)]
pub struct Signs<'a> {
    /// Counters and phase of the run.
    pub stats: &'a Stats,
    /// The state of each destination, enabled or not.
    pub destinations: &'a [DestinationStatus],
    /// The processor; `None` without one.
    pub exchange: Option<&'a ExchangeStatus>,
    /// Why nothing more is fetched.
    pub room: Option<NoRoom>,
    /// Everything that is ready is on air already: there is nothing to send.
    pub starved: bool,
}

/// A problem that is there now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where it comes from, and what it is.
    pub cause: Cause,
    /// It explains why no packet leaves.
    pub off_air: bool,
}

impl Problem {
    /// How much it matters.
    pub fn severity(&self) -> Severity {
        if self.off_air { Severity::Error } else { Severity::Warning }
    }
}

/// Every problem, the cause first.
pub fn problems(signs: &Signs<'_>) -> Vec<Problem> {
    if signs.stats.phase == Phase::Ended {
        return Vec::new();
    }
    let mut found = Found { off_air: off_air(signs), all: Vec::new() };
    // What drains fetches no more.
    if signs.stats.phase != Phase::Draining {
        found.storage(signs);
        found.source(signs);
    }
    found.batches(signs);
    found.processor(signs);
    found.stages(signs);
    found.destinations(signs);
    let mut all = found.all;
    if found.off_air && !all.iter().any(|problem| problem.off_air) {
        // Nothing above explains it.
        let cause = Cause::new(HealthCause::Source, "no batch is ready for air: the source is slower than real time");
        all.push(Problem { cause, off_air: true });
    }
    all.sort_by_key(|problem| (!problem.off_air, problem.cause.kind));
    all
}

/// It should be on air, and nowhere does a packet leave.
pub fn off_air(signs: &Signs<'_>) -> bool {
    let judged: Vec<_> = judged(signs).collect();
    if judged.is_empty() || judged.iter().any(|to| to.on_air()) {
        return false;
    }
    match signs.stats.phase {
        Phase::OnAir => true,
        // What is left to send has been sent.
        Phase::Draining => !signs.starved,
        // No batch gets on air where every destination refuses.
        Phase::Starting | Phase::Buffering | Phase::Holding => judged.iter().all(|to| refused(to).is_some()),
        Phase::Ended => false,
    }
}

fn judged<'a>(signs: &Signs<'a>) -> impl Iterator<Item = &'a DestinationStatus> + use<'a> {
    signs.destinations.iter().filter(|to| !to.disabled && to.state != DestinationState::Done)
}

fn refused(destination: &DestinationStatus) -> Option<&str> {
    match &destination.state {
        DestinationState::Retrying { reason, .. } => Some(reason),
        // The next attempt is under way: it may take as long as the last one.
        DestinationState::Connecting => destination.failing.as_deref(),
        _ => None,
    }
}

struct Found {
    off_air: bool,
    all: Vec<Problem>,
}

impl Found {
    fn add(&mut self, kind: HealthCause, off_air: bool, message: impl Into<String>) {
        self.all.push(Problem { cause: Cause::new(kind, message), off_air });
    }

    fn storage(&mut self, signs: &Signs<'_>) {
        if let Some(why) = signs.room {
            // What is buffered is still on air; before air there is nothing.
            let off_air = nothing_left(signs);
            self.add(why.origin(), off_air, format!("{why}: no new segment is fetched"));
        }
    }

    fn source(&mut self, signs: &Signs<'_>) {
        // What is not fetched for want of room is not the source's fault.
        if signs.room.is_some() {
            return;
        }
        let off_air = nothing_left(signs);
        if signs.stats.ended_since_ms.is_some() {
            self.add(HealthCause::Source, off_air, "the source has ended; waiting for it to come back");
        } else if let Some(problem) = &signs.stats.source_problem {
            self.add(HealthCause::Source, off_air, format!("source: {problem}"));
        } else if let Some(since) = signs.stats.stale_since_ms {
            let seconds = outboard_base::unix_time::now_ms().saturating_sub(since) / 1000;
            self.add(HealthCause::Source, off_air, format!("source: no new segment for {seconds} s"));
        }
    }

    /// Batches that cannot be put on air.
    fn batches(&mut self, signs: &Signs<'_>) {
        if let Some(lost) = &signs.stats.lost {
            self.add(lost.kind, nothing_left(signs), lost.message.clone());
        }
    }

    fn processor(&mut self, signs: &Signs<'_>) {
        let Some(exchange) = signs.exchange else { return };
        let on_air = matches!(signs.stats.phase, Phase::OnAir | Phase::Draining);
        if !exchange.connected && (on_air || exchange.problem.is_some()) {
            let why = exchange.problem.as_deref().unwrap_or("no connection");
            self.add(HealthCause::Processor, false, format!("original audio: the processor is not connected: {why}"));
        } else if exchange.breaker == BreakerState::Open {
            let what = "original audio: the processor failed too often; sending is paused";
            self.add(HealthCause::Processor, false, what);
        } else if let Some((kind, what)) = signs.stats.last_original.and_then(original) {
            self.add(kind, false, format!("original audio: {what}"));
        }
    }

    fn stages(&mut self, signs: &Signs<'_>) {
        for (kind, why) in &signs.stats.stage_problems {
            self.add(HealthCause::Stage, false, format!("{kind} stage: {why}; the host's default answers"));
        }
    }

    fn destinations(&mut self, signs: &Signs<'_>) {
        if !signs.destinations.is_empty() && signs.destinations.iter().all(|to| to.disabled) {
            self.add(HealthCause::Settings, false, "every destination is disabled: no packets are sent");
        }
        let judged: Vec<_> = judged(signs).collect();
        let on_air = matches!(signs.stats.phase, Phase::OnAir | Phase::Draining);
        let why = |to| if on_air { why_off(to, signs.starved) } else { refused(to) };
        let away: Vec<_> = judged.iter().copied().filter_map(|to| Some((to, why(to)?))).collect();
        let names: BTreeSet<&str> = away.iter().map(|(to, _)| to.name.as_str()).collect();
        if let Some((first, why)) = away.first() {
            let all = away.len() == judged.len();
            let what = if judged.len() == 1 {
                format!("{}: {why}", first.shown())
            } else {
                format!("{} of {} destinations receive no packets: {}: {why}", away.len(), judged.len(), first.shown())
            };
            self.add(HealthCause::Destination, all && self.off_air, what);
        }
        let behind = judged.iter().filter(|to| !names.contains(to.name.as_str()));
        for (name, ms) in behind.filter_map(|to| Some((to.shown(), to.behind_ms()?))) {
            let seconds = ms / 1000;
            self.add(HealthCause::Destination, false, format!("{name}: on air, but {seconds} s behind"));
        }
    }
}

/// Nothing of what was buffered is left to send.
fn nothing_left(signs: &Signs<'_>) -> bool {
    match signs.stats.phase {
        Phase::OnAir | Phase::Draining => signs.starved && off_air(signs),
        _ => true,
    }
}

/// Why the newest batch has its original audio, and whose fault that is; `None`: it is meant to have it.
fn original(why: &str) -> Option<(HealthCause, &str)> {
    Some(match why {
        "not-sent" | "planned" => return None,
        "late" => (HealthCause::Processor, "the last reply was late"),
        "failed" => (HealthCause::Processor, "the last fragment failed"),
        "invalid" => (HealthCause::Processor, "the last reply could not be used"),
        "disconnected" => (HealthCause::Processor, "the processor was not connected for the last batch"),
        "breaker-open" => (HealthCause::Processor, "nothing was sent to the processor for the last batch"),
        "too-large" => (HealthCause::Processor, "the last fragment was larger than the processor accepts"),
        "stage" => (HealthCause::Stage, "the remux-planning stage failed"),
        other => (HealthCause::Processor, other),
    })
}

/// Why no packet leaves for a destination, where that is its own fault.
fn why_off(destination: &DestinationStatus, starved: bool) -> Option<&str> {
    if destination.on_air() {
        return None;
    }
    match &destination.state {
        DestinationState::Retrying { reason, .. } => Some(reason),
        // A receiver that would take packets, if there were any.
        _ if starved => None,
        DestinationState::Connecting => Some(destination.failing.as_deref().unwrap_or("connecting")),
        DestinationState::Publishing => Some("connected, but accepts no packets"),
        DestinationState::Waiting => Some("no session is open"),
        DestinationState::Stopped => Some("it was stopped"),
        DestinationState::Done => None,
    }
}

#[cfg(test)]
mod tests;
