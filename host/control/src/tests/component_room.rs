//! A tenant's components count in its storage quota.

use bytes::Bytes;

use super::super::components::Offered;
use super::super::quota::QuotaPatch;
use super::super::registry::ComponentSource;
use super::*;
use crate::limits::QUOTA_STORAGE_MIN;

use outboard_store::usage::FileKind;

fn offered(tenant: Option<&str>, bytes: &[u8]) -> Offered {
    Offered {
        tenant: tenant.map(str::to_owned),
        bytes: Bytes::copy_from_slice(bytes),
        source: ComponentSource::Upload,
        origin: "test.wasm".to_owned(),
        signature: None,
        gone: tokio_util::sync::CancellationToken::new(),
    }
}

/// A stage that is not among those that come with the host, for it has a section more: the digest is another.
fn component() -> Vec<u8> {
    let mut wasm = outboard_stage::bundled::files().next().unwrap().to_vec();
    // A custom section: id, length of the rest, length of its name, its name.
    wasm.extend([0, 2, 1, b'x']);
    wasm
}

#[tokio::test]
async fn what_does_not_fit_is_refused_before_it_is_looked_at_and_what_goes_gives_back() {
    let place = Place::new().await;
    place.tenant("acme").await;
    let quotas = QuotaPatch { storage_bytes: Some(QUOTA_STORAGE_MIN), ..QuotaPatch::default() };
    let patch = TenantPatch { quotas: Some(quotas), ..TenantPatch::default() };
    place.control.tenancy().update_tenant(&local(), "acme", patch).await.unwrap();
    let held = || place.host.janitor().usage().tenant("acme").of(FileKind::Components);
    let wasm = component();
    let size = wasm.len() as u64;
    let added = place.control.components().add(&local(), offered(Some("acme"), &wasm)).await.unwrap();
    let digest = added.component.label().digest;
    assert_eq!((held().files, held().bytes), (1, size));
    place.control.components().add(&local(), offered(Some("acme"), &wasm)).await.unwrap();
    assert_eq!(held().bytes, size, "the same again is the same");
    // Neither what is no component nor what is the operator's stays counted.
    place.control.components().add(&local(), offered(Some("acme"), b"no component")).await.unwrap_err();
    place.control.components().add(&local(), offered(None, &wasm)).await.unwrap();
    assert_eq!(held().bytes, size);
    let view = place.control.storage().view(&local(), Some("acme"), None).unwrap();
    assert_eq!(view.totals.all().bytes, size);
    // Another one, and the quota is used up but for a byte.
    place.host.janitor().usage().components().hold("acme", "sha256:other", QUOTA_STORAGE_MIN - size - 1);
    let refused = place.control.components().add(&local(), offered(Some("acme"), b"xy")).await.unwrap_err();
    assert!(matches!(&refused, ControlError::LimitExceeded(why) if why.contains("storage quota")), "{refused:?}");
    let odd = place.control.components().add(&local(), offered(Some("acme"), b"x")).await.unwrap_err();
    assert!(matches!(odd, ControlError::InvalidInput(_)), "it fits, and is looked at: {odd:?}");
    assert!(place.control.components().remove(&local(), &digest, Some("acme"), false).await.unwrap());
    assert_eq!(held().bytes, QUOTA_STORAGE_MIN - size - 1);
}
