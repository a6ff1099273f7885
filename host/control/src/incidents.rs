//! problems and events -> **incidents** -> what is written down: one incident for each cause, instead of an event for each
//! attempt.
//!
//! Pure: it is told what the time is. An incident opens when a problem is seen, escalates when the problem becomes more
//! severe, and is resolved when the problem has been away for [`INCIDENT_QUIET`], so that what flaps is one incident.
//! While it is open, an event of a kind and destination that was written down already only raises its count.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use super::registry::IncidentState;
use crate::limits::{EVENT_REPEAT_QUIET, INCIDENT_OPEN_AFTER, INCIDENT_QUIET, INCIDENT_TOLD_MAX, INCIDENT_WRITE_EVERY};
use outboard_pipeline::cause::HealthCause;
use outboard_pipeline::event::{Event, EventKind, Severity};
use outboard_pipeline::problems::Problem;

/// What is told again and again: a kind, of a destination or of the whole pipeline.
type Key = (EventKind, Option<String>);

/// What is to be written down.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Change {
    /// The incident as it is now.
    pub(super) incident: IncidentState,
    /// What is told of it; `None`: only its count or message changed.
    pub(super) event: Option<Event>,
}

/// The incidents of one pipeline.
#[derive(Debug, Default)]
pub(super) struct Incidents {
    open: BTreeMap<HealthCause, Open>,
    /// Problems that are too young for an incident: since when they are there.
    young: BTreeMap<HealthCause, u64>,
    /// Events of causes without an open incident: how many, and when the last one came.
    before: BTreeMap<HealthCause, (u64, u64)>,
    /// When events outside of incidents were written down last, and how many were left out since.
    told: HashMap<Key, (u64, u64)>,
}

#[derive(Debug)]
struct Open {
    state: IncidentState,
    /// Since when the problem is away.
    away_ms: Option<u64>,
    /// What was written down already.
    told: HashSet<Key>,
    /// When it was written last.
    written_ms: u64,
}

impl Incidents {
    /// Goes on with the incidents that were open when the process ended.
    pub(super) fn resume(open: Vec<IncidentState>) -> Self {
        let open = open.into_iter().map(|state| {
            let written_ms = state.updated_ms;
            (state.cause, Open { state, away_ms: None, told: HashSet::new(), written_ms })
        });
        Self { open: open.collect(), ..Self::default() }
    }

    /// The pipeline's problems now. `settled`: one that is not among them is away; before a pipeline is on air nobody knows.
    pub(super) fn look(&mut self, now_ms: u64, problems: &[Problem], settled: bool) -> Vec<Change> {
        let mut worst: BTreeMap<HealthCause, &Problem> = BTreeMap::new();
        for problem in problems {
            let known = worst.entry(problem.cause.kind).or_insert(problem);
            if problem.severity() > known.severity() {
                *known = problem;
            }
        }
        self.young.retain(|cause, _| worst.contains_key(cause));
        let mut changes = Vec::new();
        for (cause, problem) in &worst {
            changes.extend(self.seen(now_ms, *cause, problem));
        }
        let away: Vec<_> = self.open.keys().copied().filter(|cause| !worst.contains_key(cause)).collect();
        for cause in away {
            changes.extend(self.away(now_ms, cause, settled));
        }
        changes
    }

    /// Whether an event is written down; and what changes with it. One that is left out is in the log all the same.
    pub(super) fn event(&mut self, now_ms: u64, mut event: Event) -> Option<Event> {
        let Some(cause) = event.cause.filter(|_| event.kind.repeats()) else { return Some(event) };
        let key = (event.kind, event.destination.clone());
        let counts = event.severity > Severity::Info;
        if let Some(open) = self.open.get_mut(&cause) {
            open.state.count += u64::from(counts);
            open.state.updated_ms = now_ms;
            // What is not remembered as told would be told each time.
            return (open.told.len() < INCIDENT_TOLD_MAX && open.told.insert(key)).then_some(event);
        }
        if !counts {
            return Some(event);
        }
        let (count, last_ms) = self.before.entry(cause).or_default();
        *count = if old(now_ms, *last_ms, INCIDENT_QUIET) { 1 } else { *count + 1 };
        *last_ms = now_ms;
        self.told.retain(|_, (at_ms, left_out)| *left_out > 0 || !old(now_ms, *at_ms, EVENT_REPEAT_QUIET));
        if let Some((at_ms, left_out)) = self.told.get_mut(&key)
            && !old(now_ms, *at_ms, EVENT_REPEAT_QUIET)
        {
            *left_out += 1;
            return None;
        }
        let left_out = self.told.insert(key, (now_ms, 0)).map_or(0, |(_, left_out)| left_out);
        // Destinations that came and went; how many were left out of the oldest is told no more.
        if self.told.len() > INCIDENT_TOLD_MAX
            && let Some(oldest) = self.told.iter().min_by_key(|(_, (at_ms, _))| *at_ms).map(|(key, _)| key.clone())
        {
            self.told.remove(&oldest);
        }
        if left_out > 0 {
            event.message = format!("{} ({left_out} more like this since the last one)", event.message);
        }
        Some(event)
    }

    /// Whether time alone can change anything.
    pub(super) fn waits(&self) -> bool {
        !self.open.is_empty() || !self.young.is_empty()
    }

    fn seen(&mut self, now_ms: u64, cause: HealthCause, problem: &Problem) -> Option<Change> {
        let severity = problem.severity();
        let Some(open) = self.open.get_mut(&cause) else {
            let since = *self.young.entry(cause).or_insert(now_ms);
            // A packet that does not leave is told at once; the rest may be over before anybody reads of it.
            if severity < Severity::Error && !old(now_ms, since, INCIDENT_OPEN_AFTER) {
                return None;
            }
            self.young.remove(&cause);
            return Some(self.begin(now_ms, since, cause, problem));
        };
        open.away_ms = None;
        let escalates = severity > open.state.severity;
        let news = open.state.message != problem.cause.message || open.state.updated_ms > open.written_ms;
        open.state.message.clone_from(&problem.cause.message);
        if escalates {
            open.state.severity = severity;
        } else if !news || !old(now_ms, open.written_ms, INCIDENT_WRITE_EVERY) {
            return None;
        }
        (open.state.updated_ms, open.written_ms) = (now_ms, now_ms);
        let event = escalates.then(|| told(EventKind::IncidentEscalated, &open.state, open.state.message.clone()));
        Some(Change { incident: open.state.clone(), event })
    }

    fn begin(&mut self, now_ms: u64, since_ms: u64, cause: HealthCause, problem: &Problem) -> Change {
        let before = self.before.remove(&cause).filter(|(_, last_ms)| !old(now_ms, *last_ms, INCIDENT_QUIET));
        let state = IncidentState {
            cause,
            severity: problem.severity(),
            opened_ms: since_ms,
            updated_ms: now_ms,
            resolved_ms: None,
            count: before.map_or(0, |(count, _)| count),
            message: problem.cause.message.clone(),
        };
        // What was told of it before it was an incident is not told again.
        let told_before = self.told.iter().filter(|(_, (at_ms, _))| !old(now_ms, *at_ms, INCIDENT_QUIET));
        let told_before = told_before.map(|(key, _)| key.clone()).collect();
        let event = told(EventKind::IncidentOpened, &state, format!("{} {}", sentence(&state.message), cause.advice()));
        let incident = state.clone();
        self.open.insert(cause, Open { state, away_ms: None, told: told_before, written_ms: now_ms });
        Change { incident, event: Some(event) }
    }

    fn away(&mut self, now_ms: u64, cause: HealthCause, settled: bool) -> Option<Change> {
        let open = self.open.get_mut(&cause)?;
        if !settled {
            open.away_ms = None;
            return None;
        }
        let since = *open.away_ms.get_or_insert(now_ms);
        if !old(now_ms, since, INCIDENT_QUIET) {
            return None;
        }
        let mut state = self.open.remove(&cause)?.state;
        (state.updated_ms, state.resolved_ms) = (now_ms, Some(since));
        let lasted = Duration::from_millis(since.saturating_sub(state.opened_ms));
        let what = format!("after {}, {}: {}", shown(lasted), times(state.count), state.message);
        let event = Event { severity: Severity::Info, ..told(EventKind::IncidentResolved, &state, what) };
        Some(Change { incident: state, event: Some(event) })
    }
}

fn told(kind: EventKind, state: &IncidentState, what: String) -> Event {
    let word = match kind {
        EventKind::IncidentOpened => "problem",
        EventKind::IncidentEscalated => "worse",
        _ => "resolved",
    };
    let mut event = Event::new(kind, state.severity, format!("{} {word}: {what}", state.cause));
    event.cause = Some(state.cause);
    event
}

fn sentence(text: &str) -> String {
    if text.ends_with(['.', '!', '?']) { text.to_owned() } else { format!("{text}.") }
}

fn times(count: u64) -> String {
    if count == 1 { "1 event".to_owned() } else { format!("{count} events") }
}

/// A length of time as a person says it.
fn shown(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

fn old(now_ms: u64, since_ms: u64, age: Duration) -> bool {
    u128::from(now_ms.saturating_sub(since_ms)) >= age.as_millis()
}

#[cfg(test)]
mod tests;
