//! Splits a byte stream into the boxes of its top level (ISO/IEC 14496-12 section 4.2).

use crate::limits::DEMUX_BOX_BYTES_MAX;

/// The role of the next bytes.
#[derive(Debug, Clone)]
enum State {
    /// The header of a box.
    Header,
    /// A box whose content is gathered: its type, and its size in bytes.
    Gather([u8; 4], usize),
    /// The content of an `mdat`: the number of bytes left; `None` if it reaches to the end of the segment.
    Media(Option<u64>),
    /// A box that is skipped: the number of bytes left; `None` if it reaches to the end of the segment.
    Skip(Option<u64>),
}

/// The state between two calls. It holds [`DEMUX_BOX_BYTES_MAX`] bytes at most.
#[derive(Debug, Clone)]
pub struct Walker {
    state: State,
    held: Vec<u8>,
    /// Place of the next byte, counted from the start of the segment.
    at: u64,
}

/// What the walker reports while it takes bytes.
pub enum Part<'a> {
    /// A `moov` or `moof`: its type, its content, and the place where its header began.
    Box([u8; 4], &'a [u8], u64),
    /// Bytes of an `mdat`, and the place of the first one.
    Media(&'a [u8], u64),
    /// An `mdat` has ended at this place.
    MediaEnd(u64),
    /// A number of bytes of boxes: all bytes except the content of `mdat`.
    Bytes(usize),
    /// The type of a box whose size is invalid or too large.
    Damaged([u8; 4]),
}

impl Default for Walker {
    fn default() -> Self {
        Self { state: State::Header, held: Vec::new(), at: 0 }
    }
}

impl Walker {
    /// Takes the next bytes.
    pub fn feed(&mut self, mut bytes: &[u8], mut each: impl FnMut(Part<'_>)) {
        while !bytes.is_empty() {
            match self.state {
                State::Header => {
                    let Some(size) = self.header(&mut bytes) else { continue };
                    self.begin(size, &mut each);
                }
                State::Gather(name, whole) => {
                    let take = bytes.len().min(whole - self.held.len());
                    self.gather(&mut bytes, take);
                    if self.held.len() == whole {
                        let header = if self.held.starts_with(&[0, 0, 0, 1]) { 16 } else { 8 };
                        let body = self.held.get(header..).unwrap_or_default();
                        each(Part::Bytes(whole));
                        each(Part::Box(name, body, self.at - whole as u64));
                        self.held.clear();
                        self.state = State::Header;
                    }
                }
                State::Media(left) => {
                    let now = split(&mut bytes, left);
                    each(Part::Media(now, self.at));
                    self.at += now.len() as u64;
                    self.state = self.after(left, now.len(), State::Media);
                    if matches!(self.state, State::Header) {
                        each(Part::MediaEnd(self.at));
                    }
                }
                State::Skip(left) => {
                    let now = split(&mut bytes, left);
                    each(Part::Bytes(now.len()));
                    self.at += now.len() as u64;
                    self.state = self.after(left, now.len(), State::Skip);
                }
            }
        }
    }

    /// Returns the number of bytes of an incomplete header or box.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// Ends the segment. Drops the bytes of an incomplete header or box, and returns their number.
    pub fn segment_end(&mut self) -> usize {
        let held = self.held.len();
        *self = Self::default();
        held
    }

    fn after(&self, left: Option<u64>, taken: usize, state: fn(Option<u64>) -> State) -> State {
        match left.map(|left| left - taken as u64) {
            Some(0) => State::Header,
            left => state(left),
        }
    }

    fn gather(&mut self, bytes: &mut &[u8], take: usize) {
        let (now, later) = bytes.split_at(take);
        self.held.extend_from_slice(now);
        self.at += take as u64;
        *bytes = later;
    }

    /// Returns the size of the box (0: to the end of the segment) and the length of its header; `None` until the header
    /// is complete.
    fn header(&mut self, bytes: &mut &[u8]) -> Option<(u64, usize)> {
        let wants = |held: &[u8]| if held.len() >= 8 && held.starts_with(&[0, 0, 0, 1]) { 16 } else { 8 };
        let take = (wants(&self.held) - self.held.len()).min(bytes.len());
        self.gather(bytes, take);
        let wanted = wants(&self.held);
        if self.held.len() < wanted {
            return None;
        }
        let size = match wanted {
            8 => u64::from(u32::from_be_bytes(*self.held.first_chunk()?)),
            _ => u64::from_be_bytes(*self.held.get(8..)?.first_chunk()?),
        };
        Some((size, wanted))
    }

    fn begin(&mut self, (size, header): (u64, usize), each: &mut impl FnMut(Part<'_>)) {
        let name = self.held.get(4..8).and_then(|name| name.try_into().ok()).unwrap_or_default();
        let left = (size > 0).then(|| size.saturating_sub(header as u64));
        if size > 0 && size < header as u64 {
            // No box is shorter than its header: where the next one begins is not known.
            each(Part::Damaged(name));
            self.state = State::Skip(None);
        } else {
            let whole = usize::try_from(size).unwrap_or(usize::MAX);
            self.state = match &name {
                b"moov" | b"moof" if (header..=DEMUX_BOX_BYTES_MAX).contains(&whole) => State::Gather(name, whole),
                b"moov" | b"moof" => {
                    each(Part::Damaged(name));
                    State::Skip(left)
                }
                b"mdat" => State::Media(left),
                _ => State::Skip(left),
            };
        }
        match self.state {
            State::Gather(_, whole) if whole > header => return,
            State::Gather(..) => each(Part::Box(name, &[], self.at - header as u64)),
            _ => {}
        }
        each(Part::Bytes(header));
        self.held.clear();
        if left == Some(0) {
            if matches!(self.state, State::Media(_)) {
                each(Part::MediaEnd(self.at));
            }
            self.state = State::Header;
        }
    }
}

fn split<'a>(bytes: &mut &'a [u8], left: Option<u64>) -> &'a [u8] {
    let most = left.map_or(usize::MAX, |left| usize::try_from(left).unwrap_or(usize::MAX));
    let (now, later) = bytes.split_at(bytes.len().min(most));
    *bytes = later;
    now
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boxed(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
        [&((body.len() + 8) as u32).to_be_bytes()[..], name, body].concat()
    }

    #[test]
    fn boxes_are_told_in_pieces_of_any_size() {
        let large = [&[0, 0, 0, 1][..], b"mdat", &20_u64.to_be_bytes(), b"wxyz"].concat();
        let bytes = [
            boxed(b"styp", b"iso6"),
            boxed(b"moof", b"fragment"),
            boxed(b"mdat", b"pictures"),
            boxed(b"moof", b""),
            boxed(b"mdat", b""),
            large,
        ]
        .concat();
        for size in 1..bytes.len() {
            let (mut walker, mut told, mut media, mut counted) = (Walker::default(), Vec::new(), Vec::new(), 0);
            for piece in bytes.chunks(size) {
                walker.feed(piece, |part| match part {
                    Part::Box(name, body, at) => told.push((name, body.to_vec(), at)),
                    Part::Media(bytes, at) => {
                        assert!(at == 36 + media.len() as u64 || at == 76 + media.len() as u64 - 8, "{at}");
                        media.extend(bytes);
                    }
                    Part::MediaEnd(at) => told.push((*b"mdat", vec![], at)),
                    Part::Bytes(bytes) => counted += bytes,
                    Part::Damaged(name) => panic!("{name:?}"),
                });
            }
            let expected = [
                (*b"moof", b"fragment".to_vec(), 12),
                (*b"mdat", vec![], 44),
                (*b"moof", vec![], 44),
                (*b"mdat", vec![], 60),
            ];
            assert_eq!(told[..4], expected, "pieces of {size}");
            assert_eq!((&media[..], counted + media.len()), (&b"pictureswxyz"[..], bytes.len()));
        }
    }

    #[test]
    fn what_is_no_box_is_passed_over_to_the_segments_end() {
        let mut walker = Walker::default();
        let mut damaged = 0;
        let mut feed = |walker: &mut Walker, bytes: &[u8]| {
            walker.feed(bytes, |part| damaged += usize::from(matches!(part, Part::Damaged(_))));
        };
        feed(&mut walker, &[0, 0, 0, 3, b'm', b'o', b'o', b'f', 1, 2, 3]);
        feed(&mut walker, &boxed(b"moof", b""));
        assert_eq!(walker.segment_end(), 0);
        feed(&mut walker, &[0xff, 0xff, 0xff, 0xff, b'm', b'o', b'o', b'v', 1, 2, 3]);
        assert_eq!((walker.held(), damaged), (0, 2));
    }
}
