//! Tenants: who shares this host, what they may use and reach.

use async_graphql::{ID, InputObject, MaybeUndefined, SimpleObject};
use serde_json::Value;

use crate::api::graphql::scalars::{BigInt, DateTime};
use crate::control::quota::{self, QuotaPatch};
use crate::control::registry::TenantRow;
use crate::control::{components, tenant_policy};
use crate::net::Policy;

/// Someone who shares this host, behind walls.
#[derive(Debug, Clone, SimpleObject)]
pub struct Tenant {
    /// Its name, which is its id.
    pub id: ID,
    /// When it was made.
    pub created_at: DateTime,
    /// It is shut out: its tokens are not taken, its pipelines do not run.
    pub disabled: bool,
    /// What it may use.
    pub quotas: Quotas,
    /// Which addresses it may reach.
    pub network_policy: NetworkPolicy,
    /// Which components it may use as stages.
    pub stage_policy: StagePolicy,
}

/// What a tenant may use.
#[derive(Debug, Clone, SimpleObject)]
pub struct Quotas {
    /// Pipelines, running or not.
    pub pipelines: u32,
    /// Destinations of one pipeline.
    pub destinations_per_pipeline: u32,
    /// Bytes in storage, of all pipelines together.
    pub storage_bytes: BigInt,
    /// Memory of one stage instance, in bytes.
    pub stage_memory_bytes: BigInt,
    /// Fragments with processors at once, of all pipelines together.
    pub in_flight_fragments: u32,
    /// ffmpeg processes at once, of all pipelines together; more wait for their turn.
    pub ffmpeg_processes: u32,
}

/// Which addresses a tenant's sources, processors, destinations and webhooks may reach. In this order: what is denied
/// is never reached; what is in `allowRanges` is; others as `public` and `private` say, with `allowHosts` as exceptions
/// on the public internet.
#[derive(Debug, Clone, SimpleObject)]
pub struct NetworkPolicy {
    /// Names that are never reached: `example.com`, or `*.example.com` for all names below it.
    pub deny_hosts: Vec<String>,
    /// Addresses that are never reached, as `192.0.2.0/24`, `2001:db8::/32` or a single address.
    pub deny_ranges: Vec<String>,
    /// Names that are reached although `public` is off.
    pub allow_hosts: Vec<String>,
    /// Addresses that are reached although `public` or `private` is off.
    pub allow_ranges: Vec<String>,
    /// Addresses on the public internet.
    pub public: bool,
    /// All other addresses: loopback, private, link-local, shared, reserved.
    pub private: bool,
    /// Destinations that are files of this machine.
    pub files: bool,
}

/// Which components a tenant may use as stages, besides those that come with the host, which it always may.
#[derive(Debug, Clone, SimpleObject)]
pub struct StagePolicy {
    /// Digests; no others may be used. Null: any that it has. Of a tenant with a key, shared components that are listed here may be
    /// used although nobody signed them.
    pub allow: Option<Vec<String>>,
    /// The public key, PEM, that its own components have to be signed with. Null: they need not be signed.
    pub public_key: Option<String>,
}

/// A tenant to make.
#[derive(Debug, Clone, InputObject)]
pub struct CreateTenantInput {
    /// Its name, which is its id: letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// What it may use.
    pub quotas: Option<QuotasInput>,
    /// Which addresses it may reach; left out: the public internet.
    pub network_policy: Option<NetworkPolicyInput>,
    /// Which components it may use as stages; left out: any that it has.
    pub stage_policy: Option<StagePolicyInput>,
}

/// What to change of a tenant. What is left out stays as it is.
#[derive(Debug, Clone, InputObject)]
pub struct UpdateTenantInput {
    /// Shut it out, or let it in again.
    pub disabled: Option<bool>,
    /// What it may use.
    pub quotas: Option<QuotasInput>,
    /// Which addresses it may reach, as a whole; null: as for every new tenant.
    pub network_policy: MaybeUndefined<NetworkPolicyInput>,
    /// Which components it may use as stages, as a whole; null: any that it has. What is on air stays on air; a pipeline that is
    /// set to another one is not changed, swapped or started any more.
    pub stage_policy: MaybeUndefined<StagePolicyInput>,
}

/// A tenant that was deleted.
#[derive(Debug, Clone, SimpleObject)]
pub struct DeleteTenantPayload {
    /// Its name.
    pub id: ID,
    /// It was there; false: it had been deleted before, or there never was one.
    pub deleted: bool,
}

/// What a tenant may use. What is left out stays as it is; for a new tenant, as for every other.
#[derive(Debug, Clone, Default, InputObject)]
pub struct QuotasInput {
    /// Pipelines, running or not.
    pub pipelines: Option<u32>,
    /// Destinations of one pipeline.
    pub destinations_per_pipeline: Option<u32>,
    /// Bytes in storage, of all pipelines together.
    pub storage_bytes: Option<BigInt>,
    /// Memory of one stage instance, in bytes.
    pub stage_memory_bytes: Option<BigInt>,
    /// Fragments with processors at once, of all pipelines together.
    pub in_flight_fragments: Option<u32>,
    /// ffmpeg processes at once, of all pipelines together.
    pub ffmpeg_processes: Option<u32>,
}

/// Which addresses a tenant may reach.
#[derive(Debug, Clone, InputObject)]
pub struct NetworkPolicyInput {
    /// Names that are never reached: `example.com`, or `*.example.com` for all names below it.
    #[graphql(default)]
    pub deny_hosts: Vec<String>,
    /// Addresses that are never reached, as `192.0.2.0/24`, `2001:db8::/32` or a single address.
    #[graphql(default)]
    pub deny_ranges: Vec<String>,
    /// Names that are reached although `public` is off.
    #[graphql(default)]
    pub allow_hosts: Vec<String>,
    /// Addresses that are reached although `public` or `private` is off.
    #[graphql(default)]
    pub allow_ranges: Vec<String>,
    /// Addresses on the public internet.
    #[graphql(default = true)]
    pub public: bool,
    /// All other addresses: loopback, private, link-local, shared, reserved.
    #[graphql(default)]
    pub private: bool,
    /// Destinations that are files of this machine.
    #[graphql(default)]
    pub files: bool,
}

/// Which components a tenant may use as stages.
#[derive(Debug, Clone, InputObject)]
pub struct StagePolicyInput {
    /// Digests, `sha256:…`; left out: any that it has.
    pub allow: Option<Vec<String>>,
    /// A public key, Ed25519 or ECDSA P-256, as PEM. Components that are added have to be signed with it, and those that are not
    /// cannot be used.
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
