//! Which samples of a reply are heard: what its encoder put in front and behind is not the processor's sound.
//!
//! An encoder delays: it writes packets for samples before the first one, and fills its last packet. Where the file tells how
//! many samples these are, they are left out. Where it does not, and the reply is longer than the original by the delay of a
//! known encoder, that delay is left out. Lengths are compared in samples, so that no rounding to microseconds decides.

use super::super::encode::wanted_samples;
use outboard_media::facts::TrackFacts;
use outboard_media::probe::Probe;

/// Delays of AAC encoders in samples: of ffmpeg and others with one packet, of FDK, and of Apple.
const AAC_DELAYS: &[u64] = &[1024, 2048, 2112];
/// Delay of MP3 by LAME with its decoder, in samples.
const MP3_DELAYS: &[u64] = &[1105];
/// What an encoder may fill up behind the last sample, in samples: less than a packet of AAC, less than two of MP3.
const AAC_FILLED: u64 = 1024;
const MP3_FILLED: u64 = 2 * 1152;

/// The samples of a reply that are heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::remux) struct Heard {
    /// Samples at the start that are left out, at the reply's rate.
    pub(in crate::remux) skip: u64,
    /// How long it is, in microseconds: exactly the original's length if only the encoder's padding is over.
    pub(in crate::remux) duration_us: u64,
}

impl Heard {
    /// Finds out what of a reply is heard in the place of `original`.
    pub(in crate::remux) fn of(probe: &Probe, original: &TrackFacts) -> Self {
        let rate = u64::from(probe.sample_rate_hz.max(1));
        // Packet for packet the original: nothing was encoded, even where the original's times leave gaps or overlap.
        let told = probe.delay_samples.filter(|delay| *delay > 0);
        let alike = probe.codec == original.codec && probe.sample_rate_hz == original.sample_rate;
        if told.is_none() && alike && probe.packets == original.packets.len() as u64 {
            return Self { skip: 0, duration_us: original.duration_us() };
        }
        let wanted = wanted_samples(original) * rate / u64::from(original.sample_rate.max(1));
        let (delays, filled) = match probe.codec {
            "aac" => (AAC_DELAYS, AAC_FILLED),
            "mp3" => (MP3_DELAYS, MP3_FILLED),
            _ => (&[][..], 0),
        };
        let over = probe.samples.saturating_sub(wanted);
        let usual = || delays.iter().copied().find(|delay| (*delay..delay + filled).contains(&over));
        let skip = told.or_else(usual).unwrap_or(0);
        let samples = probe.samples.saturating_sub(skip).saturating_sub(probe.padding_samples.unwrap_or(0));
        // A rate that does not divide the other one leaves a part of a sample.
        let same = samples.abs_diff(wanted) <= 1 || (skip > 0 && (wanted..wanted + filled).contains(&samples));
        let duration_us = if same { original.duration_us() } else { (samples * 1_000_000 + rate / 2) / rate };
        Self { skip, duration_us }
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

    /// A looped recording repeats the time of a packet at each seam.
    #[test]
    fn packet_for_packet_nothing_is_left_out_whatever_the_times_say() {
        let mut looped = TrackFacts { codec: "aac".into(), ..original(377, 48_000) };
        looped.packets.iter_mut().skip(200).for_each(|packet| packet.dts_us -= 21_333);
        let heard = Heard::of(&reply("aac", 48_000, 377 * 1024), &looped);
        assert_eq!(heard, Heard { skip: 0, duration_us: looped.duration_us() });
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
                    let heard = Heard::of(&reply(codec, rate, own + over), &original);
                    assert_eq!((heard.skip, heard.duration_us), (skip, original.duration_us()), "{codec} {over}");
                }
            }
        }
    }

    #[test]
    fn an_encoder_at_another_rate_fills_its_last_packet() {
        let original = original(282, 48_000);
        // 265305.6 samples at 44.1 kHz, and one packet in front, in whole packets.
        let heard = Heard::of(&reply("aac", 44_100, 261 * 1024), &original);
        assert_eq!((heard.skip, heard.duration_us), (1024, original.duration_us()));
        let heard = Heard::of(&reply("pcm_s16le", 44_100, 265_306), &original);
        assert_eq!((heard.skip, heard.duration_us), (0, original.duration_us()), "rounded");
    }

    #[test]
    fn what_the_file_tells_is_left_out() {
        let original = original(94, 48_000);
        let told = |delay, padding, samples| {
            let probe = reply("aac", 48_000, samples);
            Heard::of(&Probe { delay_samples: Some(delay), padding_samples: padding, ..probe }, &original)
        };
        let as_long = original.duration_us();
        assert_eq!(told(2112, Some(960), 97 * 1024), Heard { skip: 2112, duration_us: as_long });
        assert_eq!(told(1600, None, 96 * 1024), Heard { skip: 1600, duration_us: as_long });
        assert_eq!(told(0, None, 94 * 1024), Heard { skip: 0, duration_us: as_long });
        assert_eq!(
            told(0, None, 95 * 1024),
            Heard { skip: 1024, duration_us: as_long },
            "an edit list that skips nothing"
        );
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
            let heard = Heard::of(&reply(codec, 48_000, samples), &original);
            let us = (samples * 1_000_000 + 24_000) / 48_000;
            assert_eq!(heard.skip, 0, "{codec} {samples}");
            assert!(heard.duration_us.abs_diff(us) <= 1, "{codec} {samples}: {} us", heard.duration_us);
        }
    }
}
