//! What a demuxer has found and nobody has asked for yet, and the counts.

use std::collections::VecDeque;

use super::event::{Config, Event, Kind, Notice, Packet};
use super::witness::{Reason, TrackWitness, Witness};

/// Events in the order of the stream. Each call to feed adds no more of them than its bytes have packets.
#[derive(Debug, Default)]
pub struct Out {
    events: VecDeque<Event>,
    /// Counts of what was taken in, handed out and not used.
    pub witness: Witness,
}

impl Out {
    /// Removes and returns the oldest event; `None` if there is none.
    pub fn next(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Tells something that is no packet.
    pub fn tell(&mut self, event: Event) {
        self.events.push_back(event);
    }

    /// Tells something for the log.
    pub fn notice(&mut self, notice: Notice) {
        self.events.push_back(Event::Notice(notice));
    }

    /// Adds the configuration for the packets that follow.
    pub fn config(&mut self, config: Config) {
        self.events.push_back(Event::Config(config));
    }

    /// Hands out a packet; `media`: its bytes as they were in the source.
    pub fn packet(&mut self, packet: Packet, media: usize) {
        self.track(packet.kind).packets.add(1, media);
        self.events.push_back(Event::Packet(packet));
    }

    /// Counts media that is thrown away.
    pub fn drop(&mut self, kind: Kind, reason: Reason, units: u64, bytes: usize) {
        self.track(kind).drop(reason, units, bytes);
    }

    /// The counts of a track.
    pub fn track(&mut self, kind: Kind) -> &mut TrackWitness {
        self.witness.track_mut(kind)
    }
}
