//! Stages: components that can be chosen, and those that run.

use async_graphql::{Enum, ID, InputObject, Json, SimpleObject, Upload};
use serde::Deserialize;

use super::stage_kind::StageKind;
use super::swap::ComponentRef;
use crate::graphql::scalars::{BigInt, DateTime};
use outboard_control::components::{ListedComponent, Refused};
use outboard_control::registry;
use outboard_pipeline as pipeline;
use outboard_stage::{self as stage, Digest, StageCounts};

/// The fallback for a stage that fails outside of a probation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, Deserialize)]
#[graphql(remote = "stage::FailurePolicy")]
#[serde(rename_all = "kebab-case")]
pub enum FailurePolicy {
    /// The previous version if there is one, or else the host.
    Previous,
    /// The host answers in place of the stage. The next call uses the same version again.
    HostDefault,
    /// The host answers in place of the stage, and the pipeline stops after the buffered media was sent.
    Stop,
}

/// A component that can be used as a stage.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(name = "StageComponent")]
pub struct StageComponentInfo {
    /// ID of the component for settings: `sha256:` and the SHA-256 of its file.
    digest: String,
    /// The kind of stage that the component implements.
    kind: StageKind,
    /// Name that the component reports.
    name: String,
    /// Version that the component reports.
    version: String,
    /// Summary that the component reports.
    summary: String,
    /// Size of the file, in bytes.
    size_bytes: BigInt,
    /// Names of the interfaces that the component imports.
    imports: Vec<String>,
    /// JSON schema of the settings. The properties keep the order of the component.
    settings_schema: Json<async_graphql::Value>,
    /// True if the component is part of the host.
    bundled: bool,
    /// True if this is the default component of its kind.
    default: bool,
    /// The contract that the component was built for, such as `outboard:stage@0.1.0`.
    contract: String,
    /// The tenant that owns the component. Null: every tenant may use it.
    tenant: Option<ID>,
    /// How the component was added.
    source: ComponentSource,
    /// File name or registry reference of the component. Null if there is none.
    origin: Option<String>,
    /// Name of the caller who added the component. Null for bundled components.
    added_by: Option<String>,
    /// Time at which the component was added. Null for bundled components.
    added_at: Option<DateTime>,
    /// The tenant's public key that verified the signature: `sha256:` and the SHA-256 of the key in DER form. Null if
    /// the tenant had no key when the component was added.
    signed_by: Option<String>,
    /// IDs of the caller's pipelines that use the component now.
    used_by: Vec<ID>,
}

/// How a component was added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "registry::ComponentSource")]
pub enum ComponentSource {
    /// It is part of the host.
    Bundled,
    /// With `outboard stage add`.
    CommandLine,
    /// As a file in a watched directory.
    Folder,
    /// With an API upload.
    Upload,
    /// From an OCI registry.
    Registry,
}

/// A component that was rejected.
#[derive(Debug, Clone, SimpleObject)]
pub struct RefusedComponent {
    /// The tenant that the component was meant for. Null: every tenant.
    tenant: Option<ID>,
    /// File name or registry reference of the component.
    origin: String,
    /// How the component was submitted.
    source: ComponentSource,
    /// Reason for the rejection, in terms of the contract.
    reason: String,
    /// Time of the rejection.
    at: DateTime,
}

/// A component to add.
#[derive(Debug, InputObject)]
pub struct UploadStageInput {
    /// The component as a `.wasm` file, sent as the GraphQL multipart request specification defines.
    pub file: Upload,
    /// The tenant that will own the component. Default: the caller's tenant.
    pub tenant: Option<ID>,
    /// True: make the component available to every tenant. For operators and admins of the whole host.
    #[graphql(default)]
    pub shared: bool,
    /// Detached signature in base64. Required if the tenant's stage policy has a public key.
    pub signature: Option<String>,
}

/// The result of `uploadStage`.
#[derive(Debug, SimpleObject)]
pub struct UploadStagePayload {
    /// The component that was added, or the identical existing one.
    pub component: StageComponentInfo,
}

/// A component to fetch from a registry.
#[derive(Debug, InputObject)]
pub struct PullStageInput {
    /// Reference of the image with the digest of its manifest: `oci://host[:port]/name[:tag]@sha256:…`.
    pub reference: String,
    /// The tenant that will own the component. Default: the caller's tenant.
    pub tenant: Option<ID>,
    /// True: make the component available to every tenant. For operators and admins of the whole host.
    #[graphql(default)]
    pub shared: bool,
    /// Credentials for the registry, if it requires them.
    pub auth: Option<RegistryAuthInput>,
    /// True: use HTTP without TLS. A password is then sent only to a registry on this machine.
    #[graphql(default)]
    pub insecure: bool,
    /// Detached signature in base64. Required if the tenant's stage policy has a public key. Default: the value of the
    /// annotation `outboard.stage.signature`.
    pub signature: Option<String>,
}

/// Credentials for a registry.
#[derive(InputObject)]
pub struct RegistryAuthInput {
    /// User name at the registry.
    pub username: String,
    /// Password or access token. It is used for this call only and never stored, logged or returned.
    pub password: String,
}

impl std::fmt::Debug for RegistryAuthInput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RegistryAuthInput").field("username", &self.username).finish_non_exhaustive()
    }
}

/// The result of `pullStage`.
#[derive(Debug, SimpleObject)]
pub struct PullStagePayload {
    /// The component that was added, or the identical existing one.
    pub component: StageComponentInfo,
}

/// The result of `removeStage`.
#[derive(Debug, SimpleObject)]
pub struct RemoveStagePayload {
    /// Digest of the component.
    pub digest: String,
    /// True if this call removed the component. False if there was no such component.
    pub removed: bool,
}

/// A stage of a pipeline and the counters of its calls.
#[derive(Debug, Clone, SimpleObject)]
pub struct RunningStage {
    /// The kind of the stage.
    kind: StageKind,
    /// Name of the component.
    name: String,
    /// Version of the component.
    version: String,
    /// ID of the component: `sha256:` and the SHA-256 of its file.
    digest: String,
    /// The version that takes over if this one fails. Null: the host answers instead.
    previous: Option<ComponentRef>,
    /// Progress of the probation. Null if there is none.
    probation: Option<Probation>,
    /// Counters of this version.
    counters: StageCounters,
}

/// The probation of a new version. The previous version runs beside it.
#[derive(Debug, Clone, SimpleObject)]
pub struct Probation {
    /// Number of batches decided by the new version so far.
    done: u32,
    /// Number of batches that the new version must decide.
    wanted: u32,
    /// Number of calls that the previous version would have answered differently.
    different: BigInt,
}

/// Counters of the calls of a stage.
#[derive(Debug, Clone, SimpleObject)]
pub struct StageCounters {
    /// Calls of the component's functions.
    calls: BigInt,
    /// Total duration of all calls, in milliseconds.
    call_ms_total: f64,
    /// Duration of the longest call, in milliseconds.
    call_ms_max: f64,
    /// Failed calls, for any reason.
    failures: BigInt,
    /// Calls that the component answered with an error.
    errors: BigInt,
    /// Calls that ended in a trap.
    traps: BigInt,
    /// Calls that exceeded a limit: memory, execution time, wall-clock time, stack, snapshot size or number of
    /// instances.
    over_limits: BigInt,
    /// Answers that violate the contract.
    invalid_answers: BigInt,
    /// Calls that the host answered in place of the component.
    defaults: BigInt,
    /// Instances started after the first.
    restarts: BigInt,
    /// Restarts that could not resume from a snapshot.
    states_lost: BigInt,
}

// === from the core ===

/// A digest in the form of the settings: `sha256:…`.
pub fn digest(digest: Digest) -> String {
    format!("sha256:{digest}")
}

impl StageComponentInfo {
    /// Of a component, and the pipelines that it decides in.
    pub fn new(listed: &ListedComponent, used_by: Vec<ID>) -> Self {
        let component = &*listed.component;
        Self {
            digest: digest(component.digest),
            kind: component.kind.into(),
            name: component.name.clone(),
            version: component.version.clone(),
            summary: component.summary.clone(),
            size_bytes: BigInt(component.size),
            imports: component.imports.clone(),
            settings_schema: in_order(&component.settings_schema),
            bundled: listed.source == registry::ComponentSource::Bundled,
            default: listed.default,
            contract: component.contract.clone(),
            tenant: listed.tenant.clone().map(ID),
            source: listed.source.into(),
            origin: listed.origin.clone(),
            added_by: listed.added.as_ref().map(|(by, _)| by.clone()),
            added_at: listed.added.as_ref().map(|(_, at)| DateTime(*at)),
            signed_by: listed.signed_by.clone(),
            used_by,
        }
    }
}

impl From<Refused> for RefusedComponent {
    fn from(refused: Refused) -> Self {
        Self {
            tenant: refused.tenant.map(ID),
            origin: refused.origin,
            source: refused.source.into(),
            reason: refused.reason,
            at: DateTime(refused.at_ms),
        }
    }
}

impl From<&pipeline::RunningStage> for RunningStage {
    fn from(running: &pipeline::RunningStage) -> Self {
        let status = running.status.current();
        let description = status.component.description();
        Self {
            kind: running.kind.into(),
            name: description.name.clone(),
            version: description.version.clone(),
            digest: digest(status.component.digest()),
            previous: status.previous.map(Into::into),
            probation: status.probation.map(|probation| Probation {
                done: probation.done,
                wanted: probation.wanted,
                different: BigInt(probation.different),
            }),
            counters: (&status.counters.read()).into(),
        }
    }
}

impl From<&StageCounts> for StageCounters {
    fn from(counts: &StageCounts) -> Self {
        let ms = |ns: u64| ns as f64 / 1e6;
        let over = [
            counts.over_memory,
            counts.over_cpu,
            counts.over_wall_clock,
            counts.over_stack,
            counts.over_snapshot,
            counts.over_instances,
        ];
        Self {
            calls: BigInt(counts.calls),
            call_ms_total: ms(counts.call_ns_total),
            call_ms_max: ms(counts.call_ns_max),
            failures: BigInt(counts.failures()),
            errors: BigInt(counts.errors),
            traps: BigInt(counts.traps),
            over_limits: BigInt(over.iter().sum()),
            invalid_answers: BigInt(counts.invalid_answers),
            defaults: BigInt(counts.defaults),
            restarts: BigInt(counts.restarts),
            states_lost: BigInt(counts.states_lost),
        }
    }
}

/// A schema as GraphQL's own value, whose objects keep the order in which they were written; `serde_json`'s sort by name.
fn in_order(schema: &str) -> Json<async_graphql::Value> {
    Json(serde_json::from_str(schema).unwrap_or(async_graphql::Value::Null))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_keeps_the_order_of_its_properties() {
        let schema = r#"{"type":"object","properties":{"unit":{},"batch_seconds":{},"api_key":{}}}"#;
        assert_eq!(serde_json::to_string(&in_order(schema).0).unwrap(), schema);
    }
}
