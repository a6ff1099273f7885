//! Fragmented MP4 made by hand, for what ffmpeg does not write: one track with number 1.

/// A box with this content.
pub fn boxed(name: &[u8; 4], parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    [&(body.len() as u32 + 8).to_be_bytes()[..], name, &body].concat()
}

fn words(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
}

/// An initialization section with these sample entries, which are whole boxes.
pub fn init(scale: u32, entries: &[&[u8]]) -> Vec<u8> {
    let count = words(&[0, entries.len() as u32]);
    let stsd = boxed(b"stsd", &[&count[..], &entries.concat()]);
    let header = boxed(b"mdhd", &[&words(&[0, 0, 0, scale, 0, 0x55c4_0000])]);
    let media = boxed(b"mdia", &[&header, &boxed(b"minf", &[&boxed(b"stbl", &[&stsd])])]);
    let track = boxed(b"trak", &[&boxed(b"tkhd", &[&words(&[0, 0, 0, 1, 0, 0])]), &media]);
    boxed(b"moov", &[&track])
}

/// The samples of a fragment, which follow each other; the first one is a sync sample.
#[derive(Debug, Clone, Default)]
pub struct Fragment {
    /// Decoding time of the first sample.
    pub dts: u32,
    /// Duration of each sample.
    pub duration: u32,
    /// sample_description_index; `None` leaves it out.
    pub entry: Option<u32>,
    pub samples: Vec<Vec<u8>>,
}

impl Fragment {
    /// The `moof` and its `mdat`.
    pub fn bytes(&self) -> Vec<u8> {
        let moof = |offset: usize| {
            let flags = 0x02_0028 | if self.entry.is_some() { 2 } else { 0 };
            let mut header = vec![flags, 1];
            header.extend(self.entry);
            header.extend([self.duration, 0x0001_0000]);
            let mut run = vec![0x0205, self.samples.len() as u32, offset as u32, 0];
            run.extend(self.samples.iter().map(|sample| sample.len() as u32));
            let [header, time, run] = [(b"tfhd", header), (b"tfdt", vec![0, self.dts]), (b"trun", run)]
                .map(|(name, all)| boxed(name, &[&words(&all)]));
            boxed(b"moof", &[&boxed(b"traf", &[&header, &time, &run])])
        };
        let offset = moof(0).len() + 8;
        [moof(offset), boxed(b"mdat", &[&self.samples.concat()])].concat()
    }
}

/// An `mp4a` entry with this AudioSpecificConfig, or without one.
pub fn mp4a(rate: u16, channels: u8, config: Option<&[u8]>) -> Vec<u8> {
    let described = |tag: u8, body: &[u8]| [&[tag, body.len() as u8][..], body].concat();
    let config = config.map(|config| described(5, config)).unwrap_or_default();
    let decoder = described(4, &[&[0x40, 0x15][..], &[0; 11], &config].concat());
    let stream = described(3, &[&[0, 1, 0][..], &decoder, &described(6, &[2])].concat());
    let esds = boxed(b"esds", &[&[0; 4], &stream]);
    let [high, low] = rate.to_be_bytes();
    boxed(b"mp4a", &[&[0, 0, 0, 0, 0, 0, 0, 1], &[0; 8], &[0, channels, 0, 16, 0, 0, 0, 0, high, low, 0, 0], &esds])
}
