//! The mutations. Each is stored before it is answered; a repeated one has no further effect, or fails with CONFLICT.

pub mod pipelines;
pub mod stages;
pub mod storage;
pub mod tenants;
pub mod tokens;
pub mod webhooks;

use async_graphql::MergedObject;

/// All mutations. A mutation that returns without an error is stored and survives a crash of the server. Mutations are
/// idempotent unless their description says otherwise: a repeated call changes nothing or fails with CONFLICT. Every
/// mutation can fail with UNAUTHENTICATED, FORBIDDEN (the role is not sufficient), NOT_FOUND (also for objects of other
/// tenants), INVALID_INPUT (`extensions.problems` lists every invalid field), LIMIT_EXCEEDED and UNAVAILABLE (retry
/// later).
#[derive(Debug, Default, MergedObject)]
pub struct Mutation(
    pipelines::PipelineMutation,
    stages::StageMutation,
    storage::StorageMutation,
    tenants::TenantMutation,
    tokens::TokenMutation,
    webhooks::WebhookMutation,
);
