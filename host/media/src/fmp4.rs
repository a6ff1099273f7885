//! Writes fragmented MP4 (ISO/IEC 14496-12): one video track, one audio track, each with a timescale of its own.
//!
//! In: decoder configurations and the facts of each sample. Out: boxes as bytes; the caller writes the media data, or
//! [`writer`] does for the packets of one track. It does not read foreign files: [`head`] reads only files that this
//! module wrote.

mod entries;
pub mod head;
pub mod pre_roll;
pub mod writer;

use crate::demux::Codec;

/// Ticks per second in every track that [`init`] describes: air times are milliseconds.
pub const TIMESCALE: u32 = 1000;

/// Number of the video track.
pub const VIDEO: u32 = 1;
/// Number of the audio track.
pub const AUDIO: u32 = 2;

/// The configuration of the video decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Video<'a> {
    /// H.264, HEVC or AV1.
    pub codec: Codec,
    /// The decoder configuration record of that codec: `avcC`, `hvcC` (ISO/IEC 14496-15 sections 5.3.3.1 and 8.3.3.1) or
    /// `av1C`.
    pub config: &'a [u8],
    /// Width in pixels; 0: the decoder takes it from the configuration.
    pub width: u32,
    /// Height in pixels; 0: the decoder takes it from the configuration.
    pub height: u32,
}

/// The configuration of the audio decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Audio<'a> {
    /// AAC, or what is to be encoded to it: MPEG audio, AC-3, E-AC-3, Opus.
    pub codec: Codec,
    /// AudioSpecificConfig of AAC (ISO/IEC 14496-3 section 1.6.2.1), `dOps` of Opus, otherwise empty.
    pub config: &'a [u8],
    /// Sample rate in Hz.
    pub sample_rate: u32,
    /// Number of audio channels.
    pub channels: u32,
}

/// One sample of a fragment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// Size of the sample, in bytes.
    pub size: u32,
    /// Time until the next sample is decoded, in ticks of the track.
    pub duration: u32,
    /// Presentation time minus decoding time, in ticks of the track.
    pub composition: i32,
    /// True if decoding can start at this sample.
    pub key: bool,
}

/// The samples of one track in a fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Number of the track: [`VIDEO`] or [`AUDIO`].
    pub track: u32,
    /// Decoding time of the first sample, in ticks of the track.
    pub start: u64,
    /// The samples in decoding order.
    pub samples: Vec<Sample>,
}

/// The initialization section: `ftyp` and `moov` without samples, all times in milliseconds. The same tracks always give
/// the same bytes.
pub fn init(video: Option<Video<'_>>, audio: Option<Audio<'_>>) -> Vec<u8> {
    let scaled = (video.map(|video| (video, TIMESCALE)), audio.map(|audio| (audio, TIMESCALE)));
    [ftyp(), moov(scaled.0, scaled.1)].concat()
}

pub(crate) fn ftyp() -> Vec<u8> {
    boxed(*b"ftyp", |ftyp| {
        ftyp.extend(b"iso6\0\0\0\0iso6iso5mp41");
    })
}

/// A `moov` without samples; with each track its ticks per second.
fn moov(video: Option<(Video<'_>, u32)>, audio: Option<(Audio<'_>, u32)>) -> Vec<u8> {
    moov_with(video, audio, &[], &[])
}

/// The same with an `edts` for each track, and with a `udta`.
fn moov_with(
    video: Option<(Video<'_>, u32)>,
    audio: Option<(Audio<'_>, u32)>,
    edits: &[u8],
    user_data: &[u8],
) -> Vec<u8> {
    boxed(*b"moov", |moov| {
        moov.extend(full(*b"mvhd", 0, 0, |mvhd| {
            put32(mvhd, &[0, 0, TIMESCALE, 0, 0x0001_0000]);
            put16(mvhd, &[0x0100, 0]);
            put32(mvhd, &[0, 0]);
            put32(mvhd, &MATRIX);
            put32(mvhd, &[0; 6]);
            put32(mvhd, &[AUDIO + 1]);
        }));
        if let Some((video, scale)) = video {
            moov.extend(track((VIDEO, scale), b"vide", (video.width, video.height), edits, &entries::video(video)));
        }
        if let Some((audio, scale)) = audio {
            moov.extend(track((AUDIO, scale), b"soun", (0, 0), edits, &entries::audio(audio)));
        }
        moov.extend(boxed(*b"mvex", |mvex| {
            let tracks = video.map(|_| VIDEO).into_iter().chain(audio.map(|_| AUDIO));
            for id in tracks {
                mvex.extend(full(*b"trex", 0, 0, |trex| put32(trex, &[id, 1, 0, 0, 0])));
            }
        }));
        moov.extend(user_data);
    })
}

/// The `moof` of a fragment and the header of its `mdat`, which has the samples of each run in order. `None`: larger
/// than 4 GB.
pub fn fragment(sequence: u32, runs: &[Run]) -> Option<Vec<u8>> {
    // Offsets count from the start of `moof`, so its size must be known first: it does not depend on them.
    let head = moof(sequence, runs, 0)?.len();
    let mut out = moof(sequence, runs, u32::try_from(head + 8).ok()?)?;
    let data: u64 = runs.iter().flat_map(|run| &run.samples).map(|sample| u64::from(sample.size)).sum();
    put32(&mut out, &[u32::try_from(data + 8).ok()?]);
    out.extend(b"mdat");
    Some(out)
}

fn moof(sequence: u32, runs: &[Run], data: u32) -> Option<Vec<u8>> {
    let mut offset = data;
    let mut trafs = Vec::new();
    for run in runs.iter().filter(|run| !run.samples.is_empty()) {
        let bytes = run.samples.iter().try_fold(0_u32, |sum, sample| sum.checked_add(sample.size))?;
        trafs.extend(traf(run, offset));
        offset = offset.checked_add(bytes)?;
    }
    Some(boxed(*b"moof", |moof| {
        moof.extend(full(*b"mfhd", 0, 0, |mfhd| put32(mfhd, &[sequence])));
        moof.extend(&trafs);
    }))
}

const DEFAULT_BASE_IS_MOOF: u32 = 0x02_0000;
/// Flags of a `trun`: data offset, then duration, size, flags and composition time of each sample.
const TRUN_FIELDS: u32 = 0x0001 | 0x0100 | 0x0200 | 0x0400 | 0x0800;
/// Flags of a sample that depends on no other one.
const SYNC: u32 = 0x0200_0000;
/// Flags of a sample that depends on others, at which decoding cannot start.
const NO_SYNC: u32 = 0x0101_0000;

fn traf(run: &Run, offset: u32) -> Vec<u8> {
    boxed(*b"traf", |traf| {
        traf.extend(full(*b"tfhd", 0, DEFAULT_BASE_IS_MOOF, |tfhd| put32(tfhd, &[run.track])));
        traf.extend(full(*b"tfdt", 1, 0, |tfdt| tfdt.extend(run.start.to_be_bytes())));
        traf.extend(full(*b"trun", 1, TRUN_FIELDS, |trun| {
            put32(trun, &[u32::try_from(run.samples.len()).unwrap_or(u32::MAX), offset]);
            for sample in &run.samples {
                let flags = if sample.key { SYNC } else { NO_SYNC };
                put32(trun, &[sample.duration, sample.size, flags, sample.composition.cast_unsigned()]);
            }
        }));
    })
}

const MATRIX: [u32; 9] = [0x0001_0000, 0, 0, 0, 0x0001_0000, 0, 0, 0, 0x4000_0000];

fn track(
    (id, scale): (u32, u32),
    handler: &[u8; 4],
    (width, height): (u32, u32),
    edits: &[u8],
    entry: &[u8],
) -> Vec<u8> {
    let sound = handler == b"soun";
    boxed(*b"trak", |trak| {
        // Enabled, in the movie.
        trak.extend(full(*b"tkhd", 0, 3, |tkhd| {
            put32(tkhd, &[0, 0, id, 0, 0, 0, 0]);
            put16(tkhd, &[0, 0, if sound { 0x0100 } else { 0 }, 0]);
            put32(tkhd, &MATRIX);
            put32(tkhd, &[width << 16, height << 16]);
        }));
        trak.extend(edits);
        trak.extend(boxed(*b"mdia", |mdia| {
            // No language: "und".
            mdia.extend(full(*b"mdhd", 0, 0, |mdhd| put32(mdhd, &[0, 0, scale, 0, 0x55c4_0000])));
            mdia.extend(full(*b"hdlr", 0, 0, |hdlr| {
                put32(hdlr, &[0]);
                hdlr.extend(handler);
                put32(hdlr, &[0, 0, 0]);
                hdlr.push(0);
            }));
            mdia.extend(boxed(*b"minf", |minf| {
                minf.extend(match sound {
                    true => full(*b"smhd", 0, 0, |smhd| put32(smhd, &[0])),
                    false => full(*b"vmhd", 0, 1, |vmhd| put32(vmhd, &[0, 0])),
                });
                minf.extend(boxed(*b"dinf", |dinf| {
                    dinf.extend(full(*b"dref", 0, 0, |dref| {
                        put32(dref, &[1]);
                        // In this file.
                        dref.extend(full(*b"url ", 0, 1, |_| {}));
                    }));
                }));
                minf.extend(boxed(*b"stbl", |stbl| {
                    stbl.extend(full(*b"stsd", 0, 0, |stsd| {
                        put32(stsd, &[1]);
                        stsd.extend(entry);
                    }));
                    for name in [*b"stts", *b"stsc", *b"stco"] {
                        stbl.extend(full(name, 0, 0, |list| put32(list, &[0])));
                    }
                    stbl.extend(full(*b"stsz", 0, 0, |sizes| put32(sizes, &[0, 0])));
                }));
            }));
        }));
    })
}

fn boxed(name: [u8; 4], fill: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = vec![0; 4];
    out.extend(name);
    fill(&mut out);
    // What is built here is far below 4 GB; media data is not in it.
    let size = u32::try_from(out.len()).unwrap_or(u32::MAX);
    if let Some(place) = out.first_chunk_mut() {
        *place = size.to_be_bytes();
    }
    out
}

/// A full box: with version and flags.
fn full(name: [u8; 4], version: u8, flags: u32, fill: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    boxed(name, |out| {
        put32(out, &[u32::from(version) << 24 | flags]);
        fill(out);
    })
}

fn put32(out: &mut Vec<u8>, values: &[u32]) {
    values.iter().for_each(|value| out.extend(value.to_be_bytes()));
}

fn put16(out: &mut Vec<u8>, values: &[u16]) {
    values.iter().for_each(|value| out.extend(value.to_be_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(size: u32, key: bool) -> Sample {
        Sample { size, duration: 40, composition: -20, key }
    }

    #[test]
    fn a_fragment_points_at_its_data() {
        let runs = [
            Run { track: VIDEO, start: 1 << 40, samples: vec![sample(100, true), sample(50, false)] },
            Run { track: AUDIO, start: 7, samples: vec![sample(9, true)] },
        ];
        let bytes = fragment(3, &runs).unwrap();
        let moof = u32::from_be_bytes(bytes[..4].try_into().unwrap()) as usize;
        assert_eq!(bytes.len(), moof + 8);
        assert_eq!(&bytes[moof..], [&167_u32.to_be_bytes()[..], b"mdat"].concat());
        let at =
            |needle: &[u8]| -> Vec<usize> { (0..bytes.len()).filter(|at| bytes[*at..].starts_with(needle)).collect() };
        let offset = |trun: &usize| u32::from_be_bytes(bytes[trun + 12..trun + 16].try_into().unwrap());
        let offsets: Vec<u32> = at(b"trun").iter().map(offset).collect();
        assert_eq!(offsets, [moof as u32 + 8, moof as u32 + 158]);
        assert_eq!(at(&(1_u64 << 40).to_be_bytes()).len(), 1, "times have 64 bits");
        assert!(fragment(1, &[Run { track: VIDEO, start: 0, samples: vec![sample(u32::MAX, true); 2] }]).is_none());
    }
}
