//! Where things lie: the repository, the build directories, the built runtime.
//!
//! The runtime is built in one profile for all tests (dev, whose dependencies are optimised), so
//! that the tree of dependencies is compiled once; release is for the demo and the benchmarks.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::shell;

/// The target that all guests are built for.
pub const WASM_TARGET: &str = "wasm32-wasip1";

/// The profile in which the runtime is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// For tests.
    Dev,
    /// For the demo and the benchmarks.
    Release,
}

impl Profile {
    /// Reads `[--release]`, the only argument that some chores take.
    pub fn from_args(args: &[String]) -> Result<Self> {
        match args {
            [] => Ok(Self::Dev),
            [flag] if flag == "--release" => Ok(Self::Release),
            _ => bail!("the only argument here is --release; `cargo xtask` lists all chores"),
        }
    }

    fn folder(self) -> &'static str {
        match self {
            Self::Dev => "debug",
            Self::Release => "release",
        }
    }
}

/// The root of the repository.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("xtask lies in the repository").to_path_buf()
}

/// The build directory of the runtime.
pub fn target_dir() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => root().join(dir),
        None => root().join("target"),
    }
}

/// The build directory of the guests: another one, so that neither build waits for the other.
pub fn guests_dir() -> PathBuf {
    target_dir().join("guests")
}

/// The `cargo` that runs this chore.
pub fn cargo() -> Command {
    let name = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(name);
    command.current_dir(root());
    // What cargo told us about the package xtask is not true for what we let it build.
    for (name, _) in std::env::vars_os() {
        let told = name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_"));
        if told || name == "CARGO_MANIFEST_DIR" || name == "CARGO_MANIFEST_PATH" {
            command.env_remove(name);
        }
    }
    command
}

/// A cargo for guests: their folder, their build directory.
pub fn guest_cargo(folder: &Path) -> Command {
    let mut command = cargo();
    command.current_dir(folder).env("CARGO_TARGET_DIR", guests_dir());
    command
}

/// The profile's `lunatic`, built first where it is not up to date.
pub fn lunatic(profile: Profile) -> Result<PathBuf> {
    program(profile, "lunatic")
}

/// A program of the workspace, built first where it is not up to date.
///
/// Always the whole workspace: features of dependencies follow from what is built together, and
/// another choice would compile the whole tree again. In the dev profile that includes the tests,
/// whose dependencies the programs then share.
pub fn program(profile: Profile, name: &str) -> Result<PathBuf> {
    let mut build = cargo();
    build.args(["build", "--workspace"]);
    build.arg(match profile {
        Profile::Dev => "--all-targets",
        Profile::Release => "--release",
    });
    shell::run(&mut build)?;
    Ok(path_of(profile, name))
}

/// The same as an earlier build has left it.
pub fn built(profile: Profile, name: &str) -> Result<PathBuf> {
    let path = path_of(profile, name);
    if !path.is_file() {
        bail!("{} has not been built; next: the same without --as-built", path.display());
    }
    Ok(path)
}

fn path_of(profile: Profile, name: &str) -> PathBuf {
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    target_dir().join(profile.folder()).join(file)
}
