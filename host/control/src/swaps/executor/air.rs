//! What a swap does to the air: whether a batching stage's batches would come too late, the time that makes room for them, and a
//! watch over the stream while a version is on probation.

use std::time::Duration;

use tokio::time::Instant;

use super::Executor;
use crate::limits::{STAGE_PROBATION_SILENCE, STAGE_STRETCH_LOOK, STAGE_STRETCH_MAX};
use crate::registry::SwapStep;
use crate::swaps::job::IfLate;
use outboard_egress::limits::AIR_LEAN_MIN;
use outboard_pipeline::Watch;
use outboard_stage::StageKind;
use outboard_stage::rehearsal::Rehearsal;

/// Says by how much the longest batch would be late, where the stream is on air.
///
/// A version whose batches are no longer than the running one's is late by nothing that the swap did.
pub(super) fn judge(rehearsal: &mut Rehearsal, watch: &Watch) {
    let Some(allowed) = watch.longest_batch_in_time() else { return };
    allow(rehearsal, allowed);
}

fn allow(rehearsal: &mut Rehearsal, allowed: Duration) {
    let Some(longest) = rehearsal.longest_batch_ms else { return };
    let allowed = millis(allowed);
    rehearsal.allowed_batch_ms = Some(allowed);
    if rehearsal.running_batch_ms.is_some_and(|running| longest <= running) {
        return;
    }
    rehearsal.late_by_ms = longest.saturating_sub(allowed);
    // Each second at this rate takes so much less media out of what is ready.
    rehearsal.stretch_ms = (rehearsal.late_by_ms as f64 / (1.0 - AIR_LEAN_MIN)).ceil() as u64;
}

/// What the swap would do to the air, in a sentence.
pub(super) fn sentence(rehearsal: &Rehearsal) -> String {
    let seconds = |ms: u64| ms as f64 / 1e3;
    format!(
        "its batches are up to {:.1} s long, and only batches of up to {:.1} s are ready before they are due on air: the stream would \
         go off air for {:.1} s",
        seconds(rehearsal.longest_batch_ms.unwrap_or_default()),
        seconds(rehearsal.allowed_batch_ms.unwrap_or_default()),
        seconds(rehearsal.late_by_ms),
    )
}

/// Why a swap that would take the stream off air is not carried out on these terms.
pub(super) fn refusal(rehearsal: &Rehearsal, late: IfLate) -> Option<String> {
    let told = sentence(rehearsal);
    match late {
        _ if !rehearsal.would_go_off_air() => None,
        IfLate::Force => None,
        IfLate::Refuse => Some(format!(
            "{told}. With `force: true` the air clock first runs 5 % slower, for {:.0} s, to make room",
            rehearsal.stretch_ms.min(millis(STAGE_STRETCH_MAX)) as f64 / 1e3
        )),
        IfLate::Stretch if rehearsal.stretch_ms <= millis(STAGE_STRETCH_MAX) => None,
        IfLate::Stretch => Some(format!(
            "{told}. Running the air clock 5 % slower makes room for {:.0} s at most; swap the stage with `force: true`, or restart \
             the pipeline with the new length",
            STAGE_STRETCH_MAX.as_secs_f64() * (1.0 - AIR_LEAN_MIN)
        )),
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// How it stood with the air when a version was cut over to.
#[derive(Debug)]
pub(super) struct Before {
    late: u64,
    stalled_for: Duration,
}

impl Before {
    pub(super) fn of(watch: &Watch) -> Self {
        Self { late: watch.stats().late_by_us, stalled_for: watch.stalled_for() }
    }

    /// Why the version on probation is to be taken back: batches come late since it decides, though their segments come in time.
    pub(super) fn harm(&self, kind: StageKind, watch: &Watch) -> Option<String> {
        let open_ms = watch.stats().buffer_ms;
        self.harm_by(kind, &Self::of(watch), open_ms, watch.longest_batch_in_time().map(millis))
    }

    /// `open_ms`: media in the batch that is not ended yet; `allowed_ms`: the longest batch that is ready in time.
    fn harm_by(&self, kind: StageKind, now: &Self, open_ms: u64, allowed_ms: Option<u64>) -> Option<String> {
        if now.late > self.late {
            return Some("since this version took over, a batch was ready too late for its time on air".to_owned());
        }
        let silent = now.stalled_for.saturating_sub(self.stalled_for);
        // Only a batch that is too long already: a source that is away is not the stage's doing.
        let allowed_ms = allowed_ms.filter(|allowed| kind == StageKind::Batching && open_ms > *allowed)?;
        (silent >= STAGE_PROBATION_SILENCE).then(|| {
            format!(
                "nothing goes on air: it has not cut a batch in {:.1} s of media, and only batches of up to {:.1} s are ready in time",
                open_ms as f64 / 1e3,
                allowed_ms as f64 / 1e3
            )
        })
    }
}

impl Executor {
    /// Runs the air clock slower until the longest batch comes in time, or for as long as that may take. `Err`: the swap was called
    /// off, or the pipeline ended.
    pub(super) async fn stretch(&mut self, watch: &Watch, run: u64) -> Result<(), String> {
        let Some(rehearsal) = self.row.swap.rehearsal.clone().filter(Rehearsal::would_go_off_air) else {
            return Ok(());
        };
        let longest = rehearsal.longest_batch_ms.unwrap_or_default();
        let began = Instant::now();
        let slowed = watch.slow_down();
        let enough = loop {
            if watch.longest_batch_in_time().is_none_or(|allowed| millis(allowed) >= longest) {
                break true;
            }
            if began.elapsed() >= STAGE_STRETCH_MAX {
                break false;
            }
            if let Some(reason) = self.service.under_way.called_off(self.row.id) {
                return Err(reason);
            }
            if self.job.handle.swaps().is_none_or(|(number, _)| number != run) {
                return Err("the pipeline was restarted in the meantime".to_owned());
            }
            tokio::time::sleep(STAGE_STRETCH_LOOK).await;
        };
        drop(slowed);
        let what = match enough {
            true => "the air clock ran 5 % slower; the longer batches are ready in time",
            false => "the air clock ran 5 % slower for the longest time allowed; the first longer batch is late",
        };
        self.step(SwapStep::Stretched, began.elapsed(), Some(what.to_owned())).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rehearsed(longest_s: u64, running_s: u64, allowed_s: f64) -> Rehearsal {
        let mut rehearsal = Rehearsal {
            longest_batch_ms: Some(longest_s * 1000),
            running_batch_ms: Some(running_s * 1000),
            ..Rehearsal::default()
        };
        allow(&mut rehearsal, Duration::from_secs_f64(allowed_s));
        rehearsal
    }

    #[test]
    fn longer_batches_than_the_stream_is_behind_are_refused_with_numbers() {
        let rehearsal = rehearsed(20, 6, 8.5);
        assert!(rehearsal.would_go_off_air());
        assert_eq!((rehearsal.late_by_ms, rehearsal.stretch_ms), (11_500, 230_000));
        let told = refusal(&rehearsal, IfLate::Refuse).unwrap();
        for part in
            ["up to 20.0 s long", "only batches of up to 8.5 s", "off air for 11.5 s", "`force: true`", "for 230 s"]
        {
            assert!(told.contains(part), "{part}: {told}");
        }
        assert_eq!((refusal(&rehearsal, IfLate::Stretch), refusal(&rehearsal, IfLate::Force)), (None, None));
        // 90 s cannot be gained in the time that there is.
        let rehearsal = rehearsed(100, 6, 8.5);
        assert!(refusal(&rehearsal, IfLate::Stretch).unwrap().contains("30 s at most"));
        assert_eq!(refusal(&rehearsal, IfLate::Force), None);
    }

    #[test]
    fn batches_that_fit_or_are_no_longer_than_before_are_not_held_against_a_version() {
        for (longest, running, allowed) in [(8, 6, 8.5), (6, 6, 5.0), (4, 6, 3.0)] {
            let rehearsal = rehearsed(longest, running, allowed);
            assert!(!rehearsal.would_go_off_air(), "{rehearsal:?}");
            assert_eq!(refusal(&rehearsal, IfLate::Refuse), None);
        }
    }

    #[test]
    fn a_version_on_probation_is_taken_back_for_what_it_does_to_the_air_and_for_nothing_else() {
        let before = Before { late: 2, stalled_for: Duration::from_secs(1) };
        let silent = Before { late: 2, stalled_for: before.stalled_for + STAGE_PROBATION_SILENCE };
        let (batching, framing) = (StageKind::Batching, StageKind::Framing);
        for kind in [batching, framing] {
            assert_eq!(before.harm_by(kind, &before, 9_000, Some(8_500)), None, "nothing has happened yet");
            let late = Before { late: 3, ..before };
            assert!(before.harm_by(kind, &late, 0, Some(8_500)).unwrap().contains("too late"));
        }
        let told = before.harm_by(batching, &silent, 9_000, Some(8_500)).unwrap();
        assert!(told.contains("9.0 s of media") && told.contains("only batches of up to 8.5 s"), "{told}");
        // The source is away: the open batch is short. A recording knows no lateness. Only batching ends batches.
        assert_eq!(before.harm_by(batching, &silent, 4_000, Some(8_500)), None);
        assert_eq!(before.harm_by(batching, &silent, 9_000, None), None);
        assert_eq!(before.harm_by(framing, &silent, 9_000, Some(8_500)), None);
    }
}
