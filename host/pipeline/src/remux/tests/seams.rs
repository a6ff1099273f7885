//! What is encoded has no seams: the sound on air, decoded by one decoder over many batches, against the source's.
//!
//! A processor decodes and encodes each batch by itself; the source's sound is noise and tones, so that every sample and every
//! level shows.

use super::super::assembler::Assembler;
use super::super::encode::aired::Aired;
use super::super::reply::Decision;
use super::super::{facts, plan::Audio};
use super::lengths::{ENCODERS, returned, returned_file};
use super::sound::{late_by, level, power, samples};
use super::*;
use crate::demux::Demuxed;
use crate::demux::outgoing::with_pre_roll;
use outboard_base::room::Room;
use outboard_exchange::Reply as Answer;
use outboard_media::aac::{Header, Packets};
use outboard_media::flv::head::record;
use outboard_stage::contract::remux as wit;
use std::time::Duration;
use tokio::time::Instant;

/// How many segments of 2 s each batch has.
const BATCHES: [usize; 6] = [1, 3, 1, 1, 3, 1];
/// After this batch what was on air is found again, as after a restart.
const RESTARTED: usize = 2;
/// Samples on both sides of a border.
const NEAR: usize = 2048;

/// 20 s at this rate; all channels are alike.
fn programme(rate: u32, channels: u32) -> Media {
    let noise = format!("-f lavfi -i anoisesrc=r={rate}:d=20:c=pink:seed=11:a=0.4");
    let tones = format!("-f lavfi -i aevalsrc=0.1*sin(2*PI*440*t)+0.05*sin(2*PI*1870*t):s={rate}:d=20");
    Media::ts(&format!(
        "{noise} {tones} -filter_complex amix=inputs=2:normalize=0,aformat=channel_layouts=mono,pan={}|{} -b:a 192k -aac_pns 0 ",
        if channels == 1 { "mono" } else { "stereo" },
        if channels == 1 { "c0=c0" } else { "c0=c0|c1=c0" }
    ))
}

/// What is done with a batch.
#[derive(Clone, Copy)]
enum What {
    Original,
    /// A reply of this encoder.
    Reply((&'static str, &'static str)),
    /// The fragment itself, as it was sent: with pre-roll. Or remuxed to ADTS.
    Echo,
    EchoInAdts,
    /// Half of the original and half of such a reply.
    Mix((&'static str, &'static str)),
}

/// The sound on air and of the source, and where batches start, in samples.
struct Air {
    heard: Vec<Vec<f32>>,
    source: Vec<Vec<f32>>,
    /// The packets on air and of the source.
    packets: [Vec<Vec<u8>>; 2],
    borders: Vec<usize>,
}

/// Packets one after the other, and their times on air.
#[derive(Default)]
struct Sent {
    adts: Vec<u8>,
    times_ms: Vec<u64>,
}

impl Sent {
    fn add(&mut self, ready: &ReadyBatch) {
        let [header] = &ready.audio.headers[..] else { panic!("{:?}", ready.audio.headers) };
        let header = Header::of_config(record(header.codec, &header.body).unwrap()).unwrap();
        let air = std::fs::read(&ready.audio.path).unwrap();
        let packet = |tag: &outboard_egress::spool::Tag| air[tag.offset as usize..][..tag.len as usize].to_vec();
        let packets: Vec<_> = ready.audio.tags.iter().map(packet).collect();
        let count = packets.len();
        self.adts.extend(Packets { header, packets }.to_adts(0..count).unwrap());
        self.times_ms.extend(ready.audio.tags.iter().map(|tag| tag.dts_ms));
    }
}

/// Puts all batches of a programme on air.
async fn air(media: &Media, rate: u32, channels: u32, what: impl Fn(usize) -> What) -> Air {
    let channels = channels as usize;
    let list: Vec<_> =
        media.segments.iter().map(|segment| segment.main.path.file_name().unwrap().to_str().unwrap()).collect();
    ffmpeg_in(media.dir.path(), &format!("-i concat:{} -c copy all.aac", list.join("|")));
    let source = samples(&media.dir.path().join("all.aac"), &[], channels);
    let mut assembler = Assembler { slots: slots(), room: Room::default(), series: Series::default(), aired: None };
    let (mut splitter, mut timeline, mut sent) = (splitter(), Timeline::default(), Sent::default());
    let (mut segments, mut at, mut borders) = (media.segments.as_slice(), 0, Vec::new());
    for (n, count) in BATCHES.iter().enumerate() {
        let (these, rest) = segments.split_at((*count).min(segments.len()));
        segments = rest;
        let dir = media.dir.path().join(format!("batch-{n}"));
        std::fs::create_dir_all(&dir).unwrap();
        let facts = splitter.split(these, &dir).await.unwrap();
        let placed = timeline.place(&facts, false);
        let length = facts.audio.as_ref().unwrap().packets.len() * 1024;
        let (complete, sent_at) = (Instant::now(), Instant::now());
        let before = media.dir.path().join(format!("batch-{}", n.wrapping_sub(1)));
        let audio = facts.audio.as_ref().unwrap();
        let (sent_file, pre_roll) = match with_pre_roll(&before, &dir, audio).await {
            Some((path, packet)) => (path, Some(packet)),
            None => (dir.join(names::AUDIO), None),
        };
        assert_eq!(pre_roll.is_some(), n > 0);
        let (number, open) = (n as u64, Duration::ZERO);
        let batch = Demuxed {
            number,
            dir,
            facts,
            layout: None,
            placed,
            pending: None,
            pre_roll,
            complete,
            sent: sent_at,
            open,
        };
        // What it gets starts where the last one ended.
        let pcm: Vec<Vec<f32>> = source.iter().map(|channel| channel[at..at + length].to_vec()).collect();
        let (plan, decision) = decide(&batch, &sent_file, what(n), rate, &pcm);
        let assembled = assembler.assemble(&batch, plan.clone(), decision, Instant::now()).await;
        assert_eq!(assembled.plan.audio, plan.audio, "batch {n}: {}", assembled.decision.reason());
        let remuxed = assembled.remuxed.unwrap();
        assert_eq!(remuxed.lost, 0, "batch {n}");
        sent.add(&remuxed.ready);
        if n == RESTARTED {
            assembler.aired = Aired::resumed(&remuxed.ready);
        }
        borders.push(at);
        at += length;
    }
    assert_no_packet_missing(&sent.times_ms, rate);
    let file = media.dir.path().join("air.aac");
    std::fs::write(&file, &sent.adts).unwrap();
    let packets = ["air.aac", "all.aac"]
        .map(|name| std::fs::read(media.dir.path().join(name)).unwrap())
        .map(|adts| Packets::of_adts(&adts).unwrap().packets);
    Air { heard: samples(&file, &[], channels), source, packets, borders: borders.split_off(1) }
}

/// The processor's reply, and the plan for what the host says of it.
fn decide(batch: &Demuxed, sent: &Path, what: What, rate: u32, pcm: &[Vec<f32>]) -> (Plan, Decision) {
    write_pcm(&batch.dir.join("sent.f32"), pcm);
    let decoded = format!("-f f32le -ar {rate} -ac {} -i sent.f32", pcm.len());
    let returned = match what {
        What::Original => {
            return (Plan::original(true, ""), Decision::original(super::super::reply::Why::not_sent()));
        }
        What::Reply((words, name)) | What::Mix((words, name)) => {
            returned(&batch.dir, &format!("{decoded} {words}"), name)
        }
        What::Echo => returned_file(sent),
        What::EchoInAdts => {
            let words = format!("-ignore_editlist 1 -i {} -c copy -f adts", sent.display());
            returned(&batch.dir, &words, "echo.aac")
        }
    };
    let decision = Decision::of(Answer::Returned(returned));
    let audio = batch.facts.audio.as_ref().unwrap();
    let wit::Reply::Returned(told) = facts::of(batch, &decision, 0).reply else { panic!("no reply") };
    assert_eq!(told.duration_us, audio.duration_us());
    let choice = match what {
        What::Mix(_) => Audio::Mix { original_centibel: -602, processed_centibel: -602, ramp_ms: 0 },
        _ => Audio::Processed,
    };
    if matches!(what, What::Echo | What::EchoInAdts) {
        assert!(told.copyable && told.packets == audio.packets.len() as u64, "{told:?}");
    }
    let coding = if told.copyable && choice == Audio::Processed { Coding::Copy } else { Coding::Encode(Some(256_000)) };
    (Plan { audio: choice, coding, fit: Fit::TrimOrPad, ..Plan::original(true, "") }, decision)
}

fn write_pcm(path: &Path, pcm: &[Vec<f32>]) {
    let bytes: Vec<u8> =
        (0..pcm[0].len()).flat_map(|n| pcm.iter().flat_map(move |channel| channel[n].to_le_bytes())).collect();
    std::fs::write(path, bytes).unwrap();
}

fn assert_no_packet_missing(times_ms: &[u64], rate: u32) {
    for (n, time_ms) in times_ms.iter().enumerate() {
        let even = times_ms[0] as f64 + n as f64 * 1_024_000.0 / f64::from(rate);
        assert!(
            (*time_ms as f64 - even).abs() < 3.0,
            "packet {n} of {} at {time_ms} ms, not {even:.1}",
            times_ms.len()
        );
    }
}

impl Air {
    /// Holds each batch against the source: its place within so many samples, its level within 0.1 dB, and what differs near
    /// borders against what differs elsewhere, in decibels.
    fn check(&self, name: &str, late_most: i64) -> f64 {
        // The first packets of a stream are decoded cold by whoever hears them; the last one waits for what never comes.
        let end = self.heard[0].len() - 4096;
        assert!(end > 18 * 44_100, "{name}: {end} samples");
        let spans: Vec<usize> = std::iter::once(8192).chain(self.borders.iter().copied()).collect();
        let mut late = 0;
        for from in &spans {
            late = late_by(&self.source[0], &self.heard[0], from + 4096, 4096, 60);
            assert!(late.abs() <= late_most, "{name}: {late} samples late at {from}");
        }
        for (source, heard) in self.source.iter().zip(&self.heard) {
            for from in &spans {
                let span = *from..from + 60_000.min(end - from);
                let off = level(&smooth(&heard[span.clone()])) - level(&smooth(&source[span]));
                assert!(off.abs() <= 0.1, "{name}: {off:.2} dB at {from}");
            }
        }
        let shift = |n: usize| usize::try_from(n as i64 + late).unwrap();
        let differs = |range: std::ops::Range<usize>| -> Vec<f32> {
            range.filter(|n| *n < end - 200).map(|n| self.heard[0][shift(n)] - self.source[0][n]).collect()
        };
        let near: Vec<f32> = self.borders.iter().flat_map(|border| differs(border - NEAR..border + NEAR)).collect();
        let mut elsewhere: Vec<f64> =
            spans.iter().map(|from| power(&differs(from + 3 * NEAR..from + 20 * NEAR))).collect();
        elsewhere.sort_by(f64::total_cmp);
        10.0 * (power(&near) / elsewhere[elsewhere.len() - 1].max(1e-12)).log10()
    }
}

/// Without the highest tones, which encoders leave out.
fn smooth(samples: &[f32]) -> Vec<f32> {
    samples.windows(6).map(|six| six.iter().sum::<f32>() / 6.0).collect()
}

#[tokio::test]
async fn replies_of_every_encoder_follow_on_without_a_seam() {
    let media = programme(48_000, 2);
    let mut all = Vec::new();
    // Others start or scale so differently by themselves that it shows; `lengths` holds their place.
    for encoder in &ENCODERS[..5] {
        let air = air(&media, 48_000, 2, |_| What::Reply(*encoder)).await;
        let most = if encoder.1.ends_with("wav") { 1 } else { 48 };
        let seams = air.check(encoder.1, most);
        all.push((encoder.1, seams));
    }
    assert!(all.iter().all(|(_, seams)| *seams <= 1.0), "more differs near borders than elsewhere, in dB: {all:.2?}");
}

#[tokio::test]
async fn processed_and_original_in_turns_have_no_seam() {
    let media = programme(48_000, 2);
    for encoder in [ENCODERS[0], ENCODERS[2]] {
        let turns = |n: usize| if n.is_multiple_of(2) { What::Original } else { What::Reply(encoder) };
        let seams = air(&media, 48_000, 2, turns).await.check(encoder.1, 1);
        assert!(seams <= 1.0, "{}: {seams:.2} dB more differs near borders than elsewhere", encoder.1);
    }
}

#[tokio::test]
async fn mixes_and_other_forms_have_no_seam() {
    let media = programme(48_000, 2);
    let seams = air(&media, 48_000, 2, |_| What::Mix(ENCODERS[0])).await.check("mix", 1);
    assert!(seams <= 1.0, "mix: {seams:.2} dB more differs near borders than elsewhere");
    let media = programme(44_100, 1);
    let seams = air(&media, 44_100, 1, |_| What::Reply(ENCODERS[0])).await.check("44.1 kHz", 1);
    assert!(seams <= 1.0, "44.1 kHz: {seams:.2} dB more differs near borders than elsewhere");
}

/// Law 1: with an echo the packets on air are the source's, whatever is sent in front of a fragment.
#[tokio::test]
async fn an_echo_of_pre_roll_puts_each_packet_on_air_once() {
    let media = programme(48_000, 2);
    let turns = |n: usize| match n % 3 {
        0 => What::Echo,
        1 => What::EchoInAdts,
        _ => What::Original,
    };
    for what in [|_| What::Echo, turns] {
        let [air, source] = air(&media, 48_000, 2, what).await.packets;
        assert!(air.len() > 800, "{}", air.len());
        assert_eq!(air, source[..air.len()]);
    }
}

#[tokio::test]
async fn between_an_echo_and_encoded_sound_is_no_seam() {
    let media = programme(48_000, 2);
    let turns = |n: usize| if n.is_multiple_of(2) { What::Reply(ENCODERS[0]) } else { What::Echo };
    let seams = air(&media, 48_000, 2, turns).await.check("echo", 1);
    assert!(seams <= 1.0, "{seams:.2} dB more differs near borders than elsewhere");
}
