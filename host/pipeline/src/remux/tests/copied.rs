//! What the host copies itself against what ffmpeg copies: the same packets at the same times, in the same index.

use std::collections::BTreeMap;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use bytes::Bytes;
use outboard_egress::spool::Tag;
use outboard_exchange::Returned;
use outboard_exchange::fake::returned;
use outboard_media::flv::{TagKind, TagReader};
use outboard_media::probe::probe;
use outboard_media::timeline::AirTime;

use super::super::reply::save;
use super::*;

const FRAGMENTS: &str = "-movflags empty_moov+default_base_moof -frag_duration 700000";

/// A batch that was demuxed, and the audio that goes on air with it.
struct Batch {
    /// Holds the folder.
    _media: Media,
    dir: PathBuf,
    facts: BatchFacts,
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
        let facts = splitter.next(segments, true, &dir).await.unwrap().facts;
        let placed = Timeline::default().place(&facts, false);
        Self { _media: media, dir, facts, placed, processed: None }
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

    fn job<'a>(&'a self, turn: Turn<'a>) -> Job<'a> {
        let Self { dir, facts, placed, processed, .. } = self;
        Job { number: 3, dir, facts, placed, with_audio: true, processed: processed.as_ref(), turn }
    }

    async fn remux(&self) -> Result<Remuxed, RemuxError> {
        let slots = slots();
        remux(self.job(Turn { slots: &slots, by: None })).await
    }

    async fn copied(&self) -> Result<Remuxed, CopyError> {
        let slots = slots();
        Ok(self.keep(copying::run(&self.job(Turn { slots: &slots, by: None })).await?, "copied.flv"))
    }

    async fn by_ffmpeg(&self) -> Remuxed {
        let slots = slots();
        let remuxed = by_ffmpeg::run(&self.job(Turn { slots: &slots, by: None })).await.unwrap();
        self.keep(remuxed, "by-ffmpeg.flv")
    }

    /// Puts a batch's file where the next one does not replace it.
    fn keep(&self, mut remuxed: Remuxed, name: &str) -> Remuxed {
        remuxed.ready.path = self.dir.join(name);
        std::fs::rename(part(&self.dir, names::AIR), &remuxed.ready.path).unwrap();
        remuxed
    }
}

fn bodies(ready: &ReadyBatch, tags: &[Tag]) -> Vec<Vec<u8>> {
    let file = std::fs::File::open(&ready.path).unwrap();
    let body = |tag: &Tag| {
        let mut body = vec![0; tag.len as usize];
        file.read_exact_at(&mut body, tag.offset).unwrap();
        body
    };
    tags.iter().map(body).collect()
}

/// Takes a text with its length off the front.
fn text(rest: &mut &[u8]) -> Vec<u8> {
    let length = usize::from(u16::from_be_bytes([rest[0], rest[1]]));
    let (text, after) = rest[2..].split_at(length);
    *rest = after;
    text.to_vec()
}

/// The values of an `onMetaData` tag by name, in their bytes.
fn told(ready: &ReadyBatch) -> BTreeMap<String, Vec<u8>> {
    let body = ready.metadata.as_ref().unwrap();
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

/// Both ways with one batch: packets, times, keys, headers, bytes and counts are the same.
async fn assert_same(batch: &Batch) -> Remuxed {
    let (ours, theirs) = (batch.copied().await.unwrap(), batch.by_ffmpeg().await);
    let facts = |tags: &[Tag]| tags.iter().map(|tag| (tag.len, tag.dts_ms, tag.key)).collect::<Vec<_>>();
    let (our, their) = (&ours.ready, &theirs.ready);
    for (our_track, their_track) in [(&our.video, &their.video), (&our.audio, &their.audio)] {
        assert_eq!(our_track.header, their_track.header);
        assert_eq!(facts(&our_track.tags), facts(&their_track.tags));
        assert!(bodies(our, &our_track.tags) == bodies(their, &their_track.tags), "bodies differ");
        assert!(our_track.tags.is_sorted_by_key(|tag| tag.dts_ms));
    }
    assert_eq!((our.number, our.start_ms, our.end_ms), (their.number, their.start_ms, their.end_ms));
    assert_eq!((ours.lost, ours.trimmed), (theirs.lost, theirs.trimmed));
    let (told_by_us, told_by_them) = (told(our), told(their));
    let shared = told_by_us.iter().filter(|(name, _)| name.as_str() != "audiochannels");
    for (name, value) in shared {
        assert_eq!(Some(value), told_by_them.get(name), "{name}");
    }
    assert_order(our);
    let again = read_again(batch, our);
    assert_eq!((&again.video, &again.audio, &again.metadata), (&our.video, &our.audio, &our.metadata));
    ours
}

/// In the file, headers come first and packets in the order in which egress sends them.
fn assert_order(ready: &ReadyBatch) {
    let mut reader = TagReader::new();
    reader.feed(&std::fs::read(&ready.path).unwrap());
    let mut order = Vec::new();
    while let Some(tag) = reader.next_tag().unwrap() {
        order.push((u64::from(tag.timestamp_ms), tag.kind == TagKind::Audio, tag.kind));
    }
    let tracks = [&ready.video, &ready.audio];
    let headers = 1 + tracks.iter().filter(|track| track.header.is_some()).count();
    assert_eq!(order.len(), headers + tracks.iter().map(|track| track.tags.len()).sum::<usize>());
    assert_eq!(order[0].2, TagKind::Script);
    let packets = &order[headers..];
    assert!(packets.is_sorted_by_key(|(at, audio, _)| (*at, *audio)), "packets are not in order");
}

fn read_again(batch: &Batch, ready: &ReadyBatch) -> ReadyBatch {
    std::fs::copy(&ready.path, batch.dir.join(names::AIR)).unwrap();
    reload(ready.number, &batch.dir, (ready.start_ms, ready.end_ms)).unwrap()
}

fn both() -> Media {
    Media::ts(&format!("{PICTURE}{SOUND}"))
}

#[tokio::test]
async fn sources_of_each_kind_give_what_ffmpeg_gives() {
    let fmp4 = Media::new(&format!("{PICTURE}{SOUND}"), "-hls_segment_type fmp4", Container::Fmp4);
    for (media, pictures) in [(both(), 180), (fmp4, 180), (Media::ts(PICTURE), 180), (Media::ts(SOUND), 0)] {
        let batch = Batch::of(media).await;
        let ours = assert_same(&batch).await;
        assert_eq!((ours.ready.video.tags.len(), ours.lost), (pictures, 0));
        let compositions =
            batch.placed.video.iter().map(|time| time.composition_ms).collect::<std::collections::BTreeSet<_>>();
        assert!(pictures == 0 || compositions.len() > 2, "B-frames: {compositions:?}");
    }
}

#[tokio::test]
async fn a_batch_that_begins_inside_a_group_of_pictures_loses_nothing() {
    let late_keys = "-g 150 -hls_flags split_by_time";
    let media = Media::new(&format!("{PICTURE}{SOUND}"), late_keys, Container::MpegTs);
    let batch = Batch::after(media, 1).await;
    let ours = assert_same(&batch).await;
    let pictures = &ours.ready.video.tags;
    assert!(!pictures[0].key && pictures.iter().filter(|tag| tag.key).count() == 1);
    assert_eq!((pictures.len(), ours.lost), (batch.facts.video.as_ref().unwrap().packets.len(), 0));
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
        let batch = Batch::of(both()).await.reply(format, seconds, coding).await;
        let ours = assert_same(&batch).await;
        let heard = ours.ready.audio.tags.len();
        assert!(heard.abs_diff((seconds.min(6.0) * 44_100.0 / 1024.0) as usize) < 3, "{format} {coding}: {heard}");
        assert_eq!(ours.lost, 0);
    }
}

/// As [`encode`] writes it: the first packet has the encoder's delay.
#[tokio::test]
async fn what_is_encoded_is_copied_under_the_picture() {
    let as_encoded = "-movflags empty_moov+default_base_moof -frag_duration 5000000";
    let mut batch = Batch::of(both()).await.reply("mp4", 5.9, as_encoded).await;
    batch.processed.as_mut().unwrap().priming = 1;
    assert_eq!(assert_same(&batch).await.trimmed, 1, "the encoder's delay");
}

/// Sample tables are not read here. The bytes tell, not the name of the container.
#[tokio::test]
async fn containers_that_are_not_read_are_left_to_ffmpeg() {
    for coding in ["", "-movflags faststart", "-movflags frag_keyframe -frag_duration 700000"] {
        let batch = Batch::of(both()).await.reply("mp4", 6.0, coding).await;
        let error = batch.copied().await.unwrap_err();
        assert!(
            matches!(&error, CopyError::Foreign { path, .. } if path.ends_with(names::PROCESSED_AUDIO)),
            "{coding}: {error}"
        );
        let (theirs, remuxed) = (batch.by_ffmpeg().await, batch.remux().await.unwrap());
        assert_eq!(remuxed.ready.audio, theirs.ready.audio, "{coding}");
        assert!(theirs.ready.audio.tags.len() > 250);
    }
}

/// Files of our own writer: other time scales, other fragments.
#[tokio::test]
async fn files_that_the_host_wrote_are_read_like_ffmpegs() {
    let batch = Batch::of(Media::ts(PICTURE)).await;
    let before = assert_same(&batch).await;
    Series::default().write(&batch.dir, &before.ready, &batch.facts).unwrap();
    std::fs::rename(batch.dir.join(names::OUTPUT), batch.dir.join(names::VIDEO)).unwrap();
    let after = batch.copied().await.unwrap();
    assert_eq!(after.ready.video, Track { tags: before.ready.video.tags, header: before.ready.video.header });
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
    let whole = std::fs::read(&path).unwrap();
    let cuts = [whole.len() / 2, whole.windows(4).rposition(|window| window == b"moof").unwrap() + 30];
    for cut in cuts {
        std::fs::write(&path, &whole[..cut]).unwrap();
        let error = batch.copied().await.unwrap_err();
        let named = format!("{} is cut off: ", path.display());
        assert!(matches!(error, CopyError::Failed(RemuxError::Torn { .. })) && error.to_string().starts_with(&named));
        let (theirs, remuxed) = (batch.by_ffmpeg().await, batch.remux().await.unwrap());
        assert_eq!((&remuxed.ready.video, remuxed.lost), (&theirs.ready.video, theirs.lost));
        assert!(remuxed.lost > 0 && !remuxed.ready.video.tags.is_empty());
    }
}

#[tokio::test]
async fn a_file_that_is_not_there_is_named() {
    let batch = Batch::of(both()).await;
    std::fs::remove_file(batch.dir.join(names::AUDIO)).unwrap();
    let error = batch.remux().await.unwrap_err().to_string();
    assert!(error.contains("audio.fmp4: No such file"), "{error}");
}

/// The index has one sequence header a track: a second one does not stop the packets behind it.
#[tokio::test]
async fn another_configuration_inside_a_batch_loses_no_packet() {
    let mut batch = Batch::of(Media::ts(PICTURE)).await;
    let small = Batch::of(Media::ts("-f lavfi -i testsrc2=s=160x90:r=30:d=6 ")).await;
    let file = |batch: &Batch| std::fs::read(batch.dir.join(names::VIDEO)).unwrap();
    let both = [file(&batch), file(&small)].concat();
    let before = batch.copied().await.unwrap().ready;
    std::fs::write(batch.dir.join(names::VIDEO), both).unwrap();
    let late = |time: &AirTime| AirTime { dts_ms: time.dts_ms + batch.placed.end_ms, ..*time };
    let times: Vec<_> = batch.placed.video.iter().map(late).collect();
    batch.placed.video.extend(times);
    let after = batch.copied().await.unwrap();
    assert_eq!((after.ready.video.tags.len(), after.lost), (360, 0));
    assert_eq!(after.ready.video.header, before.video.header);
    let own = small.copied().await.unwrap().ready;
    let last = bodies(&after.ready, &after.ready.video.tags[180..]);
    let theirs = bodies(&own, &own.video.tags);
    assert!(last.iter().zip(&theirs).all(|(ours, theirs)| ours[5..] == theirs[5..]) && last.len() == theirs.len());
}

#[tokio::test]
async fn a_batch_without_a_track_is_refused() {
    let mut batch = Batch::of(Media::ts(SOUND)).await;
    batch.facts.audio = None;
    let error = batch.remux().await.unwrap_err();
    assert!(matches!(error, RemuxError::Missing(_)), "{error}");
}
