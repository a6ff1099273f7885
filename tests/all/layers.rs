//! The crates below `host/` depend on each other in one direction only, as in the table of `docs/architecture.md`.
//!
//! Can fail: a path dependency in a Cargo.toml that the table does not allow; a crate that is not in the table; a table
//! that is not in the order of the layers.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first thing that is not as it should be")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The heading above the table.
const HEADING: &str = "\n## The crates\n";
/// The tests' crate, which may use all crates.
const TESTS: &str = "outboard-tests";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// The names in backticks.
fn names(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The rows of the table, in order: a crate, and those that it may use.
fn documented() -> Vec<(String, BTreeSet<String>)> {
    let page = std::fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let (_, section) = page.split_once(HEADING).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').collect();
        assert_eq!(cells.len(), 3, "a row has a crate, its job and what it may use: {row}");
        (names(cells[0]).remove(0), names(cells[2]).into_iter().collect())
    })
    .collect()
}

/// The packages of the workspace: name, folder relative to the root, and the workspace packages in its Cargo.toml,
/// including those for tests and build scripts.
fn packages() -> Vec<(String, String, BTreeSet<String>)> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["metadata", "--no-deps", "--offline", "--format-version", "1"]).current_dir(root());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut found = Vec::new();
    for package in metadata["packages"].as_array().unwrap() {
        let manifest = PathBuf::from(text(&package["manifest_path"]));
        let folder = manifest.parent().unwrap().strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        let dependencies = package["dependencies"].as_array().unwrap().iter();
        let ours = dependencies.filter(|dependency| dependency["path"].is_string()).map(|one| text(&one["name"]));
        found.push((text(&package["name"]), folder, ours.collect()));
    }
    found
}

/// Everything that differs from the table.
fn broken(documented: &[(String, BTreeSet<String>)], packages: &[(String, String, BTreeSet<String>)]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (n, (name, may_use)) in documented.iter().enumerate() {
        let below: BTreeSet<&String> = documented[..n].iter().map(|(name, _)| name).collect();
        let above = may_use.iter().filter(|used| !below.contains(used));
        wrong.extend(above.map(|used| format!("the table lets {name} use {used}, which has no row above it")));
        if !packages.iter().any(|(known, ..)| known == name) {
            wrong.push(format!("the table has {name}, which is no package of the workspace"));
        }
    }
    let of_table: BTreeMap<&String, &BTreeSet<String>> = documented.iter().map(|(name, uses)| (name, uses)).collect();
    for (name, folder, uses) in packages.iter().filter(|(name, ..)| name != TESTS) {
        let of_host = folder == "host" || folder.starts_with("host/");
        let none = BTreeSet::new();
        let may_use = match (of_table.get(name), of_host) {
            (Some(may_use), _) => may_use,
            (None, true) => {
                wrong.push(format!("{name} in {folder} has no row in the table"));
                continue;
            }
            // Components may share their own code, but none of the host's.
            (None, false) => &none,
        };
        let ours = uses.iter().filter(|used| of_host || of_table.contains_key(used));
        wrong.extend(ours.filter(|used| !may_use.contains(*used)).map(|used| format!("{name} may not use {used}")));
    }
    wrong
}

#[test]
fn crates_use_those_below_them_only() {
    let documented = documented();
    assert!(documented.len() >= 7, "the table was not found: {documented:?}");
    let wrong = broken(&documented, &packages());
    assert!(wrong.is_empty(), "{}; the table is in docs/architecture.md", wrong.join("; "));
}

#[test]
fn a_use_upwards_is_found() {
    let (documented, packages) = (documented(), packages());
    let with = |name: &str, used: &str| {
        let mut changed = packages.clone();
        changed.iter_mut().find(|(known, ..)| known == name).unwrap().2.insert(used.to_owned());
        broken(&documented, &changed)
    };
    assert_eq!(with("outboard-base", "outboard-media"), ["outboard-base may not use outboard-media"]);
    assert_eq!(with("outboard-stage", "outboard"), ["outboard-stage may not use outboard"]);
    assert_eq!(with("framing-fragment", "outboard-base"), ["framing-fragment may not use outboard-base"]);
    let mut new = packages.clone();
    new.push(("outboard-new".into(), "host/new".into(), BTreeSet::new()));
    assert_eq!(broken(&documented, &new), ["outboard-new in host/new has no row in the table"]);
    let mut upwards = documented.clone();
    upwards[0].1.insert("outboard".into());
    let told = broken(&upwards, &packages);
    assert_eq!(told, ["the table lets outboard-base use outboard, which has no row above it"]);
}
