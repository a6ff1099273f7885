//! What a tenant's pipelines and webhooks may reach and use, worked out from its row. Holds no state.

use serde::Deserialize;
use tokio::sync::broadcast;

use super::registry::TenantRow;
use outboard_net::{Guard, Policy};
use outboard_pipeline::{DEFAULT_TENANT, Owner};
use outboard_stage::StageLimits;
use outboard_store::limits::BATCH_STEPS_WAITING;

/// What a tenant may reach: what was set, else everything for the host's own tenant and the public internet for others.
/// A policy that cannot be read lets nothing through.
pub fn tenant_policy(tenant: &TenantRow) -> Policy {
    let policy = match &tenant.network {
        Some(value) => Policy::deserialize(value).map_err(|error| error.to_string()),
        None if tenant.name == DEFAULT_TENANT => return Policy::open(),
        None => return Policy::strict(),
    };
    policy.unwrap_or_else(|error| {
        tracing::error!(tenant = tenant.name, error, "failed to read the network policy: every address is denied");
        Policy { public: false, ..Policy::strict() }
    })
}

/// Holds a tenant to its network policy. A policy that is invalid denies every address.
pub(super) fn tenant_guard(tenant: &TenantRow) -> Guard {
    Guard::new(tenant_policy(tenant)).unwrap_or_else(|problems| {
        tracing::error!(tenant = tenant.name, %problems, "the network policy is invalid: every address is denied");
        Guard::new(Policy { public: false, ..Policy::strict() }).unwrap_or_default()
    })
}

/// What a tenant's pipelines may use, with a progress channel of its own.
pub(super) fn owner(tenant: &TenantRow) -> Owner {
    let quotas = tenant.quotas();
    Owner {
        tenant: tenant.name.clone(),
        stage_limits: StageLimits { memory_bytes: quotas.stage_memory_bytes, ..StageLimits::default() },
        progress: broadcast::Sender::new(BATCH_STEPS_WAITING),
        ffmpeg_processes: quotas.ffmpeg_processes as usize,
        guard: tenant_guard(tenant),
    }
}
