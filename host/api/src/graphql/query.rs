//! What can be asked. Resolvers only translate: the core checks the caller and answers.

pub mod happened;
pub mod pipelines;
pub mod server;
pub mod stages;
pub mod storage;
pub mod tenancy;

use async_graphql::MergedObject;

/// All queries.
#[derive(Debug, Default, MergedObject)]
pub struct Query(
    server::ServerQuery,
    pipelines::PipelineQuery,
    stages::StageQuery,
    happened::HappenedQuery,
    storage::StorageQuery,
    tenancy::TenancyQuery,
);
