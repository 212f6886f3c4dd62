//! The C library in guest/c: its test programs and the examples in C, built with Debian's clang and
//! run on the runtime, and its headers read as C++.
//!
//! What must stay true: every source in guest/c/tests and examples/languages/*/c is built, without
//! a warning, and run; a machine without the compiler is told so, with the command that helps.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::shell;
use crate::workspace::{Profile, guests_dir, lunatic, root};

const LIMIT: Duration = Duration::from_secs(60);
const FLAGS: &[&str] =
    &["--target=wasm32-wasi", "--sysroot=/usr", "-O2", "-Wall", "-Wextra", "-Werror"];
/// The library, compiled once for all programs.
const LIBRARY: &str = "c_library.o";
const PAGE: &str = "examples/languages/README.md";

/// Builds and runs what tests the C library.
pub fn run_all(profile: Profile) -> Result<()> {
    if !can_build() {
        return Ok(());
    }
    build_library()?;
    let mut header = Command::new("clang");
    header.current_dir(root()).args(FLAGS).args(["-x", "c++", "-nostdinc++", "-fsyntax-only"]);
    // Included from an empty source: a header by itself is warned about.
    header.args(["-include", "guest/c/lunatic_supervisor.h"]);
    header.args(["-include", "guest/c/lunatic_tcp.h", "/dev/null"]);
    shell::run(&mut header)?;
    let tests = sources(&root().join("guest/c/tests"))?;
    ensure!(!tests.is_empty(), "guest/c/tests holds no test; bring core.c back");
    for test in &tests {
        run_one(profile, test, "ok\n")?;
    }
    run_examples(profile)?;
    run_chat(profile)
}

/// A guest says hello in an empty room. The server takes any free port, and is killed at the end.
fn run_chat(profile: Profile) -> Result<()> {
    let module = guests_dir().join("c_chat.wasm");
    build(&root().join("examples/languages/chat/c/chat.c"), &module)?;
    let mut server = Command::new(lunatic(profile)?)
        .arg("run")
        .arg(&module)
        .args(["serve", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot start the runtime")?;
    let mut line = String::new();
    let stdout = server.stdout.take().expect("stdout is piped");
    let said = BufReader::new(stdout).read_line(&mut line);
    let address = line.trim_end().strip_prefix("listening on ").unwrap_or_default();
    let mut talk = Command::new(lunatic(profile)?);
    talk.arg("run").arg(&module).args(["talk", address, "a", "hello"]);
    let heard = shell::run_limited(&mut talk, LIMIT);
    server.kill()?;
    server.wait()?;
    said.context("cannot read what the server prints")?;
    let heard = heard?;
    ensure!(
        heard.success() && heard.stdout == "* a is here\na: hello\n",
        "the chat in C failed ({}) after the server said `{line}`\n{}{}",
        heard.ending(),
        heard.stdout,
        heard.stderr
    );
    Ok(())
}

/// Whether there is a compiler for C with a C library; if not, says so.
pub fn can_build() -> bool {
    let libc = Path::new("/usr/lib/wasm32-wasi/libc.a").is_file();
    let can = libc && shell::exists("clang") && shell::exists("wasm-ld");
    if !can {
        println!(
            "SKIPPED: clang for wasm32-wasi is missing; next: \
             apt-get install clang lld wasi-libc libclang-rt-14-dev-wasm32"
        );
    }
    can
}

/// Compiles the library, for [`build`].
pub fn build_library() -> Result<()> {
    fs::create_dir_all(guests_dir())?;
    let library = guests_dir().join(LIBRARY);
    let mut object = Command::new("clang");
    object.current_dir(root()).args(FLAGS).args(["-std=c11", "-c", "guest/c/lunatic.c", "-o"]);
    shell::run(object.arg(&library))
}

/// What an example prints without arguments is the last of the blocks in its section of the page.
fn run_examples(profile: Profile) -> Result<()> {
    let page =
        fs::read_to_string(root().join(PAGE)).with_context(|| format!("cannot read {PAGE}"))?;
    for name in ["counter", "pool", "pubsub"] {
        let folder = root().join("examples/languages").join(name).join("c");
        if !folder.is_dir() {
            continue;
        }
        let mut expected = last_block(&page, name)
            .with_context(|| format!("{PAGE} does not say what {name} prints"))?;
        if name == "pool" {
            expected.push_str("the pool is closed\n");
        }
        for example in sources(&folder)? {
            run_one(profile, &example, &expected)?;
        }
    }
    Ok(())
}

fn run_one(profile: Profile, source: &Path, expected: &str) -> Result<()> {
    let name = source.strip_prefix(root()).unwrap_or(source).display().to_string();
    let module = guests_dir().join(format!("c_{}.wasm", name.replace('/', "_")));
    build(source, &module)?;
    let mut run = Command::new(lunatic(profile)?);
    run.arg("run").arg(module);
    let finished = shell::run_limited(&mut run, LIMIT)?;
    ensure!(
        finished.success() && finished.stdout == expected,
        "{name} failed ({}); it printed\n{}\nand not\n{expected}\n{}",
        finished.ending(),
        finished.stdout,
        finished.stderr
    );
    Ok(())
}

/// A program of one source with the library. In C++ it has no standard library: there is none in
/// Debian for this target.
pub fn build(source: &Path, module: &Path) -> Result<()> {
    let plus = source.extension().is_some_and(|extension| extension == "cpp");
    let (compiler, flags): (_, &[&str]) = match plus {
        true => ("clang++", &["-nostdinc++", "-nostdlib++"]),
        false => ("clang", &["-std=c11"]),
    };
    let mut build = Command::new(compiler);
    build.current_dir(root()).args(FLAGS).args(flags).args(["-I", "guest/c"]).arg(source);
    shell::run(build.arg(guests_dir().join(LIBRARY)).arg("-o").arg(module))
}

/// The sources in C and C++ of a folder, in the order of their names.
fn sources(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "c" || extension == "cpp") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// The last block of text in the section with this title.
pub fn last_block(page: &str, title: &str) -> Option<String> {
    let (_, from) = page.split_once(&format!("\n## {title}\n"))?;
    let section = from.split_once("\n## ").map_or(from, |(section, _)| section);
    let (_, block) = section.rsplit_once("```text\n")?;
    Some(block.split_once("```")?.0.to_owned())
}
