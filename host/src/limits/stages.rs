//! WebAssembly stages.

use std::time::Duration;

/// Batches that a new version decides before the old one is let go, unless set.
pub const STAGE_PROBATION_BATCHES: u32 = 3;
/// Most that can be set.
pub const STAGE_PROBATION_BATCHES_MAX: u32 = 1000;
/// How often the folders are looked into that components are dropped into. A file is taken at the second look at which it is the
/// same, so this is also how long a file must rest.
pub const STAGE_FOLDER_EVERY: Duration = Duration::from_millis(300);
/// Files in one such folder that are looked at.
pub const STAGE_FOLDER_FILES_MAX: usize = 256;
/// Components of one tenant, besides those that everybody may use.
pub const COMPONENTS_OF_TENANT_MAX: u64 = 64;
/// Digests in a tenant's list of components that it may use.
pub const STAGE_POLICY_DIGESTS_MAX: usize = 256;
/// Bytes of a tenant's public key, as PEM.
pub const STAGE_POLICY_KEY_BYTES_MAX: usize = 4096;
/// Bytes of a component's signature, in base64 or as they are.
pub const STAGE_SIGNATURE_BYTES_MAX: usize = 1024;
/// Bytes of the manifest that a registry has of a component: some hundred, and room for annotations.
pub const OCI_MANIFEST_BYTES_MAX: u64 = 1 << 20;
/// Bytes of an answer with which a registry's gatekeeper lets in.
pub const OCI_TOKEN_BYTES_MAX: u64 = 64 << 10;
/// Bytes of a reference to a component in a registry.
pub const OCI_REFERENCE_BYTES_MAX: usize = 1024;
/// Redirects that a registry's answer is followed through, to the servers that keep its files.
pub const OCI_REDIRECTS_MAX: usize = 5;
/// For a registry to take a connection.
pub const OCI_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// For a registry to send more.
pub const OCI_IDLE_TIMEOUT: Duration = Duration::from_secs(10);
/// For a component to be there from a registry; [`GRAPHQL_ANSWER_TIMEOUT`](super::GRAPHQL_ANSWER_TIMEOUT) leaves as much for its
/// compilation.
pub const OCI_PULL_TIMEOUT: Duration = Duration::from_secs(40);
/// Components that were not taken and are remembered.
pub const COMPONENTS_REFUSED_KEPT: usize = 100;
/// Size of a recording's or an evidence bundle's file: the inputs as base64, and room for what is around them.
pub const STAGE_FILE_BYTES_MAX: u64 = 256 << 20;
/// How long the air clock may run slower before a cut-over, so that longer batches come in time: about 30 s are gained in it.
pub const STAGE_STRETCH_MAX: Duration = Duration::from_secs(600);
/// How often it is looked at meanwhile whether they would.
pub const STAGE_STRETCH_LOOK: Duration = Duration::from_millis(500);
/// So long must nothing go on air on a probation before its version is taken back for it.
pub const STAGE_PROBATION_SILENCE: Duration = Duration::from_secs(1);
