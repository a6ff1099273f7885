//! Facts for the remux-planning stage, and its plan in the host's terms.

use super::plan::{Audio, Coding, Fit, Plan};
use super::reply::{Decision, Heard};
use crate::demux::Demuxed;
use crate::limits::{PLAN_GAIN_CENTIBEL_MAX, PLAN_OFFSET_MAX, PLAN_STRETCH_PERMILLE_MAX};
use outboard_exchange::Absence;
use outboard_stage::contract::remux as wit;

/// All that a plan is made from.
pub(super) fn of(batch: &Demuxed, decision: &Decision, time_left_ms: i64) -> wit::Facts {
    let audio = batch.facts.audio.as_ref();
    wit::Facts {
        batch: batch.number,
        video: batch.facts.video.as_ref().map(|track| wit::VideoTrack {
            codec: track.codec.clone(),
            first_pts_us: track.first_pts_us(),
            duration_us: track.duration_us(),
            packets: track.packets.len() as u64,
        }),
        audio: audio.map(|track| wit::AudioTrack {
            codec: track.codec.clone(),
            first_pts_us: track.first_pts_us(),
            duration_us: track.duration_us(),
            packets: track.packets.len() as u64,
            sample_rate_hz: track.sample_rate,
            channels: track.channels,
            packet_us: track.packet_us(),
        }),
        reply: match &decision.returned {
            Some(returned) => {
                let probe = &returned.probe;
                let heard = audio.map(|track| Heard::of(returned, batch, track));
                let like_original = audio
                    .is_some_and(|track| (track.sample_rate, track.channels) == (probe.sample_rate_hz, probe.channels));
                wit::Reply::Returned(wit::ReturnedAudio {
                    container: probe.container.name().to_owned(),
                    codec: probe.codec.to_owned(),
                    duration_us: heard.map_or(probe.duration_us, |heard| heard.duration_us),
                    packets: probe.packets - heard.and_then(|heard| heard.copied_from).unwrap_or(0),
                    sample_rate_hz: probe.sample_rate_hz,
                    channels: probe.channels,
                    // Another rate would need another sequence header in the middle of the stream. What an encoder began and
                    // ended with this reply does not join with what is before and behind it.
                    copyable: probe.copyable && like_original && heard.is_none_or(|heard| heard.copied_from.is_some()),
                    metadata: returned.metadata.to_string(),
                })
            }
            None => wit::Reply::Absent(decision.absence.as_ref().map_or(wit::Absence::NotSent, absence)),
        },
        time_left_ms,
        policy: wit::Policy {
            max_stretch_permille: PLAN_STRETCH_PERMILLE_MAX,
            max_offset_us: u64::try_from(PLAN_OFFSET_MAX.as_micros()).unwrap_or(u64::MAX),
            max_gain_centibel: PLAN_GAIN_CENTIBEL_MAX,
        },
    }
}

fn absence(absence: &Absence) -> wit::Absence {
    match absence {
        Absence::Late | Absence::Unanswered(_) => wit::Absence::Late,
        Absence::Failed(reason) => wit::Absence::Failed(reason.clone()),
        Absence::Invalid(reason) => wit::Absence::Invalid(reason.clone()),
        Absence::Disconnected => wit::Absence::Disconnected,
        Absence::BreakerOpen => wit::Absence::BreakerOpen,
        Absence::TooLarge(reason) => wit::Absence::TooLarge(reason.clone()),
    }
}

/// The plan in the host's terms. Its numbers were checked by the stage runtime.
pub(super) fn to_plan(plan: wit::RemuxPlan) -> Plan {
    Plan {
        audio: match plan.audio {
            wit::AudioChoice::None => Audio::None,
            wit::AudioChoice::Original => Audio::Original,
            wit::AudioChoice::Processed => Audio::Processed,
            wit::AudioChoice::Mix(mix) => Audio::Mix {
                original_centibel: mix.original_gain_centibel,
                processed_centibel: mix.processed_gain_centibel,
                ramp_ms: mix.ramp_ms,
            },
            wit::AudioChoice::Silence => Audio::Silence,
        },
        coding: match plan.coding {
            wit::Coding::Copy => Coding::Copy,
            wit::Coding::Encode(bitrate) => Coding::Encode(bitrate),
        },
        stretch_permille: plan.stretch_permille,
        fit: match plan.fit {
            wit::Fit::TrimOrPad => Fit::TrimOrPad,
            wit::Fit::Leave => Fit::Leave,
        },
        offset_us: plan.offset_us,
        note: plan.note,
        marked: plan.marked,
    }
}
