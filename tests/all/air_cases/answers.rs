//! Responses of servers, and their interpretation.

use super::*;
use outboard::limits::AIR_BUSY;

#[tokio::test]
async fn a_busy_stream_is_tried_again_without_growing_waits() {
    let dir = scratch();
    let batches = batches(dir.path(), 3);
    // Lost after some media; then busy twice, as SRS is after a broken connection: once with a response, once by
    // closing the connection.
    let script = |session| match session {
        0 => Script { close_after: Some(60_000), ..GOOD },
        1 => Script { refuse_publish: Some("NetStream.Publish.BadName: StreamBusy"), ..GOOD },
        2 => Script { close_on: Some("publish"), ..GOOD },
        _ => GOOD,
    };
    let server = FakeServer::start(script).await;
    let mut programme = Programme::new(vec![to("a", &server.url("key"))], 2.0);
    programme.start(&batches);
    programme.until(0, "back", |status| status.counters.sessions == 2).await;
    let reasons: Vec<_> = std::iter::from_fn(|| programme.events.try_recv().ok())
        .filter_map(|event| match event {
            AirEvent::Lost { reason, .. } => Some(reason),
            _ => None,
        })
        .collect();
    assert_eq!(reasons.len(), 3, "{reasons:?}");
    assert!(reasons[1].starts_with("the stream is busy"), "{reasons:?}");
    let (status, _, _) = programme.drain().await;
    let recordings: Vec<_> = server.logs().into_iter().map(|log| log.recording).collect();
    let want = spooled(&batches);
    assert_same(&joined(&recordings, &want).0, &want);
    assert_eq!(status[0].counters.dropped, Default::default());
    // The receiver causes the outage, not the host.
    assert!(status[0].max_gap > AIR_BUSY.longest, "two waits, jitter aside: {:?}", status[0].max_gap);
    assert!(status[0].max_own_gap < status[0].max_gap / 2, "{:?} of {:?}", status[0].max_own_gap, status[0].max_gap);
}

#[tokio::test]
async fn what_a_server_refuses_is_named_without_secrets() {
    let cases: [(Script, &str); 5] = [
        (Script { refuse_connect: true, ..GOOD }, "the server refused connect: NetConnection.Connect.Rejected go away"),
        (
            Script { refuse_publish: Some("NetStream.Publish.Denied"), ..GOOD },
            "refused publish: NetStream.Publish.Denied",
        ),
        (Script { close_on: Some("createStream"), ..GOOD }, "closed the connection during createStream"),
        (
            Script { status: Some(("error", "NetStream.Failed")), ..GOOD },
            "the server refused publishing: NetStream.Failed",
        ),
        (Script { refuse_publish: Some("SECRET-KEY is wrong"), ..GOOD }, "refused publish: (its words quote a secret"),
    ];
    let dir = scratch();
    let batches = batches(dir.path(), 1);
    for (script, want) in cases {
        let server = FakeServer::start(move |_| script).await;
        let mut programme = Programme::new(vec![to("a", &server.url("SECRET-KEY"))], 1.0);
        programme.start(&batches);
        let reason = programme.lost().await;
        assert!(reason.contains(want) && !reason.contains("SECRET"), "{reason}");
        let status = programme.air.stop().await;
        assert_eq!(status[0].state, DestinationState::Stopped);
        assert_eq!(status[0].url, server.url("…"));
    }
}

#[tokio::test]
async fn nginx_says_busy_and_stopping_ends_cleanly() {
    let (nginx, dir) = (Nginx::start(), scratch());
    let batches = batches(dir.path(), 4);
    let mut programme = Programme::new(vec![to("a", &nginx.url("key")), to("c", &nginx.url("other"))], 4.0);
    programme.start(&batches);
    programme.until(1, "on air", |status| status.on_air()).await;
    let mut second = Programme::new(vec![to("b", &nginx.url("key"))], 4.0);
    second.start(&batches);
    let reason = second.lost().await;
    assert_eq!(reason, "the stream is busy: NetStream.Publish.BadName Already publishing");
    let stopped = second.air.stop().await;
    assert_eq!((stopped[0].state.clone(), stopped[0].counters.sessions), (DestinationState::Stopped, 0));
    let status = programme.air.stop().await;
    assert_eq!(status[1].state, DestinationState::Stopped);
    // (The recorder opens its file again for the refused session.)
    let got = &nginx.recordings("other")[0].packets;
    assert_eq!(got.len() as u64, sent(&status[1]), "all that was counted as sent has arrived");
    assert_same(got, &from_first(&spooled(&batches))[..got.len()]);
    // The last position is where it stopped.
    let journal = programme.journal.0.lock().unwrap().clone();
    assert!(journal.iter().rev().take(2).any(|position| Some(*position) == status[1].position));
    assert!(
        std::iter::from_fn(|| programme.events.try_recv().ok()).any(|event| matches!(event, AirEvent::Ended { .. }))
    );
}
