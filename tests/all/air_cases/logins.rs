//! Servers that require a login for publishing.

use super::*;

const ADOBE: Login = Login { method: "adobe", user: "me@studio", password: "SECRET: 1/2" };
const LIMELIGHT: Login = Login { method: "llnw", ..ADOBE };

/// Inserts the login into a URL.
fn with_login(url: &str, login: &str) -> String {
    url.replace("rtmp://", &format!("rtmp://{login}@"))
}

#[tokio::test]
async fn a_login_in_the_url_is_given_as_the_server_wants_it() {
    let dir = scratch();
    let batches = batches(dir.path(), 1);
    for login in [ADOBE, LIMELIGHT] {
        let server = FakeServer::start(move |_| Script { login: Some(login), ..GOOD }).await;
        let url = with_login(&server.url("key"), "me%40studio:SECRET%3A%201%2F2");
        let programme = Programme::new(vec![to("a", &url)], 2.0);
        programme.start(&batches);
        let (status, _, _) = programme.drain().await;
        assert_eq!((status[0].url.clone(), status[0].counters.sessions), (server.url("…"), 1));
        let logs = server.logs();
        assert_eq!(logs.len(), 3, "asked for the method, asked for the challenge, let in");
        assert_same(&logs[2].recording.packets, &spooled(&batches));
        let names = &logs[2].names;
        assert!(names[0].starts_with(&format!("live?authmod={}&user=me@studio&", login.method)), "{names:?}");
        assert!(names[1].contains("/live?authmod=") && names[2] == "key", "{names:?}");
        assert!(!format!("{logs:?}").contains("SECRET"), "the password does not go over the wire");
    }
}

#[tokio::test]
async fn a_login_that_is_refused_is_named_and_not_tried_again_at_once() {
    let dir = scratch();
    let batches = batches(dir.path(), 2);
    let good = FakeServer::start(|_| GOOD).await;
    for (given, connections, want) in [
        (Some("me%40studio:SECRET2"), 3, "the server refused the login of user \"me@studio\": wrong user or password"),
        (Some("you:SECRET2"), 2, "the server refused the login of user \"you\": the server does not know the user"),
        (None, 1, "the server requires a login (adobe), and the destination's URL has none"),
    ] {
        let server = FakeServer::start(|_| Script { login: Some(ADOBE), ..GOOD }).await;
        let url = given.map_or_else(|| server.url("key"), |login| with_login(&server.url("key"), login));
        let mut programme = Programme::new(vec![to("a", &url), to("b", &good.url("key"))], 2.0);
        programme.start(&batches);
        programme.until(0, "refused", |status| matches!(status.state, DestinationState::Retrying { .. })).await;
        // More than one batch passes: with the delays of a lost connection there would be several attempts.
        programme.until(1, "on air", |status| status.counters.video > 40).await;
        let status = programme.air.stop().await;
        let reason = std::iter::from_fn(|| programme.events.try_recv().ok()).find_map(|event| match event {
            AirEvent::Lost { reason, .. } => Some(reason),
            _ => None,
        });
        let reason = reason.expect("a reason");
        assert!(reason.starts_with(want) && !reason.contains("SECRET"), "{reason}");
        assert_eq!((server.logs().len(), status[0].counters.sessions), (connections, 0));
    }
}
