//! Metrics, and their export to Prometheus.
//!
//! In: [`Timings`](outboard_pipeline::timings::Timings), which the steps of a pipeline record a few times per batch. All other values are counted where they
//! occur and read at a scrape, as [`PipelineSample`](outboard_control::samples::PipelineSample) and [`HostSample`](outboard_control::samples::HostSample). Out: OpenMetrics text ([`render`]). A caller
//! that may see only one tenant gets only that tenant's pipelines, and no metrics of the host. [`catalog`] lists all
//! metrics; no label has unbounded values, and none contains a URL.

pub mod catalog;
mod gather;
mod text;

pub use text::{CONTENT_TYPE, render};

#[cfg(test)]
mod tests;
