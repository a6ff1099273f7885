use super::*;

fn change(value: Value) -> Change {
    Change { patch: patch(value), ..Change::default() }
}

#[tokio::test]
async fn nothing_but_a_stop_at_once_cuts_a_drain_short() {
    let place = Place::new().await;
    place.tenant("acme").await;
    let entry = place.pipeline("acme", "tv", true).await;
    place.control.pipelines().stop(&local(), "acme:tv", StopMode::Drain).await.unwrap();
    let drained = entry.wanted();
    let network = Some(Some(json!({ "private": true, "files": true })));
    let tenant = async |patch| place.control.tenancy().update_tenant(&local(), "acme", patch).await.unwrap();
    place.control.pipelines().update(&local(), "acme:tv", change(json!({ "batchSeconds": 9 }))).await.unwrap();
    place.control.pipelines().roll_back(&local(), "acme:tv", 1, None).await.unwrap();
    tenant(TenantPatch { network, ..TenantPatch::default() }).await;
    tenant(TenantPatch { disabled: Some(false), ..TenantPatch::default() }).await;
    let now = entry.wanted();
    assert_eq!((now.running, now.mode, now.turn), (false, StopMode::Drain, drained.turn));
    assert_eq!((now.revision, now.settings.batch_seconds), (3, None), "it counts with the next start");
    place.control.pipelines().stop(&local(), "acme:tv", StopMode::AtOnce).await.unwrap();
    assert_eq!(entry.wanted().mode, StopMode::AtOnce);
    // What runs is restarted for a change that it cannot take on air.
    place.control.pipelines().start(&local(), "acme:tv").await.unwrap();
    let source = change(json!({ "source": { "maxBandwidth": 9 } }));
    place.control.pipelines().update(&local(), "acme:tv", source).await.unwrap();
    assert_eq!((entry.wanted().mode, entry.wanted().turn), (StopMode::AtOnce, drained.turn + 1));
}

/// A pipeline that runs for as long as the test: its source takes connections and never answers.
async fn waits_for_its_source(place: &Place) -> (Arc<PipelineHandle>, std::net::TcpListener) {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/live.m3u8", silent.local_addr().unwrap());
    let mut made = new("default", "tv", true);
    made.patch.source = patch(json!({ "source": { "url": url } })).source;
    (place.control.pipelines().create(&local(), made).await.unwrap(), silent)
}

#[tokio::test]
async fn what_runs_takes_a_change_on_air_where_it_can_also_a_roll_back() {
    let place = Place::new().await;
    let (entry, _silent) = waits_for_its_source(&place).await;
    let mut runs = entry.runs();
    let turn = entry.wanted().turn;
    let mut runs_with = async |revision: u64| {
        let taken = runs.wait_for(|run| run.live.is_some() && run.revision == Some(revision));
        let run = tokio::time::timeout(SOON, taken).await.unwrap().unwrap();
        (run.live.as_ref().unwrap().number, run.live.as_ref().unwrap().settings.batch_seconds)
    };
    let (run, _) = runs_with(1).await;
    let to = json!([{ "url": "rtmp://127.0.0.1:9/live/key", "name": "Main" }, { "url": "rtmp://127.0.0.1:9/live/b" }]);
    let live = json!({ "batchSeconds": 9, "cushionSeconds": 4, "keep": { "batches": 3 }, "destinations": to });
    place.control.pipelines().update(&local(), "tv", change(live)).await.unwrap();
    assert_eq!(runs_with(2).await, (run, Some(9)), "the same run");
    let shown = entry.live().unwrap();
    place.control.pipelines().roll_back(&local(), "tv", 1, None).await.unwrap();
    assert_eq!(runs_with(3).await, (run, None), "back again in the same run");
    assert_eq!((entry.wanted().turn, shown.number), (turn, run));

    // A change that waits for the next start is part of a later one: then it is restarted.
    let waits = Change { apply: Apply::NextStart, ..change(json!({ "source": { "maxBandwidth": 9 } })) };
    place.control.pipelines().update(&local(), "tv", waits).await.unwrap();
    assert_eq!(entry.wanted().turn, turn);
    place.control.pipelines().update(&local(), "tv", change(json!({ "batchSeconds": 9 }))).await.unwrap();
    assert_eq!(entry.wanted().turn, turn + 1);
}

#[tokio::test]
async fn destinations_are_switched_and_connected_again_by_those_who_may() {
    let place = Place::new().await;
    let (entry, _silent) = waits_for_its_source(&place).await;
    let id = entry.settings().destinations[0].id();
    let control = &place.control;
    let off = control.pipelines().set_destination_enabled(&local(), "tv", &id, false).await.unwrap();
    assert!(!off.settings().destinations[0].enabled);
    assert_eq!((off.revision(), off.settings().destinations[0].id()), (2, id.clone()));
    control.pipelines().set_destination_enabled(&local(), "tv", &id, false).await.unwrap();
    assert_eq!(entry.revision(), 2, "it is so already");
    let absent = control.pipelines().set_destination_enabled(&local(), "tv", "rtmp-00000000", true).await;
    assert!(matches!(absent, Err(ControlError::NotFound(_))), "{absent:?}");
    let mut runs = entry.runs();
    let taken = runs.wait_for(|run| run.live.is_some() && run.revision == Some(2));
    tokio::time::timeout(SOON, taken).await.unwrap().unwrap();
    let disabled = control.pipelines().reconnect_destination(&local(), "tv", &id).await;
    assert!(matches!(disabled, Err(ControlError::Conflict(_))), "{disabled:?}");
    let viewer = Actor { role: Role::Viewer, ..local() };
    for refused in [
        control.pipelines().set_destination_enabled(&viewer, "tv", &id, true).await,
        control.pipelines().reconnect_destination(&viewer, "tv", &id).await,
    ] {
        assert!(matches!(refused, Err(ControlError::Forbidden(_))), "{refused:?}");
    }
    control.pipelines().set_destination_enabled(&local(), "tv", &id, true).await.unwrap();
    control.pipelines().reconnect_destination(&local(), "tv", &id).await.unwrap();
    let lines = place.audit().await;
    let told: Vec<_> = lines.iter().filter(|line| line.action == "destination.reconnect").collect();
    assert_eq!(told.len(), 1, "what was refused is not told as done: {told:?}");
    assert_eq!(told[0].detail, Some(json!({ "destination": id })));
}

#[tokio::test]
async fn a_restart_is_of_the_start_that_was_looked_at_and_told_as_one() {
    let place = Place::new().await;
    let entry = place.pipeline("default", "tv", true).await;
    let mut shown = entry.snapshots();
    let mut started = async |not: Option<u64>| {
        let found = shown.wait_for(|snapshot| {
            let started = snapshot.run.started_ms;
            started.is_some() && started != not
        });
        tokio::time::timeout(SOON, found).await.unwrap().unwrap().run.started_ms.unwrap()
    };
    let restart = async |expected| place.control.pipelines().restart(&local(), "tv", StopMode::AtOnce, expected).await;
    let first = started(None).await;
    assert!(matches!(restart(Some(first - 1)).await, Err(ControlError::Conflict(_))));
    restart(Some(first)).await.unwrap();
    // The answer was lost on its way, and the caller asks again.
    assert!(matches!(restart(Some(first)).await, Err(ControlError::Conflict(_))));
    let second = started(Some(first)).await;
    assert!(second > first, "{second} {first}");
    assert!(matches!(restart(Some(first)).await, Err(ControlError::Conflict(_))));
    restart(None).await.unwrap();
    let lines = place.audit().await;
    let restarts: Vec<_> =
        lines.iter().filter(|line| line.action.starts_with("pipeline.") && line.action != "pipeline.create").collect();
    let told: Vec<_> = restarts.iter().map(|line| (line.action.as_str(), line.outcome)).collect();
    assert_eq!(told, [("pipeline.restart", registry::Outcome::Done); 2], "a conflict does nothing");
    assert_eq!(restarts[0].detail, Some(json!({ "mode": "at-once" })));
}

#[tokio::test]
async fn addresses_that_the_tenant_may_not_reach_are_refused_by_name() {
    let place = Place::new().await;
    place.tenant("acme").await;
    let create = async |tenant: &str, settings: Value| {
        let patch = patch(settings);
        let new = NewPipeline { patch, ..new(tenant, "tv", false) };
        match place.control.pipelines().create(&local(), new).await {
            Ok(_) => Vec::new(),
            Err(error) => error.problems().iter().map(|problem| problem.path.clone()).collect(),
        }
    };
    let denied = json!({
        "source": { "url": "http://169.254.169.254/live.m3u8", "backupUrl": "http://[::1]/live.m3u8" },
        "processor": { "url": "http://10.0.0.1:5000" },
        "destinations": [
            { "url": "rtmp://127.1/live/key", "srsApi": "http://localhost.test:1985" },
            { "url": "file:///etc/x.flv" },
            { "url": "rtmp://example.com/live/key", "srsApi": "http://127.0.0.1:1985" },
        ],
    });
    let mut paths = create("acme", denied.clone()).await;
    paths.sort();
    let expected = [
        "destinations[0].url",
        "destinations[1].url",
        "destinations[2].srsApi",
        "processor.url",
        "source.backupUrl",
        "source.url",
    ];
    assert_eq!(paths, expected);
    assert!(place.control.pipelines().list(&local(), None).unwrap().is_empty());
    assert_eq!(create("default", denied).await, [""; 0], "the host's own tenant may reach everything");

    let fine = json!({
        "source": { "url": "https://example.com/live.m3u8" }, "destinations": [{ "url": "rtmp://example.com/live/key" }],
    });
    assert_eq!(create("acme", fine).await, [""; 0]);
    let update = json!({ "source": { "url": "http://169.254.169.254/live.m3u8" } });
    let refused = place.control.pipelines().update(&local(), "acme:tv", change(update)).await.unwrap_err();
    assert_eq!(refused.problems()[0].path, "source.url");
    assert!(refused.to_string().contains("169.254.169.254") && !refused.to_string().contains("m3u8"), "{refused}");
}

#[tokio::test]
async fn trying_settings_is_written_down() {
    let place = Place::new().await;
    place.pipeline("default", "tv", false).await;
    place.control.pipelines().validate_change(&local(), "tv", patch(json!({ "batchSeconds": 9 }))).await.unwrap();
    let line = place.audit().await.pop().unwrap();
    assert_eq!((line.action.as_str(), line.target.as_str()), ("pipeline.validate", "pipeline default:tv"));
}

#[tokio::test]
async fn a_name_that_cannot_be_one_hides_nothing_else_that_is_wrong() {
    let place = Place::new().await;
    let wrong = json!({ "source": { "url": "no url" }, "destinations": [{ "url": "http://127.0.0.1/" }] });
    let offered = || NewPipeline { patch: patch(wrong.clone()), ..new("default", "no/name", false) };
    let paths = |error: ControlError| error.problems().iter().map(|one| one.path.clone()).collect::<Vec<_>>();
    let created = paths(place.control.pipelines().create(&local(), offered()).await.unwrap_err());
    assert_eq!(created, ["streamId", "source.url", "destinations[0].url"]);
    assert_eq!(paths(place.control.pipelines().validate(&local(), offered()).await.unwrap_err()), created);
}
