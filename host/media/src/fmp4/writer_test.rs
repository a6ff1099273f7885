use super::*;
use crate::demux::{AudioConfig, Choice, Codec, Event, Key, Mp4, Timing, VideoConfig};

fn video() -> Config {
    let record = vec![1, 0x4d, 0x40, 0x1e, 0xff, 0xe0, 0];
    Config::Video(VideoConfig { codec: Codec::H264, record, width: 320, height: 180, frame_rate: None })
}

fn audio(channels: u8, sample_rate: u32) -> Config {
    let record = match (channels, sample_rate) {
        (1, _) => vec![0x11, 0x88],
        (_, 44_100) => vec![0x12, 0x10],
        _ => vec![0x11, 0x90],
    };
    Config::Audio(AudioConfig { codec: Codec::Aac, record, sample_rate, channels, layer: 0 })
}

/// A picture of so many bytes: an IDR slice, or another one.
fn picture(dts: i64, pts: i64, key: bool, bytes: u32) -> Packet {
    let mut data = bytes.to_be_bytes().to_vec();
    data.push(if key { 0x65 } else { 0x41 });
    data.resize(4 + bytes as usize, 0x88);
    let key = if key { Key::Sync } else { Key::No };
    Packet { kind: TrackKind::Video, dts, pts, timing: Timing::Read, key, samples: 0, data }
}

fn sound(dts: i64, byte: u8) -> Packet {
    let data = vec![byte; 9];
    Packet { kind: TrackKind::Audio, dts, pts: dts, timing: Timing::Read, key: Key::Sync, samples: 1024, data }
}

fn write<'a>(packets: impl IntoIterator<Item = (&'a Config, Packet)>) -> Vec<u8> {
    let (mut writer, mut out) = (Writer::default(), Vec::new());
    let mut given = Vec::new();
    for (config, packet) in packets {
        writer.packet(config, &packet, &mut out).unwrap();
        given.push((config, packet));
    }
    writer.flush(&mut out).unwrap();
    let layout = writer.into_layout();
    assert_eq!(layout.packets.len(), given.len());
    for (n, ((config, packet), stored)) in given.iter().zip(&layout.packets).enumerate() {
        let bytes = &out[stored.offset as usize..][..stored.len as usize];
        assert_eq!((bytes, stored.key), (&packet.data[..], packet.key.is_key()));
        let needed = layout.configs.iter().rfind(|(first, _)| *first <= n).unwrap();
        assert_eq!(needed.1, **config);
    }
    out
}

/// What our own demuxer reads: configurations in their places, and packets.
fn read(file: &[u8]) -> (Vec<(usize, Config)>, Vec<Packet>) {
    let mut demuxer = Mp4::new(Choice::default());
    demuxer.feed(file);
    demuxer.end();
    let (mut configs, mut packets) = (Vec::new(), Vec::new());
    while let Some(event) = demuxer.next_event() {
        match event {
            Event::Config(config) => configs.push((packets.len(), config)),
            Event::Packet(packet) => packets.push(packet),
            Event::Streams(_) => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(demuxer.witness().is_balanced());
    (configs, packets)
}

fn fragments(file: &[u8]) -> usize {
    file.windows(4).filter(|four| four == b"moof").count()
}

#[test]
fn pictures_come_back_with_their_times_and_begin_fragments_with_key_frames() {
    let config = video();
    let packets: Vec<Packet> = (0..50)
        .map(|n| {
            let dts = 5_000_000 + n * 3003 + (n > 20) as i64 * 45_000;
            picture(dts, dts + [0, 9009, -3003, 6006][n as usize % 4], n % 25 == 0, 30 + n as u32)
        })
        .collect();
    let file = write(packets.iter().map(|packet| (&config, packet.clone())));
    let (configs, read) = read(&file);
    assert_eq!(configs, [(0, config)]);
    let moved = |packet: &Packet| Packet { dts: packet.dts - 5_000_000, pts: packet.pts - 5_000_000, ..packet.clone() };
    assert_eq!(read, packets.iter().map(moved).collect::<Vec<_>>());
    assert_eq!(fragments(&file), 2);
}

#[test]
fn large_fragments_are_written_earlier() {
    let config = video();
    let large = FRAGMENT_BYTES_MAX as u32 / 2 - 3;
    let packets: Vec<Packet> = (0..7).map(|n| picture(n * 3600, n * 3600, n == 0, large)).collect();
    let file = write(packets.iter().map(|packet| (&config, packet.clone())));
    assert_eq!((fragments(&file), read(&file).1), (4, packets), "two in each");
    let many = FRAGMENT_SAMPLES_MAX as i64 + 1;
    let file = write((0..many).map(|n| (&config, picture(n * 100, n * 100, n == 0, 1))));
    assert_eq!(fragments(&file), 2);
}

#[test]
fn a_step_back_of_the_source_is_left_out() {
    let config = video();
    let times = [900_000, 903_600, 907_200, 250_000, 253_600];
    let file = write(times.iter().enumerate().map(|(n, dts)| (&config, picture(*dts, *dts + 7200, n == 0, 9))));
    let read: Vec<(i64, i64)> = read(&file).1.iter().map(|packet| (packet.dts, packet.pts)).collect();
    assert_eq!(read, [0, 3600, 7200, 10_800, 14_400].map(|dts| (dts, dts + 7200)));
}

#[test]
fn sound_is_even_but_for_gaps() {
    let config = audio(2, 44_100);
    // Times rounded to milliseconds; a gap of two frames; a step back.
    let mut times: Vec<i64> = (0..1000).map(|n| 1_000_000 + (n * 1024 * 1000 / 44_100) * 90).collect();
    times.iter_mut().skip(600).for_each(|time| *time += 2 * 2090);
    times.iter_mut().skip(800).for_each(|time| *time -= 500_000);
    let file = write(times.iter().enumerate().map(|(n, dts)| (&config, sound(*dts, n as u8))));
    let (configs, read) = read(&file);
    assert_eq!(configs, [(0, config)]);
    for (n, packet) in read.iter().enumerate() {
        let frames = n as i64 * 1024 * 90_000 / 44_100 + if n >= 600 { 2 * 2090 } else { 0 };
        assert!((packet.dts - frames).abs() <= 90, "{n}: {packet:?} is not at {frames}");
        assert_eq!(packet.data, [n as u8; 9]);
    }
    // 1000 frames are 23.3 s.
    assert_eq!((read.len(), fragments(&file)), (1000, 5));
    let steps: Vec<i64> = read.windows(2).map(|pair| pair[1].dts - pair[0].dts).collect();
    let uneven = steps.iter().filter(|step| !(2089..=2090).contains(*step)).count();
    assert_eq!(uneven, 1, "{steps:?}");
}

#[test]
fn a_new_configuration_stands_before_the_packet_that_needs_it() {
    let configs = [audio(2, 48_000), audio(1, 48_000), audio(2, 44_100)];
    let packets = (0..30).map(|n| (&configs[n / 10], sound(n as i64 * 1920, n as u8)));
    let (told, read) = read(&write(packets));
    assert_eq!(told, configs.into_iter().enumerate().map(|(n, config)| (n * 10, config)).collect::<Vec<_>>());
    let times: Vec<i64> = read.iter().map(|packet| packet.dts).collect();
    assert_eq!(times[..21], (0..21).map(|n| n * 1920).collect::<Vec<_>>());
    assert!((times[29] - (20 * 1920 + 9 * 1024 * 90_000 / 44_100)).abs() <= 1, "{times:?}");
}

/// What other codecs need is in their entries, and comes back.
#[test]
fn pictures_and_sound_of_other_codecs_are_read_back() {
    let picture_in = |codec, record: &[u8]| {
        Config::Video(VideoConfig { codec, record: record.to_vec(), width: 320, height: 180, frame_rate: None })
    };
    // hvcC as far as the reader looks: byte 21 has the lengths of NAL units, byte 22 the number of arrays.
    let hvcc: Vec<u8> = [&[1][..], &[0; 20], &[3, 0]].concat();
    for config in [picture_in(Codec::Hevc, &hvcc), picture_in(Codec::Av1, &[0x81, 0, 0x0c, 0])] {
        let packets = [picture(0, 0, true, 30), picture(3600, 7200, false, 20)];
        let file = write(packets.iter().map(|packet| (&config, packet.clone())));
        let mut demuxer = Mp4::stored(Choice::default());
        demuxer.feed(&file);
        demuxer.end();
        let events = std::iter::from_fn(|| demuxer.next_event());
        let (mut configs, mut found) = (Vec::new(), Vec::new());
        events.for_each(|event| match event {
            Event::Config(config) => configs.push(config),
            Event::Packet(packet) => found.push((packet.data, packet.key.is_key())),
            _ => {}
        });
        assert_eq!(configs, [config]);
        assert_eq!(found, packets.map(|packet| (packet.data, packet.key.is_key())));
    }
}
