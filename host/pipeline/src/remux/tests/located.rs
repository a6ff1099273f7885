//! The packets that go on air against those that ffmpeg finds in the same files: the same bytes, keys and headers, wherever
//! their places are known from.

use std::collections::BTreeMap;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use bytes::Bytes;
use outboard_egress::spool::Tag;
use outboard_exchange::Returned;
use outboard_exchange::fake::returned;
use outboard_media::avc::clean_sequence_header;
use outboard_media::flv::body::{AudioFacts, FrameType, PacketType, VideoFacts};
use outboard_media::flv::{TagKind, TagReader};
use outboard_media::probe::probe;
use outboard_media::timeline::AirTime;

use super::super::reply::save;
use super::*;
use crate::demux::Layout;

const FRAGMENTS: &str = "-movflags empty_moov+default_base_moof -frag_duration 700000";

/// A batch that was demuxed, and the audio that goes on air with it.
struct Batch {
    /// Holds the folder.
    _media: Media,
    dir: PathBuf,
    facts: BatchFacts,
    layout: Option<Layout>,
    placed: Placed,
    processed: Option<Processed>,
}

impl Batch {
    async fn of(media: Media) -> Self {
        Self::after(media, 0).await
    }

    /// The batch after one of so many segments.
    async fn after(media: Media, before: usize) -> Self {
        let (dir, mut splitter) = (media.batch(), splitter());
        let (before, segments) = media.segments.split_at(before);
        if !before.is_empty() {
            splitter.next(before, false, &dir).await.unwrap();
        }
        let split = splitter.next(segments, true, &dir).await.unwrap();
        let placed = Timeline::default().place(&split.facts, false);
        Self { _media: media, dir, facts: split.facts, layout: split.layout, placed, processed: None }
    }

    /// Makes a reply of this many seconds with ffmpeg, and takes it as it is.
    async fn reply(mut self, end: &str, seconds: f64, coding: &str) -> Self {
        let name = format!("from-processor.{end}");
        ffmpeg_in(&self.dir, &format!("-f lavfi -i sine=f=880:r=44100:d={seconds} -c:a aac {coding} {name}"));
        let audio = Bytes::from(std::fs::read(self.dir.join(name)).unwrap());
        let probe = probe(&audio).unwrap();
        assert!(probe.copyable);
        let returned = Returned { audio, probe, ..returned() };
        self.processed = Some(save(&self.dir, &returned, 0, &Plan::original(true, "")).await.unwrap());
        self
    }

    async fn remux(&self) -> Result<Remuxed, RemuxError> {
        let (slots, Self { dir, facts, placed, processed, layout, .. }) = (slots(), self);
        let turn = Turn { slots: &slots, by: None };
        let (processed, layout) = (processed.as_ref(), layout.as_ref());
        remux(Job { number: 3, dir, facts, layout, placed, with_audio: true, processed, turn }).await
    }

    /// What ffmpeg makes of the same files in FLV.
    fn by_ffmpeg(&self) -> Flv {
        let (mut inputs, mut maps) = (String::new(), String::new());
        if self.facts.video.is_some() {
            inputs += "-i video.fmp4 ";
            maps += "-map 0:v:0 ";
        }
        if self.facts.audio.is_some() {
            let name = |processed: &Processed| processed.path.file_name().unwrap().to_str().unwrap().to_owned();
            inputs += &format!("-i {} ", self.processed.as_ref().map_or("audio.fmp4".to_owned(), name));
            maps += if maps.is_empty() { "-map 0:a:0 " } else { "-map 1:a:0 " };
        }
        ffmpeg_in(&self.dir, &format!("{inputs}{maps}-c copy -copyinkf -bsf:a aac_adtstoasc -f flv by-ffmpeg.flv"));
        Flv::read(&std::fs::read(self.dir.join("by-ffmpeg.flv")).unwrap())
    }
}

/// The tags of an FLV file: of each track the sequence header, and the samples with their keys.
#[derive(Default)]
struct Flv {
    metadata: Vec<u8>,
    headers: [Option<Vec<u8>>; 2],
    samples: [Vec<(Vec<u8>, bool)>; 2],
}

impl Flv {
    fn read(bytes: &[u8]) -> Self {
        let (mut reader, mut found) = (TagReader::new(), Self::default());
        reader.feed(bytes);
        while let Some(tag) = reader.next_tag().unwrap() {
            let (track, head, packet, key) = match tag.kind {
                TagKind::Script => {
                    found.metadata = tag.body.to_vec();
                    continue;
                }
                TagKind::Video => {
                    let facts = VideoFacts::parse(tag.body).unwrap();
                    (0, 5, facts.packet, facts.frame == FrameType::Key)
                }
                TagKind::Audio => (1, 2, AudioFacts::parse(tag.body).unwrap().packet, false),
            };
            match packet {
                PacketType::SequenceHeader => found.headers[track] = Some(tag.body.to_vec()),
                PacketType::Media => found.samples[track].push((tag.body[head..].to_vec(), key)),
                _ => {}
            }
        }
        found
    }
}

fn samples(track: &Track) -> Vec<(Vec<u8>, bool)> {
    if track.tags.is_empty() {
        return Vec::new();
    }
    let file = std::fs::File::open(&track.path).unwrap();
    let sample = |tag: &Tag| {
        let mut sample = vec![0; tag.len as usize];
        file.read_exact_at(&mut sample, tag.offset).unwrap();
        (sample, tag.key)
    };
    track.tags.iter().map(sample).collect()
}

/// Takes a text with its length off the front.
fn text(rest: &mut &[u8]) -> Vec<u8> {
    let length = usize::from(u16::from_be_bytes([rest[0], rest[1]]));
    let (text, after) = rest[2..].split_at(length);
    *rest = after;
    text.to_vec()
}

/// The values of an `onMetaData` tag by name, in their bytes.
fn told(body: &[u8]) -> BTreeMap<String, Vec<u8>> {
    assert!(body.starts_with(b"\x02\0\x0aonMetaData\x08"));
    let count = u32::from_be_bytes(body[14..18].try_into().unwrap());
    let (mut rest, mut values) = (&body[18..], BTreeMap::new());
    while !rest.starts_with(&[0, 0, 9]) {
        let name = String::from_utf8(text(&mut rest)).unwrap();
        let marker = rest[0];
        rest = &rest[1..];
        let value = match marker {
            0 => rest.split_off(..8).unwrap().to_vec(),
            1 => rest.split_off(..1).unwrap().to_vec(),
            2 => text(&mut rest),
            other => panic!("{name}: {other}"),
        };
        values.insert(name, value);
    }
    assert_eq!((rest.len(), values.len()), (3, count as usize));
    values
}

/// What goes on air is what ffmpeg finds, at the batch's times, whether demuxing tells where it is or the files do.
async fn assert_same(batch: &mut Batch) -> Remuxed {
    let (ours, theirs) = (batch.remux().await.unwrap(), batch.by_ffmpeg());
    let audio = times_of(&ours.ready.audio);
    let times = batch.placed.video.iter().map(|time| (time.dts_ms, time.composition_ms));
    assert!(times_of(&ours.ready.video).iter().copied().eq(times));
    assert!(audio.is_sorted() && audio.iter().all(|(_, composition_ms)| *composition_ms == 0));
    for (n, track) in [&ours.ready.video, &ours.ready.audio].into_iter().enumerate() {
        let headers: Vec<_> = track.headers.iter().map(|header| (header.first, header.body.to_vec())).collect();
        let clean = |body: &Vec<u8>| (0, if n == 0 { clean_sequence_header(body) } else { body.clone() });
        assert_eq!(headers, theirs.headers[n].iter().map(clean).collect::<Vec<_>>());
        let skip = if n == 1 { batch.processed.as_ref().map_or(0, |processed| processed.priming) } else { 0 };
        let all = &theirs.samples[n][skip as usize..];
        assert!(samples(track) == all[..all.len().min(track.tags.len())], "samples differ");
    }
    let heard = theirs.samples[1].len() - ours.ready.audio.tags.len();
    assert_eq!((ours.lost, ours.trimmed), (0, heard as u64));
    let (told_by_us, told_by_them) = (told(ours.ready.metadata.as_ref().unwrap()), told(&theirs.metadata));
    let shared = told_by_us.iter().filter(|(name, _)| name.as_str() != "audiochannels");
    for (name, value) in shared {
        assert_eq!(Some(value), told_by_them.get(name), "{name}");
    }
    batch.layout = None;
    let listed = batch.remux().await.unwrap();
    assert_eq!((&listed.ready.video, &listed.ready.audio), (&ours.ready.video, &ours.ready.audio));
    Series::default().write(&batch.dir, &ours.ready, &batch.facts).unwrap();
    let again = AirIndex::read(&batch.dir).unwrap().ready;
    assert_eq!(
        (&again.video, &again.audio, &again.metadata),
        (&ours.ready.video, &ours.ready.audio, &ours.ready.metadata)
    );
    assert_eq!((again.number, again.start_ms, again.end_ms), (3, batch.placed.start_ms, batch.placed.end_ms));
    ours
}

fn times_of(track: &Track) -> Vec<(u64, i32)> {
    track.tags.iter().map(|tag| (tag.dts_ms, tag.composition_ms)).collect()
}

fn both() -> Media {
    Media::ts(&format!("{PICTURE}{SOUND}"))
}

#[tokio::test]
async fn sources_of_each_kind_give_what_ffmpeg_gives() {
    let fmp4 = Media::new(&format!("{PICTURE}{SOUND}"), "-hls_segment_type fmp4", Container::Fmp4);
    for (media, pictures) in [(both(), 180), (fmp4, 180), (Media::ts(PICTURE), 180), (Media::ts(SOUND), 0)] {
        let mut batch = Batch::of(media).await;
        assert!(batch.layout.is_some());
        let ours = assert_same(&mut batch).await;
        assert_eq!(ours.ready.video.tags.len(), pictures);
        let compositions =
            batch.placed.video.iter().map(|time| time.composition_ms).collect::<std::collections::BTreeSet<_>>();
        assert!(pictures == 0 || compositions.len() > 2, "B-frames: {compositions:?}");
    }
}

#[tokio::test]
async fn a_batch_that_begins_inside_a_group_of_pictures_loses_nothing() {
    let late_keys = "-g 150 -hls_flags split_by_time";
    let media = Media::new(&format!("{PICTURE}{SOUND}"), late_keys, Container::MpegTs);
    let mut batch = Batch::after(media, 1).await;
    let ours = assert_same(&mut batch).await;
    let pictures = &ours.ready.video.tags;
    assert!(!pictures[0].key && pictures.iter().filter(|tag| tag.key).count() == 1);
    assert_eq!(pictures.len(), batch.facts.video.as_ref().unwrap().packets.len());
}

#[tokio::test]
async fn replies_that_are_copied_give_what_ffmpeg_gives() {
    let late = "-movflags delay_moov+default_base_moof -frag_duration 700000";
    for (format, seconds, coding) in [
        ("aac", 6.0, "-f adts"),
        ("aac", 7.5, "-f adts"),
        ("mp4", 6.0, FRAGMENTS),
        ("mp4", 5.0, FRAGMENTS),
        // With an edit list, which tells the encoder's delay.
        ("mp4", 6.0, late),
        ("mp4", 6.0, "-movflags empty_moov+frag_every_frame"),
    ] {
        let mut batch = Batch::of(both()).await.reply(format, seconds, coding).await;
        let ours = assert_same(&mut batch).await;
        let heard = ours.ready.audio.tags.len();
        assert!(heard.abs_diff((seconds.min(6.0) * 44_100.0 / 1024.0) as usize) < 3, "{format} {coding}: {heard}");
        assert_eq!(ours.ready.audio.path, batch.processed.unwrap().path, "nothing is copied");
    }
}

/// As [`encode`] writes it: the first packet has the encoder's delay.
#[tokio::test]
async fn what_is_encoded_goes_under_the_picture() {
    let as_encoded = "-movflags empty_moov+default_base_moof -frag_duration 5000000";
    let mut batch = Batch::of(both()).await.reply("mp4", 5.9, as_encoded).await;
    batch.processed.as_mut().unwrap().priming = 1;
    assert_eq!(assert_same(&mut batch).await.trimmed, 1, "the encoder's delay");
}

/// Sample tables are not listed here. The bytes tell, not the name of the container.
#[tokio::test]
async fn containers_that_are_not_listed_are_copied_by_ffmpeg() {
    for coding in ["", "-movflags faststart", "-movflags frag_keyframe -frag_duration 700000"] {
        let mut batch = Batch::of(both()).await.reply("mp4", 6.0, coding).await;
        let ours = assert_same(&mut batch).await;
        assert_eq!(ours.ready.audio.path, batch.dir.join(names::COPIED_AUDIO), "{coding}");
        assert!(ours.ready.audio.tags.len() > 250);
    }
}

/// Files of our own writer: other time scales, other fragments.
#[tokio::test]
async fn an_output_as_a_file_is_listed_like_any_other() {
    let mut batch = Batch::of(Media::ts(PICTURE)).await;
    let before = assert_same(&mut batch).await.ready.video;
    let want = samples(&before);
    kept::write(&batch.dir).unwrap();
    std::fs::rename(batch.dir.join(names::OUTPUT), batch.dir.join(names::VIDEO)).unwrap();
    let after = batch.remux().await.unwrap().ready.video;
    assert!(samples(&after) == want);
    assert_eq!((times_of(&after), after.headers), (times_of(&before), before.headers));
}

#[tokio::test]
async fn a_torn_reply_is_an_error_that_names_it() {
    for (format, coding) in [("mp4", FRAGMENTS), ("aac", "-f adts")] {
        let batch = Batch::of(both()).await.reply(format, 6.0, coding).await;
        let path = batch.processed.clone().unwrap().path;
        let whole = std::fs::read(&path).unwrap();
        // The last bytes of MP4 are an index that nobody needs.
        let last = whole.windows(4).rposition(|window| window == b"mdat").map_or(whole.len() - 20, |at| at + 40);
        std::fs::write(&path, &whole[..last]).unwrap();
        let error = batch.remux().await.unwrap_err();
        assert!(matches!(&error, RemuxError::Torn { path: torn, .. } if *torn == path), "{error}");
        assert!(!error.is_disk_full() && error.to_string().contains("is cut off: "), "{error}");
    }
}

#[tokio::test]
async fn what_is_left_of_a_torn_picture_goes_on_air() {
    let batch = Batch::of(both()).await;
    let path = batch.dir.join(names::VIDEO);
    let (whole, bytes) = (batch.remux().await.unwrap().ready.video, std::fs::read(&path).unwrap());
    let cuts = [bytes.len() / 2, bytes.windows(4).rposition(|window| window == b"moof").unwrap() + 30];
    for cut in cuts {
        std::fs::write(&path, &bytes[..cut]).unwrap();
        let remuxed = batch.remux().await.unwrap();
        let left = &remuxed.ready.video.tags;
        assert!(!left.is_empty() && whole.tags.starts_with(left));
        let next = whole.tags[left.len()];
        assert!(next.offset + u64::from(next.len) > cut as u64, "packets that are there are left out");
        assert_eq!(remuxed.lost, (whole.tags.len() - left.len()) as u64);
    }
}

#[tokio::test]
async fn a_file_that_is_not_there_is_named() {
    let batch = Batch::of(both()).await;
    std::fs::remove_file(batch.dir.join(names::AUDIO)).unwrap();
    let error = batch.remux().await.unwrap_err().to_string();
    assert!(error.contains("audio.fmp4: No such file"), "{error}");
}

/// The second configuration goes out right before the first packet that needs it.
#[tokio::test]
async fn another_configuration_inside_a_batch_is_a_header_at_its_packet() {
    let mut batch = Batch::of(Media::ts(PICTURE)).await;
    let small = Batch::of(Media::ts("-f lavfi -i testsrc2=s=160x90:r=30:d=6 ")).await;
    let file = |batch: &Batch| std::fs::read(batch.dir.join(names::VIDEO)).unwrap();
    let both = [file(&batch), file(&small)].concat();
    let before = batch.remux().await.unwrap().ready.video;
    let (first, own) = (samples(&before), small.remux().await.unwrap().ready.video);
    std::fs::write(batch.dir.join(names::VIDEO), both).unwrap();
    let late = |time: &AirTime| AirTime { dts_ms: time.dts_ms + batch.placed.end_ms, ..*time };
    let times: Vec<_> = batch.placed.video.iter().map(late).collect();
    batch.placed.video.extend(times);
    batch.layout = None;
    let remuxed = batch.remux().await.unwrap();
    let after = &remuxed.ready.video;
    assert_eq!((after.tags.len(), remuxed.lost), (360, 0));
    let headers = |track: &Track| track.headers.iter().map(|header| header.body.clone()).collect::<Vec<_>>();
    assert_eq!(headers(after), [headers(&before), headers(&own)].concat());
    assert_eq!(after.headers.iter().map(|header| header.first).collect::<Vec<_>>(), [0, 180]);
    assert!(samples(after) == [first, samples(&own)].concat());
}

#[tokio::test]
async fn a_batch_without_a_track_is_refused() {
    let mut batch = Batch::of(Media::ts(SOUND)).await;
    batch.facts.audio = None;
    let error = batch.remux().await.unwrap_err();
    assert!(matches!(error, RemuxError::Missing(_)), "{error}");
}
