//! Lists are complete page by page, whatever their length and direction.

use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

use super::*;
use outboard_store::page::Order;

/// Reads a list in pages of these sizes.
async fn read<T, K: Clone>(
    order: Order,
    mut size: impl FnMut() -> usize,
    of: impl AsyncFn(Page<K>) -> Listed<T>,
    key: impl Fn(&T) -> K,
) -> Vec<T> {
    let mut rows: Vec<T> = Vec::new();
    loop {
        let page = Page { after: rows.last().map(&key), first: size(), order };
        let part = of(page.clone()).await;
        assert!(part.rows.len() <= page.first);
        assert!(!part.more || part.rows.len() == page.first, "a page that is not full is the last");
        let more = part.more;
        rows.extend(part.rows);
        if !more {
            return rows;
        }
    }
}

#[tokio::test]
async fn pages_of_any_size_make_up_the_whole_list_in_both_directions() {
    for seed in 0..12 {
        let mut random = rand::rngs::SmallRng::seed_from_u64(seed);
        let (_dir, registry) = registry().await;
        let quotas = QuotaPatch { pipelines: Some(100), ..QuotaPatch::default() };
        let mut ids = Vec::new();
        for tenant in ["acme", "other", "default"] {
            registry.set_quotas(&admin(), tenant, quotas).await.unwrap();
            let count = random.random_range(0..12);
            ids.extend((0..count).map(|n| id(tenant, ["a", "B", "-", "z.", "_9"][n % 5].repeat(n / 5 + 1).as_str())));
        }
        ids.shuffle(&mut random);
        for id in &ids {
            registry.create_pipeline(&admin(), pipeline(id.clone())).await.unwrap();
            let kind = EventKind::ALL[random.random_range(0..EventKind::ALL.len())];
            registry.add_events(vec![event(&id.tenant, Some(&id.stream), kind, Severity::Info)]).await.unwrap();
        }
        ids.sort();
        for order in [Order::OldestFirst, Order::NewestFirst] {
            let mut sizes = random.clone();
            let list = async |page| registry.pipelines(Scope::All, page).await.unwrap();
            let rows = read(order, || sizes.random_range(1..5), list, |row: &PipelineRow| row.id.clone()).await;
            let mut found: Vec<PipelineId> = rows.into_iter().map(|row| row.id).collect();
            if order == Order::NewestFirst {
                found.reverse();
            }
            assert_eq!(found, ids, "seed {seed} {order:?}");

            for tenant in ["acme", "other"] {
                let list = async |page| registry.pipelines(whole(tenant), page).await.unwrap();
                let rows = read(order, || sizes.random_range(1..5), list, |row: &PipelineRow| row.id.clone()).await;
                let count = ids.iter().filter(|id| id.tenant == tenant).count();
                assert_eq!((rows.len(), rows.iter().all(|row| row.id.tenant == tenant)), (count, true));
            }
            let filter = EventFilter::all(Scope::All);
            let list = async |page| registry.events(filter.clone(), page).await.unwrap();
            let events = read(order, || sizes.random_range(1..5), list, |row: &EventRow| row.id).await;
            assert_eq!(events.len(), ids.len());
            let ascending = events.is_sorted_by(|a, b| a.id < b.id);
            assert_eq!(ascending, order == Order::OldestFirst || events.len() < 2);
        }
    }
}

#[tokio::test]
async fn a_list_that_changes_while_it_is_read_repeats_and_skips_nothing_that_stays() {
    let (_dir, registry) = registry().await;
    let events = |count| vec![event("acme", None, EventKind::Failed, Severity::Error); count];
    let before = registry.add_events(events(20)).await.unwrap();
    let filter = EventFilter::all(whole("acme"));
    let list = async |page: Page| {
        let part = registry.events(filter.clone(), page).await.unwrap();
        registry.add_events(events(3)).await.unwrap();
        part
    };
    let rows = read(Order::NewestFirst, || 6, list, |row: &EventRow| row.id).await;
    let ids = |rows: &[EventRow]| rows.iter().map(|row| row.id).collect::<Vec<_>>();
    let mut found = ids(&rows);
    found.reverse();
    assert_eq!(found, ids(&before));
}

#[tokio::test]
async fn a_page_is_never_larger_than_the_bound() {
    let (_dir, registry) = registry().await;
    let many = vec![event("acme", None, EventKind::Failed, Severity::Error); 512];
    registry.add_events(many).await.unwrap();
    let part = registry.events(EventFilter::all(Scope::All), Page::newest(usize::MAX)).await.unwrap();
    assert_eq!((part.rows.len(), part.more), (outboard_store::limits::PAGE_ROWS_MAX, true));
    let none = registry.events(EventFilter::all(Scope::All), Page::newest(0)).await.unwrap();
    assert_eq!((none.rows.len(), none.more), (0, true));
    let tenants = registry.tenants(Page::oldest(2)).await.unwrap();
    let names: Vec<_> = tenants.rows.iter().map(|row| row.name.as_str()).collect();
    assert_eq!((names, tenants.more), (vec!["acme", "default"], true));
    let rest = registry.tenants(Page::oldest(2).after("default".to_owned())).await.unwrap();
    assert_eq!((rest.rows[0].name.as_str(), rest.rows.len(), rest.more), ("other", 1, false));
}
