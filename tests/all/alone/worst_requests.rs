//! The most expensive requests that are accepted, over every transport at once and without pause: another tenant's
//! stream continues without a gap.
//!
//! `OUTBOARD_TEST_SECONDS` sets the length of the quiet tenant's programme.

use std::time::Duration;

use outboard_tests::attacks::requests::WorstRequests;
use outboard_tests::media::Clip;
use outboard_tests::receiver::nginx::Nginx;
use outboard_tests::server::Server;
use outboard_tests::server::channel::{Channel, Plan, seconds};

/// Longest pause on air that we may cause, in milliseconds. The aim is 100 ms; on a busy machine there are longer ones
/// without our fault.
const PAUSE_MOST_MS: f64 = 400.0;

#[tokio::test]
async fn the_worst_requests_of_one_tenant_do_not_pause_another_s_stream() {
    let storage = tempfile::tempdir().unwrap();
    let server = Server::start(storage.path()).await;
    let (noisy, quiet) = (server.tenant("noisy").await, server.tenant("quiet").await);
    let nginx = Nginx::start();
    let length = seconds(36);
    let plan = Plan { name: "quiet", clip: Clip::small(length), batch_seconds: 4, processor: None };
    let mut channel = Channel::start(&server, Some(&quiet), &nginx, plan).await;
    channel.on_air(&server, &nginx).await;

    let worst = WorstRequests::start(&server, &noisy).await;
    let last = channel.ended(&server, Duration::from_secs(u64::from(length) + 120)).await;
    let answers = worst.end();
    let longest = channel.assert_laws(&server, &nginx, &last).await;
    let own = last["destinations"][0]["maxOwnGapMs"].as_f64();
    eprintln!("longest pause: {own:?} ms of our making, {} ms at the receiver", longest.as_millis());
    for (transport, count) in answers {
        eprintln!("{transport}: {count} answers");
        assert!(count > 3, "{transport} was asked");
    }
    assert!(own.is_some_and(|own| own <= PAUSE_MOST_MS), "{last:#}");
}
