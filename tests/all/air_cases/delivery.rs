//! The packets of the spool arrive: all of them, in order, once, with headers and times.

use super::*;

#[tokio::test]
async fn what_nginx_records_is_what_the_spool_held() {
    let (nginx, dir) = (Nginx::start(), scratch());
    let batches = batches(dir.path(), 8);
    let programme = Programme::new(vec![to("a", &nginx.url("key"))], 8.0);
    programme.start(&batches[..1]);
    // The others are added while the first is on air.
    for batch in &batches[1..] {
        programme.append(std::slice::from_ref(batch));
        tokio::task::yield_now().await;
    }
    let (status, events, journal) = programme.drain().await;
    let want = spooled(&batches);
    let recordings = nginx.recordings("key");
    assert_eq!(recordings.len(), 1, "one session");
    assert_same(&recordings[0].packets, &from_first(&want));
    let status = &status[0];
    assert_eq!(status.state, DestinationState::Done);
    assert_eq!(sent(status), want.len() as u64);
    let counters = status.counters;
    assert_eq!((counters.headers, counters.metadata, counters.sessions), (2, 1, 1));
    assert_eq!((counters.repeated, counters.late, counters.reconnects), (0, 0, 0));
    assert_eq!(counters.dropped, Default::default());
    for number in 0..8 {
        let of = |event: &&AirEvent| match event {
            AirEvent::BatchOnAir { batch, .. } | AirEvent::BatchDone { batch, .. } => *batch == number,
            _ => false,
        };
        let told: Vec<_> = events.iter().filter(of).collect();
        assert!(
            matches!(told[..], [AirEvent::BatchOnAir { .. }, AirEvent::BatchDone { video: 50, .. }]),
            "batch {number}: {told:?}"
        );
    }
    // Each key frame was journalled before it was sent, and the end.
    for key in want.iter().filter(|seen| seen.key) {
        let times = journal.iter().filter(|position| position.air_ms == key.dts_ms).count();
        assert_eq!(times, 1, "the key picture at {} ms", key.dts_ms);
    }
    assert_eq!(journal.last().unwrap().air_ms, 16_000);
}

#[tokio::test]
async fn headers_go_out_once_and_again_when_they_change() {
    let dir = scratch();
    let mut all = SMALL.batches(dir.path(), 0, 2, 2_000, 0);
    all.extend(OTHER_SIZE.batches(dir.path(), 2, 2, 2_000, 4_000));
    let server = FakeServer::start(|_| GOOD).await;
    let programme = Programme::new(vec![to("a", &server.url("key?token=1"))], 8.0);
    programme.start(&all);
    let (status, _, _) = programme.drain().await;
    let logs = server.logs();
    assert_eq!(logs.len(), 1);
    let recording = &logs[0].recording;
    let headers: Vec<_> = recording.headers.iter().map(|(_, body)| body.as_slice()).collect();
    let (first, other) = (&all[0], &all[2]);
    let want = [&first.video, &first.audio, &other.video];
    assert_eq!(headers, want.map(|track| &track.headers[0].body[..]));
    assert_eq!((recording.scripts, status[0].counters.headers, status[0].counters.metadata), (2, 3, 2));
    assert_same(&recording.packets, &spooled(&all));
    assert_eq!(logs[0].names, ["live", &server.url("x")[..server.url("x").len() - 2], "key?token=1"]);
    let commands = ["connect", "releaseStream", "FCPublish", "createStream", "publish", "FCUnpublish", "deleteStream"];
    assert_eq!(logs[0].commands, commands);
    assert!(logs[0].ended && logs[0].pongs == 1);
}

/// A batch whose picture has another size from its key frame at 2 s on, and whose sound another configuration from a packet
/// inside of a group of pictures on. Answers the index of that packet too.
pub(super) fn changing(dir: &Path) -> (ReadyBatch, usize) {
    let mut batch = SMALL.batches(dir, 0, 1, 2_000, 0).remove(0);
    let other = OTHER_SIZE.batches(dir, 1, 1, 2_000, 2_000).remove(0);
    let files = [&batch.video.path, &other.video.path].map(|path| std::fs::read(path).unwrap());
    let shift = files[0].len() as u64;
    std::fs::write(&batch.video.path, files.concat()).unwrap();
    for (track, more) in [(&mut batch.video, other.video), (&mut batch.audio, other.audio)] {
        track.headers.push(SequenceHeader { first: track.tags.len(), ..more.headers[0].clone() });
        track.tags.extend(more.tags.iter().map(|tag| Tag { offset: tag.offset + shift, ..*tag }));
    }
    // The sound of both is alike, so another configuration is made up for it.
    let at = batch.audio.tags.iter().position(|tag| tag.dts_ms > 1_500).unwrap();
    let mut body = batch.audio.headers[0].body.to_vec();
    *body.last_mut().unwrap() ^= 0x18;
    batch.audio.headers[1] = SequenceHeader { first: at, codec: batch.audio.headers[0].codec, body: body.into() };
    batch.end_ms = other.end_ms;
    (batch, at)
}

#[tokio::test]
async fn a_configuration_that_changes_inside_a_batch_goes_out_right_before_its_packet() {
    let dir = scratch();
    let (batch, sound) = changing(dir.path());
    let next = SMALL.batches(dir.path(), 1, 1, 2_000, 4_000).remove(0);
    let all = [batch, next];
    let server = FakeServer::start(|_| GOOD).await;
    let programme = Programme::new(vec![to("a", &server.url("key"))], 8.0);
    programme.start(&all);
    let (status, _, _) = programme.drain().await;
    let recording = &server.logs()[0].recording;
    let want = spooled(&all);
    assert_same(&recording.packets, &want);
    let place = |kind, index: usize| {
        let own = want.iter().enumerate().filter(|(_, seen)| seen.kind == kind);
        own.map(|(at, _)| at).nth(index).unwrap()
    };
    let [first, second] = &all;
    let expected = [
        (TagKind::Video, &first.video.headers[0], 0),
        (TagKind::Audio, &first.audio.headers[0], 0),
        (TagKind::Audio, &first.audio.headers[1], place(TagKind::Audio, sound)),
        (TagKind::Video, &first.video.headers[1], place(TagKind::Video, 50)),
        (TagKind::Video, &second.video.headers[0], place(TagKind::Video, first.video.tags.len())),
        (TagKind::Audio, &second.audio.headers[0], place(TagKind::Audio, first.audio.tags.len())),
    ];
    let got: Vec<_> = recording.headers.iter().zip(&recording.headers_at).collect();
    assert_eq!(got.len(), expected.len());
    for (((kind, body), at), (of, header, place)) in got.into_iter().zip(expected) {
        assert_eq!((*kind, &body[..], *at), (of, &header.body[..], place));
    }
    assert_eq!(status[0].counters.headers, 6);
}

/// A session that begins behind a change is told what is in force there, and nothing of before.
#[tokio::test]
async fn after_a_reconnect_the_header_in_force_is_sent() {
    let dir = scratch();
    let (batch, _) = changing(dir.path());
    let all = [batch];
    // In the last second.
    let most: u64 = all[0].video.tags.iter().take(80).map(|tag| u64::from(tag.len)).sum();
    let script = move |session| Script { close_after: (session == 0).then_some(most), ..GOOD };
    let server = FakeServer::start(script).await;
    let programme = Programme::new(vec![to("a", &server.url("key"))], 4.0);
    programme.start(&all);
    programme.drain().await;
    let recordings: Vec<_> = server.logs().into_iter().map(|log| log.recording).collect();
    assert_eq!(recordings.len(), 2);
    let want = spooled(&all);
    let (joined, _) = joined(&recordings, &want);
    assert_same(&joined, &want);
    let began = recordings[1].packets[0].dts_ms;
    let headers = |recording: &Recording| recording.headers.iter().map(|(_, body)| body.clone()).collect::<Vec<_>>();
    let [video, audio] = [&all[0].video, &all[0].audio].map(|track| {
        let index = track.tags.iter().position(|tag| tag.dts_ms >= began).unwrap();
        track.header_of(index).unwrap().1.body.to_vec()
    });
    assert!(began >= 2_000, "the second session begins behind both changes: {began}");
    assert_eq!(headers(&recordings[1]), [video, audio]);
}

#[tokio::test]
async fn rtmps_with_a_certificate_that_is_trusted_and_one_that_is_not() {
    let (nginx, dir) = (Nginx::start(), scratch());
    let front = TlsFront::start(nginx.port()).await;
    let batches = batches(dir.path(), 1);
    let url = |key: &str| format!("rtmps://127.0.0.1:{}/live/{key}", front.port());
    let mut destinations = vec![to("trusting", &url("a")), to("careless", &url("b")), to("wary", &url("c"))];
    destinations[0].tls = TlsSettings { extra_ca: Some(front.certificate().to_owned()), insecure: false };
    destinations[1].tls = TlsSettings { extra_ca: None, insecure: true };
    let programme = Programme::new(destinations, 4.0);
    programme.start(&batches);
    programme.until(2, "refused", |status| matches!(status.state, DestinationState::Retrying { .. })).await;
    programme.spool.finish();
    programme.until(0, "done", |status| status.state == DestinationState::Done).await;
    programme.until(1, "done", |status| status.state == DestinationState::Done).await;
    let status = programme.air.stop().await;
    let want = from_first(&spooled(&batches));
    assert_same(&nginx.recordings("a")[0].packets, &want);
    assert_same(&nginx.recordings("b")[0].packets, &want);
    assert_eq!((status[2].counters.sessions, nginx.recordings("c").len()), (0, 0));
}

#[tokio::test]
async fn a_starved_clock_stands_still_and_goes_on() {
    let (nginx, dir) = (Nginx::start(), scratch());
    let batches = batches(dir.path(), 3);
    let programme = Programme::new(vec![to("a", &nginx.url("key"))], 4.0);
    programme.start(&batches[..1]);
    programme.until(0, "at its end", |status| status.position.is_some_and(|at| at.video.tag == 50)).await;
    let mut changes = programme.clock.watch();
    let stalled = async {
        while programme.clock.status().stalled_for < Duration::from_millis(400) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(SOON, stalled).await.unwrap();
    changes.mark_unchanged();
    assert_eq!(programme.clock.now_ms(), Some(2_000), "never past the spool");
    programme.append(&batches[1..]);
    timeout(SOON, changes.changed()).await.unwrap().unwrap();
    assert!(programme.clock.now_ms().unwrap() < 2_400, "goes on where it stood");
    assert_eq!(programme.clock.status().stalls, 1);
    let (status, _, _) = programme.drain().await;
    assert_same(&nginx.recordings("key")[0].packets, &from_first(&spooled(&batches)));
    assert_eq!(status[0].counters.late, 0);
    // The gap was ours, and is reported as such.
    let gap = status[0].max_own_gap;
    assert!((300..900).contains(&gap.as_millis()), "{gap:?}");
}

#[tokio::test]
async fn sound_alone_goes_on_air_and_is_resumed_anywhere() {
    let dir = scratch();
    let batches = audio_only(batches(dir.path(), 3));
    let script = |session| Script { close_after: (session == 0).then_some(40_000), ..GOOD };
    let server = FakeServer::start(script).await;
    let programme = Programme::new(vec![to("a", &server.url("key"))], 4.0);
    programme.start(&batches);
    let (status, _, journal) = programme.drain().await;
    let recordings: Vec<_> = server.logs().into_iter().map(|log| log.recording).collect();
    assert_eq!(recordings.len(), 2);
    let want = spooled(&batches);
    let (all, repeated) = joined(&recordings, &want);
    assert_same(&all, &want);
    // The packets in 20 000 bytes between acknowledgements and the handshake's 3073, and in one second between marks.
    assert!(repeated <= 23_073 / 180 + 44, "{repeated}");
    assert_eq!((recordings[0].headers.len(), status[0].counters.video), (1, 0));
    // One position per second.
    assert!(journal.len() >= 6, "{journal:?}");
}

#[tokio::test]
async fn timestamps_go_on_where_24_and_32_bits_end() {
    for at_ms in [0x00FF_FFFF - 1_000, 0xFFFF_FFFF - 1_000u64] {
        let dir = scratch();
        let batches = SMALL.batches(dir.path(), 0, 1, 2_000, at_ms);
        let server = FakeServer::start(|_| GOOD).await;
        let nginx = Nginx::start();
        let programme = Programme::new(vec![to("a", &server.url("key")), to("b", &nginx.url("key"))], 8.0);
        programme.start(&batches);
        programme.drain().await;
        let want: Vec<_> =
            spooled(&batches).iter().map(|seen| ReceivedPacket { dts_ms: seen.dts_ms % (1 << 32), ..*seen }).collect();
        assert_same(&server.logs()[0].recording.packets, &want);
        let digests = |packets: &[ReceivedPacket]| packets.iter().map(|seen| seen.digest).collect::<Vec<_>>();
        assert_eq!(digests(&nginx.recordings("key")[0].packets), digests(&want));
    }
}
