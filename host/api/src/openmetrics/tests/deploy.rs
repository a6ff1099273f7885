//! Checks that the dashboard, the alert rules and the documentation only name existing metrics.

use super::*;

const DASHBOARD: &str = include_str!("../../../../../deploy/grafana/outboard.json");
const ALERTS: &str = include_str!("../../../../../deploy/prometheus/alerts.yml");
const DOCS: &str = include_str!("../../../../../docs/metrics.md");

/// Labels that Prometheus adds, which alert rules may also use.
const ADDED: [&str; 3] = ["instance", "job", "le"];

/// Expressions of the dashboard and its variables.
fn expressions(value: &serde_json::Value, found: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(object) => {
            for (name, value) in object {
                match value {
                    serde_json::Value::String(text) if name == "expr" || name == "definition" => {
                        found.push(text.clone());
                    }
                    other => expressions(other, found),
                }
            }
        }
        serde_json::Value::Array(values) => values.iter().for_each(|value| expressions(value, found)),
        _ => {}
    }
}

/// The words of a text that begin like a metric, each with the text after it.
fn uses(text: &str) -> Vec<(&str, &str)> {
    let in_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    text.match_indices("outboard_")
        .filter(|(at, _)| !text[..*at].ends_with(in_name))
        .map(|(at, _)| {
            let rest = &text[at..];
            rest.split_at(rest.find(|letter| !in_name(letter)).unwrap_or(rest.len()))
        })
        .collect()
}

fn check(text: &str, told: &Exposition) {
    for (name, rest) in uses(text) {
        let samples: Vec<_> = told.samples().filter(|sample| sample.name == name).collect();
        assert!(!samples.is_empty(), "{name} does not exist: {text}");
        let Some(selector) = rest.strip_prefix('{') else { continue };
        for matcher in selector[..selector.find('}').unwrap()].split(',') {
            let at = matcher.find(['=', '!']).unwrap();
            let (label, rest) = (matcher[..at].trim(), &matcher[at..]);
            let (operator, value) = rest.split_at(rest.find('"').unwrap());
            let value = value.trim().trim_matches('"');
            let values: BTreeSet<&str> = samples
                .iter()
                .flat_map(|sample| &sample.labels)
                .filter_map(|(name, value)| (name == label).then_some(value.as_str()))
                .collect();
            assert!(!values.is_empty(), "{name} has no label {label}");
            assert!(
                operator.ends_with('~') || values.contains(value),
                "{name}: {label} is never {value:?}: {values:?}"
            );
        }
    }
    let labels: BTreeSet<&str> = ALL.iter().flat_map(|metric| metric.labels).copied().chain(ADDED).collect();
    for word in ["by (", "on (", "ignoring (", "without ("] {
        for (_, list) in text.match_indices(word).map(|(at, word)| text.split_at(at + word.len())) {
            for label in list[..list.find(')').unwrap()].split(',') {
                assert!(labels.contains(label.trim()), "no label {label}: {text}");
            }
        }
    }
    for word in ["$labels.", "{{"] {
        for (_, rest) in text.match_indices(word).map(|(at, word)| text.split_at(at + word.len())) {
            let label = rest.trim_start().split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').next();
            let label = label.unwrap_or_default();
            assert!(label.is_empty() || labels.contains(label), "no label {label}: {text}");
        }
    }
}

#[test]
fn the_dashboard_shows_what_there_is() {
    let dashboard: serde_json::Value = serde_json::from_str(DASHBOARD).unwrap();
    let mut found = Vec::new();
    expressions(&dashboard, &mut found);
    assert!(found.len() > 40, "{}", found.len());
    let told = everything();
    for expression in &found {
        assert!(expression.contains("outboard_"), "{expression}");
        check(expression, &told);
    }
    for legend in DASHBOARD.lines().filter(|line| line.contains("\"legendFormat\"")) {
        check(legend, &told);
    }
}

#[test]
fn the_alert_rules_watch_what_there_is() {
    let told = everything();
    let rules: Vec<&str> = ALERTS.split("- alert: ").skip(1).collect();
    assert!(rules.len() > 15, "{}", rules.len());
    for rule in rules {
        assert!(rule.contains("expr:") && rule.contains("severity:") && rule.contains("summary:"), "{rule}");
        check(rule, &told);
    }
}

#[test]
fn the_documentation_lists_all_there_is() {
    let rows: Vec<String> = ALL
        .iter()
        .map(|metric| {
            let kind = match metric.kind {
                MetricKind::Counter => "counter",
                MetricKind::Gauge => "gauge",
                MetricKind::Histogram => "histogram",
                MetricKind::Info => "info",
            };
            let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
            format!("| `{}` | {kind} | {} | {} |", metric.name(), labels.join(", "), metric.help)
        })
        .collect();
    let listed: Vec<&str> = DOCS.lines().filter(|line| line.starts_with("| `outboard_")).collect();
    assert_eq!(listed, rows, "docs/metrics.md should have these rows:\n{}\n", rows.join("\n"));
}
