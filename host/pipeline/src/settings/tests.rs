use serde_json::json;

use super::*;

fn patch(value: serde_json::Value) -> Patch {
    serde_json::from_value(value).unwrap()
}

const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn storage() -> (tempfile::TempDir, Storage) {
    let dir = tempfile::tempdir().unwrap();
    let storage = Storage::open(dir.path()).unwrap();
    (dir, storage)
}

fn whole() -> Settings {
    let patch = patch(json!({
        "source": { "url": "http://u:pw@o.test/live.m3u8?token=SECRET", "headers": [{ "name": "X-Key", "value": "SECRET" }] },
        "processor": { "url": "https://p.test/ns?key=SECRET", "auth": { "token": "SECRET" }, "inFlight": 2 },
        "destinations": [{ "url": "rtmp://h.test/live/SECRET", "srsApi": "http://127.0.0.1:1985" }],
        "batchSeconds": 6,
        "stages": { "batching": { "settings": { "batch_seconds": 6 } } },
    }));
    Settings::default().patched(patch).unwrap()
}

#[test]
fn checked_by_the_rules_of_the_command_line() {
    let config = whole().check("tv", &storage().1).unwrap();
    assert_eq!((config.stream_id.as_str(), config.batch.as_secs(), config.destinations.len()), ("tv", 6, 1));
    assert_eq!(config.processor.unwrap().in_flight, 2);
    assert_eq!(config.source.headers, [("X-Key".to_owned(), "SECRET".to_owned())]);
    assert_eq!(config.stages.settings["batching"], json!({ "batch_seconds": 6 }));
}

#[test]
fn a_component_is_named_by_its_digest() {
    let (_dir, storage) = storage();
    let file = storage.component(DIGEST).unwrap();
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, b"x").unwrap();
    let chosen = whole().patched(patch(json!({ "stages": { "framing": { "component": DIGEST } } }))).unwrap();
    assert_eq!(chosen.check("tv", &storage).unwrap().stages.files["framing"], file);
    for wrong in ["", "sha256:", "sha256:../../../../etc/passwd", &DIGEST.to_uppercase()] {
        assert_eq!(storage.component(wrong), None, "{wrong}");
    }
}

#[test]
fn every_problem_has_the_path_that_the_caller_used() {
    let wrong = Settings::default()
        .patched(patch(json!({
            "source": { "url": "ftp://x", "maxBandwidth": 0, "backupUrl": "nonsense" },
            "processor": { "url": "" },
            "destinations": [{ "url": "rtmp://h/live/k" }, { "url": "http://h" , "srsApi": "x" }],
            "batchSeconds": 1,
            "holdSeconds": -1.0,
            "stages": { "remuxPlanning": { "settings": [] }, "framing": { "component": "sha256:12" }, "batching": { "component": DIGEST } },
        })))
        .unwrap();
    let mut paths: Vec<String> =
        wrong.check("no spaces", &storage().1).unwrap_err().into_iter().map(|problem| problem.path).collect();
    paths.sort();
    let expected = [
        "batchSeconds",
        "destinations[1].srsApi",
        "destinations[1].url",
        "holdSeconds",
        "processor.url",
        "source.backupUrl",
        "source.maxBandwidth",
        "source.url",
        "stages.batching.component",
        "stages.framing.component",
        "stages.remuxPlanning.settings",
        "streamId",
    ];
    assert_eq!(paths, expected);
}

#[test]
fn nothing_shown_gives_access() {
    let text = whole().shown().to_string();
    assert!(!text.contains("SECRET") && !text.contains("pw"), "{text}");
    assert!(text.contains("o.test") && text.contains("X-Key") && text.contains("rtmp://h.test/live/…"), "{text}");
}

#[test]
fn what_is_not_named_stays_and_what_is_null_goes() {
    let before = whole();
    let id = before.destinations[0].id();
    let after = before
        .patched(patch(json!({
            "source": { "headers": [{ "name": "x-key" }] },
            "processor": { "inFlight": null },
            "destinations": [{ "id": id, "srsApi": null }, { "url": "rtmp://b/live/k" }],
        })))
        .unwrap();
    assert_eq!(after.source.url, before.source.url);
    assert_eq!(after.source.headers[0].value, "SECRET");
    let processor = after.processor.clone().unwrap();
    assert_eq!((processor.in_flight, processor.auth), (None, before.processor.clone().unwrap().auth));
    assert_eq!(
        (after.destinations[0].url.as_str(), &after.destinations[0].srs_api),
        (before.destinations[0].url.as_str(), &None)
    );
    assert_eq!(after.patched(patch(json!({ "processor": null }))).unwrap().processor, None);
}

#[test]
fn a_destination_keeps_its_id_when_it_is_renamed_or_switched_off() {
    let before = whole();
    let id = before.destinations[0].id();
    let one = |value| before.patched(patch(json!({ "destinations": [value] })));
    let renamed = one(json!({ "id": id, "name": "Main", "enabled": false })).unwrap();
    assert_eq!(renamed.destinations[0].id(), id);
    let config = renamed.check("tv", &storage().1).unwrap();
    assert_eq!((config.destinations[0].name.as_str(), config.destinations[0].enabled), ("Main", false));
    let again =
        renamed.patched(patch(json!({ "destinations": [{ "id": id, "name": null, "enabled": null }] }))).unwrap();
    assert_eq!(again, before, "null takes back");
    let config = again.check("tv", &storage().1).unwrap();
    assert_eq!((config.destinations[0].name.as_str(), config.destinations[0].enabled), ("h.test/live", true));
}

#[test]
fn names_of_destinations_are_told_apart() {
    let long = "x".repeat(65);
    let named = |name: &str, n: u8| json!({ "url": format!("rtmp://h/live/{n}"), "name": name });
    let destinations = json!([named("A", 0), named("A", 1), named(" ", 2), named(&long, 3), named("a\nb", 4)]);
    let wrong = whole().patched(patch(json!({ "destinations": destinations }))).unwrap();
    let problems = wrong.check("tv", &storage().1).unwrap_err();
    let paths: Vec<_> = problems.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(paths, [1, 2, 3, 4].map(|n| format!("destinations[{n}].name")));
    assert!(problems[0].message.contains("\"A\" is the name of another destination"), "{problems:?}");
}

#[test]
fn a_change_that_refers_to_nothing_is_refused() {
    let wrong = patch(json!({
        "source": { "headers": [{ "name": "Other" }] },
        "destinations": [{ "id": "rtmp-00000000" }, {}],
    }));
    let problems = whole().patched(wrong).unwrap_err();
    let paths: Vec<&str> = problems.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(paths, ["source.headers[0].value", "destinations[0].id", "destinations[1].url"]);
    assert!(problems[1].message.contains("rtmp-00000000"));
    let unknown = serde_json::from_value::<Patch>(json!({ "batchLength": 3 })).unwrap_err().to_string();
    assert!(unknown.contains("batchLength"), "{unknown}");
}

#[test]
fn hidden_values_go_to_no_other_server_than_before() {
    let wrong = |value| {
        let problems = whole().patched(patch(value)).unwrap_err();
        let paths = problems.iter().map(|problem| problem.path.as_str()).collect::<Vec<_>>().join(" ");
        assert!(!format!("{problems:?}").contains("SECRET"), "{problems:?}");
        paths
    };
    let fine = |value| whole().patched(patch(value)).unwrap();
    // Another scheme, host or port.
    for url in ["https://o.test/live.m3u8", "http://mine.test/live.m3u8", "http://o.test:81/live.m3u8", "nonsense"] {
        assert_eq!(wrong(json!({ "source": { "url": url } })), "source.headers[0].value", "{url}");
        let named = json!({ "source": { "url": url, "headers": [{ "name": "x-key" }] } });
        assert_eq!(wrong(named), "source.headers[0].value", "{url}");
    }
    let backup = json!({ "source": { "backupUrl": "http://mine.test/live.m3u8" } });
    assert_eq!(wrong(backup), "source.headers[0].value", "a backup is sent them too");
    let other = "http://mine.test/live.m3u8";
    let again = fine(json!({ "source": { "url": other, "headers": [{ "name": "X-Key", "value": "new" }] } }));
    assert_eq!(again.source.headers[0].value, "new");
    assert!(fine(json!({ "source": { "url": other, "headers": [] } })).source.headers.is_empty());
    for url in ["http://O.test:80/other.m3u8", "http://u2:pw2@o.test/live.m3u8"] {
        assert_eq!(fine(json!({ "source": { "url": url } })).source.headers, whole().source.headers, "{url}");
    }
    let hosts = json!({ "source": { "headerHosts": ["mine.test"] } });
    assert_eq!(wrong(hosts), "source.headers[0].value", "a host that they are sent to");
    let given = json!({ "source": { "headerHosts": ["cdn.test"], "headers": [{ "name": "X-Key", "value": "new" }] } });
    let listed = fine(given).patched(patch(json!({ "source": { "headerHosts": null } }))).unwrap();
    assert_eq!((listed.source.headers.len(), listed.source.header_hosts.len()), (1, 0));
    let backup = json!({ "source": { "url": "http://o.test/b.m3u8", "backupUrl": "http://o.test/a.m3u8" } });
    assert_eq!(fine(backup).source.headers, whole().source.headers);

    let url = "https://mine.test/ns";
    assert_eq!(wrong(json!({ "processor": { "url": url } })), "processor.auth");
    for auth in [json!(null), json!({ "token": "mine" })] {
        let given = fine(json!({ "processor": { "url": url, "auth": auth } }));
        assert_ne!(given.processor.unwrap().auth, whole().processor.unwrap().auth);
    }
    let same = fine(json!({ "processor": { "url": "https://p.test/other", "path": "/x/" } }));
    assert_eq!(same.processor.unwrap().auth, whole().processor.unwrap().auth);
    let headers = json!({ "processor": { "headers": [{ "name": "A", "value": "1" }, { "name": "A", "value": "2" }] } });
    let two = fine(headers);
    let moved = two.patched(patch(json!({ "processor": { "url": url, "auth": null } }))).unwrap_err();
    let paths: Vec<_> = moved.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(paths, ["processor.headers[0].value", "processor.headers[1].value"]);
    let kept = two.patched(patch(json!({ "batchSeconds": 9 }))).unwrap();
    assert_eq!(kept.processor, two.processor, "headers of one name stay as they are");
}
