//! Writes samples as OpenMetrics text, the format of Prometheus.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit as ClientUnit};

use super::catalog::{self, Metric, MetricKind, Unit};
use super::gather::{Family, Value, gather};
use outboard_control::samples::{HostSample, PipelineSample};
use outboard_pipeline::timings::{BUCKETS, Reading};

/// Content type of the text from [`render`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Writes the metrics of these pipelines and, if the caller may see it, of the host.
pub fn render(host: Option<&HostSample>, pipelines: &[PipelineSample]) -> String {
    let mut registry = Registry::with_prefix(catalog::PREFIX);
    registry.register_collector(Box::new(Scrape(gather(host, pipelines))));
    let mut text = String::new();
    match text::encode(&mut text, &registry) {
        Ok(()) => text,
        // Writing to a string does not fail.
        Err(fmt::Error) => "# EOF\n".to_owned(),
    }
}

#[derive(Debug)]
struct Scrape(Vec<Family>);

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for Family { metric, series } in &self.0 {
            let (unit, kind) = described(metric);
            let mut family = encoder.encode_descriptor(metric.base, metric.help, unit.as_ref(), kind)?;
            for (labels, value) in series {
                let labels: Vec<(&str, &str)> = labels.iter().map(|(name, value)| (*name, value.as_str())).collect();
                match value {
                    Value::Info => family.encode_info(&labels)?,
                    value if labels.is_empty() => write(&mut family, value)?,
                    value => write(&mut family.encode_family(&labels)?, value)?,
                }
            }
        }
        Ok(())
    }
}

fn described(metric: &Metric) -> (Option<ClientUnit>, MetricType) {
    let unit = metric.unit.map(|unit| match unit {
        Unit::Seconds => ClientUnit::Seconds,
        Unit::Bytes => ClientUnit::Bytes,
    });
    let kind = match metric.kind {
        MetricKind::Counter => MetricType::Counter,
        MetricKind::Gauge => MetricType::Gauge,
        MetricKind::Histogram => MetricType::Histogram,
        MetricKind::Info => MetricType::Info,
    };
    (unit, kind)
}

fn write(encoder: &mut MetricEncoder<'_>, value: &Value) -> fmt::Result {
    match value {
        Value::Counter(count) => encoder.encode_counter::<NoLabelSet, u64, u64>(count, None),
        Value::CounterSeconds(seconds) => encoder.encode_counter::<NoLabelSet, f64, u64>(seconds, None),
        Value::Gauge(number) => encoder.encode_gauge(number),
        Value::GaugeSeconds(seconds) => encoder.encode_gauge(seconds),
        Value::Histogram(Reading { counts, sum_us }) => {
            let bounds = BUCKETS.into_iter().chain([f64::INFINITY]);
            let buckets: Vec<(f64, u64)> = bounds.zip(*counts).collect();
            encoder.encode_histogram::<NoLabelSet>(*sum_us as f64 / 1e6, counts.iter().sum(), &buckets, None)
        }
        Value::Info => Ok(()),
    }
}
