//! What needs no real parts; dry runs against real ones are in `tests/all/dry_run.rs`.

use super::*;

const LIMIT: Duration = Duration::from_millis(50);

#[tokio::test]
async fn a_check_that_hangs_is_ended_and_said() {
    let hangs = check("source.url", LIMIT, std::future::pending::<Result<Finding, String>>()).await;
    assert!(!hangs.ok && hangs.message.contains("nothing came of it"), "{hangs:?}");
    assert!(hangs.took_ms >= 50, "{hangs:?}");
    let good = check("x", LIMIT, async { Ok::<_, String>(Finding::new("fine").fact("a", 1).fact("b", None::<u8>)) });
    let good = good.await;
    assert_eq!((good.ok, good.message.as_str(), good.detail.len()), (true, "fine", 1));
    let bad = check("x", LIMIT, async { Err::<Finding, _>("no") }).await;
    assert_eq!((bad.ok, bad.message.as_str()), (false, "no"));
}

#[test]
fn a_tenants_dry_runs_are_bounded_and_no_other_tenants() {
    let runs = DryRuns::default();
    let places: Vec<_> = (0..DRY_RUNS_PER_TENANT).map(|_| runs.enter("a").ok().unwrap()).collect();
    assert!(matches!(runs.enter("a"), Err(ControlError::LimitExceeded(_))));
    assert!(runs.enter("b").is_ok());
    drop(places);
    assert!(runs.enter("a").is_ok());
    assert!(runs.0.lock().unwrap().is_empty(), "nothing is kept of tenants without any");
}
