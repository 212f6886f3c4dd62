//! Getting the tests of the published package: its source as the registry serves it, copied to
//! target/compat and built for the wasm target. Not one line of its code or tests is changed.
//!
//! Its manifest is, in two places, because publishing took something away: the package used
//! itself as a dev-dependency (its unit tests say `lunatic::…`), and `criterion`, which only its
//! benches use, is left out to save a minute. Versions are those of its own lock file.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::shell;
use crate::workspace::{WASM_TARGET, guest_cargo, guests_dir, target_dir};
use crate::{guests, tidy};

/// The package and the version whose tests are run.
pub const PACKAGE: (&str, &str) = ("lunatic", "0.14.1");

const FEATURES: &str = "json_serializer,msgpack_serializer,protobuf_serializer,sqlite";

/// One built test binary.
pub struct TestBinary {
    /// Name of the file under tests/, or `lib` for the package's unit tests.
    pub name: String,
    /// The module.
    pub module: PathBuf,
}

/// Builds all test binaries; the second result is the folder in which they expect to run.
pub fn build() -> Result<(Vec<TestBinary>, PathBuf)> {
    guests::ensure_wasm_target()?;
    let folder = target_dir().join("compat");
    copy(&registry_source()?, &folder)?;
    adjust_manifest(&folder.join("Cargo.toml"))?;

    let mut build = guest_cargo(&folder);
    // A directory of its own: other versions of the same packages than the examples use.
    build.env("CARGO_TARGET_DIR", guests_dir().join("compat"));
    build.args([
        "test",
        "--no-run",
        "--lib",
        "--tests",
        "--message-format=json-render-diagnostics",
    ]);
    build.args(["--target", WASM_TARGET, "--features", FEATURES]);
    // The package is as old as it is; what today's compiler warns about in it is not our business.
    build.env("RUSTFLAGS", "-Awarnings");
    build.stderr(std::process::Stdio::inherit());
    println!("$ {}", shell::printable(&build));
    let mut binaries = read_messages(&shell::output(&mut build)?)?;
    binaries.sort_by(|a, b| a.name.cmp(&b.name));
    ensure!(!binaries.is_empty(), "cargo built no test of the package");
    Ok((binaries, folder))
}

/// Where cargo keeps the package's source. The examples use the same version, so it is there as
/// soon as their dependencies are.
fn registry_source() -> Result<PathBuf> {
    let mut ask = guest_cargo(&guests::examples_dir());
    ask.args(["metadata", "--format-version", "1", "--locked"]);
    let metadata: Value = serde_json::from_str(&shell::output(&mut ask)?)?;
    let (name, version) = PACKAGE;
    let packages = metadata["packages"].as_array().context("cargo metadata lists no packages")?;
    let package = packages
        .iter()
        .find(|package| package["name"] == name && package["version"] == version)
        .with_context(|| format!("examples/Cargo.lock does not hold {name} {version}"))?;
    let manifest = package["manifest_path"].as_str().context("a package has a manifest")?;
    Ok(Path::new(manifest).parent().context("a manifest lies in a folder")?.to_path_buf())
}

/// Copies what is needed to build the tests. The package's own `.cargo` names a target that is
/// called otherwise today.
fn copy(from: &Path, to: &Path) -> Result<()> {
    if to.exists() {
        fs::remove_dir_all(to).with_context(|| format!("cannot clear {}", to.display()))?;
    }
    for file in tidy::files_below(from)? {
        let inside = file.strip_prefix(from).expect("a file below a folder begins with it");
        let top = inside.iter().next().and_then(|part| part.to_str()).unwrap_or("");
        if ["src", "tests", "Cargo.toml", "Cargo.lock"].contains(&top) {
            let target = to.join(inside);
            fs::create_dir_all(target.parent().expect("a file lies in a folder"))?;
            fs::write(&target, fs::read(&file)?)
                .with_context(|| format!("cannot write {}", target.display()))?;
        }
    }
    Ok(())
}

fn adjust_manifest(path: &Path) -> Result<()> {
    let text = fs::read_to_string(path)?;
    // An empty table makes the copy a workspace of its own, though it lies below ours.
    let adjusted = format!(
        "{}\n[dev-dependencies.lunatic]\npath = \".\"\n\n[workspace]\n",
        without_tables(&text, &["[dev-dependencies.criterion]", "[[bench]]"])
    );
    fs::write(path, adjusted)?;
    Ok(())
}

/// A manifest without the named tables. Each begins with its header line and ends at the next.
fn without_tables(text: &str, headers: &[&str]) -> String {
    let mut kept = String::new();
    let mut skipping = false;
    for line in text.lines() {
        if line.starts_with('[') {
            skipping = headers.contains(&line);
        }
        if !skipping {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

/// Picks the test binaries out of cargo's messages, one JSON object a line.
fn read_messages(messages: &str) -> Result<Vec<TestBinary>> {
    let mut binaries = Vec::new();
    for line in messages.lines().filter(|line| line.starts_with('{')) {
        let message: Value = serde_json::from_str(line)?;
        let Some(module) = message["executable"].as_str() else {
            continue;
        };
        let target = &message["target"];
        let kind = target["kind"][0].as_str().context("a target has a kind")?;
        let name = match kind {
            "test" => target["name"].as_str().context("a target has a name")?,
            "lib" => "lib",
            _ => bail!("a test binary of the unexpected kind `{kind}`"),
        };
        binaries.push(TestBinary { name: name.to_owned(), module: module.into() });
    }
    Ok(binaries)
}

#[cfg(test)]
mod tests {
    use super::{read_messages, without_tables};

    #[test]
    fn a_table_ends_where_the_next_begins() {
        let text = "[a]\nx = 1\n[b]\ny = [\n    2,\n]\n[[b]]\nz = 3\n[c]\n";
        assert_eq!(without_tables(text, &["[b]"]), "[a]\nx = 1\n[[b]]\nz = 3\n[c]\n");
        assert_eq!(without_tables(text, &["[b]", "[[b]]"]), "[a]\nx = 1\n[c]\n");
    }

    #[test]
    fn only_executables_are_test_binaries() {
        let messages = "{\"reason\":\"compiler-artifact\",\"executable\":null}\n\
            {\"executable\":\"/t/a-1.wasm\",\"target\":{\"kind\":[\"test\"],\"name\":\"a\"}}\n\
            {\"executable\":\"/t/l-1.wasm\",\"target\":{\"kind\":[\"lib\"],\"name\":\"l\"}}\n";
        let binaries = read_messages(messages).unwrap();
        let names: Vec<&str> = binaries.iter().map(|binary| binary.name.as_str()).collect();
        assert_eq!(names, ["a", "lib"]);
    }
}
