//! The events that wait to be taken from a demuxer, and its counts.

use std::collections::VecDeque;

use super::event::{Config, Event, Notice, Packet, TrackKind};
use super::witness::{Reason, TrackWitness, Witness};

/// Events in the order of the stream. A call to `feed` adds only the events of its own bytes.
#[derive(Debug, Clone, Default)]
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

    /// Adds an event that is not a packet.
    pub fn tell(&mut self, event: Event) {
        self.events.push_back(event);
    }

    /// Adds a notice about a fault or a change in the input.
    pub fn notice(&mut self, notice: Notice) {
        self.events.push_back(Event::Notice(notice));
    }

    /// Adds the configuration for the packets that follow.
    pub fn config(&mut self, config: Config) {
        self.events.push_back(Event::Config(config));
    }

    /// Adds a packet and counts it; `media` is its size in bytes in the source.
    pub fn packet(&mut self, packet: Packet, media: usize) {
        self.track(packet.kind).packets.add(1, media);
        self.events.push_back(Event::Packet(packet));
    }

    /// Counts units and bytes that are discarded for this reason.
    pub fn drop(&mut self, kind: TrackKind, reason: Reason, units: u64, bytes: usize) {
        self.track(kind).drop(reason, units, bytes);
    }

    /// Returns the counts of a track, to change them.
    pub fn track(&mut self, kind: TrackKind) -> &mut TrackWitness {
        self.witness.track_mut(kind)
    }
}
