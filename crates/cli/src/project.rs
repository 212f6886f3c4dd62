//! Cargo projects: making their modules, with the build target added where it is missing.
//!
//! Cargo does the building and the talking: on a terminal it draws its own progress bar, in a pipe
//! it is asked for quiet, so that only warnings and errors appear. The paths of what it built come
//! from its JSON messages, never from guesses about the layout of its target directory.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::args::BuildArgs;
use crate::error::CliError;
use crate::progress;
use crate::target::shown;

/// The Rust target that guests are built for.
pub const WASM_TARGET: &str = "wasm32-wasip1";

/// A module that Cargo built.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Artifact {
    /// Cargo's name of the program, test or example.
    pub name: String,
    /// The module.
    pub wasm: PathBuf,
    /// The manifest of the package that it belongs to.
    pub manifest: PathBuf,
}

/// Builds the program of the project in `directory`.
pub fn program(directory: &Path, flags: &BuildArgs, quiet: bool) -> Result<Artifact, CliError> {
    let mut artifacts = build(directory, "build", &[], flags, quiet)?;
    if artifacts.len() > 1
        && let Some(default) = artifacts.iter().position(is_default_run)
    {
        return Ok(artifacts.swap_remove(default));
    }
    match artifacts.len() {
        0 => Err(CliError::failure(format!("the project `{}` has no program", shown(directory)))
            .hint("add a src/main.rs; a library alone cannot be run, but `lunatic test` tests it")),
        1 => Ok(artifacts.swap_remove(0)),
        _ => {
            let names: Vec<_> = artifacts.iter().map(|artifact| artifact.name.as_str()).collect();
            let message = format!("the project `{}` has several programs", shown(directory));
            Err(CliError::usage(message)
                .hint(format!("choose one with --bin: {}", names.join(", "))))
        }
    }
}

/// Builds all tests of the project in `directory`.
pub fn tests(directory: &Path, flags: &BuildArgs, quiet: bool) -> Result<Vec<Artifact>, CliError> {
    build(directory, "test", &["--no-run"], flags, quiet)
}

fn build(
    directory: &Path,
    subcommand: &str,
    more: &[&str],
    flags: &BuildArgs,
    quiet: bool,
) -> Result<Vec<Artifact>, CliError> {
    add_missing_target(directory, quiet)?;
    let mut cargo = Command::new(cargo());
    // Cargo reads its configuration, and rustup its toolchain file, from the working directory.
    cargo.current_dir(directory).arg(subcommand).args(more);
    cargo.args(["--target", WASM_TARGET, "--message-format", "json-render-diagnostics"]);
    if quiet || !progress::shown() {
        cargo.arg("--quiet");
    }
    if flags.release {
        cargo.arg("--release");
    }
    if let Some(bin) = &flags.bin {
        cargo.args(["--bin", bin]);
    }
    if let Some(package) = &flags.package {
        cargo.args(["--package", package]);
    }
    for features in &flags.features {
        cargo.args(["--features", features]);
    }
    let mut child = cargo
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| tool_missing("cargo", &error))?;
    let mut artifacts = Vec::new();
    if let Some(messages) = child.stdout.take() {
        for line in BufReader::new(messages).split(b'\n').map_while(Result::ok) {
            artifacts.extend(artifact(&line));
        }
    }
    let status = child
        .wait()
        .map_err(|error| CliError::failure("cannot wait for cargo to end").because(&error))?;
    if status.success() {
        return Ok(artifacts);
    }
    Err(CliError::failure(format!("the project `{}` does not build", shown(directory)))
        .hint("cargo's messages above say why"))
}

/// Makes sure that the project's toolchain can build for the target, if need be through rustup.
fn add_missing_target(directory: &Path, quiet: bool) -> Result<(), CliError> {
    let rustc = Command::new("rustc")
        .current_dir(directory)
        .args(["--print", "target-libdir", "--target", WASM_TARGET])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| tool_missing("rustc", &error))?;
    if !rustc.status.success() {
        let cause = std::io::Error::other(String::from_utf8_lossy(&rustc.stderr).into_owned());
        let message = format!("the Rust compiler does not know the target {WASM_TARGET}");
        return Err(CliError::failure(message).because(&cause).hint("try `rustup update`"));
    }
    let libraries = PathBuf::from(String::from_utf8_lossy(&rustc.stdout).trim_end());
    if libraries.is_dir() {
        return Ok(());
    }
    if !quiet {
        eprintln!("note: adding the Rust target {WASM_TARGET}: rustup target add {WASM_TARGET}");
    }
    // What rustup says goes to standard error, so that standard output stays the guest's.
    let rustup = Command::new("rustup")
        .current_dir(directory)
        .args(["target", "add", WASM_TARGET])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status();
    let failed = CliError::failure(format!("the Rust target {WASM_TARGET} is not installed"));
    match rustup {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(failed.hint(format!("`rustup target add {WASM_TARGET}` failed, see above"))),
        Err(error) => Err(failed.because(&error).hint(
            "`rustup` would add it: install the target the way Rust itself was installed, or get \
             Rust from https://rustup.rs",
        )),
    }
}

/// The Cargo that runs this command, if one does: then the toolchain stays the same.
fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

fn tool_missing(tool: &str, error: &std::io::Error) -> CliError {
    let failed = CliError::failure(format!("cannot start `{tool}`")).because(error);
    if error.kind() == ErrorKind::NotFound {
        return failed.hint("Cargo projects need a Rust toolchain: see https://rustup.rs");
    }
    failed
}

/// The parts of Cargo's messages that matter here.
#[derive(Deserialize)]
struct Message {
    reason: String,
    executable: Option<PathBuf>,
    manifest_path: Option<PathBuf>,
    target: Option<MessageTarget>,
}

#[derive(Deserialize)]
struct MessageTarget {
    name: String,
}

/// The module that one of Cargo's messages announces. Other messages, and lines that a build
/// script's tools print in between, announce none.
fn artifact(line: &[u8]) -> Option<Artifact> {
    let message: Message = serde_json::from_slice(line).ok()?;
    if message.reason != "compiler-artifact" {
        return None;
    }
    let wasm = message.executable.filter(|path| path.extension().is_some_and(|e| e == "wasm"))?;
    Some(Artifact { name: message.target?.name, wasm, manifest: message.manifest_path? })
}

/// Whether the artifact's package names it as the program to run.
fn is_default_run(artifact: &Artifact) -> bool {
    let manifest = std::fs::read_to_string(&artifact.manifest).unwrap_or_default();
    let manifest: toml_edit::DocumentMut = manifest.parse().unwrap_or_default();
    let default = manifest.get("package").and_then(|package| package.get("default-run"));
    default.and_then(|name| name.as_str()) == Some(artifact.name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_found_in_the_messages_of_cargo() {
        let line = |reason: &str, executable: &str| {
            format!(
                r#"{{"reason":"{reason}","package_id":"x","manifest_path":"/p/Cargo.toml",
                "target":{{"kind":["bin"],"name":"app"}},"executable":{executable}}}"#
            )
        };
        let found = artifact(line("compiler-artifact", r#""/t/app.wasm""#).as_bytes()).unwrap();
        assert_eq!(found.name, "app");
        assert_eq!(found.wasm, PathBuf::from("/t/app.wasm"));
        assert_eq!(found.manifest, PathBuf::from("/p/Cargo.toml"));
        let others = [
            line("compiler-artifact", "null"),
            line("compiler-artifact", r#""/t/build-script-build""#),
            line("compiler-message", r#""/t/app.wasm""#),
            r#"{"reason":"build-finished","success":true}"#.into(),
            "not json".into(),
            String::new(),
        ];
        for other in others {
            assert_eq!(artifact(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn the_manifest_may_name_the_program_to_run() {
        let directory = tempfile::tempdir().unwrap();
        let manifest = directory.path().join("Cargo.toml");
        std::fs::write(&manifest, "[package]\nname = \"p\"\ndefault-run = \"b\"\n").unwrap();
        let artifact = |name: &str| Artifact {
            name: name.into(),
            wasm: "x.wasm".into(),
            manifest: manifest.clone(),
        };
        assert!(is_default_run(&artifact("b")) && !is_default_run(&artifact("a")));
    }
}
