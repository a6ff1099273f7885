//! Demuxes MPEG transport streams (ISO/IEC 13818-1) as their bytes arrive.
//!
//! The state lives as long as the stream: tables, counters, open PES packets and open units continue over the borders
//! of segments.

mod choosing;
mod data;
mod header;
mod media;
mod pes;
mod sections;
mod sync;
mod tables;

use super::choice::Choice;
use super::clock::Clock;
use super::event::{Event, Notice, Streams, TrackKind};
use super::out::Out;
use super::witness::{ContainerWitness, Witness};
use data::DataStream;
use header::{Continuity, Header, PID_NULL, Step};
use media::Media;
use sections::{Sections, is_whole};
use sync::{Found, PACKET, Sync};
use tables::Tables;

/// Number of possible PIDs, which have 13 bits.
const PIDS: usize = 1 << 13;
const PID_PAT: u16 = 0;
/// PIDs below this one are reserved for tables of the standard and of DVB.
const PIDS_RESERVED: u16 = 0x20;

/// The role of a PID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Unknown,
    Table,
    Video,
    Audio,
    Data,
    PassedOver,
    Null,
}

/// A demuxer for one transport stream.
#[derive(Debug, Clone)]
pub struct Ts {
    sync: Sync,
    /// The counts of bytes and packets that `sync` keeps.
    bytes: ContainerWitness,
    parts: Parts,
}

/// The state that packets are read with: tables, roles of PIDs, tracks, the clock and the output.
#[derive(Debug, Clone)]
struct Parts {
    choice: Choice,
    roles: Vec<Role>,
    tables: Tables,
    table_pids: Vec<(u16, Continuity, Sections)>,
    program: Option<u16>,
    video: Option<Media>,
    audio: Option<Media>,
    data: Vec<DataStream>,
    told: Streams,
    clock: Clock,
    out: Out,
}

impl Ts {
    /// Makes a demuxer that expects the start of a stream.
    pub fn new(choice: Choice) -> Self {
        let mut parts = Parts {
            choice,
            roles: Vec::new(),
            tables: Tables::default(),
            table_pids: Vec::new(),
            program: None,
            video: None,
            audio: None,
            data: Vec::new(),
            told: Streams::default(),
            clock: Clock::default(),
            out: Out::default(),
        };
        parts.assign();
        Self { sync: Sync::default(), bytes: ContainerWitness::default(), parts }
    }

    /// Takes the next bytes, in a piece of any size.
    pub fn feed(&mut self, bytes: &[u8]) {
        let Self { sync, bytes: counts, parts } = self;
        sync.feed(bytes, counts, &mut |found| parts.found(found));
    }

    /// Ends a segment. Pictures that are known to be complete are handed out.
    pub fn segment_end(&mut self) {
        let Self { sync, bytes: counts, parts } = self;
        sync.segment_end(counts, &mut |found| parts.found(found));
        let Parts { video, audio, out, .. } = parts;
        video.iter_mut().chain(audio).for_each(|media| media.segment_end(out));
    }

    /// Ends all open units, because the next bytes have unrelated times and perhaps other tables.
    pub fn discontinuity(&mut self) {
        self.close(|media, out| media.restart(out));
        self.parts.clock.reset();
    }

    /// Ends all open units, because the stream has ended or segments are missing.
    pub fn end(&mut self) {
        self.close(Media::end);
    }

    fn close(&mut self, each: impl Fn(&mut Media, &mut Out)) {
        let Self { sync, bytes: counts, parts } = self;
        sync.end(counts, &mut |found| parts.found(found));
        let Parts { video, audio, data, table_pids, out, .. } = parts;
        video.iter_mut().chain(audio).for_each(|media| each(media, out));
        data.iter_mut().for_each(|stream| stream.end(out));
        for (_, continuity, sections) in table_pids {
            continuity.reset();
            sections.reset();
        }
    }

    /// Removes and returns the oldest event; `None` if there is none.
    pub fn next_event(&mut self) -> Option<Event> {
        self.parts.out.next()
    }

    /// Returns a copy of all counts up to now.
    pub fn witness(&mut self) -> Witness {
        let Parts { video, audio, out, .. } = &mut self.parts;
        video.iter().chain(audio.iter()).for_each(|media| media.count_open(out));
        let mut witness = out.witness.clone();
        let ContainerWitness { bytes, packets, skipped, beside, held, .. } = self.bytes;
        witness.container = ContainerWitness { bytes, packets, skipped, beside, held, ..witness.container };
        witness
    }
}

impl Parts {
    fn found(&mut self, found: Found<'_>) {
        match found {
            Found::Packet(packet) => self.packet(packet),
            Found::Skipped(bytes) => self.out.notice(Notice::Skipped { bytes }),
        }
    }

    fn packet(&mut self, packet: &[u8; PACKET]) {
        let Some(header) = Header::parse(packet) else {
            self.out.witness.container.damaged += 1;
            return;
        };
        let role = self.roles.get(usize::from(header.pid)).copied().unwrap_or(Role::Unknown);
        let Self { video, audio, data, clock, out, .. } = self;
        let new = match role {
            Role::Video => video.as_mut().is_none_or(|media| media.packet(packet, &header, clock, out)),
            Role::Audio => audio.as_mut().is_none_or(|media| media.packet(packet, &header, clock, out)),
            Role::Data => data
                .iter_mut()
                .find(|stream| stream.pid == header.pid)
                .is_none_or(|stream| stream.packet(packet, &header, clock, out)),
            Role::Table => self.table(packet, &header),
            Role::Unknown | Role::PassedOver | Role::Null => true,
        };
        let counts = &mut self.out.witness.container;
        let class = match role {
            _ if !new => &mut counts.duplicates,
            Role::Video | Role::Audio => &mut counts.media,
            Role::Data => &mut counts.data,
            Role::Table => &mut counts.tables,
            Role::Unknown => &mut counts.unknown,
            Role::PassedOver => &mut counts.passed_over,
            Role::Null => &mut counts.null,
        };
        *class += 1;
    }

    /// Takes a packet of the PAT or of a PMT; returns false if it repeats the previous packet.
    fn table(&mut self, packet: &[u8; PACKET], header: &Header<'_>) -> bool {
        let Some(at) = self.table_pids.iter().position(|(pid, ..)| *pid == header.pid) else { return true };
        let Some((pid, continuity, sections)) = self.table_pids.get_mut(at) else { return true };
        match continuity.step(packet, header) {
            Step::Repeated => return false,
            Step::Lost(_) => sections.reset(),
            Step::Next => {}
        }
        let Some(payload) = header.payload.filter(|_| !header.scrambled) else { return true };
        let (pid, mut changed) = (*pid, false);
        let (tables, out) = (&mut self.tables, &mut self.out);
        sections.feed(header.start, payload, |section| {
            // Other tables may share the PID of a PMT, and not all of them have a checksum.
            if !matches!((pid, section.first()), (PID_PAT, Some(0)) | (1.., Some(2))) {
                return;
            }
            if !is_whole(section) {
                out.notice(Notice::TableDamaged { number: pid.into() });
                return;
            }
            changed |= if pid == PID_PAT { tables.pat(section) } else { tables.pmt(pid, section) };
        });
        if changed {
            self.choose();
        }
        true
    }

    fn seat(&mut self, kind: TrackKind) -> &mut Option<Media> {
        match kind {
            TrackKind::Video => &mut self.video,
            TrackKind::Audio => &mut self.audio,
        }
    }

    /// Computes the role of each PID from the tables and the taken streams.
    fn assign(&mut self) {
        let mut roles = vec![Role::Unknown; PIDS];
        let mut set = |pid: u16, role| {
            if let Some(place) = roles.get_mut(usize::from(pid)) {
                *place = role;
            }
        };
        (0..PIDS_RESERVED).for_each(|pid| set(pid, Role::PassedOver));
        for program in &self.tables.programs {
            let streams = program.map.iter().flat_map(|(_, streams)| streams);
            streams.into_iter().for_each(|stream| set(stream.pid, Role::PassedOver));
        }
        self.data.iter().for_each(|stream| set(stream.pid, Role::Data));
        self.audio.iter().for_each(|media| set(media.pid, Role::Audio));
        self.video.iter().for_each(|media| set(media.pid, Role::Video));
        let tables: Vec<u16> =
            std::iter::once(PID_PAT).chain(self.tables.programs.iter().map(|program| program.pid)).collect();
        tables.iter().for_each(|pid| set(*pid, Role::Table));
        set(PID_NULL, Role::Null);
        self.roles = roles;
        self.table_pids.retain(|(pid, ..)| tables.contains(pid));
        for pid in tables {
            if self.table_pids.iter().all(|(known, ..)| *known != pid) {
                self.table_pids.push((pid, Continuity::default(), Sections::default()));
            }
        }
    }
}
