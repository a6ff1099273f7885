//! What is measured, and how Prometheus is told.
//!
//! In: [`Timings`], recorded by the steps of a pipeline a few times a batch; everything else is counted where it happens and
//! read at a scrape, as [`PipelineSample`] and [`HostSample`]. Out: OpenMetrics text ([`render`]). Whoever may see only
//! one tenant is given only its pipelines, and no host. All metrics stand in [`catalog`]; no label has unbounded values,
//! and none holds a URL.

pub mod catalog;
mod gather;
mod process;
mod sample;
mod text;

pub use process::ProcessSample;
pub use sample::{DatabaseSample, FfmpegSample, HostSample, PipelineSample, StageSample, WebhookSample};
pub use text::{CONTENT_TYPE, render};

#[cfg(test)]
mod tests;
