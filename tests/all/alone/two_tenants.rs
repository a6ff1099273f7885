//! Five pipelines of two tenants at the same time, on real streams: laws 1 to 3 hold for each, and each has only its
//! own programme on air. (`walls` checks that nothing of the other tenant can be read.)
//!
//! `OUTBOARD_TEST_SECONDS` sets the length of each programme.

use std::time::Duration;

use outboard_tests::host::Host;
use outboard_tests::media::Clip;
use outboard_tests::processor::{Processor, ServerKind};
use outboard_tests::receiver::nginx::Nginx;
use outboard_tests::server::Server;
use outboard_tests::server::channel::{Channel, Plan, seconds};

#[tokio::test]
async fn five_pipelines_of_two_tenants_keep_the_laws() {
    let storage = tempfile::tempdir().unwrap();
    let server = Server::start(storage.path()).await;
    let (one, two) = (server.tenant("one").await, server.tenant("two").await);
    let nginx = Nginx::start();
    let node = Processor::start(ServerKind::Node, "echo", &["delay=200"]).await;
    let (_echo, echo) = Host::echo(50, &[]).await;
    let node = node.url();
    let length = seconds(36);
    // Every programme has its own video and tone, so that a mix-up is detected. Both tenants use the same stream id;
    // one channel has no processor.
    let plans = [
        (&one, "one-news", 320, 440, Some(node.as_str())),
        (&one, "one-sport", 336, 550, Some(echo.as_str())),
        (&one, "one-plain", 352, 660, None),
        (&two, "two-news", 368, 770, Some(node.as_str())),
        (&two, "two-sport", 384, 880, Some(echo.as_str())),
    ];
    let mut channels = Vec::new();
    for (token, name, width, tone, processor) in plans {
        let clip = Clip { size: Some((width, 180)), tone, ..Clip::small(length) };
        let plan = Plan { name, clip, batch_seconds: 4, processor };
        channels.push(Channel::start(&server, Some(token), &nginx, plan).await);
    }
    for channel in &mut channels {
        channel.on_air(&server, &nginx).await;
    }
    let limit = Duration::from_secs(u64::from(length) + 120);
    for channel in &mut channels {
        let last = channel.ended(&server, limit).await;
        let longest = channel.assert_laws(&server, &nginx, &last).await;
        let (processed, original) = (&last["counters"]["processed"], &last["counters"]["original"]);
        eprintln!(
            "{}: longest gap {} ms, {processed} batches processed, {original} original, skew {} ms",
            channel.name,
            longest.as_millis(),
            last["counters"]["maxSkewMs"]
        );
        assert!(last["counters"]["maxSkewMs"].as_f64().unwrap() <= 1.0, "{last:#}");
        // Each tenant's files are in its own folder.
        let tenant = channel.id.split(':').next().unwrap();
        assert!(storage.path().join(tenant).join("processed_fragments").join(&channel.name).is_dir());
    }
}
