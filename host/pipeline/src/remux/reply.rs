//! What came of the exchange for one batch, and the audio file that a plan makes of it.

use std::path::Path;

use serde_json::{Value, json};

use super::RemuxError;
use super::encode::aired::Aired;
use super::encode::before::Before;
use super::encode::lead_in::{Copied, lead_in};
use super::encode::{Reply as ReplyFile, encode};
use super::plan::{Audio, Coding, Plan, Processed};
use crate::deadline::ReplyOutcome;
use crate::demux::Demuxed;
use crate::demux::demuxer::Joined;
use crate::demux::{DemuxError, part, rename};
use outboard_exchange::{Absence, Reply, Returned};
use outboard_ffmpeg::Turn;
use outboard_media::facts::TrackFacts;
use outboard_media::probe::Container;
use outboard_store::files::names;
use outboard_store::journal::OnAir;

mod heard;
mod pre_roll;
pub(super) use heard::Heard;

/// Why a batch goes on air with its original audio.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Why {
    /// Short, for counters; one of a fixed few.
    pub(super) name: &'static str,
    /// The reason as a sentence for the operator.
    pub(super) text: String,
}

impl Why {
    /// The reason of a batch whose audio was not sent to a processor.
    pub(super) fn not_sent() -> Self {
        Self { name: NOT_SENT, text: "nothing was sent to a processor".into() }
    }

    /// The audio of the plan could not be made.
    pub(super) fn unusable(text: String) -> Self {
        Self { name: "invalid", text }
    }
}

impl From<&Absence> for Why {
    fn from(absence: &Absence) -> Self {
        let name = match absence {
            Absence::Late | Absence::Unanswered(_) => "late",
            Absence::Failed(_) => "failed",
            Absence::Invalid(_) => "invalid",
            Absence::Disconnected => "disconnected",
            Absence::BreakerOpen => "breaker-open",
            Absence::TooLarge(_) => "too-large",
        };
        Self { name, text: absence.to_string() }
    }
}

/// The name of the reason where a reply was in hand and the plan does not use it. Not a failure of anything.
const PLANNED: &str = "planned";
/// The name of the reason where there was nobody to send to.
const NOT_SENT: &str = "not-sent";

/// The reply, or why there is none.
#[derive(Debug)]
pub(super) struct Decision {
    pub(super) returned: Option<Returned>,
    pub(super) absence: Option<Absence>,
    why: Why,
}

impl Decision {
    pub(super) fn of(reply: Reply) -> Self {
        match reply {
            // Heard unless the plan says otherwise.
            Reply::Returned(returned) => {
                Self { returned: Some(returned), absence: None, why: Why { name: PLANNED, text: "as planned".into() } }
            }
            Reply::Absent(absence) => Self { why: Why::from(&absence), returned: None, absence: Some(absence) },
        }
    }

    pub(super) fn original(why: Why) -> Self {
        Self { returned: None, absence: None, why }
    }

    /// A reply was there, but the stage that should plan with it failed.
    pub(super) fn blame_stage(&mut self, text: String) {
        if self.returned.is_some() {
            self.why = Why { name: "stage", text };
        }
    }

    /// Takes up what the stage noted, where the plan keeps the original though a reply is in hand.
    pub(super) fn planned(&mut self, plan: &Plan) {
        if self.as_planned() && !plan.note.is_empty() {
            self.why.text = format!("as planned: {}", plan.note);
        }
    }

    /// A reply was in hand; a plan that does not use it does so on purpose.
    pub(super) fn as_planned(&self) -> bool {
        self.why.name == PLANNED
    }

    /// The original audio, if it goes on air, stands in for a reply that is missing or of no use.
    pub(super) fn is_fallback(&self) -> bool {
        ![PLANNED, NOT_SENT].contains(&self.why.name)
    }

    pub(super) fn why(&self) -> &'static str {
        self.why.name
    }

    pub(super) fn reason(&self) -> &str {
        &self.why.text
    }

    /// What came of the wait for the reply.
    pub(super) fn reply_outcome(&self) -> ReplyOutcome {
        match (&self.returned, &self.absence) {
            (Some(_), _) => ReplyOutcome::Answered,
            (None, None) => ReplyOutcome::NotAsked,
            (None, Some(Absence::Late | Absence::Unanswered(_))) => ReplyOutcome::TimedOut,
            (None, Some(_)) => ReplyOutcome::Absent,
        }
    }

    pub(super) fn round_trip_ms(&self) -> Option<u64> {
        let returned = self.returned.as_ref()?;
        u64::try_from(returned.round_trip.as_millis()).ok()
    }

    /// The outcome's name in the journal.
    pub(super) fn outcome(&self, plan: &Plan) -> &'static str {
        if plan.uses_processed() { "processed" } else { "original" }
    }

    /// What is kept with a batch of so many milliseconds on air; `air` is what of it goes there, where there is any.
    pub(super) fn detail(&self, plan: &Plan, duration_ms: u64, air: Option<&OnAir>) -> String {
        let why =
            if plan.uses_processed() { Value::Null } else { json!({ "name": self.why(), "text": self.reason() }) };
        let reply = self.returned.as_ref().map(|returned| {
            json!({
                "probe": returned.probe,
                "metadata": returned.metadata,
                "round_trip_ms": self.round_trip_ms(),
                "attempts": returned.attempts,
            })
        });
        json!({ "plan": plan, "why": why, "reply": reply, "duration_ms": duration_ms, "air": air }).to_string()
    }
}

/// By how much the end of the processor's sound is off its place in the original, in microseconds: what its length, stretched as
/// planned, differs from the original's. 0 where it is not heard.
pub(super) fn skew_us(batch: &Demuxed, plan: &Plan, decision: &Decision) -> u64 {
    let returned = decision.returned.as_ref().filter(|_| plan.uses_processed());
    let Some((returned, audio)) = returned.zip(batch.facts.audio.as_ref()) else { return 0 };
    let heard = i128::from(Heard::of(returned, batch, audio).duration_us);
    let stretched = heard * (1000 + i128::from(plan.stretch_permille)) / 1000;
    u64::try_from((stretched - i128::from(audio.duration_us())).unsigned_abs()).unwrap_or(u64::MAX)
}

/// Makes the audio file that the plan asks for; `None` for the original as it is. `aired` is what the batch before put on air,
/// where this batch's sound goes on after it.
pub(super) async fn processed_audio(
    batch: &Demuxed,
    plan: &Plan,
    decision: &Decision,
    aired: Option<&Aired>,
    turn: Turn<'_>,
) -> Result<Option<Processed>, RemuxError> {
    let Some(audio) = batch.facts.audio.as_ref().filter(|_| plan.audio != Audio::None) else { return Ok(None) };
    let returned = decision.returned.as_ref().filter(|_| plan.uses_processed());
    let heard = returned.map(|returned| Heard::of(returned, batch, audio));
    let file = match returned.zip(heard) {
        Some((returned, heard)) => Some(save(&batch.dir, returned, heard.copied_from.unwrap_or(0), plan).await?),
        None => None,
    };
    match plan.coding {
        Coding::Encode(_) => {
            let reply = file.as_ref().zip(returned.zip(heard)).map(|(file, (returned, heard))| ReplyFile {
                path: &file.path,
                format: file.format,
                channels: returned.probe.channels,
                skip: heard.skip,
            });
            let before = match aired {
                Some(aired) => aired.before(&batch.dir).await,
                None => Before::Nothing,
            };
            let original = match aired.filter(|_| plan.audio != Audio::Processed) {
                Some(aired) => Joined::of(aired.dir(), &batch.dir, audio).await,
                None => None,
            };
            let encoded = encode(&batch.dir, audio, plan, reply, &before, original.as_ref(), turn).await;
            let complete = if let Before::Complete { path, .. } = &before { Some(path) } else { None };
            for path in complete.into_iter().chain(original.iter().map(|joined| &joined.path)) {
                // What is left is removed with its batch.
                let _ = tokio::fs::remove_file(path).await;
            }
            encoded.map(Some)
        }
        Coding::Copy => match aired.filter(|aired| aired.open().is_some()) {
            Some(aired) => Ok(led_in(batch, audio, file, aired, turn).await),
            None => Ok(file),
        },
    }
}

/// Copied audio behind encoded audio, with the packet that is missing between them. Where that cannot be made, it is missing.
async fn led_in(
    batch: &Demuxed,
    audio: &TrackFacts,
    file: Option<Processed>,
    aired: &Aired,
    turn: Turn<'_>,
) -> Option<Processed> {
    let copied = match &file {
        Some(file) => Copied { path: file.path.clone(), format: file.format, priming: file.priming, own: false },
        None => Copied { path: batch.dir.join(names::AUDIO), format: "mp4", priming: 0, own: true },
    };
    match lead_in(&batch.dir, audio, copied, aired, turn).await {
        Ok(led_in) => Some(led_in),
        Err(error) => {
            tracing::warn!(batch = batch.number, %error, "a packet of audio is missing before this batch");
            file
        }
    }
}

/// Keeps the reply's bytes with the batch: under the name of what goes on air if it is that already. `priming`: packets at its
/// start that are left out where it is copied.
pub(super) async fn save(dir: &Path, returned: &Returned, priming: u64, plan: &Plan) -> Result<Processed, RemuxError> {
    let probe = &returned.probe;
    let format = probe.container.ffmpeg_name();
    let end = probe.container.name().replace("adts", "aac");
    let as_it_is = plan.coding == Coding::Copy && probe.container == Container::Fmp4;
    let name = if as_it_is { names::PROCESSED_AUDIO.to_owned() } else { format!("reply.{end}") };
    let path = dir.join(&name);
    let temporary = part(dir, &name);
    let file = |source| DemuxError::File { path: temporary.clone(), source };
    tokio::fs::write(&temporary, &returned.audio).await.map_err(file)?;
    rename(&temporary, &path).await?;
    let ns = u128::from(probe.samples) * 1_000_000_000;
    let packet_ns = ns / (u128::from(probe.packets.max(1)) * u128::from(probe.sample_rate_hz.max(1)));
    let packet_ns = u64::try_from(packet_ns).unwrap_or(u64::MAX);
    Ok(Processed { path, format, packets: probe.packets, priming, packet_ns, leads: false, own: false, tail: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use outboard_exchange::fake::returned;

    fn decision() -> Decision {
        Decision::of(Reply::Returned(returned()))
    }

    #[test]
    fn a_plan_that_keeps_the_original_on_purpose_is_no_fallback_and_keeps_its_note() {
        let plan = Plan::original(true, "speech only in the reply");
        let mut planned = decision();
        planned.planned(&plan);
        assert!(planned.as_planned() && !planned.is_fallback());
        assert_eq!((planned.why(), planned.outcome(&plan)), ("planned", "original"));
        let detail: Value = serde_json::from_str(&planned.detail(&plan, 2000, None)).unwrap();
        assert_eq!(detail["why"], json!({ "name": "planned", "text": "as planned: speech only in the reply" }));
        assert_eq!(detail["reply"]["round_trip_ms"], 7);
        let mut silent = decision();
        silent.planned(&Plan::original(true, ""));
        assert_eq!(silent.reason(), "as planned");
    }

    #[test]
    fn what_stands_in_for_a_reply_is_a_fallback() {
        let plan = Plan::original(true, "no reply");
        let mut late = Decision::of(Reply::Absent(Absence::Late));
        late.planned(&plan);
        assert_eq!((late.is_fallback(), late.as_planned(), late.reason()), (true, false, "no reply in time"));
        let mut failed = decision();
        failed.blame_stage("it trapped".into());
        failed.planned(&plan);
        assert_eq!((failed.is_fallback(), failed.why(), failed.reason()), (true, "stage", "it trapped"));
        assert!(Decision::original(Why::unusable("x".into())).is_fallback());
        assert!(!Decision::original(Why::not_sent()).is_fallback());
    }
}
