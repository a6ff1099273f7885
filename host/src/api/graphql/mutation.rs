//! What can be done. Each is written down before it is answered, and is the same when it is asked for twice, or CONFLICT.

pub mod pipelines;
pub mod stages;
pub mod storage;
pub mod tenants;
pub mod tokens;
pub mod webhooks;

use async_graphql::MergedObject;

/// What can be done. What is answered without an error is written down and survives the death of the server; asking for
/// the same again changes nothing more, or is a CONFLICT.
#[derive(Debug, Default, MergedObject)]
pub struct Mutation(
    pipelines::PipelineMutation,
    stages::StageMutation,
    storage::StorageMutation,
    tenants::TenantMutation,
    tokens::TokenMutation,
    webhooks::WebhookMutation,
);
