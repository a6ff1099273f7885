//! Reads the data streams of a transport stream: ID3 and KLV from PES packets, SCTE 35 from sections.

use super::super::clock::{Clock, Times};
use super::super::event::{Codec, Data, Event};
use super::super::out::Out;
use super::super::witness::Reason;
use super::header::{Continuity, Header, Step};
use super::pes::{Pes, Take};
use super::sections::Sections;
use super::sync::PACKET;
use crate::limits::DEMUX_DATA_BYTES_MAX;

/// A data stream of the taken programme.
#[derive(Debug, Clone)]
pub struct DataStream {
    /// PID of the data stream.
    pub pid: u16,
    /// The format of the data: ID3, KLV or SCTE 35.
    pub codec: Codec,
    continuity: Continuity,
    pes: Pes,
    gathered: Gathered,
    sections: Sections,
}

impl DataStream {
    /// Makes a reader for a data stream; `None` if data of this codec is not handed out.
    pub fn new(pid: u16, codec: Codec) -> Option<Self> {
        matches!(codec, Codec::Id3 | Codec::Klv | Codec::Scte35).then(|| Self {
            pid,
            codec,
            continuity: Continuity::default(),
            pes: Pes::default(),
            gathered: Gathered::default(),
            sections: Sections::default(),
        })
    }

    /// Takes a packet of the PID; returns false if it repeats the previous packet.
    pub fn packet(&mut self, packet: &[u8; PACKET], header: &Header<'_>, clock: &mut Clock, out: &mut Out) -> bool {
        match self.continuity.step(packet, header) {
            Step::Repeated => return false,
            Step::Lost(_) => {
                self.sections.reset();
                self.pes.hole(Reason::Lost, &mut self.gathered);
                self.gathered.forget();
            }
            Step::Next => {}
        }
        let Some(payload) = header.payload.filter(|_| !header.scrambled) else { return true };
        let (number, codec) = (self.pid.into(), self.codec);
        if codec == Codec::Scte35 {
            self.sections.feed(header.start, payload, |section| {
                out.tell(Event::Data(Data { number, codec, pts: None, data: section.to_vec() }));
            });
            return true;
        }
        self.pes.feed(header.start, payload, clock, &mut self.gathered);
        self.tell(out);
        true
    }

    /// Ends the stream. An open PES packet of known length is incomplete and dropped; one without a length is handed
    /// out.
    pub fn end(&mut self, out: &mut Out) {
        if !self.pes.close(&mut self.gathered) {
            self.gathered.forget();
        }
        self.tell(out);
        self.continuity.reset();
        self.sections.reset();
    }

    fn tell(&mut self, out: &mut Out) {
        for (pts, data) in self.gathered.whole.drain(..) {
            out.tell(Event::Data(Data { number: self.pid.into(), codec: self.codec, pts, data }));
        }
    }
}

/// The open PES packet, and the complete ones that are not handed out yet (two at most).
#[derive(Debug, Clone, Default)]
struct Gathered {
    open: Option<(Option<i64>, Vec<u8>)>,
    whole: Vec<(Option<i64>, Vec<u8>)>,
}

impl Gathered {
    fn forget(&mut self) {
        self.open = None;
        self.whole.clear();
    }
}

impl Take for Gathered {
    fn begin(&mut self, times: Option<Times>) {
        self.open = Some((times.map(|times| times.pts), Vec::new()));
    }

    fn bytes(&mut self, bytes: &[u8]) {
        if let Some((_, data)) = &mut self.open {
            data.extend_from_slice(bytes);
            if data.len() > DEMUX_DATA_BYTES_MAX {
                self.open = None;
            }
        }
    }

    fn done(&mut self) {
        self.whole.extend(self.open.take());
    }

    fn unusable(&mut self, _: Reason, _: usize) {}

    fn padding(&mut self, _: usize) {}
}
