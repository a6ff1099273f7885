use super::*;
use crate::dry_run::Validation;

fn failed(found: &Validation, path: &str) -> String {
    let check = found.checks.iter().find(|check| check.path == path);
    check.filter(|check| !check.ok).map(|check| check.message.clone()).unwrap_or_default()
}

#[tokio::test]
async fn a_name_and_an_address_that_are_taken_are_told_and_tenants_stay_walls() {
    let place = Place::new().await;
    place.tenant("acme").await;
    place.pipeline("acme", "secret-show", true).await;
    // The same settings under a name that is there, whether or not they are equal.
    let found = place.control.pipelines().validate(&local(), new("acme", "secret-show", false)).await.unwrap();
    assert_eq!(found.checks[0].path, "streamId");
    assert!(failed(&found, "streamId").contains("\"secret-show\" is taken"), "{found:#?}");
    assert!(!found.ok && !found.temporary);
    // Another pipeline of the tenant that would publish to the same address hears who does.
    let found = place.control.pipelines().validate(&local(), new("acme", "other", false)).await.unwrap();
    assert_eq!(failed(&found, "streamId"), "");
    let warned = |found: &Validation| {
        let check = found.checks.iter().find(|check| check.path == "destinations[0].url").unwrap();
        format!("{} {}", check.message, check.warnings.join(" "))
    };
    assert!(warned(&found).contains("pipeline acme:secret-show publishes to this address"), "{found:#?}");
    // Another tenant's hears that somebody does.
    let found = place.control.pipelines().validate(&local(), new("default", "tv", false)).await.unwrap();
    let told = serde_json::to_string(&found).unwrap();
    assert!(warned(&found).contains("another pipeline of this host publishes to this address"), "{told}");
    assert!(!told.contains("acme") && !told.contains("secret-show"), "{told}");
    // One that is not meant to run is in nobody's way.
    place.control.pipelines().stop(&local(), "acme:secret-show", StopMode::AtOnce).await.unwrap();
    let found = place.control.pipelines().validate(&local(), new("default", "tv", false)).await.unwrap();
    assert!(!warned(&found).contains("another pipeline"), "{found:#?}");
}
