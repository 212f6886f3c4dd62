//! The Rust library in `guest/rust`: its tests, its examples, what a small program weighs.
//!
//! The parts without host calls are tested natively, everything else as WebAssembly on the runtime,
//! with `lunatic run` as Cargo's runner; so are the examples in its documentation, which all public
//! items have.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::guest_rust_examples;
use crate::shell;
use crate::workspace::{self, Profile, WASM_TARGET, guest_cargo, guests_dir, root};

/// The goal for a program that says hello from another process, in release.
const HELLO_BYTES_MAX: u64 = 100 << 10;
/// The goal for the pages of 4 KiB that a waiting process has written to: the top of its stack, the
/// program's constants, its heap.
const WAITING_PAGES_MAX: u32 = 3;

/// The chore.
pub fn run(args: &[String]) -> Result<()> {
    test(Profile::from_args(args)?)
}

/// Tests everything.
pub fn test(profile: Profile) -> Result<()> {
    guest_rust_examples::check()?;
    let lunatic = workspace::lunatic(profile)?;
    let host = host_target()?;
    shell::run(cargo().args(["test", "--locked", "--all-features", "--lib", "--target", &host]))?;
    let runner = format!("{} run", lunatic.display());
    for part in ["--tests", "--doc"] {
        let mut test = cargo();
        test.args(["test", "--locked", "--all-features", "--package", "lunatic", part]);
        test.args(["--target", WASM_TARGET]);
        shell::run(test.env("CARGO_TARGET_WASM32_WASIP1_RUNNER", &runner))?;
    }
    let mut doc = cargo();
    doc.args(["doc", "--locked", "--all-features", "--no-deps", "--target", WASM_TARGET]);
    shell::run(doc.env("RUSTDOCFLAGS", "-Dwarnings"))?;
    let mut build = cargo();
    build.args(["build", "--locked", "--release", "--examples", "--target", WASM_TARGET]);
    shell::run(&mut build)?;
    small_programs(&lunatic)
}

fn cargo() -> Command {
    guest_cargo(&root().join("guest/rust"))
}

/// The module of an example of the library, once it is built.
pub fn example(name: &str) -> PathBuf {
    guests_dir().join(WASM_TARGET).join("release/examples").join(format!("{name}.wasm"))
}

/// Holds the size of a small program and the memory of a waiting process against their limits.
fn small_programs(lunatic: &Path) -> Result<()> {
    let hello = example("hello");
    let said = shell::output(Command::new(lunatic).arg("run").arg(&hello))?;
    ensure!(said == "Hello from another process!\n", "hello says {said:?}");
    let bytes = fs::metadata(&hello)?.len();
    println!("  hello: {bytes} bytes of wasm, at most {HELLO_BYTES_MAX}");
    let said = shell::output(Command::new(lunatic).arg("run").arg(example("waiting")))?;
    let pages = said.strip_suffix(" pages\n").and_then(|pages| pages.parse().ok());
    let pages: u32 = pages.with_context(|| format!("waiting says {said:?}"))?;
    println!("  a waiting process: {pages} pages written, at most {WAITING_PAGES_MAX}");
    if bytes > HELLO_BYTES_MAX || pages > WAITING_PAGES_MAX {
        bail!("a program on guest/rust has outgrown its limit, see above");
    }
    Ok(())
}

/// The target of this machine, since the library's folder builds for WebAssembly by default.
fn host_target() -> Result<String> {
    let version = shell::output(Command::new("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc -vV names no host")?.to_owned())
}
