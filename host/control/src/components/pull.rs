//! Components that are fetched from a registry.

use tokio_util::sync::CancellationToken;

use super::oci::{self, Bounds, Credentials, OciError, OciPull, Reference};
use super::{Components, ListedComponent, Offered, Refused};
use crate::access::{Action, Actor};
use crate::error::ControlError;
use crate::registry::ComponentSource;
use outboard_base::unix_time::now_ms;
use outboard_pipeline::DEFAULT_TENANT;

/// A component to be fetched.
#[derive(Debug, Clone)]
pub struct NewPull {
    /// Address of the image, `oci://host[:port]/name[:tag]@sha256:…`; the digest is required.
    pub reference: String,
    /// Whose it will be; `None`: every tenant's.
    pub tenant: Option<String>,
    /// Who we are to the registry.
    pub credentials: Option<Credentials>,
    /// Uses http instead of https. A password is then sent to this machine only.
    pub insecure: bool,
    /// Its detached signature in base64; `None`: the one that the registry has with it.
    pub signature: Option<String>,
    /// Cancelled once nobody waits for the answer.
    pub gone: CancellationToken,
}

// === impl Components ===

impl Components {
    /// Fetches a component from a registry and adds it. What the tenant's network policy does not let it reach is not reached for
    /// it; what is for every tenant goes by the policy of the host's own.
    ///
    /// # Errors
    /// Any [`ControlError`]; [`ControlError::InvalidInput`] at `reference`, `auth` or `signature`, [`ControlError::Unavailable`] where the
    /// registry does not answer.
    pub async fn pull(&self, actor: &Actor, new: NewPull) -> Result<ListedComponent, ControlError> {
        let NewPull { reference, tenant, credentials, insecure, signature, gone } = new;
        let row = match &tenant {
            Some(tenant) => self.0.tenants.allowed(actor, Action::AddStage, Some(tenant))?,
            None => {
                actor.check(Action::ShareStage, None)?;
                self.0.tenants.allowed(actor, Action::AddStage, Some(DEFAULT_TENANT))?
            }
        };
        let reference = Reference::parse(&reference).map_err(|wrong| ControlError::invalid("reference", wrong))?;
        let origin = reference.to_string();
        let pulling = self.0.library.pulling(tenant.clone())?;
        let guard = crate::tenant_network::tenant_guard(&row);
        let wanted = OciPull { reference, credentials, insecure };
        let pulled = match oci::pull(&guard, &wanted, Bounds::default()).await {
            Ok(pulled) => pulled,
            Err(error) => {
                let reason = error.to_string();
                tracing::warn!(tenant, origin, reason, "failed to pull a component");
                if error.passes() {
                    return Err(ControlError::Unavailable(reason));
                }
                let path = if matches!(error, OciError::Auth(_)) { "auth" } else { "reference" };
                let source = ComponentSource::Registry;
                self.0.library.refuse(Refused { tenant, origin, source, reason: reason.clone(), at_ms: now_ms() });
                return Err(ControlError::invalid(path, reason));
            }
        };
        drop(pulling);
        let signature = signature.or(pulled.signature);
        let source = ComponentSource::Registry;
        let offered = Offered { tenant, bytes: pulled.bytes, source, origin, signature, gone };
        self.add(actor, offered).await
    }
}
