//! Building guests: the wasm target, the workspace in `examples/`.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::shell;
use crate::workspace::{WASM_TARGET, guest_cargo, guests_dir, root};

/// Makes sure that guests can be built, by asking rustup for the target where it is missing.
pub fn ensure_wasm_target() -> Result<()> {
    if has_target(WASM_TARGET)? {
        return Ok(());
    }
    let mut add = Command::new("rustup");
    add.current_dir(root()).args(["target", "add", WASM_TARGET]);
    shell::run(&mut add).with_context(|| {
        format!("guests need the target {WASM_TARGET}; without rustup, install it by hand")
    })
}

/// Whether the standard library of a target is installed.
pub fn has_target(target: &str) -> Result<bool> {
    let mut ask = Command::new("rustc");
    ask.current_dir(root()).args(["--print", "target-libdir", "--target", target]);
    Ok(PathBuf::from(shell::output(&mut ask)?.trim()).is_dir())
}

/// The folder of the examples' workspace.
pub fn examples_dir() -> PathBuf {
    root().join("examples")
}

/// Builds examples in the release profile; all of them if none is named.
pub fn build(packages: &[&str]) -> Result<()> {
    ensure_wasm_target()?;
    let mut build = guest_cargo(&examples_dir());
    build.args(["build", "--release", "--locked", "--target", WASM_TARGET]);
    for package in packages {
        build.args(["--package", package]);
    }
    shell::run(&mut build)
}

/// The module that [`build`] makes of an example.
pub fn module(package: &str) -> PathBuf {
    guests_dir().join(WASM_TARGET).join("release").join(format!("{package}.wasm"))
}
