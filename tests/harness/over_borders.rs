//! Transport streams whose audio frames reach over the border of each segment: ISO/IEC 13818-1 does not align them with
//! PES packets, and senders do not either.

#![expect(clippy::unwrap_used, reason = "a harness that cannot do its part fails the test")]

use std::path::Path;

use crate::media::Entry;

/// Bytes of sound in each new PES packet.
const PES: usize = 1400;
/// The PID in which ffmpeg sends sound.
const SOUND: u16 = 257;

/// The sound that is on its way from old to new PES packets.
#[derive(Default)]
struct Sound {
    /// Bytes that are in no new PES packet yet, and the place of the first one in the stream.
    bytes: Vec<u8>,
    sent: usize,
    /// Places where a frame begins, with its time in ticks of 90 kHz.
    frames: Vec<(usize, u64)>,
    counter: u8,
}

/// Writes the segments anew into `dir`, with the sound in other PES packets. Its rate is 48 kHz.
pub fn over_borders(entries: &[Entry], dir: &Path) -> Vec<Entry> {
    let mut sound = Sound::default();
    let segment = |(n, entry): (usize, &Entry)| {
        let (mut out, mut pes) = (Vec::new(), Vec::new());
        for packet in std::fs::read(&entry.path).unwrap().chunks_exact(188) {
            if u16::from(packet[1] & 0x1f) << 8 | u16::from(packet[2]) != SOUND {
                out.extend(packet);
                continue;
            }
            if packet[1] & 0x40 != 0 {
                sound.take(&pes);
                sound.send(PES, &mut out);
                pes.clear();
            }
            pes.extend(&packet[if packet[3] & 0x20 == 0 { 4 } else { 5 + usize::from(packet[4]) }..]);
        }
        sound.take(&pes);
        sound.send(if n + 1 == entries.len() { 1 } else { PES }, &mut out);
        let path = dir.join(format!("over-{n}.ts"));
        std::fs::write(&path, out).unwrap();
        Entry { path, ..entry.clone() }
    };
    entries.iter().enumerate().map(segment).collect()
}

impl Sound {
    /// Takes a PES packet, which begins with a frame.
    fn take(&mut self, pes: &[u8]) {
        let [_, _, _, _, _, _, _, _, fields, a, b, c, d, e, ..] = pes else { return };
        let [a, b, c, d, e] = [a, b, c, d, e].map(|byte| u64::from(*byte));
        let time = (a >> 1 & 7) << 30 | b << 22 | (c >> 1) << 15 | d << 7 | e >> 1;
        let frames = &pes[9 + usize::from(*fields)..];
        let (mut at, mut count) = (0, 0);
        while let Some(&[_, _, _, d, e, f, _]) = frames.get(at..at + 7) {
            self.frames.push((self.sent + self.bytes.len() + at, time + count * 1024 * 90_000 / 48_000));
            at += usize::from(d & 3) << 11 | usize::from(e) << 3 | usize::from(f >> 5);
            count += 1;
        }
        self.bytes.extend(frames);
    }

    /// Writes new PES packets as long as there are so many bytes.
    fn send(&mut self, at_least: usize, out: &mut Vec<u8>) {
        while self.bytes.len() >= at_least {
            let chunk: Vec<u8> = self.bytes.drain(..PES.min(self.bytes.len())).collect();
            let places = self.sent..self.sent + chunk.len();
            self.sent += chunk.len();
            let time = self.frames.iter().find(|(place, _)| places.contains(place)).map(|(_, time)| *time);
            let fields = match time {
                None => vec![0x80, 0, 0],
                Some(time) => {
                    let byte = |shift: u32| (time >> shift) as u8;
                    let stamp = [0x21 | byte(29) & 14, byte(22), byte(14) | 1, byte(7), byte(0) << 1 | 1];
                    [&[0x80, 0x80, 5][..], &stamp].concat()
                }
            };
            let length = u16::try_from(fields.len() + chunk.len()).unwrap().to_be_bytes();
            self.packets(&[&[0, 0, 1, 0xc0][..], &length, &fields, &chunk].concat(), out);
        }
    }

    fn packets(&mut self, pes: &[u8], out: &mut Vec<u8>) {
        for (n, payload) in pes.chunks(184).enumerate() {
            let [high, low] = SOUND.to_be_bytes();
            let lack = 184 - payload.len();
            let (start, adapted) = (u8::from(n == 0) << 6, u8::from(lack > 0) << 5);
            out.extend([0x47, start | high, low, 0x10 | adapted | self.counter]);
            match lack {
                0 => {}
                1 => out.push(0),
                _ => out.extend([&[lack as u8 - 1, 0][..], &vec![0xff; lack - 2]].concat()),
            }
            out.extend(payload);
            self.counter = (self.counter + 1) & 15;
        }
    }
}
