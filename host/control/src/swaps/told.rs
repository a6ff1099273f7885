//! What is told of a swap, in sentences.

use crate::registry::SwapRecord;
use outboard_stage::rehearsal::Rehearsal;

/// What the swap is about: another version, or other settings of the one that ran.
pub(super) fn subject(swap: &SwapRecord) -> String {
    match only_settings(swap) {
        true => format!("the new settings of {} {}", swap.to.name, swap.to.version),
        false => format!("{} {}", swap.to.name, swap.to.version),
    }
}

/// A version decides from now on. `anew`: why it starts without state though that was not asked for.
pub(super) fn cut_over(swap: &SwapRecord, anew: Option<&str>) -> String {
    let (kind, to, from) = (swap.kind, &swap.to, &swap.from);
    let changed = match only_settings(swap) {
        true => format!("settings of {} {} changed", to.name, to.version),
        false if to.digest == from.digest => format!("{} {} started again", to.name, to.version),
        false => format!("{} {} decides instead of {} {}", to.name, to.version, from.name, from.version),
    };
    match anew {
        Some(anew) => format!("{kind}: {changed}; {anew}"),
        None => format!("{kind}: {changed}"),
    }
}

/// How a rehearsal went.
pub(super) fn rehearsed(rehearsal: &Rehearsal) -> String {
    match (rehearsal.calls, &rehearsal.not_comparable) {
        (0, _) => "no calls were recorded yet".to_owned(),
        (calls, Some(why)) => format!("{calls} calls made; the answers are not comparable: {why}"),
        (calls, None) => format!("{} of {calls} calls answered as by the running version", rehearsal.same),
    }
}

fn only_settings(swap: &SwapRecord) -> bool {
    swap.settings_changed && swap.from.digest == swap.to.digest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::SwapState;
    use outboard_stage::{ComponentLabel, StageKind};

    fn swap(from: &str, to: &str, settings_changed: bool) -> SwapRecord {
        let label = |digest: &str| ComponentLabel {
            digest: format!("sha256:{digest}"),
            name: "thirds".into(),
            version: format!("0.{digest}.0"),
        };
        SwapRecord {
            kind: StageKind::Batching,
            from: label(from),
            to: label(to),
            settings_changed,
            fresh: false,
            force: false,
            rehearse_only: false,
            requested_by: "ops".into(),
            roll_out: None,
            state: SwapState::Checking,
            reason: None,
            started_ms: 0,
            ended_ms: None,
            steps: Vec::new(),
            rehearsal: None,
            probation_done: 0,
            probation_wanted: 3,
            different: 0,
            evidence: None,
            next_start: None,
        }
    }

    #[test]
    fn a_swap_says_what_it_changed() {
        assert_eq!(cut_over(&swap("1", "1", true), None), "batching: settings of thirds 0.1.0 changed");
        assert_eq!(cut_over(&swap("1", "1", false), None), "batching: thirds 0.1.0 started again");
        assert_eq!(cut_over(&swap("1", "2", true), None), "batching: thirds 0.2.0 decides instead of thirds 0.1.0");
        let anew = cut_over(&swap("1", "2", false), Some("it starts without state"));
        assert_eq!(anew, "batching: thirds 0.2.0 decides instead of thirds 0.1.0; it starts without state");
        assert_eq!(subject(&swap("1", "1", true)), "the new settings of thirds 0.1.0");
    }

    #[test]
    fn answers_of_another_dialect_are_not_counted_as_different() {
        let mut rehearsal = Rehearsal { calls: 31, ..Rehearsal::default() };
        assert_eq!(rehearsed(&rehearsal), "0 of 31 calls answered as by the running version");
        rehearsal.not_comparable = Some("another dialect".into());
        assert_eq!(rehearsed(&rehearsal), "31 calls made; the answers are not comparable: another dialect");
    }
}
