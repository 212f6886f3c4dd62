//! `cargo xtask test`: everything, in the order in which it fails soonest. `.ci/run` calls exactly
//! this.

use std::time::Instant;

use anyhow::{Result, bail};

use crate::shell::{self, step};
use crate::workspace::{Profile, cargo, guest_cargo};
use crate::{
    assemblyscript, bench, c_guests, check, compat, examples, guest_rust, guests, guide,
    instructions, languages, workspace,
};

const WINDOWS_TARGET: &str = "x86_64-pc-windows-gnu";
const WINDOWS_COMPILER: &str = "x86_64-w64-mingw32-gcc";

/// The chore.
pub fn run(args: &[String]) -> Result<()> {
    if !args.is_empty() {
        bail!("test runs everything and takes no arguments; a part: cargo test -p PACKAGE");
    }
    let begin = Instant::now();
    guests::ensure_wasm_target()?;
    check::run_steps()?;
    step("examples", || examples::run_all(Profile::Dev))?;
    step("a guest crate's own tests", guest_tests)?;
    step("the C library", || c_guests::run_all(Profile::Dev))?;
    step("programs in several languages", || languages::run_all(Profile::Dev))?;
    step("the Rust library for guests", || guest_rust::test(Profile::Dev))?;
    step("the library for AssemblyScript", || assemblyscript::run_all(Profile::Dev))?;
    step("the guide's listings", || guide::run_all(Profile::Dev))?;
    step("tests of the published package", || compat::run_all(Profile::Dev))?;
    step("questions of the benchmark", || bench::smoke(Profile::Dev))?;
    step("instruction counts", || instructions::check(Profile::Dev))?;
    step("compiles for Windows", windows)?;
    println!("\nEverything passed in {:.0} s.", begin.elapsed().as_secs_f64());
    Ok(())
}

/// `cargo test` of a guest crate, with the runtime as its runner.
fn guest_tests() -> Result<()> {
    let lunatic = workspace::lunatic(Profile::Dev)?;
    let mut test = guest_cargo(&guests::examples_dir());
    test.args(["test", "--locked", "--package", "tested", "--lib"])
        .args(["--target", workspace::WASM_TARGET])
        .env("CARGO_TARGET_WASM32_WASIP1_RUNNER", format!("{} run", lunatic.display()));
    shell::run(&mut test)
}

/// Only compiles: nothing here runs a Windows program.
fn windows() -> Result<()> {
    if cfg!(windows) {
        println!("skipped: this is Windows, and everything above has been compiled for it");
        return Ok(());
    }
    if !guests::has_target(WINDOWS_TARGET)? {
        println!("SKIPPED: the target is missing; next: rustup target add {WINDOWS_TARGET}");
        return Ok(());
    }
    if !shell::exists(WINDOWS_COMPILER) {
        println!(
            "SKIPPED: {WINDOWS_COMPILER} is missing; next: apt-get install gcc-mingw-w64-x86-64"
        );
        return Ok(());
    }
    shell::run(cargo().args(["check", "--workspace", "--target", WINDOWS_TARGET]))
}
