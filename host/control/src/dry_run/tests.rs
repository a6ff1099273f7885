//! What needs no real parts; dry runs against real ones are in `tests/all/dry_run.rs`.

use super::*;

const LIMIT: Duration = Duration::from_millis(50);

#[tokio::test]
async fn a_check_that_hangs_is_ended_and_said() {
    let hangs = check("source.url", LIMIT, std::future::pending::<Result<Finding, Fault>>()).await;
    assert!(!hangs.ok && hangs.temporary && hangs.message.contains("not finished within"), "{hangs:?}");
    assert!(hangs.took_ms >= 50, "{hangs:?}");
    let good = check("x", LIMIT, async { Ok(Finding::new("fine").fact("a", 1).fact("b", None::<u8>)) });
    let good = good.await;
    assert_eq!((good.ok, good.message.as_str(), good.detail.len()), (true, "fine", 1));
    let bad = check("x", LIMIT, async { Err(Fault::lasting("no")) }).await;
    assert_eq!((bad.ok, bad.temporary, bad.message.as_str()), (false, false, "no"));
}

#[test]
fn all_that_fails_must_be_able_to_pass_for_the_whole_to() {
    let away = || Check::failed("source.url", true, "HTTP status 404");
    let good = || Check { ok: true, temporary: false, ..away() };
    let judged = |checks: Vec<Check>| {
        let whole = Validation::default().with(checks);
        (whole.ok, whole.temporary)
    };
    assert_eq!(judged(vec![good()]), (true, false));
    assert_eq!(judged(vec![good(), away()]), (false, true));
    assert_eq!(judged(vec![away(), Check::failed("source", false, "hevc")]), (false, false));
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
