//! Which samples of a reply are heard: what its encoder put in front and behind is not the processor's sound.
//!
//! An encoder delays: it writes packets for samples before the first one, and fills its last packet. Where the file tells how
//! many samples these are, they are left out. Where it does not, and the reply is longer than the original by the delay of a
//! known encoder, that delay is left out. Lengths are compared in samples, so that no rounding to microseconds decides.

use std::ops::Range;

use super::super::encode::wanted_samples;
use super::pre_roll;
use crate::demux::Demuxed;
use outboard_exchange::Returned;
use outboard_media::adts::SAMPLES;
use outboard_media::facts::TrackFacts;
use outboard_media::probe::Probe;

/// Delays of AAC encoders in samples: of ffmpeg and others with one packet, of FDK, and of Apple.
const AAC_DELAYS: &[u64] = &[1024, 2048, 2112];
/// Delay of MP3 by LAME with its decoder, in samples.
const MP3_DELAYS: &[u64] = &[1105];
/// What an encoder may fill up behind the last sample, in samples: less than a packet of AAC, less than two of MP3.
const AAC_FILLED: Range<u64> = 0..1024;
const MP3_FILLED: Range<u64> = 0..2 * 1152;
/// What LAME fills up.
const LAME_FILLED: Range<u64> = 47..47 + 1152;
/// What is neither filled up nor cut: a rate that does not divide the other one leaves a part of a sample.
const EXACT: Range<u64> = 0..2;

/// The samples of a reply that are heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::remux) struct Heard {
    /// Samples at the start that are left out, at the reply's rate.
    pub(in crate::remux) skip: u64,
    /// How long it is, in microseconds: exactly the original's length if only the encoder's padding is over.
    pub(in crate::remux) duration_us: u64,
    /// Packets at the start that are left out where packets are copied; `None`: they do not join with what is before and behind.
    pub(in crate::remux) copied_from: Option<u64>,
}

impl Heard {
    /// Finds out what of a reply is heard in the place of the sound of `batch`.
    pub(in crate::remux) fn of(returned: &Returned, batch: &Demuxed, original: &TrackFacts) -> Self {
        let sent = batch.pre_roll.as_deref();
        let back = sent.is_some_and(|packet| pre_roll::is_first(&returned.probe, &returned.audio, packet));
        Self::of_probe(&returned.probe, original, sent.is_some(), back)
    }

    /// The same. `sent`: a packet of pre-roll was sent; `back`: the reply's first packet is that one.
    fn of_probe(probe: &Probe, original: &TrackFacts, sent: bool, back: bool) -> Self {
        let rate = u64::from(probe.sample_rate_hz.max(1));
        let original_rate = u64::from(original.sample_rate.max(1));
        // Packet for packet the original: nothing was encoded, even where the original's times leave gaps or overlap.
        let told = probe.delay_samples.filter(|delay| *delay > 0);
        let alike = probe.codec == original.codec && probe.sample_rate_hz == original.sample_rate;
        let packets = original.packets.len() as u64;
        let duration_us = original.duration_us();
        if alike && back && probe.packets == packets + 1 {
            return Self { skip: SAMPLES.into(), duration_us, copied_from: Some(1) };
        }
        if told.is_none() && alike && probe.packets == packets {
            return Self { skip: 0, duration_us, copied_from: Some(0) };
        }
        let wanted = wanted_samples(original) * rate / original_rate;
        let (delays, filled) = match probe.codec {
            "aac" => (AAC_DELAYS, AAC_FILLED),
            "mp3" => (MP3_DELAYS, MP3_FILLED),
            _ => (&[][..], EXACT),
        };
        // Who does not look at edit lists returns the pre-roll too.
        let in_front = if sent { (u64::from(SAMPLES) * rate + original_rate / 2) / original_rate } else { 0 };
        let is_over = |by: u64, filled: &Range<u64>| {
            probe.samples.checked_sub(wanted + by).is_some_and(|over| filled.contains(&over))
        };
        let padding = probe.padding_samples.unwrap_or(0);
        let skip = match told {
            Some(told) => {
                let filled = if probe.padding_samples.is_some() { EXACT } else { filled.clone() };
                let more =
                    in_front > 0 && !is_over(told + padding, &filled) && is_over(told + padding + in_front, &filled);
                told + if more { in_front } else { 0 }
            }
            None => {
                let delays = delays.iter().copied();
                let tight = if probe.codec == "mp3" { LAME_FILLED } else { filled.clone() };
                let usual = || delays.clone().find(|delay| is_over(*delay, &tight));
                let with_pre_roll = || {
                    // Samples that nobody encoded have no delay.
                    let none = (probe.codec != "aac" && probe.codec != "mp3").then_some(0);
                    let all = none.into_iter().chain(delays.clone()).map(|delay| delay + in_front);
                    all.into_iter().find(|skip| in_front > 0 && is_over(*skip, &tight))
                };
                let loose = || delays.clone().find(|delay| is_over(*delay, &filled));
                usual().or_else(with_pre_roll).or_else(loose).unwrap_or(0)
            }
        };
        let samples = probe.samples.saturating_sub(skip).saturating_sub(padding);
        let same = samples.abs_diff(wanted) <= 1 || (skip > 0 && (wanted..wanted + filled.end).contains(&samples));
        let duration_us = if same { duration_us } else { (samples * 1_000_000 + rate / 2) / rate };
        Self { skip, duration_us, copied_from: (skip == 0).then_some(0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use outboard_media::facts::Packet;
    use outboard_media::probe::Container;

    /// Packets of 1024 samples, listed in whole microseconds.
    fn original(packets: i64, rate: u32) -> TrackFacts {
        let us = |n: i64| (n * 1_024_000_000 + i64::from(rate) / 2) / i64::from(rate);
        let packet = |n| Packet { dts_us: us(n), pts_us: us(n), duration_us: us(1) as u32, size: 1 };
        TrackFacts {
            sample_rate: rate,
            channels: 2,
            packets: (0..packets).map(packet).collect(),
            ..TrackFacts::default()
        }
    }

    fn reply(codec: &'static str, rate: u32, samples: u64) -> Probe {
        let container = if codec == "mp3" { Container::Mp3 } else { Container::Fmp4 };
        Probe {
            container,
            codec,
            sample_rate_hz: rate,
            channels: 2,
            duration_us: samples * 1_000_000 / u64::from(rate),
            packets: samples / 1024,
            samples,
            delay_samples: None,
            padding_samples: None,
            copyable: codec == "aac",
        }
    }

    impl Heard {
        fn plain(probe: &Probe, original: &TrackFacts) -> Self {
            Self::of_probe(probe, original, false, false)
        }
    }

    #[test]
    fn pre_roll_that_comes_back_is_left_out_whoever_followed_its_edit_list() {
        let original = TrackFacts { codec: "aac".into(), ..original(94, 48_000) };
        let own = 94 * 1024;
        let of = |probe: &Probe, back| Heard::of_probe(probe, &original, true, back);
        let told = |delay, padding, samples| Probe {
            delay_samples: Some(delay),
            padding_samples: padding,
            ..reply("aac", 48_000, samples)
        };
        // (reply, its first packet is the pre-roll, samples and packets left out)
        for (name, probe, back, skip, copied_from) in [
            ("an echo", told(1024, Some(0), own + 1024), true, 1024, Some(1)),
            ("an echo in ADTS", reply("aac", 48_000, own + 1024), true, 1024, Some(1)),
            ("the pre-roll is gone", reply("aac", 48_000, own), false, 0, Some(0)),
            ("encoded anew", told(1024, None, own + 1024), false, 1024, None),
            ("encoded anew, with the pre-roll", told(1024, None, own + 2048), false, 2048, None),
            ("by FDK", told(2048, None, own + 2048), false, 2048, None),
            ("by FDK, with the pre-roll", told(2048, Some(0), own + 3072), false, 3072, None),
            ("without an edit list", reply("aac", 48_000, own + 1024), false, 1024, None),
            ("without one, with the pre-roll", reply("aac", 48_000, own + 2048), false, 2048, None),
            ("samples", reply("pcm_s16le", 48_000, own), false, 0, Some(0)),
            ("samples with the pre-roll", reply("pcm_s16le", 48_000, own + 1024), false, 1024, None),
            ("a third of the samples", reply("pcm_s16le", 16_000, own / 3), false, 0, Some(0)),
            ("a third, with the pre-roll", reply("pcm_s16le", 16_000, (own + 1024) / 3), false, 341, None),
            ("MP3", reply("mp3", 48_000, own + 1105 + 300), false, 1105, None),
            ("MP3 with the pre-roll", reply("mp3", 48_000, own + 1024 + 1105 + 300), false, 2129, None),
        ] {
            let found = of(&probe, back);
            let wanted = Heard { skip, duration_us: original.duration_us(), copied_from };
            assert_eq!(found, wanted, "{name}");
        }
        let longer = of(&reply("pcm_s16le", 48_000, own + 5000), false);
        assert_eq!((longer.skip, longer.duration_us), (0, (own + 5000) * 1000 / 48), "longer for another reason");
    }

    /// A looped recording repeats the time of a packet at each seam.
    #[test]
    fn packet_for_packet_nothing_is_left_out_whatever_the_times_say() {
        let mut looped = TrackFacts { codec: "aac".into(), ..original(377, 48_000) };
        looped.packets.iter_mut().skip(200).for_each(|packet| packet.dts_us -= 21_333);
        let heard = Heard::plain(&reply("aac", 48_000, 377 * 1024), &looped);
        assert_eq!(heard, Heard { skip: 0, duration_us: looped.duration_us(), copied_from: Some(0) });
    }

    #[test]
    fn the_delay_of_a_known_encoder_is_left_out_and_the_length_is_the_originals() {
        for rate in [44_100, 48_000] {
            for packets in [86, 94, 259, 282, 1406] {
                let original = original(packets, rate);
                let own = packets.unsigned_abs() * 1024;
                for (codec, over, skip) in [
                    ("aac", 1024, 1024),
                    ("aac", 2048, 2048),
                    ("aac", 3072, 2112),
                    ("mp3", 1105, 1105),
                    ("mp3", 2700, 1105),
                ] {
                    let heard = Heard::plain(&reply(codec, rate, own + over), &original);
                    assert_eq!((heard.skip, heard.duration_us), (skip, original.duration_us()), "{codec} {over}");
                }
            }
        }
    }

    #[test]
    fn an_encoder_at_another_rate_fills_its_last_packet() {
        let original = original(282, 48_000);
        // 265305.6 samples at 44.1 kHz, and one packet in front, in whole packets.
        let heard = Heard::plain(&reply("aac", 44_100, 261 * 1024), &original);
        assert_eq!((heard.skip, heard.duration_us), (1024, original.duration_us()));
        let heard = Heard::plain(&reply("pcm_s16le", 44_100, 265_306), &original);
        assert_eq!((heard.skip, heard.duration_us), (0, original.duration_us()), "rounded");
    }

    #[test]
    fn what_the_file_tells_is_left_out() {
        let original = original(94, 48_000);
        let told = |delay, padding, samples| {
            let probe = reply("aac", 48_000, samples);
            Heard::plain(&Probe { delay_samples: Some(delay), padding_samples: padding, ..probe }, &original)
        };
        let as_long = original.duration_us();
        let heard = |skip| Heard { skip, duration_us: as_long, copied_from: (skip == 0).then_some(0) };
        assert_eq!(told(2112, Some(960), 97 * 1024), heard(2112));
        assert_eq!(told(1600, None, 96 * 1024), heard(1600));
        assert_eq!(told(0, None, 94 * 1024), heard(0));
        assert_eq!(told(0, None, 95 * 1024), heard(1024), "an edit list that skips nothing");
        let short = told(1024, None, 91 * 1024);
        assert_eq!((short.skip, short.duration_us), (1024, 1_920_000));
    }

    #[test]
    fn another_length_stays_as_it_is() {
        let original = original(94, 48_000);
        for (codec, samples) in [
            ("pcm_s16le", 95 * 1024),
            ("aac", 94 * 1024),
            ("aac", 94 * 1024 + 500),
            ("aac", 100 * 1024),
            ("aac", 80 * 1024),
            ("mp3", 94 * 1024 + 4000),
        ] {
            let heard = Heard::plain(&reply(codec, 48_000, samples), &original);
            let us = (samples * 1_000_000 + 24_000) / 48_000;
            assert_eq!(heard.skip, 0, "{codec} {samples}");
            assert!(heard.duration_us.abs_diff(us) <= 1, "{codec} {samples}: {} us", heard.duration_us);
        }
    }
}
