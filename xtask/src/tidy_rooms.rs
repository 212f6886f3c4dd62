//! Who may depend on whom: the table of the rooms, compared with `cargo metadata`.
//!
//! A new edge, or a new package in one of the listed places, is a decision: write it down under
//! docs/decisions first, then change this table.

use anyhow::{Context, Result};
use serde_json::Value;

use crate::shell;
use crate::workspace::cargo;

/// One room: which other rooms it may use, and, where that is all it may use, which packages.
struct Room {
    name: &'static str,
    rooms: &'static [&'static str],
    packages: Option<&'static [&'static str]>,
}

const MODEL: &str = "lunatic-model";
const NODE: &str = "lunatic-node";
const WASI: &str = "lunatic-wasi";
const SINKS: &str = "lunatic-sinks";
const SQLITE: &str = "lunatic-sqlite";
const ENGINE: &str = "lunatic-engine";
const RUNTIME: &str = "lunatic-runtime";
const OTP: &str = "lunatic-otp";

const ROOMS: &[Room] = &[
    Room { name: MODEL, rooms: &[], packages: Some(&["smallvec", "thiserror"]) },
    Room {
        name: NODE,
        rooms: &[MODEL],
        packages: Some(&["crossbeam-deque", "smallvec", "thiserror", "tokio", "tracing"]),
    },
    Room { name: WASI, rooms: &[], packages: None },
    Room { name: SINKS, rooms: &[], packages: None },
    Room { name: SQLITE, rooms: &[], packages: None },
    Room { name: ENGINE, rooms: &[MODEL, NODE, WASI, SQLITE], packages: None },
    Room {
        name: OTP,
        rooms: &[MODEL, NODE, WASI, ENGINE],
        packages: Some(&["tempfile", "thiserror"]),
    },
    Room { name: RUNTIME, rooms: &[MODEL, NODE, WASI, SINKS, ENGINE], packages: None },
    Room {
        name: "xtask",
        rooms: &[],
        packages: Some(&["anyhow", "rustix", "serde", "serde_json"]),
    },
];

/// Packages that only the named rooms may use.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("wasmtime", &[ENGINE]),
    ("wasmparser", &[ENGINE]),
    ("wasm-encoder", &[ENGINE]),
    ("cap-std", &[WASI, SQLITE]),
    ("cap-fs-ext", &[WASI, SQLITE]),
    ("cap-primitives", &[WASI]),
    ("libsqlite3-sys", &[SQLITE]),
    ("clap", &[RUNTIME]),
    ("anyhow", &[RUNTIME, "xtask"]),
    ("hyper", &[RUNTIME, SINKS]),
    ("hyper-util", &[RUNTIME, SINKS]),
    ("toml_edit", &[RUNTIME]),
    ("tracing-subscriber", &[RUNTIME]),
];

/// One edge of the graph: a package of the workspace uses another package.
#[derive(Debug, PartialEq, Eq)]
struct Edge {
    from: String,
    to: String,
    /// Only its tests, examples and benches use it.
    dev: bool,
}

/// Compares the table with the manifests.
pub fn check() -> Result<Vec<String>> {
    let mut ask = cargo();
    ask.args(["metadata", "--format-version", "1", "--no-deps"]);
    let metadata: Value = serde_json::from_str(&shell::output(&mut ask)?)?;
    let (names, edges) = read(&metadata).context("cargo metadata has changed its format")?;
    Ok(findings(&names, &edges))
}

fn read(metadata: &Value) -> Option<(Vec<String>, Vec<Edge>)> {
    let mut names = Vec::new();
    let mut edges = Vec::new();
    for package in metadata["packages"].as_array()? {
        let from = package["name"].as_str()?;
        names.push(from.to_owned());
        for dependency in package["dependencies"].as_array()? {
            edges.push(Edge {
                from: from.to_owned(),
                to: dependency["name"].as_str()?.to_owned(),
                dev: dependency["kind"].as_str() == Some("dev"),
            });
        }
    }
    Some((names, edges))
}

fn findings(names: &[String], edges: &[Edge]) -> Vec<String> {
    let mut findings = Vec::new();
    for name in names {
        if !ROOMS.iter().any(|room| room.name == name) {
            findings.push(format!("{name}: a room that xtask/src/tidy_rooms.rs does not know"));
        }
    }
    for edge in edges {
        if let Some(reason) = refusal(edge) {
            let Edge { from, to, .. } = edge;
            findings.push(format!("{from}: depends on {to}, but {reason}"));
        }
    }
    findings
}

/// Why this edge must not be; none if it may.
fn refusal(edge: &Edge) -> Option<String> {
    let room = ROOMS.iter().find(|room| room.name == edge.from)?;
    let to = edge.to.as_str();
    if ROOMS.iter().any(|room| room.name == to) {
        let allowed = room.rooms.contains(&to) || (edge.dev && to == room.name);
        return (!allowed).then(|| "dependencies point from upper rooms to lower ones only".into());
    }
    if let Some((_, homes)) = ONLY_IN.iter().find(|(package, _)| *package == to) {
        return (!homes.contains(&room.name) && !edge.dev)
            .then(|| format!("only {} may", homes.join(" and ")));
    }
    match room.packages {
        Some(packages) if !edge.dev && !packages.contains(&to) => {
            Some(format!("it may use only {}", packages.join(", ")))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{ENGINE, Edge, MODEL, NODE, RUNTIME, WASI, findings, refusal};

    fn edge(from: &str, to: &str, dev: bool) -> Edge {
        Edge { from: from.into(), to: to.into(), dev }
    }

    #[test]
    fn dependencies_point_down_only() {
        assert_eq!(refusal(&edge(ENGINE, NODE, false)), None);
        for (from, to) in [(NODE, ENGINE), (MODEL, NODE), (WASI, ENGINE), (ENGINE, RUNTIME)] {
            assert!(refusal(&edge(from, to, false)).is_some(), "{from} -> {to}");
            assert!(refusal(&edge(from, to, true)).is_some(), "{from} -> {to} in tests");
        }
    }

    #[test]
    fn only_the_engine_knows_wasmtime() {
        assert_eq!(refusal(&edge(ENGINE, "wasmtime", false)), None);
        for room in [MODEL, NODE, WASI, RUNTIME] {
            assert!(refusal(&edge(room, "wasmtime", false)).is_some(), "{room}");
        }
    }

    #[test]
    fn the_model_is_pure() {
        for package in ["tokio", "tracing", "serde", "rand"] {
            assert!(refusal(&edge(MODEL, package, false)).is_some(), "{package}");
        }
        assert_eq!(refusal(&edge(MODEL, "proptest", true)), None);
    }

    #[test]
    fn an_unknown_room_is_a_finding() {
        assert_eq!(findings(&["lunatic-attic".into()], &[]).len(), 1);
    }
}
