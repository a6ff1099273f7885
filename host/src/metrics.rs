//! What is measured, and how Prometheus is told.
//!
//! In: [`Timings`], recorded by the steps of a pipeline a few times a batch. What is counted elsewhere stays there and is
//! read at a scrape. No label's values are unbounded, and none holds a URL.

mod timings;

pub use timings::{Histogram, Reading, Step, Timings, TimingsReading};
