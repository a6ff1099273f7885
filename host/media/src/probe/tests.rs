use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::*;

/// Makes a tone of this many seconds with ffmpeg; returns the file `name` that it writes with these arguments.
fn audio(seconds: u32, args: &str, name: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-f", "lavfi", "-i"])
        .arg(format!("sine=1000:sample_rate=48000:duration={seconds}"))
        .args(args.split(' '))
        .arg(&path)
        .stdin(Stdio::null())
        .status()
        .expect("ffmpeg is installed");
    assert!(status.success());
    std::fs::read(path).unwrap()
}

fn fmp4(seconds: u32) -> Vec<u8> {
    audio(seconds, "-ac 2 -c:a aac -movflags empty_moov+frag_keyframe -frag_duration 1000000", "a.mp4")
}

/// What an echo returns of a batch in which the source changes from stereo to mono.
#[test]
fn a_configuration_that_changes_inside_a_file_is_read() {
    // Offsets that count from the fragment: others are wrong in a file that is put together.
    let args = "-ac 1 -c:a aac -movflags empty_moov+frag_keyframe+default_base_moof -frag_duration 1000000";
    let mono = audio(3, args, "a.mp4");
    let (one, two) = (probe(&fmp4(2)).unwrap(), probe(&mono).unwrap());
    let without_type = &mono[u32::from_be_bytes(mono[..4].try_into().unwrap()) as usize..];
    for after in [&mono[..], without_type] {
        let both = probe(&[&fmp4(2)[..], after].concat()).unwrap();
        assert_eq!((both.channels, both.copyable, both.sample_rate_hz), (2, true, 48_000));
        assert_eq!(both.packets, one.packets + two.packets);
        assert_eq!(both.samples, one.samples + two.samples);
        assert_eq!(both.delay_samples, one.delay_samples, "that of the start");
        let cut = [&fmp4(2)[..], &after[..after.len() - 20]].concat();
        assert!(wrong(&cut).contains("cut off"), "{}", wrong(&cut));
    }
    assert!(wrong(&[fmp4(1), mono.repeat(100)].concat()).ends_with("it has more than 16 tracks"));
}

fn wrong(data: &[u8]) -> String {
    probe(data).unwrap_err().to_string()
}

#[test]
fn what_ffmpeg_writes_is_read_with_its_durations() {
    // 6 s of 1024 samples at 48 kHz, and the encoder's own first packet.
    let aac = ("aac", 283);
    let cases = [
        ("-ac 2 -c:a aac -movflags empty_moov+frag_keyframe", "a.mp4", Container::Fmp4, aac, true),
        (
            "-ac 2 -c:a aac -movflags empty_moov+frag_keyframe -frag_duration 1000000",
            "a.mp4",
            Container::Fmp4,
            aac,
            true,
        ),
        (
            "-ac 2 -c:a aac -movflags empty_moov+default_base_moof -frag_duration 20000",
            "a.mp4",
            Container::Fmp4,
            aac,
            true,
        ),
        (
            "-ac 2 -c:a aac -movflags delay_moov+frag_keyframe -frag_duration 1000000",
            "a.mp4",
            Container::Fmp4,
            aac,
            true,
        ),
        ("-ac 2 -c:a aac", "a.m4a", Container::Fmp4, aac, true),
        ("-ac 2 -c:a aac", "a.aac", Container::Adts, aac, true),
        ("-ac 2 -c:a pcm_s16le", "a.wav", Container::Wav, ("pcm_s16le", 250), false),
        ("-ac 2 -c:a pcm_f32le", "a.wav", Container::Wav, ("pcm_f32le", 250), false),
        ("-ac 2 -c:a libmp3lame", "a.mp3", Container::Mp3, ("mp3", 252), false),
        ("-ac 2 -c:a libmp3lame -id3v2_version 0 -write_xing 0", "a.mp3", Container::Mp3, ("mp3", 252), false),
    ];
    for (args, name, container, (codec, packets), copyable) in cases {
        let found = probe(&audio(6, args, name)).unwrap_or_else(|error| panic!("{args}: {error}"));
        assert_eq!((found.container, found.codec, found.copyable), (container, codec, copyable), "{args}");
        assert_eq!((found.sample_rate_hz, found.channels), (48_000, 2), "{args}");
        assert!(found.packets.abs_diff(packets) <= 1, "{args}: {} packets", found.packets);
        let over = i64::try_from(found.duration_us).unwrap() - 6_000_000;
        assert!((0..=50_000).contains(&over), "{args}: {} us", found.duration_us);
        if codec.starts_with("pcm") {
            assert_eq!(over, 0, "{args}: the last block of PCM is rarely full");
        }
        // The duration is the packets', not the header's.
        if codec == "aac" && container == Container::Adts {
            assert_eq!(found.duration_us, found.packets * 1024 * 1_000_000 / 48_000);
        }
    }
}

/// What makes an encoder use all its tools: noise, silence, few bits, other rates, other profiles.
#[test]
fn real_audio_is_never_taken_for_damage() {
    let noise =
        "-filter_complex anoisesrc=r=48000:d=3:c=pink[a];[a]volume=enable='between(t,1,2)':volume=0[b] -map [b]";
    for args in [
        "-ac 2 -b:a 24k",
        "-ac 2 -b:a 320k",
        "-ac 2 -aac_coder fast",
        "-ac 1 -ar 44100",
        "-ac 2 -ar 22050 -b:a 32k",
        "-ac 2 -profile:a aac_main",
        "-ac 2 -profile:a aac_ltp -strict -2",
        "-ac 6",
        "-ac 2 -aac_ms 1 -aac_is 1 -aac_pns 1 -b:a 48k",
    ] {
        for (name, container) in [("a.mp4", "-movflags empty_moov"), ("a.aac", "")] {
            let args = format!("{noise} -c:a aac {args} {container}");
            let found = probe(&audio(1, args.trim(), name)).unwrap_or_else(|error| panic!("{args}: {error}"));
            assert!(found.duration_us >= 3_000_000, "{args}");
            assert_eq!(found.copyable, !args.contains("profile"), "{args}: AAC-LC");
        }
    }
}

#[test]
fn the_encoders_delay_is_told_where_it_is_visible() {
    let edit = probe(&audio(2, "-c:a aac", "a.m4a")).unwrap();
    assert_eq!((edit.delay_samples, edit.samples, edit.channels), (Some(1024), 1024 + 96_000, 1), "an edit list");
    let adts = probe(&audio(2, "-c:a aac", "a.aac")).unwrap();
    assert_eq!((adts.delay_samples, adts.samples), (None, 95 * 1024));
    let mp3 = probe(&audio(2, "-c:a libmp3lame", "a.mp3")).unwrap();
    assert_eq!(mp3.delay_samples, Some(1105), "LAME");
    // What is left between both ends is what was encoded.
    assert_eq!(mp3.samples - 1105 - mp3.padding_samples.unwrap(), 96_000);
    assert_eq!(mp3.samples, mp3.packets * 1152);
}

#[test]
fn the_duration_is_the_packets_wherever_they_start() {
    let shifted = audio(2, "-c:a aac -output_ts_offset 10 -movflags delay_moov+frag_discont", "a.mp4");
    let found = probe(&shifted).unwrap();
    assert!(found.duration_us.abs_diff(2_021_333) < 22_000, "{} us", found.duration_us);
}

#[test]
fn a_wav_from_a_pipe_has_no_length_and_is_taken() {
    let mut wav = audio(2, "-c:a pcm_s16le", "a.wav");
    wav[4..8].fill(0xff);
    let data = wav.windows(4).position(|window| window == b"data").unwrap();
    wav[data + 4..data + 8].fill(0xff);
    let found = probe(&wav).unwrap();
    assert!(found.duration_us.abs_diff(2_000_000) < 30_000, "{} us", found.duration_us);
}

#[test]
fn thirty_seconds_take_milliseconds() {
    let files = [fmp4(30), audio(30, "-ac 2 -c:a pcm_s16le", "a.wav"), audio(30, "-ac 2 -c:a libmp3lame", "a.mp3")];
    for data in files {
        let best = (0..5)
            .map(|_| {
                let started = Instant::now();
                probe(&data).unwrap();
                started.elapsed()
            })
            .min()
            .unwrap();
        assert!(best < Duration::from_millis(100), "{best:?}");
    }
}

#[test]
fn garbage_is_refused_with_its_reason() {
    assert_eq!(wrong(b""), "it is empty");
    assert_eq!(wrong(b"hello"), "its 5 bytes are neither MP4, ADTS, WAV nor MP3");
    assert_eq!(wrong(&[0; 100_000]), "its 100000 bytes are neither MP4, ADTS, WAV nor MP3");
    assert!(probe(&[0xff; 5000]).is_err());
    assert!(wrong(b"\0\0\0\x08ftyp").starts_with("the fmp4 file is damaged: "));
    assert!(probe(b"RIFF\x10\0\0\0WAVEfmt ").is_err());
    assert!(probe(b"ID3\x04\0\0\x7f\x7f\x7f\x7f").is_err());
    // Nothing that random bytes behind a plausible start may do is a panic.
    let mut state = 1_u32;
    for start in [&b"\0\0\0\x18ftypiso5"[..], b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0", &[0xff, 0xfb, 0x90, 0], &[0xff, 0xf1]]
    {
        for _ in 0..200 {
            let noise = (0..512).map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                state.to_be_bytes()[0]
            });
            assert!(probe(&start.iter().copied().chain(noise).collect::<Vec<_>>()).is_err());
        }
    }
}

#[test]
fn files_that_are_cut_off_are_refused() {
    let cases = [
        (fmp4(4), "fmp4"),
        (audio(4, "-ac 2 -c:a aac", "a.aac"), "adts"),
        (audio(4, "-ac 2 -c:a pcm_s16le", "a.wav"), "wav"),
        (audio(4, "-ac 2 -c:a libmp3lame", "a.mp3"), "mp3"),
    ];
    for (data, container) in cases {
        let text = wrong(&data[..data.len() / 2]);
        assert!(text.starts_with(&format!("the {container} file is cut off: ")), "{container}: {text}");
    }
}

#[test]
fn flipped_bits_in_any_place_never_panic_and_mostly_show() {
    let data = fmp4(4);
    let middle = data.len() / 2;
    let mut damaged = data.clone();
    damaged[middle..middle + 8000].iter_mut().for_each(|byte| *byte ^= 0xa5);
    assert!(wrong(&damaged).contains("damaged") || wrong(&damaged).contains("cut off"), "{}", wrong(&damaged));
    // Inside one fragment's data no box is harmed; packets that are no AAC show it, whatever the bits are.
    let whole = audio(10, "-ac 2 -c:a aac -movflags empty_moov", "a.mp4");
    let middle = whole.len() / 2;
    for mask in [0x01, 0x0f, 0x24, 0x40, 0x80, 0xa5, 0xff] {
        let mut damaged = whole.clone();
        damaged[middle..middle + whole.len() / 5].iter_mut().for_each(|byte| *byte ^= mask);
        assert!(wrong(&damaged).ends_with("holds no AAC of 2 channels"), "{mask:x}: {}", wrong(&damaged));
    }
    for at in (0..data.len().min(3000)).step_by(3) {
        let mut damaged = data.clone();
        damaged[at] ^= 0xff;
        let _ = probe(&damaged);
    }
}

#[test]
fn silence_of_no_length_and_foreign_codecs_are_refused() {
    let empty = &fmp4(1);
    let moof = empty.windows(4).position(|window| window == b"moof").unwrap() - 4;
    assert_eq!(wrong(&empty[..moof]), "the fmp4 file holds no audio");
    let video = Command::new("ffmpeg")
        .args(
            "-v error -nostdin -f lavfi -i testsrc2=d=1:s=64x64 -f mp4 -movflags empty_moov -c:v mpeg4 pipe:1"
                .split(' '),
        )
        .output()
        .unwrap();
    assert_eq!(wrong(&video.stdout), "the fmp4 file holds no audio");
    let alac = wrong(&audio(1, "-c:a alac", "a.m4a"));
    assert!(alac.starts_with("the fmp4 file holds ") && alac.ends_with("; AAC, MP3 or PCM is wanted"), "{alac}");
}
