//! Servers of either form of RTMP's handshake, and servers without one. In the other tests, nginx-rtmp and `rml_rtmp`
//! answer with digests.

use super::*;

#[tokio::test]
async fn servers_without_digests_get_every_packet() {
    let dir = scratch();
    let batches = batches(dir.path(), 1);
    // A server that requires zeros in C1 closes once before it has sent anything.
    for (opening, connections) in [(Opening::Simple, 1), (Opening::Strict, 2)] {
        let server = FakeServer::start(move |_| Script { opening, ..GOOD }).await;
        let programme = Programme::new(vec![to("a", &server.url("key"))], 2.0);
        programme.start(&batches);
        let (status, events, _) = programme.drain().await;
        let logs = server.logs();
        assert_eq!((logs.len(), status[0].counters.sessions), (connections, 1), "{opening:?}");
        assert_same(&logs[connections - 1].recording.packets, &spooled(&batches));
        assert!(!events.iter().any(|event| matches!(event, AirEvent::Lost { .. })), "{opening:?}: {events:?}");
    }
}

#[tokio::test]
async fn a_handshake_that_is_wrong_is_named() {
    const SHORT: &[u8] = &[3; 700];
    const LONG: &[u8] = &[3; 3000];
    let dir = scratch();
    let batches = batches(dir.path(), 1);
    let cases: [(&'static [u8], &str); 5] = [
        (
            &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
            "is 0x48, expected 0x03 (RTMP without encryption); this is an HTTP answer",
        ),
        (b"\x15\x03\x01\x00\x02\x02\x46", "is 0x15, expected 0x03 (RTMP without encryption); this is a TLS answer"),
        (b"", "the server closed the connection after 0 bytes, in S0, expected 3073"),
        (SHORT, "the server closed the connection after 700 bytes, in S1, expected 3073"),
        (LONG, "the server closed the connection after 3000 bytes, in S2, expected 3073"),
    ];
    for (bytes, want) in cases {
        let server = FakeServer::start(move |_| Script { opening: Opening::Says(bytes), ..GOOD }).await;
        let mut programme = Programme::new(vec![to("a", &server.url("key"))], 1.0);
        programme.start(&batches);
        let reason = programme.lost().await;
        assert!(reason.starts_with("RTMP handshake: ") && reason.contains(want), "{reason}");
        let status = programme.air.stop().await;
        assert_eq!((status[0].state.clone(), status[0].counters.sessions), (DestinationState::Stopped, 0));
    }
}
