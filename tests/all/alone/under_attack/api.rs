//! Clients that never read, sockets that never authenticate, the most expensive requests.

use outboard_tests::attacks::{connections, requests::WorstRequests};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Attacker, WINDOW};

/// Sockets that never authenticate: more than there are slots for.
const SILENT: usize = 300;
/// Clients that never read, for each form of response.
const GREEDY: usize = 100;

pub async fn readers(attacker: &Attacker<'_>) {
    let (server, opening) = (attacker.server, connections::opening(attacker.server));
    let (mut silent, mut welcome) = (Vec::new(), [0; 12]);
    for _ in 0..SILENT {
        let mut stream = connections::from(server, "127.0.0.9").await;
        stream.write_all(opening.as_bytes()).await.unwrap();
        stream.read_exact(&mut welcome).await.unwrap();
        assert_eq!(&welcome, b"HTTP/1.1 101");
        silent.push(stream);
    }
    let answer = connections::that_never_read(server, attacker.token, "application/json", GREEDY).await;
    let events = connections::that_never_read(server, attacker.token, "text/event-stream", GREEDY).await;
    tokio::time::sleep(WINDOW).await;
    drop((silent, answer, events));
}

pub async fn requests(attacker: &Attacker<'_>) {
    let worst = WorstRequests::start(attacker.server, attacker.token).await;
    tokio::time::sleep(WINDOW).await;
    for (transport, count) in worst.end() {
        assert!(count > 0, "{transport} was asked");
    }
}
