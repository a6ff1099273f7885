//! The types of tenants, their quotas and policies.

use async_graphql::{ID, InputObject, MaybeUndefined, SimpleObject};
use serde_json::Value;

use crate::graphql::scalars::{BigInt, DateTime};
use outboard_control::quota::{self, QuotaPatch};
use outboard_control::registry::TenantRow;
use outboard_control::{components, tenant_policy};
use outboard_net::Policy;

/// A tenant: a user of this host, isolated from all others.
#[derive(Debug, Clone, SimpleObject)]
pub struct Tenant {
    /// Name of the tenant, which is also its ID.
    pub id: ID,
    /// Time at which the tenant was created.
    pub created_at: DateTime,
    /// True if the tenant is disabled: its tokens are rejected and its pipelines do not run.
    pub disabled: bool,
    /// Quotas of the tenant.
    pub quotas: Quotas,
    /// Addresses that the tenant may reach.
    pub network_policy: NetworkPolicy,
    /// Components that the tenant may use as stages.
    pub stage_policy: StagePolicy,
}

/// The quotas of a tenant.
#[derive(Debug, Clone, SimpleObject)]
pub struct Quotas {
    /// Maximum number of pipelines, running or not.
    pub pipelines: u32,
    /// Maximum number of destinations per pipeline.
    pub destinations_per_pipeline: u32,
    /// Maximum storage of all pipelines together, in bytes.
    pub storage_bytes: BigInt,
    /// Maximum memory of one stage instance, in bytes.
    pub stage_memory_bytes: BigInt,
    /// Maximum number of unanswered fragments at processors, of all pipelines together.
    pub in_flight_fragments: u32,
    /// Maximum number of concurrent ffmpeg processes of all pipelines together. Further ones wait.
    pub ffmpeg_processes: u32,
}

/// The addresses that a tenant's sources, processors, destinations and webhooks may reach. The first rule that applies
/// decides: `denyHosts` and `denyRanges` block; `allowRanges` permits; `public` and `private` decide about all other
/// addresses, and `allowHosts` permits further hosts on the public internet.
#[derive(Debug, Clone, SimpleObject)]
pub struct NetworkPolicy {
    /// Blocked host names: `example.com`, or `*.example.com` for all names below it.
    pub deny_hosts: Vec<String>,
    /// Blocked addresses: `192.0.2.0/24`, `2001:db8::/32` or a single address.
    pub deny_ranges: Vec<String>,
    /// Host names that are permitted although `public` is false.
    pub allow_hosts: Vec<String>,
    /// Addresses that are permitted although `public` or `private` is false.
    pub allow_ranges: Vec<String>,
    /// True to permit addresses on the public internet.
    pub public: bool,
    /// True to permit all other addresses: loopback, private, link-local, shared and reserved.
    pub private: bool,
    /// True to permit destinations that are files on this machine.
    pub files: bool,
}

/// The components that a tenant may use as stages. Bundled components are always permitted.
#[derive(Debug, Clone, SimpleObject)]
pub struct StagePolicy {
    /// Digests of the only permitted components. Null: every component that is available to the tenant. If `publicKey`
    /// is set, a shared component that is listed here needs no signature.
    pub allow: Option<Vec<String>>,
    /// Public key in PEM form. The tenant's own components must be signed with it. Null: no signature is required.
    pub public_key: Option<String>,
}

/// A tenant to create.
#[derive(Debug, Clone, InputObject)]
pub struct CreateTenantInput {
    /// Name of the tenant, which is also its ID. Allowed characters: letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// Quotas of the tenant. Default: the quotas of every new tenant.
    pub quotas: Option<QuotasInput>,
    /// Addresses that the tenant may reach. Default: the public internet.
    pub network_policy: Option<NetworkPolicyInput>,
    /// Components that the tenant may use as stages. Default: every component that is available to it.
    pub stage_policy: Option<StagePolicyInput>,
}

/// Changes to a tenant. Fields that are not set stay unchanged.
#[derive(Debug, Clone, InputObject)]
pub struct UpdateTenantInput {
    /// True: disable the tenant. False: enable it again.
    pub disabled: Option<bool>,
    /// The quotas to change.
    pub quotas: Option<QuotasInput>,
    /// Addresses that the tenant may reach. Replaces the whole policy. Null: the policy of a new tenant.
    pub network_policy: MaybeUndefined<NetworkPolicyInput>,
    /// Components that the tenant may use as stages. Replaces the whole policy. Null: every component that is available
    /// to the tenant. Pipelines that are on air stay on air. A pipeline whose settings name a component that is no
    /// longer permitted can no longer be changed, swapped or started.
    pub stage_policy: MaybeUndefined<StagePolicyInput>,
}

/// The result of `deleteTenant`.
#[derive(Debug, Clone, SimpleObject)]
pub struct DeleteTenantPayload {
    /// Name of the tenant.
    pub id: ID,
    /// True if this call deleted the tenant. False if there was no such tenant.
    pub deleted: bool,
}

/// Quotas to set. Fields that are not set stay unchanged; for a new tenant they get the default of every new tenant.
#[derive(Debug, Clone, Default, InputObject)]
pub struct QuotasInput {
    /// Maximum number of pipelines, running or not.
    pub pipelines: Option<u32>,
    /// Maximum number of destinations per pipeline.
    pub destinations_per_pipeline: Option<u32>,
    /// Maximum storage of all pipelines together, in bytes.
    pub storage_bytes: Option<BigInt>,
    /// Maximum memory of one stage instance, in bytes.
    pub stage_memory_bytes: Option<BigInt>,
    /// Maximum number of unanswered fragments at processors, of all pipelines together.
    pub in_flight_fragments: Option<u32>,
    /// Maximum number of concurrent ffmpeg processes of all pipelines together. Further ones wait.
    pub ffmpeg_processes: Option<u32>,
}

/// The addresses that a tenant may reach.
#[derive(Debug, Clone, InputObject)]
pub struct NetworkPolicyInput {
    /// Blocked host names: `example.com`, or `*.example.com` for all names below it.
    #[graphql(default)]
    pub deny_hosts: Vec<String>,
    /// Blocked addresses: `192.0.2.0/24`, `2001:db8::/32` or a single address.
    #[graphql(default)]
    pub deny_ranges: Vec<String>,
    /// Host names that are permitted although `public` is false.
    #[graphql(default)]
    pub allow_hosts: Vec<String>,
    /// Addresses that are permitted although `public` or `private` is false.
    #[graphql(default)]
    pub allow_ranges: Vec<String>,
    /// True: permit addresses on the public internet.
    #[graphql(default = true)]
    pub public: bool,
    /// True: permit all other addresses: loopback, private, link-local, shared and reserved.
    #[graphql(default)]
    pub private: bool,
    /// True: permit destinations that are files on this machine.
    #[graphql(default)]
    pub files: bool,
}

/// The components that a tenant may use as stages.
#[derive(Debug, Clone, InputObject)]
pub struct StagePolicyInput {
    /// Digests of the only permitted components, `sha256:…`. Default: every component that is available to the tenant.
    pub allow: Option<Vec<String>>,
    /// Public key in PEM form, Ed25519 or ECDSA P-256. The tenant's own components must be signed with it; unsigned
    /// ones can neither be added nor used.
    pub public_key: Option<String>,
}

// === to and from the core ===

impl Tenant {
    /// A tenant as the core keeps it.
    pub fn of(row: &TenantRow) -> Self {
        Self {
            id: ID(row.name.clone()),
            created_at: DateTime(row.created_ms),
            disabled: row.disabled,
            quotas: row.quotas().into(),
            network_policy: tenant_policy(row).into(),
            stage_policy: components::StagePolicy::of(row).into(),
        }
    }
}

impl From<quota::Quotas> for Quotas {
    fn from(quotas: quota::Quotas) -> Self {
        Self {
            pipelines: quotas.pipelines,
            destinations_per_pipeline: quotas.destinations_per_pipeline,
            storage_bytes: BigInt(quotas.storage_bytes),
            stage_memory_bytes: BigInt(quotas.stage_memory_bytes),
            in_flight_fragments: quotas.in_flight_fragments,
            ffmpeg_processes: quotas.ffmpeg_processes,
        }
    }
}

impl From<QuotasInput> for QuotaPatch {
    fn from(input: QuotasInput) -> Self {
        Self {
            pipelines: input.pipelines,
            destinations_per_pipeline: input.destinations_per_pipeline,
            storage_bytes: input.storage_bytes.map(|bytes| bytes.0),
            stage_memory_bytes: input.stage_memory_bytes.map(|bytes| bytes.0),
            in_flight_fragments: input.in_flight_fragments,
            ffmpeg_processes: input.ffmpeg_processes,
        }
    }
}

impl From<Policy> for NetworkPolicy {
    fn from(policy: Policy) -> Self {
        let Policy { deny_hosts, deny_ranges, allow_hosts, allow_ranges, public, private, files } = policy;
        Self { deny_hosts, deny_ranges, allow_hosts, allow_ranges, public, private, files }
    }
}

impl NetworkPolicyInput {
    /// As the core keeps it.
    pub fn kept(self) -> Value {
        let Self { deny_hosts, deny_ranges, allow_hosts, allow_ranges, public, private, files } = self;
        let policy = Policy { deny_hosts, deny_ranges, allow_hosts, allow_ranges, public, private, files };
        serde_json::to_value(policy).unwrap_or_default()
    }
}

impl From<components::StagePolicy> for StagePolicy {
    fn from(policy: components::StagePolicy) -> Self {
        Self { allow: policy.allow, public_key: policy.public_key }
    }
}

impl StagePolicyInput {
    /// As the core keeps it.
    pub fn kept(self) -> Value {
        let policy = components::StagePolicy { allow: self.allow, public_key: self.public_key };
        serde_json::to_value(policy).unwrap_or_default()
    }
}
