use super::*;
use crate::demux::Splitter;
use crate::remux::testing::{Media, PICTURE, ffmpeg_in, slots};

const NOISE: &str = "-f lavfi -i anoisesrc=r=48000:d=6:c=pink:seed=5:a=0.5 -ac 2 -aac_pns 0 ";

/// The source's sound, decoded by one decoder from its first packet to its last.
fn decoded(media: &Media, words: &str) -> Vec<u8> {
    let list: Vec<_> =
        media.segments.iter().map(|segment| segment.main.path.file_name().unwrap().to_str().unwrap()).collect();
    ffmpeg_in(media.dir.path(), &format!("-i concat:{} -vn -c:a pcm_s16le {words} -f s16le all.pcm", list.join("|")));
    std::fs::read(media.dir.path().join("all.pcm")).unwrap()
}

/// The fragments of three batches of a segment each.
async fn fragments(media: &Media, format: AudioFormat) -> Vec<Vec<u8>> {
    let slots = slots();
    let mut splitter = Splitter::new(slots.clone());
    let (mut fragments, mut before) = (Vec::new(), None);
    for (n, segment) in media.segments.iter().enumerate() {
        let dir = media.dir.path().join(format!("batch-{n}"));
        std::fs::create_dir_all(&dir).unwrap();
        let facts = splitter.split(std::slice::from_ref(segment), &dir).await.unwrap();
        let turn = Turn { slots: &slots, by: None };
        let file = outgoing(&dir, before.as_deref(), format, &facts.audio.unwrap(), turn).await.unwrap();
        fragments.push(std::fs::read(file.path).unwrap());
        before = Some(dir);
    }
    fragments
}

#[tokio::test]
async fn each_fragment_starts_at_the_sample_where_the_one_before_ended() {
    let media = Media::ts(&format!("{PICTURE}{NOISE}"));
    let pcm = Pcm { sample_rate_hz: None, channels: None };
    let joined = fragments(&media, AudioFormat::Pcm(pcm)).await.concat();
    let source = decoded(&media, "");
    assert!(source.len() > 5 * 48_000 * 4, "{} bytes", source.len());
    assert_eq!(joined.len(), source.len());
    assert!(joined == source, "first difference at byte {:?}", joined.iter().zip(&source).position(|(a, b)| a != b));
}

/// Decoded by a reader that follows edit lists or iTunSMPB, each fragment is exactly its batch, and whole from its first sample on.
#[tokio::test]
async fn with_pre_roll_a_fragment_is_decoded_like_a_part_of_the_stream() {
    let media = Media::ts(&format!("{PICTURE}{NOISE}"));
    let mut splitter = Splitter::new(slots());
    let (mut joined, mut before): (Vec<u8>, Option<PathBuf>) = (Vec::new(), None);
    for (n, segment) in media.segments.iter().enumerate() {
        let dir = media.dir.path().join(format!("batch-{n}"));
        std::fs::create_dir_all(&dir).unwrap();
        let audio = splitter.split(std::slice::from_ref(segment), &dir).await.unwrap().audio.unwrap();
        let file = match &before {
            Some(before) => {
                let (path, packet) = with_pre_roll(before, &dir, &audio).await.unwrap();
                let packets = media.hashes(&path, "a");
                // In front of a hash is what ffprobe has to say about samples that are skipped.
                let packets: Vec<_> = packets.iter().map(|line| line.trim_start_matches(',')).collect();
                assert_eq!(packets[1..], media.hashes(&dir.join(names::AUDIO), "a"));
                assert_eq!(packets[0], *media.hashes(&before.join(names::AUDIO), "a").last().unwrap());
                assert!(!packet.is_empty());
                path
            }
            None => dir.join(names::AUDIO),
        };
        ffmpeg_in(&dir, &format!("-i {} -c:a pcm_s16le -f s16le decoded.pcm", file.display()));
        let decoded = std::fs::read(dir.join("decoded.pcm")).unwrap();
        assert_eq!(decoded.len(), audio.packets.len() * 1024 * 4, "batch {n}");
        joined.extend(decoded);
        before = Some(dir);
    }
    let source = decoded(&media, "");
    assert!(source.len() > 5 * 48_000 * 4, "{} bytes", source.len());
    assert!(joined == source, "first difference at byte {:?}", joined.iter().zip(&source).position(|(a, b)| a != b));
}

#[tokio::test]
async fn there_is_no_pre_roll_where_a_batch_does_not_follow_on() {
    let media = Media::ts(&format!("{PICTURE}{NOISE}"));
    let mut splitter = Splitter::new(slots());
    let mut batches = Vec::new();
    for n in [0, 2] {
        let dir = media.dir.path().join(format!("batch-{n}"));
        std::fs::create_dir_all(&dir).unwrap();
        let facts = splitter.split(std::slice::from_ref(&media.segments[n]), &dir).await.unwrap();
        batches.push((dir, facts.audio.unwrap()));
    }
    let [(before, _), (dir, audio)] = batches.as_slice() else { panic!() };
    assert_eq!(with_pre_roll(before, dir, audio).await, None, "a segment is missing");
    assert_eq!(with_pre_roll(&media.dir.path().join("none"), dir, audio).await, None, "there is no batch before");
}

#[tokio::test]
async fn at_another_rate_fragments_fit_to_a_sample() {
    let media = Media::ts(&format!("{PICTURE}{NOISE}"));
    let pcm = Pcm { sample_rate_hz: Some(16_000), channels: Some(1) };
    let fragments = fragments(&media, AudioFormat::Pcm(pcm)).await;
    let source = decoded(&media, "-af aresample=16000,aformat=sample_fmts=fltp,pan=mono|c0=0.5*c0+0.5*c1 -ac 1");
    let samples =
        |bytes: &[u8]| -> Vec<i16> { bytes.chunks_exact(2).map(|two| i16::from_le_bytes([two[0], two[1]])).collect() };
    let source = samples(&source);
    let mut at = 0;
    for fragment in &fragments {
        let fragment = samples(fragment);
        // Its start, where the decoder and the resampler are warm or not.
        let off = |shift: usize| -> f64 {
            let pairs = fragment.iter().zip(&source[at + shift..]).take(400);
            pairs.map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2)).sum::<f64>().sqrt() / 20.0
        };
        let level = (fragment.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / fragment.len() as f64).sqrt();
        assert!(off(0).min(off(1)) < level / 3.0, "the fragment at {at} starts with {} of {level}", off(0));
        at += fragment.len();
    }
    assert!(at.abs_diff(source.len()) <= 3, "{at} of {} samples", source.len());
}
