//! Runs the fuzz target over slightly changed streams and over random bytes.

use super::super::fuzz::segments;
use super::clip::{self, Clip};
use super::repack::Random;

#[test]
fn changed_streams_and_made_up_bytes_are_explained() {
    let mp4 = Clip { seconds: 1, name: "a.mp4", mux: "-movflags frag_keyframe+empty_moov", ..Clip::default() }.make();
    let adts = clip::ffmpeg(&["-f", "lavfi", "-i", "sine", "-t", "1", "-c:a", "aac"], "a.aac");
    let seeds = [
        (0_u8, &clip::plain()[..40_000]),
        (1, &mp4[..mp4.len().min(40_000)]),
        (2, &mp4[..mp4.len().min(40_000)]),
        (3, &adts[..]),
    ];
    let mut random = Random(11);
    for (kind, seed) in seeds {
        for _ in 0..60 {
            // The step bytes stand between the pieces.
            let first = kind | (random.below(64) as u8) << 2;
            let size = usize::from(first >> 2) * 7;
            let mut data = vec![first];
            for piece in seed.chunks(size.max(1)) {
                data.push(random.below(256) as u8 | 16);
                data.extend(piece);
            }
            for _ in 0..random.below(30) {
                let at = random.below(data.len());
                data[at] = random.below(256) as u8;
            }
            segments(&data);
        }
        for _ in 0..300 {
            let bytes: Vec<u8> = (0..random.below(2000)).map(|_| random.below(256) as u8).collect();
            segments(&[&[kind | (random.below(64) as u8) << 2][..], &bytes].concat());
        }
    }
}
