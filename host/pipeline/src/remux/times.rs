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
/// longer would run into the next batch.
fn of_processed(facts: &TrackFacts, processed: &Processed, placed: &[AirTime]) -> AudioTimes {
    let skip = usize::try_from(processed.priming).unwrap_or_default();
    let packets = usize::try_from(processed.packets).unwrap_or_default().saturating_sub(skip);
    if packets == placed.len() {
        return AudioTimes { times: placed.to_vec(), skip, own: false };
    }
    let room_ns = facts.duration_us() * 1000 + processed.packet_ns / 2;
    let fitting = usize::try_from(room_ns / processed.packet_ns.max(1)).unwrap_or(usize::MAX);
    let first_ms = placed.first().map_or(0, |time| time.dts_ms);
    let times = (0..packets.min(fitting) as u64)
        .map(|n| AirTime { dts_ms: first_ms + (n * processed.packet_ns + 500_000) / 1_000_000, composition_ms: 0 })
        .collect();
    AudioTimes { times, skip, own: false }
}

#[cfg(test)]
mod tests {
    use super::*;
    use outboard_media::facts::Packet;

    fn case(packets: u64, priming: u64) -> AudioTimes {
        let placed: Vec<AirTime> = (0..10).map(|n| AirTime { dts_ms: 1000 + n * 20, composition_ms: 0 }).collect();
        let packet = |n: i64| Packet { dts_us: n * 20_000, pts_us: n * 20_000, duration_us: 20_000, size: 1 };
        let facts = TrackFacts { packets: (0..10).map(packet).collect(), ..TrackFacts::default() };
        let processed = Processed { path: "x".into(), format: "mp4", packets, priming, packet_ns: 20_000_000 };
        of_processed(&facts, &processed, &placed)
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
}
