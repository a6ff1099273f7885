//! Decides what goes on air: the processed audio if it fits, otherwise the original.

use crate::contract::exports::outboard::stage::remux_planning::{
    Absence, AudioChoice, AudioTrack, Coding, Facts, Fit, RemuxPlan, Reply, ReturnedAudio,
};
use crate::settings::Settings;
use crate::snapshot;
use serde::{Deserialize, Serialize};

/// Processed audio is rejected if its length differs from the original's by more than one part in this many.
const DIFFERENCE_PART: u64 = 10;
/// Two lengths and the length of a packet are rounded to microseconds each; that alone makes this difference.
const ROUNDING_US: u64 = 2;

/// The state that another instance needs to continue.
#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    /// Consecutive batches that went on air with original audio although audio was sent.
    originals_in_a_row: u64,
}

pub struct Planner {
    settings: Settings,
    state: State,
}

impl Planner {
    pub fn new(settings: Settings, state: Option<&[u8]>) -> Result<Self, String> {
        // A stage without state writes `null`.
        let state: Option<State> = state.map(snapshot::read).transpose()?.flatten();
        Ok(Self { settings, state: state.unwrap_or_default() })
    }

    pub fn snapshot(&self) -> Vec<u8> {
        snapshot::write(&self.state)
    }

    pub fn plan(&mut self, facts: &Facts) -> RemuxPlan {
        let Some(original) = &facts.audio else {
            return plan(AudioChoice::None, "the batch has no audio");
        };
        match &facts.reply {
            Reply::Returned(returned) if fits(original, returned) => {
                self.state.originals_in_a_row = 0;
                replace(original, returned)
            }
            Reply::Returned(_) => self.original("the processed audio has another length"),
            Reply::Absent(Absence::NotSent) => plan(AudioChoice::Original, "nothing was sent"),
            Reply::Absent(why) => self.original(&format!("no processed audio: {why:?}")),
        }
    }

    fn original(&mut self, why: &str) -> RemuxPlan {
        self.state.originals_in_a_row = self.state.originals_in_a_row.saturating_add(1);
        let marked = self.state.originals_in_a_row >= self.settings.mark_after;
        RemuxPlan { marked, ..plan(AudioChoice::Original, why) }
    }
}

fn fits(original: &AudioTrack, returned: &ReturnedAudio) -> bool {
    let difference = original.duration_us.abs_diff(returned.duration_us);
    returned.duration_us > 0 && difference <= original.duration_us / DIFFERENCE_PART
}

/// Copies the audio if players will not notice a difference; otherwise encodes it in the original's format and trims or
/// pads it to the original's length.
fn replace(original: &AudioTrack, returned: &ReturnedAudio) -> RemuxPlan {
    let same_format = (returned.sample_rate_hz, returned.channels) == (original.sample_rate_hz, original.channels);
    let difference_us = original.duration_us.abs_diff(returned.duration_us);
    let same_length = difference_us <= original.packet_us.saturating_add(ROUNDING_US);
    if returned.copyable && same_format && same_length {
        return plan(AudioChoice::Processed, "processed audio, as it is");
    }
    RemuxPlan {
        coding: Coding::Encode(None),
        fit: Fit::TrimOrPad,
        ..plan(AudioChoice::Processed, "processed audio, encoded to the original's format and length")
    }
}

/// A plan that does not change the chosen audio.
fn plan(audio: AudioChoice, note: &str) -> RemuxPlan {
    RemuxPlan {
        audio,
        coding: Coding::Copy,
        stretch_permille: 0,
        fit: Fit::Leave,
        offset_us: 0,
        note: note.to_owned(),
        marked: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::exports::outboard::stage::remux_planning::Policy;

    fn facts(reply: Reply) -> Facts {
        let audio = AudioTrack {
            codec: "aac".into(),
            first_pts_us: 1_400_000,
            duration_us: 30_000_000,
            packets: 1406,
            sample_rate_hz: 48_000,
            channels: 2,
            packet_us: 21_333,
        };
        let policy = Policy { max_stretch_permille: 250, max_offset_us: 0, max_gain_centibel: 0 };
        Facts { batch: 0, video: None, audio: Some(audio), reply, time_left_ms: 1000, policy }
    }

    fn returned(duration_us: u64) -> ReturnedAudio {
        ReturnedAudio {
            container: "fmp4".into(),
            codec: "aac".into(),
            duration_us,
            packets: 1406,
            sample_rate_hz: 48_000,
            channels: 2,
            copyable: true,
            metadata: "{}".into(),
        }
    }

    fn planner(state: Option<&[u8]>) -> Planner {
        Planner::new(Settings { mark_after: 2 }, state).unwrap()
    }

    #[test]
    fn processed_audio_is_copied_where_it_fits_and_encoded_where_it_nearly_does() {
        for fitting in [30_000_000, 30_021_334, 29_978_666] {
            let as_it_is = planner(None).plan(&facts(Reply::Returned(returned(fitting))));
            assert_eq!((as_it_is.audio, as_it_is.coding), (AudioChoice::Processed, Coding::Copy), "{fitting}");
        }
        for nearly in [returned(29_000_000), ReturnedAudio { channels: 1, ..returned(30_000_000) }] {
            let plan = planner(None).plan(&facts(Reply::Returned(nearly)));
            let wanted = (AudioChoice::Processed, Coding::Encode(None), Fit::TrimOrPad);
            assert_eq!((plan.audio, plan.coding, plan.fit), wanted);
        }
    }

    #[test]
    fn without_usable_audio_the_original_goes_on_air() {
        for reply in [Reply::Returned(returned(20_000_000)), Reply::Returned(returned(0)), Reply::Absent(Absence::Late)]
        {
            assert_eq!(planner(None).plan(&facts(reply)).audio, AudioChoice::Original);
        }
        let without = Facts { audio: None, ..facts(Reply::Absent(Absence::NotSent)) };
        assert_eq!(planner(None).plan(&without).audio, AudioChoice::None);
    }

    #[test]
    fn the_count_of_originals_goes_on_in_another_instance() {
        let mut first = planner(None);
        assert!(!first.plan(&facts(Reply::Absent(Absence::Late))).marked);
        let mut second = planner(Some(&first.snapshot()));
        assert!(second.plan(&facts(Reply::Absent(Absence::Late))).marked);
        second.plan(&facts(Reply::Returned(returned(30_000_000))));
        assert!(!second.plan(&facts(Reply::Absent(Absence::Late))).marked);
    }
}
