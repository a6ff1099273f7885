//! When each packet of the chosen audio goes on air.

use super::Job;
use super::plan::Processed;
use outboard_media::facts::TrackFacts;
use outboard_media::timeline::AirTime;

/// The times of the audio packets that ffmpeg will write.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct AudioTimes {
    /// For each packet after the skipped ones; what comes beyond is trimmed.
    pub times: Vec<AirTime>,
    /// Packets at the start that are left out: they hold the encoder's delay, not sound of this batch.
    pub skip: usize,
    /// The packets are the source's own: a missing one is lost.
    pub own: bool,
}

/// Works out the times for the audio of `job`.
pub(super) fn audio(job: &Job<'_>) -> AudioTimes {
    let placed = &job.placed.audio;
    match (job.facts.audio.as_ref(), job.processed) {
        (Some(facts), Some(processed)) => of_processed(facts, processed, placed),
        (Some(_), None) if job.has_audio() => AudioTimes { times: placed.clone(), skip: 0, own: true },
        _ => AudioTimes::default(),
    }
}

/// The source's own times where packets match one to one, even steps otherwise, up to the original's end: what is
/// longer would run into the next batch. A packet that the batch before left comes one packet earlier; one that is left to the
/// next batch has no time.
fn of_processed(facts: &TrackFacts, processed: &Processed, placed: &[AirTime]) -> AudioTimes {
    let skip = usize::try_from(processed.priming).unwrap_or_default();
    let leads = usize::from(processed.leads);
    let packets = usize::try_from(processed.packets).unwrap_or_default().saturating_sub(skip + leads);
    let mut times = of_packets(facts, processed, packets, placed);
    if processed.tail.is_some() {
        times.truncate(packets.saturating_sub(1));
    }
    if let Some(first) = placed.first().filter(|_| processed.leads) {
        let before_ms = (first.dts_ms * 1_000_000).saturating_sub(processed.packet_ns) + 500_000;
        times.insert(0, AirTime { dts_ms: before_ms / 1_000_000, composition_ms: 0 });
    }
    AudioTimes { times, skip, own: processed.own }
}

fn of_packets(facts: &TrackFacts, processed: &Processed, packets: usize, placed: &[AirTime]) -> Vec<AirTime> {
    if packets == placed.len() {
        return placed.to_vec();
    }
    let room_ns = facts.duration_us() * 1000 + processed.packet_ns / 2;
    let fitting = usize::try_from(room_ns / processed.packet_ns.max(1)).unwrap_or(usize::MAX);
    let first_ms = placed.first().map_or(0, |time| time.dts_ms);
    (0..packets.min(fitting) as u64)
        .map(|n| AirTime { dts_ms: first_ms + (n * processed.packet_ns + 500_000) / 1_000_000, composition_ms: 0 })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remux::plan::Tail;
    use outboard_media::facts::Packet;

    fn case(packets: u64, priming: u64) -> AudioTimes {
        open_case(packets, priming, false, None)
    }

    fn open_case(packets: u64, priming: u64, leads: bool, tail: Option<Tail>) -> AudioTimes {
        let placed: Vec<AirTime> = (0..10).map(|n| AirTime { dts_ms: 1000 + n * 20, composition_ms: 0 }).collect();
        let packet = |n: i64| Packet { dts_us: n * 20_000, pts_us: n * 20_000, duration_us: 20_000, size: 1 };
        let facts = TrackFacts { packets: (0..10).map(packet).collect(), ..TrackFacts::default() };
        let processed = processed(packets, priming);
        of_processed(&facts, &Processed { leads, tail, ..processed }, &placed)
    }

    fn processed(packets: u64, priming: u64) -> Processed {
        Processed {
            path: "x".into(),
            format: "mp4",
            packets,
            priming,
            packet_ns: 20_000_000,
            leads: false,
            own: false,
            tail: None,
        }
    }

    #[test]
    fn as_many_packets_take_the_sources_times() {
        let times = case(11, 1);
        assert_eq!((times.times.len(), times.skip, times.times[3].dts_ms), (10, 1, 1060));
    }

    #[test]
    fn fewer_packets_go_in_even_steps_and_more_are_cut_at_the_end() {
        assert_eq!(case(8, 0).times.last().unwrap().dts_ms, 1140);
        assert_eq!(case(30, 0).times.len(), 10);
    }

    #[test]
    fn a_packet_that_was_left_comes_first_and_one_that_is_left_has_no_time() {
        let tail = || Some(Tail { path: "t".into(), packets: 12 });
        let times = |leads, tail| {
            let times = open_case(if leads { 11 } else { 12 }, if leads { 0 } else { 2 }, leads, tail);
            assert_eq!(times.skip, if leads { 0 } else { 2 });
            times.times.iter().map(|time| time.dts_ms).collect::<Vec<_>>()
        };
        assert_eq!(times(false, tail()), (0..9).map(|n| 1000 + n * 20).collect::<Vec<_>>());
        assert_eq!(times(true, tail()), (0..10).map(|n| 980 + n * 20).collect::<Vec<_>>());
        assert_eq!(times(true, None), (0..11).map(|n| 980 + n * 20).collect::<Vec<_>>());
    }
}
