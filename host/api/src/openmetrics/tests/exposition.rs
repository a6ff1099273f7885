//! A strict parser of OpenMetrics text, written from the specification, independent of the writer.

use std::collections::{BTreeMap, BTreeSet};

/// Labels of a series, except `le`.
type Labels = Vec<(String, String)>;

/// All metrics of a text.
#[derive(Debug, Default)]
pub(super) struct Exposition {
    pub(super) families: BTreeMap<String, Family>,
}

/// One metric with its samples.
#[derive(Debug, Default)]
pub(super) struct Family {
    pub(super) kind: String,
    pub(super) help: String,
    pub(super) samples: Vec<Sample>,
}

/// One line of the output: name, labels and value.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) name: String,
    pub(super) labels: Vec<(String, String)>,
    pub(super) value: f64,
}

impl Exposition {
    /// Parses a text; panics on any error.
    pub(super) fn parse(text: &str) -> Self {
        let body = text.strip_suffix("# EOF\n").expect("EOF is last, and only there");
        let mut all = Self::default();
        let mut current = String::new();
        let mut seen = BTreeSet::new();
        for line in body.lines() {
            if let Some(comment) = line.strip_prefix("# ") {
                let mut parts = comment.splitn(3, ' ');
                let (what, name, rest) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
                if name != current {
                    assert!(!all.families.contains_key(name), "{name} is told in two places");
                    current = name.to_owned();
                }
                let family = all.families.entry(current.clone()).or_default();
                assert!(family.samples.is_empty(), "{line}: after samples");
                match what {
                    "HELP" => family.help = rest.to_owned(),
                    "TYPE" => family.kind = rest.to_owned(),
                    "UNIT" => assert!(name.ends_with(&format!("_{rest}")), "{line}"),
                    _ => panic!("{line}"),
                }
                continue;
            }
            let sample = Sample::parse(line);
            assert!(seen.insert((sample.name.clone(), sample.labels.clone())), "{line}: told twice");
            let family = all.families.get_mut(&current).expect("HELP and TYPE come first");
            let suffix = sample.name.strip_prefix(&current).unwrap_or_else(|| panic!("{line} among {current}"));
            match (family.kind.as_str(), suffix) {
                ("gauge", "") => {}
                ("counter", "_total") | ("histogram", "_bucket" | "_count" | "_sum") => {
                    assert!(sample.value >= 0.0, "{line}");
                }
                ("info", "_info") => assert!((sample.value - 1.0).abs() < f64::EPSILON, "{line}"),
                other => panic!("{line}: {other:?}"),
            }
            family.samples.push(sample);
        }
        all.families.values().filter(|family| family.kind == "histogram").for_each(check_histogram);
        all
    }

    /// The value of a sample, whatever the order of its labels.
    pub(super) fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let wanted: BTreeSet<(&str, &str)> = labels.iter().copied().collect();
        let is = |sample: &&Sample| {
            let own: BTreeSet<(&str, &str)> = sample.labels.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
            sample.name == name && own == wanted
        };
        self.samples().find(is).map(|sample| sample.value)
    }

    /// The samples of all metrics.
    pub(super) fn samples(&self) -> impl Iterator<Item = &Sample> {
        self.families.values().flat_map(|family| &family.samples)
    }
}

/// Checks that buckets rise to +Inf, whose value is the count.
fn check_histogram(family: &Family) {
    let mut buckets: BTreeMap<Labels, Vec<(f64, f64)>> = BTreeMap::new();
    for sample in family.samples.iter().filter(|sample| sample.name.ends_with("_bucket")) {
        let (le, others): (Vec<_>, Vec<_>) = sample.labels.iter().cloned().partition(|(name, _)| name == "le");
        let le = if le[0].1 == "+Inf" { f64::INFINITY } else { le[0].1.parse().expect("a bound") };
        buckets.entry(others).or_default().push((le, sample.value));
    }
    assert!(!buckets.is_empty());
    for (labels, buckets) in buckets {
        assert!(buckets.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1), "{labels:?} {buckets:?}");
        let last = buckets.last().unwrap();
        let count = family.samples.iter().find(|sample| sample.name.ends_with("_count") && sample.labels == labels);
        assert_eq!((last.0, Some(last.1)), (f64::INFINITY, count.map(|sample| sample.value)), "{labels:?}");
    }
}

impl Sample {
    fn parse(line: &str) -> Self {
        let name_end = line.find(['{', ' ']).expect("a value");
        let (name, rest) = line.split_at(name_end);
        let (labels, value) = match rest.strip_prefix('{') {
            Some(rest) => labels(rest),
            None => (Vec::new(), rest),
        };
        let value = value.strip_prefix(' ').expect("one blank before the value");
        Self { name: name.to_owned(), labels, value: value.parse().unwrap_or_else(|_| panic!("{line}")) }
    }
}

/// The labels up to the closing brace, and the rest of the line.
fn labels(mut rest: &str) -> (Vec<(String, String)>, &str) {
    let mut labels = Vec::new();
    loop {
        if let Some(rest) = rest.strip_prefix('}') {
            return (labels, rest);
        }
        let (name, after) = rest.split_once("=\"").expect("a label");
        let mut value = String::new();
        let mut letters = after.char_indices();
        let end = loop {
            match letters.next().expect("a closing quote") {
                (at, '"') => break at,
                (_, '\\') => value.push(match letters.next().expect("an escaped letter").1 {
                    'n' => '\n',
                    other => other,
                }),
                (_, letter) => value.push(letter),
            }
        };
        labels.push((name.to_owned(), value));
        rest = &after[end + 1..];
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
}
