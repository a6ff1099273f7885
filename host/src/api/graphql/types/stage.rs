//! Stages: components that can be chosen, and those that run.

use async_graphql::{Enum, ID, InputObject, Json, SimpleObject, Upload};
use serde::Deserialize;

use super::swap::ComponentRef;
use crate::api::graphql::scalars::{BigInt, DateTime};
use crate::control::components::{ListedComponent, Refused};
use crate::control::registry;
use crate::pipeline;
use crate::stage::{self, Digest, StageCounts};

/// What a stage decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "stage::StageKind")]
pub enum StageKind {
    /// When a batch is cut.
    Batching,
    /// How a fragment is framed for the processor.
    Framing,
    /// How the returned audio is put back, or what else goes on air.
    RemuxPlanning,
}

/// Who goes on where a stage fails outside of a probation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, Deserialize)]
#[graphql(remote = "stage::FailurePolicy")]
#[serde(rename_all = "kebab-case")]
pub enum FailurePolicy {
    /// The version before it, where there is one; else the host.
    Previous,
    /// The host answers; the same version is tried again at the next call.
    HostDefault,
    /// The host answers, and the pipeline is stopped after what is buffered.
    Stop,
}

/// A component that can be used as a stage.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(name = "StageComponent")]
pub struct StageComponentInfo {
    /// Its identity, for settings: `sha256:` and the SHA-256 of its file.
    digest: String,
    /// What it decides.
    kind: StageKind,
    /// Its name, by its own account.
    name: String,
    /// Its version, by its own account.
    version: String,
    /// What it does, by its own account.
    summary: String,
    /// Size of its file.
    size_bytes: BigInt,
    /// The interfaces that it imports.
    imports: Vec<String>,
    /// JSON schema of its settings, with its properties in the component's own order.
    settings_schema: Json<async_graphql::Value>,
    /// It came with the host.
    bundled: bool,
    /// It is the one of its kind that is used where none is chosen.
    default: bool,
    /// The contract that it was built against, such as `outboard:stage@0.1.0`.
    contract: String,
    /// The tenant that it belongs to; null: every tenant may use it.
    tenant: Option<ID>,
    /// How it came.
    source: ComponentSource,
    /// The name of the file, or the reference, that it came by.
    origin: Option<String>,
    /// Who added it.
    added_by: Option<String>,
    /// When it was added.
    added_at: Option<DateTime>,
    /// The key of its tenant's that it is signed with: `sha256:` and the SHA-256 of the key as DER. Null where the tenant had
    /// none when it was added.
    signed_by: Option<String>,
    /// Pipelines of the caller's that it decides in now.
    used_by: Vec<ID>,
}

/// How a component came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "registry::ComponentSource")]
pub enum ComponentSource {
    /// With the host.
    Bundled,
    /// By `outboard stage add`.
    CommandLine,
    /// It was dropped into a folder.
    Folder,
    /// Over the API.
    Upload,
    /// From a registry.
    Registry,
}

/// A component that was not taken.
#[derive(Debug, Clone, SimpleObject)]
pub struct RefusedComponent {
    /// The tenant that it would belong to; null: every tenant.
    tenant: Option<ID>,
    /// The name of the file, or the reference, that it came by.
    origin: String,
    /// How it came.
    source: ComponentSource,
    /// Why it was not taken, in terms of the contract.
    reason: String,
    /// When.
    at: DateTime,
}

/// A component to be added.
#[derive(Debug, InputObject)]
pub struct UploadStageInput {
    /// The component, a .wasm file: sent as the multipart request specification has it.
    pub file: Upload,
    /// The tenant that it is for; left out: the caller's own.
    pub tenant: Option<ID>,
    /// True: for every tenant; for operators of the whole host.
    #[graphql(default)]
    pub shared: bool,
    /// Its detached signature in base64, where the tenant's stage policy has a key.
    pub signature: Option<String>,
}

/// What was added.
#[derive(Debug, SimpleObject)]
pub struct UploadStagePayload {
    /// The component.
    pub component: StageComponentInfo,
}

/// A component to be fetched from a registry.
#[derive(Debug, InputObject)]
pub struct PullStageInput {
    /// `oci://host[:port]/name[:tag]@sha256:…`, with the digest of its manifest.
    pub reference: String,
    /// The tenant that it is for; left out: the caller's own.
    pub tenant: Option<ID>,
    /// True: for every tenant; for operators of the whole host.
    #[graphql(default)]
    pub shared: bool,
    /// Who we are to the registry, where it asks.
    pub auth: Option<RegistryAuthInput>,
    /// True: by http, without TLS. A password goes to this machine only then.
    #[graphql(default)]
    pub insecure: bool,
    /// Its detached signature in base64, where the tenant's stage policy has a key; left out: the one in the annotation
    /// `outboard.stage.signature`.
    pub signature: Option<String>,
}

/// A user of a registry.
#[derive(InputObject)]
pub struct RegistryAuthInput {
    /// Name.
    pub username: String,
    /// Password or access token. Used for this one call; never shown, kept or logged.
    pub password: String,
}

impl std::fmt::Debug for RegistryAuthInput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RegistryAuthInput").field("username", &self.username).finish_non_exhaustive()
    }
}

/// What was fetched and added.
#[derive(Debug, SimpleObject)]
pub struct PullStagePayload {
    /// The component.
    pub component: StageComponentInfo,
}

/// What was taken away.
#[derive(Debug, SimpleObject)]
pub struct RemoveStagePayload {
    /// Its digest.
    pub digest: String,
    /// It was there.
    pub removed: bool,
}

/// A stage of a pipeline, and what happened in its calls.
#[derive(Debug, Clone, SimpleObject)]
pub struct RunningStage {
    /// What it decides.
    kind: StageKind,
    /// The component's name.
    name: String,
    /// The component's version.
    version: String,
    /// The component's identity: `sha256:` and the SHA-256 of its file.
    digest: String,
    /// The version that takes over where this one fails; null: none, the host answers.
    previous: Option<ComponentRef>,
    /// Its probation, while it is on one.
    probation: Option<Probation>,
    /// What was counted of this version.
    counters: StageCounters,
}

/// A new version decides, and the old one beside it.
#[derive(Debug, Clone, SimpleObject)]
pub struct Probation {
    /// Batches that it decided.
    done: u32,
    /// Batches that it has to decide.
    wanted: u32,
    /// Calls that the old version would have answered otherwise.
    different: BigInt,
}

/// What happened in a stage's calls.
#[derive(Debug, Clone, SimpleObject)]
pub struct StageCounters {
    /// Calls.
    calls: BigInt,
    /// Time in all calls together, in milliseconds.
    call_ms_total: f64,
    /// The longest call, in milliseconds.
    call_ms_max: f64,
    /// Calls that failed, whatever the cause.
    failures: BigInt,
    /// Calls that it answered with an error.
    errors: BigInt,
    /// Calls that trapped.
    traps: BigInt,
    /// Calls over a limit: memory, execution time, wall-clock time, stack, size of a snapshot, instances.
    over_limits: BigInt,
    /// Answers that break the contract.
    invalid_answers: BigInt,
    /// Calls that the host answered in its place.
    defaults: BigInt,
    /// Instances that were started after the first.
    restarts: BigInt,
    /// Restarts that could not go on from a snapshot.
    states_lost: BigInt,
}

// === from the core ===

/// As settings name it.
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
        let seated = running.face.seated();
        let description = seated.component.description();
        Self {
            kind: running.kind.into(),
            name: description.name.clone(),
            version: description.version.clone(),
            digest: digest(seated.component.digest()),
            previous: seated.previous.map(Into::into),
            probation: seated.trial.map(|trial| Probation {
                done: trial.done,
                wanted: trial.wanted,
                different: BigInt(trial.different),
            }),
            counters: (&seated.counters.read()).into(),
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
