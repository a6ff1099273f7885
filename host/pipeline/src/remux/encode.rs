//! Plan -> audio that can be copied: mixes, stretches, pads and encodes with one ffmpeg run, where a plan asks for it.
//!
//! The only place where a stage's decision becomes words for ffmpeg.

use std::path::Path;

use super::RemuxError;
use super::plan::{Audio, Coding, Plan, Processed, Tail};
use crate::demux::demuxer::Joined;
use crate::demux::{part, rename};
use crate::levels;
use outboard_ffmpeg::limits::FFMPEG_TIMEOUT;
use outboard_ffmpeg::{self as ffmpeg, Turn};
use outboard_media::facts::TrackFacts;
use outboard_store::files::names;

// what the batch before put on air
pub mod aired;
pub mod before;
// from encoded sound to copied
pub mod lead_in;

use before::{Before, PACKETS_BEFORE};

/// Samples in an AAC-LC packet (ISO/IEC 14496-3).
const AAC_SAMPLES: u64 = 1024;
/// ffmpeg's AAC encoder delays by one packet.
const ENCODER_PRIMING: u64 = 1;
/// Bit rate of encoded audio unless the plan says otherwise.
const AUDIO_BITRATE: u32 = 160_000;

/// A file that the processor returned, as it came.
#[derive(Debug, Clone, Copy)]
pub struct Reply<'a> {
    /// The file with the audio.
    pub path: &'a Path,
    /// ffmpeg's name of its container.
    pub format: &'a str,
    /// Number of its channels.
    pub channels: u32,
    /// Samples at its start that are left out, at its own rate: the delay of its encoder.
    pub skip: u64,
}

/// The end of what was encoded, for the next batch; beside the batch's other files.
const TAIL: &str = "tail.pcm";

/// Writes `processed_audio.fmp4` as planned, in the original's rate, channels and length, behind what was on air before. `original`
/// is the original where it was joined to that of the batch before.
pub async fn encode(
    dir: &Path,
    audio: &TrackFacts,
    plan: &Plan,
    reply: Option<Reply<'_>>,
    before: &Before,
    original: Option<&Joined>,
    turn: Turn<'_>,
) -> Result<Processed, RemuxError> {
    let command = command(dir, audio, plan, reply, before, original)?;
    turn.output("encode", command, 0, FFMPEG_TIMEOUT).await?;
    let path = dir.join(names::PROCESSED_AUDIO);
    rename(&part(dir, names::PROCESSED_AUDIO), &path).await?;
    let tail = if is_plain_aac(audio) {
        let path = dir.join(TAIL);
        rename(&part(dir, TAIL), &path).await?;
        Some(Tail { path, packets: tail_samples(audio) / AAC_SAMPLES })
    } else {
        None
    };
    let leads = matches!(before, Before::Open(_));
    Ok(Processed {
        path,
        format: "mp4",
        packets: wanted_samples(audio) / AAC_SAMPLES + ENCODER_PRIMING,
        // The encoder's first packet is the one that the batch before left.
        priming: if leads { 0 } else { ENCODER_PRIMING },
        packet_ns: AAC_SAMPLES * 1_000_000_000 / u64::from(audio.sample_rate.max(1)),
        leads,
        own: false,
        tail,
    })
}

fn command(
    dir: &Path,
    audio: &TrackFacts,
    plan: &Plan,
    reply: Option<Reply<'_>>,
    before: &Before,
    joined_original: Option<&Joined>,
) -> Result<ffmpeg::Command, RemuxError> {
    let Coding::Encode(bitrate) = plan.coding else { return Err(RemuxError::Missing("an encoder")) };
    let mut command = ffmpeg::command("file,pipe");
    let mut inputs = 0..;
    let (mut original, mut processed) = (None, None);
    if plan.audio != Audio::Processed {
        match joined_original {
            Some(joined) => command.reads(&joined.path).args(["-f", "aac", "-i"]).arg(&joined.path),
            None => command.args(["-f", "mp4", "-i"]).arg(dir.join(names::AUDIO)),
        };
        original = inputs.next();
    }
    if plan.uses_processed() {
        let reply = reply.ok_or(RemuxError::Missing("processed audio"))?;
        // All samples as they are decoded: what is left out is decided by us, the same for every container.
        command.args(["-flags2", "+skip_manual"]);
        if reply.format == "mp4" {
            command.args(["-ignore_editlist", "1"]);
        }
        command.reads(reply.path).args(["-f", reply.format, "-i"]).arg(reply.path);
        processed = inputs.next();
    }
    let processed = processed_chain(processed.unwrap_or(0), audio, reply);
    let chain = before.add_to(&mut command, inputs.next().unwrap_or(0), audio);
    let original = original_chain(original.unwrap_or(0), audio, joined_original);
    let sound = filter_graph(plan, audio, &original, &processed);
    let graph = joined(&sound, chain.as_deref(), before.packets(), audio);
    let bitrate = bitrate.unwrap_or(AUDIO_BITRATE).to_string();
    command.args(["-filter_complex", &graph, "-map", "[out]", "-c:a", "aac", "-b:a", &bitrate]);
    if before.packets() > 0 {
        command.args(["-bsf:a", &format!("noise=drop=lt(n\\,{})", before.packets())]);
    }
    command.args(["-f", "mp4", "-movflags", "empty_moov+default_base_moof", "-frag_duration", "5000000"]);
    command.writes(dir).arg(part(dir, names::PROCESSED_AUDIO));
    if is_plain_aac(audio) {
        command.args(["-map", "[tail]", "-c:a", "pcm_f32le", "-f", "f32le"]).arg(part(dir, TAIL));
    }
    Ok(command)
}

/// The sound of a batch behind so many packets of what was before -> `[out]`, and its end -> `[tail]`. The batch starts at 0.
fn joined(sound: &str, before: Option<&str>, packets: u64, audio: &TrackFacts) -> String {
    let (now, join) = match before {
        Some(before) => {
            let times = format!("asetpts=(N-{})/SR/TB", packets * AAC_SAMPLES);
            ("[now]", format!(";{before};[before][now]concat=n=2:v=0:a=1,{times}[out]"))
        }
        None => ("[out]", String::new()),
    };
    if !is_plain_aac(audio) {
        return format!("{sound};[sound]anull{now}{join}");
    }
    let start = wanted_samples(audio).saturating_sub(tail_samples(audio));
    format!("{sound};[sound]asplit{now}[end];[end]atrim=start_sample={start}[tail]{join}")
}

/// Whether the original's packets are AAC of 1024 samples at its rate, as those are that are encoded.
fn is_plain_aac(audio: &TrackFacts) -> bool {
    let samples = u128::from(audio.packet_us()) * u128::from(audio.sample_rate) / 1_000_000;
    samples.abs_diff(AAC_SAMPLES.into()) <= PACKET_SAMPLES_OFF
}

/// What rounding of a source's times may add to a packet's length, in samples.
const PACKET_SAMPLES_OFF: u128 = 96;

/// How many samples at the end of a batch are kept for the next one.
fn tail_samples(audio: &TrackFacts) -> u64 {
    wanted_samples(audio).min(PACKETS_BEFORE * AAC_SAMPLES)
}

/// How many samples encoded audio gets: the original's length in whole packets.
pub(super) fn wanted_samples(audio: &TrackFacts) -> u64 {
    let samples = u128::from(audio.duration_us()) * u128::from(audio.sample_rate) / 1_000_000;
    let packets = (u64::try_from(samples).unwrap_or_default() + AAC_SAMPLES / 2) / AAC_SAMPLES;
    packets.max(1) * AAC_SAMPLES
}

/// The filters from an input with so many channels to the rate and channels of the original.
fn form(audio: &TrackFacts, channels: u32) -> String {
    let (rate, layout) = (audio.sample_rate, levels::layout(audio.channels));
    let mix = levels::mix(channels, audio.channels);
    format!("aresample={rate}{mix},aformat=sample_fmts=fltp:sample_rates={rate}:channel_layouts={layout}")
}

/// The filters of the original, which is this input; `joined`: behind the end of the batch before, which is left out.
fn original_chain(input: u32, audio: &TrackFacts, joined: Option<&Joined>) -> String {
    let cut = joined.map_or(String::new(), |joined| {
        let (start, end) = (joined.before, joined.before + joined.samples);
        format!("atrim=start_sample={start}:end_sample={end},asetpts=PTS-STARTPTS,")
    });
    format!("[{input}:a:0]{cut}{}", form(audio, audio.channels))
}

/// The filters of the reply, which is this input, to the rate and channels of the original.
fn processed_chain(input: u32, audio: &TrackFacts, reply: Option<Reply<'_>>) -> String {
    let (channels, skip) = reply.map_or((audio.channels, 0), |reply| (reply.channels, reply.skip));
    let cut = match skip {
        0 => String::new(),
        skip => format!("atrim=start_sample={skip},asetpts=PTS-STARTPTS,"),
    };
    format!("[{input}:a:0]{cut}{}", form(audio, channels))
}

/// Chosen audio -> `[sound]` in rate, channels and length of the original. `processed` are the filters of the reply.
fn filter_graph(plan: &Plan, audio: &TrackFacts, original: &str, processed: &str) -> String {
    let rate = audio.sample_rate;
    let samples = wanted_samples(audio);
    let stretch = match plan.stretch_permille {
        0 => String::new(),
        // atempo is speed, the plan is length.
        permille => format!(",atempo={:.6}", 1000.0 / f64::from(1000 + permille)),
    };
    let offset = match plan.offset_us {
        0 => String::new(),
        late @ 1.. => format!(",adelay=delays={}:all=1", late / 1000),
        early => format!(",atrim=start={:.6},asetpts=PTS-STARTPTS", early.unsigned_abs() as f64 / 1e6),
    };
    // Also where it may stay as it is, which is within a packet: the next batch goes on behind whole packets.
    let length = format!(",apad=whole_len={samples},atrim=end_sample={samples}");
    match plan.audio {
        Audio::Mix { original_centibel, processed_centibel, ramp_ms } => {
            let (original_factor, processed_factor) = (factor(original_centibel), factor(processed_centibel));
            let processed = format!("{processed}{stretch}{offset},volume={processed_factor:.5}");
            if ramp_ms == 0 {
                return format!(
                    "{original},volume={original_factor:.5}[a];{processed}[b];\
                     [a][b]amix=inputs=2:duration=first:normalize=0{length}[sound]"
                );
            }
            let ramp = f64::from(ramp_ms) / 1000.0;
            let end = (samples as f64 / f64::from(rate.max(1)) - ramp).max(0.0);
            let ramps = format!("afade=t=in:d={ramp:.3},afade=t=out:st={end:.3}:d={ramp:.3}");
            // At both ends the original stands alone at its own level, so that the batch fits to whatever its neighbours
            // are. In between, what the gain takes off it is subtracted, along the ramps that bring the processed audio in.
            format!(
                "{original},asplit[a][c];[c]{ramps},volume={:.5}[d];{processed},{ramps}[b];\
                 [a][d][b]amix=inputs=3:duration=first:normalize=0{length}[sound]",
                original_factor - 1.0
            )
        }
        Audio::Silence => format!("{original},volume=0{length}[sound]"),
        Audio::Processed => format!("{processed}{stretch}{offset}{length}[sound]"),
        Audio::Original | Audio::None => format!("{original}{length}[sound]"),
    }
}

/// The factor of a gain in hundredths of a decibel.
fn factor(centibel: i32) -> f64 {
    10_f64.powf(f64::from(centibel) / 2000.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remux::plan::Fit;
    use outboard_media::facts::Packet;

    fn audio(seconds: i64) -> TrackFacts {
        let packets = (0..seconds * 48_000 / 1024)
            .map(|n| {
                let at = n * 1_024_000_000 / 48_000;
                Packet { dts_us: at, pts_us: at, duration_us: 21_333, size: 1 }
            })
            .collect();
        TrackFacts { sample_rate: 48_000, channels: 2, packets, ..TrackFacts::default() }
    }

    fn graph_of(plan: &Plan, processed: u32) -> String {
        filter_graph(plan, &audio(2), &original_chain(0, &audio(2), None), &processed_chain(processed, &audio(2), None))
    }

    fn plan(audio: Audio) -> Plan {
        Plan { audio, coding: Coding::Encode(None), fit: Fit::TrimOrPad, ..Plan::original(true, "") }
    }

    #[test]
    fn wants_the_originals_length_in_whole_packets() {
        assert_eq!(wanted_samples(&audio(2)) / 1024, 93);
    }

    #[test]
    fn each_choice_becomes_a_graph_of_its_inputs() {
        let stretched = Plan { stretch_permille: 50, offset_us: -40_000, ..plan(Audio::Processed) };
        let graph = graph_of(&stretched, 0);
        assert!(graph.contains("atempo=0.952381") && graph.contains("atrim=start=0.040000"), "{graph}");
        let late = graph_of(&Plan { offset_us: 40_000, ..plan(Audio::Processed) }, 0);
        assert!(late.contains("adelay=delays=40:all=1"), "{late}");
        let mix = Audio::Mix { original_centibel: -1200, processed_centibel: 0, ramp_ms: 100 };
        let graph = graph_of(&plan(mix), 1);
        assert!(graph.contains("[0:a:0]") && graph.contains("[1:a:0]"), "{graph}");
        assert!(
            graph.contains("volume=-0.74881[d]")
                && graph.contains("volume=1.00000,afade")
                && graph.contains("afade=t=out:st=1.884"),
            "{graph}"
        );
        let abrupt = Audio::Mix { original_centibel: -1200, processed_centibel: 600, ramp_ms: 0 };
        let graph = graph_of(&plan(abrupt), 1);
        assert!(
            graph.contains("volume=0.25119[a]") && graph.contains("volume=1.99526[b]") && !graph.contains("afade"),
            "{graph}"
        );
        assert!(graph_of(&plan(Audio::Silence), 0).contains("volume=0,"));
    }

    #[test]
    fn a_plan_without_what_it_needs_is_refused() {
        let dir = Path::new("/nowhere");
        let copy = Plan::original(true, "");
        assert!(matches!(
            command(dir, &audio(2), &copy, None, &Before::Nothing, None),
            Err(RemuxError::Missing("an encoder"))
        ));
        let processed = command(dir, &audio(2), &plan(Audio::Processed), None, &Before::Nothing, None);
        assert!(matches!(processed, Err(RemuxError::Missing("processed audio"))));
    }
}
