//! The schema without a control plane.

use async_graphql::{Schema, SchemaBuilder};

use super::mutation::Mutation;
use super::query::Query;
use super::request_limits::Complexity;
use super::subscription::Subscription;
use crate::limits::GRAPHQL_NESTING_MAX;

/// The schema without a control plane, for introspection and tests.
pub fn bare() -> SchemaBuilder<Query, Mutation, Subscription> {
    Schema::build(Query::default(), Mutation::default(), Subscription::default())
        .extension(Complexity)
        .limit_recursive_depth(GRAPHQL_NESTING_MAX)
}
