//! Streams as senders have them: a dry run says what a run of the same settings then does, in the same words.
//!
//! Each source has two segments, which is what a dry run looks at, so that it sees everything that the run sees.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first thing that is not as it should be")]

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use outboard::control::dry_run::{Validation, dry_run};
use outboard::pipeline::event::EventKind;
use outboard::pipeline::{Host, Owner, Pipeline, Stop};
use outboard::settings::{Destination, Settings, SourceAudio};
use outboard_tests::media::{Entry, ffmpeg};
use outboard_tests::origin::Origin;
use outboard_tests::over_borders::over_borders;
use tokio::time::timeout;

/// Longer than any of these runs takes.
const SOON: Duration = Duration::from_secs(120);
/// Bytes of a transport packet.
const PACKET: usize = 188;
const H264: &str = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -bf 2 -sc_threshold 0 -g 50";

/// A source, and what is said of it.
struct Case {
    name: &'static str,
    segments: Vec<Vec<u8>>,
    /// EXTINF of each segment, in seconds.
    extinf: f64,
    change: fn(&mut Settings),
    /// Words of the dry run's texts about the source.
    says: Vec<&'static str>,
    /// It goes on air.
    airs: bool,
}

impl Case {
    fn new(name: &'static str, segments: Vec<Vec<u8>>, says: &[&'static str]) -> Self {
        Self { name, segments, extinf: 2.0, change: |_| {}, says: says.to_vec(), airs: true }
    }
}

/// Four seconds of media in two segments.
fn encode(dir: &Path, name: &str, inputs: &str, coding: &str) -> Vec<Vec<u8>> {
    let (list, media) = (dir.join(format!("{name}.m3u8")), dir.join(format!("{name}-%d.ts")));
    let [list, media] = [list, media].map(|path| path.display().to_string());
    let hls = ["-f", "hls", "-hls_time", "2", "-hls_list_size", "0", "-hls_segment_filename", &media, &list];
    let words: Vec<&str> = inputs.split_whitespace().chain(coding.split_whitespace()).chain(hls).collect();
    ffmpeg(&words);
    (0..2).map(|n| std::fs::read(dir.join(format!("{name}-{n}.ts"))).unwrap()).collect()
}

/// Two seconds of media that begin at so many seconds, as one transport stream.
fn piece(dir: &Path, inputs: &str, coding: &str, at: u32) -> Vec<u8> {
    let (file, at) = (dir.join("piece.ts").display().to_string(), at.to_string());
    let ts = ["-t", "2", "-output_ts_offset", &at, "-f", "mpegts", &file];
    let words: Vec<&str> = inputs.split_whitespace().chain(coding.split_whitespace()).chain(ts).collect();
    ffmpeg(&words);
    std::fs::read(file).unwrap()
}

fn pid(packet: &[u8]) -> u16 {
    u16::from(packet[1] & 0x1f) << 8 | u16::from(packet[2])
}

/// A segment without the packets for which `drop` is true.
fn without(segment: &[u8], mut drop: impl FnMut(&[u8]) -> bool) -> Vec<u8> {
    segment.chunks(PACKET).filter(|packet| !drop(packet)).flatten().copied().collect()
}

/// A segment whose media packets say that they are scrambled.
fn scrambled(segment: &[u8]) -> Vec<u8> {
    let mut segment = segment.to_vec();
    for packet in segment.chunks_mut(PACKET).filter(|packet| matches!(pid(packet), 256 | 257)) {
        packet[3] |= 0xc0;
    }
    segment
}

/// The sources of this kind that people have.
fn cases(dir: &Path) -> Vec<Case> {
    let picture = "-f lavfi -i testsrc2=s=160x90:r=25:d=4";
    let sound = "-f lavfi -i sine=r=48000:d=4";
    let aac = "-c:a aac -ac 2";
    let both = format!("{picture} {sound}");
    let plain = encode(dir, "plain", &both, &format!("{H264} {aac}"));
    let two = |name: &str, codings: &str| {
        let maps = "-map 0:v -map 1:a -map 1:a -metadata:s:a:0 language=eng -metadata:s:a:1 language=deu";
        encode(dir, name, &both, &format!("{H264} {maps} {codings}"))
    };
    let sounds = two("sounds", aac);
    let at = |name: &str, seconds: &str| encode(dir, name, &both, &format!("{H264} {aac} -output_ts_offset {seconds}"));
    let entries: Vec<Entry> =
        (0..2).map(|n| Entry { path: dir.join(format!("plain-{n}.ts")), discontinuity: false }).collect();
    let over: Vec<Vec<u8>> =
        over_borders(&entries, dir).iter().map(|entry| std::fs::read(&entry.path).unwrap()).collect();
    let mut junk = plain.clone();
    junk[0].splice(0..0, vec![0xff; 2 * PACKET]);
    let mut seen = 0;
    let mut lost = plain.clone();
    lost[1] = without(&lost[1], |packet| {
        seen += usize::from(pid(packet) == 256);
        pid(packet) == 256 && seen == 30
    });
    let mut silent = plain.clone();
    silent[1] = without(&silent[1], |packet| pid(packet) == 257);
    let mut tables = plain.clone();
    tables[1] = without(&tables[1], |packet| !matches!(pid(packet), 256 | 257));
    let other = encode(dir, "other", &both, &format!("{H264} {aac} -mpegts_start_pid 356"));
    let long = encode(dir, "long", &both, &format!("{H264} {aac} -g 250 -keyint_min 250 -hls_flags split_by_time"));
    let slow = encode(
        dir,
        "slow",
        "-f lavfi -i testsrc2=s=160x90:r=2:d=12",
        "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -bf 0 -sc_threshold 0 -g 12",
    );
    let programs = "-map 0:v -map 1:a -map 1:a -program program_num=1:st=0:st=1 -program program_num=2:st=2";
    let programs = [0, 2].map(|at| piece(dir, &both, &format!("{H264} {aac} {programs}"), at)).to_vec();
    let ac3 = two("ac3", "-c:a:0 ac3 -c:a:1 aac -ac 2");
    vec![
        Case::new("plain", plain.clone(), &["2 segments were fetched", "a key frame each 2.0 s"]),
        Case::new(
            "ac3-first",
            ac3,
            &[
                "PID 257: ac3 (eng), not used: PID 258 has aac, which goes on air without being encoded",
                "Its audio would be PID 258: aac (deu)",
            ],
        ),
        Case {
            change: |settings| settings.source.audio.codec = Some("ac3".to_owned()),
            ..Case::new(
                "encoded-sound",
                two("ac3", "-c:a:0 ac3 -c:a:1 aac -ac 2"),
                &["sound ac3 is encoded to AAC", "is encoded from ac3"],
            )
        },
        Case::new("first-sound", sounds.clone(), &["Its audio would be PID 257: aac (eng); not PID 258: aac (deu)"]),
        Case {
            change: |settings| settings.source.audio.language = Some("de".to_owned()),
            ..Case::new(
                "chosen-sound",
                sounds.clone(),
                &["PID 257: aac (eng), not used: the settings choose the language of PID 258"],
            )
        },
        Case {
            change: |settings| settings.source.audio = SourceAudio { pid: Some(300), ..SourceAudio::default() },
            ..Case::new(
                "missing-sound",
                sounds.clone(),
                &[
                    "the source has no audio with PID 300; it has PID 257: aac (eng), PID 258: aac (deu), of which PID 257 is used",
                ],
            )
        },
        Case {
            change: |settings| settings.source.audio.name = Some("English".to_owned()),
            ..Case::new("missing-rendition", plain.clone(), &["no audio rendition has the name 'English'"])
        },
        Case {
            change: |settings| settings.source.program = Some(9),
            ..Case::new(
                "missing-programme",
                programs,
                &["the source has no programme 9; it has 1, 2, of which 1 is used", "programme 1 of 1, 2"],
            )
        },
        Case::new("aac-over-borders", over, &[]),
        Case::new("junk-before-sync", junk, &["segment 0 has 376 bytes before the first packet"]),
        Case { extinf: 9.0, ..Case::new("extinf-lies", plain.clone(), &["the playlist says 9.000 s (EXTINF)"]) },
        Case { extinf: 0.0, ..Case::new("extinf-zero", plain.clone(), &[]) },
        Case::new("pid-change", vec![plain[0].clone(), other[1].clone()], &["PID 356"]),
        Case::new("sound-goes", silent, &[]),
        Case::new("tables-once", tables, &[]),
        Case::new("wrap", at("wrap", "95441.7"), &[]),
        Case::new("time-back", vec![at("later", "100").remove(0), plain[1].clone()], &[]),
        Case {
            extinf: 6.0,
            ..Case::new("slow-camera", slow, &["PID 256: key frames are 6.0 s apart, and a batch has 4 s"])
        },
        Case {
            change: |settings| settings.batch_seconds = Some(2),
            ..Case::new(
                "long-group",
                long,
                &[
                    "key frames are at least 4.0 s apart",
                    "segment 1 (1.ts): PID 256: its first picture is no key frame",
                ],
            )
        },
        Case::new(
            "lost",
            lost,
            &[
                "segment 1 (1.ts): PID 256: packets are missing (1 modulo 16)",
                "PID 256: 1 picture is not used: packets",
            ],
        ),
        Case {
            airs: false,
            ..Case::new(
                "scrambled",
                plain.iter().map(|segment| scrambled(segment)).collect(),
                &["PID 256", "are not used: scrambled; only media in the clear"],
            )
        },
    ]
}

/// Everything that a dry run says of the source.
fn texts(found: &Validation) -> Vec<String> {
    let checks = found.checks.iter().filter(|check| check.path.starts_with("source"));
    let said = checks.flat_map(|check| std::iter::once(&check.message).chain(&check.warnings)).cloned();
    said.chain(found.summary.iter().cloned()).collect()
}

fn warnings(found: &Validation) -> BTreeSet<String> {
    let checks = found.checks.iter().filter(|check| check.path.starts_with("source"));
    checks.flat_map(|check| check.warnings.iter().cloned()).collect()
}

/// Whether the run could not use media of its source. Frames at the end of a stream that fill no packet of AAC are none.
fn could_not_use(unusable: &std::collections::BTreeMap<&'static str, u64>) -> bool {
    unusable.keys().any(|reason| *reason != "no-batch")
}

/// Dry-runs and runs one source; returns what does not agree.
async fn disagreements(host: &Host, dir: &Path, case: Case) -> Vec<String> {
    let Case { name, segments, extinf, change, says, airs } = case;
    let origin = Origin::start().await;
    let mut list = format!("#EXTM3U\n#EXT-X-TARGETDURATION:{}\n", extinf.max(2.0));
    for (n, segment) in segments.into_iter().enumerate() {
        origin.put(&format!("/{n}.ts"), segment);
        list += &format!("#EXTINF:{extinf},\n{n}.ts?token=SECRET\n");
    }
    origin.put("/live.m3u8", list + "#EXT-X-ENDLIST\n");
    let air = dir.join(format!("{name}.flv"));
    let mut settings = Settings::default();
    settings.source.url = origin.url("/live.m3u8").to_string();
    settings.destinations = vec![Destination { url: format!("file://{}", air.display()), ..Destination::default() }];
    settings.batch_seconds = Some(4);
    change(&mut settings);
    let mut config = settings.check(name, host.storage()).unwrap();
    (config.speed, config.cushion) = (8.0, Some(Duration::ZERO));

    let mut wrong = Vec::new();
    let mut expect = |holds: bool, what: String| {
        if !holds {
            wrong.push(format!("{name}: {what}"));
        }
    };
    let found = dry_run(host, &Owner::default(), &config, &[]).await;
    let (texts, warned) = (texts(&found), warnings(&found));
    expect(!texts.iter().any(|text| text.contains("SECRET")), format!("a secret in {texts:#?}"));
    expect(found.ok == airs, format!("ok is {}: {:#?}", found.ok, found.checks));
    for words in &says {
        expect(texts.iter().any(|text| text.contains(words)), format!("{words:?} is not in {texts:#?}"));
    }

    let pipeline = Pipeline::load(host, Owner::default(), config, None).await.unwrap();
    let watch = pipeline.watch();
    let mut events = watch.events();
    let ran = timeout(SOON, pipeline.run(Stop::default())).await.unwrap();
    let aired = std::fs::metadata(&air).is_ok_and(|file| file.len() > 0);
    expect(aired == airs, format!("on air is {aired}: {ran:?}"));
    if let Err(error) = ran {
        let (error, mut failed) = (error.to_string(), found.checks.iter().filter(|check| !check.ok));
        expect(failed.any(|check| error.contains(&check.message)), format!("the run ended with {error:?}: {texts:#?}"));
    }
    // The run warns of the same, and counts what cannot be used where the dry run says that something cannot.
    let mut told = BTreeSet::new();
    while let Ok(event) = events.try_recv() {
        if event.kind == EventKind::SourceWarning {
            let what = event.message.strip_prefix("source: ").unwrap_or(&event.message);
            told.insert(what.strip_prefix("from batch 0 on, ").unwrap_or(what).to_owned());
        }
    }
    expect(told.is_subset(&warned), format!("the run says {told:#?}, the dry run {warned:#?}"));
    let unusable = watch.stats().packets_unusable;
    let is_unused = |text: &String| text.starts_with("segment ") && text.contains(" not used: ");
    expect(
        warned.iter().any(is_unused) == (airs && could_not_use(&unusable)),
        format!("the run counts {unusable:?}, the dry run says {warned:#?}"),
    );
    // What the run does not warn of is logged there with its segment, or is about key frames.
    let is_logged = |text: &&String| text.starts_with("segment 0 (") || text.starts_with("segment 1 (");
    let only: Vec<&String> =
        warned.difference(&told).filter(|text| !is_logged(text) && !text.contains("key frame")).collect();
    expect(only.is_empty(), format!("the dry run alone says {only:#?}"));
    expect(!says.is_empty() || warned.is_empty(), format!("nothing is wrong with it: {warned:#?}"));
    wrong
}

#[tokio::test]
async fn what_a_dry_run_says_of_a_stream_is_what_the_run_says() {
    let dir = tempfile::tempdir().unwrap();
    let host = Host::open(dir.path().join("storage").as_path()).await.unwrap();
    let mut wrong = Vec::new();
    for case in cases(dir.path()) {
        wrong.extend(disagreements(&host, dir.path(), case).await);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
