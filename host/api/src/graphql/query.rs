//! The queries. Resolvers only translate: the control plane checks the caller and answers.

pub mod events_and_logs;
pub mod pipelines;
pub mod server;
pub mod stages;
pub mod storage;
pub mod tenancy;

use async_graphql::MergedObject;

/// All queries. They change nothing.
#[derive(Debug, Default, MergedObject)]
pub struct Query(
    server::ServerQuery,
    pipelines::PipelineQuery,
    stages::StageQuery,
    events_and_logs::EventAndLogQuery,
    storage::StorageQuery,
    tenancy::TenancyQuery,
);
