//! Limits of WebAssembly stages.

use std::time::Duration;

/// Default number of batches that a new version decides before the previous one is closed.
pub const STAGE_PROBATION_BATCHES: u32 = 3;
/// Largest number of probation batches that can be set.
pub const STAGE_PROBATION_BATCHES_MAX: u32 = 1000;
/// Interval for scanning the folders for components. A file is added when two scans find it unchanged, so this is also
/// the time for which it must be unchanged.
pub const STAGE_FOLDER_EVERY: Duration = Duration::from_millis(300);
/// Files in one such folder that are scanned.
pub const STAGE_FOLDER_FILES_MAX: usize = 256;
/// Components of one tenant, besides the shared ones.
pub const COMPONENTS_OF_TENANT_MAX: u64 = 64;
/// Digests in a tenant's list of permitted components.
pub const STAGE_POLICY_DIGESTS_MAX: usize = 256;
/// Longest public key of a tenant, as PEM, in bytes.
pub const STAGE_POLICY_KEY_BYTES_MAX: usize = 4096;
/// Longest signature of a component in bytes, in base64 or binary.
pub const STAGE_SIGNATURE_BYTES_MAX: usize = 1024;
/// Largest manifest of a component in a registry, in bytes: some hundred bytes, and room for annotations.
pub const OCI_MANIFEST_BYTES_MAX: u64 = 1 << 20;
/// Largest response of a registry's token server in bytes.
pub const OCI_TOKEN_BYTES_MAX: u64 = 64 << 10;
/// Longest reference to a component in a registry, in bytes.
pub const OCI_REFERENCE_BYTES_MAX: usize = 1024;
/// Redirects that a registry request follows, to the servers that store its files.
pub const OCI_REDIRECTS_MAX: usize = 5;
/// Limit for connecting to a registry.
pub const OCI_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Maximum time between two reads from a registry.
pub const OCI_IDLE_TIMEOUT: Duration = Duration::from_secs(10);
/// Limit for fetching a component from a registry; `GRAPHQL_ANSWER_TIMEOUT` of the API leaves as
/// much time for its compilation.
pub const OCI_PULL_TIMEOUT: Duration = Duration::from_secs(40);
/// Refused components that are remembered.
pub const COMPONENTS_REFUSED_KEPT: usize = 100;
/// Longest time for which the air clock may run slower before a cut-over, so that longer batches are ready in time:
/// this gains about 30 s.
pub const STAGE_STRETCH_MAX: Duration = Duration::from_secs(600);
/// Interval for checking whether they would be ready.
pub const STAGE_STRETCH_LOOK: Duration = Duration::from_millis(500);
/// If nothing goes on air for this long during probation, the version is rolled back.
pub const STAGE_PROBATION_SILENCE: Duration = Duration::from_secs(1);
