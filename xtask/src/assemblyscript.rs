//! The AssemblyScript library in guest/assemblyscript: its tests and the listings of its README,
//! compiled by the real compiler from npm and run on the runtime.
//!
//! What must stay true: nothing is checked in that a compiler made, and a machine without npm says
//! what it skips.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::shell;
use crate::tidy;
use crate::workspace::{Profile, lunatic, root};

const NPM: &str = if cfg!(windows) { "npm.cmd" } else { "npm" };

/// The goal for a program that says hello from another process.
const HELLO_BYTES_MAX: u64 = 30 << 10;
/// Pages of 4 KiB that a waiting process has written to.
const WAITING_PAGES_MAX: u32 = 4;

/// How long one program may take.
const LIMIT: Duration = Duration::from_secs(60);

/// The chore.
pub fn run(args: &[String]) -> Result<()> {
    run_all(Profile::from_args(args)?)
}

/// Compiles and runs everything, or says why not.
pub fn run_all(profile: Profile) -> Result<()> {
    if !prepare()? {
        return Ok(());
    }
    let build = folder().join("build");
    fs::create_dir_all(&build)?;
    let mut programs = tests(&folder().join("tests"))?;
    programs.extend(listings(&folder().join("README.md"), &build)?);
    let lunatic = lunatic(profile)?;
    print!("{}", run_each(&programs, &lunatic)?);
    println!("{} programs in AssemblyScript do what they promise", programs.len());
    small_programs(&lunatic)
}

/// The library.
fn folder() -> PathBuf {
    root().join("guest/assemblyscript")
}

/// Installs the compiler, once; false, after a word why, on a machine without npm.
pub fn prepare() -> Result<bool> {
    static INSTALLED: AtomicBool = AtomicBool::new(false);
    if !shell::exists(NPM) {
        println!("SKIPPED: npm is missing; next: apt-get install npm (node 20 or later)");
        return Ok(false);
    }
    if !INSTALLED.load(Ordering::Relaxed) {
        let mut install = Command::new(NPM);
        shell::run(install.current_dir(folder()).args(["ci", "--no-audit", "--no-fund"]))?;
        INSTALLED.store(true, Ordering::Relaxed);
    }
    Ok(true)
}

/// Compiles a program with the library, as its users do.
pub fn build(source: &Path, module: &Path) -> Result<()> {
    // The place that a panic names is then the same on each machine.
    let source = match source.strip_prefix(folder()) {
        Ok(inside) => inside.to_owned(),
        Err(_) => Path::new("../..").join(source.strip_prefix(root())?),
    };
    let mut compile = Command::new("node");
    compile.current_dir(folder()).arg("node_modules/assemblyscript/bin/asc.js").arg(source);
    compile.args(["--config", "asconfig.json", "--optimize", "--outFile"]).arg(module);
    shell::run(&mut compile)
}

/// Holds the size of a small program and the memory of a waiting process against their limits.
fn small_programs(lunatic: &Path) -> Result<()> {
    let built = |name: &str| folder().join("build").join(format!("{name}.wasm"));
    let bytes = fs::metadata(built("hello"))?.len();
    println!("  hello: {bytes} bytes of wasm, at most {HELLO_BYTES_MAX}");
    let said = shell::output(Command::new(lunatic).arg("run").arg(built("waiting")))?;
    let pages = said.strip_suffix(" pages\n").and_then(|pages| pages.parse().ok());
    let pages: u32 = pages.with_context(|| format!("waiting says {said:?}"))?;
    println!("  a waiting process: {pages} pages written, at most {WAITING_PAGES_MAX}");
    let page = fs::read_to_string(folder().join("README.md"))?;
    for figure in [format!("{} KiB", bytes.div_ceil(1024)), format!("{pages} pages")] {
        ensure!(page.contains(&figure), "the README of the library does not say: {figure}");
    }
    ensure!(
        bytes <= HELLO_BYTES_MAX && pages <= WAITING_PAGES_MAX,
        "a program in AssemblyScript has outgrown its limit, see above"
    );
    Ok(())
}

fn tests(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = tidy::files_below(folder)?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "ts"));
    ensure!(!files.is_empty(), "there are no tests in {}", folder.display());
    Ok(files)
}

/// Writes each listing of a page, which is a whole program, into a file.
fn listings(page: &Path, build: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for (index, text) in blocks(&fs::read_to_string(page)?).iter().enumerate() {
        let file = build.join(format!("listing_{}.ts", index + 1));
        fs::write(&file, text)?;
        files.push(file);
    }
    ensure!(!files.is_empty(), "there are no listings in {}", page.display());
    Ok(files)
}

/// The fenced blocks of the kind `ts`.
fn blocks(page: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    for part in page.split("```ts\n").skip(1) {
        let text = part.split("```").next().unwrap_or_default();
        blocks.push(text.to_owned());
    }
    blocks
}

/// Runs all programs, two at a time, and gives what they have said, in their order.
fn run_each(programs: &[PathBuf], lunatic: &Path) -> Result<String> {
    const AT_ONCE: usize = 2;
    let run_every = |first: usize| -> Vec<Result<String>> {
        let own = programs.iter().skip(first).step_by(AT_ONCE);
        own.map(|program| run_one(program, lunatic)).collect()
    };
    let said: Vec<Vec<Result<String>>> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..AT_ONCE).map(|first| scope.spawn(move || run_every(first))).collect();
        threads.into_iter().map(|thread| thread.join().expect("it does not panic")).collect()
    });
    let mut said: Vec<_> = said.into_iter().map(Vec::into_iter).collect();
    (0..programs.len()).filter_map(|index| said[index % AT_ONCE].next()).collect()
}

/// A program holds its promises if it ends with status 0 and said something, which is given.
fn run_one(program: &Path, lunatic: &Path) -> Result<String> {
    let name = program.file_stem().and_then(|name| name.to_str()).context("a name in UTF-8")?;
    let module = format!("build/{name}.wasm");
    build(program, Path::new(&module))?;
    let mut run = Command::new(lunatic);
    run.current_dir(folder()).arg("run").arg(&module);
    let finished = shell::run_limited(&mut run, LIMIT)?;
    if !finished.success() || finished.stdout.is_empty() {
        bail!(
            "{} failed: {}\n  to see it alone: {}\n{}{}",
            program.display(),
            finished.ending(),
            shell::printable(&run),
            finished.stdout,
            finished.stderr
        );
    }
    Ok(finished.stdout)
}

#[cfg(test)]
mod tests {
    use super::blocks;

    #[test]
    fn the_listings_of_a_page_are_its_blocks_of_the_language() {
        let page = "a\n```ts\none\n```\nb\n```sh\nno\n```\n```ts\ntwo\n```\n";
        assert_eq!(blocks(page), ["one\n", "two\n"]);
    }
}
