//! The position of a destination: the next packet of each track.

use serde::{Deserialize, Serialize};

/// The next packet of one track.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TrackPosition {
    /// Number of the batch, from 0.
    pub batch: u64,
    /// Index into the batch's tags of this track; their number if the track is at the end of the batch.
    pub tag: u32,
}

/// The next packet of both tracks. They may be in different batches, because a track may reach over its batch's border.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Position {
    /// Video; equal to `audio` in streams without video.
    pub video: TrackPosition,
    /// Audio; equal to `video` in streams without audio.
    pub audio: TrackPosition,
    /// Air time of the next packet in milliseconds.
    pub air_ms: u64,
}

impl Position {
    /// The start of a batch.
    pub fn start_of(batch: u64, air_ms: u64) -> Self {
        let track = TrackPosition { batch, tag: 0 };
        Self { video: track, audio: track, air_ms }
    }

    /// The oldest batch that is needed to resume from here.
    pub fn batch(&self) -> u64 {
        self.video.batch.min(self.audio.batch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn survives_json_and_names_the_oldest_batch() {
        let position = Position {
            video: TrackPosition { batch: 4, tag: 0 },
            audio: TrackPosition { batch: 3, tag: 140 },
            air_ms: 9_000_000_000,
        };
        let text = serde_json::to_string(&position).unwrap();
        assert_eq!(serde_json::from_str::<Position>(&text).unwrap(), position);
        assert_eq!(position.batch(), 3);
        assert!(TrackPosition { batch: 3, tag: 999 } < TrackPosition { batch: 4, tag: 0 });
    }
}
