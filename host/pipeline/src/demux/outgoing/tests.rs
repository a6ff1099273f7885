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
