//! Components and the storage quota: a tenant's component is counted before it is looked at, and given back when it is not
//! taken or goes.

use super::offered::Offered;
use crate::error::ControlError;
use crate::registry::ComponentRow;
use outboard_pipeline::Host;
use outboard_stage::Digest;
use outboard_store::files::component_file;
use outboard_store::usage::Ledger;

/// Room that is taken for a component; given back unless it is kept.
#[must_use]
pub(super) struct Taken {
    ledger: Ledger,
    /// `None`: nothing was taken, as it is the operator's or was there already.
    of: Option<(String, String)>,
}

impl Taken {
    /// The component is there to stay.
    pub(super) fn keep(mut self) {
        self.of = None;
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if let Some((tenant, digest)) = self.of.take() {
            self.ledger.components().give_back(&tenant, &digest);
        }
    }
}

/// Takes room for a component out of its tenant's quota.
///
/// # Errors
/// [`ControlError::LimitExceeded`] where there is not so much left.
pub(super) fn take(host: &Host, offered: &Offered) -> Result<Taken, ControlError> {
    let janitor = host.janitor();
    let ledger = janitor.usage().clone();
    let Some(tenant) = &offered.tenant else { return Ok(Taken { ledger, of: None }) };
    let (digest, bytes) = (format!("sha256:{}", Digest::of(&offered.bytes)), offered.bytes.len() as u64);
    // Counted first: of two at once, each sees the other.
    if !ledger.components().hold(tenant, &digest, bytes) {
        return Ok(Taken { ledger, of: None });
    }
    let taken = Taken { ledger: ledger.clone(), of: Some((tenant.clone(), digest)) };
    let used = ledger.tenant(tenant).all().bytes;
    match janitor.quota(tenant) {
        Some(quota) if used > quota => Err(ControlError::LimitExceeded(format!(
            "a component of {bytes} bytes does not fit into the storage quota of tenant {tenant}: {} of {quota} bytes are \
             in use. Remove components or clean storage",
            used - bytes
        ))),
        _ => Ok(taken),
    }
}

/// Counts a component that is in the store already in its tenant's use of storage.
pub(super) fn count(host: &Host, row: &ComponentRow) {
    let (digest, Some(tenant)) = (&row.component.digest, &row.component.tenant) else { return };
    let file = component_file(host.storage().root(), digest);
    if let Some(found) = file.and_then(|file| std::fs::metadata(file).ok()) {
        host.janitor().usage().components().hold(tenant, digest, found.len());
    }
}

/// Stops counting a component that its tenant has no more; `None`: the operator's, which is not counted.
pub(super) fn give_back(host: &Host, digest: &str, tenant: Option<&str>) {
    if let Some(tenant) = tenant {
        host.janitor().usage().components().give_back(tenant, digest);
    }
}
