//! A file of AAC-LC with pre-roll: packets in front that are decoded and not heard.
//!
//! A packet of AAC is heard whole only together with the one before it. With that one in front, a decoder makes the first packet of
//! a batch whole. An edit list hides the pre-roll. Not every reader follows edit lists of fragmented files (ffmpeg 5 does not), so
//! iTunSMPB says the same; readers of both leave it out once.

use super::{AUDIO, Audio, Run, Sample, boxed, fragment, ftyp, full, moov_with, put32};
use crate::aac::{Packets, SAMPLES};
use crate::demux::Codec;
use crate::limits::FRAGMENT_AUDIO;

/// The packets as fragmented MP4, of which the first `hidden` are pre-roll; times begin at 0. `None`: it has not more packets than
/// these, or is larger than MP4 holds.
pub fn file(packets: &Packets, hidden: usize) -> Option<Vec<u8>> {
    let heard = packets.packets.len().checked_sub(hidden).filter(|heard| *heard > 0)?;
    let (rate, config) = (packets.header.rate, packets.header.config());
    let codec = Codec::Aac;
    let audio = Audio { codec, config: &config, sample_rate: rate, channels: packets.header.channel_count().into() };
    let samples = |packets: usize| u32::try_from(packets).ok()?.checked_mul(SAMPLES);
    let (skipped, heard) = (samples(hidden)?, samples(heard)?);
    let mut out =
        [ftyp(), moov_with(None, Some((audio, rate)), &edit_list(skipped), &gapless(skipped, heard))].concat();
    let each = (FRAGMENT_AUDIO.as_secs() * u64::from(rate) / u64::from(SAMPLES)).max(1);
    let mut start = 0;
    for (n, some) in packets.packets.chunks(usize::try_from(each).ok()?).enumerate() {
        let sample = |packet: &Vec<u8>| {
            let size = u32::try_from(packet.len()).ok()?;
            Some(Sample { size, duration: SAMPLES, composition: 0, key: true })
        };
        let run = Run { track: AUDIO, start, samples: some.iter().map(sample).collect::<Option<_>>()? };
        out.extend(fragment(u32::try_from(n).ok()? + 1, &[run])?);
        out.extend(some.iter().flatten());
        start += u64::from(samples(some.len())?);
    }
    Some(out)
}

/// Shows the track from this time on, to its end.
fn edit_list(from: u32) -> Vec<u8> {
    boxed(*b"edts", |edts| {
        // One edit, without a length: that of what follows; at normal speed.
        edts.extend(full(*b"elst", 0, 0, |elst| put32(elst, &[1, 0, from, 0x0001_0000])));
    })
}

/// iTunSMPB: how many samples come before those that are heard, and how many these are.
fn gapless(delay: u32, heard: u32) -> Vec<u8> {
    let text = format!(" 00000000 {delay:08X} 00000000 {heard:016X}{}", " 00000000".repeat(8));
    boxed(*b"udta", |udta| {
        udta.extend(full(*b"meta", 0, 0, |meta| {
            meta.extend(full(*b"hdlr", 0, 0, |hdlr| {
                put32(hdlr, &[0]);
                hdlr.extend(b"mdirappl\0\0\0\0\0\0\0\0\0");
            }));
            meta.extend(boxed(*b"ilst", |list| {
                list.extend(boxed(*b"----", |item| {
                    item.extend(full(*b"mean", 0, 0, |mean| mean.extend(b"com.apple.iTunes")));
                    item.extend(full(*b"name", 0, 0, |name| name.extend(b"iTunSMPB")));
                    item.extend(boxed(*b"data", |data| {
                        // UTF-8, of no language.
                        put32(data, &[1, 0]);
                        data.extend(text.as_bytes());
                    }));
                }));
            }));
        }));
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adts::Header;
    use crate::probe::boxes;

    fn packets(count: usize) -> Packets {
        let header = Header::of_config(&[0x11, 0x90]).unwrap();
        Packets { header, packets: (1..=count).map(|n| vec![0x21; n % 50 + 10]).collect() }
    }

    #[test]
    fn all_packets_are_read_back_and_the_first_are_told_to_be_skipped() {
        for count in [2, 235, 1000] {
            let file = file(&packets(count), 1).unwrap();
            assert_eq!(Packets::of_mp4(&file), Some(packets(count)));
            let facts = boxes::check(&file).unwrap();
            assert_eq!((facts.delay_samples(48_000), facts.padding_samples()), (Some(1024), Some(0)), "{count}");
        }
    }

    #[test]
    fn nothing_but_pre_roll_is_no_file() {
        assert_eq!((file(&packets(1), 1), file(&packets(0), 1)), (None, None));
    }
}
