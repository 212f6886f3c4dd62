//! The C library in guest/c: its test program, built with Debian's clang and run on the runtime,
//! and its header read as C++.
//!
//! What must stay true: a machine without the compiler is told so, with the command that helps.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::shell;
use crate::workspace::{Profile, guests_dir, lunatic, root};

const LIMIT: Duration = Duration::from_secs(60);
const FLAGS: &[&str] =
    &["--target=wasm32-wasi", "--sysroot=/usr", "-O2", "-Wall", "-Wextra", "-Werror"];

/// Builds and runs what tests the C library.
pub fn run_all(profile: Profile) -> Result<()> {
    let libc = Path::new("/usr/lib/wasm32-wasi/libc.a").is_file();
    if !libc || !shell::exists("clang") || !shell::exists("wasm-ld") {
        println!(
            "SKIPPED: clang for wasm32-wasi is missing; next: \
             apt-get install clang lld wasi-libc libclang-rt-14-dev-wasm32"
        );
        return Ok(());
    }
    std::fs::create_dir_all(guests_dir())?;
    let module = guests_dir().join("c_core.wasm");
    let mut build = Command::new("clang");
    build.current_dir(root()).args(FLAGS).arg("-std=c11");
    build.args(["guest/c/lunatic.c", "guest/c/tests/core.c", "-o"]).arg(&module);
    shell::run(&mut build)?;
    let mut header = Command::new("clang");
    header.current_dir(root()).args(FLAGS).args(["-x", "c++", "-nostdinc++", "-fsyntax-only"]);
    // Included from an empty source: a header by itself is warned about.
    header.args(["-include", "guest/c/lunatic.h", "/dev/null"]);
    shell::run(&mut header)?;
    let mut run = Command::new(lunatic(profile)?);
    run.arg("run").arg(module);
    let finished = shell::run_limited(&mut run, LIMIT)?;
    ensure!(
        finished.success() && finished.stdout == "ok\n",
        "guest/c/tests/core.c failed ({})\n{}{}",
        finished.ending(),
        finished.stdout,
        finished.stderr
    );
    Ok(())
}
